"""Why a call ended: from what the network said to status, cause and a sentence for people.

One place decides the SIP mapping of API contract §2: 486/600 → busy; 408/480 after ringing and
487 by our own time-out → no_answer; 487 by the API or the caller → cancelled; every other failure
→ failed.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from http import HTTPStatus
from typing import Final

from orbit_voice.calls.records import Hangup, HangupBy
from orbit_voice.calls.states import CallInput
from orbit_voice.kit.errors import HangupCause


@dataclass(frozen=True, slots=True)
class Ending:
    """How a call ends: the input of its state table, and what is told of it."""

    what: CallInput
    hangup: Hangup


class Limit(Enum):
    """A limit of ours that ends a call."""

    RING_TIMEOUT = auto()
    MAX_DURATION = auto()
    MEDIA_TIMEOUT = auto()
    SHUTDOWN = auto()
    NODE_LOST = auto()


_CAUSE_OF_STATUS: Final[dict[int, HangupCause]] = {
    400: HangupCause.PROTOCOL_ERROR,
    401: HangupCause.AUTHENTICATION_FAILED,
    403: HangupCause.CALL_REJECTED,
    404: HangupCause.UNALLOCATED_NUMBER,
    407: HangupCause.AUTHENTICATION_FAILED,
    408: HangupCause.NO_ANSWER,
    410: HangupCause.UNALLOCATED_NUMBER,
    415: HangupCause.INCOMPATIBLE_MEDIA,
    480: HangupCause.NO_ANSWER,
    484: HangupCause.UNALLOCATED_NUMBER,
    486: HangupCause.USER_BUSY,
    487: HangupCause.ORIGINATOR_CANCEL,
    488: HangupCause.INCOMPATIBLE_MEDIA,
    503: HangupCause.CAPACITY,
    600: HangupCause.USER_BUSY,
    603: HangupCause.CALL_REJECTED,
    604: HangupCause.UNALLOCATED_NUMBER,
    606: HangupCause.INCOMPATIBLE_MEDIA,
}


def cause_of_status(status: int) -> HangupCause:
    """Return the hangup cause of a final SIP status 300-699."""
    if (cause := _CAUSE_OF_STATUS.get(status)) is not None:
        return cause
    return HangupCause.PROTOCOL_ERROR if 400 <= status < 500 else HangupCause.CARRIER_FAILURE


def of_rejection(status: int, reason: str, *, rang: bool) -> Ending:
    """Return how a call ends that the far end refused.

    Args:
        status: Final SIP status, 300-699.
        reason: The peer's reason phrase.
        rang: Whether the far end rang before it refused.
    """
    if status in {486, 600}:
        what, message = CallInput.BUSY, "The destination is busy."
    elif status in {408, 480} and rang:
        what, message = CallInput.UNANSWERED, "The destination rang but nobody answered."
    else:
        what = CallInput.FAILED
        message = f"The carrier or destination refused the call with SIP {status}."
    cause = cause_of_status(status)
    return Ending(what, Hangup(HangupBy.CALLEE, cause, status, reason or None, message))


def of_failure(*, timed_out: bool, detail: str) -> Ending:
    """Return how a call ends whose INVITE got no final answer or could not be sent."""
    cause = HangupCause.SIP_TIMEOUT if timed_out else HangupCause.TRANSPORT_FAILURE
    message = (
        "The far end did not answer the INVITE. Check address, port and firewall of the trunk."
        if timed_out
        else f"The INVITE could not be sent: {detail}."
    )
    return Ending(CallInput.FAILED, Hangup(HangupBy.SYSTEM, cause, None, None, message))


def by_command(by: HangupBy) -> Ending:
    """Return how a call ends that the API or an agent hung up."""
    hangup = Hangup(by, HangupCause.NORMAL_CLEARING, None, None, "The call was hung up.")
    return Ending(CallInput.HUNG_UP, hangup)


def by_party(by: HangupBy, reason: str | None) -> Ending:
    """Return how an answered call ends that a party hung up with BYE."""
    who = "caller" if by is HangupBy.CALLER else "callee"
    hangup = Hangup(by, HangupCause.NORMAL_CLEARING, None, reason, f"The {who} hung up.")
    return Ending(CallInput.HUNG_UP, hangup)


def by_cancel(reason: str | None) -> Ending:
    """Return how an inbound call ends whose caller gave up before we answered."""
    message = "The caller hung up before the call was answered."
    hangup = Hangup(HangupBy.CALLER, HangupCause.ORIGINATOR_CANCEL, 487, reason, message)
    return Ending(CallInput.HUNG_UP, hangup)


def by_decline(status: int) -> Ending:
    """Return how an inbound call ends that we refused with ``status``."""
    what = CallInput.BUSY if status in {486, 600} else CallInput.FAILED
    phrase = _phrase(status)
    message = f"The call was declined with SIP {status}."
    return Ending(what, Hangup(HangupBy.API, cause_of_status(status), status, phrase, message))


def of_bad_media(detail: str) -> Ending:
    """Return how a call ends whose SDP cannot be used."""
    message = f"The two sides have no usable media in common: {detail}"
    hangup = Hangup(HangupBy.SYSTEM, HangupCause.INCOMPATIBLE_MEDIA, 488, None, message)
    return Ending(CallInput.FAILED, hangup)


def of_internal_error() -> Ending:
    """Return how a call ends that ran into a bug of ours."""
    message = "Something broke on our side; the server's log has the details."
    hangup = Hangup(HangupBy.SYSTEM, HangupCause.INTERNAL_ERROR, None, None, message)
    return Ending(CallInput.FAILED, hangup)


def of_capacity(detail: str) -> Ending:
    """Return how a call ends for which we have no media port or no room."""
    hangup = Hangup(HangupBy.SYSTEM, HangupCause.CAPACITY, None, None, detail)
    return Ending(CallInput.FAILED, hangup)


def by_limit(limit: Limit) -> Ending:
    """Return how a call ends that ran into a limit of ours."""
    return _LIMITS[limit]


def _phrase(status: int) -> str | None:
    phrases = {486: "Busy Here", 600: "Busy Everywhere", 603: "Decline"}
    if status in phrases:
        return phrases[status]
    return HTTPStatus(status).phrase if status in set(HTTPStatus) else None


def _limit(what: CallInput, cause: HangupCause, message: str) -> Ending:
    return Ending(what, Hangup(HangupBy.SYSTEM, cause, None, None, message))


_LIMITS: Final[dict[Limit, Ending]] = {
    Limit.RING_TIMEOUT: _limit(
        CallInput.UNANSWERED, HangupCause.NO_ANSWER, "Nobody answered within ring_timeout."
    ),
    Limit.MAX_DURATION: _limit(
        CallInput.HUNG_UP, HangupCause.MAX_DURATION, "The call reached max_duration."
    ),
    Limit.MEDIA_TIMEOUT: _limit(
        CallInput.FAILED,
        HangupCause.MEDIA_TIMEOUT,
        "No audio came from the far end any more. Check NAT and firewall for RTP.",
    ),
    Limit.SHUTDOWN: _limit(CallInput.FAILED, HangupCause.SHUTDOWN, "The server was stopped."),
    Limit.NODE_LOST: _limit(
        CallInput.FAILED, HangupCause.NODE_LOST, "The server that carried the call was lost."
    ),
}
