"""An inbound call: one INVITE and what grows from it (RFC 3261 §13.3, §9.2, §14, §15)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum, auto
from typing import Final, TypeAlias

from orbit_voice.sip.dialog import Dialog
from orbit_voice.sip.digest import Credentials, DigestClient
from orbit_voice.sip.headers import Reason
from orbit_voice.sip.message import Request, Response
from orbit_voice.sip.randomness import Randomness
from orbit_voice.sip.session_events import Cancelled, Ended, FailureKind
from orbit_voice.sip.sessions.established import NO_DIALOG, Established
from orbit_voice.sip.sessions.local_end import LocalEnd
from orbit_voice.sip.sessions.outputs import SendResponse, SessionOutput
from orbit_voice.sip.timers import Timers

REPEAT_S: Final = 60.0
"""A provisional response is repeated this often, seconds (RFC 3261 §13.3.1.1)."""
_UNAVAILABLE: Final = 480
_REQUEST_TERMINATED: Final = 487
_STILL_BUSY: Final = 500


class State(Enum):
    """How far we got with the INVITE."""

    PROCEEDING = auto()
    ESTABLISHED = auto()
    OVER = auto()


class Input(Enum):
    """What moves it; after the answer :class:`Established` decides."""

    RING = auto()
    ANSWER = auto()
    REJECT = auto()
    CANCEL = auto()
    BYE = auto()
    TIMER_REPEAT = auto()


class InviteServerSession:
    """One inbound call.

    Args:
        invite: A valid INVITE outside a dialog.
        local: How we present ourselves.
        randomness: For our tag, Retry-After and the wait after glare.
        credentials: For 401 and 407 to our own requests, or None.

    Attributes:
        invite: As given.
        call_id: The Call-ID.
        local_tag: Our tag: To in what the peer sends, From in what we send.
    """

    invite: Request
    call_id: str
    local_tag: str

    def __init__(
        self,
        invite: Request,
        *,
        local: LocalEnd,
        randomness: Randomness,
        credentials: Credentials | None = None,
    ) -> None:
        self.invite = invite
        self.call_id = invite.call_id
        self.local_tag = randomness.token()
        self.state = State.PROCEEDING
        self._local = local
        self._randomness = randomness
        self._digest = None if credentials is None else DigestClient(credentials, randomness)
        self._dialog: Dialog | None = None
        self._established: Established | None = None
        self._ringing: SendResponse | None = None
        self._sdp: bytes | None = None
        self._status = 0
        self._refusal: tuple[str | None, tuple[tuple[str, str], ...]] = (None, ())
        self._peer_reason: str | None = None
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

    def ring(self, status: int, sdp: bytes | None, now: float) -> list[SessionOutput]:
        """Send a provisional response (101-199), repeated every minute (RFC 3261 §13.3.1.1)."""
        self._status, self._sdp = status, sdp
        return self._step(Input.RING, now)

    def answer(self, sdp: bytes, now: float) -> list[SessionOutput]:
        """Send a 200 with our answer, or our offer when the INVITE had none."""
        self._sdp = sdp
        return self._step(Input.ANSWER, now)

    def reject(
        self,
        status: int,
        now: float,
        *,
        reason: str | None = None,
        headers: Sequence[tuple[str, str]] = (),
    ) -> list[SessionOutput]:
        """Refuse the call with ``status`` (300-699); after an answer, hang up."""
        if self._established is not None:
            return self._established.hang_up(now)
        self._status = status
        self._refusal = (reason, tuple(headers))
        return self._step(Input.REJECT, now)

    def hang_up(self, now: float, *, reason: Reason | None = None) -> list[SessionOutput]:
        """End the call: 480 before the answer, BYE after. Idempotent."""
        if self._established is not None:
            return self._established.hang_up(now, reason=reason)
        headers = () if reason is None else (("Reason", str(reason)),)
        return self.reject(_UNAVAILABLE, now, headers=headers)

    def reoffer(self, sdp: bytes, now: float) -> list[SessionOutput]:
        """Send a re-INVITE with ``sdp``, as soon as no other INVITE is under way (§14.1)."""
        if self._established is None:
            return []
        return self._established.reoffer(sdp, now)

    def answer_offer(self, sdp: bytes, now: float) -> list[SessionOutput]:
        """Reply to the peer's re-INVITE with a 200."""
        if self._established is None:
            return []
        return self._established.answer_offer(sdp, now)

    def refuse_offer(self, status: int, now: float) -> list[SessionOutput]:
        """Refuse the peer's re-INVITE with ``status`` (400-699)."""
        if self._established is None:
            return []
        return self._established.refuse_offer(status, now)

    def receive_response(
        self, request: Request, response: Response, now: float
    ) -> list[SessionOutput]:
        """Take a response to ``request``, the very object that was given out to be sent."""
        if self._established is None:
            return []
        return self._established.receive_response(request, response, now)

    def request_failed(
        self, request: Request, kind: FailureKind, detail: str, now: float
    ) -> list[SessionOutput]:
        """Take the news that the transaction of ``request`` ended without a final response."""
        if self._established is None:
            return []
        return self._established.request_failed(request, kind, now)

    def receive_request(self, request: Request, now: float) -> list[SessionOutput]:
        """Take a request whose Call-ID and To tag are ours; an ACK for a 2xx too.

        A CANCEL when it matches an INVITE server transaction of ours; answer others with 481.
        """
        if request.method == "CANCEL" and self._established is None:
            return self._take_cancel(request, now)
        if request.from_tag != self.invite.from_tag:
            return [] if request.method == "ACK" else [self._refuse(request, NO_DIALOG)]
        if self._established is not None:
            return self._established.receive_request(request, now)
        return [] if request.method == "ACK" else self._take_early(request, now)

    def _take_cancel(self, cancel: Request, now: float) -> list[SessionOutput]:
        self._peer_reason = next((each.text for each in cancel.reasons), None)
        return [self._refuse(cancel, 200), *self._step(Input.CANCEL, now)]

    def _take_early(self, request: Request, now: float) -> list[SessionOutput]:
        """Answer what the caller asks before we answered."""
        if self._dialog is None:
            return [self._refuse(request, NO_DIALOG)]
        if (status := self._dialog.receive_request(request)) is not None:
            return [self._refuse(request, status)]
        if request.method == "BYE":
            self._peer_reason = next((each.text for each in request.reasons), None)
            return [self._refuse(request, 200), *self._step(Input.BYE, now)]
        if request.method == "INVITE":
            return [self._refuse_second(request)]
        other = self._local.respond_to_other(request, to_tag=self.local_tag)
        return [SendResponse(request, other)]

    def _refuse_second(self, invite: Request) -> SendResponse:
        """A second INVITE before the first was answered (RFC 3261 §14.2)."""
        wait = ("Retry-After", str(self._randomness.below(11)))
        response = self._local.respond(invite, _STILL_BUSY, to_tag=self.local_tag, headers=(wait,))
        return SendResponse(invite, response)

    def _refuse(self, request: Request, status: int) -> SendResponse:
        response = self._local.respond(request, status, to_tag=self.local_tag)
        return SendResponse(request, response)

    def _step(self, what: Input, now: float) -> list[SessionOutput]:
        if (self.state, what) in IGNORED:
            return []
        action, self.state = TRANSITIONS[self.state, what]
        return action(self, now)

    def _send_ringing(self, now: float) -> list[SessionOutput]:
        ringing = self._ringing = self._respond(self._status, sdp=self._sdp)
        self._begin_dialog(ringing.response)
        self._timers.start(Input.TIMER_REPEAT, now + REPEAT_S)
        return [ringing]

    def _repeat_ringing(self, now: float) -> list[SessionOutput]:
        assert self._ringing is not None
        self._timers.start(Input.TIMER_REPEAT, now + REPEAT_S)
        return [self._ringing]

    def _send_answer(self, now: float) -> list[SessionOutput]:
        self._timers.clear()
        ok = self._respond(200, sdp=self._sdp)
        dialog = self._begin_dialog(ok.response)
        dialog.confirm()
        self._established = Established(
            dialog,
            local=self._local,
            local_tag=self.local_tag,
            randomness=self._randomness,
            digest=self._digest,
            owns_call_id=False,
        )
        self._established.await_first_ack(ok, now)
        return [ok]

    def _begin_dialog(self, response: Response) -> Dialog:
        if self._dialog is None:
            self._dialog = Dialog.from_uas(self.invite, response)
        return self._dialog

    def _send_refusal(self, now: float) -> list[SessionOutput]:
        reason, headers = self._refusal
        refusal = self._respond(self._status, reason=reason, headers=headers)
        return [refusal, *self._end(Ended(remote=False, reason=None, status=self._status))]

    def _take_back(self, now: float) -> list[SessionOutput]:
        """The caller gave up: CANCEL (§9.2), or a BYE in the early dialog (§15.1.2)."""
        return [self._respond(_REQUEST_TERMINATED), *self._end(Cancelled(self._peer_reason))]

    def _end(self, event: Ended | Cancelled) -> list[SessionOutput]:
        self._timers.clear()
        if self._dialog is not None:
            self._dialog.terminate()
        return [event]

    def _respond(
        self,
        status: int,
        *,
        reason: str | None = None,
        headers: Sequence[tuple[str, str]] = (),
        sdp: bytes | None = None,
    ) -> SendResponse:
        response = self._local.respond(
            self.invite, status, to_tag=self.local_tag, reason=reason, headers=headers, sdp=sdp
        )
        return SendResponse(self.invite, response)


_Action: TypeAlias = Callable[[InviteServerSession, float], list[SessionOutput]]
_S = InviteServerSession

TRANSITIONS: Final[dict[tuple[State, Input], tuple[_Action, State]]] = {
    (State.PROCEEDING, Input.RING): (_S._send_ringing, State.PROCEEDING),
    (State.PROCEEDING, Input.ANSWER): (_S._send_answer, State.ESTABLISHED),
    (State.PROCEEDING, Input.REJECT): (_S._send_refusal, State.OVER),
    (State.PROCEEDING, Input.CANCEL): (_S._take_back, State.OVER),
    (State.PROCEEDING, Input.BYE): (_S._take_back, State.OVER),
    (State.PROCEEDING, Input.TIMER_REPEAT): (_S._repeat_ringing, State.PROCEEDING),
}
"""(state, input) -> (action, next state)."""

IGNORED: Final = frozenset(
    (state, what) for state in (State.ESTABLISHED, State.OVER) for what in Input
)
"""Pairs with no effect on purpose: the INVITE has its final response."""
