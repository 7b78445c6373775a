"""The error tree, and the one registry of error codes.

A failure classifies itself: what went wrong (a stable code), whose fault it is, and what to do
next. The registry maps each code once to an HTTP status, a SIP status and a hangup cause; nothing
else in the program decides that. ``docs/errors.md`` is rendered from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Any


class HangupCause(StrEnum):
    """Why a leg or call ended. Stable names; clients match on them."""

    NORMAL_CLEARING = "normal_clearing"
    ORIGINATOR_CANCEL = "originator_cancel"
    USER_BUSY = "user_busy"
    NO_ANSWER = "no_answer"
    CALL_REJECTED = "call_rejected"
    UNALLOCATED_NUMBER = "unallocated_number"
    MAX_DURATION = "max_duration"
    MEDIA_TIMEOUT = "media_timeout"
    INCOMPATIBLE_MEDIA = "incompatible_media"
    AUTHENTICATION_FAILED = "authentication_failed"
    TRANSPORT_FAILURE = "transport_failure"
    SIP_TIMEOUT = "sip_timeout"
    CARRIER_FAILURE = "carrier_failure"
    PROTOCOL_ERROR = "protocol_error"
    NO_ROUTE = "no_route"
    CAPACITY = "capacity"
    NODE_LOST = "node_lost"
    SHUTDOWN = "shutdown"
    INTERNAL_ERROR = "internal_error"


@dataclass(frozen=True, slots=True)
class ErrorSpec:
    """What a code means everywhere.

    Attributes:
        http_status: Status of the REST answer.
        sip_status: Final status towards a SIP peer that ran into it.
        cause: Hangup cause of a call that ended of it.
        message: What is wrong, one sentence.
        hint: What to do next, one sentence.
    """

    http_status: int
    sip_status: int
    cause: HangupCause
    message: str
    hint: str


class ErrorCode(Enum):
    """Every code of API contract §1. ``ErrorCode.X.value`` is its :class:`ErrorSpec`."""

    INVALID_CURSOR = ErrorSpec(
        400,
        400,
        HangupCause.PROTOCOL_ERROR,
        "The cursor was not made by this list.",
        "Use pagination.cursor of the page before, unchanged, or leave it out to start anew.",
    )
    INVALID_JSON = ErrorSpec(
        400,
        400,
        HangupCause.PROTOCOL_ERROR,
        "The body is not valid JSON.",
        "Send a JSON object in UTF-8; details.position says where reading stopped.",
    )
    UNAUTHORIZED = ErrorSpec(
        401,
        401,
        HangupCause.AUTHENTICATION_FAILED,
        "The request carries no API key.",
        "Send it as `X-API-Key: <key>` or `Authorization: Bearer <key>`.",
    )
    INVALID_API_KEY = ErrorSpec(
        401,
        401,
        HangupCause.AUTHENTICATION_FAILED,
        "The API key is unknown or was deleted.",
        "Check for a cut-off copy; make a new key with `orbit-voice keys create`.",
    )
    INSUFFICIENT_PERMISSIONS = ErrorSpec(
        403,
        403,
        HangupCause.CALL_REJECTED,
        "The API key lacks a scope that this request needs.",
        "Use a key with the scope in details.expected.",
    )
    NOT_FOUND = ErrorSpec(
        404,
        404,
        HangupCause.UNALLOCATED_NUMBER,
        "There is no such resource.",
        "Check the id and the path; an id of another organization is not visible either.",
    )
    METHOD_NOT_ALLOWED = ErrorSpec(
        405,
        405,
        HangupCause.PROTOCOL_ERROR,
        "This path does not answer to that method.",
        "Use one of the methods in the Allow header.",
    )
    CONFLICT = ErrorSpec(
        409,
        491,
        HangupCause.PROTOCOL_ERROR,
        "The resource is not in a state that allows this.",
        "Read the resource again; details.state names its state.",
    )
    CALL_NOT_ACTIVE = ErrorSpec(
        409,
        481,
        HangupCause.NORMAL_CLEARING,
        "The call is not active.",
        "Only a call that has not ended takes commands; details.status names its status.",
    )
    CONFERENCE_ENDED = ErrorSpec(
        409, 410, HangupCause.NORMAL_CLEARING, "The conference has ended.", "Create a new one."
    )
    CONFERENCE_FULL = ErrorSpec(
        409,
        486,
        HangupCause.CAPACITY,
        "The conference has reached max_participants.",
        "Raise max_participants or wait until somebody leaves.",
    )
    RESOURCE_IN_USE = ErrorSpec(
        409,
        486,
        HangupCause.CALL_REJECTED,
        "The resource is in use.",
        "End what uses it (details names it), then try again.",
    )
    IDEMPOTENCY_IN_PROGRESS = ErrorSpec(
        409,
        491,
        HangupCause.PROTOCOL_ERROR,
        "The first request with this Idempotency-Key still runs.",
        "Wait a moment and send the same request again.",
    )
    PAYLOAD_TOO_LARGE = ErrorSpec(
        413,
        513,
        HangupCause.PROTOCOL_ERROR,
        "The body is larger than 1 MiB.",
        "Send less; audio goes by URL or upload, not inside JSON.",
    )
    UNSUPPORTED_MEDIA_TYPE = ErrorSpec(
        415,
        415,
        HangupCause.PROTOCOL_ERROR,
        "The body's Content-Type is not understood here.",
        "Send `Content-Type: application/json`.",
    )
    VALIDATION_ERROR = ErrorSpec(
        422,
        400,
        HangupCause.PROTOCOL_ERROR,
        "A field has a value that is not allowed.",
        "Correct details.field as details.expected says.",
    )
    MISSING_REQUIRED_FIELD = ErrorSpec(
        422,
        400,
        HangupCause.PROTOCOL_ERROR,
        "A required field is missing.",
        "Add details.field.",
    )
    INVALID_PHONE_NUMBER = ErrorSpec(
        422,
        484,
        HangupCause.UNALLOCATED_NUMBER,
        "This is not a valid phone number.",
        "Write it in E.164: a plus sign, the country code, the number, no spaces.",
    )
    INVALID_WEBHOOK_URL = ErrorSpec(
        422,
        400,
        HangupCause.PROTOCOL_ERROR,
        "The webhook URL cannot be used.",
        "Use an http(s) URL of a public host, or have the host listed in ORBIT_WEBHOOK_ALLOW.",
    )
    INVALID_EMAIL = ErrorSpec(
        422,
        400,
        HangupCause.PROTOCOL_ERROR,
        "This is not a valid email address.",
        "Write it as name@example.com.",
    )
    INVALID_SIP_URI = ErrorSpec(
        422,
        416,
        HangupCause.PROTOCOL_ERROR,
        "This is not a valid SIP URI.",
        "Write it as sip:user@host:port or sips:user@host.",
    )
    NUMBER_NOT_REGISTERED = ErrorSpec(
        422,
        403,
        HangupCause.CALL_REJECTED,
        "The caller ID is not a number of this organization.",
        "Register it with POST /v1/numbers, or leave `from` out to use the default number.",
    )
    AGENT_NOT_FOUND = ErrorSpec(
        422,
        404,
        HangupCause.NO_ROUTE,
        "There is no such agent.",
        "List agents with GET /v1/agents.",
    )
    IVR_NOT_FOUND = ErrorSpec(
        422,
        404,
        HangupCause.NO_ROUTE,
        "There is no such IVR flow.",
        "List flows with GET /v1/voice/ivr.",
    )
    NO_ROUTE = ErrorSpec(
        422,
        404,
        HangupCause.NO_ROUTE,
        "No enabled trunk can carry this call.",
        "Create one with POST /v1/voice/sip-trunks, or enable one.",
    )
    DESTINATION_BLOCKED = ErrorSpec(
        422,
        403,
        HangupCause.CALL_REJECTED,
        "Calls to this destination are blocked.",
        "Allow its prefix in the trunk's destinations.",
    )
    IDEMPOTENCY_KEY_REUSED = ErrorSpec(
        422,
        400,
        HangupCause.PROTOCOL_ERROR,
        "This Idempotency-Key was used with another body.",
        "Use a new key for a new request.",
    )
    RATE_LIMITED = ErrorSpec(
        429,
        503,
        HangupCause.CAPACITY,
        "Too many requests.",
        "Wait details.retry_after seconds.",
    )
    INTERNAL_ERROR = ErrorSpec(
        500,
        500,
        HangupCause.INTERNAL_ERROR,
        "Something broke on our side.",
        "Try again; if it stays, report meta.request_id with the server's log.",
    )
    SERVICE_UNAVAILABLE = ErrorSpec(
        503,
        503,
        HangupCause.CAPACITY,
        "The server cannot take this now.",
        "Wait as Retry-After says, then try again.",
    )

    @property
    def spec(self) -> ErrorSpec:
        """What the code means."""
        return self.value


class OrbitError(Exception):
    """Root of every error this program raises on purpose."""


class ProtocolError(OrbitError):
    """A peer or we broke a protocol.

    Args:
        reason: What is wrong, for the log and the reason phrase.
        status_hint: SIP status to answer with.
        section: Where the rule stands, for example ``RFC 3261 §20.15``.
    """

    def __init__(self, reason: str, *, status_hint: int = 400, section: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.status_hint = status_hint
        self.section = section


class RemoteProtocolError(ProtocolError):
    """The peer broke the protocol: answer with ``status_hint`` and go on."""


class LocalProtocolError(ProtocolError):
    """Our own code asked for something the protocol forbids: a bug of ours."""


class TransportError(OrbitError):
    """Bytes could not be sent or a connection was lost."""


class ProviderError(OrbitError):
    """A speech or model provider failed.

    Args:
        message: What happened.
        category: ``unavailable``, ``timeout``, ``rejected`` or ``misconfigured``.
        retryable: Whether the same request may succeed later.
    """

    def __init__(self, message: str, *, category: str, retryable: bool) -> None:
        super().__init__(message)
        self.category = category
        self.retryable = retryable


class CallError(OrbitError):
    """An expected outcome with a stable code: what the API shows to its client.

    Args:
        code: The registry entry.
        message: Replaces the registry's message where the case can be put better.
        details: ``field``, ``value``, ``expected`` and whatever helps to mend it.
        headers: Extra HTTP headers, for example ``Retry-After``.
    """

    def __init__(
        self,
        code: ErrorCode,
        message: str | None = None,
        *,
        details: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message or code.spec.message)
        self.code = code
        self.message = message or f"{code.spec.message} {code.spec.hint}"
        self.details: dict[str, Any] = dict(details or {})
        self.headers: dict[str, str] = dict(headers or {})


def render_error_page() -> str:
    """Return ``docs/errors.md``: a table of every code, from the registry."""
    lines = [
        "# Errors",
        "",
        "Every error of the REST API has one of these codes. This page is rendered from the",
        "registry in `orbit_voice.kit.errors`; do not edit it by hand.",
        "",
        "| code | HTTP | SIP | hangup cause | what it means | what to do |",
        "|---|---|---|---|---|---|",
    ]
    for code in ErrorCode:
        spec = code.spec
        lines.append(
            f'| <a id="{code.name.lower()}"></a>`{code.name}` | {spec.http_status} '
            f"| {spec.sip_status} | `{spec.cause}` | {spec.message} | {spec.hint} |"
        )
    lines += ["", "## Hangup causes", "", *(f"- `{cause}`" for cause in HangupCause), ""]
    return "\n".join(lines)
