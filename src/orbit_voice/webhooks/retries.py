"""What the outcome of an attempt means: delivered, again later, or dead (API contract §10).

Only a 2xx within 30 s is success. Every other outcome is treated alike, be it a 410, a redirect or
a refused address: the receiver may be mended while the schedule runs, and the contract promises the
schedule. For the same reason a ``Retry-After`` is not followed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from orbit_voice.kit.outbox import Delivery, DeliveryStatus, Settlement

ANSWER_TIMEOUT_S: Final = 30.0
"""From the start of an attempt to the answer's status, seconds."""
RETRY_AFTER_S: Final = (60.0, 300.0, 1800.0, 7200.0, 28_800.0, 86_400.0)
"""Waits after the first, second … failed attempt: 1 m, 5 m, 30 m, 2 h, 8 h, 24 h; then dead."""
MAX_ATTEMPTS: Final = len(RETRY_AFTER_S) + 1


@dataclass(frozen=True, slots=True)
class Attempt:
    """How one attempt ended.

    Attributes:
        http_status: The answer's, or None when there was none.
        error: Why there was no answer, one line; None when there was one.
        excerpt: The beginning of the answer's body, or None.
    """

    http_status: int | None = None
    error: str | None = None
    excerpt: str | None = None

    @property
    def is_success(self) -> bool:
        """Whether the receiver has taken the event."""
        return self.http_status is not None and 200 <= self.http_status < 300


def settle(delivery: Delivery, attempt: Attempt, *, at: datetime) -> Settlement:
    """Return what to write down of ``attempt``.

    Args:
        delivery: As claimed, with the attempts before this one.
        attempt: How it ended.
        at: When it ended, UTC.
    """
    status, due_at = _decide(delivery.attempts, attempt, at)
    return Settlement(
        delivery_id=delivery.id,
        claim=delivery.claim,
        status=status,
        due_at=due_at,
        at=at,
        http_status=attempt.http_status,
        error=None if attempt.is_success else attempt.error or f"HTTP {attempt.http_status}",
        excerpt=attempt.excerpt,
    )


def _decide(
    attempts_before: int, attempt: Attempt, at: datetime
) -> tuple[DeliveryStatus, datetime | None]:
    if attempt.is_success:
        return DeliveryStatus.DELIVERED, None
    if attempts_before >= len(RETRY_AFTER_S):
        return DeliveryStatus.DEAD, None
    return DeliveryStatus.PENDING, at + timedelta(seconds=RETRY_AFTER_S[attempts_before])
