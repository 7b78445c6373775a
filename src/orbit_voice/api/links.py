"""Absolute links in answers, and the signature that lets a recording be fetched without a key."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Callable
from typing import Final

from starlette.requests import Request

from orbit_voice.kit.clock import unix_time

LINK_LIFETIME_S: Final = 3600
"""How long a recording link works (API contract §10)."""

_HOST: Final = re.compile(r"(?:[A-Za-z0-9.\-_]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")
_TOKEN: Final = re.compile(r"([0-9]{1,12})\.([A-Za-z0-9_]{1,64})\.([A-Za-z0-9_-]{43})")


def base_url(request: Request) -> str:
    """Return scheme and authority that reach this server, without a slash at the end.

    The setting wins; then the ``Host`` header if it is well-formed (RFC 9110 §7.2), since only
    the client knows by which name it came; then the address the connection came in on.
    """
    public: str | None = request.app.state.dependencies.public_url
    if public is not None:
        return public.rstrip("/")
    host = request.headers.get("host", "")
    if not _HOST.fullmatch(host):
        address, port = request.scope.get("server") or ("localhost", None)
        host = f"[{address}]" if ":" in address else address
        host = f"{host}:{port}" if port else host
    return f"{request.scope['scheme']}://{host}"


class RecordingLinks:
    """Signs links to recordings and checks them.

    A token is ``expiry.organization.signature``: Unix seconds, the organization's id, and
    HMAC-SHA256 over both and the recording's id. It opens this one recording until it expires.

    Args:
        secret: HMAC key, at least 32 bytes (RFC 2104 §3: no shorter than the digest).
        clock: Unix seconds.

    Raises:
        ValueError: ``secret`` is too short.
    """

    def __init__(self, secret: bytes, *, clock: Callable[[], float] = unix_time) -> None:
        if len(secret) < hashlib.sha256().digest_size:
            raise ValueError("the link secret must have at least 32 bytes")
        self._secret = secret
        self._clock = clock

    def path(self, org_id: str, recording_id: str) -> str:
        """Return the path and query of a link that works for :data:`LINK_LIFETIME_S`."""
        expiry = int(self._clock()) + LINK_LIFETIME_S
        token = f"{expiry}.{org_id}.{self._sign(expiry, org_id, recording_id)}"
        return f"/v1/voice/recordings/{recording_id}/audio?token={token}"

    def organization(self, recording_id: str, token: str) -> str | None:
        """Return whose recording ``token`` opens; None when it is forged or has expired."""
        if (match := _TOKEN.fullmatch(token)) is None:
            return None
        expiry, org_id, signature = int(match[1]), match[2], match[3]
        genuine = hmac.compare_digest(signature, self._sign(expiry, org_id, recording_id))
        return org_id if genuine and self._clock() < expiry else None

    def _sign(self, expiry: int, org_id: str, recording_id: str) -> str:
        message = f"recording-audio\n{expiry}\n{org_id}\n{recording_id}".encode()
        digest = hmac.digest(self._secret, message, hashlib.sha256)
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
