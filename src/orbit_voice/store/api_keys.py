"""API keys: who may ask. Only a key's hash is kept; its text is shown once.

The hash is a plain SHA-256: a key holds 256 random bits, so there is nothing to guess that a slow
hash would slow down, and every request pays for it.
"""

from __future__ import annotations

import hashlib
import secrets
import string
from collections import OrderedDict
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

import sqlalchemy as sa

from orbit_voice.kit.clock import monotonic
from orbit_voice.kit.ids import new_api_key_id
from orbit_voice.kit.pages import Page
from orbit_voice.store.database import Database
from orbit_voice.store.keyset import Order, read_page
from orbit_voice.store.tables import api_keys

CACHE_TTL_S: Final = 10.0
"""How long a key that was good is taken to be good still. A deletion in this process takes effect
at once; one by another process (the command line, another node) within this time."""
CACHE_SIZE: Final = 4096
"""Keys remembered; the least recently used is forgotten first."""
MAX_KEY_LENGTH: Final = 256
"""Characters. A longer text is no key and is not even hashed."""

_ALPHABET: Final = string.ascii_letters + string.digits
_RANDOM_LENGTH: Final = 43
"""Base-62 characters, 256 bits."""
_SHOWN_RANDOM: Final = 4
"""Random characters that a list shows, to tell keys apart: 24 of 256 bits."""

_NEWEST_FIRST = Order("api-keys", api_keys.c.created_at, api_keys.c.id)


class Mode(StrEnum):
    """Whether calls of a key reach carriers."""

    LIVE = "live"
    TEST = "test"


class Scope(StrEnum):
    """What a key may do."""

    READ = "voice:read"
    WRITE = "voice:write"
    ADMIN = "admin"


ALL_SCOPES: Final = frozenset(Scope)


@dataclass(frozen=True, slots=True)
class ApiKey:
    """What is known of a key.

    Attributes:
        id: ``key_…``.
        org_id: Whose rows it sees.
        name: For people.
        prefix: The beginning of its text, safe to show.
        mode: Live or test.
        scopes: What it may do.
        created_at: When it was made.
    """

    id: str
    org_id: str
    name: str
    prefix: str
    mode: Mode
    scopes: frozenset[Scope]
    created_at: datetime


class ApiKeys:
    """Makes, checks, lists and deletes keys.

    Args:
        database: Where.
        clock: Monotonic seconds, for the cache.
    """

    def __init__(self, database: Database, *, clock: Callable[[], float] = monotonic) -> None:
        self._database = database
        self._clock = clock
        self._known: OrderedDict[str, tuple[float, ApiKey]] = OrderedDict()
        self._deletions = 0

    async def create_key(
        self, org_id: str, name: str, *, mode: Mode, scopes: Collection[Scope], now: datetime
    ) -> tuple[ApiKey, str]:
        """Make a key.

        Returns:
            The key, and its text, which cannot be had again.
        """
        text = new_key_text(mode)
        key = describe_key(text, org_id, name, scopes=scopes, now=now)
        await self._database.write(lambda connection: insert_key(connection, key, text))
        return key, text

    async def verify(self, text: str) -> ApiKey | None:
        """Return the key whose text this is, or None."""
        if len(text) > MAX_KEY_LENGTH:
            return None
        digest = hash_key(text)
        if (known := self._remembered(digest)) is not None:
            return known
        deletions = self._deletions
        query = sa.select(api_keys).where(api_keys.c.sha256 == digest)
        row = await self._database.read(lambda connection: connection.execute(query).one_or_none())
        if row is None:
            return None
        key = _read(row)
        if deletions == self._deletions:  # else what was read may be gone since
            self._remember(digest, key)
        return key

    async def list_keys(self, org_id: str, *, cursor: str | None, limit: int) -> Page[ApiKey]:
        """Return one page, newest first.

        Raises:
            CallError: ``INVALID_CURSOR``.
        """
        query = sa.select(api_keys).where(api_keys.c.org_id == org_id)
        return await self._database.read(
            lambda connection: read_page(
                connection, query, _NEWEST_FIRST, cursor=cursor, limit=limit, decode=_read
            )
        )

    async def delete_key(self, org_id: str, key_id: str) -> bool:
        """Delete a key, with effect at once; return False when there is none."""
        gone = api_keys.delete().where(api_keys.c.org_id == org_id, api_keys.c.id == key_id)
        deleted = await self._database.write(
            lambda connection: connection.execute(gone).rowcount == 1
        )
        self._deletions += 1
        self._known.clear()
        return deleted

    def _remembered(self, digest: str) -> ApiKey | None:
        entry = self._known.get(digest)
        if entry is None or entry[0] < self._clock():
            return None
        self._known.move_to_end(digest)
        return entry[1]

    def _remember(self, digest: str, key: ApiKey) -> None:
        self._known[digest] = (self._clock() + CACHE_TTL_S, key)
        self._known.move_to_end(digest)
        if len(self._known) > CACHE_SIZE:
            self._known.popitem(last=False)


def new_key_text(mode: Mode) -> str:
    """Return a fresh key, for example ``dv_live_sk_`` and 43 characters."""
    return f"dv_{mode.value}_sk_" + "".join(
        secrets.choice(_ALPHABET) for _ in range(_RANDOM_LENGTH)
    )


def describe_key(
    text: str, org_id: str, name: str, *, scopes: Collection[Scope], now: datetime
) -> ApiKey:
    """Return what will be known of a key with this text; its mode is in the text."""
    test_prefix = f"dv_{Mode.TEST.value}_sk_"
    shown = len(test_prefix) + _SHOWN_RANDOM
    return ApiKey(
        id=new_api_key_id(),
        org_id=org_id,
        name=name,
        prefix=text[: min(shown, len(text) // 2)],
        mode=Mode.TEST if text.startswith(test_prefix) else Mode.LIVE,
        scopes=frozenset(scopes),
        created_at=now,
    )


def insert_key(connection: sa.Connection, key: ApiKey, text: str) -> None:
    """Keep ``key``, whose text is ``text``."""
    connection.execute(
        api_keys.insert(),
        {
            "id": key.id,
            "org_id": key.org_id,
            "name": key.name,
            "prefix": key.prefix,
            "sha256": hash_key(text),
            "mode": key.mode.value,
            "scopes": sorted(key.scopes),
            "created_at": key.created_at,
        },
    )


def hash_key(text: str) -> str:
    """Return the SHA-256 of a key's text, hex."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _read(row: sa.Row[Any]) -> ApiKey:
    return ApiKey(
        id=row.id,
        org_id=row.org_id,
        name=row.name,
        prefix=row.prefix,
        mode=Mode(row.mode),
        scopes=frozenset(Scope(scope) for scope in row.scopes),
        created_at=row.created_at,
    )
