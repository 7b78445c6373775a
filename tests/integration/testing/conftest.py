"""Phones and carriers on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest


@pytest.fixture
def run():
    """Run a scenario to its end; one that hangs fails."""

    def run_scenario(scenario: Coroutine[Any, Any, Any]) -> Any:
        async def bounded() -> Any:
            async with asyncio.timeout(30):
                return await scenario

        return asyncio.run(bounded())

    return run_scenario
