"""The life of a call as a total table (API contract §2, “Statuses”).

Sans-IO: statuses and inputs only. An end is final: after it every input is ignored, which is what
makes exactly one terminal event whatever races.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Final

from orbit_voice.calls.records import CallStatus


class CallInput(Enum):
    """Everything that can happen to a call."""

    RANG = auto()
    """The far end rings, or sends early media."""
    ANSWERED = auto()
    """The far end answered, or we answered the caller."""
    HUNG_UP = auto()
    """Somebody ended the call on purpose: the API, the caller, the callee, a limit."""
    BUSY = auto()
    """The far end is busy (486, 600)."""
    UNANSWERED = auto()
    """Nobody answered in time."""
    FAILED = auto()
    """The call could not be made, or its media or its node was lost."""


def next_status(status: CallStatus, what: CallInput) -> CallStatus | None:
    """Return the status after ``what``, or None when it has no effect in ``status``."""
    return TRANSITIONS.get((status, what))


_S = CallStatus
_I = CallInput

TRANSITIONS: Final[dict[tuple[CallStatus, CallInput], CallStatus]] = {
    (_S.INITIATING, _I.RANG): _S.RINGING,
    (_S.INITIATING, _I.ANSWERED): _S.IN_PROGRESS,
    (_S.INITIATING, _I.HUNG_UP): _S.CANCELLED,
    (_S.INITIATING, _I.BUSY): _S.BUSY,
    (_S.INITIATING, _I.UNANSWERED): _S.NO_ANSWER,
    (_S.INITIATING, _I.FAILED): _S.FAILED,
    (_S.RINGING, _I.ANSWERED): _S.IN_PROGRESS,
    (_S.RINGING, _I.HUNG_UP): _S.CANCELLED,
    (_S.RINGING, _I.BUSY): _S.BUSY,
    (_S.RINGING, _I.UNANSWERED): _S.NO_ANSWER,
    (_S.RINGING, _I.FAILED): _S.FAILED,
    (_S.IN_PROGRESS, _I.HUNG_UP): _S.COMPLETED,
    (_S.IN_PROGRESS, _I.FAILED): _S.FAILED,
}
"""(status, input) -> status."""

IGNORED: Final = frozenset(
    {
        (_S.RINGING, _I.RANG),
        (_S.IN_PROGRESS, _I.RANG),
        (_S.IN_PROGRESS, _I.ANSWERED),
        (_S.IN_PROGRESS, _I.BUSY),
        (_S.IN_PROGRESS, _I.UNANSWERED),
        *((status, what) for status in CallStatus if status.is_end for what in CallInput),
    }
)
"""Pairs with no effect on purpose. Table and IGNORED together cover every pair (tested)."""
