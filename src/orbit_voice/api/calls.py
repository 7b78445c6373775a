"""``/v1/voice/calls``: make calls, read them (API contract §2)."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Annotated, Final

from fastapi import Depends

from orbit_voice.api import openapi
from orbit_voice.api.auth import Client, Reader, Writer
from orbit_voice.api.body import json_body, query
from orbit_voice.api.envelope import JsonResponse, page, success
from orbit_voice.api.links import base_url
from orbit_voice.api.pagination import check_cursor
from orbit_voice.api.schemas.call_answers import (
    CallAnswer,
    EventAnswer,
    SipMessageAnswer,
    show_call,
    show_event,
    show_sip_message,
)
from orbit_voice.api.schemas.calls import CallQuery, CreateCall
from orbit_voice.api.schemas.common import Envelope, ListEnvelope, PageQuery
from orbit_voice.api.validation import bounded
from orbit_voice.calls.interfaces import CallFilter
from orbit_voice.calls.orders import CallOrder
from orbit_voice.calls.records import CallRecord, CallStatus, Direction
from orbit_voice.kit.errors import CallError, ErrorCode
from orbit_voice.kit.pages import Page
from orbit_voice.store.api_keys import Mode

router: Final = openapi.new_router("Calls")


@router.post(
    "/v1/voice/calls",
    **openapi.operation(
        "Make a call",
        Envelope[CallAnswer],
        status=201,
        body=CreateCall,
        errors=(
            ErrorCode.MISSING_REQUIRED_FIELD,
            ErrorCode.INVALID_PHONE_NUMBER,
            ErrorCode.INVALID_SIP_URI,
            ErrorCode.INVALID_WEBHOOK_URL,
            ErrorCode.NUMBER_NOT_REGISTERED,
            ErrorCode.AGENT_NOT_FOUND,
            ErrorCode.IVR_NOT_FOUND,
            ErrorCode.NO_ROUTE,
            ErrorCode.SERVICE_UNAVAILABLE,
        ),
    ),
)
async def create_call(
    client: Writer, body: Annotated[CreateCall, Depends(json_body(CreateCall))]
) -> JsonResponse:
    """Make a call; answers before it rings."""
    _refuse_test_key(client)
    await _check_references(client, body)
    call = await client.dependencies.control.create(client.org_id, _order(body))
    return answer_call(client, call, status=201)


@router.get(
    "/v1/voice/calls",
    **openapi.operation("List calls, newest first", ListEnvelope[CallAnswer], query=CallQuery),
)
async def list_calls(
    client: Reader, wanted: Annotated[CallQuery, Depends(query(CallQuery))]
) -> JsonResponse:
    """List calls."""
    calls = await client.dependencies.calls.list_calls(
        client.org_id, _filter(wanted), cursor=check_cursor(wanted.cursor), limit=wanted.limit
    )
    links = CallLinks(client)
    return page(client.request, (show_call(call, links.recording) for call in calls.rows), calls)


@router.get(
    "/v1/voice/calls/{call_id}",
    **openapi.operation("Get a call", Envelope[CallAnswer], errors=(ErrorCode.NOT_FOUND,)),
)
async def get_call(client: Reader, call_id: str) -> JsonResponse:
    """Get a call."""
    return answer_call(client, await find_call(client, call_id))


@router.get(
    "/v1/voice/calls/{call_id}/events",
    **openapi.operation(
        "Read a call's timeline, oldest first",
        ListEnvelope[EventAnswer],
        query=PageQuery,
        errors=(ErrorCode.NOT_FOUND,),
    ),
)
async def list_events(
    client: Reader, call_id: str, wanted: Annotated[PageQuery, Depends(query(PageQuery))]
) -> JsonResponse:
    """Read a call's timeline."""
    await find_call(client, call_id)
    events = await client.dependencies.calls.list_events(
        client.org_id, call_id, cursor=check_cursor(wanted.cursor), limit=wanted.limit
    )
    return page(client.request, map(show_event, events.rows), events)


@router.get(
    "/v1/voice/calls/{call_id}/sip",
    **openapi.operation(
        "Read a call's SIP messages, oldest first",
        ListEnvelope[SipMessageAnswer],
        errors=(ErrorCode.NOT_FOUND,),
    ),
)
async def list_sip_messages(client: Reader, call_id: str) -> JsonResponse:
    """Read a call's SIP messages, all on one page: what is kept per call is bounded."""
    entries = client.dependencies.live.live_trace(client.org_id, call_id)
    if entries is None:
        await find_call(client, call_id)
        entries = await client.dependencies.calls.sip_trace(client.org_id, call_id)
    whole = Page(tuple(entries), cursor=None, total=len(entries))
    return page(client.request, map(show_sip_message, entries), whole)


class CallLinks:
    """Makes the links in call objects of one answer.

    Args:
        client: Whose answer it is.
    """

    def __init__(self, client: Client) -> None:
        self._base = base_url(client.request)
        self._links = client.request.app.state.recording_links
        self._org_id = client.org_id

    def recording(self, recording_id: str) -> str:
        """Return a link to a recording's audio that works without a key."""
        path: str = self._links.path(self._org_id, recording_id)
        return self._base + path


def answer_call(client: Client, call: CallRecord, *, status: int = 200) -> JsonResponse:
    """Return the answer that shows one call."""
    return success(client.request, show_call(call, CallLinks(client).recording), status=status)


async def find_call(client: Client, call_id: str) -> CallRecord:
    """Return a call of the client's organization.

    Raises:
        CallError: ``NOT_FOUND``.
    """
    call = await client.dependencies.calls.get_call(client.org_id, call_id)
    if call is None:
        raise CallError(ErrorCode.NOT_FOUND, details={"field": "id", "value": call_id})
    return call


async def guard_url(check: Awaitable[None], field: str, url: str, code: ErrorCode) -> None:
    """Wait for the URL guard's verdict and have a refusal name the field.

    Raises:
        CallError: ``code``, with the guard's own words.
    """
    try:
        await check
    except CallError as error:
        details = {"expected": "a URL of a public host", **error.details}
        details |= {"field": field, "value": bounded(url)}
        raise CallError(code, error.message, details=details) from error


def _refuse_test_key(client: Client) -> None:
    """A test key's calls go to the carrier simulator; without one they must go nowhere."""
    if client.key.mode is Mode.TEST:
        raise CallError(
            ErrorCode.INSUFFICIENT_PERMISSIONS,
            "This server has no carrier simulator for test keys, and a test key never calls over "
            "a trunk: use a live key (dv_live_sk_…).",
            details={"expected": "a live key", "value": "a test key"},
        )


async def _check_references(client: Client, body: CreateCall) -> None:
    needs = client.dependencies
    if body.agent_id and not await needs.flows.has_agent(client.org_id, body.agent_id):
        raise _unknown(ErrorCode.AGENT_NOT_FOUND, "agent_id", body.agent_id)
    if body.ivr_id and not await needs.flows.has_ivr(client.org_id, body.ivr_id):
        raise _unknown(ErrorCode.IVR_NOT_FOUND, "ivr_id", body.ivr_id)
    if body.trunk_id and await needs.trunks.get_trunk(client.org_id, body.trunk_id) is None:
        raise unknown_trunk(body.trunk_id)
    if body.webhook_url:
        check = needs.check_url(body.webhook_url)
        await guard_url(check, "webhook_url", body.webhook_url, ErrorCode.INVALID_WEBHOOK_URL)


def unknown_trunk(trunk_id: str) -> CallError:
    """Return the error for a body that names a trunk the organization does not have."""
    return CallError(
        ErrorCode.VALIDATION_ERROR,
        "`trunk_id` names no trunk of this organization: take an id from "
        "GET /v1/voice/sip-trunks, or leave it out.",
        details={"field": "trunk_id", "value": trunk_id, "expected": "the id of a trunk"},
    )


def _unknown(code: ErrorCode, field: str, value: str) -> CallError:
    expected = f"an id that exists: {code.spec.hint}"
    return CallError(code, details={"field": field, "value": value, "expected": expected})


def _order(body: CreateCall) -> CallOrder:
    return CallOrder(
        to=body.to,
        from_=body.from_,
        trunk_id=body.trunk_id,
        agent_id=body.agent_id,
        ivr_id=body.ivr_id,
        webhook_url=body.webhook_url,
        record=body.record,
        max_duration_s=body.max_duration,
        ring_timeout_s=body.ring_timeout,
        metadata=body.metadata,
        sip_headers=body.sip_headers,
    )


def _filter(wanted: CallQuery) -> CallFilter:
    return CallFilter(
        status=None if wanted.status is None else CallStatus(wanted.status),
        from_=wanted.from_,
        to=wanted.to,
        direction=None if wanted.direction is None else Direction(wanted.direction),
        created_after=wanted.created_after,
        created_before=wanted.created_before,
    )
