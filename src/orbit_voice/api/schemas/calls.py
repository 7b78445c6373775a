"""Calls: what creates one, what commands it, how it is shown (API contract §2)."""

from __future__ import annotations

import math
import re
from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    model_validator,
)

from orbit_voice.api.schemas.common import PageQuery, RequestBody, without_nulls
from orbit_voice.api.schemas.fields import (
    Destination,
    Digits,
    Expected,
    FilterText,
    Flag,
    Id,
    Language,
    Line,
    Moment,
    PhoneNumber,
    SpokenText,
    WebUrl,
    one_of,
    whole_number,
    wrong,
)
from orbit_voice.calls.records import CallStatus, Direction

MAX_METADATA_KEYS: Final = 50
MAX_METADATA_KEY_CHARACTERS: Final = 100
MAX_METADATA_VALUE_CHARACTERS: Final = 500
MAX_SIP_HEADERS: Final = 50
MAX_SIP_HEADER_CHARACTERS: Final = 1000
MAX_SAFE_INTEGER: Final = 2**53 - 1
"""Greatest integer that every JSON reader keeps exactly (RFC 8259 §6)."""

_HEADER_NAME: Final = re.compile(r"[Xx]-[A-Za-z0-9\-.!%*_+`'~]{1,98}")
"""RFC 3261 §25.1 ``token``, after ``X-``."""
_UNSAFE: Final = re.compile(r"[\x00-\x1f\x7f\x80-\x9f\u2028\u2029]")

_METADATA: Final = (
    f"an object of at most {MAX_METADATA_KEYS} keys, each with a string of at most "
    f"{MAX_METADATA_VALUE_CHARACTERS} characters, a number, true or false"
)
_METADATA_KEY: Final = (
    f"named by a key of 1 to {MAX_METADATA_KEY_CHARACTERS} characters without control characters"
)
_METADATA_VALUE: Final = (
    f"a string of at most {MAX_METADATA_VALUE_CHARACTERS} characters, a number "
    f"(integers up to 2^53 - 1), true or false"
)
_SIP_HEADERS: Final = (
    f"an object of at most {MAX_SIP_HEADERS} headers whose names begin with X-, with strings as "
    f"values"
)
_SIP_HEADER_NAME: Final = "a header whose name begins with X- and is an RFC 3261 token"
_SIP_HEADER_VALUE: Final = (
    f"a string of at most {MAX_SIP_HEADER_CHARACTERS} characters without line breaks or other "
    f"control characters"
)


def _check_metadata(metadata: dict[str, Any]) -> dict[str, Any]:
    if len(metadata) > MAX_METADATA_KEYS:
        raise wrong()
    for key, value in metadata.items():
        if not 1 <= len(key) <= MAX_METADATA_KEY_CHARACTERS or _UNSAFE.search(key):
            raise wrong(_METADATA_KEY, field=key, value=value)
        if not _is_metadata_value(value):
            raise wrong(_METADATA_VALUE, field=key, value=value)
    return metadata


def _is_metadata_value(value: Any) -> bool:
    match value:
        case bool():
            return True
        case int():
            return abs(value) <= MAX_SAFE_INTEGER
        case float():
            return math.isfinite(value)
        case str():
            return len(value) <= MAX_METADATA_VALUE_CHARACTERS and "\0" not in value
        case _:
            return False


def _check_sip_headers(headers: dict[str, Any]) -> dict[str, str]:
    if len(headers) > MAX_SIP_HEADERS or len({name.lower() for name in headers}) < len(headers):
        raise wrong()
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(name):
            raise wrong(_SIP_HEADER_NAME, field=name, value=value)
        if (
            not isinstance(value, str)
            or len(value) > MAX_SIP_HEADER_CHARACTERS
            or _UNSAFE.search(value)
        ):
            raise wrong(_SIP_HEADER_VALUE, field=name, value=value)
    return headers


def _refuse_amd(wanted: bool) -> bool:
    if wanted:
        raise wrong(
            "false",
            message="Answering-machine detection is not served by this release: leave `amd` out "
            "or set it to false.",
        )
    return wanted


def _refuse_bridge(value: Any) -> Any:
    raise wrong(
        "left out",
        message="Bridging to a second leg is not served by this release: leave `bridge_to` out "
        "and control the call with play, say and dtmf.",
    )


Metadata: TypeAlias = Annotated[
    dict[str, Any],
    AfterValidator(_check_metadata),
    Expected(_METADATA),
    Field(
        json_schema_extra={
            "maxProperties": MAX_METADATA_KEYS,
            "additionalProperties": {"type": ["string", "number", "boolean"], "maxLength": 500},
        }
    ),
]
SipHeaders: TypeAlias = Annotated[
    dict[str, Any],
    AfterValidator(_check_sip_headers),
    Expected(_SIP_HEADERS),
    Field(
        json_schema_extra={
            "maxProperties": MAX_SIP_HEADERS,
            "propertyNames": {"pattern": "^[Xx]-"},
            "additionalProperties": {"type": "string", "maxLength": 1000},
        }
    ),
]


class CallBody(RequestBody):
    """A body of the call resource: fields no schema knows are ignored, null is left out."""

    model_config = ConfigDict(extra="ignore")

    @model_validator(mode="before")
    @classmethod
    def _drop_nulls(cls, body: Any) -> Any:
        return without_nulls(body)


class CreateCall(CallBody):
    """An outbound call.

    Existing clients also send ``direction``, ``campaignId`` and ``orgTimezone``; like every field
    that is not listed they are ignored.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "to": "+14155550123",
                    "from": "+14155550100",
                    "record": True,
                    "max_duration": 600,
                    "webhook_url": "https://example.com/hooks/voice",
                    "metadata": {"order": "A-1001"},
                }
            ]
        }
    )

    to: Annotated[Destination, Field(description="Whom to call: E.164 or a SIP URI.")]
    from_: Annotated[
        PhoneNumber | None,
        Field(
            alias="from",
            description="Caller ID, a number of the organization; its default number if left out.",
        ),
    ] = None
    agent_id: Annotated[Id | None, Field(description="Agent that takes the call.")] = None
    ivr_id: Annotated[Id | None, Field(description="IVR flow that takes the call.")] = None
    trunk_id: Annotated[Id | None, Field(description="Trunk to use; else routing chooses.")] = None
    webhook_url: Annotated[
        WebUrl | None, Field(description="Receives this call's events, signed.")
    ] = None
    record: Annotated[Flag, Field(description="Record the call from its answer on.")] = False
    max_duration: Annotated[
        int,
        Field(ge=1, le=86_400, description="Longest talking time, seconds."),
        whole_number(1, 86_400, " (seconds)"),
    ] = 3600
    ring_timeout: Annotated[
        int,
        Field(ge=1, le=600, description="How long it may ring, seconds."),
        whole_number(1, 600, " (seconds)"),
    ] = 60
    amd: Annotated[
        Flag, AfterValidator(_refuse_amd), Field(description="Must be false in this release.")
    ] = False
    bridge_to: Annotated[
        Any,
        BeforeValidator(_refuse_bridge),
        Expected("left out"),
        Field(description="Not served by this release.", json_schema_extra={"type": "null"}),
    ] = None
    metadata: Annotated[
        Metadata, Field(default_factory=dict, description="Kept with the call, sent with events.")
    ]
    sip_headers: Annotated[
        SipHeaders, Field(default_factory=dict, description="Extra `X-` headers of the INVITE.")
    ]

    @model_validator(mode="after")
    def _check_taker(self) -> CreateCall:
        if self.agent_id is not None and self.ivr_id is not None:
            raise wrong(
                "left out when agent_id is given",
                field="ivr_id",
                value=self.ivr_id,
                message="A call is taken by an agent or by an IVR flow: give `agent_id` or "
                "`ivr_id`, not both.",
            )
        return self


class Say(CallBody):
    """Text to speak on a call."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"text": "Your parcel arrives tomorrow.", "language": "en-US"}]
        }
    )

    text: Annotated[SpokenText, Field(description="What to say.")]
    voice: Annotated[Line | None, Field(description="A voice of the speech provider.")] = None
    language: Annotated[Language, Field(description="BCP 47.")] = "en-US"


class Play(CallBody):
    """Audio to play on a call: exactly one of the two."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"url": "https://example.com/prompts/hello.wav"}]}
    )

    recording_id: Annotated[Id | None, Field(description="A recording of the organization.")] = None
    url: Annotated[WebUrl | None, Field(description="A WAV file that can be fetched.")] = None

    @model_validator(mode="after")
    def _check_source(self) -> Play:
        if (self.recording_id is None) == (self.url is None):
            raise wrong(
                "given when recording_id is left out, and only then",
                field="url",
                value=self.url,
                message="Say what to play: give `recording_id` or `url`, exactly one of them.",
            )
        return self


class SendDtmf(CallBody):
    """Digits to send on a call."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"digits": "12w3#"}]})

    digits: Annotated[Digits, Field(description="Keys to press; `w` waits 0.5 s.")]


_STATUSES: Final = tuple(status.value for status in CallStatus)
_DIRECTIONS: Final = tuple(direction.value for direction in Direction)


class CallQuery(PageQuery):
    """Which calls, and which page of them."""

    status: Annotated[
        Literal[
            "initiating",
            "ringing",
            "in_progress",
            "completed",
            "failed",
            "busy",
            "no_answer",
            "cancelled",
        ]
        | None,
        one_of(*_STATUSES),
    ] = None
    from_: Annotated[FilterText | None, Field(alias="from", description="Calling number.")] = None
    to: Annotated[FilterText | None, Field(description="Called number or SIP URI.")] = None
    direction: Annotated[Literal["outbound", "inbound"] | None, one_of(*_DIRECTIONS)] = None
    created_after: Annotated[Moment | None, Field(description="Created then or later.")] = None
    created_before: Annotated[Moment | None, Field(description="Created earlier.")] = None
