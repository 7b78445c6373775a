"""``/v1/settings/api-keys`` (API contract §10); scope ``admin``."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import Depends
from starlette.responses import Response

from orbit_voice.api import openapi
from orbit_voice.api.auth import Admin
from orbit_voice.api.body import json_body, query
from orbit_voice.api.envelope import JsonResponse, page, success
from orbit_voice.api.pagination import check_cursor
from orbit_voice.api.schemas.common import Envelope, ListEnvelope, PageQuery
from orbit_voice.api.schemas.keys import ApiKeyAnswer, CreateKey, NewApiKeyAnswer, show_key
from orbit_voice.kit.clock import utc_now
from orbit_voice.kit.errors import CallError, ErrorCode
from orbit_voice.store.api_keys import Mode, Scope

router: Final = openapi.new_router("API keys")


@router.post(
    "/v1/settings/api-keys",
    **openapi.operation(
        "Make an API key; its text is in this answer only",
        Envelope[NewApiKeyAnswer],
        status=201,
        body=CreateKey,
        errors=(ErrorCode.MISSING_REQUIRED_FIELD,),
    ),
)
async def create_key(
    client: Admin, body: Annotated[CreateKey, Depends(json_body(CreateKey))]
) -> JsonResponse:
    """Make an API key."""
    key, text = await client.dependencies.api_keys.create_key(
        client.org_id,
        body.name,
        mode=Mode(body.mode),
        scopes=frozenset(map(Scope, body.scopes)),
        now=utc_now(),
    )
    return success(client.request, {**show_key(key), "key": text}, status=201)


@router.get(
    "/v1/settings/api-keys",
    **openapi.operation("List API keys, newest first", ListEnvelope[ApiKeyAnswer], query=PageQuery),
)
async def list_keys(
    client: Admin, wanted: Annotated[PageQuery, Depends(query(PageQuery))]
) -> JsonResponse:
    """List API keys, without their texts."""
    keys = await client.dependencies.api_keys.list_keys(
        client.org_id, cursor=check_cursor(wanted.cursor), limit=wanted.limit
    )
    return page(client.request, map(show_key, keys.rows), keys)


@router.delete(
    "/v1/settings/api-keys/{key_id}",
    **openapi.operation("Delete an API key", None, status=204, errors=(ErrorCode.NOT_FOUND,)),
)
async def delete_key(client: Admin, key_id: str) -> Response:
    """Delete an API key; whoever uses it is refused from now on."""
    if not await client.dependencies.api_keys.delete_key(client.org_id, key_id):
        raise CallError(ErrorCode.NOT_FOUND, details={"field": "id", "value": key_id})
    return Response(status_code=204)
