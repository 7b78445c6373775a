"""The OpenAPI 3.1 document: what routes say of themselves, put together once.

Bodies and query strings are read by our own dependencies, so their schemas are added here; every
error a route can answer is listed with its codes and one example each.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from typing import Any, Final

from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from orbit_voice import __version__
from orbit_voice.api.schemas.common import ErrorEnvelope, RequestBody
from orbit_voice.kit.errors import ErrorCode

_REF: Final = "#/components/schemas/{model}"
_AUTHENTICATION: Final = (
    ErrorCode.UNAUTHORIZED,
    ErrorCode.INVALID_API_KEY,
    ErrorCode.INSUFFICIENT_PERMISSIONS,
)
_BODY: Final = (
    ErrorCode.INVALID_JSON,
    ErrorCode.PAYLOAD_TOO_LARGE,
    ErrorCode.UNSUPPORTED_MEDIA_TYPE,
    ErrorCode.VALIDATION_ERROR,
)
_EXAMPLE_META: Final = {
    "request_id": "req_01jd3r8m6k8v2t0q4x9w7z5y1b",
    "timestamp": "2026-01-31T08:00:00.000Z",
}
_SECURITY: Final = {
    "ApiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    "Bearer": {"type": "http", "scheme": "bearer"},
}
_DESCRIPTION: Final = (
    "Calls over SIP and RTP, controlled by REST. Every path is also served under `/api`. "
    "Errors are explained at `/docs/errors`."
)


def new_router(tag: str) -> APIRouter:
    """Return a router whose operations are named after their functions."""
    return APIRouter(tags=[tag], generate_unique_id_function=_operation_id)


def operation(
    summary: str,
    answer: type[BaseModel] | None,
    *,
    status: int = 200,
    body: type[RequestBody] | None = None,
    query: type[BaseModel] | None = None,
    errors: Iterable[ErrorCode] = (),
) -> dict[str, Any]:
    """Return the keyword arguments with which a route describes itself.

    Args:
        summary: What it does, a few words.
        answer: Envelope of its success; None when that has no content.
        status: Status of its success.
        body: Model its body is read as.
        query: Model its query string is read as.
        errors: Codes it can answer besides those of every authenticated route.
    """
    codes = {*_AUTHENTICATION, *errors, ErrorCode.INTERNAL_ERROR}
    extra: dict[str, Any] = {"security": [{name: []} for name in _SECURITY]}
    if body is not None:
        codes.update(_BODY)
        extra["requestBody"] = _request_body(body)
    if query is not None:
        codes.update((ErrorCode.INVALID_CURSOR, ErrorCode.VALIDATION_ERROR))
        extra["parameters"] = _parameters(query)
    return {
        "summary": summary,
        "status_code": status,
        "responses": {status: _success(answer), **_failures(codes)},
        "openapi_extra": extra,
    }


def public_operation(
    summary: str, answer: type[BaseModel], errors: Iterable[ErrorCode] = ()
) -> dict[str, Any]:
    """Return the same for a route that asks for no key."""
    return {
        "summary": summary,
        "status_code": 200,
        "responses": {200: _success(answer), **_failures(set(errors))},
        "openapi_extra": {"security": []},
    }


def build_openapi(app: FastAPI) -> dict[str, Any]:
    """Return the document for ``app``'s routes."""
    document: dict[str, Any] = get_openapi(
        title="Orbit Voice", version=__version__, description=_DESCRIPTION, routes=app.routes
    )
    schemas = document["components"]["schemas"]
    used = str(document["paths"])
    bodies = [model for model in _request_bodies(RequestBody) if f"/{model.__name__}'" in used]
    _, definitions = models_json_schema(
        [(model, "validation") for model in bodies], ref_template=_REF
    )
    schemas.update(definitions.get("$defs", {}))
    document["components"]["securitySchemes"] = _SECURITY
    _drop_unused_errors(document)
    return document


def _operation_id(route: APIRoute) -> str:
    return route.name


def _success(answer: type[BaseModel] | None) -> dict[str, Any]:
    headers = {
        "X-Request-Id": {
            "description": "Names the request in the server's log.",
            "schema": {"type": "string"},
        }
    }
    if answer is None:
        return {"description": "Done.", "headers": headers}
    return {"description": "Done.", "headers": headers, "model": answer}


def _failures(codes: set[ErrorCode]) -> dict[int | str, dict[str, Any]]:
    def status(code: ErrorCode) -> int:
        return code.spec.http_status

    ordered = sorted(codes, key=lambda code: (status(code), code.name))
    return {number: _failure(list(group)) for number, group in groupby(ordered, status)}


def _failure(codes: list[ErrorCode]) -> dict[str, Any]:
    return {
        "description": " · ".join(f"`{code.name}`: {code.spec.message}" for code in codes),
        "model": ErrorEnvelope,
        "content": {
            "application/json": {
                "examples": {code.name: {"value": _error_example(code)} for code in codes}
            }
        },
    }


def _error_example(code: ErrorCode) -> dict[str, Any]:
    spec = code.spec
    return {
        "error": {
            "code": code.name,
            "message": f"{spec.message} {spec.hint}",
            "status": spec.http_status,
            "details": {},
        },
        "meta": {**_EXAMPLE_META, "docs_url": f"/docs/errors#{code.name.lower()}"},
    }


def _request_bodies(parent: type[RequestBody]) -> Iterable[type[RequestBody]]:
    for model in parent.__subclasses__():
        yield model
        yield from _request_bodies(model)


def _request_body(model: type[RequestBody]) -> dict[str, Any]:
    required = any(field.is_required() for field in model.model_fields.values())
    content: dict[str, Any] = {"schema": {"$ref": _REF.format(model=model.__name__)}}
    examples = model.model_json_schema().get("examples", [])
    if examples:
        content["examples"] = {"example": {"value": examples[0]}}
    return {"required": required, "content": {"application/json": content}}


def _parameters(model: type[BaseModel]) -> list[dict[str, Any]]:
    schema = model.model_json_schema()
    parameters = []
    for name, field in schema["properties"].items():
        parameter = {"name": name, "in": "query", "required": False, "schema": field}
        if (description := field.pop("description", None)) is not None:
            parameter["description"] = description
        parameters.append(parameter)
    return parameters


def _drop_unused_errors(document: dict[str, Any]) -> None:
    """Take out the framework's own validation error, which this API never answers."""
    for path in document["paths"].values():
        for route in path.values():
            refused = route["responses"].get("422", {}).get("content", {})
            schema = refused.get("application/json", {}).get("schema", {})
            if schema.get("$ref", "").endswith("/HTTPValidationError"):
                del route["responses"]["422"]
    for name in ("HTTPValidationError", "ValidationError"):
        document["components"]["schemas"].pop(name, None)
