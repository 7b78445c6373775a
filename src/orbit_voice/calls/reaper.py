"""The orphan reaper: no call lives for ever, whatever broke.

Limits are timers of each call; this is the net below them. It ends calls that outlived every limit
of theirs, and calls that the journal calls open although nobody carries them any more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Final

import structlog

from orbit_voice.calls import endings
from orbit_voice.calls.call import Call
from orbit_voice.calls.commands import LimitReached
from orbit_voice.calls.endings import Limit
from orbit_voice.calls.interfaces import CallJournal
from orbit_voice.calls.records import CallRecord
from orbit_voice.calls.recovery import end_lost_call
from orbit_voice.kit.clock import utc_now

_log = structlog.get_logger(__name__)

INTERVAL_S: Final = 30.0
"""How often the reaper looks, seconds."""
GRACE: Final = timedelta(seconds=60)
"""How long past its limits a call may be, and how young an open call may be without a carrier."""


class Reaper:
    """Ends what should have ended.

    Args:
        journal: Knows the calls without an end.
        node_id: This node.
        living: The calls that are carried, by id.
    """

    def __init__(
        self, journal: CallJournal, node_id: str, living: Callable[[], Mapping[str, Call]]
    ) -> None:
        self._journal = journal
        self._node_id = node_id
        self._living = living

    async def run(self) -> None:
        """Look every :data:`INTERVAL_S` seconds, until cancelled."""
        while True:
            await asyncio.sleep(INTERVAL_S)
            await self.reap()

    async def reap(self) -> int:
        """Look once; return how many calls were ended or told to."""
        return self._end_overdue() + await self._end_orphans()

    def _end_overdue(self) -> int:
        overdue = [call for call in self._living().values() if is_overdue(call.record)]
        for call in overdue:
            _log.error("call.overdue", call_id=call.record.id)
            call.post(LimitReached(Limit.MAX_DURATION))
        return len(overdue)

    async def _end_orphans(self) -> int:
        oldest_birth = utc_now() - GRACE
        orphans = [
            call
            for call in await self._journal.open_calls(self._node_id)
            if call.id not in self._living() and call.created_at < oldest_birth
        ]
        for call in orphans:
            _log.error("call.orphan", call_id=call.id)
            await end_lost_call(self._journal, call, endings.of_internal_error())
        return len(orphans)


def is_overdue(call: CallRecord) -> bool:
    """Return whether a call lived longer than all of its limits allow."""
    if call.status.is_end:
        return False
    if call.answered_at is not None:
        deadline = call.answered_at + timedelta(seconds=call.max_duration_s)
    else:
        deadline = call.created_at + timedelta(seconds=call.ring_timeout_s)
    return utc_now() > deadline + GRACE
