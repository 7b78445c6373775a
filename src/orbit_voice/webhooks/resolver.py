"""Looks up the addresses of names, in threads of its own.

The operating system's resolver blocks, for seconds when a name server is dead. In the loop's shared
threads a few dead names would hold up everything else that uses them.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Final, Self, TypeAlias

from orbit_voice.kit.errors import TransportError

Resolver: TypeAlias = Callable[[str], Awaitable[list[str]]]
"""Takes a host name and returns its addresses as text, best first.

Raises :class:`ResolutionError` when there are none, or none can be had now.
"""

MAX_THREADS: Final = 64
"""Names looked up at once; twice the deliveries to receivers that are failing (``lanes``)."""


class ResolutionError(TransportError):
    """A name has no address, or no name server said so in time."""


class SystemResolver:
    """Asks the operating system. An async context manager.

    Args:
        timeout_s: Longest wait for one name, seconds.
    """

    def __init__(self, *, timeout_s: float = 5.0) -> None:
        self._timeout_s = timeout_s

    async def __aenter__(self) -> Self:
        self._threads = ThreadPoolExecutor(MAX_THREADS, thread_name_prefix="resolver")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def __call__(self, host: str) -> list[str]:
        """Return the addresses of ``host``.

        Raises:
            ResolutionError: There are none, or the look-up took too long.
        """
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._timeout_s):
                return await loop.run_in_executor(self._threads, _look_up, host)
        except TimeoutError as error:
            raise ResolutionError(f"looking up {host} took too long") from error
        except OSError as error:
            raise ResolutionError(f"{host} cannot be looked up: {error.strerror}") from error


def _look_up(host: str) -> list[str]:
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))
