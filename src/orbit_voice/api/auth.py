"""Who is asking: API keys, scopes, and the organization whose rows a request sees."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Final, TypeAlias

from fastapi import Depends
from starlette.requests import Request

from orbit_voice.api.dependencies import Dependencies
from orbit_voice.kit.errors import CallError, ErrorCode
from orbit_voice.store.api_keys import ApiKey, Scope

_KEY: Final = re.compile(r"[!-~]{1,256}")
"""Visible ASCII; what is longer is no key of ours and not worth a hash."""
_ID: Final = re.compile(r"[A-Za-z0-9_]{1,64}")


@dataclass(frozen=True, slots=True)
class Client:
    """The API client behind a request whose key was accepted.

    Attributes:
        key: The key: whom it speaks for and what it may do.
        request: The request.
    """

    key: ApiKey
    request: Request

    @property
    def org_id(self) -> str:
        """The organization whose rows it sees."""
        return self.key.org_id

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
        key = await identify(request)
        if scope not in key.scopes:
            raise CallError(
                ErrorCode.INSUFFICIENT_PERMISSIONS,
                f"The API key lacks the scope `{scope}`: use a key that has it.",
                details={"expected": scope.value, "scopes": sorted(key.scopes)},
            )
        check_ids(request)
        return Client(key, request)

    return authenticate


async def identify(request: Request) -> ApiKey:
    """Return what is known of the request's key.

    Raises:
        CallError: ``UNAUTHORIZED`` without a key, ``INVALID_API_KEY`` with one that is not ours.
    """
    text = find_key(request)
    if text is None:
        raise CallError(ErrorCode.UNAUTHORIZED)
    key = await dependencies(request).api_keys.verify(text) if _KEY.fullmatch(text) else None
    if key is None:
        raise CallError(ErrorCode.INVALID_API_KEY)
    return key


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


Reader: TypeAlias = Annotated[Client, Depends(require(Scope.READ))]
"""A client that may read."""
Writer: TypeAlias = Annotated[Client, Depends(require(Scope.WRITE))]
"""A client that may make and change."""
Admin: TypeAlias = Annotated[Client, Depends(require(Scope.ADMIN))]
"""A client that may manage keys."""
