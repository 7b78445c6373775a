"""Server transaction of any method but INVITE and ACK (RFC 3261 §17.2.2).

Sans-IO, as :mod:`~orbit_voice.sip.transactions.invite_client`. It sends no 100 by itself: over UDP
that would be wrong before the peer's Timer E reaches T2 (RFC 4320 §4.1), and every request we
serve is answered at once.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto
from typing import Final, TypeAlias

from orbit_voice.sip.timers import TIMEOUT_S, Timers
from orbit_voice.sip.transactions.outputs import Failed, TransmitResponse


class State(Enum):
    """States of figure 8 in RFC 3261."""

    TRYING = auto()
    PROCEEDING = auto()
    COMPLETED = auto()
    TERMINATED = auto()


class Input(Enum):
    """Everything that can happen to the transaction."""

    REQUEST = auto()
    SEND_1XX = auto()
    SEND_200_699 = auto()
    TIMER_J = auto()
    TRANSPORT_ERROR = auto()


Output: TypeAlias = TransmitResponse | Failed


class ServerTransaction:
    """One non-INVITE server transaction.

    Args:
        reliable: True when the transport retransmits for us (TCP, TLS, WS).
    """

    __slots__ = ("_reliable", "_timers", "state")

    def __init__(self, *, reliable: bool) -> None:
        self.state = State.TRYING
        self._reliable = reliable
        self._timers: Timers[Input] = Timers()

    @property
    def is_terminated(self) -> bool:
        """Whether it is over and must be forgotten."""
        return self.state is State.TERMINATED

    def next_deadline(self) -> float | None:
        """Return when :meth:`tick` is next due (monotonic seconds), or None."""
        return self._timers.next_deadline()

    def tick(self, now: float) -> list[Output]:
        """Fire every timer that is due at ``now``, earliest first."""
        outputs: list[Output] = []
        while (timer := self._timers.pop_due(now)) is not None:
            outputs += self._step(timer, now)
        return outputs

    def receive_request(self, now: float) -> list[Output]:
        """Take a retransmission of the request."""
        return self._step(Input.REQUEST, now)

    def send_response(self, status: int, now: float) -> list[Output]:
        """Take a response with ``status`` (100-699) from the transaction user.

        It goes out, and is the latest response, when the result holds :class:`TransmitResponse`.
        """
        return self._step(Input.SEND_1XX if status < 200 else Input.SEND_200_699, now)

    def transport_failed(self, now: float) -> list[Output]:
        """Take the news that the transport could not send."""
        return self._step(Input.TRANSPORT_ERROR, now)

    def _step(self, what: Input, now: float) -> list[Output]:
        if (self.state, what) in IGNORED:
            return []
        action, self.state = TRANSITIONS[self.state, what]
        if self.state is State.TERMINATED:
            self._timers.clear()
        return action(self, now)

    def _transmit(self, now: float) -> list[Output]:
        return [TransmitResponse()]

    def _complete(self, now: float) -> list[Output]:
        self._timers.start(Input.TIMER_J, now + (0.0 if self._reliable else TIMEOUT_S))
        return [TransmitResponse()]

    def _transport_error(self, now: float) -> list[Output]:
        return [Failed(timed_out=False)]

    def _finish(self, now: float) -> list[Output]:
        return []


_Action: TypeAlias = Callable[[ServerTransaction, float], list[Output]]
_T = ServerTransaction

TRANSITIONS: Final[dict[tuple[State, Input], tuple[_Action, State]]] = {
    (State.TRYING, Input.SEND_1XX): (_T._transmit, State.PROCEEDING),
    (State.TRYING, Input.SEND_200_699): (_T._complete, State.COMPLETED),
    (State.PROCEEDING, Input.REQUEST): (_T._transmit, State.PROCEEDING),
    (State.PROCEEDING, Input.SEND_1XX): (_T._transmit, State.PROCEEDING),
    (State.PROCEEDING, Input.SEND_200_699): (_T._complete, State.COMPLETED),
    (State.PROCEEDING, Input.TRANSPORT_ERROR): (_T._transport_error, State.TERMINATED),
    (State.COMPLETED, Input.REQUEST): (_T._transmit, State.COMPLETED),
    (State.COMPLETED, Input.TIMER_J): (_T._finish, State.TERMINATED),
    (State.COMPLETED, Input.TRANSPORT_ERROR): (_T._transport_error, State.TERMINATED),
}
"""(state, input) -> (action, next state). The docs diagram is generated from this table."""

IGNORED: Final = frozenset(
    {
        (State.TRYING, Input.REQUEST),
        (State.TRYING, Input.TIMER_J),
        (State.TRYING, Input.TRANSPORT_ERROR),
        (State.PROCEEDING, Input.TIMER_J),
        (State.COMPLETED, Input.SEND_1XX),
        (State.COMPLETED, Input.SEND_200_699),
        *((State.TERMINATED, what) for what in Input),
    }
)
"""Pairs with no effect on purpose. Table and IGNORED together cover every pair (tested)."""
