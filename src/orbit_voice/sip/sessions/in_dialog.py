"""What a session does in its dialog once there is a 2xx, whoever called.

BYE both ways (RFC 3261 §15), re-INVITE both ways with glare (§14), the 2xx that is repeated until
its ACK (§13.3.1.4) and the ACK that is repeated for a 2xx (§13.2.2.4). There is at most one INVITE
under way at a time; a re-INVITE of ours waits until it is its turn.

Sans-IO, a total table: states are rows, everything that can happen is a column.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto
from typing import Final, TypeAlias

from orbit_voice.sip.dialog import Dialog
from orbit_voice.sip.headers import Reason
from orbit_voice.sip.message import Request, Response
from orbit_voice.sip.session_events import (
    Acknowledged,
    Ended,
    FailureKind,
    OfferAccepted,
    Offered,
    OfferRefused,
    OfferWithdrawn,
)
from orbit_voice.sip.sessions.acknowledgements import Acknowledgements
from orbit_voice.sip.sessions.authenticator import Authenticator
from orbit_voice.sip.sessions.glare import Glare
from orbit_voice.sip.sessions.local_end import attach_sdp, sdp_of
from orbit_voice.sip.sessions.means import Means
from orbit_voice.sip.sessions.outputs import SendRequest, SendResponse, SessionOutput
from orbit_voice.sip.timers import T1_S, T2_S, TIMEOUT_S, Timers

MAX_RETRY_AFTER_S: Final = 10
"""A second INVITE is told to wait 0 to 10 seconds (RFC 3261 §14.2)."""
GONE: Final = frozenset({408, 481})
"""Statuses that end the dialog of their request (RFC 3261 §12.2.1.2)."""


class State(Enum):
    """What is under way."""

    ACK_OWED = auto()
    """The peer's first 2xx has an offer; its ACK waits for our answer."""
    CONFIRMING = auto()
    """Our first 2xx waits for its ACK."""
    LEAVING = auto()
    """As CONFIRMING, and the BYE waits for the ACK (§15)."""
    IDLE = auto()
    """No INVITE is under way."""
    OFFERED = auto()
    """The peer's re-INVITE waits for our final response."""
    RESPONDED = auto()
    """Our 2xx to a re-INVITE waits for its ACK."""
    OFFERING = auto()
    """Our re-INVITE waits for its final response."""
    ENDING = auto()
    """Our BYE waits for its final response."""
    ENDED = auto()


class Input(Enum):
    """Everything that can happen."""

    HANG_UP = auto()
    REOFFER = auto()
    ANSWER_OFFER = auto()
    REFUSE_OFFER = auto()
    PEER_BYE = auto()
    PEER_INVITE = auto()
    PEER_CANCEL = auto()
    """Of the re-INVITE that waits."""
    PEER_ACK = auto()
    """Of the 2xx that waits."""
    REOFFER_ACCEPTED = auto()
    REOFFER_REFUSED = auto()
    REOFFER_GLARE = auto()
    REOFFER_CHALLENGED = auto()
    REOFFER_LOST = auto()
    """408, 481 or no final response at all."""
    BYE_CHALLENGED = auto()
    BYE_SETTLED = auto()
    TIMER_RETRANSMIT = auto()
    TIMER_ACK = auto()
    TIMER_REOFFER = auto()
    TIMER_LINGER = auto()


class InDialog:
    """One dialog of a call from its 2xx to its end.

    Args:
        dialog: Confirmed.
        invite: The INVITE that made it, ours or the peer's.
        means: What the session works with.
        state: Where it begins: ACK_OWED for a call we made, CONFIRMING for one we answered.

    Attributes:
        dialog: As given.
        state: Where it stands.
    """

    def __init__(self, dialog: Dialog, invite: Request, means: Means, state: State) -> None:
        self.dialog = dialog
        self.state = state
        self._invite = invite
        self._means = means
        self._authenticator = Authenticator(means.digest)
        self._acks = Acknowledgements()
        self._glare = Glare(means.randomness, owns_call_id=state is State.ACK_OWED)
        self._timers: Timers[Input] = Timers()
        self._success: Response | None = None
        self._interval_s = T1_S
        self._offer: bytes | None = None  # waits to be sent
        self._offered: bytes | None = None  # is under way
        self._backs_off = False
        self._reinvite: Request | None = None
        self._bye: Request | None = None
        self._reason: Reason | None = None
        # What the input that is being taken is about:
        self._request = invite
        self._answer: bytes | None = None
        self._status: int | None = None
        self._phrase = ""

    @classmethod
    def called(cls, dialog: Dialog, invite: Request, means: Means) -> InDialog:
        """Begin with the peer's 2xx to ``invite``; its ACK is owed."""
        return cls(dialog, invite, means, State.ACK_OWED)

    @classmethod
    def answered(
        cls, dialog: Dialog, invite: Request, success: Response, means: Means, now: float
    ) -> InDialog:
        """Begin with ``success``, our 2xx to the peer's ``invite``, sent at ``now``."""
        leg = cls(dialog, invite, means, State.CONFIRMING)
        leg._await_ack(success, now)
        return leg

    @property
    def is_over(self) -> bool:
        """Whether :class:`Ended` was reported."""
        return self.state in (State.LEAVING, State.ENDING, State.ENDED)

    def next_deadline(self) -> float | None:
        """Return when :meth:`tick` is next due (monotonic seconds), or None."""
        return self._timers.next_deadline()

    def tick(self, now: float) -> list[SessionOutput]:
        """Fire every timer that is due at ``now``, earliest first."""
        outputs: list[SessionOutput] = []
        while (timer := self._timers.pop_due(now)) is not None:
            self._status = 408
            outputs += self._step(timer, now)
        return outputs

    def acknowledge(self, now: float) -> list[SessionOutput]:
        """Send the ACK that is owed without a body: our INVITE had the offer."""
        self._answer = None
        return self._step(Input.ANSWER_OFFER, now)

    def hang_up(self, now: float, *, reason: Reason | None = None) -> list[SessionOutput]:
        """Send BYE, as soon as it may be sent. Idempotent."""
        if not self.is_over:
            self._reason = reason
        self._status = None
        return self._step(Input.HANG_UP, now)

    def reoffer(self, sdp: bytes, now: float) -> list[SessionOutput]:
        """Send a re-INVITE as soon as it may be sent; it takes the place of one that waits."""
        self._answer = sdp
        return self._step(Input.REOFFER, now)

    def answer_offer(self, sdp: bytes, now: float) -> list[SessionOutput]:
        """Accept the peer's offer."""
        self._answer = sdp
        return self._step(Input.ANSWER_OFFER, now)

    def refuse_offer(self, status: int, now: float) -> list[SessionOutput]:
        """Refuse the peer's offer; its first one only goes away with the call."""
        self._status = status
        return self._step(Input.REFUSE_OFFER, now)

    def receive_request(self, request: Request, now: float) -> list[SessionOutput]:
        """Take a request with our tag and the peer's."""
        self._request = request
        if request.method == "ACK":
            return self._receive_ack(request, now)
        if request.method == "CANCEL":
            return self._receive_cancel(request, now)
        if (refusal := self.dialog.receive_request(request)) is not None:
            return [self._respond(request, refusal)]
        if request.method == "BYE":
            return self._step(Input.PEER_BYE, now)
        if request.method == "INVITE":
            return self._step(Input.PEER_INVITE, now)
        tag = self._means.local_tag
        return [SendResponse(request, self._means.local.respond_to_other(request, to_tag=tag))]

    def receive_response(
        self, request: Request, response: Response, now: float
    ) -> list[SessionOutput]:
        """Take a response to a request of this dialog; a repeated 2xx to its INVITE too."""
        if response.status < 200:
            return []
        if request is self._bye:
            return self._step(self._sort_bye(request, response), now)
        if response.status < 300 and (ack := self._acks.repeat(request)) is not None:
            return [ack]
        if request is not self._reinvite:
            return []
        self._status, self._phrase = response.status, response.reason
        if response.status < 300:
            self.dialog.refresh_target(response)
            self._answer = sdp_of(response)
        return self._step(self._sort_reoffer(request, response), now)

    def request_failed(
        self, request: Request, kind: FailureKind, now: float
    ) -> list[SessionOutput]:
        """Take the news that ``request`` got no final response (RFC 3261 §8.1.3.1)."""
        if request is self._bye:
            return self._step(Input.BYE_SETTLED, now)
        if request is not self._reinvite:
            return []
        self._status = 408 if kind is FailureKind.TIMEOUT else 503
        return self._step(Input.REOFFER_LOST, now)

    def _step(self, what: Input, now: float) -> list[SessionOutput]:
        if (self.state, what) in IGNORED:
            return []
        action, self.state = TRANSITIONS[self.state, what]
        outputs = action(self, now)
        if self.state is State.IDLE and self._offer is not None and not self._backs_off:
            outputs += self._step(Input.TIMER_REOFFER, now)
        return outputs

    def _receive_ack(self, ack: Request, now: float) -> list[SessionOutput]:
        if ack.cseq.number != self._invite.cseq.number:
            return []
        self._answer = sdp_of(ack)
        return self._step(Input.PEER_ACK, now)

    def _receive_cancel(self, cancel: Request, now: float) -> list[SessionOutput]:
        """A CANCEL found its transaction: 200, also when it comes too late (RFC 3261 §9.2)."""
        outputs: list[SessionOutput] = [self._respond(cancel, 200)]
        if cancel.cseq.number == self._invite.cseq.number:
            outputs += self._step(Input.PEER_CANCEL, now)
        return outputs

    def _sort_bye(self, request: Request, response: Response) -> Input:
        if self._authenticator.take_challenge(request, response):
            return Input.BYE_CHALLENGED
        return Input.BYE_SETTLED

    def _sort_reoffer(self, request: Request, response: Response) -> Input:
        if response.status < 300:
            return Input.REOFFER_ACCEPTED
        if response.status in GONE:
            return Input.REOFFER_LOST
        if response.status == 491:
            return Input.REOFFER_GLARE
        if self._authenticator.take_challenge(request, response):
            return Input.REOFFER_CHALLENGED
        return Input.REOFFER_REFUSED

    # Ending

    def _leave(self, now: float) -> list[SessionOutput]:
        return [self._ended()]

    def _end(self, now: float) -> list[SessionOutput]:
        return [*self._send_bye(now), self._ended()]

    def _end_unacknowledged(self, now: float) -> list[SessionOutput]:
        """RFC 3261 §13.2.2.4: a 2xx that is of no use is acknowledged all the same."""
        return [self._acks.send(self.dialog.make_ack(self._invite)), *self._end(now)]

    def _end_offered(self, now: float) -> list[SessionOutput]:
        return [self._respond(self._invite, 487), *self._end(now)]

    def _send_bye(self, now: float) -> list[SessionOutput]:
        self._timers.clear()
        self._timers.start(Input.TIMER_LINGER, now + TIMEOUT_S)
        bye = self._bye = self._make("BYE")
        if self._reason is not None:
            bye.headers.add("Reason", str(self._reason))
        return [SendRequest(bye)]

    def _end_remotely(self, now: float) -> list[SessionOutput]:
        return [*self._confirm_bye(now), Ended(True, reason_text(self._request), None)]

    def _end_offered_remotely(self, now: float) -> list[SessionOutput]:
        """RFC 3261 §15.1.2: what is pending gets 487."""
        refusal = self._respond(self._invite, 487)
        ended = Ended(True, reason_text(self._request), None)
        return [*self._confirm_bye(now), refusal, ended]

    def _confirm_bye(self, now: float) -> list[SessionOutput]:
        self._finish(now)
        return [self._respond(self._request, 200)]

    def _finish(self, now: float) -> list[SessionOutput]:
        self._timers.clear()
        self.dialog.terminate()
        return []

    def _ended(self) -> Ended:
        """Say how it ended; a peer that knows nothing of the dialog has ended it (§12.2.1.2)."""
        return Ended(self._status == 481, None, self._status)

    # Offers of the peer

    def _take_offer(self, now: float) -> list[SessionOutput]:
        self._invite = self._request
        return [Offered(sdp_of(self._request))]

    def _accept_offer(self, now: float) -> list[SessionOutput]:
        self.dialog.refresh_target(self._invite)
        means = self._means
        success = means.local.respond(self._invite, 200, to_tag=means.local_tag, sdp=self._answer)
        self._await_ack(success, now)
        return [SendResponse(self._invite, success)]

    def _refuse_offer(self, now: float) -> list[SessionOutput]:
        assert self._status is not None
        return [self._respond(self._invite, self._status)]

    def _withdraw_offer(self, now: float) -> list[SessionOutput]:
        return [self._respond(self._invite, 487), OfferWithdrawn()]

    def _refuse_pending(self, now: float) -> list[SessionOutput]:
        """RFC 3261 §14.2: an INVITE of ours, or the ACK to a 2xx of ours, is under way."""
        return [self._respond(self._request, 491)]

    def _refuse_second(self, now: float) -> list[SessionOutput]:
        """RFC 3261 §14.2: an earlier INVITE of the peer has no final response yet."""
        return [refuse_second_invite(self._request, self._means)]

    def _refuse_unknown(self, now: float) -> list[SessionOutput]:
        return [self._respond(self._request, 481)]

    # The 2xx we sent

    def _await_ack(self, success: Response, now: float) -> None:
        self._success = success
        self._interval_s = T1_S
        self._timers.start(Input.TIMER_RETRANSMIT, now + T1_S)
        self._timers.start(Input.TIMER_ACK, now + TIMEOUT_S)

    def _repeat_success(self, now: float) -> list[SessionOutput]:
        assert self._success is not None
        self._interval_s = min(2 * self._interval_s, T2_S)
        self._timers.start(Input.TIMER_RETRANSMIT, now + self._interval_s)
        return [SendResponse(self._invite, self._success)]

    def _take_first_ack(self, now: float) -> list[SessionOutput]:
        self._stop_repeating()
        return [Acknowledged(self._answer if sdp_of(self._invite) is None else None)]

    def _take_ack(self, now: float) -> list[SessionOutput]:
        self._stop_repeating()
        return [] if sdp_of(self._invite) is not None else [OfferAccepted(self._answer)]

    def _stop_repeating(self) -> None:
        self._timers.stop(Input.TIMER_RETRANSMIT)
        self._timers.stop(Input.TIMER_ACK)

    # Offers of ours

    def _send_owed_ack(self, now: float) -> list[SessionOutput]:
        ack = self.dialog.make_ack(self._invite)
        attach_sdp(ack, self._answer)
        return [self._acks.send(ack)]

    def _keep_offer(self, now: float) -> list[SessionOutput]:
        self._offer = self._answer
        return []

    def _stop_waiting(self, now: float) -> list[SessionOutput]:
        self._backs_off = False
        return []

    def _send_reoffer(self, now: float) -> list[SessionOutput]:
        self._backs_off = False
        if self._offer is not None:
            self._offered, self._offer = self._offer, None
        reinvite = self._reinvite = self._make("INVITE")
        attach_sdp(reinvite, self._offered)
        return [SendRequest(reinvite)]

    def _take_answer(self, now: float) -> list[SessionOutput]:
        ack = self._acknowledge_reoffer(now)
        self._settle_reoffer()
        return [*ack, OfferAccepted(self._answer)]

    def _acknowledge_reoffer(self, now: float) -> list[SessionOutput]:
        assert self._reinvite is not None
        return [self._acks.send(self.dialog.make_ack(self._reinvite))]

    def _take_refusal(self, now: float) -> list[SessionOutput]:
        assert self._status is not None
        self._settle_reoffer()
        return [OfferRefused(self._status, self._phrase)]

    def _back_off(self, now: float) -> list[SessionOutput]:
        wait_s = self._glare.next_wait_s()
        if wait_s is None:
            return self._take_refusal(now)
        if self._offer is None:
            self._offer = self._offered
        self._backs_off = True
        self._timers.start(Input.TIMER_REOFFER, now + wait_s)
        return []

    def _settle_reoffer(self) -> None:
        self._glare.settle()
        self._authenticator.settle("INVITE")
        self._reinvite = None

    # Messages

    def _make(self, method: str) -> Request:
        request = self.dialog.make_request(method)
        self._means.local.complete(request.headers, offers_dialog=method == "INVITE")
        self._authenticator.authorize(request)
        return request

    def _respond(self, request: Request, status: int) -> SendResponse:
        means = self._means
        return SendResponse(request, means.local.respond(request, status, to_tag=means.local_tag))


def refuse_second_invite(invite: Request, means: Means) -> SendResponse:
    """Refuse an INVITE that came while an earlier one waits for its final response (§14.2)."""
    wait = means.randomness.below(MAX_RETRY_AFTER_S + 1)
    headers = [("Retry-After", str(wait))]
    response = means.local.respond(invite, 500, to_tag=means.local_tag, headers=headers)
    return SendResponse(invite, response)


def reason_text(request: Request) -> str | None:
    """Return the text of the first Reason that has one (RFC 3326), or None."""
    return next((reason.text for reason in request.reasons if reason.text is not None), None)


_Action: TypeAlias = Callable[[InDialog, float], list[SessionOutput]]
_D = InDialog

TRANSITIONS: Final[dict[tuple[State, Input], tuple[_Action, State]]] = {
    (State.ACK_OWED, Input.HANG_UP): (_D._end_unacknowledged, State.ENDING),
    (State.ACK_OWED, Input.REOFFER): (_D._keep_offer, State.ACK_OWED),
    (State.ACK_OWED, Input.ANSWER_OFFER): (_D._send_owed_ack, State.IDLE),
    (State.ACK_OWED, Input.REFUSE_OFFER): (_D._end_unacknowledged, State.ENDING),
    (State.ACK_OWED, Input.PEER_BYE): (_D._end_remotely, State.ENDED),
    (State.ACK_OWED, Input.PEER_INVITE): (_D._refuse_pending, State.ACK_OWED),
    (State.CONFIRMING, Input.HANG_UP): (_D._leave, State.LEAVING),
    (State.CONFIRMING, Input.REOFFER): (_D._keep_offer, State.CONFIRMING),
    (State.CONFIRMING, Input.PEER_BYE): (_D._end_remotely, State.ENDED),
    (State.CONFIRMING, Input.PEER_INVITE): (_D._refuse_pending, State.CONFIRMING),
    (State.CONFIRMING, Input.PEER_ACK): (_D._take_first_ack, State.IDLE),
    (State.CONFIRMING, Input.TIMER_RETRANSMIT): (_D._repeat_success, State.CONFIRMING),
    (State.CONFIRMING, Input.TIMER_ACK): (_D._end, State.ENDING),
    (State.LEAVING, Input.PEER_BYE): (_D._confirm_bye, State.ENDED),
    (State.LEAVING, Input.PEER_INVITE): (_D._refuse_unknown, State.LEAVING),
    (State.LEAVING, Input.PEER_ACK): (_D._send_bye, State.ENDING),
    (State.LEAVING, Input.TIMER_RETRANSMIT): (_D._repeat_success, State.LEAVING),
    (State.LEAVING, Input.TIMER_ACK): (_D._send_bye, State.ENDING),
    (State.IDLE, Input.HANG_UP): (_D._end, State.ENDING),
    (State.IDLE, Input.REOFFER): (_D._keep_offer, State.IDLE),
    (State.IDLE, Input.PEER_BYE): (_D._end_remotely, State.ENDED),
    (State.IDLE, Input.PEER_INVITE): (_D._take_offer, State.OFFERED),
    (State.IDLE, Input.TIMER_REOFFER): (_D._send_reoffer, State.OFFERING),
    (State.OFFERED, Input.HANG_UP): (_D._end_offered, State.ENDING),
    (State.OFFERED, Input.REOFFER): (_D._keep_offer, State.OFFERED),
    (State.OFFERED, Input.ANSWER_OFFER): (_D._accept_offer, State.RESPONDED),
    (State.OFFERED, Input.REFUSE_OFFER): (_D._refuse_offer, State.IDLE),
    (State.OFFERED, Input.PEER_BYE): (_D._end_offered_remotely, State.ENDED),
    (State.OFFERED, Input.PEER_INVITE): (_D._refuse_second, State.OFFERED),
    (State.OFFERED, Input.PEER_CANCEL): (_D._withdraw_offer, State.IDLE),
    (State.OFFERED, Input.TIMER_REOFFER): (_D._stop_waiting, State.OFFERED),
    (State.RESPONDED, Input.HANG_UP): (_D._end, State.ENDING),
    (State.RESPONDED, Input.REOFFER): (_D._keep_offer, State.RESPONDED),
    (State.RESPONDED, Input.PEER_BYE): (_D._end_remotely, State.ENDED),
    (State.RESPONDED, Input.PEER_INVITE): (_D._refuse_pending, State.RESPONDED),
    (State.RESPONDED, Input.PEER_ACK): (_D._take_ack, State.IDLE),
    (State.RESPONDED, Input.TIMER_RETRANSMIT): (_D._repeat_success, State.RESPONDED),
    (State.RESPONDED, Input.TIMER_ACK): (_D._end, State.ENDING),
    (State.RESPONDED, Input.TIMER_REOFFER): (_D._stop_waiting, State.RESPONDED),
    (State.OFFERING, Input.HANG_UP): (_D._end, State.ENDING),
    (State.OFFERING, Input.REOFFER): (_D._keep_offer, State.OFFERING),
    (State.OFFERING, Input.PEER_BYE): (_D._end_remotely, State.ENDED),
    (State.OFFERING, Input.PEER_INVITE): (_D._refuse_pending, State.OFFERING),
    (State.OFFERING, Input.REOFFER_ACCEPTED): (_D._take_answer, State.IDLE),
    (State.OFFERING, Input.REOFFER_REFUSED): (_D._take_refusal, State.IDLE),
    (State.OFFERING, Input.REOFFER_GLARE): (_D._back_off, State.IDLE),
    (State.OFFERING, Input.REOFFER_CHALLENGED): (_D._send_reoffer, State.OFFERING),
    (State.OFFERING, Input.REOFFER_LOST): (_D._end, State.ENDING),
    (State.ENDING, Input.PEER_BYE): (_D._confirm_bye, State.ENDED),
    (State.ENDING, Input.PEER_INVITE): (_D._refuse_unknown, State.ENDING),
    (State.ENDING, Input.REOFFER_ACCEPTED): (_D._acknowledge_reoffer, State.ENDING),
    (State.ENDING, Input.BYE_CHALLENGED): (_D._send_bye, State.ENDING),
    (State.ENDING, Input.BYE_SETTLED): (_D._finish, State.ENDED),
    (State.ENDING, Input.TIMER_LINGER): (_D._finish, State.ENDED),
    (State.ENDED, Input.REOFFER_ACCEPTED): (_D._acknowledge_reoffer, State.ENDED),
}
"""(state, input) -> (action, next state)."""

_OF_PENDING_INVITE: Final = (Input.ANSWER_OFFER, Input.REFUSE_OFFER, Input.PEER_CANCEL)
_OF_REOFFER: Final = (
    Input.REOFFER_REFUSED,
    Input.REOFFER_GLARE,
    Input.REOFFER_CHALLENGED,
    Input.REOFFER_LOST,
)
_OF_BYE: Final = (Input.BYE_CHALLENGED, Input.BYE_SETTLED, Input.TIMER_LINGER)
_OF_SUCCESS: Final = (Input.PEER_ACK, Input.TIMER_RETRANSMIT, Input.TIMER_ACK)
_BEFORE_REOFFER: Final = (*_OF_REOFFER, Input.REOFFER_ACCEPTED)

IGNORED: Final = frozenset(
    {
        *((State.ACK_OWED, what) for what in (*_OF_SUCCESS, *_BEFORE_REOFFER, *_OF_BYE)),
        (State.ACK_OWED, Input.PEER_CANCEL),
        (State.ACK_OWED, Input.TIMER_REOFFER),
        *((State.CONFIRMING, what) for what in (*_OF_PENDING_INVITE, *_BEFORE_REOFFER, *_OF_BYE)),
        (State.CONFIRMING, Input.TIMER_REOFFER),
        *((State.LEAVING, what) for what in (*_OF_PENDING_INVITE, *_BEFORE_REOFFER, *_OF_BYE)),
        (State.LEAVING, Input.HANG_UP),
        (State.LEAVING, Input.REOFFER),
        (State.LEAVING, Input.TIMER_REOFFER),
        *((State.IDLE, what) for what in (*_OF_PENDING_INVITE, *_OF_SUCCESS)),
        *((State.IDLE, what) for what in (*_BEFORE_REOFFER, *_OF_BYE)),
        *((State.OFFERED, what) for what in (*_OF_SUCCESS, *_BEFORE_REOFFER, *_OF_BYE)),
        *((State.RESPONDED, what) for what in (*_OF_PENDING_INVITE, *_BEFORE_REOFFER, *_OF_BYE)),
        *((State.OFFERING, what) for what in (*_OF_PENDING_INVITE, *_OF_SUCCESS, *_OF_BYE)),
        (State.OFFERING, Input.TIMER_REOFFER),
        *((State.ENDING, what) for what in (*_OF_PENDING_INVITE, *_OF_SUCCESS, *_OF_REOFFER)),
        (State.ENDING, Input.HANG_UP),
        (State.ENDING, Input.REOFFER),
        (State.ENDING, Input.TIMER_REOFFER),
        *((State.ENDED, what) for what in Input if what is not Input.REOFFER_ACCEPTED),
    }
)
"""Pairs with no effect on purpose: an ACK that comes again, a timer that was stopped, a command
after the end. Table and IGNORED together cover every pair (tested)."""
