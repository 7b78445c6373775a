"""What a negotiation comes to."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AudioPlan:
    """How to run the one audio stream both sides agreed on.

    Attributes:
        remote_address: Numeric. ``0.0.0.0`` or ``::`` when the peer named nowhere to send to: then
            neither RTP nor RTCP may be sent (RFC 3264 §8.4), and ``sends`` is False.
        remote_rtp_port: 1-65535.
        remote_rtcp_port: 1-65535; equal to the RTP port with ``rtcp_mux``.
        rtcp_mux: Whether RTP and RTCP share a port, at both ends (RFC 5761).
        codec: ``PCMU`` or ``PCMA``, both ways.
        send_payload_type: What the peer expects, 0-127.
        receive_payload_type: What we told the peer to send, 0-127.
        telephone_event_send: Payload type for RFC 4733 events we send; None: not agreed on.
        telephone_event_receive: Payload type for events we receive; None: not agreed on.
        ptime_ms: What a packet we send holds.
        sends: Whether we may send media.
        receives: Whether media from the peer is wanted.
    """

    remote_address: str
    remote_rtp_port: int
    remote_rtcp_port: int
    rtcp_mux: bool
    codec: str
    send_payload_type: int
    receive_payload_type: int
    telephone_event_send: int | None
    telephone_event_receive: int | None
    ptime_ms: int
    sends: bool
    receives: bool
