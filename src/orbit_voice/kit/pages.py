"""One page of a list, the shape that every list of the product returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a list, newest first unless the list says otherwise.

    Attributes:
        rows: At most ``limit`` rows.
        cursor: Opaque; continues after the last row. None on the last page.
        total: Rows that match, over all pages.
    """

    rows: tuple[T, ...]
    cursor: str | None
    total: int
