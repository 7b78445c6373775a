"""What passes between the outbox and whoever empties it.

The store keeps deliveries and the webhook engine makes them; neither imports the other, both speak
in these values.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from urllib.parse import urlsplit


class DeliveryStatus(StrEnum):
    """Where a delivery stands."""

    PENDING = "pending"
    DELIVERED = "delivered"
    DEAD = "dead"


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event on its way to one URL, claimed by us.

    Attributes:
        id: ``dlv_…``.
        claim: Number of this claim; a settlement with an older one has no effect.
        destination: Its lane (:func:`destination_of`).
        url: Where it is posted.
        event_id: ``evt_…``; the same at every attempt.
        event_type: ``call.answered`` …
        body: The exact bytes to post.
        secret: Signs it.
        attempts: Attempts made before this one.
    """

    id: str
    claim: int
    destination: str
    url: str
    event_id: str
    event_type: str
    body: bytes
    secret: str
    attempts: int

    def __repr__(self) -> str:
        return f"Delivery(id={self.id!r}, event_type={self.event_type!r})"


@dataclass(frozen=True, slots=True)
class Settlement:
    """How one attempt went.

    Attributes:
        delivery_id: ``dlv_…``.
        claim: The claim under which it was made.
        status: ``PENDING`` to try again at ``due_at``; the others are final.
        due_at: When to try again; None with a final status.
        at: When the attempt ended.
        http_status: The receiver's answer, or None when there was none.
        error: Why there was no success, one line; None after a success.
        excerpt: The beginning of the answer's body, or None.
    """

    delivery_id: str
    claim: int
    status: DeliveryStatus
    due_at: datetime | None
    at: datetime
    http_status: int | None = None
    error: str | None = None
    excerpt: str | None = None


@dataclass(frozen=True, slots=True)
class Exchange:
    """What the outbox hands out in return for settlements.

    Attributes:
        deliveries: Claimed for us.
        next_due: For every destination asked for, when its next unclaimed delivery is due; None
            when it has none.
    """

    deliveries: tuple[Delivery, ...]
    next_due: Mapping[str, datetime | None]


def destination_of(org_id: str, url: str) -> str:
    """Return the lane of a URL: ``org_… https://host:port/path``.

    Deliveries of one lane share what that receiver can take; lanes do not delay each other. The
    query is left out: receivers put ids there.
    """
    parts = urlsplit(url)
    return f"{org_id} {parts.scheme}://{parts.netloc.lower()}{parts.path or '/'}"
