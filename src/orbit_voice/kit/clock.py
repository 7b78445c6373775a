"""The two clocks of the system: monotonic seconds for deadlines, UTC for records.

Protocol cores take ``now``; only shells ask this module. Inside a running event loop ask
``loop.time()`` instead of :func:`monotonic`, so that tests can run in virtual time.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime


def monotonic() -> float:
    """Return monotonic seconds. Never goes back; its origin means nothing."""
    return time.monotonic()


def utc_now() -> datetime:
    """Return the present moment, aware, in UTC."""
    return datetime.now(UTC)


def unix_time() -> float:
    """Return seconds since 1970-01-01 UTC, for signatures and certificates."""
    return time.time()


def iso_utc(moment: datetime) -> str:
    """Return ``moment`` as ISO-8601 UTC with ``Z`` and milliseconds (API contract §1).

    Args:
        moment: An aware datetime of any zone.
    """
    text = moment.astimezone(UTC).isoformat(timespec="milliseconds")
    return text.removesuffix("+00:00") + "Z"
