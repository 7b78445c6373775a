"""The demo: a program calls Anna, speaks to her, and they press keys; then somebody calls in."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from orbit_voice.testing.demo.client import Json
from orbit_voice.testing.demo.report import (
    check_recording,
    show_ladder,
    show_media,
)
from orbit_voice.testing.demo.stage import (
    ANNA,
    OUR_NUMBER,
    TRUNK_PASSWORD,
    TRUNK_USER,
    Stage,
)
from orbit_voice.testing.demo.steps import StepMissedError, step
from orbit_voice.testing.inbound_leg import InboundLeg
from orbit_voice.testing.transcript import PATIENCE_S

SENTENCE: Final = "Hello Anna. Your parcel arrives tomorrow. Press four, two, and pound to confirm."
GREETING: Final = "Welcome to Orbit Voice. You called in, and the server answered."

POLL_S: Final = 0.5
"""How often a timeline is asked for, seconds; lists may be asked for 120 times a minute."""


async def tell_story(stage: Stage) -> None:
    """Make a call through REST, be heard, be answered with keys; then be called.

    Raises:
        StepMissedError: Something that should happen did not.
        RequestRefusedError: The server refused a request.
    """
    await connect_to_carrier(stage)
    call, leg = await call_anna(stage)
    await talk(stage, call, leg)
    call = await hang_up(stage, call, leg)
    await report(stage, call, leg)
    await be_called(stage)


async def connect_to_carrier(stage: Stage) -> None:
    """Tell the server where calls go, and which number is its own."""
    stage.screen.chapter("It learns of a carrier and a number")
    trunk = await ensure(
        stage,
        "/v1/voice/sip-trunks",
        "name",
        name="Demo carrier",
        outbound_uri=stage.carrier.trunk_uri(),
        inbound_uris=["127.0.0.1"],
        username=TRUNK_USER,
        password=TRUNK_PASSWORD,
        encryption="none",
    )
    await ensure(
        stage,
        "/v1/numbers",
        "number",
        number=OUR_NUMBER,
        trunk_id=trunk["id"],
        is_default=True,
        routing={"type": "answer"},
    )


async def ensure(stage: Stage, collection: str, key: str, **fields: Any) -> Json:
    """Return the row of a collection with these fields: made, or changed if ``key`` is there.

    A data directory that was used before has them from then.
    """
    for row in await stage.client.get_list(collection, limit="100"):
        if row[key] == fields[key]:
            return await stage.client.put(f"{collection}/{row['id']}", **fields)
    return await stage.client.post(collection, **fields)


async def call_anna(stage: Stage) -> tuple[Json, InboundLeg]:
    """Have the server call Anna; return the call, and Anna's side of it, once she answered."""
    stage.screen.chapter("It calls Anna: one request, and her phone rings")
    call = await stage.client.post(
        "/v1/voice/calls", to=ANNA, record=True, webhook_url=stage.webhooks.url
    )
    async with step("Anna's phone rings"):
        leg = await stage.carrier.next_leg()
        await stage.webhooks.arrived("call.ringing")
    async with step("Anna answers"):
        await leg.answered()
        await stage.webhooks.arrived("call.answered")
    return call, leg


async def talk(stage: Stage, call: Json, leg: InboundLeg) -> None:
    """Say a sentence, hear the keys Anna presses, and press some in return."""
    stage.screen.chapter("They talk: speech one way, keys both ways")
    await stage.client.post(f"/v1/voice/calls/{call['id']}/say", text=SENTENCE)
    async with step("The sentence is spoken to its end"):
        await stage.webhooks.arrived("call.playback_finished")
    leg.send_dtmf("42#")
    async with step("The server hears 4, 2 and #"):
        await stage.webhooks.arrived("call.dtmf", lambda delivery: delivery.data["digit"] == "#")
    await stage.client.post(f"/v1/voice/calls/{call['id']}/dtmf", digits="1w9")
    async with step("Anna hears 1 and 9"):
        await leg.heard("19")


async def hang_up(stage: Stage, call: Json, leg: InboundLeg) -> Json:
    """End the call; return all that is known of it."""
    stage.screen.chapter("It hangs up")
    await stage.client.post(f"/v1/voice/calls/{call['id']}/hangup")
    async with step("Anna's phone hears that the call is over"):
        await leg.ended()
    async with step("The call's last events arrive"):
        await stage.webhooks.arrived("call.recording_ready")
        await stage.webhooks.arrived("call.completed")
    return await stage.client.get(f"/v1/voice/calls/{call['id']}")


async def report(stage: Stage, call: Json, leg: InboundLeg) -> None:
    """Show what is left of the call: its SIP, its media in figures, its recording."""
    stage.screen.chapter("What is left of the call")
    show_ladder(stage.screen, await stage.client.get_list(f"/v1/voice/calls/{call['id']}/sip"))
    show_media(stage.screen, call, leg.statistics)
    recording = await stage.client.download(call["recording_url"])
    check_recording(stage, call, recording, heard=await leg.recorded())
    if not all(delivery.is_signed for delivery in stage.webhooks.deliveries):
        raise StepMissedError("A webhook arrived whose signature is wrong.")
    stage.screen.check(f"{len(stage.webhooks.deliveries)} webhooks, every signature right")


async def be_called(stage: Stage) -> None:
    """Have a phone dial the server's number, as any softphone can."""
    stage.screen.chapter("A phone calls in")
    leg = stage.phone.call(f"sip:{OUR_NUMBER}@{stage.server.sip_address}")
    async with step("The server answers the phone"):
        await leg.answered()
    call, *_ = await stage.client.get_list("/v1/voice/calls", direction="inbound", limit="1")
    await stage.client.post(f"/v1/voice/calls/{call['id']}/say", text=GREETING)
    async with step("The greeting is spoken to its end"):
        await spoken(stage, call)
    leg.hangup()
    async with step("The phone hangs up"):
        await leg.ended()


async def spoken(stage: Stage, call: Json) -> None:
    """Return once what is being said was said: an inbound call tells it in its timeline.

    Raises:
        TimeoutError: It was not said in time.
    """
    async with asyncio.timeout(PATIENCE_S):
        while True:
            events = await stage.client.get_list(f"/v1/voice/calls/{call['id']}/events")
            if any(event["type"] == "call.playback_finished" for event in events):
                return
            await asyncio.sleep(POLL_S)
