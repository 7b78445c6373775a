"""Client transaction of any method but INVITE and ACK (RFC 3261 §17.1.2).

Sans-IO, as :mod:`~orbit_voice.sip.transactions.invite_client`.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto
from typing import Final, TypeAlias

from orbit_voice.sip.timers import T1_S, T2_S, T4_S, TIMEOUT_S, Timers
from orbit_voice.sip.transactions.outputs import Failed, PassToUser, ResendRequest


class State(Enum):
    """States of figure 6 in RFC 3261."""

    TRYING = auto()
    PROCEEDING = auto()
    COMPLETED = auto()
    TERMINATED = auto()


class Input(Enum):
    """Everything that can happen to the transaction."""

    RESPONSE_1XX = auto()
    RESPONSE_200_699 = auto()
    TIMER_E = auto()
    TIMER_F = auto()
    TIMER_K = auto()
    TRANSPORT_ERROR = auto()


Output: TypeAlias = ResendRequest | PassToUser | Failed


class ClientTransaction:
    """One non-INVITE client transaction; the request was put on the wire at ``now``.

    Args:
        now: Monotonic time of the first transmission, seconds.
        reliable: True when the transport retransmits for us (TCP, TLS, WS).
    """

    __slots__ = ("_interval_e", "_reliable", "_status", "_timers", "state")

    def __init__(self, *, now: float, reliable: bool) -> None:
        self.state = State.TRYING
        self._reliable = reliable
        self._interval_e = T1_S
        self._status = 0
        self._timers: Timers[Input] = Timers()
        self._timers.start(Input.TIMER_F, now + TIMEOUT_S)
        if not reliable:
            self._timers.start(Input.TIMER_E, now + T1_S)

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

    def receive_response(self, status: int, now: float) -> list[Output]:
        """Take a response with ``status`` (100-699)."""
        self._status = status
        return self._step(Input.RESPONSE_1XX if status < 200 else Input.RESPONSE_200_699, now)

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

    def _resend_slower(self, now: float) -> list[Output]:
        self._interval_e = min(2 * self._interval_e, T2_S)
        self._timers.start(Input.TIMER_E, now + self._interval_e)
        return [ResendRequest()]

    def _resend_slowly(self, now: float) -> list[Output]:
        self._timers.start(Input.TIMER_E, now + T2_S)
        return [ResendRequest()]

    def _pass_to_user(self, now: float) -> list[Output]:
        return [PassToUser(self._status)]

    def _complete(self, now: float) -> list[Output]:
        self._timers.clear()
        self._timers.start(Input.TIMER_K, now + (0.0 if self._reliable else T4_S))
        return [PassToUser(self._status)]

    def _time_out(self, now: float) -> list[Output]:
        return [Failed(timed_out=True)]

    def _transport_error(self, now: float) -> list[Output]:
        return [Failed(timed_out=False)]

    def _finish(self, now: float) -> list[Output]:
        return []


_Action: TypeAlias = Callable[[ClientTransaction, float], list[Output]]
_T = ClientTransaction

TRANSITIONS: Final[dict[tuple[State, Input], tuple[_Action, State]]] = {
    (State.TRYING, Input.RESPONSE_1XX): (_T._pass_to_user, State.PROCEEDING),
    (State.TRYING, Input.RESPONSE_200_699): (_T._complete, State.COMPLETED),
    (State.TRYING, Input.TIMER_E): (_T._resend_slower, State.TRYING),
    (State.TRYING, Input.TIMER_F): (_T._time_out, State.TERMINATED),
    (State.TRYING, Input.TRANSPORT_ERROR): (_T._transport_error, State.TERMINATED),
    (State.PROCEEDING, Input.RESPONSE_1XX): (_T._pass_to_user, State.PROCEEDING),
    (State.PROCEEDING, Input.RESPONSE_200_699): (_T._complete, State.COMPLETED),
    (State.PROCEEDING, Input.TIMER_E): (_T._resend_slowly, State.PROCEEDING),
    (State.PROCEEDING, Input.TIMER_F): (_T._time_out, State.TERMINATED),
    (State.PROCEEDING, Input.TRANSPORT_ERROR): (_T._transport_error, State.TERMINATED),
    (State.COMPLETED, Input.TIMER_K): (_T._finish, State.TERMINATED),
}
"""(state, input) -> (action, next state). The docs diagram is generated from this table."""

IGNORED: Final = frozenset(
    {
        (State.TRYING, Input.TIMER_K),
        (State.PROCEEDING, Input.TIMER_K),
        *((State.COMPLETED, what) for what in Input if what is not Input.TIMER_K),
        *((State.TERMINATED, what) for what in Input),
    }
)
"""Pairs with no effect on purpose. Table and IGNORED together cover every pair (tested)."""
