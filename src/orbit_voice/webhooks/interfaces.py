"""What delivery needs from others, as protocols they implement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from orbit_voice.kit.outbox import Exchange, Settlement
from orbit_voice.webhooks.client import Answer


class OutboxStore(Protocol):
    """Where deliveries wait (:class:`orbit_voice.store.outbox.Outbox`).

    A claim holds until it is settled or lapses, so nothing is lost with whoever holds it. Of the
    deliveries of one call only the first unsettled one can be claimed.
    """

    async def release(self, now: datetime) -> None:
        """Give back what this node claimed and did not settle: it is due at once."""

    async def due(self) -> Mapping[str, datetime]:
        """Return every destination with something to send, and when the first of it is due."""

    async def exchange(
        self,
        settlements: Sequence[Settlement],
        wanted: Mapping[str, int],
        *,
        now: datetime,
        lease_s: float,
    ) -> Exchange:
        """Settle attempts and claim new deliveries, in one transaction.

        A settlement whose claim was overtaken, or that is made twice, has no effect.
        """


class Poster(Protocol):
    """Posts to a URL (:class:`orbit_voice.webhooks.client.HttpClient`)."""

    async def post(
        self, url: str, body: bytes, headers: Mapping[str, str], *, timeout_s: float
    ) -> Answer:
        """Post ``body``.

        Raises:
            UrlRefusedError: The URL is not one to call.
            RequestError: No answer.
        """
