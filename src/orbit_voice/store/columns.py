"""Column types that mean the same on SQLite and PostgreSQL.

A moment is a whole number of microseconds since 1970 (UTC): exact, ordered by plain comparison, and
free of what the two databases and their drivers make of zones and text.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)

_NUL: Final = "\\u0000"
_REPLACEMENT: Final = "\\ufffd"

JSON_DOCUMENT: Final = sa.JSON(none_as_null=True).with_variant(
    JSONB(none_as_null=True), "postgresql"
)
"""A JSON object or array; None is SQL NULL."""


def to_micros(moment: datetime) -> int:
    """Return ``moment`` (aware) as microseconds since 1970 UTC."""
    return (moment - _EPOCH) // _MICROSECOND


def from_micros(micros: int) -> datetime:
    """Return microseconds since 1970 UTC as an aware datetime."""
    return _EPOCH + micros * _MICROSECOND


def optional_micros(moment: datetime | None) -> int | None:
    """Return :func:`to_micros` of ``moment``, or None."""
    return None if moment is None else to_micros(moment)


def json_text(value: object | None) -> str | None:
    """Return ``value`` as the text that a JSON column's driver takes, or None.

    Args:
        value: Anything orjson writes: dataclasses, enums and aware datetimes among it.

    Raises:
        TypeError: It cannot be written as JSON.
    """
    if value is None:
        return None
    text = orjson.dumps(value, default=_plain).decode()
    # PostgreSQL keeps no NUL character, and a peer may have sent us one.
    return text.replace(_NUL, _REPLACEMENT) if _NUL in text else text


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")


class Moment(sa.TypeDecorator[datetime]):
    """An aware UTC datetime kept as BIGINT microseconds."""

    impl = sa.BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> int | None:
        """Give the driver a number."""
        return optional_micros(value)

    def process_result_value(self, value: int | None, dialect: sa.Dialect) -> datetime | None:
        """Make a datetime of the driver's number."""
        return None if value is None else from_micros(value)
