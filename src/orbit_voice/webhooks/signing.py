"""Signatures of webhooks: ``X-Devotel-Signature: t=<unix>,v1=<hex>`` (API contract §10).

The hex is HMAC-SHA256 (RFC 2104) over ``<t>.`` and the raw body; the key is the secret's UTF-8
bytes, prefix ``whsec_`` included. While a secret is being replaced there is one ``v1`` for each
valid one, so a receiver that knows either of them is content.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from typing import Final

SIGNATURE_HEADER: Final = "X-Devotel-Signature"
USER_AGENT: Final = "Devotel-Webhooks/1.0"
TOLERANCE_S: Final = 300
"""How far a signature's time may be from the receiver's clock, seconds."""
MAX_SECRETS: Final = 2
"""Secrets valid at once: the new one and the one it replaces."""


def sign(body: bytes, secrets: Sequence[str], *, at: int) -> str:
    """Return the value of the signature header.

    Args:
        body: The exact bytes that are sent.
        secrets: Valid ones, newest first; 1 to :data:`MAX_SECRETS`.
        at: Unix time of this attempt, whole seconds.

    Raises:
        ValueError: No secret, or too many.
    """
    if not 1 <= len(secrets) <= MAX_SECRETS:
        raise ValueError(f"a webhook is signed with 1 to {MAX_SECRETS} secrets")
    return ",".join([f"t={at}", *(f"v1={_digest(body, secret, at)}" for secret in secrets)])


def verify(
    header: str, body: bytes, secret: str, *, now: float, tolerance_s: float = TOLERANCE_S
) -> bool:
    """Whether ``header`` shows that a holder of ``secret`` sent ``body`` just now.

    Args:
        header: The received value; any text.
        body: The received bytes, before any decoding.
        secret: One of the receiver's secrets.
        now: Unix time.
        tolerance_s: Older and younger signatures are refused: they may be replays.
    """
    fields = [field.strip().partition("=") for field in header.split(",")]
    times = [value for name, _, value in fields if name == "t"]
    if len(times) != 1 or not (times[0].isascii() and times[0].isdigit()) or len(times[0]) > 12:
        return False
    at = int(times[0])
    if abs(now - at) > tolerance_s:
        return False
    expected = _digest(body, secret, at).encode()
    given = [value.encode() for name, _, value in fields if name == "v1"]
    return any(hmac.compare_digest(expected, one) for one in given)


def event_headers(
    *,
    event_id: str,
    event_type: str,
    delivery_id: str,
    body: bytes,
    secrets: Sequence[str],
    at: int,
) -> dict[str, str]:
    """Return the headers of one attempt to deliver an event; all but the signature stay the same.

    Raises:
        ValueError: No secret, or too many.
    """
    return {
        "Content-Type": "application/json",
        "User-Agent": USER_AGENT,
        SIGNATURE_HEADER: sign(body, secrets, at=at),
        "X-Devotel-Event-Id": event_id,
        "X-Devotel-Event-Type": event_type,
        "X-Devotel-Delivery-Id": delivery_id,
    }


def _digest(body: bytes, secret: str, at: int) -> str:
    return hmac.digest(secret.encode(), f"{at}.".encode() + body, "sha256").hex()
