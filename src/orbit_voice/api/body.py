"""Request bodies: read within bounds, strictly JSON, made into a model in one pass.

Read only after the key was accepted, so a stranger cannot make the server buffer or parse.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from typing import Any, Final, NoReturn, TypeVar
from urllib.parse import parse_qsl

import orjson
from pydantic import BaseModel
from starlette.requests import Request

from orbit_voice.api.schemas.common import RequestBody
from orbit_voice.api.validation import bounded, read_model
from orbit_voice.kit.errors import CallError, ErrorCode

MAX_BODY_BYTES: Final = 1_048_576
"""API contract §1: 1 MiB."""
MAX_FIELDS: Final = 100
"""Members of the body's object. No schema has half as many; each unknown one costs an error."""
MAX_QUERY_FIELDS: Final = 50
"""Fields of a query string."""

_JSON_TYPE: Final = re.compile(
    r"\s*application/(?:json|[\w.+-]+\+json)\s*(?:;\s*charset\s*=\s*\"?utf-?8\"?\s*)?;?\s*",
    re.IGNORECASE,
)
_ESCAPED_SURROGATE: Final = re.compile(rb"\\u[dD][89a-fA-F]")
_DIGITS: Final = re.compile(r"[0-9]{1,18}")

_Body = TypeVar("_Body", bound=RequestBody)
_Query = TypeVar("_Query", bound=BaseModel)


def json_body(model: type[_Body]) -> Callable[[Request], Awaitable[_Body]]:
    """Return a dependency that reads the body as ``model``. An empty body counts as ``{}``."""

    async def read(request: Request) -> _Body:
        data = await read_body(request)
        if not data:
            return read_model(model, {})
        _check_content_type(request)
        return read_model(model, _check_object(parse_json(data)))

    return read


def query(model: type[_Query]) -> Callable[[Request], Awaitable[_Query]]:
    """Return a dependency that reads the query string as ``model``."""

    async def read(request: Request) -> _Query:
        text = request.scope["query_string"].decode("latin-1")
        try:
            pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_QUERY_FIELDS)
        except ValueError:
            raise CallError(
                ErrorCode.VALIDATION_ERROR,
                f"The query string has more than {MAX_QUERY_FIELDS} fields: leave some out.",
                details={"field": "query", "expected": f"at most {MAX_QUERY_FIELDS} fields"},
            ) from None
        return read_model(model, dict(pairs))

    return read


async def read_body(request: Request) -> bytes:
    """Return the body.

    Raises:
        CallError: ``PAYLOAD_TOO_LARGE`` as soon as more than :data:`MAX_BODY_BYTES` are announced
            or, in a chunked body, have come.
    """
    announced = request.headers.get("content-length", "")
    if _DIGITS.fullmatch(announced) and int(announced) > MAX_BODY_BYTES:
        raise _too_large()
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > MAX_BODY_BYTES:
            raise _too_large()
        chunks.append(chunk)
    return b"".join(chunks)


def parse_json(data: bytes) -> Any:
    """Return the value of a JSON text (RFC 8259).

    Raises:
        CallError: ``INVALID_JSON`` with ``details.position``: malformed, not UTF-8, a name given
            twice, ``NaN`` and its kin, half a surrogate pair, too deep, or too long a number.
    """
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _invalid("The body is not UTF-8", error.start) from None
    try:
        value = json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse_constant)
        if _ESCAPED_SURROGATE.search(data):
            orjson.loads(data)  # the one that refuses half a pair; the other one counts names
    except json.JSONDecodeError as error:
        raise _invalid(error.msg, error.pos, line=error.lineno, column=error.colno) from None
    except RecursionError:
        raise _invalid("Arrays and objects are nested too deeply", None) from None
    except ValueError:
        raise _invalid("A number has too many digits", None) from None
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) == len(pairs):
        return members
    seen: set[str] = set()
    for name, _ in pairs:
        if name in seen:
            raise _invalid(f"The name {json.dumps(bounded(name))} is given twice", None)
        seen.add(name)
    raise AssertionError("lengths differ only when a name is repeated")


def _refuse_constant(name: str) -> NoReturn:
    raise _invalid(f"{name} is not a JSON value", None)


def _invalid(what: str, position: int | None, **where: int) -> CallError:
    stopped = {} if position is None else {"position": position, **where}
    return CallError(
        ErrorCode.INVALID_JSON,
        f"{what}. {ErrorCode.INVALID_JSON.spec.message} Send one JSON object in UTF-8.",
        details={**stopped, "expected": "a JSON object in UTF-8"},
    )


def _check_content_type(request: Request) -> None:
    encoding = request.headers.get("content-encoding", "identity")
    content_type = request.headers.get("content-type", "")
    if encoding.lower() != "identity":
        field, value, expected = "Content-Encoding", encoding, "identity"
    elif not _JSON_TYPE.fullmatch(content_type):
        field, value, expected = "Content-Type", content_type, "application/json"
    else:
        return
    raise CallError(
        ErrorCode.UNSUPPORTED_MEDIA_TYPE,
        details={"field": field, "value": bounded(value), "expected": expected},
    )


def _check_object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise CallError(
            ErrorCode.INVALID_JSON,
            "The body is JSON, but not an object: send one in braces, {…}.",
            details={"position": 0, "value": bounded(value), "expected": "a JSON object"},
        )
    if len(value) > MAX_FIELDS:
        raise CallError(
            ErrorCode.VALIDATION_ERROR,
            f"The body has more than {MAX_FIELDS} fields: send only those the resource has.",
            details={"field": "", "value": bounded(value), "expected": f"{MAX_FIELDS} at most"},
        )
    return value


def _too_large() -> CallError:
    return CallError(
        ErrorCode.PAYLOAD_TOO_LARGE, details={"expected": f"at most {MAX_BODY_BYTES} bytes"}
    )
