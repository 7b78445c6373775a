"""The webhook engine: empties the outbox.

One task, the *pump*, talks to the store, and each attempt is a task of its own. The pump's exchange
settles what ended and claims what there is room for, in one transaction; an attempt hands its
outcome back and wakes the pump. What waits stays in the store: in memory are the attempts under way
and, for each destination, when its first delivery is due.

Whatever dies on the way, the claim lapses and the event is sent again under the same ids: at least
once, never lost. That one delivery is never under way twice follows from the lease, which is longer
than an attempt can take; should the wall clock be set forward over it, the pump recognises what it
already holds.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Set
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from types import TracebackType
from typing import Final, Self

import structlog

from orbit_voice.kit.clock import utc_now
from orbit_voice.kit.errors import OrbitError
from orbit_voice.kit.outbox import Delivery, DeliveryStatus, Exchange, Settlement
from orbit_voice.kit.tasks import TaskScope
from orbit_voice.webhooks.client import ANSWER_BODY_S, RequestError
from orbit_voice.webhooks.interfaces import OutboxStore, Poster
from orbit_voice.webhooks.lanes import Lanes, Limits
from orbit_voice.webhooks.metrics import DeliveryMetrics, Outcomes
from orbit_voice.webhooks.retries import ANSWER_TIMEOUT_S, Attempt, settle
from orbit_voice.webhooks.signing import event_headers
from orbit_voice.webhooks.targets import UrlRefusedError

LEASE_S: Final = 2 * (ANSWER_TIMEOUT_S + ANSWER_BODY_S)
"""How long a claim holds, seconds: twice what an attempt can take."""
SLOW_S: Final = 5.0
"""An attempt that takes longer makes its receiver suspect (:mod:`~orbit_voice.webhooks.lanes`)."""
SURVEY_EVERY_S: Final = 60.0
"""How often the whole outbox is looked over for what nobody told us of: claims of another node that
lapsed, rows put in by hand."""
STORE_RETRY_S: Final = 1.0
"""Wait after the store could not be reached, seconds."""
DRAIN_S: Final = 5.0
"""Default for how long attempts may go on after the end was asked for, seconds."""

_log = structlog.get_logger(__name__)
_LOG_LEVELS: Final = {
    DeliveryStatus.DELIVERED: logging.DEBUG,
    DeliveryStatus.PENDING: logging.INFO,
    DeliveryStatus.DEAD: logging.WARNING,
}


class WebhookDelivery:
    """Delivers what is in the outbox while entered. An async context manager.

    Leaving it starts nothing more, lets what is under way end for ``drain_s``, cancels the rest,
    and gives back what was not settled, so that the next start sends it at once.

    Args:
        outbox: Where deliveries wait.
        poster: Makes the requests.
        clock: UTC.
        limits: How many at once.
        drain_s: See above, seconds.
    """

    def __init__(
        self,
        outbox: OutboxStore,
        poster: Poster,
        *,
        clock: Callable[[], datetime] = utc_now,
        limits: Limits | None = None,
        drain_s: float = DRAIN_S,
    ) -> None:
        self._outbox = outbox
        self._poster = poster
        self._clock = clock
        self._drain_s = drain_s
        self._lanes = Lanes(limits or Limits())
        self._outcomes = Outcomes()
        self._claims: dict[str, int] = {}
        self._settlements: list[Settlement] = []
        self._notified: set[str] = set()
        self._woken = asyncio.Event()
        self._stopping = False
        self._attempts = TaskScope("webhook-attempts")
        self._pump = TaskScope("webhook-pump")

    async def __aenter__(self) -> Self:
        self._survey_at = asyncio.get_running_loop().time()
        self._released = False
        self._task = self._pump.start(self._run(), name="pump")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stopping = True
        try:
            await self._attempts.drain(self._drain_s)
        finally:
            await self._attempts.close()
            await self._pump.close()
        await self._finish()

    def notify(self, destinations: Set[str]) -> None:
        """Take the news that there is something new for ``destinations``.

        To be called on the event loop; meant for ``Journal.on_deliveries``.
        """
        self._notified |= destinations
        self._woken.set()

    def metrics(self) -> DeliveryMetrics:
        """Return delivery in figures."""
        return self._outcomes.metrics(
            under_way=self._lanes.under_way,
            lanes_waiting=self._lanes.waiting,
            lateness_s=self._lanes.lateness_s(self._clock()),
        )

    async def _run(self) -> None:
        while True:
            try:
                await self._survey()
                await self._exchange()
            except Exception as error:  # noqa: BLE001 - nobody else would deliver then
                self._outcomes.store_failures += 1
                _log.warning("webhooks.store_failed", error=repr(error))
                await asyncio.sleep(STORE_RETRY_S)
            else:
                await self._sleep()

    async def _survey(self) -> None:
        """Look over the whole outbox, if it is time to."""
        now = asyncio.get_running_loop().time()
        if now < self._survey_at:
            return
        if not self._released:
            await self._outbox.release(self._clock())
            self._released = True
        for lane, due_at in (await self._outbox.due()).items():
            self._lanes.advance_due(lane, due_at)
        self._survey_at = now + SURVEY_EVERY_S

    async def _exchange(self) -> None:
        """Settle what ended and start what there is room for, until neither is left."""
        while True:
            now = self._clock()
            self._take_notice(now)
            wanted = {} if self._stopping else self._lanes.plan(now)
            settlements = self._under_newest_claims()
            if not wanted and not settlements:
                return
            exchange = await self._outbox.exchange(settlements, wanted, now=now, lease_s=LEASE_S)
            del self._settlements[: len(settlements)]
            for settlement in settlements:
                self._claims.pop(settlement.delivery_id, None)
            self._start(exchange.deliveries)
            self._note_due(exchange, now)

    def _under_newest_claims(self) -> tuple[Settlement, ...]:
        """Return what is to be settled; what was claimed anew meanwhile, under the new claim."""
        return tuple(replace(one, claim=self._claims[one.delivery_id]) for one in self._settlements)

    def _take_notice(self, now: datetime) -> None:
        while self._notified:
            self._lanes.advance_due(self._notified.pop(), now)

    def _note_due(self, exchange: Exchange, now: datetime) -> None:
        """Take over when the lanes asked for have something next.

        What is due and yet was not handed out is in somebody else's hands: it is asked for again
        after a while, not at once.
        """
        served = {delivery.destination for delivery in exchange.deliveries}
        for lane, due_at in exchange.next_due.items():
            if due_at is not None and due_at <= now and lane not in served:
                self._lanes.set_due(lane, now + timedelta(seconds=STORE_RETRY_S))
            else:
                self._lanes.set_due(lane, due_at)

    def _start(self, deliveries: Iterable[Delivery]) -> None:
        for delivery in deliveries:
            is_under_way = delivery.id in self._claims
            self._claims[delivery.id] = delivery.claim
            if not is_under_way and not self._stopping:
                as_suspect = self._lanes.start(delivery.destination)
                work = self._deliver(delivery, as_suspect)
                _ = self._attempts.start(work, name=delivery.id)

    async def _deliver(self, delivery: Delivery, as_suspect: bool) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        is_healthy = False
        try:
            attempt = await self._attempt(delivery)
            is_healthy = attempt.http_status is not None and loop.time() - began <= SLOW_S
            self._record(delivery, attempt, loop.time() - began)
        finally:
            self._lanes.end(delivery.destination, as_suspect=as_suspect, is_healthy=is_healthy)
            self.notify({delivery.destination})  # its call's next event, or its own next attempt

    async def _attempt(self, delivery: Delivery) -> Attempt:
        headers = event_headers(
            event_id=delivery.event_id,
            event_type=delivery.event_type,
            delivery_id=delivery.id,
            body=delivery.body,
            secrets=[delivery.secret],
            at=int(self._clock().timestamp()),
        )
        try:
            answer = await self._poster.post(
                delivery.url, delivery.body, headers, timeout_s=ANSWER_TIMEOUT_S
            )
        except UrlRefusedError as error:
            return Attempt(error=error.reason)
        except RequestError as error:
            return Attempt(error=str(error))
        except Exception:  # noqa: BLE001 - an attempt that ends in no outcome would be made again for ever
            _log.exception("webhooks.attempt_broke", delivery_id=delivery.id)
            return Attempt(error="internal error")
        return Attempt(http_status=answer.status, excerpt=answer.excerpt)

    def _record(self, delivery: Delivery, attempt: Attempt, took_s: float) -> None:
        settlement = settle(delivery, attempt, at=self._clock())
        self._settlements.append(settlement)
        self._outcomes.count(settlement)
        _log.log(
            _LOG_LEVELS[settlement.status],
            "webhooks.attempted",
            delivery_id=delivery.id,
            event_id=delivery.event_id,
            event_type=delivery.event_type,
            outcome=settlement.status.value,
            attempt=delivery.attempts + 1,
            http_status=attempt.http_status,
            error=settlement.error,
            took_ms=round(took_s * 1000),
        )

    async def _sleep(self) -> None:
        """Wait until somebody wakes the pump, or something becomes due."""
        wait_s = max(0.0, self._survey_at - asyncio.get_running_loop().time())
        if not self._stopping and (due_at := self._lanes.next_deadline()) is not None:
            wait_s = min(wait_s, max(0.0, (due_at - self._clock()).total_seconds()))
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await self._woken.wait()
        self._woken.clear()

    async def _finish(self) -> None:
        """Settle what ended last, and give back the rest."""
        now = self._clock()
        try:
            settlements = self._under_newest_claims()
            await self._outbox.exchange(settlements, {}, now=now, lease_s=LEASE_S)
            await self._outbox.release(now)
        except OrbitError as error:
            _log.warning("webhooks.not_settled", error=repr(error))
