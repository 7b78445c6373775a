"""The outermost layer: names every request, and catches what nobody else caught."""

from __future__ import annotations

from typing import Final

import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from orbit_voice.api.envelope import REQUEST_ID, failure
from orbit_voice.kit.errors import CallError, ErrorCode
from orbit_voice.kit.ids import new_request_id

ALIAS: Final = "/api"
"""Existing clients ask for ``/api/v1/…``; it is the same tree (API contract §1)."""

_log = structlog.get_logger(__name__)


class Edge:
    """ASGI middleware around the whole API.

    - Every request gets an id and every response an ``X-Request-Id``, errors included.
    - ``/api/v1/…`` is ``/v1/…``: the prefix becomes the mount point (ASGI ``root_path``).
    - ``HEAD`` is answered as ``GET`` without the content (RFC 9110 §9.3.2).
    - An exception becomes a 500 that tells the client nothing but the request's id.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection of any kind; only HTTP is ours to change."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = new_request_id()
        answer = _Answer(send, request_id, headless=scope["method"] == "HEAD")
        scope = _prepare(scope, request_id)
        with structlog.contextvars.bound_contextvars(request_id=request_id):
            await self._serve(scope, receive, answer)

    async def _serve(self, scope: Scope, receive: Receive, answer: _Answer) -> None:
        try:
            await self._app(scope, receive, answer)
        except ClientDisconnect:
            return
        except Exception as error:
            _log.error(
                "api.request_failed", method=scope["method"], path=scope["path"], exc_info=error
            )
            if answer.started:
                raise  # too late for a clean answer: the connection has to break
            response = failure(Request(scope), CallError(ErrorCode.INTERNAL_ERROR))
            await response(scope, receive, answer)


class _Answer:
    """The ``send`` of one request, which tags the response."""

    __slots__ = ("_headless", "_request_id", "_send", "started")

    def __init__(self, send: Send, request_id: str, *, headless: bool) -> None:
        self._send = send
        self._request_id = request_id.encode()
        self._headless = headless
        self.started = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            headers = [*message["headers"], (b"x-request-id", self._request_id)]
            message = {**message, "headers": headers}
        elif self._headless:
            message = {**message, "body": b""}
        await self._send(message)


def _prepare(scope: Scope, request_id: str) -> Scope:
    scope = {**scope, REQUEST_ID: request_id}
    root: str = scope.get("root_path", "")
    if scope["path"].startswith(f"{root}{ALIAS}/v1/"):
        scope["root_path"] = root + ALIAS
    if scope["method"] == "HEAD":
        scope["method"] = "GET"
    return scope
