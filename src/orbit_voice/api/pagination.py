"""Cursors of lists (API contract §1). What is in one only the store knows."""

from __future__ import annotations

import re
from typing import Final

from orbit_voice.kit.errors import CallError, ErrorCode

_CURSOR: Final = re.compile(r"[A-Za-z0-9_\-=.~]{1,1024}")
"""RFC 3986 §2.3 unreserved characters and ``=``: what survives in a query string unescaped."""


def check_cursor(cursor: str | None) -> str | None:
    """Return ``cursor`` if it can be one of ours, before the store is asked.

    Raises:
        CallError: ``INVALID_CURSOR``.
    """
    if cursor is not None and not _CURSOR.fullmatch(cursor):
        raise CallError(
            ErrorCode.INVALID_CURSOR,
            details={"field": "cursor", "value": cursor[:64], "expected": "pagination.cursor"},
        )
    return cursor
