"""An outbound call: one INVITE and what grows from it (RFC 3261 §13.2, §9.1, §14, §15).

Sans-IO, a total table. The table here leads to the first 2xx or to the end; what follows a 2xx is
the affair of :class:`~orbit_voice.sip.sessions.in_dialog.InDialog`, one for each fork that
answered. The first is the call; the others are hung up at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum, auto
from typing import Final, TypeAlias

from orbit_voice.sip.dialog import INITIAL_MAX_FORWARDS, Dialog, DialogState
from orbit_voice.sip.digest import Credentials
from orbit_voice.sip.fields import Headers
from orbit_voice.sip.headers import NameAddr, Reason
from orbit_voice.sip.message import Request, Response
from orbit_voice.sip.randomness import Randomness
from orbit_voice.sip.related_requests import make_cancel
from orbit_voice.sip.session_events import Answered, Ended, Failed, FailureKind, Rejected, Ringing
from orbit_voice.sip.sessions.authenticator import Authenticator
from orbit_voice.sip.sessions.in_dialog import InDialog
from orbit_voice.sip.sessions.local_end import LocalEnd, attach_sdp, sdp_of
from orbit_voice.sip.sessions.means import Means
from orbit_voice.sip.sessions.outputs import (
    AbandonRequest,
    SendAck,
    SendRequest,
    SendResponse,
    SessionOutput,
)
from orbit_voice.sip.timers import TIMEOUT_S, Timers

MAX_FORKS: Final = 16
"""Dialogs one INVITE may create; a proxy forks to a handful of phones."""


class State(Enum):
    """How far the call is."""

    NEW = auto()
    CALLING = auto()
    """The INVITE is sent; nothing came back."""
    PROCEEDING = auto()
    """A provisional response came."""
    ABORTING = auto()
    """To be cancelled as soon as a provisional response allows it (RFC 3261 §9.1)."""
    CANCELLING = auto()
    """CANCEL is sent; the final response is to come."""
    ANSWERED = auto()
    """A 2xx came: its dialog has taken over."""
    OVER = auto()
    """It ended without a dialog, or with one that was not wanted any more."""


class Input(Enum):
    """Everything that can happen."""

    START = auto()
    HANG_UP = auto()
    TRYING = auto()
    """100."""
    PROVISIONAL = auto()
    """101-199."""
    SUCCESS = auto()
    """The first 2xx of a fork."""
    SUCCESS_TOO_LATE = auto()
    """The same, of a fork whose early dialog the peer has ended by BYE."""
    CHALLENGE = auto()
    """401 or 407 that our credentials can answer."""
    REFUSAL = auto()
    FAILURE = auto()
    """No final response at all."""
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
        state: How far the call is.
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
        self.state = State.NEW
        self._means = Means.of(local, randomness, credentials)
        self.call_id = randomness.token()
        self.local_tag = self._means.local_tag
        fields = [("Route", route) for route in routes]
        fields += [
            ("Max-Forwards", INITIAL_MAX_FORWARDS),
            ("From", str(from_.with_tag(self.local_tag))),
            ("To", str(to)),
            ("Call-ID", self.call_id),
            *headers,
        ]
        self._template = Request("INVITE", request_uri, Headers(fields))
        local.complete(self._template.headers, offers_dialog=True)
        attach_sdp(self._template, sdp)
        self._authenticator = Authenticator(self._means.digest)
        self._invites: list[Request] = []
        self._early: dict[str, Dialog] = {}
        self._legs: dict[str, InDialog] = {}
        self._call: InDialog | None = None
        self._timers: Timers[Input] = Timers()
        self._reason: Reason | None = None
        # What the input that is being taken is about:
        self._request = self._template
        self._response = Response(100, "")
        self._failure = Failed(FailureKind.TIMEOUT, "")

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
        deadlines = [leg.next_deadline() for leg in self._legs.values()]
        deadlines.append(self._timers.next_deadline())
        return min((each for each in deadlines if each is not None), default=None)

    def tick(self, now: float) -> list[SessionOutput]:
        """Fire every timer that is due at ``now``, those of one dialog earliest first."""
        outputs: list[SessionOutput] = []
        while (timer := self._timers.pop_due(now)) is not None:
            outputs += self._step(timer, now)
        for leg in self._legs.values():
            outputs += self._of(leg, leg.tick(now))
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
        if self._reason is None:
            self._reason = reason
        return self._step(Input.HANG_UP, now)

    def reoffer(self, sdp: bytes, now: float) -> list[SessionOutput]:
        """Send a re-INVITE with ``sdp``, as soon as no other INVITE is under way (§14.1).

        It takes the place of one that still waits. Nothing happens before the call is answered.
        """
        return [] if self._call is None else self._call.reoffer(sdp, now)

    def answer_offer(self, sdp: bytes, now: float) -> list[SessionOutput]:
        """Reply to the peer's offer: 200 to its re-INVITE, or the ACK with our answer."""
        return [] if self._call is None else self._call.answer_offer(sdp, now)

    def refuse_offer(self, status: int, now: float) -> list[SessionOutput]:
        """Refuse the peer's re-INVITE with ``status`` (400-699).

        An offer in the first 2xx cannot be refused but by ending the call (RFC 3261 §13.2.2.4).
        """
        return [] if self._call is None else self._call.refuse_offer(status, now)

    def receive_response(
        self, request: Request, response: Response, now: float
    ) -> list[SessionOutput]:
        """Take a response to ``request``, the very object that was given out to be sent."""
        if request.method == "CANCEL":
            return []  # what counts is the final response to the INVITE (RFC 3261 §9.1)
        if not self._is_first_invite(request):
            leg = self._legs.get(request.to_tag or "")
            return (
                [] if leg is None else self._of(leg, leg.receive_response(request, response, now))
            )
        self._request, self._response = request, response
        if 200 <= response.status < 300:
            return self._receive_success(now)
        if request is not self._invites[-1]:
            return []
        return self._step(self._sort(response), now)

    def request_failed(
        self, request: Request, kind: FailureKind, detail: str, now: float
    ) -> list[SessionOutput]:
        """Take the news that the transaction of ``request`` ended without a final response."""
        if request.method == "CANCEL":
            return []  # the time to wait for the INVITE's final response runs already
        if not self._is_first_invite(request):
            if (leg := self._legs.get(request.to_tag or "")) is None:
                return []
            return self._of(leg, leg.request_failed(request, kind, now))
        if request is not self._invites[-1]:
            return []
        self._failure = Failed(kind, detail)
        return self._step(Input.FAILURE, now)

    def receive_request(self, request: Request, now: float) -> list[SessionOutput]:
        """Take a request whose Call-ID and To tag are ours; an ACK for a 2xx too.

        A CANCEL only when it matches an INVITE server transaction; answer others with 481.
        """
        tag = request.from_tag or ""
        if (leg := self._legs.get(tag)) is not None:
            return self._of(leg, leg.receive_request(request, now))
        if request.method == "ACK":
            return []
        if (dialog := self._early.get(tag)) is not None and request.method != "CANCEL":
            return [self._answer_early(dialog, request)]
        return [self._respond(request, 481)]

    def _answer_early(self, dialog: Dialog, request: Request) -> SendResponse:
        """Answer a request in an early dialog; an INVITE of ours is under way there (§14.2)."""
        if (refusal := dialog.receive_request(request)) is not None:
            return self._respond(request, refusal)
        if request.method == "BYE":
            dialog.terminate()
            return self._respond(request, 200)
        if request.method == "INVITE":
            return self._respond(request, 491)
        response = self._means.local.respond_to_other(request, to_tag=self.local_tag)
        return SendResponse(request, response)

    def _receive_success(self, now: float) -> list[SessionOutput]:
        tag = self._response.to_tag or ""
        if (leg := self._legs.get(tag)) is not None:
            return self._of(leg, leg.receive_response(self._request, self._response, now))
        if len(self._legs) >= MAX_FORKS:
            return []
        dialog = self._early.get(tag)
        if dialog is not None and dialog.state is DialogState.TERMINATED:
            return self._step(Input.SUCCESS_TOO_LATE, now)
        return self._step(Input.SUCCESS, now)

    def _sort(self, response: Response) -> Input:
        if response.status == 100:
            return Input.TRYING
        if response.status < 200:
            return Input.PROVISIONAL
        if self._authenticator.take_challenge(self._request, response):
            return Input.CHALLENGE
        return Input.REFUSAL

    def _is_first_invite(self, request: Request) -> bool:
        return any(request is each for each in self._invites)

    def _of(self, leg: InDialog, outputs: list[SessionOutput]) -> list[SessionOutput]:
        """Leave out what a fork that is not the call has to tell."""
        if leg is self._call:
            return outputs
        return [each for each in outputs if isinstance(each, _MESSAGES)]

    def _step(self, what: Input, now: float) -> list[SessionOutput]:
        if (self.state, what) in IGNORED:
            return []
        action, self.state = TRANSITIONS[self.state, what]
        return action(self, now)

    def _send_invite(self, now: float) -> list[SessionOutput]:
        """Send the INVITE, with the next CSeq number (RFC 3261 §8.1.3.5)."""
        self._early.clear()
        invite = self._template.copy()
        invite.headers.add("CSeq", f"{len(self._invites) + 1} INVITE")
        self._authenticator.authorize(invite)
        self._invites.append(invite)
        return [SendRequest(invite)]

    def _note(self, now: float) -> list[SessionOutput]:
        return []

    def _ring(self, now: float) -> list[SessionOutput]:
        response = self._response
        tag = response.to_tag
        if tag is not None and tag not in self._early and len(self._early) < MAX_FORKS:
            self._early[tag] = Dialog.from_uac(self._request, response)
        return [Ringing(response.status, response.reason, sdp_of(response))]

    def _cancel(self, now: float) -> list[SessionOutput]:
        cancel = make_cancel(self._invites[-1])
        if self._reason is not None:
            cancel.headers.add("Reason", str(self._reason))
        self._timers.start(Input.TIMER_CANCEL, now + TIMEOUT_S)
        return [SendRequest(cancel)]

    def _abandon(self, now: float) -> list[SessionOutput]:
        """RFC 3261 §9.1: without a final response within 64*T1 the INVITE counts as cancelled."""
        failed = Failed(FailureKind.TIMEOUT, "no final response after CANCEL")
        return [AbandonRequest(self._invites[-1]), failed]

    def _answer(self, now: float) -> list[SessionOutput]:
        leg = self._call = self._open_leg()
        answered = Answered(sdp_of(self._response))
        if sdp_of(self._request) is None:
            return [answered]
        return [*leg.acknowledge(now), answered]

    def _decline(self, now: float) -> list[SessionOutput]:
        """End a dialog that came too late to be the call: ACK, then BYE (RFC 3261 §13.2.2.4)."""
        leg = self._open_leg()
        return self._of(leg, leg.hang_up(now, reason=self._reason))

    def _decline_cancelled(self, now: float) -> list[SessionOutput]:
        self._timers.clear()
        return [*self._decline(now), Ended(False, None, None)]

    def _decline_ended(self, now: float) -> list[SessionOutput]:
        self._timers.clear()
        return [*self._decline(now), Ended(True, None, None)]

    def _open_leg(self) -> InDialog:
        response = self._response
        tag = response.to_tag or ""
        dialog = self._early.pop(tag, None)
        if dialog is None:
            dialog = Dialog.from_uac(self._request, response)
        else:
            dialog.confirm(response)
        leg = self._legs[tag] = InDialog.called(dialog, self._request, self._means)
        return leg

    def _reject(self, now: float) -> list[SessionOutput]:
        self._timers.clear()
        response = self._response
        return [Rejected(response.status, response.reason, tuple(response.headers.items()))]

    def _fail(self, now: float) -> list[SessionOutput]:
        self._timers.clear()
        return [self._failure]

    def _give_up(self, now: float) -> list[SessionOutput]:
        return [Ended(False, None, None)]

    def _hang_up_call(self, now: float) -> list[SessionOutput]:
        assert self._call is not None
        return self._call.hang_up(now, reason=self._reason)

    def _respond(self, request: Request, status: int) -> SendResponse:
        response = self._means.local.respond(request, status, to_tag=self.local_tag)
        return SendResponse(request, response)


_MESSAGES: Final = (SendRequest, SendAck, SendResponse, AbandonRequest)

_Action: TypeAlias = Callable[[InviteClientSession, float], list[SessionOutput]]
_S = InviteClientSession

TRANSITIONS: Final[dict[tuple[State, Input], tuple[_Action, State]]] = {
    (State.NEW, Input.START): (_S._send_invite, State.CALLING),
    (State.NEW, Input.HANG_UP): (_S._give_up, State.OVER),
    (State.CALLING, Input.HANG_UP): (_S._note, State.ABORTING),
    (State.CALLING, Input.TRYING): (_S._note, State.PROCEEDING),
    (State.CALLING, Input.PROVISIONAL): (_S._ring, State.PROCEEDING),
    (State.CALLING, Input.SUCCESS): (_S._answer, State.ANSWERED),
    (State.CALLING, Input.CHALLENGE): (_S._send_invite, State.CALLING),
    (State.CALLING, Input.REFUSAL): (_S._reject, State.OVER),
    (State.CALLING, Input.FAILURE): (_S._fail, State.OVER),
    (State.PROCEEDING, Input.HANG_UP): (_S._cancel, State.CANCELLING),
    (State.PROCEEDING, Input.PROVISIONAL): (_S._ring, State.PROCEEDING),
    (State.PROCEEDING, Input.SUCCESS): (_S._answer, State.ANSWERED),
    (State.PROCEEDING, Input.SUCCESS_TOO_LATE): (_S._decline_ended, State.OVER),
    (State.PROCEEDING, Input.CHALLENGE): (_S._send_invite, State.CALLING),
    (State.PROCEEDING, Input.REFUSAL): (_S._reject, State.OVER),
    (State.PROCEEDING, Input.FAILURE): (_S._fail, State.OVER),
    (State.ABORTING, Input.TRYING): (_S._cancel, State.CANCELLING),
    (State.ABORTING, Input.PROVISIONAL): (_S._cancel, State.CANCELLING),
    (State.ABORTING, Input.SUCCESS): (_S._decline_cancelled, State.OVER),
    (State.ABORTING, Input.CHALLENGE): (_S._reject, State.OVER),
    (State.ABORTING, Input.REFUSAL): (_S._reject, State.OVER),
    (State.ABORTING, Input.FAILURE): (_S._fail, State.OVER),
    (State.CANCELLING, Input.SUCCESS): (_S._decline_cancelled, State.OVER),
    (State.CANCELLING, Input.SUCCESS_TOO_LATE): (_S._decline_cancelled, State.OVER),
    (State.CANCELLING, Input.CHALLENGE): (_S._reject, State.OVER),
    (State.CANCELLING, Input.REFUSAL): (_S._reject, State.OVER),
    (State.CANCELLING, Input.FAILURE): (_S._fail, State.OVER),
    (State.CANCELLING, Input.TIMER_CANCEL): (_S._abandon, State.OVER),
    (State.ANSWERED, Input.HANG_UP): (_S._hang_up_call, State.ANSWERED),
    (State.ANSWERED, Input.SUCCESS): (_S._decline, State.ANSWERED),
    (State.ANSWERED, Input.SUCCESS_TOO_LATE): (_S._decline, State.ANSWERED),
    (State.OVER, Input.SUCCESS): (_S._decline, State.OVER),
    (State.OVER, Input.SUCCESS_TOO_LATE): (_S._decline, State.OVER),
}
"""(state, input) -> (action, next state)."""

_SUCCESSES: Final = (Input.SUCCESS, Input.SUCCESS_TOO_LATE)

IGNORED: Final = frozenset(
    {
        *((State.NEW, what) for what in Input if what not in (Input.START, Input.HANG_UP)),
        (State.CALLING, Input.START),
        (State.CALLING, Input.SUCCESS_TOO_LATE),
        (State.CALLING, Input.TIMER_CANCEL),
        (State.PROCEEDING, Input.START),
        (State.PROCEEDING, Input.TRYING),
        (State.PROCEEDING, Input.TIMER_CANCEL),
        (State.ABORTING, Input.START),
        (State.ABORTING, Input.HANG_UP),
        (State.ABORTING, Input.SUCCESS_TOO_LATE),
        (State.ABORTING, Input.TIMER_CANCEL),
        (State.CANCELLING, Input.START),
        (State.CANCELLING, Input.HANG_UP),
        (State.CANCELLING, Input.TRYING),
        (State.CANCELLING, Input.PROVISIONAL),
        *((State.ANSWERED, what) for what in Input if what not in (*_SUCCESSES, Input.HANG_UP)),
        *((State.OVER, what) for what in Input if what not in _SUCCESSES),
    }
)
"""Pairs with no effect on purpose. Before a provisional response there is no early dialog that the
peer could have ended. Table and IGNORED together cover every pair (tested)."""
