"""The store alone, for the command line: beside a running server, or without one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from orbit_voice.kit.ids import new_node_id
from orbit_voice.server.settings import Settings
from orbit_voice.store.sealing import Sealer, SecretKey
from orbit_voice.store.store import Store, open_store


@asynccontextmanager
async def open_store_of(settings: Settings) -> AsyncIterator[Store]:
    """Open the store that ``settings`` name, and bring it to its newest form.

    The data directory is not locked: nothing here carries calls.
    """
    settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    configured = settings.secret_key.get_secret_value()
    key = SecretKey(configured) if configured else SecretKey.from_directory(settings.data_dir)
    async with open_store(settings.sqlalchemy_url, Sealer(key), node_id=new_node_id()) as store:
        yield store


async def bring_up_to_date(settings: Settings) -> None:
    """Bring the database to the form this version needs."""
    async with open_store_of(settings):
        pass
