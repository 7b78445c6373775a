"""The life of a leg, one party's side of a call, as a total table.

Sans-IO. A leg follows its SIP session and our wish to end it; what crosses on the wire (CANCEL and
200, BYE and BYE) is the session's business, so here a late answer is simply ignored.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Final


class LegState(Enum):
    """Where a leg stands."""

    SETUP = auto()
    """INVITE sent or received, nothing heard yet."""
    RINGING = auto()
    """A provisional response went either way."""
    UP = auto()
    """Answered."""
    RELEASING = auto()
    """We end it; the peer has not confirmed yet."""
    RELEASED = auto()
    """The SIP session is over."""


class LegInput(Enum):
    """Everything that can happen to a leg."""

    PROGRESS = auto()
    """A provisional response, 101-199."""
    ANSWER = auto()
    """A 2xx."""
    RELEASE = auto()
    """We want it to end."""
    SESSION_OVER = auto()
    """The SIP session reported its end."""


class LegAction(Enum):
    """What to do about an input."""

    NONE = auto()
    REPORT_RINGING = auto()
    REPORT_EARLY_MEDIA = auto()
    REPORT_ANSWER = auto()
    HANG_UP = auto()
    REPORT_END = auto()


_S = LegState
_I = LegInput
_A = LegAction

TRANSITIONS: Final[dict[tuple[LegState, LegInput], tuple[LegAction, LegState]]] = {
    (_S.SETUP, _I.PROGRESS): (_A.REPORT_RINGING, _S.RINGING),
    (_S.SETUP, _I.ANSWER): (_A.REPORT_ANSWER, _S.UP),
    (_S.SETUP, _I.RELEASE): (_A.HANG_UP, _S.RELEASING),
    (_S.SETUP, _I.SESSION_OVER): (_A.REPORT_END, _S.RELEASED),
    (_S.RINGING, _I.PROGRESS): (_A.REPORT_EARLY_MEDIA, _S.RINGING),
    (_S.RINGING, _I.ANSWER): (_A.REPORT_ANSWER, _S.UP),
    (_S.RINGING, _I.RELEASE): (_A.HANG_UP, _S.RELEASING),
    (_S.RINGING, _I.SESSION_OVER): (_A.REPORT_END, _S.RELEASED),
    (_S.UP, _I.RELEASE): (_A.HANG_UP, _S.RELEASING),
    (_S.UP, _I.SESSION_OVER): (_A.REPORT_END, _S.RELEASED),
    (_S.RELEASING, _I.SESSION_OVER): (_A.NONE, _S.RELEASED),
}
"""(state, input) -> (action, next state)."""

IGNORED: Final = frozenset(
    {
        (_S.UP, _I.PROGRESS),
        (_S.UP, _I.ANSWER),
        (_S.RELEASING, _I.PROGRESS),
        (_S.RELEASING, _I.ANSWER),
        (_S.RELEASING, _I.RELEASE),
        *((_S.RELEASED, what) for what in LegInput),
    }
)
"""Pairs with no effect on purpose. Table and IGNORED together cover every pair (tested)."""


def step(state: LegState, what: LegInput) -> tuple[LegAction, LegState]:
    """Return what to do about ``what`` in ``state``, and the state after it."""
    return TRANSITIONS.get((state, what), (LegAction.NONE, state))
