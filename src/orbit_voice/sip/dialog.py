"""Dialogs: what two user agents remember of each other (RFC 3261 §12).

Sans-IO and without time: a :class:`Dialog` makes the requests that are sent inside it, and judges
those that arrive. Messages given to it were let through by :mod:`orbit_voice.sip.validation`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from enum import Enum, auto
from typing import Final

from orbit_voice.sip.fields import Headers
from orbit_voice.sip.headers import NameAddr
from orbit_voice.sip.message import Request, Response
from orbit_voice.sip.uri import SipUri, Uri

INITIAL_MAX_FORWARDS: Final = "70"
"""Hops a request may take (RFC 3261 §8.1.1.6)."""
_CREDENTIALS: Final = ("Authorization", "Proxy-Authorization")


class DialogState(Enum):
    """Life of a dialog (RFC 3261 §12); it only moves forward."""

    EARLY = auto()
    CONFIRMED = auto()
    TERMINATED = auto()


class Dialog:
    """One dialog. Made by :meth:`from_uac` and :meth:`from_uas`.

    Attributes:
        state: Where its life stands.
        call_id: The Call-ID.
        local: Our address with our tag, as From or To was written.
        remote: The peer's address with its tag.
        remote_tag: The peer's tag; empty with an RFC 2543 peer (§12.1.1).
        local_number: CSeq number of our latest request; 0 before the first.
        remote_number: CSeq number of the peer's latest request, or None.
        remote_target: Where requests are for: the peer's Contact, fit for a Request-URI.
        routes: The route set, nearest hop first.
    """

    __slots__ = (
        "call_id",
        "local",
        "local_number",
        "remote",
        "remote_number",
        "remote_tag",
        "remote_target",
        "routes",
        "state",
    )

    def __init__(
        self,
        *,
        call_id: str,
        local: str,
        remote: str,
        remote_tag: str | None,
        local_number: int,
        remote_number: int | None,
        remote_target: str,
        routes: Sequence[NameAddr],
    ) -> None:
        self.state = DialogState.EARLY
        self.call_id = call_id
        self.local = local
        self.remote = remote
        self.remote_tag = remote_tag or ""
        self.local_number = local_number
        self.remote_number = remote_number
        self.remote_target = remote_target
        self.routes = tuple(routes)

    @classmethod
    def from_uac(cls, request: Request, response: Response) -> Dialog:
        """Begin the dialog that ``response`` to our ``request`` creates (RFC 3261 §12.1.2).

        Args:
            request: The INVITE as it was sent.
            response: 101-299. One without Contact leaves the Request-URI as target.
        """
        dialog = cls(
            call_id=request.call_id,
            local=request.headers.require("From"),
            remote=response.headers.require("To"),
            remote_tag=response.to_tag,
            local_number=request.cseq.number,
            remote_number=None,
            remote_target=request.uri,
            routes=response.record_routes[::-1],
        )
        dialog.refresh_target(response)
        if response.status >= 200:
            dialog.confirm(response)
        return dialog

    @classmethod
    def from_uas(cls, request: Request, response: Response) -> Dialog:
        """Begin the dialog that our ``response`` to ``request`` creates (RFC 3261 §12.1.1).

        Args:
            request: The INVITE as it came. One without Contact leaves its From as target.
            response: 101-299, with our tag.
        """
        dialog = cls(
            call_id=request.call_id,
            local=response.headers.require("To"),
            remote=request.headers.require("From"),
            remote_tag=request.from_tag,
            local_number=0,
            remote_number=request.cseq.number,
            remote_target=_as_request_uri(request.from_.uri),
            routes=request.record_routes,
        )
        dialog.refresh_target(request)
        if response.status >= 200:
            dialog.confirm()
        return dialog

    def confirm(self, response: Response | None = None) -> None:
        """Become confirmed, by our own 2xx or by the peer's.

        Args:
            response: The peer's 2xx. Its Record-Route replaces the route set, since a provisional
                response may have come without one (RFC 3261 §13.2.2.4).
        """
        if self.state is DialogState.EARLY:
            self.state = DialogState.CONFIRMED
        if response is not None:
            self.routes = tuple(response.record_routes[::-1])
            self.refresh_target(response)

    def terminate(self) -> None:
        """End it."""
        self.state = DialogState.TERMINATED

    def refresh_target(self, message: Request | Response) -> None:
        """Take the Contact of a target refresh request, or of its 2xx (RFC 3261 §12.2).

        The route set stays as it is.
        """
        if contacts := message.contacts:
            self.remote_target = _as_request_uri(contacts[0].uri)

    def make_request(self, method: str) -> Request:
        """Build a request inside the dialog, without Via (RFC 3261 §12.2.1.1).

        Args:
            method: Not ACK and not CANCEL, which have no CSeq number of their own.
        """
        self.local_number += 1
        return self._make(method, self.local_number)

    def make_ack(self, invite: Request) -> Request:
        """Build the ACK for a 2xx to ``invite``, without Via (RFC 3261 §13.2.2.4).

        It has the CSeq number of the INVITE and its credentials.
        """
        ack = self._make("ACK", invite.cseq.number)
        for name in _CREDENTIALS:
            for value in invite.headers.get_all(name):
                ack.headers.add(name, value)
        return ack

    def receive_request(self, request: Request) -> int | None:
        """Judge a request that carries our tag and Call-ID (RFC 3261 §12.2.2).

        Args:
            request: Not ACK and not CANCEL: those are found by the request they belong to.

        Returns:
            None when it is in order, and its CSeq number is remembered; else the status to refuse
            it with: 481 for another dialog or none, 500 for one that comes out of order.
        """
        if self.state is DialogState.TERMINATED or not self.is_from_peer(request):
            return 481
        number = request.cseq.number
        if self.remote_number is not None and number < self.remote_number:
            return 500
        self.remote_number = number
        return None

    def is_from_peer(self, request: Request) -> bool:
        """Whether ``request`` carries the peer's tag."""
        return (request.from_tag or "") == self.remote_tag

    def _make(self, method: str, number: int) -> Request:
        uri, routes = self._way()
        entries = [("Route", route) for route in routes]
        entries += [
            ("Max-Forwards", INITIAL_MAX_FORWARDS),
            ("From", self.local),
            ("To", self.remote),
            ("Call-ID", self.call_id),
            ("CSeq", f"{number} {method}"),
        ]
        return Request(method, uri, Headers(entries))

    def _way(self) -> tuple[str, list[str]]:
        """Return the Request-URI and the Route values, for loose and for strict routers."""
        if not self.routes:
            return self.remote_target, []
        first = self.routes[0].uri
        if not isinstance(first, SipUri) or first.is_loose_router:
            return self.remote_target, [str(route) for route in self.routes]
        rest = [str(route) for route in self.routes[1:]]
        return _as_request_uri(first), [*rest, f"<{self.remote_target}>"]


def _as_request_uri(uri: Uri) -> str:
    """Write ``uri`` without what a Request-URI may not hold (RFC 3261 §19.1.1, table 1)."""
    if isinstance(uri, SipUri) and (uri.headers or "method" in uri.params):
        uri = replace(uri, headers=(), params=uri.params.without("method"))
    return str(uri)
