"""From what pydantic found to the one error a client reads."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import Any, Final, TypeVar, get_args

from pydantic import AliasChoices, BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from orbit_voice.api.schemas.common import RequestBody
from orbit_voice.api.schemas.fields import Expected
from orbit_voice.kit.errors import CallError, ErrorCode

MAX_ERRORS: Final = 20
"""Problems listed in ``details.errors``; whoever mends twenty fields can ask again."""
MAX_VALUE_CHARACTERS: Final = 200
"""How much of a wrong value an error repeats."""
MAX_FIELD_CHARACTERS: Final = 200
"""How much of a field's path an error repeats; metadata keys are the client's own text."""

_REDACTED: Final = "[redacted]"
_UNSAID: Final = "as the API reference says"
_SECRET_NAME: Final = re.compile(r"pass|secret|token|key|credential|auth", re.IGNORECASE)
_URI_PASSWORD: Final = re.compile(r":[^:@/\s]*@")

_Model = TypeVar("_Model", bound=BaseModel)


def read_model(model: type[_Model], value: Any) -> _Model:
    """Return ``value`` as a ``model``.

    Raises:
        CallError: ``VALIDATION_ERROR``, ``MISSING_REQUIRED_FIELD`` or the code that a field's
            validator named, with ``field``, ``value`` and ``expected`` of the first problem in
            ``details``, and all of them in ``details.errors`` when there are more.
    """
    try:
        return model.model_validate(value)
    except ValidationError as error:
        problems = error.errors(include_url=False)
    raise _to_call_error(problems, model)


def bounded(value: Any) -> Any:
    """Return ``value`` as an error may repeat it: short, one level, without passwords of URIs."""
    match value:
        case None | bool() | float():
            return value
        case int():
            return value if abs(value) < 2**53 else cut(str(value), MAX_VALUE_CHARACTERS)
        case str():
            text = _URI_PASSWORD.sub(f":{_REDACTED}@", value) if "@" in value else value
            return cut(text, MAX_VALUE_CHARACTERS)
        case dict():
            return f"an object with {len(value)} fields"
        case list():
            return f"a list of {len(value)}"
        case _:
            return cut(str(value), MAX_VALUE_CHARACTERS)


def cut(text: str, characters: int) -> str:
    """Return ``text``, shortened if need be."""
    return text if len(text) <= characters else text[:characters] + "…"


def _to_call_error(problems: Sequence[ErrorDetails], model: type[BaseModel]) -> CallError:
    found = [_describe(problem, model) for problem in problems[:MAX_ERRORS]]
    first = found[0]
    if len(problems) > 1:
        first.details["errors"] = [
            {"code": one.code.name, "field": one.details["field"], "message": one.message}
            for one in found
        ]
    return first


def _describe(problem: ErrorDetails, model: type[BaseModel]) -> CallError:
    is_ours = problem["type"] in ErrorCode.__members__
    code = ErrorCode[problem["type"]] if is_ours else ErrorCode.VALIDATION_ERROR
    context = problem.get("ctx", {}) if is_ours else {}
    path = [str(part) for part in problem["loc"]]
    if (below := context.get("field")) is not None:
        path.append(below)
    field = cut(".".join(path), MAX_FIELD_CHARACTERS)
    expected = context.get("expected") or _expected(model, path)
    if problem["type"] == "missing":
        return _missing(field, expected)
    if problem["type"] == "extra_forbidden":
        return _unknown(field, model)
    message = context.get("message") or f"`{field}` must be {expected}."
    details = {"field": field, "expected": expected}
    if not _is_secret(model, path):
        details["value"] = bounded(context.get("value", None if below else problem["input"]))
    return CallError(code, message, details=details)


def _missing(field: str, expected: str) -> CallError:
    return CallError(
        ErrorCode.MISSING_REQUIRED_FIELD,
        f"`{field}` is required: add it; it must be {expected}.",
        details={"field": field, "expected": expected},
    )


def _unknown(field: str, model: type[BaseModel]) -> CallError:
    """Say which fields there are; never the value, which may be a misspelt password's."""
    names = ", ".join(_names(model))
    return CallError(
        ErrorCode.VALIDATION_ERROR,
        f"`{field}` is not a field of this resource: leave it out. Fields are: {names}.",
        details={"field": field, "expected": f"one of the fields {names}"},
    )


def _is_secret(model: type[BaseModel], path: Sequence[str]) -> bool:
    if issubclass(model, RequestBody) and path and path[0] in model.secret_fields:
        return True
    return len(path) > 1 and _SECRET_NAME.search(path[-1]) is not None


def _expected(model: type[BaseModel], path: Sequence[str]) -> str:
    """Return the words for the innermost field of ``path`` that has any."""
    text = _UNSAID
    scope: type[BaseModel] | None = model
    for name in path:
        if scope is None or (found := _fields(scope).get(name)) is None:
            break
        text, scope = found
    return text


@cache
def _fields(model: type[BaseModel]) -> dict[str, tuple[str, type[BaseModel] | None]]:
    """Return name on the wire -> words for it, and the model of what is in it if it has one."""
    fields = {}
    for name, field in model.model_fields.items():
        words = expectation(field)
        for alias in wire_names(name, field):
            fields[alias] = (words, _nested(field.annotation))
    return fields


def wire_names(name: str, field: FieldInfo) -> tuple[str, ...]:
    """Return the names a request may use for a field, the documented one first."""
    if isinstance(field.validation_alias, AliasChoices):
        return tuple(str(choice) for choice in field.validation_alias.choices)
    return (field.alias or name,)


def expectation(field: FieldInfo) -> str:
    """Return what a field must be, wherever in its annotation that is said."""
    metadata = list(field.metadata)
    for part in get_args(field.annotation):
        metadata += getattr(part, "__metadata__", ())
    words = (item.text for item in metadata if isinstance(item, Expected))
    return next(words, _UNSAID)


def _nested(annotation: Any) -> type[BaseModel] | None:
    for part in (annotation, *get_args(annotation)):
        if isinstance(part, type) and issubclass(part, BaseModel):
            return part
    return None


def _names(model: type[BaseModel]) -> list[str]:
    return [wire_names(name, field)[0] for name, field in model.model_fields.items()]
