"""What can be asked of a living call, and what wakes it: the messages of its inbox."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from orbit_voice.calls.endings import Ending, Limit
from orbit_voice.calls.records import CallRecord
from orbit_voice.media.events import MediaEvent
from orbit_voice.signaling.events import SessionEvent


@dataclass(frozen=True, slots=True)
class HangUp:
    """End the call."""

    ending: Ending


@dataclass(frozen=True, slots=True)
class Accept:
    """Answer an inbound call that waits for it."""


@dataclass(frozen=True, slots=True)
class Decline:
    """Refuse an inbound call that waits for an answer, with a final SIP status."""

    status: int


@dataclass(frozen=True, slots=True)
class PlayFiles:
    """Play audio files one after the other."""

    files: tuple[Path, ...]
    loop: bool = False


@dataclass(frozen=True, slots=True)
class StopPlaying:
    """End what is playing."""


@dataclass(frozen=True, slots=True)
class SendDtmf:
    """Send digits."""

    digits: str


Command: TypeAlias = HangUp | Accept | Decline | PlayFiles | StopPlaying | SendDtmf


@dataclass(frozen=True, slots=True)
class Asked:
    """A command somebody waits for; ``done`` gets the record after it, or a CallError."""

    command: Command
    done: asyncio.Future[CallRecord] = field(compare=False)


@dataclass(frozen=True, slots=True)
class LimitReached:
    """A limit of ours was reached."""

    limit: Limit


Message: TypeAlias = SessionEvent | MediaEvent | Asked | LimitReached
