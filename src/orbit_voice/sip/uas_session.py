"""An inbound call: one INVITE and what grows from it (RFC 3261 §13.3, §9.2, §14, §15).

Sans-IO, a total table. The table here leads to the final response; what follows a 2xx is the affair
of :class:`~orbit_voice.sip.sessions.in_dialog.InDialog`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum, auto
from typing import Final, TypeAlias

from orbit_voice.sip.dialog import Dialog
from orbit_voice.sip.digest import Credentials
from orbit_voice.sip.headers import Reason
from orbit_voice.sip.message import Request, Response
from orbit_voice.sip.randomness import Randomness
from orbit_voice.sip.session_events import Cancelled, Ended, FailureKind
from orbit_voice.sip.sessions.in_dialog import InDialog, reason_text, refuse_second_invite
from orbit_voice.sip.sessions.local_end import LocalEnd
from orbit_voice.sip.sessions.means import Means
from orbit_voice.sip.sessions.outputs import SendResponse, SessionOutput
from orbit_voice.sip.timers import Timers

REPEAT_PROVISIONAL_S: Final = 60.0
"""A provisional response is repeated each minute, so that no proxy gives the call up (RFC 3261
§13.3.1.1)."""
TEMPORARILY_UNAVAILABLE: Final = 480
"""What a caller gets when we hang up before the answer (RFC 3261 §21.4.18)."""


class State(Enum):
    """How far the call is."""

    RECEIVED = auto()
    """Nothing was sent."""
    RINGING = auto()
    """A provisional response was sent: there is an early dialog."""
    ANSWERED = auto()
    """A 2xx was sent: the dialog has taken over."""
    OVER = auto()
    """It ended with another final response."""


class Input(Enum):
    """Everything that can happen."""

    RING = auto()
    ANSWER = auto()
    REJECT = auto()
    HANG_UP = auto()
    PEER_CANCEL = auto()
    """Of the INVITE."""
    PEER_BYE = auto()
    PEER_INVITE = auto()
    PEER_OTHER = auto()
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
        state: How far the call is.
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
        self.state = State.RECEIVED
        self.invite = invite
        self.call_id = invite.call_id
        self._means = Means.of(local, randomness, credentials)
        self.local_tag = self._means.local_tag
        self._dialog: Dialog | None = None
        self._call: InDialog | None = None
        self._timers: Timers[Input] = Timers()
        self._provisional: Response | None = None
        self._reason: Reason | None = None
        # What the input that is being taken is about:
        self._request = invite
        self._response = Response(100, "")

    @property
    def is_over(self) -> bool:
        """Whether the last event was reported."""
        if self._call is not None:
            return self._call.is_over
        return self.state is State.OVER

    @property
    def is_finished(self) -> bool:
        """Whether it is over and has no deadline: forget it, but for its client transactions."""
        return self.is_over and self.next_deadline() is None

    def next_deadline(self) -> float | None:
        """Return when :meth:`tick` is next due (monotonic seconds), or None."""
        return (self._timers if self._call is None else self._call).next_deadline()

    def tick(self, now: float) -> list[SessionOutput]:
        """Fire every timer that is due at ``now``, earliest first."""
        if self._call is not None:
            return self._call.tick(now)
        outputs: list[SessionOutput] = []
        while (timer := self._timers.pop_due(now)) is not None:
            outputs += self._step(timer, now)
        return outputs

    def ring(self, status: int, sdp: bytes | None, now: float) -> list[SessionOutput]:
        """Send a provisional response (101-199), repeated every minute (RFC 3261 §13.3.1.1)."""
        self._response = self._build(self.invite, status, sdp=sdp)
        return self._step(Input.RING, now)

    def answer(self, sdp: bytes, now: float) -> list[SessionOutput]:
        """Send a 200 with our answer, or our offer when the INVITE had none."""
        self._response = self._build(self.invite, 200, sdp=sdp)
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
        self._response = self._build(self.invite, status, reason=reason, headers=headers)
        return self._step(Input.REJECT, now)

    def hang_up(self, now: float, *, reason: Reason | None = None) -> list[SessionOutput]:
        """End the call: 480 before the answer, BYE after. Idempotent."""
        self._reason = reason
        self._response = self._build(self.invite, TEMPORARILY_UNAVAILABLE)
        return self._step(Input.HANG_UP, now)

    def reoffer(self, sdp: bytes, now: float) -> list[SessionOutput]:
        """Send a re-INVITE with ``sdp``, as soon as no other INVITE is under way (§14.1).

        It takes the place of one that still waits. Nothing happens before the call is answered.
        """
        return [] if self._call is None else self._call.reoffer(sdp, now)

    def answer_offer(self, sdp: bytes, now: float) -> list[SessionOutput]:
        """Reply to the peer's re-INVITE with a 200."""
        return [] if self._call is None else self._call.answer_offer(sdp, now)

    def refuse_offer(self, status: int, now: float) -> list[SessionOutput]:
        """Refuse the peer's re-INVITE with ``status`` (400-699)."""
        return [] if self._call is None else self._call.refuse_offer(status, now)

    def receive_response(
        self, request: Request, response: Response, now: float
    ) -> list[SessionOutput]:
        """Take a response to ``request``, the very object that was given out to be sent."""
        return [] if self._call is None else self._call.receive_response(request, response, now)

    def request_failed(
        self, request: Request, kind: FailureKind, detail: str, now: float
    ) -> list[SessionOutput]:
        """Take the news that the transaction of ``request`` ended without a final response."""
        return [] if self._call is None else self._call.request_failed(request, kind, now)

    def receive_request(self, request: Request, now: float) -> list[SessionOutput]:
        """Take a request whose Call-ID and To tag are ours; an ACK for a 2xx too.

        A CANCEL when it matches an INVITE server transaction of ours; answer others with 481.
        """
        self._request = request
        if self._call is not None:
            return self._receive_in_dialog(self._call, request, now)
        if request.method == "CANCEL":
            return self._receive_cancel(request, now)
        if request.method == "ACK":
            return []  # for a refusal: its transaction took note
        refusal = 481 if self._dialog is None else self._dialog.receive_request(request)
        if refusal is not None:
            return [self._respond(request, refusal)]
        return self._step(_INPUTS.get(request.method, Input.PEER_OTHER), now)

    def _receive_cancel(self, cancel: Request, now: float) -> list[SessionOutput]:
        """Confirm a CANCEL; it may be of a second INVITE, which is refused already (§9.2)."""
        outputs: list[SessionOutput] = [self._respond(cancel, 200)]
        if cancel.cseq.number == self.invite.cseq.number:
            outputs += self._step(Input.PEER_CANCEL, now)
        return outputs

    def _receive_in_dialog(
        self, call: InDialog, request: Request, now: float
    ) -> list[SessionOutput]:
        if call.dialog.is_from_peer(request):
            return call.receive_request(request, now)
        return [] if request.method == "ACK" else [self._respond(request, 481)]

    def _step(self, what: Input, now: float) -> list[SessionOutput]:
        if (self.state, what) in IGNORED:
            return []
        action, self.state = TRANSITIONS[self.state, what]
        return action(self, now)

    def _ring(self, now: float) -> list[SessionOutput]:
        self._provisional = self._response
        if self._dialog is None:
            self._dialog = Dialog.from_uas(self.invite, self._response)
        return self._repeat(now)

    def _repeat(self, now: float) -> list[SessionOutput]:
        assert self._provisional is not None
        self._timers.start(Input.TIMER_REPEAT, now + REPEAT_PROVISIONAL_S)
        return [SendResponse(self.invite, self._provisional)]

    def _answer(self, now: float) -> list[SessionOutput]:
        self._timers.clear()
        if self._dialog is None:
            self._dialog = Dialog.from_uas(self.invite, self._response)
        self._dialog.confirm()
        self._call = InDialog.answered(self._dialog, self.invite, self._response, self._means, now)
        return [SendResponse(self.invite, self._response)]

    def _reject(self, now: float) -> list[SessionOutput]:
        return [self._refuse(), Ended(False, None, self._response.status)]

    def _hang_up_call(self, now: float) -> list[SessionOutput]:
        assert self._call is not None
        return self._call.hang_up(now, reason=self._reason)

    def _take_cancel(self, now: float) -> list[SessionOutput]:
        self._response = self._build(self.invite, 487)
        return [self._refuse(), Cancelled(reason_text(self._request))]

    def _take_early_bye(self, now: float) -> list[SessionOutput]:
        """RFC 3261 §15.1.2: the INVITE that is pending gets 487."""
        confirmation = self._respond(self._request, 200)
        return [confirmation, *self._take_cancel(now)]

    def _refuse_second(self, now: float) -> list[SessionOutput]:
        return [refuse_second_invite(self._request, self._means)]

    def _answer_other(self, now: float) -> list[SessionOutput]:
        response = self._means.local.respond_to_other(self._request, to_tag=self.local_tag)
        return [SendResponse(self._request, response)]

    def _refuse(self) -> SendResponse:
        self._timers.clear()
        if self._dialog is not None:
            self._dialog.terminate()
        return SendResponse(self.invite, self._response)

    def _respond(self, request: Request, status: int) -> SendResponse:
        return SendResponse(request, self._build(request, status))

    def _build(
        self,
        request: Request,
        status: int,
        *,
        reason: str | None = None,
        headers: Sequence[tuple[str, str]] = (),
        sdp: bytes | None = None,
    ) -> Response:
        return self._means.local.respond(
            request, status, to_tag=self.local_tag, reason=reason, headers=headers, sdp=sdp
        )


_INPUTS: Final = {"BYE": Input.PEER_BYE, "INVITE": Input.PEER_INVITE}
"""Requests in the early dialog that matter."""

_Action: TypeAlias = Callable[[InviteServerSession, float], list[SessionOutput]]
_S = InviteServerSession

TRANSITIONS: Final[dict[tuple[State, Input], tuple[_Action, State]]] = {
    (State.RECEIVED, Input.RING): (_S._ring, State.RINGING),
    (State.RECEIVED, Input.ANSWER): (_S._answer, State.ANSWERED),
    (State.RECEIVED, Input.REJECT): (_S._reject, State.OVER),
    (State.RECEIVED, Input.HANG_UP): (_S._reject, State.OVER),
    (State.RECEIVED, Input.PEER_CANCEL): (_S._take_cancel, State.OVER),
    (State.RINGING, Input.RING): (_S._ring, State.RINGING),
    (State.RINGING, Input.ANSWER): (_S._answer, State.ANSWERED),
    (State.RINGING, Input.REJECT): (_S._reject, State.OVER),
    (State.RINGING, Input.HANG_UP): (_S._reject, State.OVER),
    (State.RINGING, Input.PEER_CANCEL): (_S._take_cancel, State.OVER),
    (State.RINGING, Input.PEER_BYE): (_S._take_early_bye, State.OVER),
    (State.RINGING, Input.PEER_INVITE): (_S._refuse_second, State.RINGING),
    (State.RINGING, Input.PEER_OTHER): (_S._answer_other, State.RINGING),
    (State.RINGING, Input.TIMER_REPEAT): (_S._repeat, State.RINGING),
    (State.ANSWERED, Input.REJECT): (_S._hang_up_call, State.ANSWERED),
    (State.ANSWERED, Input.HANG_UP): (_S._hang_up_call, State.ANSWERED),
}
"""(state, input) -> (action, next state)."""

_IN_EARLY_DIALOG: Final = (Input.PEER_BYE, Input.PEER_INVITE, Input.PEER_OTHER, Input.TIMER_REPEAT)

IGNORED: Final = frozenset(
    {
        *((State.RECEIVED, what) for what in _IN_EARLY_DIALOG),
        *((State.ANSWERED, what) for what in _IN_EARLY_DIALOG),
        (State.ANSWERED, Input.RING),
        (State.ANSWERED, Input.ANSWER),
        (State.ANSWERED, Input.PEER_CANCEL),
        *((State.OVER, what) for what in Input),
    }
)
"""Pairs with no effect on purpose. Without a response of ours there is no early dialog, and in
*Answered* the dialog takes what the peer sends. Table and IGNORED together cover every pair
(tested)."""
