"""What the SDP tests share."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from orbit_voice.sdp.offer_answer import AudioNegotiation


@pytest.fixture
def negotiation() -> Callable[..., AudioNegotiation]:
    """Make a negotiation of ours; keyword arguments replace the defaults."""

    def make(**changes: object) -> AudioNegotiation:
        defaults: dict[str, object] = {
            "local_address": "192.0.2.1",
            "local_rtp_port": 20000,
            "codecs": ("PCMU", "PCMA"),
            "session_id": 77,
        }
        return AudioNegotiation(**{**defaults, **changes})  # type: ignore[arg-type]

    return make
