"""Receives webhooks over HTTP, as a customer's server would, and checks their signatures."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import TracebackType
from typing import Any, Final, Self

from orbit_voice.kit.clock import unix_time
from orbit_voice.testing.transcript import PATIENCE_S, Transcript
from orbit_voice.webhooks.signing import SIGNATURE_HEADER, verify

MAX_BODY_BYTES: Final = 1_048_576
"""Longer requests are answered with 413."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One webhook that arrived.

    Attributes:
        type: Event type, for example ``call.answered``.
        event: The whole event.
        is_signed: Whether its signature is right; False also when the secret is not known yet.
        delivery_id: Of the X-Devotel-Delivery-Id header.
    """

    type: str
    event: dict[str, Any]
    is_signed: bool
    delivery_id: str

    @property
    def data(self) -> dict[str, Any]:
        """What the event tells."""
        data: dict[str, Any] = self.event["data"]
        return data


class WebhookReceiver:
    """An HTTP server on loopback that takes webhooks. An async context manager.

    Args:
        secret: What webhooks are signed with.
        on_delivery: Called on the loop with every delivery, as it arrives.

    Attributes:
        deliveries: What arrived so far, repeated deliveries too.
        secret: As given; may be set later.
        status: What requests are answered with; may be changed to see deliveries retried.
    """

    def __init__(
        self, secret: str = "", *, on_delivery: Callable[[Delivery], None] | None = None
    ) -> None:
        self.secret = secret
        self.status = 200
        self.deliveries: list[Delivery] = []
        self._on_delivery = on_delivery

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._arrivals = Transcript()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._make_handler())
        self._server.daemon_threads = True
        self._thread = Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await asyncio.to_thread(self._server.shutdown)
        self._thread.join()
        self._server.server_close()

    @property
    def url(self) -> str:
        """Give this as ``webhook_url``."""
        return f"http://127.0.0.1:{self._server.server_port}/webhooks"

    def of_type(self, type_: str) -> list[Delivery]:
        """Return the deliveries of one type so far."""
        return [delivery for delivery in self.deliveries if delivery.type == type_]

    async def arrived(
        self,
        type_: str,
        is_it: Callable[[Delivery], bool] = lambda delivery: True,
        *,
        timeout_s: float = PATIENCE_S,
    ) -> Delivery:
        """Return the first delivery of ``type_`` that ``is_it``, now or once it is there.

        Raises:
            TimeoutError: None arrived in time; the message says what did.
        """

        def found() -> Delivery | None:
            return next((each for each in self.of_type(type_) if is_it(each)), None)

        await self.until(lambda: found() is not None, f"the webhook {type_}", timeout_s=timeout_s)
        delivery = found()
        assert delivery is not None
        return delivery

    async def until(
        self, condition: Callable[[], bool], wish: str, *, timeout_s: float = PATIENCE_S
    ) -> None:
        """Return when ``condition`` holds; it is asked now and after every delivery.

        Args:
            condition: What to wait for.
            wish: The same in words, for the error.
            timeout_s: How long to wait, seconds.

        Raises:
            TimeoutError: It did not hold in time; the message says what arrived.
        """
        await self._arrivals.until(condition, wish, timeout_s)

    def _receive(self, body: bytes, signature: str, delivery_id: str) -> None:
        try:
            event = json.loads(body)
            type_ = str(event["type"])
        except (ValueError, TypeError, KeyError):
            self._arrivals.note("unreadable", body[:100])
            return
        is_signed = bool(self.secret) and verify(signature, body, self.secret, now=unix_time())
        delivery = Delivery(type_, event, is_signed, delivery_id)
        self.deliveries.append(delivery)
        self._arrivals.note(type_)
        if self._on_delivery is not None:
            self._on_delivery(delivery)

    def _make_handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = self.headers.get("Content-Length", "")
                if not length.isdigit() or int(length) > MAX_BODY_BYTES:
                    self.send_error(413)
                    return
                arrived = (
                    self.rfile.read(int(length)),
                    self.headers.get(SIGNATURE_HEADER, ""),
                    self.headers.get("X-Devotel-Delivery-Id", ""),
                )
                receiver._loop.call_soon_threadsafe(receiver._receive, *arrived)
                self.send_response(receiver.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name
                pass

        return Handler
