"""An outbound call: one INVITE and what grows from it (RFC 3261 §13.2, §9.1, §14, §15)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum, auto
from typing import Final, TypeAlias

from orbit_voice.sip.dialog import INITIAL_MAX_FORWARDS, Dialog
from orbit_voice.sip.digest import NO_ANSWERS, Answers, Credentials, DigestClient
from orbit_voice.sip.headers import NameAddr, Reason
from orbit_voice.sip.message import Headers, Request, Response
from orbit_voice.sip.randomness import Randomness
from orbit_voice.sip.related_requests import make_cancel
from orbit_voice.sip.session_events import Answered, Failed, FailureKind, Rejected, Ringing
from orbit_voice.sip.sessions.established import NO_DIALOG, Established
from orbit_voice.sip.sessions.local_end import LocalEnd, attach_sdp, sdp_of
from orbit_voice.sip.sessions.outputs import (
    AbandonRequest,
    SendAck,
    SendRequest,
    SendResponse,
    SessionOutput,
)
from orbit_voice.sip.timers import TIMEOUT_S, Timers

MAX_FORKS: Final = 16
"""Dialogs of one INVITE that are kept; a proxy that forks further has its answers left alone."""
_REQUEST_PENDING: Final = 491


class State(Enum):
    """How far the INVITE got."""

    NEW = auto()
    CALLING = auto()
    PROCEEDING = auto()
    GIVING_UP = auto()
    CANCELLING = auto()
    HOLDING_OFFER = auto()
    ESTABLISHED = auto()
    OVER = auto()


class Input(Enum):
    """What moves it; after the answer :class:`Established` decides."""

    START = auto()
    HANG_UP = auto()
    PROVISIONAL = auto()
    SUCCESS = auto()
    CHALLENGE = auto()
    FAILURE = auto()
    NO_RESPONSE = auto()
    ANSWER_OFFER = auto()
    REFUSE_OFFER = auto()
    TIMER_CANCEL = auto()


class InviteClientSession:
    """One outbound call.

    Args:
        request_uri: Whom to call.
        from_: Our address, without a tag.
        to: The peer's address, without a tag.
        local: How we present ourselves.
        randomness: For Call-ID, tag, cnonces and the wait after glare.
        sdp: Our offer, or None to have the peer offer (RFC 3261 §13.2.1).
        headers: More header fields of the INVITE.
        routes: Pre-loaded Route values, topmost first (RFC 3261 §8.1.2).
        credentials: For 401 and 407, or None.

    Attributes:
        call_id: The Call-ID; fixed from the start on.
        local_tag: Our tag: From in what we send, To in what the peer sends.
    """

    call_id: str
    local_tag: str

    def __init__(
        self,
        *,
        request_uri: str,
        from_: NameAddr,
        to: NameAddr,
        local: LocalEnd,
        randomness: Randomness,
        sdp: bytes | None,
        headers: Sequence[tuple[str, str]] = (),
        routes: Sequence[str] = (),
        credentials: Credentials | None = None,
    ) -> None:
        self.call_id = randomness.token()
        self.local_tag = randomness.token()
        self.state = State.NEW
        self._request_uri = request_uri
        self._from = str(from_.with_tag(self.local_tag))
        self._to = str(to)
        self._local = local
        self._randomness = randomness
        self._sdp = sdp
        self._headers = tuple(headers)
        self._routes = tuple(routes)
        self._digest = None if credentials is None else DigestClient(credentials, randomness)
        self._answers: Answers = NO_ANSWERS
        self._cseq = 0
        self._invite: Request | None = None
        self._response: Response | None = None
        self._failure = Failed(FailureKind.TIMEOUT, "")
        self._farewell: Reason | None = None
        self._answer = b""
        self._established: Established | None = None
        self._early: dict[str, Dialog] = {}
        self._acks: dict[str, Request] = {}
        self._timers: Timers[Input] = Timers()

    @property
    def is_over(self) -> bool:
        """Whether the last event was reported."""
        established = self._established
        return self.state is State.OVER or (established is not None and established.is_over)

    @property
    def is_finished(self) -> bool:
        """Whether it is over and has no deadline: forget it, but for its client transactions."""
        return self.is_over and self.next_deadline() is None

    def next_deadline(self) -> float | None:
        """Return when :meth:`tick` is next due (monotonic seconds), or None."""
        if self._established is not None:
            return self._established.next_deadline()
        return self._timers.next_deadline()

    def tick(self, now: float) -> list[SessionOutput]:
        """Fire every timer that is due at ``now``, earliest first."""
        if self._established is not None:
            return self._established.tick(now)
        outputs: list[SessionOutput] = []
        while (timer := self._timers.pop_due(now)) is not None:
            outputs += self._step(timer, now)
        return outputs

    def start(self, now: float) -> list[SessionOutput]:
        """Send the INVITE."""
        return self._step(Input.START, now)

    def hang_up(self, now: float, *, reason: Reason | None = None) -> list[SessionOutput]:
        """End the call: CANCEL before the final response, BYE after. Idempotent.

        Args:
            now: Monotonic seconds.
            reason: Reason header field for the CANCEL or BYE (RFC 3326), or None.
        """
        if self._farewell is None:
            self._farewell = reason
        if self._established is not None:
            return self._established.hang_up(now, reason=reason)
        return self._step(Input.HANG_UP, now)

    def reoffer(self, sdp: bytes, now: float) -> list[SessionOutput]:
        """Send a re-INVITE with ``sdp``, as soon as no other INVITE is under way (§14.1)."""
        if self._established is None:
            return []
        return self._established.reoffer(sdp, now)

    def answer_offer(self, sdp: bytes, now: float) -> list[SessionOutput]:
        """Reply to the peer's offer: 200 to its re-INVITE, or the ACK with our answer."""
        if self._established is not None:
            return self._established.answer_offer(sdp, now)
        self._answer = sdp
        return self._step(Input.ANSWER_OFFER, now)

    def refuse_offer(self, status: int, now: float) -> list[SessionOutput]:
        """Refuse the peer's re-INVITE with ``status`` (400-699).

        An offer in the 2xx cannot be refused by a status: it is acknowledged, then comes the BYE
        (RFC 3261 §13.2.2.4).
        """
        if self._established is not None:
            return self._established.refuse_offer(status, now)
        return self._step(Input.REFUSE_OFFER, now)

    def receive_response(
        self, request: Request, response: Response, now: float
    ) -> list[SessionOutput]:
        """Take a response to ``request``, the very object that was given out to be sent."""
        if request is not self._invite:
            if self._established is None:
                return []
            return self._established.receive_response(request, response, now)
        self._response = response
        return self._step(self._classify(response), now)

    def request_failed(
        self, request: Request, kind: FailureKind, detail: str, now: float
    ) -> list[SessionOutput]:
        """Take the news that the transaction of ``request`` ended without a final response."""
        if request is self._invite:
            self._failure = Failed(kind, detail)
            return self._step(Input.NO_RESPONSE, now)
        if self._established is not None:
            return self._established.request_failed(request, kind, now)
        return []

    def receive_request(self, request: Request, now: float) -> list[SessionOutput]:
        """Take a request whose Call-ID and To tag are ours; an ACK for a 2xx too.

        A CANCEL only when it matches an INVITE server transaction; answer others with 481.
        """
        established = self._established
        if established is not None and established.dialog.is_from_peer(request):
            return established.receive_request(request, now)
        if request.method in ("ACK", "CANCEL"):
            return []
        dialog = self._early.get(request.from_tag or "")
        if dialog is None or established is not None:
            return [self._refuse(request, NO_DIALOG)]
        return self._take_early(dialog, request)

    def _take_early(self, dialog: Dialog, request: Request) -> list[SessionOutput]:
        """Answer what a callee asks before it answered: nothing that could change the call."""
        if (status := dialog.receive_request(request)) is not None:
            return [self._refuse(request, status)]
        if request.method == "INVITE":  # our offer is open (RFC 3261 §14.2)
            return [self._refuse(request, _REQUEST_PENDING)]
        if request.method == "BYE":  # a callee may not (RFC 3261 §15)
            return [self._refuse(request, NO_DIALOG)]
        other = self._local.respond_to_other(request, to_tag=self.local_tag)
        return [SendResponse(request, other)]

    def _refuse(self, request: Request, status: int) -> SendResponse:
        response = self._local.respond(request, status, to_tag=self.local_tag)
        return SendResponse(request, response)

    def _classify(self, response: Response) -> Input:
        if response.status < 200:
            return Input.PROVISIONAL
        if response.status < 300:
            return Input.SUCCESS
        tries_again = self.state in (State.CALLING, State.PROCEEDING)
        if tries_again and response.status in (401, 407) and self._digest is not None:
            answers = self._digest.learn(response, self._answers)
            if answers is not None:
                self._answers = answers
                return Input.CHALLENGE
        return Input.FAILURE

    def _step(self, what: Input, now: float) -> list[SessionOutput]:
        if (self.state, what) in IGNORED:
            return []
        action, self.state = TRANSITIONS[self.state, what]
        return action(self, now)

    def _send_invite(self, now: float) -> list[SessionOutput]:
        self._cseq += 1
        entries = [("Max-Forwards", INITIAL_MAX_FORWARDS)]
        entries += [("Route", route) for route in self._routes]
        entries += [
            ("From", self._from),
            ("To", self._to),
            ("Call-ID", self.call_id),
            ("CSeq", f"{self._cseq} INVITE"),
        ]
        invite = self._invite = Request("INVITE", self._request_uri, Headers(entries))
        self._local.complete(invite.headers, offers_dialog=True)
        for name, value in self._headers:
            invite.headers.add(name, value)
        if self._digest is not None:
            self._digest.authorize(invite)
        attach_sdp(invite, self._sdp)
        return [SendRequest(invite)]

    def _send_again(self, now: float) -> list[SessionOutput]:
        """Send the INVITE with credentials; the dialogs of the first are gone with it."""
        self._early.clear()
        return self._send_invite(now)

    def _report_progress(self, now: float) -> list[SessionOutput]:
        assert self._response is not None
        response = self._response
        if response.status == 100:
            return []
        if (tag := response.to_tag) is not None:
            self._remember_early(tag, response)
        return [Ringing(response.status, response.reason, sdp_of(response))]

    def _remember_early(self, tag: str, response: Response) -> None:
        assert self._invite is not None
        if tag not in self._early and len(self._early) < MAX_FORKS:
            self._early[tag] = Dialog.from_uac(self._invite, response)

    def _note(self, now: float) -> list[SessionOutput]:
        """Hang up as soon as a response came: a CANCEL may not be sent before (§9.1)."""
        return []

    def _cancel(self, now: float) -> list[SessionOutput]:
        assert self._invite is not None
        self._timers.start(Input.TIMER_CANCEL, now + TIMEOUT_S)
        cancel = make_cancel(self._invite)
        self._local.complete(cancel.headers, offers_dialog=False)
        if self._farewell is not None:
            cancel.headers.add("Reason", str(self._farewell))
        return [SendRequest(cancel)]

    def _abandon(self, now: float) -> list[SessionOutput]:
        """The INVITE got no final response within 64*T1 of its CANCEL (RFC 3261 §9.1)."""
        assert self._invite is not None
        self._failure = Failed(FailureKind.TIMEOUT, "no final response after the CANCEL")
        return [AbandonRequest(self._invite), *self._fail(now)]

    def _reject(self, now: float) -> list[SessionOutput]:
        assert self._response is not None
        self._timers.clear()
        response = self._response
        headers = tuple(response.headers.items())
        return [Rejected(response.status, response.reason, headers)]

    def _fail(self, now: float) -> list[SessionOutput]:
        self._timers.clear()
        return [self._failure]

    def _take_answer(self, now: float) -> list[SessionOutput]:
        assert self._response is not None
        self._establish()
        return [self._acknowledge(None), Answered(sdp_of(self._response))]

    def _take_answer_or_offer(self, now: float) -> list[SessionOutput]:
        """Acknowledge the 2xx, unless its offer needs our answer first (RFC 3261 §13.2.2.4)."""
        assert self._response is not None
        if self._sdp is not None or (offer := sdp_of(self._response)) is None:
            return self._take_answer(now)
        self.state = State.HOLDING_OFFER
        return [Answered(offer)]

    def _accept_offer(self, now: float) -> list[SessionOutput]:
        self._establish()
        return [self._acknowledge(self._answer)]

    def _leave(self, now: float) -> list[SessionOutput]:
        """Acknowledge a 2xx that comes too late for us, and hang up."""
        self._timers.clear()
        established = self._establish()
        return [self._acknowledge(None), *established.hang_up(now, reason=self._farewell)]

    def _establish(self) -> Established:
        assert self._invite is not None
        assert self._response is not None
        response = self._response
        dialog = self._early.pop(response.to_tag or "", None) or Dialog.from_uac(
            self._invite, response
        )
        dialog.confirm(response)
        self._early.clear()
        established = self._established = Established(
            dialog,
            local=self._local,
            local_tag=self.local_tag,
            randomness=self._randomness,
            digest=self._digest,
            owns_call_id=True,
        )
        return established

    def _acknowledge(self, sdp: bytes | None) -> SendAck:
        assert self._established is not None
        assert self._invite is not None
        ack = self._established.dialog.make_ack(self._invite)
        attach_sdp(ack, sdp)
        self._acks[self._established.dialog.remote_tag] = ack
        return SendAck(ack)

    def _take_repeated(self, now: float) -> list[SessionOutput]:
        """Repeat the ACK of a 2xx that came again; leave any fork that answers after the first."""
        assert self._invite is not None
        assert self._response is not None
        response = self._response
        tag = response.to_tag or ""
        if (ack := self._acks.get(tag)) is not None:
            return [SendAck(ack)]
        if len(self._acks) >= MAX_FORKS:
            return []
        dialog = Dialog.from_uac(self._invite, response)
        ack = self._acks[tag] = dialog.make_ack(self._invite)
        bye = dialog.make_request("BYE")
        self._local.complete(bye.headers, offers_dialog=False)
        if self._digest is not None:
            self._digest.authorize(bye)
        return [SendAck(ack), SendRequest(bye)]


_Action: TypeAlias = Callable[[InviteClientSession, float], list[SessionOutput]]
_S = InviteClientSession

TRANSITIONS: Final[dict[tuple[State, Input], tuple[_Action, State]]] = {
    (State.NEW, Input.START): (_S._send_invite, State.CALLING),
    (State.CALLING, Input.HANG_UP): (_S._note, State.GIVING_UP),
    (State.CALLING, Input.PROVISIONAL): (_S._report_progress, State.PROCEEDING),
    (State.CALLING, Input.SUCCESS): (_S._take_answer_or_offer, State.ESTABLISHED),
    (State.CALLING, Input.CHALLENGE): (_S._send_again, State.CALLING),
    (State.CALLING, Input.FAILURE): (_S._reject, State.OVER),
    (State.CALLING, Input.NO_RESPONSE): (_S._fail, State.OVER),
    (State.PROCEEDING, Input.HANG_UP): (_S._cancel, State.CANCELLING),
    (State.PROCEEDING, Input.PROVISIONAL): (_S._report_progress, State.PROCEEDING),
    (State.PROCEEDING, Input.SUCCESS): (_S._take_answer_or_offer, State.ESTABLISHED),
    (State.PROCEEDING, Input.CHALLENGE): (_S._send_again, State.CALLING),
    (State.PROCEEDING, Input.FAILURE): (_S._reject, State.OVER),
    (State.PROCEEDING, Input.NO_RESPONSE): (_S._fail, State.OVER),
    (State.GIVING_UP, Input.PROVISIONAL): (_S._cancel, State.CANCELLING),
    (State.GIVING_UP, Input.SUCCESS): (_S._leave, State.ESTABLISHED),
    (State.GIVING_UP, Input.FAILURE): (_S._reject, State.OVER),
    (State.GIVING_UP, Input.NO_RESPONSE): (_S._fail, State.OVER),
    (State.CANCELLING, Input.SUCCESS): (_S._leave, State.ESTABLISHED),
    (State.CANCELLING, Input.FAILURE): (_S._reject, State.OVER),
    (State.CANCELLING, Input.NO_RESPONSE): (_S._fail, State.OVER),
    (State.CANCELLING, Input.TIMER_CANCEL): (_S._abandon, State.OVER),
    (State.HOLDING_OFFER, Input.HANG_UP): (_S._leave, State.ESTABLISHED),
    (State.HOLDING_OFFER, Input.ANSWER_OFFER): (_S._accept_offer, State.ESTABLISHED),
    (State.HOLDING_OFFER, Input.REFUSE_OFFER): (_S._leave, State.ESTABLISHED),
    (State.ESTABLISHED, Input.SUCCESS): (_S._take_repeated, State.ESTABLISHED),
    (State.OVER, Input.SUCCESS): (_S._take_repeated, State.OVER),
}
"""(state, input) -> (action, next state)."""

_OFFER_REPLIES: Final = (Input.ANSWER_OFFER, Input.REFUSE_OFFER)

IGNORED: Final = frozenset(
    {
        *((State.NEW, what) for what in Input if what is not Input.START),
        *((state, Input.START) for state in State if state is not State.NEW),
        *((State.CALLING, what) for what in (*_OFFER_REPLIES, Input.TIMER_CANCEL)),
        *((State.PROCEEDING, what) for what in (*_OFFER_REPLIES, Input.TIMER_CANCEL)),
        *((State.GIVING_UP, what) for what in (*_OFFER_REPLIES, Input.TIMER_CANCEL)),
        *((State.GIVING_UP, what) for what in (Input.HANG_UP, Input.CHALLENGE)),
        *((State.CANCELLING, what) for what in _OFFER_REPLIES),
        *((State.CANCELLING, what) for what in (Input.HANG_UP, Input.PROVISIONAL, Input.CHALLENGE)),
        *(
            (State.HOLDING_OFFER, what)
            for what in Input
            if what not in (Input.HANG_UP, *_OFFER_REPLIES)
        ),
        *((State.ESTABLISHED, what) for what in Input if what is not Input.SUCCESS),
        *((State.OVER, what) for what in Input if what is not Input.SUCCESS),
    }
)
"""Pairs with no effect on purpose. Both together cover every pair (tested)."""
