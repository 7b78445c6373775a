"""INVITE client transaction.

Implements RFC 3261 §17.1.1 as updated by RFC 6026 §7.2 (state *Accepted*, Timer M).

Sans-IO: no socket, no clock, no task. Every method that can change state takes ``now``
(monotonic seconds) and returns what the caller must do, in order. Ask
:meth:`InviteClientTransaction.next_deadline` when to call :meth:`~InviteClientTransaction.tick`.

Two things go beyond figure 5. A 2xx after a 300-699 response is handed on: a forking proxy must
forward it (RFC 3261 §16.7 step 5), and the user agent that sent it waits for an ACK and a BYE. And
the transaction user may abandon the transaction, as RFC 3261 §9.1 has it do when a CANCEL brings no
final response.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto
from typing import Final, TypeAlias

from orbit_voice.sip.timers import T1_S, TIMEOUT_S, Timers
from orbit_voice.sip.transactions.outputs import Failed, PassToUser, ResendRequest, TransmitAck

TIMER_D_S: Final = 32.0
"""Wait for response retransmits on unreliable transports, seconds (RFC 3261 §17.1.1.2)."""


class State(Enum):
    """States of figure 5 in RFC 3261 with *Accepted* from RFC 6026."""

    CALLING = auto()
    PROCEEDING = auto()
    COMPLETED = auto()
    ACCEPTED = auto()
    TERMINATED = auto()


class Input(Enum):
    """Everything that can happen to the transaction."""

    RESPONSE_1XX = auto()
    RESPONSE_2XX = auto()
    RESPONSE_300_699 = auto()
    TIMER_A = auto()
    TIMER_B = auto()
    TIMER_D = auto()
    TIMER_M = auto()
    TRANSPORT_ERROR = auto()
    ABANDON = auto()


Output: TypeAlias = ResendRequest | TransmitAck | PassToUser | Failed


class InviteClientTransaction:
    """One INVITE client transaction; the INVITE was put on the wire at ``now``.

    Args:
        now: Monotonic time of the first transmission, seconds.
        reliable: True when the transport retransmits for us (TCP, TLS, WS).
    """

    __slots__ = ("_interval_a", "_reliable", "_status", "_timers", "state")

    def __init__(self, *, now: float, reliable: bool) -> None:
        self.state = State.CALLING
        self._reliable = reliable
        self._interval_a = T1_S
        self._status = 0
        self._timers: Timers[Input] = Timers()
        self._timers.start(Input.TIMER_B, now + TIMEOUT_S)
        if not reliable:
            self._timers.start(Input.TIMER_A, now + T1_S)

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
        if status < 200:
            return self._step(Input.RESPONSE_1XX, now)
        if status < 300:
            return self._step(Input.RESPONSE_2XX, now)
        return self._step(Input.RESPONSE_300_699, now)

    def transport_failed(self, now: float) -> list[Output]:
        """Take the news that the transport could not send."""
        return self._step(Input.TRANSPORT_ERROR, now)

    def abandon(self, now: float) -> list[Output]:
        """Wait no longer for the final response; what still comes is not for this transaction."""
        return self._step(Input.ABANDON, now)

    def _step(self, what: Input, now: float) -> list[Output]:
        if (self.state, what) in IGNORED:
            return []
        action, self.state = TRANSITIONS[self.state, what]
        if self.state is State.TERMINATED:
            self._timers.clear()
        return action(self, now)

    def _resend_invite(self, now: float) -> list[Output]:
        self._interval_a *= 2
        self._timers.start(Input.TIMER_A, now + self._interval_a)
        return [ResendRequest()]

    def _proceed(self, now: float) -> list[Output]:
        self._timers.clear()
        return [PassToUser(self._status)]

    def _pass_to_user(self, now: float) -> list[Output]:
        return [PassToUser(self._status)]

    def _accept(self, now: float) -> list[Output]:
        self._timers.clear()
        self._timers.start(Input.TIMER_M, now + TIMEOUT_S)
        return [PassToUser(self._status)]

    def _complete(self, now: float) -> list[Output]:
        self._timers.clear()
        self._timers.start(Input.TIMER_D, now + (0.0 if self._reliable else TIMER_D_S))
        return [TransmitAck(), PassToUser(self._status)]

    def _resend_ack(self, now: float) -> list[Output]:
        return [TransmitAck()]

    def _time_out(self, now: float) -> list[Output]:
        return [Failed(timed_out=True)]

    def _transport_error(self, now: float) -> list[Output]:
        return [Failed(timed_out=False)]

    def _finish(self, now: float) -> list[Output]:
        return []


_Action: TypeAlias = Callable[[InviteClientTransaction, float], list[Output]]
_T = InviteClientTransaction

TRANSITIONS: Final[dict[tuple[State, Input], tuple[_Action, State]]] = {
    (State.CALLING, Input.TIMER_A): (_T._resend_invite, State.CALLING),
    (State.CALLING, Input.TIMER_B): (_T._time_out, State.TERMINATED),
    (State.CALLING, Input.RESPONSE_1XX): (_T._proceed, State.PROCEEDING),
    (State.CALLING, Input.RESPONSE_2XX): (_T._accept, State.ACCEPTED),
    (State.CALLING, Input.RESPONSE_300_699): (_T._complete, State.COMPLETED),
    (State.CALLING, Input.TRANSPORT_ERROR): (_T._transport_error, State.TERMINATED),
    (State.CALLING, Input.ABANDON): (_T._finish, State.TERMINATED),
    (State.PROCEEDING, Input.RESPONSE_1XX): (_T._pass_to_user, State.PROCEEDING),
    (State.PROCEEDING, Input.RESPONSE_2XX): (_T._accept, State.ACCEPTED),
    (State.PROCEEDING, Input.RESPONSE_300_699): (_T._complete, State.COMPLETED),
    (State.PROCEEDING, Input.ABANDON): (_T._finish, State.TERMINATED),
    (State.COMPLETED, Input.RESPONSE_2XX): (_T._pass_to_user, State.COMPLETED),
    (State.COMPLETED, Input.RESPONSE_300_699): (_T._resend_ack, State.COMPLETED),
    (State.COMPLETED, Input.TIMER_D): (_T._finish, State.TERMINATED),
    (State.COMPLETED, Input.TRANSPORT_ERROR): (_T._transport_error, State.TERMINATED),
    (State.ACCEPTED, Input.RESPONSE_2XX): (_T._pass_to_user, State.ACCEPTED),
    (State.ACCEPTED, Input.TIMER_M): (_T._finish, State.TERMINATED),
}
"""(state, input) -> (action, next state). The docs diagram is generated from this table."""

IGNORED: Final = frozenset(
    {
        (State.CALLING, Input.TIMER_D),
        (State.CALLING, Input.TIMER_M),
        (State.PROCEEDING, Input.TIMER_A),
        (State.PROCEEDING, Input.TIMER_B),
        (State.PROCEEDING, Input.TIMER_D),
        (State.PROCEEDING, Input.TIMER_M),
        (State.PROCEEDING, Input.TRANSPORT_ERROR),
        (State.COMPLETED, Input.RESPONSE_1XX),
        (State.COMPLETED, Input.TIMER_A),
        (State.COMPLETED, Input.TIMER_B),
        (State.COMPLETED, Input.TIMER_M),
        (State.COMPLETED, Input.ABANDON),
        (State.ACCEPTED, Input.RESPONSE_1XX),
        (State.ACCEPTED, Input.RESPONSE_300_699),
        (State.ACCEPTED, Input.TIMER_A),
        (State.ACCEPTED, Input.TIMER_B),
        (State.ACCEPTED, Input.TIMER_D),
        (State.ACCEPTED, Input.TRANSPORT_ERROR),
        (State.ACCEPTED, Input.ABANDON),
        *((State.TERMINATED, what) for what in Input),
    }
)
"""Pairs with no effect on purpose. Table and IGNORED together cover every pair (tested)."""
