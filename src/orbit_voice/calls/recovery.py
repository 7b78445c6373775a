"""After a crash: every call that this node left open gets its one end.

Nothing is dialled again: an INVITE belongs to the process that sent it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import structlog

from orbit_voice.calls.attempts import close_attempt
from orbit_voice.calls.endings import Ending, Limit, by_limit
from orbit_voice.calls.interfaces import CallJournal
from orbit_voice.calls.records import CallChange, CallRecord, RecordingStatus
from orbit_voice.calls.states import next_status
from orbit_voice.calls.summary import canonical_line
from orbit_voice.calls.timeline import append_event, end_fields, terminal_type
from orbit_voice.kit.clock import utc_now

_log = structlog.get_logger(__name__)


async def end_lost_calls(journal: CallJournal, node_id: str) -> int:
    """End the calls that a former process of this node left open; return how many."""
    lost = await journal.open_calls(node_id)
    for call in lost:
        await end_lost_call(journal, call, by_limit(Limit.NODE_LOST))
    return len(lost)


async def end_lost_call(journal: CallJournal, call: CallRecord, ending: Ending) -> None:
    """Give a call that nobody carries its one end."""
    ended = _end(call, ending)
    ended, event = append_event(ended, terminal_type(ended.status), utc_now(), **end_fields(ended))
    await journal.commit(CallChange(ended, (event,)))
    _log.info("call.ended", **canonical_line(ended))


def _end(call: CallRecord, ending: Ending) -> CallRecord:
    now = utc_now()
    status = next_status(call.status, ending.what)
    assert status is not None  # the journal returns calls without an end
    changes: dict[str, Any] = {"status": status, "ended_at": now, "hangup": ending.hangup}
    if call.recording is not None and call.recording.status is RecordingStatus.RECORDING:
        changes["recording"] = replace(call.recording, status=RecordingStatus.FAILED)
    return close_attempt(replace(call, **changes), now, sip_code=None, cause=ending.hangup.cause)
