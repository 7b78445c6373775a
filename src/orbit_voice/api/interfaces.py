"""What the API needs of the layers below, apart from calls, trunks and numbers, as protocols.

Call control and its reads stand in :mod:`orbit_voice.calls.orders` and
:mod:`orbit_voice.calls.interfaces`, trunks and numbers in :mod:`orbit_voice.trunks.interfaces`. The
composition root fills all of them into :class:`orbit_voice.api.dependencies.Dependencies`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Protocol, TypeAlias

from orbit_voice.kit.pages import Page
from orbit_voice.signaling.trace import SipTraceEntry


class Scope(StrEnum):
    """What an API key may do. None implies another."""

    VOICE_READ = "voice:read"
    VOICE_WRITE = "voice:write"
    ADMIN = "admin"


class KeyMode(StrEnum):
    """Where a key's calls go: to trunks, or to the built-in carrier simulator only."""

    LIVE = "live"
    TEST = "test"


@dataclass(frozen=True, slots=True)
class Principal:
    """Whom an API key speaks for.

    Attributes:
        org_id: The organization whose rows the request sees.
        key_id: The key itself, for the log.
        scopes: What it may do.
        mode: Where its calls go.
    """

    org_id: str
    key_id: str
    scopes: frozenset[Scope]
    mode: KeyMode = KeyMode.LIVE


class KeyVerifier(Protocol):
    """Tells keys that are ours from others. Asked once per request, so it is quick."""

    async def verify(self, clear_key: str) -> Principal | None:
        """Return whom ``clear_key`` speaks for, or None when it is unknown or deleted."""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """An API key as it may be shown: never the key itself.

    Attributes:
        id: ``key_…``.
        name: What the organization calls it.
        prefix: The first characters of the key's text, to tell keys apart.
        scopes: What it may do.
        mode: Where its calls go.
        created_at: When it was made.
    """

    id: str
    name: str
    prefix: str
    scopes: frozenset[Scope]
    mode: KeyMode
    created_at: datetime


class ApiKeys(Protocol):
    """Keeps an organization's API keys; of their text only a hash."""

    async def create_key(
        self, org_id: str, *, name: str, scopes: Collection[Scope], mode: KeyMode
    ) -> tuple[ApiKey, str]:
        """Make a key; return it with its text, which nobody can read again."""

    async def list_keys(self, org_id: str, *, cursor: str | None, limit: int) -> Page[ApiKey]:
        """Return one page, newest first.

        Raises:
            CallError: ``INVALID_CURSOR``.
        """

    async def delete_key(self, org_id: str, key_id: str) -> bool:
        """Delete a key, at once for every later request; return False when there is none."""


@dataclass(frozen=True, slots=True)
class RecordingFile:
    """A finished recording on this machine's disk.

    Attributes:
        path: Absolute; a WAV file, whole from the moment it exists.
        sha256: Hex digest of the file, its entity tag; None when it is not known.
    """

    path: Path
    sha256: str | None = None


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
