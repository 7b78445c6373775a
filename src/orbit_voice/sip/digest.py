"""Digest authentication as a client (RFC 7616, RFC 8760; RFC 2617 and 2069 peers).

Sans-IO. A :class:`DigestClient` belongs to one call: it learns the challenges it meets and puts
credentials into every later request of that call (RFC 3261 §22.3), each with a nonce count of its
own. It answers a realm once per request, and once more when the nonce was merely stale, so that no
server can keep us retrying.

Of several challenges of one realm the strongest we know is answered, whatever their order: the
order is under the control of whoever sits on the path (RFC 8760 §2.4 and §3). Only ``qop=auth`` is
chosen; proxies and session border controllers change bodies, so ``auth-int`` would fail. What we
cannot answer is skipped.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from orbit_voice.kit.errors import LocalProtocolError
from orbit_voice.sip.grammar import ParseError
from orbit_voice.sip.headers import Authorization, Challenge
from orbit_voice.sip.message import Request, Response
from orbit_voice.sip.params import Params
from orbit_voice.sip.randomness import Randomness

MAX_ANSWERS: Final = 4
"""Challenges answered for the sake of one request: two realms, both once stale."""
MAX_CHALLENGES: Final = 8
"""Challenges looked at in one response, and realms remembered in one call."""

Space: TypeAlias = tuple[str, str]
"""A protection space: the header field that carries its credentials, and its realm."""
Answers: TypeAlias = Mapping[Space, int]
"""How often each space was answered for the sake of one request."""
NO_ANSWERS: Final[Answers] = {}
"""Before the first response."""

_FIELDS: Final = {
    "WWW-Authenticate": "Authorization",
    "Proxy-Authenticate": "Proxy-Authorization",
}
"""Where a challenge stands to where its credentials go."""


def _md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


_HASHES: Final[dict[str, Callable[[bytes], str]]] = {"md5": _md5, "sha-256": _sha256}
_STRENGTH: Final = ("md5", "md5-sess", "sha-256", "sha-256-sess")
"""Algorithms known, weakest first, lower case (RFC 7616 §3.3: names have no case)."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What one user proves to know.

    Attributes:
        username: Neither CR nor LF nor NUL.
        password: In clear.
        realm: The only realm they are used for, or None for any that asks.

    Raises:
        LocalProtocolError: The user name would break out of its line, or is no Unicode text.
    """

    username: str
    password: str = field(repr=False)
    realm: str | None = None

    def __post_init__(self) -> None:
        if any(character in self.username for character in "\r\n\0"):
            raise LocalProtocolError("a user name holds a control character")
        try:
            f"{self.username}{self.password}".encode()
        except UnicodeEncodeError as error:
            raise LocalProtocolError("credentials are no Unicode text") from error


def digest_response(
    algorithm: str,
    *,
    username: str,
    realm: str,
    password: str,
    nonce: str,
    method: str,
    uri: str,
    qop: str | None = None,
    nonce_count: str = "",
    cnonce: str = "",
) -> str:
    """Compute the ``response`` parameter (RFC 7616 §3.4.1 to §3.4.3).

    Args:
        algorithm: ``MD5``, ``MD5-sess``, ``SHA-256`` or ``SHA-256-sess``; case does not matter.
        username: Unquoted, as are all others.
        realm: Of the challenge.
        password: In clear.
        nonce: Of the challenge.
        method: Of the request.
        uri: The ``uri`` parameter.
        qop: ``auth``, or None as in RFC 2069.
        nonce_count: The ``nc`` parameter, eight hexadecimal digits.
        cnonce: The ``cnonce`` parameter.

    Raises:
        LocalProtocolError: The algorithm is unknown.
    """
    name = algorithm.lower()
    if name not in _STRENGTH:
        raise LocalProtocolError("a digest algorithm is unknown", section="RFC 7616 §3.3")
    hash_ = _HASHES[name.removesuffix("-sess")]
    secret = hash_(f"{username}:{realm}:{password}".encode())
    if name.endswith("-sess"):
        secret = hash_(f"{secret}:{nonce}:{cnonce}".encode())
    subject = hash_(f"{method}:{uri}".encode())
    if qop is None:
        return hash_(f"{secret}:{nonce}:{subject}".encode())
    return hash_(f"{secret}:{nonce}:{nonce_count}:{cnonce}:{qop}:{subject}".encode())


class _Session:
    """One challenge being answered: "authentication session" in RFC 7616 §3.6."""

    __slots__ = ("_cnonce", "_count", "challenge")

    def __init__(self, challenge: Challenge, cnonce: str) -> None:
        self.challenge = challenge
        self._cnonce = cnonce
        self._count = 0

    def authorize(self, credentials: Credentials, method: str, uri: str) -> Authorization:
        """Return credentials for one more request."""
        challenge = self.challenge
        self._count += 1
        nonce_count = f"{self._count:08x}"
        qop = "auth" if challenge.qop else None
        response = digest_response(
            challenge.algorithm,
            username=credentials.username,
            realm=challenge.realm,
            password=credentials.password,
            nonce=challenge.nonce,
            method=method,
            uri=uri,
            qop=qop,
            nonce_count=nonce_count,
            cnonce=self._cnonce,
        )
        params: list[tuple[str, str | None]] = [
            ("username", credentials.username),
            ("realm", challenge.realm),
            ("nonce", challenge.nonce),
            ("uri", uri),
            ("response", response),
        ]
        if "algorithm" in challenge.params:
            params.append(("algorithm", challenge.algorithm))
        if challenge.opaque is not None:
            params.append(("opaque", challenge.opaque))
        if qop is not None:
            params += [("qop", qop), ("cnonce", self._cnonce), ("nc", nonce_count)]
        return Authorization("Digest", Params(params))


class DigestClient:
    """Proves who we are throughout one call.

    Args:
        credentials: What to prove it with.
        randomness: For cnonces.
    """

    __slots__ = ("_credentials", "_randomness", "_sessions")

    def __init__(self, credentials: Credentials, randomness: Randomness) -> None:
        self._credentials = credentials
        self._randomness = randomness
        self._sessions: dict[Space, _Session] = {}

    def learn(self, response: Response, answers: Answers = NO_ANSWERS) -> Answers | None:
        """Take the challenges of a 401 or 407.

        Args:
            response: The response. Both header fields are read: a forking proxy may join the
                challenges of several branches (RFC 3261 §22.3).
            answers: What earlier challenges to the same request brought.

        Returns:
            The answers with these added, when the request is worth another try with
            :meth:`authorize`; else None.
        """
        now_answered = dict(answers)
        for space, challenge in self._strongest(response).items():
            before = answers.get(space, 0)
            if before == 0 or (before == 1 and challenge.is_stale):
                now_answered[space] = before + 1
                self._begin(space, challenge)
        if now_answered == answers or sum(now_answered.values()) > MAX_ANSWERS:
            return None
        return now_answered

    def authorize(self, request: Request) -> None:
        """Put credentials for every realm met so far into ``request``, which has none yet."""
        for (name, _), session in self._sessions.items():
            authorization = session.authorize(self._credentials, request.method, request.uri)
            request.headers.add(name, str(authorization))

    def _begin(self, space: Space, challenge: Challenge) -> None:
        known = self._sessions.get(space)
        if known is not None and known.challenge.nonce == challenge.nonce:
            return
        if known is None and len(self._sessions) >= MAX_CHALLENGES:
            del self._sessions[next(iter(self._sessions))]
        self._sessions[space] = _Session(challenge, self._randomness.token())

    def _strongest(self, response: Response) -> dict[Space, Challenge]:
        found: dict[Space, Challenge] = {}
        for space, challenge in _challenges(response):
            if not self._can_answer(challenge):
                continue
            best = found.get(space)
            if best is None or _strength(challenge) > _strength(best):
                found[space] = challenge
        return found

    def _can_answer(self, challenge: Challenge) -> bool:
        algorithm = challenge.algorithm.lower()
        if not challenge.is_digest or not challenge.nonce or algorithm not in _STRENGTH:
            return False
        if self._credentials.realm not in (None, challenge.realm):
            return False
        if challenge.qop:
            return "auth" in challenge.qop
        return not algorithm.endswith("-sess")  # needs a cnonce, which needs qop (§22.4 item 8)


def _challenges(response: Response) -> Iterator[tuple[Space, Challenge]]:
    for asks, answers in _FIELDS.items():
        for line in response.headers.get_all(asks)[:MAX_CHALLENGES]:
            try:
                challenge = Challenge.parse(line)
            except ParseError:
                continue
            yield (answers, challenge.realm), challenge


def _strength(challenge: Challenge) -> int:
    return _STRENGTH.index(challenge.algorithm.lower())
