"""Who may say what when: the states of an offer/answer dialogue (RFC 3264 §4, RFC 3261 §13.2.1)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from orbit_voice.kit.errors import LocalProtocolError, ProtocolError
from orbit_voice.sdp.errors import SdpError


class State(Enum):
    """Where an offer/answer exchange stands."""

    NEW = auto()
    OFFER_SENT = auto()
    OFFER_RECEIVED = auto()
    ANSWERED = auto()
    """Our offer was answered; the answer may come again, or another from another fork."""
    SETTLED = auto()
    REOFFER_SENT = auto()
    REOFFER_RECEIVED = auto()


class Input(Enum):
    """Everything that can happen to a negotiation."""

    MAKE_OFFER = auto()
    RECEIVE_ANSWER = auto()
    RECEIVE_OFFER = auto()
    MAKE_ANSWER = auto()
    ROLL_BACK = auto()


TRANSITIONS: Final[dict[tuple[State, Input], State]] = {
    (State.NEW, Input.MAKE_OFFER): State.OFFER_SENT,
    (State.NEW, Input.RECEIVE_OFFER): State.OFFER_RECEIVED,
    (State.OFFER_SENT, Input.RECEIVE_ANSWER): State.ANSWERED,
    (State.OFFER_SENT, Input.ROLL_BACK): State.NEW,
    (State.OFFER_RECEIVED, Input.MAKE_ANSWER): State.SETTLED,
    (State.OFFER_RECEIVED, Input.ROLL_BACK): State.NEW,
    (State.ANSWERED, Input.MAKE_OFFER): State.REOFFER_SENT,
    (State.ANSWERED, Input.RECEIVE_ANSWER): State.ANSWERED,
    (State.ANSWERED, Input.RECEIVE_OFFER): State.REOFFER_RECEIVED,
    (State.SETTLED, Input.MAKE_OFFER): State.REOFFER_SENT,
    (State.SETTLED, Input.RECEIVE_OFFER): State.REOFFER_RECEIVED,
    (State.REOFFER_SENT, Input.RECEIVE_ANSWER): State.ANSWERED,
    (State.REOFFER_SENT, Input.ROLL_BACK): State.SETTLED,
    (State.REOFFER_RECEIVED, Input.MAKE_ANSWER): State.SETTLED,
    (State.REOFFER_RECEIVED, Input.ROLL_BACK): State.SETTLED,
}
"""(state, input) -> state after it. The docs diagram is generated from this table."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an input is refused: by the peer's fault (with the status to answer) or by ours."""

    reason: str
    remote_status: int | None = None

    def error(self) -> ProtocolError:
        """Return the error to raise."""
        if self.remote_status is None:
            return LocalProtocolError(self.reason, section="RFC 3264 §4")
        return SdpError(self.reason, status_hint=self.remote_status, section="RFC 3264 §4")


_NOTHING_OPEN: Final = Refusal("no offer is open")
_NOTHING_ASKED: Final = Refusal("an answer to no offer of ours", remote_status=400)
_OURS_IS_OPEN: Final = Refusal("our offer still waits for its answer")
_THEIRS_IS_OPEN: Final = Refusal("the peer's offer still waits for our answer")
_GLARE: Final = Refusal("an offer crossed ours", remote_status=491)
_SECOND_OFFER: Final = Refusal("an offer while the one before is open", remote_status=500)

REFUSALS: Final[dict[tuple[State, Input], Refusal]] = {
    (State.NEW, Input.RECEIVE_ANSWER): _NOTHING_ASKED,
    (State.NEW, Input.MAKE_ANSWER): _NOTHING_OPEN,
    (State.NEW, Input.ROLL_BACK): _NOTHING_OPEN,
    (State.OFFER_SENT, Input.MAKE_OFFER): _OURS_IS_OPEN,
    (State.OFFER_SENT, Input.RECEIVE_OFFER): _GLARE,
    (State.OFFER_SENT, Input.MAKE_ANSWER): _NOTHING_OPEN,
    (State.OFFER_RECEIVED, Input.MAKE_OFFER): _THEIRS_IS_OPEN,
    (State.OFFER_RECEIVED, Input.RECEIVE_ANSWER): _NOTHING_ASKED,
    (State.OFFER_RECEIVED, Input.RECEIVE_OFFER): _SECOND_OFFER,
    (State.ANSWERED, Input.MAKE_ANSWER): _NOTHING_OPEN,
    (State.ANSWERED, Input.ROLL_BACK): _NOTHING_OPEN,
    (State.SETTLED, Input.RECEIVE_ANSWER): _NOTHING_ASKED,
    (State.SETTLED, Input.MAKE_ANSWER): _NOTHING_OPEN,
    (State.SETTLED, Input.ROLL_BACK): _NOTHING_OPEN,
    (State.REOFFER_SENT, Input.MAKE_OFFER): _OURS_IS_OPEN,
    (State.REOFFER_SENT, Input.RECEIVE_OFFER): _GLARE,
    (State.REOFFER_SENT, Input.MAKE_ANSWER): _NOTHING_OPEN,
    (State.REOFFER_RECEIVED, Input.MAKE_OFFER): _THEIRS_IS_OPEN,
    (State.REOFFER_RECEIVED, Input.RECEIVE_ANSWER): _NOTHING_ASKED,
    (State.REOFFER_RECEIVED, Input.RECEIVE_OFFER): _SECOND_OFFER,
}
"""Inputs that are refused. Both tables together cover every pair, and do not overlap (tested)."""


def next_state(state: State, what: Input) -> State:
    """Return the state after ``what``.

    Raises:
        SdpError: The peer must not do this now.
        LocalProtocolError: We must not do this now.
    """
    refusal = REFUSALS.get((state, what))
    if refusal is not None:
        raise refusal.error()
    return TRANSITIONS[state, what]
