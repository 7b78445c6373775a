from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from orbit_voice.kit.clock import iso_utc, utc_now


def test_moments_are_written_in_utc_with_milliseconds_and_z() -> None:
    moment = datetime(2026, 3, 1, 12, 0, 0, 987654, tzinfo=timezone(timedelta(hours=2)))
    assert iso_utc(moment) == "2026-03-01T10:00:00.987Z"
    assert iso_utc(datetime(2026, 3, 1, tzinfo=UTC)) == "2026-03-01T00:00:00.000Z"


def test_the_wall_clock_is_aware() -> None:
    assert utc_now().tzinfo is UTC
