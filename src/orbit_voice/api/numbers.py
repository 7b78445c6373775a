"""``/v1/numbers`` (API contract §4)."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, Final

from fastapi import Depends
from starlette.responses import Response

from orbit_voice.api import openapi
from orbit_voice.api.auth import Client, Reader, Writer
from orbit_voice.api.body import json_body, query
from orbit_voice.api.calls import unknown_trunk
from orbit_voice.api.envelope import JsonResponse, page, success
from orbit_voice.api.pagination import check_cursor
from orbit_voice.api.schemas.common import Envelope, ListEnvelope, PageQuery
from orbit_voice.api.schemas.numbers import (
    CreateNumber,
    NumberAnswer,
    Routing,
    UpdateNumber,
    show_number,
)
from orbit_voice.kit.clock import utc_now
from orbit_voice.kit.errors import CallError, ErrorCode
from orbit_voice.kit.ids import new_number_id
from orbit_voice.trunks.records import Number, RoutingType

router: Final = openapi.new_router("Numbers")

_CREATE: Final = openapi.operation(
    "Register a number",
    Envelope[NumberAnswer],
    status=201,
    body=CreateNumber,
    errors=(
        ErrorCode.MISSING_REQUIRED_FIELD,
        ErrorCode.INVALID_PHONE_NUMBER,
        ErrorCode.CONFLICT,
    ),
)


@router.post("/v1/numbers", **_CREATE)
@router.post("/v1/numbers/purchase", operation_id="purchase_number", **_CREATE)
async def create_number(
    client: Writer, body: Annotated[CreateNumber, Depends(json_body(CreateNumber))]
) -> JsonResponse:
    """Register a number; with `is_default` the former default loses it."""
    now = utc_now()
    number = Number(
        id=new_number_id(), org_id=client.org_id, created_at=now, updated_at=now, **body.changes()
    )
    await _check_trunk(client, number)
    await client.dependencies.numbers.create_number(number)
    return success(client.request, show_number(number), status=201)


@router.get(
    "/v1/numbers",
    **openapi.operation("List numbers, newest first", ListEnvelope[NumberAnswer], query=PageQuery),
)
async def list_numbers(
    client: Reader, wanted: Annotated[PageQuery, Depends(query(PageQuery))]
) -> JsonResponse:
    """List numbers."""
    numbers = await client.dependencies.numbers.list_numbers(
        client.org_id, cursor=check_cursor(wanted.cursor), limit=wanted.limit
    )
    return page(client.request, map(show_number, numbers.rows), numbers)


@router.get(
    "/v1/numbers/{number_id}",
    **openapi.operation("Get a number", Envelope[NumberAnswer], errors=(ErrorCode.NOT_FOUND,)),
)
async def get_number(client: Reader, number_id: str) -> JsonResponse:
    """Get a number."""
    return success(client.request, show_number(await _find(client, number_id)))


@router.put(
    "/v1/numbers/{number_id}",
    **openapi.operation(
        "Change a number: replaces the fields that are given",
        Envelope[NumberAnswer],
        body=UpdateNumber,
        errors=(ErrorCode.NOT_FOUND, ErrorCode.INVALID_PHONE_NUMBER, ErrorCode.CONFLICT),
    ),
)
async def update_number(
    client: Writer, number_id: str, body: Annotated[UpdateNumber, Depends(json_body(UpdateNumber))]
) -> JsonResponse:
    """Change a number."""
    return await _change(client, number_id, body.changes())


@router.put(
    "/v1/numbers/{number_id}/routing",
    **openapi.operation(
        "Say what happens to a number's inbound calls",
        Envelope[NumberAnswer],
        body=Routing,
        errors=(ErrorCode.NOT_FOUND, ErrorCode.MISSING_REQUIRED_FIELD),
    ),
)
async def set_routing(
    client: Writer, number_id: str, body: Annotated[Routing, Depends(json_body(Routing))]
) -> JsonResponse:
    """Replace a number's routing."""
    return await _change(client, number_id, {"routing": RoutingType(body.type)})


@router.delete(
    "/v1/numbers/{number_id}",
    **openapi.operation("Delete a number", None, status=204, errors=(ErrorCode.NOT_FOUND,)),
)
async def delete_number(client: Writer, number_id: str) -> Response:
    """Delete a number."""
    if not await client.dependencies.numbers.delete_number(client.org_id, number_id):
        raise _not_found(number_id)
    return Response(status_code=204)


async def _change(client: Client, number_id: str, changes: dict[str, Any]) -> JsonResponse:
    number = replace(await _find(client, number_id), updated_at=utc_now(), **changes)
    if "trunk_id" in changes:
        await _check_trunk(client, number)
    if not await client.dependencies.numbers.update_number(number):
        raise _not_found(number_id)
    return success(client.request, show_number(number))


async def _check_trunk(client: Client, number: Number) -> None:
    if number.trunk_id is None:
        return
    if await client.dependencies.trunks.get_trunk(client.org_id, number.trunk_id) is None:
        raise unknown_trunk(number.trunk_id)


async def _find(client: Client, number_id: str) -> Number:
    number = await client.dependencies.numbers.get_number(client.org_id, number_id)
    if number is None:
        raise _not_found(number_id)
    return number


def _not_found(number_id: str) -> CallError:
    return CallError(ErrorCode.NOT_FOUND, details={"field": "id", "value": number_id})
