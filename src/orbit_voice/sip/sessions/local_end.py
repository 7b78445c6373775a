"""How we present ourselves in messages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from orbit_voice.sip.fields import Headers
from orbit_voice.sip.message import Request, Response
from orbit_voice.sip.validation import BASIC, KNOWN_METHODS, Capabilities


@dataclass(frozen=True, slots=True)
class LocalEnd:
    """Our side of every dialog.

    Attributes:
        contact: URI under which in-dialog requests reach us.
        product: For User-Agent in requests and Server in responses, or None to stay silent.
        capabilities: What Allow, Supported and Accept say.
    """

    contact: str
    product: str | None = None
    capabilities: Capabilities = BASIC

    @property
    def allow(self) -> str:
        """Value of Allow."""
        return ", ".join(self.capabilities.methods)

    def complete(self, headers: Headers, *, offers_dialog: bool) -> None:
        """Add to ``headers`` of a request what says who we are.

        Args:
            headers: Changed in place.
            offers_dialog: True for an INVITE: with Contact, Allow and Supported.
        """
        if offers_dialog:
            headers.add("Contact", f"<{self.contact}>")
            headers.add("Allow", self.allow)
            headers.add("Supported", ", ".join(self.capabilities.extensions))
        if self.product is not None:
            headers.add("User-Agent", self.product)

    def respond(
        self,
        request: Request,
        status: int,
        *,
        to_tag: str,
        reason: str | None = None,
        headers: Sequence[tuple[str, str]] = (),
        sdp: bytes | None = None,
    ) -> Response:
        """Build a response (RFC 3261 §8.2.6, §12.1.1).

        Args:
            request: What to answer.
            status: 101-699.
            to_tag: Our tag, unless To has one.
            reason: Phrase, or None for the usual one.
            headers: More header fields.
            sdp: Body, or None.
        """
        response = Response.to_request(request, status, reason, to_tag=to_tag)
        fields = response.headers
        if request.method == "INVITE" and status < 300:
            for route in request.headers.get_all("Record-Route"):
                fields.add("Record-Route", route)
            fields.add("Contact", f"<{self.contact}>")
            fields.add("Allow", self.allow)
        if self.product is not None:
            fields.add("Server", self.product)
        for name, value in headers:
            fields.add(name, value)
        attach_sdp(response, sdp)
        return response

    def respond_to_other(self, request: Request, *, to_tag: str) -> Response:
        """Answer a request that changes nothing: OPTIONS (§11.2), and methods not supported."""
        if request.method == "OPTIONS":
            headers = [
                ("Allow", self.allow),
                ("Accept", ", ".join(self.capabilities.content_types)),
                ("Supported", ", ".join(self.capabilities.extensions)),
            ]
            return self.respond(request, 200, to_tag=to_tag, headers=headers)
        status = 405 if request.method in KNOWN_METHODS else 501
        return self.respond(request, status, to_tag=to_tag, headers=[("Allow", self.allow)])


def attach_sdp(message: Request | Response, sdp: bytes | None) -> None:
    """Make ``sdp`` the body of ``message``; None leaves it without one."""
    if sdp is not None:
        message.headers.add("Content-Type", "application/sdp")
        message.body = sdp


def sdp_of(message: Request | Response) -> bytes | None:
    """Return the session description in ``message``, or None."""
    if message.body and message.content_type == "application/sdp":
        return message.body
    return None
