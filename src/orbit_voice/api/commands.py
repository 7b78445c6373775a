"""``/v1/voice/calls/{id}/…``: command a living call (API contract §2)."""

from __future__ import annotations

from typing import Annotated, Any, Final, TypeAlias

from fastapi import Depends

from orbit_voice.api import openapi
from orbit_voice.api.auth import Writer
from orbit_voice.api.body import json_body
from orbit_voice.api.calls import answer_call, guard_url
from orbit_voice.api.envelope import JsonResponse
from orbit_voice.api.schemas.call_answers import CallAnswer
from orbit_voice.api.schemas.calls import Play, Say, SendDtmf
from orbit_voice.api.schemas.common import Envelope, NoFields, RequestBody
from orbit_voice.calls.orders import PlayOrder, SayOrder
from orbit_voice.kit.errors import ErrorCode

router: Final = openapi.new_router("Calls")

_Nothing: TypeAlias = Annotated[NoFields, Depends(json_body(NoFields))]


def _command(
    summary: str, body: type[RequestBody] = NoFields, *errors: ErrorCode
) -> dict[str, Any]:
    return openapi.operation(
        summary,
        Envelope[CallAnswer],
        body=body,
        errors=(ErrorCode.NOT_FOUND, ErrorCode.CALL_NOT_ACTIVE, ErrorCode.CONFLICT, *errors),
    )


@router.post(
    "/v1/voice/calls/{call_id}/hangup",
    **_command("Hang a call up; before its answer it is cancelled"),
)
async def hang_up(client: Writer, call_id: str, body: _Nothing) -> JsonResponse:
    """End a call; answers when the end is on record."""
    return answer_call(client, await client.dependencies.control.hangup(client.org_id, call_id))


@router.post(
    "/v1/voice/calls/{call_id}/accept",
    **_command("Answer an inbound call that a `manual` route holds"),
)
async def accept(client: Writer, call_id: str, body: _Nothing) -> JsonResponse:
    """Answer an inbound call."""
    return answer_call(client, await client.dependencies.control.accept(client.org_id, call_id))


@router.post(
    "/v1/voice/calls/{call_id}/decline",
    **_command("Refuse an inbound call that a `manual` route holds (SIP 486)"),
)
async def decline(client: Writer, call_id: str, body: _Nothing) -> JsonResponse:
    """Refuse an inbound call."""
    return answer_call(client, await client.dependencies.control.decline(client.org_id, call_id))


@router.post(
    "/v1/voice/calls/{call_id}/say",
    **_command(
        "Speak on a call",
        Say,
        ErrorCode.MISSING_REQUIRED_FIELD,
        ErrorCode.SERVICE_UNAVAILABLE,
    ),
)
async def say(
    client: Writer, call_id: str, body: Annotated[Say, Depends(json_body(Say))]
) -> JsonResponse:
    """Speak; answers when speaking starts."""
    order = SayOrder(body.text, voice=body.voice, language=body.language)
    return answer_call(client, await client.dependencies.control.say(client.org_id, call_id, order))


@router.post(
    "/v1/voice/calls/{call_id}/play",
    **_command("Play a recording or a WAV file on a call", Play, ErrorCode.INVALID_WEBHOOK_URL),
)
async def play(
    client: Writer, call_id: str, body: Annotated[Play, Depends(json_body(Play))]
) -> JsonResponse:
    """Play; answers when playing starts."""
    needs = client.dependencies
    if body.url is not None:
        check = needs.check_url(body.url)
        await guard_url(check, "url", body.url, ErrorCode.VALIDATION_ERROR)
    order = PlayOrder(recording_id=body.recording_id, url=body.url)
    return answer_call(client, await needs.control.play(client.org_id, call_id, order))


@router.post(
    "/v1/voice/calls/{call_id}/stop",
    **_command("End what is playing on a call"),
)
async def stop(client: Writer, call_id: str, body: _Nothing) -> JsonResponse:
    """End what is playing."""
    return answer_call(client, await client.dependencies.control.stop(client.org_id, call_id))


@router.post(
    "/v1/voice/calls/{call_id}/dtmf",
    **_command("Send digits on a call", SendDtmf, ErrorCode.MISSING_REQUIRED_FIELD),
)
async def send_dtmf(
    client: Writer, call_id: str, body: Annotated[SendDtmf, Depends(json_body(SendDtmf))]
) -> JsonResponse:
    """Send digits."""
    control = client.dependencies.control
    return answer_call(client, await control.dtmf(client.org_id, call_id, body.digits))
