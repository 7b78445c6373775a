"""Who takes part in the demo, each as a real SIP, RTP or HTTP peer on loopback."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Final

from orbit_voice.testing.behaviours import Answer
from orbit_voice.testing.carrier import CarrierSimulator
from orbit_voice.testing.demo.client import Client
from orbit_voice.testing.demo.screen import Screen, Who
from orbit_voice.testing.dial_plan import DialPlan
from orbit_voice.testing.digest_guard import DigestGuard
from orbit_voice.testing.phone import SipPhone
from orbit_voice.testing.server_process import ServerProcess
from orbit_voice.testing.transcript import Moment
from orbit_voice.testing.webhook_receiver import Delivery, WebhookReceiver

OUR_NUMBER: Final = "+14155550100"
"""The number the server has: calls go out from it and come in to it."""
ANNA: Final = "+14155550123"
"""A subscriber of the carrier."""
TRUNK_USER: Final = "orbit"
TRUNK_PASSWORD: Final = "correct horse battery staple"

_CARRIER_MOMENTS: Final = {"called", "challenged"}
"""What the carrier does before the call is Anna's."""
_IN_WORDS: Final = {
    "ringing": "it rings",
    "media agreed": "agrees on media",
    "talking": "answered",
    "media started": "hears the server",
    "digits sent": "pressed keys",
    "digit": "hears a key",
    "ended": "the call is over",
}
"""How the moments of a phone are told; the others are not."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Everybody, up and running.

    Attributes:
        server: The product, in a process of its own.
        client: A customer's program that uses its REST API.
        webhooks: The same customer's HTTP server, which takes events.
        carrier: The far end of the SIP trunk; Anna's phone hangs there.
        phone: A phone that dials the server by itself, as any softphone could.
        screen: Where everybody's doings are shown.
    """

    server: ServerProcess
    client: Client
    webhooks: WebhookReceiver
    carrier: CarrierSimulator
    phone: SipPhone
    screen: Screen


@asynccontextmanager
async def open_stage(data_dir: Path, screen: Screen) -> AsyncIterator[Stage]:
    """Start everybody; stop them when left.

    Raises:
        ServerStartError: The server did not come up.
    """
    screen.title("[bold]Orbit Voice[/]: a call, from a REST request to an ear and back")
    screen.chapter("A server starts with nothing configured")
    server = ServerProcess(data_dir)
    screen.line(Who.SERVER, "orbit-voice serve", f"data in {data_dir}")
    async with (
        WebhookReceiver(on_delivery=lambda delivery: _show_delivery(screen, delivery)) as webhooks,
        _carrier(screen) as carrier,
        SipPhone(
            "softphone", on_moment=lambda moment: _show_moment(screen, Who.PHONE, moment)
        ) as phone,
        server,
        Client(server.base_url, server.api_key, screen) as client,
    ):
        screen.line(Who.SERVER, "ready", f"{server.base_url}  sip:{server.sip_address}")
        webhooks.secret = await server.signing_secret()
        yield Stage(server, client, webhooks, carrier, phone, screen)


def _carrier(screen: Screen) -> CarrierSimulator:
    """Return a carrier that wants credentials, with one subscriber who answers after a second."""
    return CarrierSimulator(
        DialPlan({ANNA: Answer(after_s=1.0)}),
        guard=DigestGuard({TRUNK_USER: TRUNK_PASSWORD}, random=Random()),
        on_moment=lambda moment: _show_moment(screen, Who.ANNA, moment),
    )


def _show_delivery(screen: Screen, delivery: Delivery) -> None:
    signature = "signature verified" if delivery.is_signed else "SIGNATURE WRONG"
    data = delivery.data
    told = " ".join(str(data[name]) for name in ("digit", "digits") if name in data)
    screen.line(Who.WEBHOOK, f"{delivery.type} {told}".rstrip(), f"#{data['sequence']} {signature}")


def _show_moment(screen: Screen, who: Who, moment: Moment) -> None:
    if moment.what in _CARRIER_MOMENTS:
        screen.line(Who.CARRIER, moment.what, moment.detail)
    elif moment.what in _IN_WORDS:
        screen.line(who, _IN_WORDS[moment.what], moment.detail)
