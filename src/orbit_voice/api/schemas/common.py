"""What every request and answer has: strictness, the envelope, pages, errors (contract §1)."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from orbit_voice.api.schemas.fields import Expected
from orbit_voice.kit.errors import ErrorCode

T = TypeVar("T")


class RequestBody(BaseModel):
    """A JSON body. Types are strict: ``"5"`` and ``5.0`` are no integers, ``1`` is not true.

    A field that is null in a ``create`` counts as left out; in a ``PUT`` null clears a field.
    """

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    secret_fields: ClassVar[frozenset[str]] = frozenset()
    """Fields whose value no error may repeat."""


def without_nulls(body: Any) -> Any:
    """Return a ``create`` body with its null fields left out, as if they had not been sent."""
    if not isinstance(body, dict):
        return body
    return {name: value for name, value in body.items() if value is not None}


class NoFields(RequestBody):
    """The body of a command on a call that takes no fields; what is sent is not looked at."""

    model_config = ConfigDict(extra="ignore")


class PageQuery(BaseModel):
    """Which page of a list."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    cursor: Annotated[
        str | None,
        StringConstraints(max_length=1024),
        Expected("pagination.cursor of the page before"),
        Field(description="`pagination.cursor` of the page before; left out for the first page."),
    ] = None
    limit: Annotated[
        int,
        Field(ge=1, le=100, description="Rows per page."),
        Expected("a whole number from 1 to 100"),
    ] = 20


class Answer(BaseModel):
    """Anything the API says. Every field is there; null when not known."""

    model_config = ConfigDict(extra="forbid")


class Meta(Answer):
    """About the answer itself."""

    request_id: str = Field(description="Same as the header `X-Request-Id`.")
    timestamp: str = Field(description="When it was answered, ISO-8601 UTC.")


class Pagination(Answer):
    """Where the page stands in its list."""

    cursor: str | None = Field(description="Continues the list; null on the last page.")
    has_more: bool
    total: int = Field(description="Rows that match, over all pages.")


class ListMeta(Meta):
    """About a page."""

    pagination: Pagination


class Envelope(Answer, Generic[T]):
    """One resource."""

    data: T
    meta: Meta


class ListEnvelope(Answer, Generic[T]):
    """One page of resources."""

    data: list[T]
    meta: ListMeta


class ErrorMeta(Meta):
    """About an error."""

    docs_url: str = Field(description="Page that explains the code.")


class ErrorBody(Answer):
    """What went wrong and what to do."""

    code: str = Field(json_schema_extra={"enum": [code.name for code in ErrorCode]})
    message: str = Field(description="What to do next, in a sentence.")
    status: int
    details: dict[str, Any] = Field(description="`field`, `value`, `expected` and what else helps.")


class ErrorEnvelope(Answer):
    """Every error."""

    error: ErrorBody
    meta: ErrorMeta
