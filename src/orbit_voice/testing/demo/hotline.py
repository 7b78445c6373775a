"""``--keep``: the server stays up, and a small program answers whoever calls in."""

from __future__ import annotations

import asyncio

from orbit_voice.kit.tasks import TaskScope
from orbit_voice.testing.demo.client import Json, RequestRefusedError
from orbit_voice.testing.demo.screen import Who
from orbit_voice.testing.demo.stage import Stage
from orbit_voice.testing.demo.story import GREETING, POLL_S

INVITATION = f"{GREETING} Press some keys, and look at the terminal."


async def answer_callers(stage: Stage) -> None:
    """Greet every call that comes in and show its keys, until cancelled (Ctrl-C)."""
    stage.screen.line(Who.SERVER, "stays up", "Ctrl-C stops it")
    known: set[str] = set()
    async with TaskScope("hotline") as scope:
        while True:
            for call in await _answered_calls(stage):
                if call["id"] not in known:
                    known.add(call["id"])
                    _ = scope.start(_accompany(stage, call), name=call["id"])
            await asyncio.sleep(2 * POLL_S)


async def _answered_calls(stage: Stage) -> list[Json]:
    return await stage.client.get_list(
        "/v1/voice/calls", direction="inbound", status="in_progress", limit="100"
    )


async def _accompany(stage: Stage, call: Json) -> None:
    """Greet one caller and show what happens on the call until it is over."""
    stage.screen.line(Who.SERVER, f"{call['from']} called in", call["id"])
    try:
        await stage.client.post(f"/v1/voice/calls/{call['id']}/say", text=INVITATION)
    except RequestRefusedError as error:
        stage.screen.line(Who.SERVER, "the call was over before it was greeted", str(error))
    shown = 0
    while call["status"] == "in_progress":
        call = await stage.client.get(f"/v1/voice/calls/{call['id']}")
        events = await stage.client.get_list(f"/v1/voice/calls/{call['id']}/events", limit="100")
        for event in events[shown:]:
            stage.screen.line(Who.SERVER, event["type"], str(event["data"].get("digit", "")))
        shown = len(events)
        await asyncio.sleep(POLL_S)
