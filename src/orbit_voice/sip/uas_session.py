"""An inbound call: one INVITE and what grows from it (RFC 3261 §13.3, §9.2, §14, §15)."""

from __future__ import annotations

from collections.abc import Sequence

from orbit_voice.sip.digest import Credentials
from orbit_voice.sip.headers import Reason
from orbit_voice.sip.message import Request, Response
from orbit_voice.sip.randomness import Randomness
from orbit_voice.sip.session_events import FailureKind
from orbit_voice.sip.sessions.local_end import LocalEnd
from orbit_voice.sip.sessions.outputs import SessionOutput


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
        raise NotImplementedError

    @property
    def is_over(self) -> bool:
        """Whether the last event was reported."""
        raise NotImplementedError

    @property
    def is_finished(self) -> bool:
        """Whether it is over and has no deadline: forget it, but for its client transactions."""
        raise NotImplementedError

    def next_deadline(self) -> float | None:
        """Return when :meth:`tick` is next due (monotonic seconds), or None."""
        raise NotImplementedError

    def tick(self, now: float) -> list[SessionOutput]:
        """Fire every timer that is due at ``now``, earliest first."""
        raise NotImplementedError

    def ring(self, status: int, sdp: bytes | None, now: float) -> list[SessionOutput]:
        """Send a provisional response (101-199), repeated every minute (RFC 3261 §13.3.1.1)."""
        raise NotImplementedError

    def answer(self, sdp: bytes, now: float) -> list[SessionOutput]:
        """Send a 200 with our answer, or our offer when the INVITE had none."""
        raise NotImplementedError

    def reject(
        self,
        status: int,
        now: float,
        *,
        reason: str | None = None,
        headers: Sequence[tuple[str, str]] = (),
    ) -> list[SessionOutput]:
        """Refuse the call with ``status`` (300-699); after an answer, hang up."""
        raise NotImplementedError

    def hang_up(self, now: float, *, reason: Reason | None = None) -> list[SessionOutput]:
        """End the call: 480 before the answer, BYE after. Idempotent."""
        raise NotImplementedError

    def reoffer(self, sdp: bytes, now: float) -> list[SessionOutput]:
        """Send a re-INVITE with ``sdp``, as soon as no other INVITE is under way (§14.1)."""
        raise NotImplementedError

    def answer_offer(self, sdp: bytes, now: float) -> list[SessionOutput]:
        """Reply to the peer's re-INVITE with a 200."""
        raise NotImplementedError

    def refuse_offer(self, status: int, now: float) -> list[SessionOutput]:
        """Refuse the peer's re-INVITE with ``status`` (400-699)."""
        raise NotImplementedError

    def receive_response(
        self, request: Request, response: Response, now: float
    ) -> list[SessionOutput]:
        """Take a response to ``request``, the very object that was given out to be sent."""
        raise NotImplementedError

    def request_failed(
        self, request: Request, kind: FailureKind, detail: str, now: float
    ) -> list[SessionOutput]:
        """Take the news that the transaction of ``request`` ended without a final response."""
        raise NotImplementedError

    def receive_request(self, request: Request, now: float) -> list[SessionOutput]:
        """Take a request whose Call-ID and To tag are ours; an ACK for a 2xx too.

        A CANCEL when it matches an INVITE server transaction of ours; answer others with 481.
        """
        raise NotImplementedError
