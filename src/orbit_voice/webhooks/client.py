"""The HTTP client for strangers' URLs: guarded at every connect, bounded in time and size.

It stands on httpcore, the engine under httpx, because what httpx adds is what must not happen here:
redirects, proxies from the environment, cookies, unpacking of compressed bodies.

The URL stays whole down to the connect, so the Host header, TLS server name and the certificate
check are those of the URL's host; only there the guard turns the host into addresses, and the
connection goes to one of those.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self

import httpcore

from orbit_voice.kit.errors import TransportError
from orbit_voice.webhooks.guard import UrlGuard
from orbit_voice.webhooks.resolver import ResolutionError
from orbit_voice.webhooks.targets import Target, parse_target

CONNECT_TIMEOUT_S: Final = 10.0
"""Longest wait for one TCP connect or TLS handshake, seconds."""
KEEP_ALIVE_S: Final = 2.0
"""How long an idle connection is kept: below what servers commonly use (5 s), so that no request
meets a connection that is just being closed."""
MAX_CONNECTIONS: Final = 256
"""Open at once, kept ones included; above what delivery and prompts together may have under way."""
EXCERPT_BYTES: Final = 1024
"""Beginning of an answer's body that is kept."""
MAX_ANSWER_BYTES: Final = 65_536
"""Answer's body that is read at all; one that is longer is cut and the connection closed."""
ANSWER_BODY_S: Final = 2.0
"""How long a body may take once its status is known, seconds."""


class RequestError(TransportError):
    """There was no answer. The text is one line for people, without secrets."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a receiver said.

    Attributes:
        status: HTTP status, 200-599.
        excerpt: The first :data:`EXCERPT_BYTES` of the body as text, control characters blanked.
    """

    status: int
    excerpt: str


class HttpClient:
    """Calls URLs that strangers gave. An async context manager.

    Args:
        guard: Judges every connection.
        ssl_context: Which certificates to trust; None: the system's, verified.
    """

    def __init__(self, guard: UrlGuard, *, ssl_context: ssl.SSLContext | None = None) -> None:
        self._guard = guard
        self._ssl_context = ssl_context

    async def __aenter__(self) -> Self:
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=self._ssl_context or ssl.create_default_context(),
            max_connections=MAX_CONNECTIONS,
            max_keepalive_connections=MAX_CONNECTIONS // 2,
            keepalive_expiry=KEEP_ALIVE_S,
            network_backend=_GuardedBackend(self._guard),
        )
        await self._pool.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._pool.aclose()

    async def post(
        self, url: str, body: bytes, headers: Mapping[str, str], *, timeout_s: float
    ) -> Answer:
        """Post ``body``; redirects are answers like any other.

        Args:
            url: Any text.
            body: The exact bytes.
            headers: ASCII; all but Host, Content-Length, Accept and Accept-Encoding.
            timeout_s: From now to the answer's status, seconds.

        Raises:
            UrlRefusedError: The guard said no.
            RequestError: No answer in time, or nothing that is one.
        """
        async with self._request("POST", url, body, headers, timeout_s) as response:
            return Answer(response.status, await _read_excerpt(response))

    @asynccontextmanager
    async def get(self, url: str, *, timeout_s: float) -> AsyncIterator[httpcore.Response]:
        """Get ``url``; the body is streamed inside the context, with a limit by the caller.

        Raises:
            UrlRefusedError: The guard said no.
            RequestError: No status within ``timeout_s`` seconds, or nothing that is an answer.
        """
        async with self._request("GET", url, None, {}, timeout_s) as response:
            yield response

    @asynccontextmanager
    async def _request(
        self,
        method: str,
        url: str,
        body: bytes | None,
        headers: Mapping[str, str],
        timeout_s: float,
    ) -> AsyncIterator[httpcore.Response]:
        target = parse_target(url)
        common = {"Host": target.authority, "Accept": "*/*", "Accept-Encoding": "identity"}
        if body is not None:
            common["Content-Length"] = str(len(body))
        request = httpcore.Request(
            method,
            _url_of(target),
            headers=[*common.items(), *headers.items()],
            content=body,
            extensions={"timeout": {"connect": CONNECT_TIMEOUT_S, "pool": CONNECT_TIMEOUT_S}},
        )
        response = await self._send(request, timeout_s)
        try:
            yield response
        finally:
            with suppress(httpcore.NetworkError, httpcore.ProtocolError):
                await response.aclose()

    async def _send(self, request: httpcore.Request, timeout_s: float) -> httpcore.Response:
        try:
            async with asyncio.timeout(timeout_s):
                return await self._pool.handle_async_request(request)
        except (TimeoutError, httpcore.TimeoutException) as error:
            raise RequestError(f"no answer in time ({type(error).__name__})") from error
        except (httpcore.NetworkError, httpcore.ProtocolError, ResolutionError) as error:
            raise RequestError(describe(error)) from error


def describe(error: Exception) -> str:
    """Return what went wrong in one line of 200 characters at most."""
    cause = str(error) or type(error).__name__
    return "".join(char if char.isprintable() else " " for char in cause)[:200]


class _GuardedBackend(httpcore.AsyncNetworkBackend):
    """Connects to the addresses that the guard has judged, never to a name."""

    def __init__(self, guard: UrlGuard) -> None:
        self._guard = guard
        self._inner = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the interface of httpcore
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        bracketed = f"[{host}]" if ":" in host else host
        failure: Exception = httpcore.ConnectError("no address")
        for address in await self._guard.pin(parse_target(f"http://{bracketed}:{port}")):
            try:
                return await self._inner.connect_tcp(
                    str(address), port, timeout, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure

    async def sleep(self, seconds: float) -> None:
        await self._inner.sleep(seconds)


def _url_of(target: Target) -> httpcore.URL:
    return httpcore.URL(
        scheme=target.scheme.encode(),
        host=target.host.encode(),
        port=target.port,
        target=target.path.encode(),
    )


async def _read_excerpt(response: httpcore.Response) -> str:
    """Read the body as far as it counts; the status is known, so nothing here is a failure."""
    kept = bytearray()
    count = 0
    with suppress(
        TimeoutError, httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError
    ):
        async with asyncio.timeout(ANSWER_BODY_S):
            async for chunk in response.aiter_stream():
                kept += chunk[: EXCERPT_BYTES - len(kept)]
                count += len(chunk)
                if count > MAX_ANSWER_BYTES:
                    break
    text = kept.decode("utf-8", errors="replace")
    return "".join(char if char.isprintable() or char in "\n\t" else " " for char in text)
