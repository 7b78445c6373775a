"""Fetches a file from a stranger's URL to disk: a prompt to play."""

from __future__ import annotations

import asyncio
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

import httpcore

from orbit_voice.kit.errors import TransportError
from orbit_voice.webhooks.client import HttpClient, RequestError, describe

MAX_FILE_BYTES: Final = 20_000_000
"""Default limit: some 20 minutes of 8 kHz 16-bit mono."""
FETCH_TIMEOUT_S: Final = 10.0
"""Default limit for the whole of it; somebody is on the phone and waits."""
_WRITE_BYTES: Final = 262_144
_OK: Final = 200


class FetchError(TransportError):
    """The file was not had: no answer, not 200, too long, too slow. The text says which."""


@dataclass(frozen=True, slots=True)
class FetchedFile:
    """A file that arrived whole.

    Attributes:
        path: Where it lies.
        size_bytes: Its size.
        content_type: What the server calls it; not to be believed.
    """

    path: Path
    size_bytes: int
    content_type: str | None


class BoundedFetch:
    """Fetches files, a few at a time.

    Args:
        client: Calls the URLs.
        max_at_once: Fetches under way; more wait, within their own time limit.
    """

    def __init__(self, client: HttpClient, *, max_at_once: int = 16) -> None:
        self._client = client
        self._places = asyncio.Semaphore(max_at_once)

    async def fetch_audio(
        self,
        url: str,
        path: Path,
        *,
        limit_bytes: int = MAX_FILE_BYTES,
        timeout_s: float = FETCH_TIMEOUT_S,
    ) -> FetchedFile:
        """Fetch ``url`` to ``path``, which exists only once the file is whole.

        Redirects are not followed. The content is not looked at.

        Args:
            url: Any text.
            path: In a directory that exists; replaced when it is there.
            limit_bytes: A longer body is a failure, found out after that many bytes.
            timeout_s: For all of it, seconds.

        Raises:
            UrlRefusedError: The guard said no.
            FetchError: The server did not give the file; nothing lies at ``path``.
            OSError: The disk did not take it.
        """
        try:
            async with asyncio.timeout(timeout_s):
                async with self._places:
                    return await self._fetch(url, path, limit_bytes, timeout_s)
        except (TimeoutError, httpcore.TimeoutException) as error:
            raise FetchError("the file did not arrive in time") from error
        except (RequestError, httpcore.NetworkError, httpcore.ProtocolError) as error:
            raise FetchError(describe(error)) from error

    async def _fetch(self, url: str, path: Path, limit_bytes: int, timeout_s: float) -> FetchedFile:
        async with self._client.get(url, timeout_s=timeout_s) as response:
            if response.status != _OK:
                raise FetchError(f"the server answered {response.status} instead of 200")
            part = _Part(path)
            try:
                size = await _copy(response, part, limit_bytes)
                await asyncio.to_thread(part.keep)
            finally:
                part.discard()
        return FetchedFile(path, size, _content_type(response))


class _Part:
    """A file being written beside where it will lie."""

    def __init__(self, path: Path) -> None:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
        self._file: BinaryIO = os.fdopen(handle, "wb")
        self._name = Path(name)
        self._path = path

    def write(self, data: bytes) -> None:
        self._file.write(data)

    def keep(self) -> None:
        """Make it durable, then visible."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._name.replace(self._path)

    def discard(self) -> None:
        """Leave nothing behind but what was kept."""
        self._file.close()
        self._name.unlink(missing_ok=True)


async def _copy(response: httpcore.Response, part: _Part, limit_bytes: int) -> int:
    """Write the body in large pieces, off the event loop; return its length."""
    size = 0
    waiting = bytearray()
    async for chunk in response.aiter_stream():
        size += len(chunk)
        if size > limit_bytes:
            raise FetchError(f"the file is longer than {limit_bytes} bytes")
        waiting += chunk
        if len(waiting) >= _WRITE_BYTES:
            await asyncio.to_thread(part.write, bytes(waiting))
            waiting.clear()
    await asyncio.to_thread(part.write, bytes(waiting))
    return size


def _content_type(response: httpcore.Response) -> str | None:
    for name, value in response.headers:
        if name.lower() == b"content-type":
            return value.decode("latin-1")
    return None
