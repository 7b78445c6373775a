"""What a simulated party does with a call that reaches it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias


@dataclass(frozen=True, slots=True)
class Answer:
    """Ring, answer, and talk until somebody hangs up.

    Attributes:
        after_s: How long it rings, seconds.
        ring_status: Provisional response while it rings, 180 or 183; None sends none.
        early_media: Whether it is heard already while it rings (a 183 with SDP).
        sound: WAV file it plays in a loop, 16-bit mono; None: its own tone, if it has one.
        digits: DTMF it sends once answered, ``0-9 * # A-D``, ``w`` pauses.
        echo_digits: Whether it sends every digit it hears back.
        hangup_after_s: Seconds after the answer at which it hangs up; None: never.
    """

    after_s: float = 0.0
    ring_status: int | None = 180
    early_media: bool = False
    sound: Path | None = None
    digits: str = ""
    echo_digits: bool = False
    hangup_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Ring:
    """Ring until the caller gives up.

    Attributes:
        status: Provisional response, 180 or 183; None sends none but the 100 (Trying) that every
            transaction begins with.
    """

    status: int | None = 180


@dataclass(frozen=True, slots=True)
class Ignore:
    """Take no notice at all, as a dead host: no response, not even 100 (Trying).

    Over TCP the connection itself is taken, and 100 (Trying) still comes.
    """


@dataclass(frozen=True, slots=True)
class Reject:
    """Refuse the call.

    Attributes:
        status: Final response, 300-699.
        reason: Reason phrase; None: the usual one of the status.
        after_s: Seconds to wait before, ringing.
        ring_status: Provisional response while it waits; None sends none.
        headers: Extra headers, for example ``("Retry-After", "30")`` or ``Contact`` of a 302.
    """

    status: int
    reason: str | None = None
    after_s: float = 0.0
    ring_status: int | None = None
    headers: tuple[tuple[str, str], ...] = ()


Behaviour: TypeAlias = Answer | Ring | Reject | Ignore

BUSY: Final = Reject(486)
DECLINE: Final = Reject(603)
NOT_FOUND: Final = Reject(404)
UNAVAILABLE: Final = Reject(503)
