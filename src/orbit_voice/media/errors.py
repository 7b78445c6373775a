"""What the media engine refuses, and why."""

from __future__ import annotations

from enum import StrEnum

from orbit_voice.kit.errors import OrbitError


class MediaFailure(StrEnum):
    """Why the engine could not do what it was asked for."""

    NO_PORTS = "no_ports"
    """Every port pair of the range is in use, in quarantine, or taken by another program."""
    BAD_PROMPT = "bad_prompt"
    """The file cannot be read, is not audio we know, or holds no sound."""
    BAD_RECORDING = "bad_recording"
    """The file cannot be made, exists already, or the stream records already."""
    BAD_PLAN = "bad_plan"
    """The plan names an address, codec or packet time the engine cannot serve."""
    BAD_DIGITS = "bad_digits"
    """A digit outside ``0-9 * # A-D w``, or a duration or amount out of range."""
    NOT_NEGOTIATED = "not_negotiated"
    """The peer did not agree to telephone events (RFC 4733)."""
    CLOSED = "closed"
    """The stream or the engine is closed."""
    UNAVAILABLE = "unavailable"
    """The operating system refused: descriptors, memory, an address that is not ours."""


class MediaError(OrbitError):
    """The engine refused a request; nothing was sent, heard or written because of it.

    Args:
        failure: What kind of refusal.
        detail: What exactly, for the log.
    """

    def __init__(self, failure: MediaFailure, detail: str) -> None:
        super().__init__(f"{failure}: {detail}")
        self.failure = failure
        self.detail = detail
