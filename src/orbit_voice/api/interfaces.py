"""What the API needs of the layers below, apart from calls, trunks and numbers, as protocols.

Call control and its reads stand in :mod:`orbit_voice.calls.orders` and
:mod:`orbit_voice.calls.interfaces`, trunks and numbers in :mod:`orbit_voice.trunks.interfaces`. The
composition root fills all of them into :class:`orbit_voice.api.dependencies.Dependencies`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from datetime import datetime
from typing import Protocol, TypeAlias

from orbit_voice.kit.pages import Page
from orbit_voice.signaling.trace import SipTraceEntry
from orbit_voice.store.api_keys import ApiKey, Mode, Scope
from orbit_voice.store.recordings import RecordingFile


class ApiKeys(Protocol):
    """Keeps an organization's API keys; of their text only a hash."""

    async def verify(self, text: str) -> ApiKey | None:
        """Return the key whose text this is, or None. Asked once per request, so it is quick."""

    async def create_key(
        self, org_id: str, name: str, *, mode: Mode, scopes: Collection[Scope], now: datetime
    ) -> tuple[ApiKey, str]:
        """Make a key; return it with its text, which nobody can read again."""

    async def list_keys(self, org_id: str, *, cursor: str | None, limit: int) -> Page[ApiKey]:
        """Return one page, newest first.

        Raises:
            CallError: ``INVALID_CURSOR``.
        """

    async def delete_key(self, org_id: str, key_id: str) -> bool:
        """Delete a key, at once for every later request; return False when there is none."""


class RecordingFiles(Protocol):
    """Finds the audio of recordings."""

    async def find_recording(self, org_id: str, recording_id: str) -> RecordingFile | None:
        """Return where a recording of the organization lies; None until it is finished."""


class FlowLookup(Protocol):
    """Says which agents and IVR flows an organization has."""

    async def has_agent(self, org_id: str, agent_id: str) -> bool:
        """Return whether calls can be handed to this agent."""

    async def has_ivr(self, org_id: str, ivr_id: str) -> bool:
        """Return whether calls can be handed to this flow."""


class LiveCalls(Protocol):
    """What only the living call knows."""

    def live_trace(self, org_id: str, call_id: str) -> list[SipTraceEntry] | None:
        """Return a call's SIP messages so far; None when it has ended or is not of this node."""

    def active_calls(self, trunk_id: str) -> int:
        """Return how many calls a trunk carries now."""


UrlGuard: TypeAlias = Callable[[str], Awaitable[None]]
"""Refuses a URL that this server must not call: raises ``CallError`` ``INVALID_WEBHOOK_URL``."""

Readiness: TypeAlias = Callable[[], Awaitable[Mapping[str, bool]]]
"""Says of each part that a call needs (``store``, ``sip``, ``media`` …) whether it works now."""
