"""The 49 messages of RFC 4475, each sent to an endpoint over a real socket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from orbit_voice.signaling.endpoint import InboundSession, SipEndpoint
from orbit_voice.sip.grammar import ParseError
from orbit_voice.sip.message import Request, Response
from orbit_voice.sip.parser import parse_message

VECTORS = Path(__file__).parents[2] / "vectors" / "rfc4475"
MANIFEST: list[dict[str, Any]] = json.loads((VECTORS / "manifest.json").read_text())
US, PEER = "127.0.0.1", "127.44.75.1"
"""The peer has an address of its own, because most of the messages want the answer at port 5060."""
PATIENCE_S = 5.0
OPTIONS = (
    b"OPTIONS sip:us@127.0.0.1 SIP/2.0\r\n"
    b"Via: SIP/2.0/UDP 127.44.75.1;rport;branch=z9hG4bKalive\r\n"
    b"From: <sip:peer@127.44.75.1>;tag=1\r\nTo: <sip:us@127.0.0.1>\r\n"
    b"Call-ID: alive\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
)


@dataclass
class Ear(asyncio.DatagramProtocol):
    heard: asyncio.Queue[Response] = field(default_factory=asyncio.Queue)
    transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        message = parse_message(data)
        assert isinstance(message, Response)
        self.heard.put_nowait(message)


@dataclass
class Stage:
    endpoint: SipEndpoint
    ear: Ear
    invited: list[InboundSession]

    def send(self, data: bytes) -> None:
        self.ear.transport.sendto(data, self.endpoint.udp_address)

    async def hear(self) -> Response:
        async with asyncio.timeout(PATIENCE_S):
            return await self.ear.heard.get()

    async def assert_alive(self) -> None:
        """Have OPTIONS answered; whatever was answered before has been heard by then."""
        self.send(OPTIONS)
        response = await self.hear()
        assert (response.call_id, response.status) == ("alive", 200)


def listening_port(data: bytes) -> int:
    """Return where the sender of ``data`` wants its answer."""
    try:
        message = parse_message(data)
    except ParseError as error:
        message = error.request
    try:
        return (message is not None and message.top_via.port) or 5060
    except ParseError:
        return 5060


@asynccontextmanager
async def stage_for(data: bytes) -> AsyncIterator[Stage]:
    invited: list[InboundSession] = []

    def refuse(session: InboundSession) -> None:
        invited.append(session)
        session.set_handler(lambda event: None)
        session.reject(486)

    endpoint = SipEndpoint(
        udp=(US, 0), tcp=None, advertised_host=None, user_agent="orbit-voice", on_invite=refuse
    )
    loop = asyncio.get_running_loop()
    where = (PEER, listening_port(data))
    transport, ear = await loop.create_datagram_endpoint(Ear, local_addr=where)
    try:
        async with endpoint:
            yield Stage(endpoint, ear, invited)
    finally:
        transport.close()


@pytest.mark.parametrize("row", MANIFEST, ids=[row["name"] for row in MANIFEST])
def test_the_reaction_on_the_wire_is_as_the_manifest_says(row):
    data = (VECTORS / f"{row['name']}.dat").read_bytes()

    async def run() -> None:
        async with stage_for(data) as stage:
            stage.send(data)
            if row["reaction"] == "rejected":
                response = await stage.hear()
                assert response.status == row["status"]
                assert stage.invited == []
            elif row["kind"] == "request":
                await expect_processing(stage, data)
            await stage.assert_alive()
            assert stage.ear.heard.empty()
            assert stage.endpoint.counts.broken == 0

    asyncio.run(run())


async def expect_processing(stage: Stage, data: bytes) -> None:
    request = parse_message(data)
    assert isinstance(request, Request)
    response = await stage.hear()
    assert response.headers.get("Call-ID") == request.headers.get("Call-ID")
    if request.method == "OPTIONS":
        assert response.status == 200
    elif request.to_tag is not None:
        assert response.status == 481
    else:
        assert response.status == 486
        assert [session.call_id for session in stage.invited] == [request.call_id]
        acknowledge(stage, request, response)


def acknowledge(stage: Stage, invite: Request, response: Response) -> None:
    """End the transaction, so that the 486 is not repeated into what is heard next."""
    ack = invite.copy()
    ack.method, ack.body = "ACK", b""
    ack.headers.set("CSeq", f"{invite.cseq.number} ACK")
    ack.headers.set("To", response.headers.require("To"))
    ack.headers.remove("Content-Type")
    stage.send(ack.serialize())
