"""The carrier's side of digest authentication (RFC 3261 §22, RFC 7616, RFC 8760).

It computes responses from the standards on its own, not with the product's client code, so that a
mistake there does not go unseen here. No I/O: a request goes in, a demand or None comes out.
"""

from __future__ import annotations

import hashlib
import hmac
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

from orbit_voice.sip.grammar import ParseError
from orbit_voice.sip.headers.authentication import Authorization, Challenge
from orbit_voice.sip.message import Request
from orbit_voice.sip.params import Params

MAX_NONCES: Final = 10_000
"""Nonces remembered; the oldest are forgotten and then count as stale."""

_HASHES: Final[dict[str, Callable[[bytes], str]]] = {
    "MD5": lambda data: hashlib.md5(data, usedforsecurity=False).hexdigest(),
    "SHA-256": lambda data: hashlib.sha256(data).hexdigest(),
    "SHA-512-256": lambda data: hashlib.new("sha512_256", data).hexdigest(),
}


@dataclass(frozen=True, slots=True)
class Demand:
    """A refusal that asks for (better) credentials: response status and its headers."""

    status: int
    headers: tuple[tuple[str, str], ...]


@dataclass(slots=True)
class GuardCounts:
    """What the guard has seen.

    Attributes:
        challenged: Requests without credentials.
        accepted: Requests with good ones.
        refused: Requests with wrong ones: user, password, nonce count or URI.
        stale: Requests whose nonce had been used up or forgotten.
    """

    challenged: int = 0
    accepted: int = 0
    refused: int = 0
    stale: int = 0


class DigestGuard:
    """Lets requests with good credentials pass.

    Args:
        passwords: Password of each user name.
        random: Source of nonces; seed it.
        realm: Protection realm.
        algorithms: Offered, best first: ``MD5``, ``SHA-256``, ``SHA-512-256``, each also with
            ``-sess``. One challenge is sent for each (RFC 8760 §2.4).
        qop: Whether ``qop="auth"`` is asked for; False is RFC 2069.
        proxy: Whether to ask as a proxy does, with 407.
        uses_per_nonce: After so many requests a nonce is stale; None: never.
        stale_times: How often good credentials are called stale before any pass.

    Attributes:
        counts: What the guard has seen.
    """

    def __init__(
        self,
        passwords: Mapping[str, str],
        *,
        random: Random,
        realm: str = "carrier.example",
        algorithms: Sequence[str] = ("SHA-256", "MD5"),
        qop: bool = True,
        proxy: bool = False,
        uses_per_nonce: int | None = None,
        stale_times: int = 0,
    ) -> None:
        self._passwords = dict(passwords)
        self._random = random
        self._realm = realm
        self._algorithms = tuple(algorithms)
        self._qop = qop
        self._proxy = proxy
        self._uses_per_nonce = uses_per_nonce
        self._stale_left = stale_times
        self._last_counts: OrderedDict[str, int] = OrderedDict()
        self.counts = GuardCounts()

    def check(self, request: Request) -> Demand | None:
        """Return what to demand of the sender of ``request``, or None to let it pass."""
        given = self._credentials(request)
        if given is None:
            self.counts.challenged += 1
            return self._demand(stale=False)
        if not self._is_right(given, request.method, request.uri):
            self.counts.refused += 1
            return self._demand(stale=False)
        if not self._count_use(given):
            self.counts.stale += 1
            return self._demand(stale=True)
        self.counts.accepted += 1
        return None

    def _credentials(self, request: Request) -> Authorization | None:
        try:
            found = request.proxy_authorizations if self._proxy else request.authorizations
        except ParseError:
            return None
        for given in found:
            if given.is_digest and given.params.get("realm") == self._realm:
                return given
        return None

    def _is_right(self, given: Authorization, method: str, uri: str) -> bool:
        fields = given.params
        password = self._passwords.get(fields.get("username") or "")
        algorithm = fields.get("algorithm") or "MD5"
        qop_is_right = fields.get("qop") == ("auth" if self._qop else None)
        if password is None or algorithm not in self._algorithms or not qop_is_right:
            return False
        if fields.get("uri") != uri:
            return False
        expected = digest_response(fields, password, method, algorithm)
        return hmac.compare_digest(expected, fields.get("response") or "")

    def _count_use(self, given: Authorization) -> bool:
        """Note that the nonce was used; False if it is unknown, used up or replayed."""
        nonce = given.params.get("nonce") or ""
        last = self._last_counts.get(nonce)
        if last is None:
            return False
        if self._stale_left > 0:
            self._stale_left -= 1
            return False
        count = last + 1
        if self._qop:
            try:
                count = given.nonce_count or 0
            except ParseError:
                return False
        self._last_counts[nonce] = max(last, count)
        return count > last and (self._uses_per_nonce is None or count <= self._uses_per_nonce)

    def _demand(self, *, stale: bool) -> Demand:
        nonce = f"{self._random.getrandbits(128):032x}"
        self._last_counts[nonce] = 0
        if len(self._last_counts) > MAX_NONCES:
            self._last_counts.popitem(last=False)
        status, name = (407, "Proxy-Authenticate") if self._proxy else (401, "WWW-Authenticate")
        challenges = (self._challenge(algorithm, nonce, stale) for algorithm in self._algorithms)
        return Demand(status, tuple((name, str(challenge)) for challenge in challenges))

    def _challenge(self, algorithm: str, nonce: str, stale: bool) -> Challenge:
        fields: list[tuple[str, str | None]] = [
            ("realm", self._realm),
            ("nonce", nonce),
            ("algorithm", algorithm),
        ]
        if self._qop:
            fields.append(("qop", "auth"))
        if stale:
            fields.append(("stale", "true"))
        return Challenge("Digest", Params(fields))


def digest_response(
    fields: Mapping[str, str | None], password: str, method: str, algorithm: str
) -> str:
    """Return the ``response`` that credentials with these fields must have (RFC 7616 §3.4.1).

    Args:
        fields: ``username realm nonce uri``, and with qop ``qop nc cnonce``.
        password: In clear.
        method: Of the request.
        algorithm: One of those :class:`DigestGuard` knows.
    """
    base = algorithm.removesuffix("-sess")

    def hashed(*parts: str | None) -> str:
        return _HASHES[base](":".join(part or "" for part in parts).encode())

    nonce, cnonce = fields.get("nonce"), fields.get("cnonce")
    secret = hashed(fields.get("username"), fields.get("realm"), password)
    if algorithm != base:
        secret = hashed(secret, nonce, cnonce)
    action = hashed(method, fields.get("uri"))
    if (qop := fields.get("qop")) is None:
        return hashed(secret, nonce, action)
    return hashed(secret, nonce, fields.get("nc"), cnonce, qop, action)
