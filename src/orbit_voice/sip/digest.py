"""Digest authentication as a client."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Credentials:
    """What one user proves to know.

    Attributes:
        username: User name; neither CR nor LF.
        password: In clear.
        realm: The only realm they are used for, or None for any that asks.
    """

    username: str
    password: str = field(repr=False)
    realm: str | None = None
