"""Numbers: what makes and changes one, how it is shown (API contract §4)."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import ConfigDict, Field, model_validator

from orbit_voice.api.schemas.common import Answer, RequestBody, without_nulls
from orbit_voice.api.schemas.fields import Expected, Flag, Id, Line, PhoneNumber, one_of
from orbit_voice.kit.clock import iso_utc
from orbit_voice.trunks.records import Number, RoutingType

_UNSET: Final[Any] = None
_TYPES: Final = tuple(kind.value for kind in RoutingType)
_ROUTING: Final = f"an object with the field type, {one_of(*_TYPES).text}"


class Routing(RequestBody):
    """What happens to inbound calls.

    ``answer``: answered at once, then under the API's control. ``manual``: rings until the API
    accepts or declines. ``reject``: refused.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [{"type": "answer"}]})

    type: Annotated[Literal["answer", "manual", "reject"], one_of(*_TYPES)]


class NumberFields(RequestBody):
    """What both requests share; a field that is not given keeps its value or its default."""

    friendly_name: Annotated[Line | None, Field(description="What you call it.")] = _UNSET
    trunk_id: Annotated[
        Id | None, Field(description="Trunk it comes in by; any of yours if left out.")
    ] = _UNSET
    is_default: Annotated[Flag, Field(description="Caller ID of calls that name none.")] = _UNSET
    routing: Annotated[
        Routing | None,
        Expected(_ROUTING),
        Field(description="What happens to its inbound calls; null refuses them with 404."),
    ] = _UNSET

    def changes(self) -> dict[str, Any]:
        """Return the fields that were given, as :class:`Number` has them."""
        given = {name: getattr(self, name) for name in self.model_fields_set}
        if (routing := given.get("routing")) is not None:
            given["routing"] = RoutingType(routing.type)
        return given


class CreateNumber(NumberFields):
    """A number to register."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "number": "+14155550100",
                    "friendly_name": "Support",
                    "is_default": True,
                    "routing": {"type": "answer"},
                }
            ]
        }
    )

    number: Annotated[PhoneNumber, Field(description="E.164.")]

    @model_validator(mode="before")
    @classmethod
    def _drop_nulls(cls, body: Any) -> Any:
        return without_nulls(body)


class UpdateNumber(NumberFields):
    """Fields of a number to replace; null clears all but ``number`` and ``is_default``."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"routing": {"type": "manual"}}]})

    number: Annotated[PhoneNumber, Field(description="E.164.")] = _UNSET


class RoutingAnswer(Answer):
    """What happens to inbound calls."""

    type: RoutingType


class NumberAnswer(Answer):
    """A phone number of the organization."""

    id: str = Field(examples=["num_01jd3r8m6k8v2t0q4x9w7z5y1b"])
    number: str = Field(examples=["+14155550100"])
    friendly_name: str | None
    trunk_id: str | None
    is_default: bool
    routing: RoutingAnswer | None
    created_at: str
    updated_at: str


def show_number(number: Number) -> dict[str, Any]:
    """Return a number as :class:`NumberAnswer` describes it."""
    return {
        "id": number.id,
        "number": number.number,
        "friendly_name": number.friendly_name,
        "trunk_id": number.trunk_id,
        "is_default": number.is_default,
        "routing": None if number.routing is None else {"type": number.routing},
        "created_at": iso_utc(number.created_at),
        "updated_at": iso_utc(number.updated_at),
    }
