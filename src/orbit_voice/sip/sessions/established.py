"""A call with a confirmed dialog, until its BYE (RFC 3261 §12.2, §14, §15).

Both kinds of session end in this one, so that hanging up, re-INVITEs and what the peer asks inside
the dialog are one piece of code.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto
from typing import Final, TypeAlias

from orbit_voice.sip.dialog import Dialog
from orbit_voice.sip.digest import NO_ANSWERS, Answers, DigestClient
from orbit_voice.sip.headers import Reason
from orbit_voice.sip.message import Request, Response
from orbit_voice.sip.randomness import Randomness
from orbit_voice.sip.session_events import Acknowledged, Ended, FailureKind
from orbit_voice.sip.sessions.local_end import LocalEnd
from orbit_voice.sip.sessions.outputs import SendRequest, SendResponse, SessionOutput
from orbit_voice.sip.sessions.reinvites import Output as ReInviteOutput
from orbit_voice.sip.sessions.reinvites import ReInvites, Unconfirmed

REQUEST_TIMEOUT: Final = 408
NO_DIALOG: Final = 481


class State(Enum):
    """Where the call stands."""

    UNACKNOWLEDGED = auto()
    TALKING = auto()
    LEAVING = auto()
    HANGING_UP = auto()
    OVER = auto()


class Input(Enum):
    """What moves it."""

    HANG_UP = auto()
    PEER_BYE = auto()
    ACKNOWLEDGED = auto()
    UNCONFIRMED = auto()
    LOST = auto()
    BYE_DONE = auto()


class Established:
    """What the sessions share once their dialog is confirmed.

    Args:
        dialog: Confirmed.
        local: How we present ourselves.
        local_tag: Our tag.
        randomness: For waits.
        digest: Answers challenges, or None.
        owns_call_id: Whether we made the Call-ID.

    Attributes:
        state: Where the call stands.
        dialog: As given.
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
        self.state = State.TALKING
        self.dialog = dialog
        self._local = local
        self._local_tag = local_tag
        self._digest = digest
        self._reinvites = ReInvites(
            dialog,
            local=local,
            local_tag=local_tag,
            randomness=randomness,
            digest=digest,
            owns_call_id=owns_call_id,
        )
        self._bye: Request | None = None
        self._bye_answers: Answers = NO_ANSWERS
        self._farewell: Reason | None = None
        self._peer_reason: str | None = None
        self._lost_status: int | None = None

    @property
    def is_over(self) -> bool:
        """Whether :class:`Ended` was reported."""
        return self.state is State.OVER

    def next_deadline(self) -> float | None:
        """Return when :meth:`tick` is next due (monotonic seconds), or None."""
        return self._reinvites.next_deadline()

    def tick(self, now: float) -> list[SessionOutput]:
        """Fire every timer that is due at ``now``, earliest first."""
        return self._resolve(self._reinvites.tick(now), now)

    def await_first_ack(self, ok: SendResponse, now: float) -> None:
        """Begin as the callee, whose 2xx is not acknowledged yet."""
        self.state = State.UNACKNOWLEDGED
        self._reinvites.await_first_ack(ok, now)

    def hang_up(self, now: float, *, reason: Reason | None = None) -> list[SessionOutput]:
        """Send BYE; as the callee not before the ACK (RFC 3261 §15)."""
        if self._farewell is None:
            self._farewell = reason
        return self._step(Input.HANG_UP, now)

    def reoffer(self, sdp: bytes, now: float) -> list[SessionOutput]:
        """Send a re-INVITE as soon as no INVITE is under way."""
        return self._resolve(self._reinvites.reoffer(sdp, now), now)

    def answer_offer(self, sdp: bytes, now: float) -> list[SessionOutput]:
        """Accept the peer's re-INVITE."""
        return self._resolve(self._reinvites.answer(sdp, now), now)

    def refuse_offer(self, status: int, now: float) -> list[SessionOutput]:
        """Refuse the peer's re-INVITE."""
        return self._resolve(self._reinvites.refuse(status, now), now)

    def receive_response(
        self, request: Request, response: Response, now: float
    ) -> list[SessionOutput]:
        """Take a response to a request of this dialog."""
        if request is self._bye:
            return self._take_bye_response(response, now)
        if request.method != "INVITE":
            return []
        if response.status in (REQUEST_TIMEOUT, NO_DIALOG):  # RFC 3261 §12.2.1.2, §14.1
            return self._lose(response.status, now)
        return self._resolve(self._reinvites.receive_response(request, response, now), now)

    def request_failed(
        self, request: Request, kind: FailureKind, now: float
    ) -> list[SessionOutput]:
        """Take the news that ``request`` brought no final response (RFC 3261 §12.2.1.2)."""
        if request is self._bye:
            return self._step(Input.BYE_DONE, now)
        if request.method != "INVITE":
            return []
        return self._lose(REQUEST_TIMEOUT, now)

    def receive_request(self, request: Request, now: float) -> list[SessionOutput]:
        """Take a request of this dialog; an ACK and a CANCEL too."""
        if request.method == "ACK":
            return self._take_ack(request, now)
        if request.method == "CANCEL":
            ok = self._respond(request, 200)
            return [ok, *self._resolve(self._reinvites.receive_cancel(request, now), now)]
        if self.state is State.OVER:
            return [self._respond(request, NO_DIALOG)]
        if (status := self.dialog.receive_request(request)) is not None:
            return [self._respond(request, status)]
        return self._take_ordered(request, now)

    def _take_ack(self, ack: Request, now: float) -> list[SessionOutput]:
        outputs = self._resolve(self._reinvites.receive_ack(ack, now), now)
        if any(isinstance(output, Acknowledged) for output in outputs):
            outputs += self._step(Input.ACKNOWLEDGED, now)
        return outputs

    def _take_ordered(self, request: Request, now: float) -> list[SessionOutput]:
        if request.method == "BYE":
            self._peer_reason = next((each.text for each in request.reasons), None)
            return [self._respond(request, 200), *self._step(Input.PEER_BYE, now)]
        if self.state is State.HANGING_UP:
            return [self._respond(request, NO_DIALOG)]
        if request.method == "INVITE":
            return self._resolve(self._reinvites.receive_invite(request, now), now)
        other = self._local.respond_to_other(request, to_tag=self._local_tag)
        return [SendResponse(request, other)]

    def _take_bye_response(self, response: Response, now: float) -> list[SessionOutput]:
        if response.status < 200:
            return []
        is_challenge = response.status in (401, 407) and self.state is State.HANGING_UP
        if is_challenge and self._digest is not None:
            answers = self._digest.learn(response, self._bye_answers)
            if answers is not None:
                self._bye_answers = answers
                return self._send_bye()
        return self._step(Input.BYE_DONE, now)

    def _lose(self, status: int, now: float) -> list[SessionOutput]:
        self._lost_status = status
        return self._step(Input.LOST, now)

    def _resolve(self, outputs: list[ReInviteOutput], now: float) -> list[SessionOutput]:
        resolved: list[SessionOutput] = []
        for output in outputs:
            if isinstance(output, Unconfirmed):
                self._lost_status = REQUEST_TIMEOUT
                resolved += self._step(Input.UNCONFIRMED, now)
            else:
                resolved.append(output)
        return resolved

    def _step(self, what: Input, now: float) -> list[SessionOutput]:
        if (self.state, what) in IGNORED:
            return []
        action, self.state = TRANSITIONS[self.state, what]
        return action(self, now)

    def _note(self, now: float) -> list[SessionOutput]:
        """Nothing is to be sent yet."""
        return []

    def _begin_bye(self, now: float) -> list[SessionOutput]:
        return [*self._resolve(self._reinvites.close(now), now), *self._send_bye()]

    def _send_bye(self) -> list[SessionOutput]:
        bye = self._bye = self.dialog.make_request("BYE")
        self._local.complete(bye.headers, offers_dialog=False)
        if self._farewell is not None:
            bye.headers.add("Reason", str(self._farewell))
        if self._digest is not None:
            self._digest.authorize(bye)
        return [SendRequest(bye)]

    def _end_by_peer(self, now: float) -> list[SessionOutput]:
        return self._end(Ended(remote=True, reason=self._peer_reason, status=None), now)

    def _end_by_us(self, now: float) -> list[SessionOutput]:
        return self._end(Ended(remote=False, reason=None, status=None), now)

    def _end_lost(self, now: float) -> list[SessionOutput]:
        """End what the peer no longer knows; a BYE in case it does (RFC 3261 §12.2.1.2)."""
        farewell = self._send_bye() if self._lost_status != NO_DIALOG else []
        ended = Ended(remote=False, reason=None, status=self._lost_status)
        return [*farewell, *self._end(ended, now)]

    def _end(self, event: Ended, now: float) -> list[SessionOutput]:
        self.dialog.terminate()
        return [*self._resolve(self._reinvites.close(now), now), event]

    def _respond(self, request: Request, status: int) -> SendResponse:
        response = self._local.respond(request, status, to_tag=self._local_tag)
        return SendResponse(request, response)


_Action: TypeAlias = Callable[[Established, float], list[SessionOutput]]
_E = Established

TRANSITIONS: Final[dict[tuple[State, Input], tuple[_Action, State]]] = {
    (State.UNACKNOWLEDGED, Input.HANG_UP): (_E._note, State.LEAVING),
    (State.UNACKNOWLEDGED, Input.PEER_BYE): (_E._end_by_peer, State.OVER),
    (State.UNACKNOWLEDGED, Input.ACKNOWLEDGED): (_E._note, State.TALKING),
    (State.UNACKNOWLEDGED, Input.UNCONFIRMED): (_E._end_lost, State.OVER),
    (State.TALKING, Input.HANG_UP): (_E._begin_bye, State.HANGING_UP),
    (State.TALKING, Input.PEER_BYE): (_E._end_by_peer, State.OVER),
    (State.TALKING, Input.UNCONFIRMED): (_E._end_lost, State.OVER),
    (State.TALKING, Input.LOST): (_E._end_lost, State.OVER),
    (State.LEAVING, Input.PEER_BYE): (_E._end_by_peer, State.OVER),
    (State.LEAVING, Input.ACKNOWLEDGED): (_E._begin_bye, State.HANGING_UP),
    (State.LEAVING, Input.UNCONFIRMED): (_E._begin_bye, State.HANGING_UP),
    (State.HANGING_UP, Input.PEER_BYE): (_E._note, State.HANGING_UP),
    (State.HANGING_UP, Input.BYE_DONE): (_E._end_by_us, State.OVER),
}
"""(state, input) -> (action, next state)."""

IGNORED: Final = frozenset(
    {
        *((State.UNACKNOWLEDGED, what) for what in (Input.LOST, Input.BYE_DONE)),
        *((State.TALKING, what) for what in (Input.ACKNOWLEDGED, Input.BYE_DONE)),
        *((State.LEAVING, what) for what in (Input.HANG_UP, Input.LOST, Input.BYE_DONE)),
        (State.HANGING_UP, Input.HANG_UP),
        (State.HANGING_UP, Input.ACKNOWLEDGED),
        (State.HANGING_UP, Input.UNCONFIRMED),
        (State.HANGING_UP, Input.LOST),
        *((State.OVER, what) for what in Input),
    }
)
"""Pairs with no effect on purpose. Both together cover every pair (tested)."""
