"""What is said of a call when it is over: its media in figures, and its one line in the log."""

from __future__ import annotations

from typing import Any

from orbit_voice.calls.leg import Leg
from orbit_voice.calls.records import CallRecord, MediaSummary

_ENCRYPTION_NONE = "none"


def summarize_media(leg: Leg) -> MediaSummary | None:
    """Return the leg's media in figures; None when no media was ever agreed on."""
    if (plan := leg.plan) is None:
        return None
    figures = leg.statistics
    heard = figures.packets_received > 0
    return MediaSummary(
        codec=plan.codec,
        encryption=_ENCRYPTION_NONE,
        packets_sent=figures.packets_sent,
        packets_received=figures.packets_received,
        loss_percent=round(figures.loss_percent, 2) if heard else None,
        jitter_ms=round(figures.jitter_ms, 2) if heard else None,
        rtt_ms=None if figures.rtt_ms is None else round(figures.rtt_ms, 1),
        mos=round(figures.mos, 2) if heard else None,
    )


def canonical_line(call: CallRecord) -> dict[str, Any]:
    """Return the fields of the one log line that tells a whole call."""
    hangup, media = call.hangup, call.media
    return {
        "call_id": call.id,
        "org_id": call.org_id,
        "trunk_id": call.trunk_id,
        "direction": call.direction.value,
        "status": call.status.value,
        "cause": None if hangup is None else hangup.cause.value,
        "hangup_by": None if hangup is None else hangup.by.value,
        "sip_code": None if hangup is None else hangup.sip_code,
        "duration_s": call.duration_seconds,
        "mos": None if media is None else media.mos,
        "loss_percent": None if media is None else media.loss_percent,
        "pii.from": call.from_,
        "pii.to": call.to,
    }
