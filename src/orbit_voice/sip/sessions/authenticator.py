"""Credentials for the requests of one dialog (RFC 3261 §22)."""

from __future__ import annotations

from typing import Final

from orbit_voice.sip.digest import NO_ANSWERS, Answers, DigestClient
from orbit_voice.sip.message import Request, Response

CHALLENGES: Final = frozenset({401, 407})
"""Statuses that ask for credentials (RFC 3261 §22.2, §22.3)."""


class Authenticator:
    """Says whether a challenged request is worth another try.

    Args:
        digest: Knows the credentials and the challenges of the call, or None without any. Several
            dialogs of one call share it.
    """

    __slots__ = ("_answers", "_digest")

    def __init__(self, digest: DigestClient | None) -> None:
        self._digest = digest
        self._answers: dict[str, Answers] = {}

    def authorize(self, request: Request) -> None:
        """Put the credentials for what was met so far into ``request``, which has none yet."""
        if self._digest is not None:
            self._digest.authorize(request)

    def take_challenge(self, request: Request, response: Response) -> bool:
        """Learn from a response; return True when ``request`` should be made once more.

        There is one request of a method at a time, so the method names the count of its tries.
        """
        if self._digest is None or response.status not in CHALLENGES:
            return False
        before = self._answers.get(request.method, NO_ANSWERS)
        answers = self._digest.learn(response, before)
        if answers is None:
            return False
        self._answers[request.method] = answers
        return True

    def settle(self, method: str) -> None:
        """Forget the tries: the request had another answer, and the next one begins anew."""
        self._answers.pop(method, None)
