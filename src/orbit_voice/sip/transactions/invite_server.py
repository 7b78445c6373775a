"""INVITE server transaction.

Implements RFC 3261 §17.2.1 as updated by RFC 6026 §7.1 (state *Accepted*, Timer L; a transport
error no longer ends the transaction).

Sans-IO, as :mod:`~orbit_voice.sip.transactions.invite_client`. A transaction user that is silent
does not keep the peer retransmitting: a 100 goes out after 200 ms, or at the peer's first
retransmission. How long the user may take for its final response is not limited here.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto
from typing import Final, TypeAlias

from orbit_voice.sip.timers import T1_S, T2_S, T4_S, TIMEOUT_S, Timers
from orbit_voice.sip.transactions.outputs import (
    Failed,
    PassAckToUser,
    TransmitResponse,
    TransmitTrying,
)

TRYING_DELAY_S: Final = 0.2
"""How long the transaction user may be silent before a 100 is sent (RFC 3261 §17.2.1)."""


class State(Enum):
    """States of figure 7 in RFC 6026, *Proceeding* split by whether a response went out."""

    RECEIVED = auto()
    PROCEEDING = auto()
    ACCEPTED = auto()
    COMPLETED = auto()
    CONFIRMED = auto()
    TERMINATED = auto()


class Input(Enum):
    """Everything that can happen to the transaction."""

    INVITE = auto()
    ACK = auto()
    SEND_1XX = auto()
    SEND_2XX = auto()
    SEND_300_699 = auto()
    TIMER_TRYING = auto()
    TIMER_G = auto()
    TIMER_H = auto()
    TIMER_I = auto()
    TIMER_L = auto()
    TRANSPORT_ERROR = auto()


Output: TypeAlias = TransmitTrying | TransmitResponse | PassAckToUser | Failed


class InviteServerTransaction:
    """One INVITE server transaction; the INVITE arrived at ``now``.

    Args:
        now: Monotonic time of arrival, seconds.
        reliable: True when the transport retransmits for us (TCP, TLS, WS).
    """

    __slots__ = ("_interval_g", "_reliable", "_timers", "state")

    def __init__(self, *, now: float, reliable: bool) -> None:
        self.state = State.RECEIVED
        self._reliable = reliable
        self._interval_g = T1_S
        self._timers: Timers[Input] = Timers()
        self._timers.start(Input.TIMER_TRYING, now + TRYING_DELAY_S)

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

    def receive_invite(self, now: float) -> list[Output]:
        """Take a retransmission of the INVITE."""
        return self._step(Input.INVITE, now)

    def receive_ack(self, now: float) -> list[Output]:
        """Take an ACK that matches this transaction."""
        return self._step(Input.ACK, now)

    def send_response(self, status: int, now: float) -> list[Output]:
        """Take a response with ``status`` (100-699) from the transaction user.

        It goes out, and is the latest response, when the result holds :class:`TransmitResponse`.
        """
        if status < 200:
            return self._step(Input.SEND_1XX, now)
        if status < 300:
            return self._step(Input.SEND_2XX, now)
        return self._step(Input.SEND_300_699, now)

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

    def _try(self, now: float) -> list[Output]:
        self._timers.clear()
        return [TransmitTrying()]

    def _progress(self, now: float) -> list[Output]:
        self._timers.clear()
        return [TransmitResponse()]

    def _resend(self, now: float) -> list[Output]:
        return [TransmitResponse()]

    def _accept(self, now: float) -> list[Output]:
        self._timers.clear()
        self._timers.start(Input.TIMER_L, now + TIMEOUT_S)
        return [TransmitResponse()]

    def _complete(self, now: float) -> list[Output]:
        self._timers.clear()
        self._timers.start(Input.TIMER_H, now + TIMEOUT_S)
        if not self._reliable:
            self._timers.start(Input.TIMER_G, now + T1_S)
        return [TransmitResponse()]

    def _resend_slower(self, now: float) -> list[Output]:
        self._interval_g = min(2 * self._interval_g, T2_S)
        self._timers.start(Input.TIMER_G, now + self._interval_g)
        return [TransmitResponse()]

    def _confirm(self, now: float) -> list[Output]:
        self._timers.clear()
        self._timers.start(Input.TIMER_I, now + (0.0 if self._reliable else T4_S))
        return []

    def _pass_ack(self, now: float) -> list[Output]:
        return [PassAckToUser()]

    def _time_out(self, now: float) -> list[Output]:
        return [Failed(timed_out=True)]

    def _transport_error(self, now: float) -> list[Output]:
        return [Failed(timed_out=False)]

    def _finish(self, now: float) -> list[Output]:
        return []


_Action: TypeAlias = Callable[[InviteServerTransaction, float], list[Output]]
_T = InviteServerTransaction

TRANSITIONS: Final[dict[tuple[State, Input], tuple[_Action, State]]] = {
    (State.RECEIVED, Input.INVITE): (_T._try, State.PROCEEDING),
    (State.RECEIVED, Input.TIMER_TRYING): (_T._try, State.PROCEEDING),
    (State.RECEIVED, Input.SEND_1XX): (_T._progress, State.PROCEEDING),
    (State.RECEIVED, Input.SEND_2XX): (_T._accept, State.ACCEPTED),
    (State.RECEIVED, Input.SEND_300_699): (_T._complete, State.COMPLETED),
    (State.PROCEEDING, Input.INVITE): (_T._resend, State.PROCEEDING),
    (State.PROCEEDING, Input.SEND_1XX): (_T._progress, State.PROCEEDING),
    (State.PROCEEDING, Input.SEND_2XX): (_T._accept, State.ACCEPTED),
    (State.PROCEEDING, Input.SEND_300_699): (_T._complete, State.COMPLETED),
    (State.PROCEEDING, Input.TRANSPORT_ERROR): (_T._transport_error, State.PROCEEDING),
    (State.ACCEPTED, Input.SEND_2XX): (_T._resend, State.ACCEPTED),
    (State.ACCEPTED, Input.ACK): (_T._pass_ack, State.ACCEPTED),
    (State.ACCEPTED, Input.TIMER_L): (_T._finish, State.TERMINATED),
    (State.ACCEPTED, Input.TRANSPORT_ERROR): (_T._transport_error, State.ACCEPTED),
    (State.COMPLETED, Input.INVITE): (_T._resend, State.COMPLETED),
    (State.COMPLETED, Input.ACK): (_T._confirm, State.CONFIRMED),
    (State.COMPLETED, Input.TIMER_G): (_T._resend_slower, State.COMPLETED),
    (State.COMPLETED, Input.TIMER_H): (_T._time_out, State.TERMINATED),
    (State.COMPLETED, Input.TRANSPORT_ERROR): (_T._transport_error, State.COMPLETED),
    (State.CONFIRMED, Input.TIMER_I): (_T._finish, State.TERMINATED),
}
"""(state, input) -> (action, next state). The docs diagram is generated from this table."""

IGNORED: Final = frozenset(
    {
        (State.RECEIVED, Input.ACK),
        (State.RECEIVED, Input.TIMER_G),
        (State.RECEIVED, Input.TIMER_H),
        (State.RECEIVED, Input.TIMER_I),
        (State.RECEIVED, Input.TIMER_L),
        (State.RECEIVED, Input.TRANSPORT_ERROR),
        (State.PROCEEDING, Input.ACK),
        (State.PROCEEDING, Input.TIMER_TRYING),
        (State.PROCEEDING, Input.TIMER_G),
        (State.PROCEEDING, Input.TIMER_H),
        (State.PROCEEDING, Input.TIMER_I),
        (State.PROCEEDING, Input.TIMER_L),
        (State.ACCEPTED, Input.INVITE),
        (State.ACCEPTED, Input.SEND_1XX),
        (State.ACCEPTED, Input.SEND_300_699),
        (State.ACCEPTED, Input.TIMER_TRYING),
        (State.ACCEPTED, Input.TIMER_G),
        (State.ACCEPTED, Input.TIMER_H),
        (State.ACCEPTED, Input.TIMER_I),
        (State.COMPLETED, Input.SEND_1XX),
        (State.COMPLETED, Input.SEND_2XX),
        (State.COMPLETED, Input.SEND_300_699),
        (State.COMPLETED, Input.TIMER_TRYING),
        (State.COMPLETED, Input.TIMER_I),
        (State.COMPLETED, Input.TIMER_L),
        *((State.CONFIRMED, what) for what in Input if what is not Input.TIMER_I),
        *((State.TERMINATED, what) for what in Input),
    }
)
"""Pairs with no effect on purpose. Table and IGNORED together cover every pair (tested)."""
