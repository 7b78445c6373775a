"""One direction of a bad network, as a pure model.

No socket, no clock: :meth:`LossyLink.send` takes a datagram and ``now`` and says when which copies
arrive. The same seed and the same calls give the same network, so a failure can be run again.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Final, NamedTuple

REORDER_HOLD_S: Final = 0.05
"""How much later a reordered datagram arrives, seconds: more than two RTP packets of 20 ms."""


@dataclass(frozen=True, slots=True)
class LinkConditions:
    """How bad a link is. The default is a perfect one.

    Attributes:
        loss: Share of datagrams that never arrive, 0-1.
        duplicate: Share of delivered datagrams that arrive twice, 0-1.
        delay_s: Least transit time, seconds.
        jitter_s: Up to this much is added to the delay, uniformly; order is kept.
        reorder: Share of datagrams that are held for :data:`REORDER_HOLD_S`, so that later ones
            overtake them, 0-1.
        mean_burst: Mean length of a run of losses (Gilbert's model), 1 or more; None makes each
            loss independent of the one before.

    Raises:
        ValueError: A value is out of its range.
    """

    loss: float = 0.0
    duplicate: float = 0.0
    delay_s: float = 0.0
    jitter_s: float = 0.0
    reorder: float = 0.0
    mean_burst: float | None = None

    def __post_init__(self) -> None:
        for name in ("loss", "duplicate", "reorder"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"{name} is a share from 0 to 1")
        if self.delay_s < 0 or self.jitter_s < 0:
            raise ValueError("delay_s and jitter_s are not negative")
        if self.mean_burst is not None and self.mean_burst < 1:
            raise ValueError("mean_burst is 1 or more")


class Delivery(NamedTuple):
    """One copy of a datagram and the moment it arrives."""

    deliver_at: float
    datagram: bytes


@dataclass(slots=True)
class LinkCounts:
    """What a link has done so far, in datagrams; ``sent`` counts what was handed to it."""

    sent: int = 0
    dropped: int = 0
    duplicated: int = 0
    reordered: int = 0


class LossyLink:
    """One direction between two ends.

    Args:
        random: Source of chance; seed it.
        conditions: How bad the link is; may be replaced while it runs.
    """

    def __init__(self, random: Random, conditions: LinkConditions | None = None) -> None:
        self._random = random
        self.conditions = conditions or LinkConditions()
        self.counts = LinkCounts()
        self._last_delivery_at = 0.0
        self._in_burst = False

    def send(self, datagram: bytes, now: float) -> list[Delivery]:
        """Take a datagram that is sent at ``now``; return its copies, earliest first."""
        self.counts.sent += 1
        if self._lost():
            self.counts.dropped += 1
            return []
        deliveries = [Delivery(self._arrival(now), datagram)]
        if self._happens(self.conditions.duplicate):
            self.counts.duplicated += 1
            deliveries.append(Delivery(self._arrival(now), datagram))
        return sorted(deliveries)

    def _happens(self, share: float) -> bool:
        return share > 0.0 and self._random.random() < share

    def _lost(self) -> bool:
        loss, burst = self.conditions.loss, self.conditions.mean_burst
        if burst is None or loss in (0.0, 1.0):
            return self._happens(loss)
        leave = 1.0 / burst
        # The share of time in a burst is enter / (enter + leave); solved for enter.
        enter = min(1.0, leave * loss / (1.0 - loss))
        self._in_burst = self._happens(1.0 - leave if self._in_burst else enter)
        return self._in_burst

    def _arrival(self, now: float) -> float:
        conditions = self.conditions
        arrival = now + conditions.delay_s
        if conditions.jitter_s:
            arrival += self._random.uniform(0.0, conditions.jitter_s)
        if self._happens(conditions.reorder):
            self.counts.reordered += 1
            return arrival + REORDER_HOLD_S
        self._last_delivery_at = max(arrival, self._last_delivery_at)
        return self._last_delivery_at
