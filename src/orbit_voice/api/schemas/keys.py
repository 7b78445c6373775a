"""API keys: what makes one, how it is shown (API contract §1 and §10)."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import ConfigDict, Field, model_validator

from orbit_voice.api.schemas.common import Answer, RequestBody, without_nulls
from orbit_voice.api.schemas.fields import Expected, Line, one_of
from orbit_voice.kit.clock import iso_utc
from orbit_voice.store.api_keys import ApiKey, Mode, Scope

_SCOPES: Final = tuple(scope.value for scope in Scope)


class CreateKey(RequestBody):
    """A new API key."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"name": "Reporting", "scopes": ["voice:read"], "mode": "live"}]
        }
    )

    name: Annotated[Line, Field(description="What you call it.")]
    scopes: Annotated[
        list[Literal["voice:read", "voice:write", "admin"]],
        Field(min_length=1, max_length=len(_SCOPES), description="What the key may do."),
        Expected(f"a list of one or more of {', '.join(_SCOPES)}"),
    ] = ["voice:read", "voice:write"]  # noqa: RUF012 - pydantic copies it
    mode: Annotated[
        Literal["live", "test"],
        one_of("live", "test"),
        Field(description="`test`: its calls never reach a trunk."),
    ] = "live"

    @model_validator(mode="before")
    @classmethod
    def _drop_nulls(cls, body: Any) -> Any:
        return without_nulls(body)


class ApiKeyAnswer(Answer):
    """An API key, without its text."""

    id: str = Field(examples=["key_01jd3r8m6k8v2t0q4x9w7z5y1b"])
    name: str
    prefix: str = Field(description="Beginning of the key's text.", examples=["dv_live_sk_3f9a"])
    scopes: list[Scope]
    mode: Mode
    created_at: str


class NewApiKeyAnswer(ApiKeyAnswer):
    """An API key with its text, which is shown this once."""

    key: str = Field(description="Keep it: it is not shown again.")


def show_key(key: ApiKey) -> dict[str, Any]:
    """Return a key as :class:`ApiKeyAnswer` describes it."""
    return {
        "id": key.id,
        "name": key.name,
        "prefix": key.prefix,
        "scopes": sorted(key.scopes),
        "mode": key.mode,
        "created_at": iso_utc(key.created_at),
    }
