"""The REST API as a customer's program uses it."""

from __future__ import annotations

import re
from types import TracebackType
from typing import Any, Final, Self, TypeAlias

import httpx

from orbit_voice.kit.errors import OrbitError
from orbit_voice.testing.demo.screen import Screen, Who

Json: TypeAlias = dict[str, Any]

_LONG_ID: Final = re.compile(r"([a-z]+_\w{4})\w{10,}")
_SHORT_ID: Final = r"\1…"


class RequestRefusedError(OrbitError):
    """The server answered with an error."""


class Client:
    """Sends requests, prints them, and returns the ``data`` of each answer.

    Args:
        base_url: Of the server.
        api_key: For the X-API-Key header.
        screen: Where requests are shown.
    """

    def __init__(self, base_url: str, api_key: str, screen: Screen) -> None:
        self._screen = screen
        self._http = httpx.AsyncClient(
            base_url=base_url, headers={"X-API-Key": api_key}, timeout=30.0
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._http.aclose()

    async def post(self, path: str, **body: Any) -> Json:
        """POST ``body`` to ``path``, and print it.

        Raises:
            RequestRefusedError: The answer is an error.
        """
        return await self._send_body("POST", path, body)

    async def put(self, path: str, **body: Any) -> Json:
        """PUT ``body`` to ``path``, and print it.

        Raises:
            RequestRefusedError: The answer is an error.
        """
        return await self._send_body("PUT", path, body)

    async def get(self, path: str) -> Json:
        """GET one resource.

        Raises:
            RequestRefusedError: The answer is an error.
        """
        data: Json = (await self._ask("GET", path))["data"]
        return data

    async def get_list(self, path: str, **query: str) -> list[Json]:
        """GET the first page of a list.

        Raises:
            RequestRefusedError: The answer is an error.
        """
        rows: list[Json] = (await self._ask("GET", path, params=query))["data"]
        return rows

    async def download(self, url: str) -> bytes:
        """GET a file.

        Raises:
            RequestRefusedError: The answer is an error.
        """
        return (await self._send("GET", url)).content

    async def _send_body(self, method: str, path: str, body: Json) -> Json:
        self._screen.line(Who.YOU, f"{method} {_LONG_ID.sub(_SHORT_ID, path)}", _in_short(body))
        data: Json = (await self._ask(method, path, json=body))["data"]
        return data

    async def _ask(self, method: str, path: str, **options: Any) -> Json:
        answer: Json = (await self._send(method, path, **options)).json()
        return answer

    async def _send(self, method: str, path: str, **options: Any) -> httpx.Response:
        try:
            answer = await self._http.request(method, path, **options)
        except httpx.TransportError as error:
            raise RequestRefusedError(f"{method} {path} had no answer: {error!r}") from error
        if answer.is_error:
            raise RequestRefusedError(f"{method} {path} was answered with {_why(answer)}")
        return answer


def _why(answer: httpx.Response) -> str:
    try:
        error = answer.json()["error"]
        return f"{answer.status_code} {error['code']}: {error['message']}"
    except (ValueError, KeyError, TypeError):
        return str(answer.status_code)


def _in_short(body: Json) -> str:
    """Return a body as one line without what fills it; passwords are blanked."""
    shown = {name: "…" if name == "password" else value for name, value in body.items()}
    return ", ".join(f"{name}: {value}" for name, value in shown.items() if value is not None)
