"""What delivery counts."""

from __future__ import annotations

from dataclasses import dataclass

from orbit_voice.kit.outbox import DeliveryStatus, Settlement


@dataclass(frozen=True, slots=True)
class DeliveryMetrics:
    """Delivery in figures, at one moment.

    Attributes:
        delivered: Events taken by their receivers, since the start.
        retried: Attempts that failed and will be made again, since the start.
        dead: Events given up, since the start.
        under_way: Attempts at this moment.
        lanes_waiting: Destinations for which something waits, due or not.
        lateness_s: How long the most overdue destination has waited for its turn, seconds. It grows
            when this server cannot keep up or the store is away; a receiver that fails does not
            raise it by much, for its retries are not due.
        store_failures: Times the outbox could not be reached, since the start.
    """

    delivered: int
    retried: int
    dead: int
    under_way: int
    lanes_waiting: int
    lateness_s: float
    store_failures: int


class Outcomes:
    """Counts settlements by outcome."""

    def __init__(self) -> None:
        self._counts = dict.fromkeys(DeliveryStatus, 0)
        self.store_failures = 0

    def count(self, settlement: Settlement) -> None:
        """Count one attempt that ended."""
        self._counts[settlement.status] += 1

    def metrics(self, *, under_way: int, lanes_waiting: int, lateness_s: float) -> DeliveryMetrics:
        """Return the counts beside what the moment shows."""
        return DeliveryMetrics(
            delivered=self._counts[DeliveryStatus.DELIVERED],
            retried=self._counts[DeliveryStatus.PENDING],
            dead=self._counts[DeliveryStatus.DEAD],
            under_way=under_way,
            lanes_waiting=lanes_waiting,
            lateness_s=lateness_s,
            store_failures=self.store_failures,
        )
