"""Owns the media threads and the ports, and brings events to the loop."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from orbit_voice import _native
from orbit_voice.media.dispatch import make_event
from orbit_voice.media.errors import MediaError, MediaFailure
from orbit_voice.media.events import MediaEvent, StreamClosed
from orbit_voice.media.refusals import refusals_as_media_errors
from orbit_voice.media.statistics import EngineMetrics
from orbit_voice.media.stream import MediaStream


class MediaEngine:
    """The native engine, from ``async with`` to its end.

    Leaving closes every stream and waits until their recordings are on disk and their last events
    are dispatched.

    Args:
        bind_address: Numeric IPv4 or IPv6 address of the RTP sockets.
        ports: First and last UDP port, inclusive. A stream takes an even port and the next one.
        shards: Media threads; None: one per core but one, at least one.
    """

    def __init__(
        self, *, bind_address: str, ports: tuple[int, int], shards: int | None = None
    ) -> None:
        self._bind_address = bind_address
        self._ports = ports
        self._shards = shards
        self._native: _native.Engine | None = None
        self._owners: dict[int, Callable[[MediaEvent], None]] = {}

    async def __aenter__(self) -> Self:
        with refusals_as_media_errors():
            native = _native.Engine(self._bind_address, *self._ports, self._shards)
        asyncio.get_running_loop().add_reader(native.event_fd, self._dispatch)
        self._native = native
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        native, loop = self._running(), asyncio.get_running_loop()
        try:
            await loop.run_in_executor(None, native.close)
        finally:
            loop.remove_reader(native.event_fd)
            self._dispatch()
            self._native = None
        await asyncio.sleep(0)  # the callbacks that _dispatch scheduled run now

    def open_stream(self, on_event: Callable[[MediaEvent], None]) -> MediaStream:
        """Take a port pair; the stream is silent and deaf until configured.

        Args:
            on_event: Called on the loop's thread, once per event, in order.

        Raises:
            MediaError: ``NO_PORTS``, ``UNAVAILABLE``, ``CLOSED``.
        """
        with refusals_as_media_errors():
            native = self._running().open_stream()
        self._owners[native.id] = on_event
        return MediaStream(native)

    async def prefetch(self, prompts: Sequence[Path]) -> None:
        """Read prompts into memory off the loop, so that a later ``play`` of them is instant.

        Raises:
            MediaError: ``BAD_PROMPT``, ``CLOSED``.
        """
        paths = [os.fspath(prompt) for prompt in prompts]
        with refusals_as_media_errors():
            await asyncio.to_thread(self._running().prefetch, paths)

    def metrics(self) -> EngineMetrics:
        """Return the engine's figures of this moment.

        Raises:
            MediaError: ``CLOSED``.
        """
        return EngineMetrics(**self._running().metrics())

    def _running(self) -> _native.Engine:
        if self._native is None:
            raise MediaError(MediaFailure.CLOSED, "the media engine is not running")
        return self._native

    def _dispatch(self) -> None:
        loop = asyncio.get_running_loop()
        for stream_id, name, fields in self._running().take_events():
            event = make_event(name, fields)
            owner = self._owners[stream_id]
            if isinstance(event, StreamClosed):
                del self._owners[stream_id]
            loop.call_soon(owner, event)  # a callback that fails is the loop's to report
