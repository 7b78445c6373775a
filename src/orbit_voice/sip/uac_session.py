"""An outbound call: one INVITE and what grows from it (RFC 3261 §13.2, §9.1, §14, §15)."""

from __future__ import annotations

from collections.abc import Sequence

from orbit_voice.sip.digest import Credentials
from orbit_voice.sip.headers import NameAddr, Reason
from orbit_voice.sip.message import Request, Response
from orbit_voice.sip.randomness import Randomness
from orbit_voice.sip.session_events import FailureKind
from orbit_voice.sip.sessions.local_end import LocalEnd
from orbit_voice.sip.sessions.outputs import SessionOutput


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

    def start(self, now: float) -> list[SessionOutput]:
        """Send the INVITE."""
        raise NotImplementedError

    def hang_up(self, now: float, *, reason: Reason | None = None) -> list[SessionOutput]:
        """End the call: CANCEL before the final response, BYE after. Idempotent.

        Args:
            now: Monotonic seconds.
            reason: Reason header field for the CANCEL or BYE (RFC 3326), or None.
        """
        raise NotImplementedError

    def reoffer(self, sdp: bytes, now: float) -> list[SessionOutput]:
        """Send a re-INVITE with ``sdp``, as soon as no other INVITE is under way (§14.1)."""
        raise NotImplementedError

    def answer_offer(self, sdp: bytes, now: float) -> list[SessionOutput]:
        """Reply to the peer's offer: 200 to its re-INVITE, or the ACK with our answer."""
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

        A CANCEL only when it matches an INVITE server transaction; answer others with 481.
        """
        raise NotImplementedError
