"""``/v1/voice/sip-trunks`` (API contract §3)."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, Final

from fastapi import Depends
from starlette.responses import Response

from orbit_voice.api import openapi
from orbit_voice.api.auth import Client, Reader, Writer
from orbit_voice.api.body import json_body, query
from orbit_voice.api.envelope import JsonResponse, page, success
from orbit_voice.api.pagination import check_cursor
from orbit_voice.api.schemas.common import Envelope, ListEnvelope, PageQuery
from orbit_voice.api.schemas.trunks import CreateTrunk, TrunkAnswer, UpdateTrunk, show_trunk
from orbit_voice.kit.clock import utc_now
from orbit_voice.kit.errors import CallError, ErrorCode
from orbit_voice.kit.ids import new_trunk_id
from orbit_voice.sip.uri import SipUri
from orbit_voice.trunks.records import Transport, Trunk

router: Final = openapi.new_router("SIP trunks")


@router.post(
    "/v1/voice/sip-trunks",
    **openapi.operation(
        "Create a trunk",
        Envelope[TrunkAnswer],
        status=201,
        body=CreateTrunk,
        errors=(ErrorCode.MISSING_REQUIRED_FIELD, ErrorCode.INVALID_SIP_URI),
    ),
)
async def create_trunk(
    client: Writer, body: Annotated[CreateTrunk, Depends(json_body(CreateTrunk))]
) -> JsonResponse:
    """Create a trunk."""
    now = utc_now()
    changes = body.changes()
    trunk = Trunk(
        id=new_trunk_id(), org_id=client.org_id, created_at=now, updated_at=now, **changes
    )
    trunk = _settle(trunk, changes)
    await client.dependencies.trunks.create_trunk(trunk)
    return success(client.request, _show(client, trunk), status=201)


@router.get(
    "/v1/voice/sip-trunks",
    **openapi.operation("List trunks, newest first", ListEnvelope[TrunkAnswer], query=PageQuery),
)
async def list_trunks(
    client: Reader, wanted: Annotated[PageQuery, Depends(query(PageQuery))]
) -> JsonResponse:
    """List trunks."""
    trunks = await client.dependencies.trunks.list_trunks(
        client.org_id, cursor=check_cursor(wanted.cursor), limit=wanted.limit
    )
    return page(client.request, (_show(client, trunk) for trunk in trunks.rows), trunks)


@router.get(
    "/v1/voice/sip-trunks/{trunk_id}",
    **openapi.operation("Get a trunk", Envelope[TrunkAnswer], errors=(ErrorCode.NOT_FOUND,)),
)
async def get_trunk(client: Reader, trunk_id: str) -> JsonResponse:
    """Get a trunk."""
    return success(client.request, _show(client, await _find(client, trunk_id)))


@router.put(
    "/v1/voice/sip-trunks/{trunk_id}",
    **openapi.operation(
        "Change a trunk: replaces the fields that are given",
        Envelope[TrunkAnswer],
        body=UpdateTrunk,
        errors=(ErrorCode.NOT_FOUND, ErrorCode.INVALID_SIP_URI),
    ),
)
async def update_trunk(
    client: Writer, trunk_id: str, body: Annotated[UpdateTrunk, Depends(json_body(UpdateTrunk))]
) -> JsonResponse:
    """Change a trunk. Calls that it carries go on as they began."""
    changes = body.changes()
    trunk = replace(await _find(client, trunk_id), updated_at=utc_now(), **changes)
    trunk = _settle(trunk, changes)
    if not await client.dependencies.trunks.update_trunk(trunk):
        raise _not_found(trunk_id)
    return success(client.request, _show(client, trunk))


@router.delete(
    "/v1/voice/sip-trunks/{trunk_id}",
    **openapi.operation(
        "Delete a trunk that carries no call",
        None,
        status=204,
        errors=(ErrorCode.NOT_FOUND, ErrorCode.RESOURCE_IN_USE),
    ),
)
async def delete_trunk(client: Writer, trunk_id: str) -> Response:
    """Delete a trunk."""
    await _find(client, trunk_id)
    if (active := client.dependencies.live.active_calls(trunk_id)) > 0:
        details = {"active_calls": active}
        raise CallError(ErrorCode.RESOURCE_IN_USE, details=details)
    if not await client.dependencies.trunks.delete_trunk(client.org_id, trunk_id):
        raise _not_found(trunk_id)
    return Response(status_code=204)


async def _find(client: Client, trunk_id: str) -> Trunk:
    trunk = await client.dependencies.trunks.get_trunk(client.org_id, trunk_id)
    if trunk is None:
        raise _not_found(trunk_id)
    return trunk


def _not_found(trunk_id: str) -> CallError:
    return CallError(ErrorCode.NOT_FOUND, details={"field": "id", "value": trunk_id})


def _show(client: Client, trunk: Trunk) -> dict[str, Any]:
    return show_trunk(
        trunk,
        active_calls=client.dependencies.live.active_calls(trunk.id),
        inbound_address=client.dependencies.inbound_address(),
    )


def _settle(trunk: Trunk, changes: dict[str, Any]) -> Trunk:
    """Return ``trunk`` with the transport its URI names, once its fields fit each other.

    Raises:
        CallError: ``VALIDATION_ERROR``.
    """
    if (trunk.username is None) != (trunk.password is None):
        missing = "password" if trunk.password is None else "username"
        raise CallError(
            ErrorCode.VALIDATION_ERROR,
            "Digest authentication takes both `username` and `password`: give both or neither.",
            details={"field": missing, "expected": "given together with the other one"},
        )
    named = SipUri.parse(trunk.outbound_uri).transport
    if named is None or named == trunk.transport:
        return trunk
    if "transport" in changes:
        raise CallError(
            ErrorCode.VALIDATION_ERROR,
            f"`outbound_uri` says transport={named}: make `transport` the same or leave it out.",
            details={"field": "transport", "value": trunk.transport, "expected": f'"{named}"'},
        )
    return replace(trunk, transport=Transport(named))
