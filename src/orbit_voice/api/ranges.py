"""Byte ranges of a file (RFC 9110 §14): one range, or the whole."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_RANGE: Final = re.compile(
    r"bytes=[ \t]*(?:([0-9]{1,18})-([0-9]{0,18})|-([0-9]{1,18}))[ \t]*", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class ByteRange:
    """Bytes ``first`` to ``last``, both included, counted from 0."""

    first: int
    last: int

    @property
    def length(self) -> int:
        """How many bytes these are."""
        return self.last - self.first + 1

    def content_range(self, size: int) -> str:
        """Return the value of ``Content-Range`` (RFC 9110 §14.4)."""
        return f"bytes {self.first}-{self.last}/{size}"


class RangeNotSatisfiableError(Exception):
    """No byte of the file is in the range (RFC 9110 §15.5.17)."""


def select_range(header: str | None, size: int) -> ByteRange | None:
    """Return the part of a file that a ``Range`` header asks for.

    Args:
        header: Its value, or None.
        size: Bytes in the file.

    Returns:
        None for the whole file: no header, one that is malformed, or several ranges, all of which
        a server may ignore (RFC 9110 §14.2).

    Raises:
        RangeNotSatisfiableError: The file ends before the range begins.
    """
    if header is None or (match := _RANGE.fullmatch(header)) is None:
        return None
    first, last, suffix = match.groups()
    if suffix is not None:
        wanted = ByteRange(max(0, size - int(suffix)), size - 1)
    else:
        wanted = ByteRange(int(first), min(int(last), size - 1) if last else size - 1)
        if last and int(last) < wanted.first:
            return None
    if wanted.length <= 0 or wanted.first >= size:
        raise RangeNotSatisfiableError
    return wanted
