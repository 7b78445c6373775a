"""``/openapi.json``, ``/docs`` and ``/docs/errors``, complete without any other server."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from html import escape
from typing import Any, Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import HTMLResponse

from orbit_voice.api.envelope import JsonResponse
from orbit_voice.api.openapi import build_openapi
from orbit_voice.api.reference import render_reference
from orbit_voice.kit.errors import ErrorCode, HangupCause

router: Final = APIRouter(include_in_schema=False)

_STYLE: Final = """
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem }
table { border-collapse: collapse; width: 100%; margin: .5rem 0 }
th, td { border: 1px solid #ccc; padding: .3rem .5rem; text-align: left; vertical-align: top }
code, pre { font: 14px/1.4 ui-monospace, monospace; background: #f4f4f4 }
pre { padding: .5rem; overflow-x: auto }
:target { background: #fff3c4 }
section { border-top: 2px solid #ddd; margin-top: 2rem }
"""
_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
    "X-Content-Type-Options": "nosniff",
}


@router.get("/openapi.json")
async def openapi_document(request: Request) -> JsonResponse:
    """Return the OpenAPI 3.1 document."""
    return JsonResponse(_document(request))


@router.get("/docs")
async def reference_page(request: Request) -> HTMLResponse:
    """Return the reference for people, made from the OpenAPI document."""
    return _page("Orbit Voice API", render_reference(_document(request)))


@router.get("/docs/errors")
async def errors_page(request: Request) -> HTMLResponse:
    """Return the page that ``meta.docs_url`` of every error points to."""
    return _page("Orbit Voice errors", _errors())


def _document(request: Request) -> dict[str, Any]:
    app = request.app
    if app.openapi_schema is None:
        app.openapi_schema = build_openapi(app)
    document: dict[str, Any] = app.openapi_schema
    return document


def _page(title: str, body: str) -> HTMLResponse:
    html = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{_STYLE}</style></head><body><h1>{escape(title)}</h1>{body}</body></html>"
    )
    return HTMLResponse(html, headers=_HEADERS)


@cache
def _errors() -> str:
    """Return every code of the registry, each a target of its name in lower case."""
    head = _row("th", ("code", "HTTP", "SIP", "hangup cause", "what it means", "what to do"))
    rows = "".join(_error_row(code) for code in ErrorCode)
    causes = "".join(f"<li><code>{escape(cause)}</code></li>" for cause in HangupCause)
    return (
        "<p>Every error of the REST API has one of these codes; <code>details</code> names the "
        "field, its value and what was expected.</p>"
        f"<table>{head}{rows}</table><h2>Hangup causes</h2><ul>{causes}</ul>"
    )


def _error_row(code: ErrorCode) -> str:
    spec = code.spec
    cells = (
        f"<code>{code.name}</code>",
        str(spec.http_status),
        str(spec.sip_status),
        f"<code>{escape(spec.cause)}</code>",
        escape(spec.message),
        escape(spec.hint),
    )
    return _row("td", cells, anchor=code.name.lower())


def _row(cell: str, contents: Iterable[str], *, anchor: str | None = None) -> str:
    opening = "<tr>" if anchor is None else f'<tr id="{anchor}">'
    return opening + "".join(f"<{cell}>{text}</{cell}>" for text in contents) + "</tr>"
