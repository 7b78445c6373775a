"""The one shape of every answer (API contract §1)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import orjson
from starlette.requests import Request
from starlette.responses import Response

from orbit_voice.api.links import base_url
from orbit_voice.kit.clock import iso_utc, utc_now
from orbit_voice.kit.errors import CallError, ErrorCode
from orbit_voice.kit.pages import Page

REQUEST_ID: Final = "orbit_voice.request_id"
"""Where in the ASGI scope the request's id stands."""

RETRY_AFTER_S: Final = 5
"""What ``Retry-After`` says of a 503 that knows no better: time for a drain or a burst to pass."""

_AUTHENTICATION: Final = frozenset({ErrorCode.UNAUTHORIZED, ErrorCode.INVALID_API_KEY})


class JsonResponse(Response):
    """JSON written by orjson; no cache may keep it, since it may hold keys and numbers."""

    media_type = "application/json"

    def __init__(
        self, content: Any, status_code: int = 200, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(content, status_code, {"Cache-Control": "no-store", **(headers or {})})

    def render(self, content: Any) -> bytes:
        """Return ``content`` as UTF-8 JSON."""
        return orjson.dumps(content, default=_plain)


def success(request: Request, data: Any, *, status: int = 200) -> JsonResponse:
    """Return one resource."""
    return JsonResponse({"data": data, "meta": _meta(request)}, status_code=status)


def page(request: Request, rows: Iterable[Any], source: Page[Any]) -> JsonResponse:
    """Return one page of a list.

    Args:
        request: The request that is answered.
        rows: The rows of ``source`` as they are shown.
        source: Says where the page stands.
    """
    meta = _meta(request)
    meta["pagination"] = {
        "cursor": source.cursor,
        "has_more": source.cursor is not None,
        "total": source.total,
    }
    return JsonResponse({"data": list(rows), "meta": meta})


def failure(request: Request, error: CallError) -> JsonResponse:
    """Return an error, with the headers its status calls for."""
    spec = error.code.spec
    meta = _meta(request)
    meta["docs_url"] = f"{base_url(request)}/docs/errors#{error.code.name.lower()}"
    body = {
        "code": error.code.name,
        "message": error.message,
        "status": spec.http_status,
        "details": error.details,
    }
    return JsonResponse(
        {"error": body, "meta": meta}, status_code=spec.http_status, headers=_headers(error)
    )


def _headers(error: CallError) -> dict[str, str]:
    headers = dict(error.headers)
    if error.code in _AUTHENTICATION:
        headers.setdefault("WWW-Authenticate", "Bearer")  # RFC 9110 §11.6.1
    elif error.code is ErrorCode.SERVICE_UNAVAILABLE:
        headers.setdefault("Retry-After", str(error.details.get("retry_after", RETRY_AFTER_S)))
    elif error.code is ErrorCode.PAYLOAD_TOO_LARGE:
        headers.setdefault("Connection", "close")  # the rest of the body is not read
    return headers


def _meta(request: Request) -> dict[str, Any]:
    return {"request_id": request.scope[REQUEST_ID], "timestamp": iso_utc(utc_now())}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} cannot be shown")
