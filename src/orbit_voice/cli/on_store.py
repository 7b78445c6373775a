"""Work of the command line on the store itself."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from orbit_voice.kit.errors import OrbitError
from orbit_voice.server.maintenance import open_store_of
from orbit_voice.server.settings import Settings
from orbit_voice.store.store import Store

_T = TypeVar("_T")


class NoOrganizationError(OrbitError):
    """Nothing was set up yet."""


def run_on_store(settings: Settings, work: Callable[[Store, str], Awaitable[_T]]) -> _T:
    """Do ``work`` with the store and the id of its first organization.

    Raises:
        NoOrganizationError: The server was never started on this store.
    """

    async def run() -> _T:
        async with open_store_of(settings) as store:
            organizations = await store.organizations.list_organizations()
            if not organizations:
                raise NoOrganizationError("nothing is set up yet: start the server once")
            return await work(store, organizations[0].id)

    return asyncio.run(run())
