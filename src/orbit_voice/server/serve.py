"""``orbit-voice serve``: a node with its HTTP server, until it is asked to stop."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import structlog
import uvicorn

from orbit_voice.kit.errors import OrbitError
from orbit_voice.kit.tasks import TaskScope
from orbit_voice.server.addresses import host_port
from orbit_voice.server.node import Node, open_node
from orbit_voice.server.settings import Settings, split_bind

_log = structlog.get_logger(__name__)

HTTP_GRACE_S: Final = 5
"""How long requests under way may take once the server stops, seconds."""
_BACKLOG: Final = 1024


class HttpBindError(OrbitError):
    """The HTTP port cannot be had."""


class _HttpServer(uvicorn.Server):
    """uvicorn without its signal handlers: whoever runs it decides when it ends."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone."""
        yield


async def serve(settings: Settings, *, announce: Callable[[Node, str], None]) -> None:
    """Run a node until SIGTERM or SIGINT.

    Then no new call is taken, the living may go on for ``drain_timeout_s``, and what is left is
    hung up. A second signal hangs up at once. The REST API answers until the last call is over.

    Args:
        settings: Everything an operator set.
        announce: Called once calls can be made, with the node and the URL of its REST API.

    Raises:
        OrbitError: Something cannot be used; the text says what.
        ValueError: A setting makes no sense.
    """
    with _bound_socket(settings.http_bind) as http_socket:
        async with open_node(settings) as node, TaskScope("http") as tasks:
            server = _HttpServer(_http_config(node))
            serving = tasks.start(server.serve(sockets=[http_socket]), name="uvicorn")
            host, port = http_socket.getsockname()[:2]
            announce(node, f"http://{host_port(host, port)}")
            signals = _Signals()
            await signals.wait()
            _log.info("node.draining", calls=len(node.calls))
            await _drain(node, signals, settings.drain_timeout_s)
            server.should_exit = True
            await serving
    _log.info("node.stopped")


async def _drain(node: Node, signals: _Signals, timeout_s: float) -> None:
    async with TaskScope("drain") as tasks:
        draining = tasks.start(node.calls.drain(timeout_s), name="calls")
        impatient = tasks.start(signals.wait(), name="second-signal")
        await asyncio.wait({draining, impatient}, return_when=asyncio.FIRST_COMPLETED)
        if not draining.done():
            await node.calls.drain(0.0)
            await draining


class _Signals:
    """SIGTERM and SIGINT, counted."""

    def __init__(self) -> None:
        self._arrived: asyncio.Queue[int] = asyncio.Queue()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._arrived.put_nowait, number)

    async def wait(self) -> int:
        """Return the next one."""
        return await self._arrived.get()


def _http_config(node: Node) -> uvicorn.Config:
    return uvicorn.Config(
        node.app,
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=HTTP_GRACE_S,
    )


@contextmanager
def _bound_socket(bind: str) -> Iterator[socket.socket]:
    host, port = split_bind(bind)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as bound:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bound.bind((host, port))
        except OSError as error:
            raise HttpBindError(
                f"cannot bind HTTP to {bind}: {error.strerror}; set ORBIT_HTTP_BIND"
            ) from error
        bound.listen(_BACKLOG)
        yield bound
