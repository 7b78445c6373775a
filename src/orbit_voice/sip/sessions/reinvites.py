"""INVITEs inside a dialog, both ways, one at a time (RFC 3261 §14; RFC 3264 §4).

The wait for the ACK to a 2xx is the same for the first INVITE of an inbound call, so that one is
finished here too (RFC 3261 §13.3.1.4).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final, TypeAlias

from orbit_voice.sip.dialog import Dialog
from orbit_voice.sip.digest import NO_ANSWERS, Answers, DigestClient
from orbit_voice.sip.message import Request, Response
from orbit_voice.sip.randomness import Randomness
from orbit_voice.sip.session_events import (
    Acknowledged,
    OfferAccepted,
    Offered,
    OfferRefused,
    OfferWithdrawn,
)
from orbit_voice.sip.sessions.local_end import LocalEnd, attach_sdp, sdp_of
from orbit_voice.sip.sessions.outputs import SendAck, SendRequest, SendResponse, SessionOutput
from orbit_voice.sip.timers import T1_S, T2_S, TIMEOUT_S, Timers

MAX_GLARES: Final = 8
"""How often an offer of ours gives way before it counts as refused."""
MAX_ACKS: Final = 4
"""ACKs kept to answer retransmitted 2xx."""
_REQUEST_TERMINATED: Final = 487
_REQUEST_PENDING: Final = 491
_STILL_BUSY: Final = 500


class State(Enum):
    """Who is offering, and what is awaited."""

    IDLE = auto()
    OFFERING = auto()
    GAVE_WAY = auto()
    OFFERED = auto()
    ANSWERED = auto()
    CLOSED = auto()


class Input(Enum):
    """Everything that can happen."""

    REOFFER = auto()
    ANSWER = auto()
    REFUSE = auto()
    CLOSE = auto()
    INVITE = auto()
    CANCEL = auto()
    ACK = auto()
    SUCCESS = auto()
    CHALLENGE = auto()
    GLARE = auto()
    FAILURE = auto()
    TIMER_RETRY = auto()
    TIMER_RESEND = auto()
    TIMER_GIVE_UP = auto()


@dataclass(frozen=True, slots=True)
class Unconfirmed:
    """No ACK came for our 2xx in 64*T1 (RFC 3261 §13.3.1.4): the dialog is to be ended."""


Output: TypeAlias = SessionOutput | Unconfirmed


class ReInvites:
    """The offers of one confirmed dialog.

    Args:
        dialog: Makes our requests.
        local: How we present ourselves.
        local_tag: Our tag.
        randomness: For waits and Retry-After.
        digest: Answers challenges, or None.
        owns_call_id: Whether we made the Call-ID; its owner waits longer after glare.
    """

    def __init__(
        self,
        dialog: Dialog,
        *,
        local: LocalEnd,
        local_tag: str,
        randomness: Randomness,
        digest: DigestClient | None,
        owns_call_id: bool,
    ) -> None:
        self.state = State.IDLE
        self._dialog = dialog
        self._local = local
        self._local_tag = local_tag
        self._randomness = randomness
        self._digest = digest
        self._owns_call_id = owns_call_id
        self._timers: Timers[Input] = Timers()
        self._wish: bytes | None = None
        self._offer = b""
        self._ours: Request | None = None
        self._theirs: Request | None = None
        self._newcomer: Request | None = None
        self._ok: SendResponse | None = None
        self._ack: Request | None = None
        self._reply: Response | None = None
        self._refusal = 0
        self._is_first = False
        self._answers: Answers = NO_ANSWERS
        self._glares = 0
        self._resend_s = T1_S
        self._acks: dict[int, Request] = {}

    def next_deadline(self) -> float | None:
        """Return when :meth:`tick` is next due (monotonic seconds), or None."""
        return self._timers.next_deadline()

    def tick(self, now: float) -> list[Output]:
        """Fire every timer that is due at ``now``, earliest first."""
        outputs: list[Output] = []
        while (timer := self._timers.pop_due(now)) is not None:
            outputs += self._step(timer, now)
        return outputs

    def await_first_ack(self, ok: SendResponse, now: float) -> None:
        """Take over after our 2xx to the first INVITE; :class:`Acknowledged` will follow."""
        self._theirs = ok.request
        self._is_first = True
        self._begin_resending(ok, now)
        self.state = State.ANSWERED

    def reoffer(self, sdp: bytes, now: float) -> list[Output]:
        """Offer ``sdp`` as soon as no INVITE is under way; an offer not sent yet is replaced."""
        self._wish = sdp
        return self._step(Input.REOFFER, now)

    def answer(self, sdp: bytes, now: float) -> list[Output]:
        """Accept the peer's INVITE."""
        self._offer = sdp
        return self._step(Input.ANSWER, now)

    def refuse(self, status: int, now: float) -> list[Output]:
        """Refuse the peer's INVITE."""
        self._refusal = status
        return self._step(Input.REFUSE, now)

    def close(self, now: float) -> list[Output]:
        """The dialog ends: leave nothing of the peer's unanswered (RFC 3261 §15.1.2)."""
        return self._step(Input.CLOSE, now)

    def receive_invite(self, invite: Request, now: float) -> list[Output]:
        """Take an INVITE of the peer."""
        self._newcomer = invite
        return self._step(Input.INVITE, now)

    def receive_cancel(self, cancel: Request, now: float) -> list[Output]:
        """Take the CANCEL of an INVITE of the peer; it is answered already."""
        if self._theirs is None or cancel.cseq.number != self._theirs.cseq.number:
            return []
        return self._step(Input.CANCEL, now)

    def receive_ack(self, ack: Request, now: float) -> list[Output]:
        """Take an ACK to a 2xx of ours."""
        if self._theirs is None or ack.cseq.number != self._theirs.cseq.number:
            return []
        self._ack = ack
        return self._step(Input.ACK, now)

    def receive_response(self, request: Request, response: Response, now: float) -> list[Output]:
        """Take a response to an INVITE of ours; one that ends the dialog is not for here."""
        if request is not self._ours:
            ack = self._acks.get(request.cseq.number)
            return [SendAck(ack)] if ack is not None and 200 <= response.status < 300 else []
        if response.status < 200:
            return []
        self._reply = response
        return self._step(self._classify(response), now)

    def _classify(self, response: Response) -> Input:
        if response.status < 300:
            return Input.SUCCESS
        if response.status in (401, 407) and self._digest is not None:
            answers = self._digest.learn(response, self._answers)
            if answers is not None:
                self._answers = answers
                return Input.CHALLENGE
        return Input.GLARE if self._gives_way(response) else Input.FAILURE

    def _gives_way(self, response: Response) -> bool:
        return response.status == _REQUEST_PENDING and self._glares < MAX_GLARES

    def _step(self, what: Input, now: float) -> list[Output]:
        if (self.state, what) in IGNORED:
            return []
        action, self.state = TRANSITIONS[self.state, what]
        outputs = action(self, now)
        if self.state is State.IDLE and self._wish is not None:
            outputs += self._step(Input.REOFFER, now)
        return outputs

    def _send_wish(self, now: float) -> list[Output]:
        assert self._wish is not None
        self._offer, self._wish = self._wish, None
        self._answers = NO_ANSWERS
        return self._send_offer(now)

    def _send_offer(self, now: float) -> list[Output]:
        invite = self._dialog.make_request("INVITE")
        self._local.complete(invite.headers, offers_dialog=True)
        if self._digest is not None:
            self._digest.authorize(invite)
        attach_sdp(invite, self._offer)
        self._ours = invite
        return [SendRequest(invite)]

    def _wait(self, now: float) -> list[Output]:
        """Remember what is to be offered later; it is in ``_wish`` already."""
        return []

    def _take_success(self, now: float) -> list[Output]:
        assert self._reply is not None
        self._glares = 0
        self._dialog.refresh_target(self._reply)
        return [*self._acknowledge(now), OfferAccepted(sdp_of(self._reply))]

    def _acknowledge(self, now: float) -> list[Output]:
        assert self._ours is not None
        ack = self._dialog.make_ack(self._ours)
        if len(self._acks) >= MAX_ACKS:
            del self._acks[next(iter(self._acks))]
        self._acks[self._ours.cseq.number] = ack
        self._ours = None
        return [SendAck(ack)]

    def _give_way(self, now: float) -> list[Output]:
        """Wait as long as RFC 3261 §14.1 has it, in units of 10 ms."""
        self._glares += 1
        self._ours = None
        if self._wish is None:
            self._wish = self._offer
        hundredths = (
            210 + self._randomness.below(191) if self._owns_call_id else self._randomness.below(201)
        )
        self._timers.start(Input.TIMER_RETRY, now + hundredths / 100)
        return []

    def _take_failure(self, now: float) -> list[Output]:
        assert self._reply is not None
        self._glares = 0
        self._ours = None
        return [OfferRefused(self._reply.status, self._reply.reason)]

    def _take_offer(self, now: float) -> list[Output]:
        assert self._newcomer is not None
        self._timers.stop(Input.TIMER_RETRY)
        self._theirs = self._newcomer
        self._is_first = False
        return [Offered(sdp_of(self._theirs))]

    def _refuse_glare(self, now: float) -> list[Output]:
        """Both offer at once (RFC 3261 §14.2)."""
        assert self._newcomer is not None
        return [self._respond(self._newcomer, _REQUEST_PENDING)]

    def _refuse_second(self, now: float) -> list[Output]:
        """A second INVITE before the first was answered (RFC 3261 §14.2)."""
        assert self._newcomer is not None
        wait = ("Retry-After", str(self._randomness.below(11)))
        response = self._local.respond(
            self._newcomer, _STILL_BUSY, to_tag=self._local_tag, headers=(wait,)
        )
        return [SendResponse(self._newcomer, response)]

    def _accept(self, now: float) -> list[Output]:
        assert self._theirs is not None
        self._dialog.refresh_target(self._theirs)
        response = self._local.respond(self._theirs, 200, to_tag=self._local_tag, sdp=self._offer)
        ok = SendResponse(self._theirs, response)
        self._begin_resending(ok, now)
        return [ok]

    def _begin_resending(self, ok: SendResponse, now: float) -> None:
        self._ok = ok
        self._resend_s = T1_S
        self._timers.start(Input.TIMER_RESEND, now + T1_S)
        self._timers.start(Input.TIMER_GIVE_UP, now + TIMEOUT_S)

    def _resend(self, now: float) -> list[Output]:
        assert self._ok is not None
        self._resend_s = min(2 * self._resend_s, T2_S)
        self._timers.start(Input.TIMER_RESEND, now + self._resend_s)
        return [self._ok]

    def _refuse_offer(self, now: float) -> list[Output]:
        assert self._theirs is not None
        return [self._respond(self._theirs, self._refusal)]

    def _withdraw(self, now: float) -> list[Output]:
        assert self._theirs is not None
        return [self._respond(self._theirs, _REQUEST_TERMINATED), OfferWithdrawn()]

    def _take_ack(self, now: float) -> list[Output]:
        assert self._theirs is not None
        assert self._ack is not None
        self._timers.clear()
        answer = None if sdp_of(self._theirs) is not None else sdp_of(self._ack)
        if self._is_first:
            return [Acknowledged(answer)]
        return [OfferAccepted(answer)] if sdp_of(self._theirs) is None else []

    def _give_up(self, now: float) -> list[Output]:
        self._timers.clear()
        return [Unconfirmed()]

    def _close(self, now: float) -> list[Output]:
        self._timers.clear()
        self._wish = None
        return []

    def _close_offered(self, now: float) -> list[Output]:
        assert self._theirs is not None
        return [self._respond(self._theirs, _REQUEST_TERMINATED), *self._close(now)]

    def _respond(self, invite: Request, status: int) -> SendResponse:
        return SendResponse(invite, self._local.respond(invite, status, to_tag=self._local_tag))


_Action: TypeAlias = Callable[[ReInvites, float], list[Output]]
_R = ReInvites

TRANSITIONS: Final[dict[tuple[State, Input], tuple[_Action, State]]] = {
    (State.IDLE, Input.REOFFER): (_R._send_wish, State.OFFERING),
    (State.IDLE, Input.INVITE): (_R._take_offer, State.OFFERED),
    (State.IDLE, Input.CLOSE): (_R._close, State.CLOSED),
    (State.OFFERING, Input.REOFFER): (_R._wait, State.OFFERING),
    (State.OFFERING, Input.INVITE): (_R._refuse_glare, State.OFFERING),
    (State.OFFERING, Input.SUCCESS): (_R._take_success, State.IDLE),
    (State.OFFERING, Input.CHALLENGE): (_R._send_offer, State.OFFERING),
    (State.OFFERING, Input.GLARE): (_R._give_way, State.GAVE_WAY),
    (State.OFFERING, Input.FAILURE): (_R._take_failure, State.IDLE),
    (State.OFFERING, Input.CLOSE): (_R._close, State.CLOSED),
    (State.GAVE_WAY, Input.REOFFER): (_R._wait, State.GAVE_WAY),
    (State.GAVE_WAY, Input.INVITE): (_R._take_offer, State.OFFERED),
    (State.GAVE_WAY, Input.TIMER_RETRY): (_R._send_wish, State.OFFERING),
    (State.GAVE_WAY, Input.CLOSE): (_R._close, State.CLOSED),
    (State.OFFERED, Input.REOFFER): (_R._wait, State.OFFERED),
    (State.OFFERED, Input.ANSWER): (_R._accept, State.ANSWERED),
    (State.OFFERED, Input.REFUSE): (_R._refuse_offer, State.IDLE),
    (State.OFFERED, Input.INVITE): (_R._refuse_second, State.OFFERED),
    (State.OFFERED, Input.CANCEL): (_R._withdraw, State.IDLE),
    (State.OFFERED, Input.CLOSE): (_R._close_offered, State.CLOSED),
    (State.ANSWERED, Input.REOFFER): (_R._wait, State.ANSWERED),
    (State.ANSWERED, Input.INVITE): (_R._refuse_glare, State.ANSWERED),
    (State.ANSWERED, Input.ACK): (_R._take_ack, State.IDLE),
    (State.ANSWERED, Input.TIMER_RESEND): (_R._resend, State.ANSWERED),
    (State.ANSWERED, Input.TIMER_GIVE_UP): (_R._give_up, State.CLOSED),
    (State.ANSWERED, Input.CLOSE): (_R._close, State.CLOSED),
    (State.CLOSED, Input.SUCCESS): (_R._acknowledge, State.CLOSED),
}
"""(state, input) -> (action, next state)."""

_NOTHING_OF_OURS: Final = (Input.SUCCESS, Input.CHALLENGE, Input.GLARE, Input.FAILURE)
_NOTHING_OF_THEIRS: Final = (Input.ANSWER, Input.REFUSE, Input.CANCEL, Input.ACK)

IGNORED: Final = frozenset(
    {
        *((State.IDLE, what) for what in (*_NOTHING_OF_OURS, *_NOTHING_OF_THEIRS)),
        *((State.OFFERING, what) for what in _NOTHING_OF_THEIRS),
        *((State.GAVE_WAY, what) for what in (*_NOTHING_OF_OURS, *_NOTHING_OF_THEIRS)),
        *((State.OFFERED, what) for what in (*_NOTHING_OF_OURS, Input.ACK)),
        *((State.ANSWERED, what) for what in _NOTHING_OF_OURS),
        *((State.ANSWERED, what) for what in (Input.ANSWER, Input.REFUSE, Input.CANCEL)),
        *((State.CLOSED, what) for what in Input if what is not Input.SUCCESS),
        *((state, Input.TIMER_RETRY) for state in State if state is not State.GAVE_WAY),
        *((state, Input.TIMER_RESEND) for state in State if state is not State.ANSWERED),
        *((state, Input.TIMER_GIVE_UP) for state in State if state is not State.ANSWERED),
    }
)
"""Pairs with no effect on purpose: what was overtaken. Both together cover every pair (tested)."""
