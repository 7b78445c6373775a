"""``/healthz`` and ``/readyz``: is the process alive, can it make calls (API contract §10)."""

from __future__ import annotations

from typing import Final, Literal

import structlog
from starlette.requests import Request

from orbit_voice.api import openapi
from orbit_voice.api.auth import dependencies
from orbit_voice.api.envelope import JsonResponse, success
from orbit_voice.api.schemas.common import Answer, Envelope
from orbit_voice.kit.errors import CallError, ErrorCode

router: Final = openapi.new_router("Health")
_log = structlog.get_logger(__name__)


class Alive(Answer):
    """The process serves requests."""

    status: Literal["ok"]


class Ready(Answer):
    """Calls can be made."""

    status: Literal["ready"]
    checks: dict[str, bool]


@router.get("/healthz", **openapi.public_operation("Is the process alive?", Envelope[Alive]))
async def healthz(request: Request) -> JsonResponse:
    """Answer 200 whenever requests are served at all."""
    return success(request, {"status": "ok"})


@router.get(
    "/readyz",
    **openapi.public_operation(
        "Can calls be made?", Envelope[Ready], errors=(ErrorCode.SERVICE_UNAVAILABLE,)
    ),
)
async def readyz(request: Request) -> JsonResponse:
    """Answer 200 only when every part that a call needs works."""
    try:
        checks = dict(await dependencies(request).readiness())
    except Exception as error:
        _log.error("api.readiness_failed", exc_info=error)
        raise _not_ready({}) from error
    if not all(checks.values()):
        raise _not_ready(checks)
    return success(request, {"status": "ready", "checks": checks})


def _not_ready(checks: dict[str, bool]) -> CallError:
    broken = ", ".join(sorted(name for name, works in checks.items() if not works)) or "unknown"
    return CallError(
        ErrorCode.SERVICE_UNAVAILABLE,
        f"Calls cannot be made now; not working: {broken}. Wait as Retry-After says, then ask "
        "again; the server's log has the reason.",
        details={"checks": checks},
    )
