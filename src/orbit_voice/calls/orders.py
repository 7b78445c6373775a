"""What a client asks of call control: orders in, records out.

Values here are already well-formed (the API checks shapes); whether an order is possible is call
control's to say, with a :class:`~orbit_voice.kit.errors.CallError`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from orbit_voice.calls.records import CallRecord


@dataclass(frozen=True, slots=True)
class CallOrder:
    """An outbound call to be made (API contract §2, “Create fields”).

    Attributes:
        to: E.164 or SIP URI.
        from_: E.164 of a number of the organization, or None for its default number.
        trunk_id: Trunk to use, or None for the first that fits.
        ring_timeout_s: How long it may ring, 1-600 seconds.
        max_duration_s: Longest talking time, 1-86400 seconds.
        sip_headers: Extra ``X-…`` headers of the INVITE.
    """

    to: str
    from_: str | None = None
    trunk_id: str | None = None
    agent_id: str | None = None
    ivr_id: str | None = None
    webhook_url: str | None = None
    record: bool = False
    max_duration_s: int = 3600
    ring_timeout_s: int = 60
    metadata: Mapping[str, Any] = field(default_factory=dict)
    sip_headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SayOrder:
    """Speak ``text`` on a call."""

    text: str
    voice: str | None = None
    language: str = "en-US"


@dataclass(frozen=True, slots=True)
class PlayOrder:
    """Play a recording of the organization, or audio fetched from a URL; exactly one is set."""

    recording_id: str | None = None
    url: str | None = None
    loop: bool = False


class CallControl(Protocol):
    """What the API may ask. Every method raises ``CallError``.

    ``NOT_FOUND``: no such call in the organization. ``CALL_NOT_ACTIVE``: it has ended.
    ``CONFLICT``: it is not in a state that allows this; ``details.state`` names its state.
    """

    async def create(self, org_id: str, order: CallOrder) -> CallRecord:
        """Make a call; return once it is durable, before it rings.

        Raises:
            CallError: ``NUMBER_NOT_REGISTERED``, ``NO_ROUTE``, ``SERVICE_UNAVAILABLE`` …
        """

    async def hangup(self, org_id: str, call_id: str) -> CallRecord:
        """End a call; return its record once the end is durable."""

    async def accept(self, org_id: str, call_id: str) -> CallRecord:
        """Answer an inbound call that a ``manual`` route holds."""

    async def decline(self, org_id: str, call_id: str) -> CallRecord:
        """Refuse an inbound call that a ``manual`` route holds (SIP 486)."""

    async def say(self, org_id: str, call_id: str, order: SayOrder) -> CallRecord:
        """Speak on an answered call; return when speaking starts."""

    async def play(self, org_id: str, call_id: str, order: PlayOrder) -> CallRecord:
        """Play on an answered call; return when playing starts."""

    async def stop(self, org_id: str, call_id: str) -> CallRecord:
        """End what is playing on an answered call."""

    async def dtmf(self, org_id: str, call_id: str, digits: str) -> CallRecord:
        """Send digits (``0-9 * # A-D``, ``w`` = 0.5 s pause) on an answered call."""
