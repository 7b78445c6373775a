"""The one error type of SDP."""

from __future__ import annotations

from orbit_voice.kit.errors import RemoteProtocolError


class SdpError(RemoteProtocolError):
    """The peer's session description is malformed (400), of no use to us (488) or out of turn.

    ``status_hint`` says which; 491 is an offer that crossed ours (RFC 3261 §14.2).
    """
