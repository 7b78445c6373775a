"""What all dialogs of one session have in common."""

from __future__ import annotations

from dataclasses import dataclass

from orbit_voice.sip.digest import Credentials, DigestClient
from orbit_voice.sip.randomness import Randomness
from orbit_voice.sip.sessions.local_end import LocalEnd


@dataclass(frozen=True, slots=True)
class Means:
    """What a session works with.

    Attributes:
        local: How we present ourselves.
        randomness: For tags, Retry-After and the wait after glare.
        local_tag: Our tag.
        digest: Proves who we are, or None without credentials.
    """

    local: LocalEnd
    randomness: Randomness
    local_tag: str
    digest: DigestClient | None

    @classmethod
    def of(cls, local: LocalEnd, randomness: Randomness, credentials: Credentials | None) -> Means:
        """Return the means of a new session, with a fresh tag."""
        digest = None if credentials is None else DigestClient(credentials, randomness)
        return cls(local, randomness, randomness.token(), digest)
