"""How a media stream runs: what was negotiated, and what we allow the network to do."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Self

from orbit_voice.sdp.plan import AudioPlan


@dataclass(frozen=True, slots=True)
class StreamPlan(AudioPlan):
    """What SDP agreed on, and how far the peer's packets are trusted.

    Attributes:
        symmetric: The peer may sit behind a NAT: send to where its first valid packet came from
            (latched once). False: only packets from the signalled address and port count.
        media_timeout_s: Report :class:`~orbit_voice.media.events.MediaTimedOut` after so many
            seconds without a packet while ``receives``; None: never. 0.1-86400.
    """

    symmetric: bool = False
    media_timeout_s: float | None = None

    @classmethod
    def of(
        cls, audio: AudioPlan, *, symmetric: bool = False, media_timeout_s: float | None = None
    ) -> Self:
        """Return ``audio`` with the trust that the trunk's settings give it."""
        agreed = {field.name: getattr(audio, field.name) for field in fields(AudioPlan)}
        return cls(**agreed, symmetric=symmetric, media_timeout_s=media_timeout_s)
