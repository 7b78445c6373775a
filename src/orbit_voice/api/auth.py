"""Who is asking: API keys, scopes, and the organization whose rows a request sees."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Final, TypeAlias

from fastapi import Depends
from starlette.requests import Request

from orbit_voice.api.dependencies import Dependencies
from orbit_voice.api.interfaces import Principal, Scope
from orbit_voice.kit.errors import CallError, ErrorCode

_KEY: Final = re.compile(r"[!-~]{1,256}")
"""Visible ASCII; what is longer is no key of ours and not worth a hash."""
_ID: Final = re.compile(r"[A-Za-z0-9_]{1,64}")


@dataclass(frozen=True, slots=True)
class Client:
    """The API client behind a request whose key was accepted.

    Attributes:
        principal: What the key stands for.
        request: The request.
    """

    principal: Principal
    request: Request

    @property
    def org_id(self) -> str:
        """The organization whose rows it sees."""
        return self.principal.org_id

    @property
    def dependencies(self) -> Dependencies:
        """What the API is built on."""
        return dependencies(self.request)


def dependencies(request: Request) -> Dependencies:
    """Return what the API is built on."""
    found: Dependencies = request.app.state.dependencies
    return found


def require(scope: Scope) -> Callable[[Request], Awaitable[Client]]:
    """Return a dependency that accepts requests whose key has ``scope``."""

    async def authenticate(request: Request) -> Client:
        principal = await identify(request)
        if scope not in principal.scopes:
            raise CallError(
                ErrorCode.INSUFFICIENT_PERMISSIONS,
                f"The API key lacks the scope `{scope}`: use a key that has it.",
                details={"expected": scope.value, "scopes": sorted(principal.scopes)},
            )
        check_ids(request)
        return Client(principal, request)

    return authenticate


async def identify(request: Request) -> Principal:
    """Return whom the request's key speaks for.

    Raises:
        CallError: ``UNAUTHORIZED`` without a key, ``INVALID_API_KEY`` with one that is not ours.
    """
    key = find_key(request)
    if key is None:
        raise CallError(ErrorCode.UNAUTHORIZED)
    principal = await dependencies(request).keys.verify(key) if _KEY.fullmatch(key) else None
    if principal is None:
        raise CallError(ErrorCode.INVALID_API_KEY)
    return principal


def find_key(request: Request) -> str | None:
    """Return the key a request carries, or None; ``X-API-Key`` comes first."""
    if key := request.headers.get("x-api-key", "").strip():
        return key
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and (key := credentials.strip()):
        return key
    return None


def check_ids(request: Request) -> None:
    """Refuse ids in the path that no id of ours looks like, before anything is looked up.

    Raises:
        CallError: ``NOT_FOUND``.
    """
    for value in request.path_params.values():
        if not _ID.fullmatch(value):
            raise CallError(ErrorCode.NOT_FOUND)


Reader: TypeAlias = Annotated[Client, Depends(require(Scope.VOICE_READ))]
"""A client that may read."""
Writer: TypeAlias = Annotated[Client, Depends(require(Scope.VOICE_WRITE))]
"""A client that may make and change."""
Admin: TypeAlias = Annotated[Client, Depends(require(Scope.ADMIN))]
"""A client that may manage keys."""
