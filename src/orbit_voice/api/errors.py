"""What becomes of an error on its way to the client."""

from __future__ import annotations

from typing import Final

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route

from orbit_voice.api.envelope import failure
from orbit_voice.api.validation import bounded
from orbit_voice.kit.errors import CallError, ErrorCode

_CODES: Final = {404: ErrorCode.NOT_FOUND, 405: ErrorCode.METHOD_NOT_ALLOWED}
"""What the router itself refuses."""


def install_error_handlers(app: FastAPI) -> None:
    """Have every error of ``app`` answered in the envelope."""
    app.add_exception_handler(CallError, _call_error)
    app.add_exception_handler(HTTPException, _http_error)


async def _call_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, CallError):
        raise error
    return failure(request, error)


async def _http_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException) or (code := _CODES.get(error.status_code)) is None:
        raise error
    if code is ErrorCode.NOT_FOUND:
        message = "There is no such path: GET /docs lists the ones there are."
        details = {"value": bounded(request.scope["path"])}
        return failure(request, CallError(code, message, details=details))
    allowed = ", ".join(allowed_methods(request))
    details = {"value": request.method, "expected": allowed}
    return failure(request, CallError(code, details=details, headers={"Allow": allowed}))


def allowed_methods(request: Request) -> list[str]:
    """Return the methods of every route with the request's path (RFC 9110 §10.2.1)."""
    methods: set[str] = set()
    for route in request.app.routes:
        if isinstance(route, Route) and route.matches(request.scope)[0] is not Match.NONE:
            methods |= route.methods or set()
    return sorted(methods | ({"HEAD"} if "GET" in methods else set()))
