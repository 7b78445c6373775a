"""Pages by key: a page starts after the last row of the page before, wherever that now is.

A list counted by offset repeats or skips rows while rows are added. Here the cursor holds the sort
key of the last row shown, the name of the list it was made by, and a checksum: what a client
shortened, edited or took from another list is refused, not guessed at.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeVar

import orjson
import sqlalchemy as sa

from orbit_voice.kit.errors import CallError, ErrorCode
from orbit_voice.kit.pages import Page
from orbit_voice.store.columns import to_micros

MAX_CURSOR_LENGTH: Final = 512
"""Characters. Ours have under 200; a longer one is not read at all."""
_CHECKSUM_BYTES: Final = 6

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Order:
    """How a list is sorted.

    Attributes:
        list_name: Binds cursors to this list.
        key: A column with a whole number in the database; rows are sorted by it.
        tie: A unique text column that decides between equal keys.
        ascending: True for oldest first.
    """

    list_name: str
    key: sa.ColumnElement[Any]
    tie: sa.ColumnElement[str]
    ascending: bool = False


def read_page(
    connection: sa.Connection,
    rows: sa.Select[Any],
    order: Order,
    *,
    cursor: str | None,
    limit: int,
    decode: Callable[[sa.Row[Any]], T],
) -> Page[T]:
    """Return one page of ``rows``.

    Args:
        connection: Holds one snapshot, so that rows and total agree.
        rows: Which rows, unsorted; must select ``order.key`` and ``order.tie``.
        order: How they are sorted.
        cursor: Where the page before ended, or None to start.
        limit: Rows per page, at least 1.
        decode: Makes a value of a row.

    Raises:
        CallError: ``INVALID_CURSOR``.
    """
    total = connection.scalar(rows.with_only_columns(sa.func.count(), maintain_column_froms=True))
    found = list(connection.execute(_after(rows, order, cursor).limit(limit + 1)))
    page = found[:limit]
    following = _cursor_after(order, page[-1]) if len(found) > limit else None
    return Page(tuple(decode(row) for row in page), following, total or 0)


def encode_cursor(list_name: str, key: int, tie: str) -> str:
    """Return the cursor of ``list_name`` that continues after (``key``, ``tie``)."""
    payload = orjson.dumps([key, tie])
    return base64.urlsafe_b64encode(_checksum(list_name, payload) + payload).decode().rstrip("=")


def decode_cursor(list_name: str, cursor: str) -> tuple[int, str]:
    """Return the (key, tie) that ``cursor`` continues after.

    Raises:
        CallError: ``INVALID_CURSOR``: it was not made by :func:`encode_cursor` for this list.
    """
    try:
        key, tie = orjson.loads(_open(list_name, cursor))
        if not isinstance(key, int) or not isinstance(tie, str):
            raise ValueError("forged")
    except ValueError as error:
        raise CallError(ErrorCode.INVALID_CURSOR, details={"field": "cursor"}) from error
    return key, tie


def _open(list_name: str, cursor: str) -> bytes:
    if len(cursor) > MAX_CURSOR_LENGTH or not cursor.isascii():
        raise ValueError("no cursor of ours")
    padded = cursor + "=" * (-len(cursor) % 4)
    data = base64.b64decode(padded, altchars=b"-_", validate=True)
    payload = data[_CHECKSUM_BYTES:]
    if data[:_CHECKSUM_BYTES] != _checksum(list_name, payload):
        raise ValueError("checksum")
    return payload


def _checksum(list_name: str, payload: bytes) -> bytes:
    text = list_name.encode() + b"\0" + payload
    return hashlib.blake2b(text, digest_size=_CHECKSUM_BYTES, person=b"orbit-cursor").digest()


def _after(rows: sa.Select[Any], order: Order, cursor: str | None) -> sa.Select[Any]:
    sort = (order.key, order.tie)
    if cursor is not None:
        key, tie = decode_cursor(order.list_name, cursor)
        # Bound as the database holds it: a moment's column would take a datetime.
        last = sa.tuple_(sa.literal(key, sa.BigInteger), sa.literal(tie, sa.String))
        here = sa.tuple_(sa.type_coerce(order.key, sa.BigInteger), order.tie)
        rows = rows.where(here > last if order.ascending else here < last)
    if order.ascending:
        return rows.order_by(*sort)
    return rows.order_by(*(column.desc() for column in sort))


def _cursor_after(order: Order, row: sa.Row[Any]) -> str:
    key = row._mapping[order.key]
    number = to_micros(key) if isinstance(key, datetime) else key
    return encode_cursor(order.list_name, number, row._mapping[order.tie])
