"""The attempts of a call: one for each INVITE towards a trunk."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from orbit_voice.calls.records import Attempt, CallRecord
from orbit_voice.kit.errors import HangupCause


def open_attempt(call: CallRecord, at: datetime) -> CallRecord:
    """Return the call with a new attempt on its trunk, begun ``at``."""
    return replace(call, attempts=(*call.attempts, Attempt(call.trunk_id, at)))


def close_attempt(
    call: CallRecord, at: datetime, *, sip_code: int | None, cause: HangupCause | None
) -> CallRecord:
    """Return the call with its open attempt closed; a call without one is returned as it is."""
    if not call.attempts or call.attempts[-1].ended_at is not None:
        return call
    *earlier, last = call.attempts
    closed = replace(last, ended_at=at, sip_code=sip_code, cause=cause)
    return replace(call, attempts=(*earlier, closed))
