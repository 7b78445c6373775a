"""What call control needs from the layers above it, as protocols they implement."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from orbit_voice.calls.orders import PlayOrder
from orbit_voice.calls.records import (
    CallChange,
    CallEvent,
    CallRecord,
    CallStatus,
    Direction,
)
from orbit_voice.kit.pages import Page
from orbit_voice.signaling.trace import SipTraceEntry

__all__ = ["CallFilter", "CallJournal", "CallReader", "Page"]


@dataclass(frozen=True, slots=True)
class CallFilter:
    """Which calls a list shows; None means any. Times: from inclusive, before exclusive."""

    status: CallStatus | None = None
    from_: str | None = None
    to: str | None = None
    direction: Direction | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None


class CallJournal(Protocol):
    """Durable memory of calls. What it has not committed did not happen."""

    async def commit(self, change: CallChange) -> None:
        """Write one change; return when it is durable.

        Changes of one call are committed in the order of the calls to this method. Changes of many
        calls share a transaction (group commit), so a wait costs a few milliseconds.
        """

    async def open_calls(self, node_id: str) -> list[CallRecord]:
        """Return this node's calls that have no end yet, oldest first (after a crash)."""


class CallReader(Protocol):
    """Reads for the API. Another organization's rows do not exist here."""

    async def get_call(self, org_id: str, call_id: str) -> CallRecord | None:
        """Return one call, or None."""

    async def list_calls(
        self, org_id: str, where: CallFilter, *, cursor: str | None, limit: int
    ) -> Page[CallRecord]:
        """Return one page.

        Raises:
            CallError: ``INVALID_CURSOR``.
        """

    async def list_events(
        self, org_id: str, call_id: str, *, cursor: str | None, limit: int
    ) -> Page[CallEvent]:
        """Return one page of a call's timeline, oldest first (the one list that is)."""

    async def sip_trace(self, org_id: str, call_id: str) -> list[SipTraceEntry]:
        """Return the SIP messages of an ended call, in order."""


class PromptSource(Protocol):
    """Where audio to play comes from."""

    async def find_audio(self, org_id: str, order: PlayOrder) -> Path:
        """Return a WAV file of a recording or a URL.

        Raises:
            CallError: ``NOT_FOUND``; ``VALIDATION_ERROR`` when it cannot be fetched or played.
        """
