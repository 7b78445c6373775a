"""An endpoint in a virtual network, and a peer that sends and hears raw messages."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from random import Random
from typing import Any

import pytest

from orbit_voice.kit.errors import TransportError
from orbit_voice.signaling.endpoint import InboundSession, OutboundInvite, SipEndpoint
from orbit_voice.signaling.events import SessionEvent
from orbit_voice.sip.framing import StreamFramer
from orbit_voice.sip.grammar import ParseError
from orbit_voice.sip.message import Message, Request, Response
from orbit_voice.sip.parser import parse_message
from orbit_voice.testing.network import LinkConditions, VirtualNetwork
from orbit_voice.testing.virtual_time import run_virtual

US, PEER = "192.0.2.1", "192.0.2.2"
PORT = 5060
OFFER = (
    b"v=0\r\no=- 1 1 IN IP4 192.0.2.2\r\ns=-\r\nc=IN IP4 192.0.2.2\r\nt=0 0\r\n"
    b"m=audio 40000 RTP/AVP 0\r\n"
)
ANSWER = OFFER.replace(b"192.0.2.2", b"192.0.2.1")


def request(
    method: str = "OPTIONS",
    *,
    number: int = 1,
    call_id: str = "raw-1",
    branch: str = "z9hG4bKraw1",
    rport: bool = True,
    via_host: str = PEER,
    via_port: int | None = PORT,
    transport: str = "UDP",
    to_tag: str | None = None,
    from_tag: str = "rawtag",
    headers: str = "",
    body: bytes = b"",
    uri: str = f"sip:us@{US}",
) -> bytes:
    port = "" if via_port is None else f":{via_port}"
    content = "Content-Type: application/sdp\r\n" if body else ""
    head = (
        f"{method} {uri} SIP/2.0\r\n"
        f"Via: SIP/2.0/{transport} {via_host}{port};branch={branch}{';rport' if rport else ''}\r\n"
        f"From: <sip:peer@{PEER}>;tag={from_tag}\r\n"
        f"To: <sip:us@{US}>{f';tag={to_tag}' if to_tag else ''}\r\n"
        f"Call-ID: {call_id}\r\nCSeq: {number} {method}\r\nMax-Forwards: 70\r\n"
        f"Contact: <sip:peer@{PEER}>\r\n{headers}{content}"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class RawPeer(asyncio.DatagramProtocol):
    """A UDP port that is not ours: keeps what it hears, and when."""

    def __init__(self) -> None:
        self.heard: list[Message] = []
        self.heard_at: list[float] = []
        self.data: list[bytes] = []
        self.react: Callable[[Message], None] = lambda message: None
        self.transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        try:
            message = parse_message(data)
        except ParseError:
            return  # what was garbled comes back in Via, From and To
        self.data.append(data)
        self.heard.append(message)
        self.heard_at.append(asyncio.get_running_loop().time())
        self.react(self.heard[-1])

    def send(self, data: bytes, port: int = PORT) -> None:
        self.transport.sendto(data, (US, port))

    def reply(self, to: Request, status: int, *, tag: str = "peer", sdp: bytes = b"") -> None:
        response = Response.to_request(to, status, to_tag=tag)
        if status < 300 and to.method == "INVITE":
            response.headers.add("Contact", f"<sip:peer@{PEER}>")
        if sdp:
            response.headers.add("Content-Type", "application/sdp")
            response.body = sdp
        self.send(response.serialize())

    @property
    def statuses(self) -> list[int]:
        return [each.status for each in self.heard if isinstance(each, Response)]

    @property
    def methods(self) -> list[str]:
        return [each.method for each in self.heard if isinstance(each, Request)]

    def requests(self, method: str) -> list[Request]:
        return [each for each in self.heard if isinstance(each, Request) and each.method == method]


class RawStream(asyncio.Protocol):
    """A TCP end that is not ours."""

    def __init__(self) -> None:
        self.heard: list[Any] = []
        self.raw = b""
        self.closed = False
        self.transport: Any = None
        self.react: Callable[[Message], None] = lambda message: None
        self._framer = StreamFramer()

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.raw += data
        for item in self._framer.receive(data):
            self.heard.append(item)
            if isinstance(item, Request | Response):
                self.react(item)

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True

    def reply(self, to: Request, status: int, *, tag: str = "peer", sdp: bytes = b"") -> None:
        response = Response.to_request(to, status, to_tag=tag)
        if status < 300 and to.method == "INVITE":
            response.headers.add("Contact", f"<sip:peer@{PEER};transport=tcp>")
        if sdp:
            response.headers.add("Content-Type", "application/sdp")
            response.body = sdp
        self.transport.write(response.serialize())


class Owner:
    """Call control in small: keeps sessions and what they tell."""

    def __init__(self) -> None:
        self.sessions: list[InboundSession] = []
        self.events: dict[str, list[SessionEvent]] = {}
        self.greet: Callable[[InboundSession], None] = lambda session: None
        self.react: Callable[[Any, SessionEvent], None] = lambda session, event: None

    def on_invite(self, session: InboundSession) -> None:
        self.sessions.append(session)
        session.set_handler(lambda event: self.take(session, event))
        self.greet(session)

    def take(self, session: Any, event: SessionEvent) -> None:
        self.events.setdefault(session.call_id, []).append(event)
        self.react(session, event)

    def call(self, endpoint: SipEndpoint, plan: OutboundInvite) -> Any:
        cell: list[Any] = []
        session = endpoint.invite(plan, lambda event: self.take(cell[0], event))
        cell.append(session)
        self.events.setdefault(session.call_id, [])
        return session

    def types(self, session: Any) -> list[str]:
        return [type(event).__name__ for event in self.events.get(session.call_id, [])]


class Stage:
    """The network and who is in it."""

    owner = Owner

    def __init__(self, conditions: LinkConditions | None, seed: int) -> None:
        self.network = VirtualNetwork(Random(seed), conditions)
        self.exits = AsyncExitStack()

    async def endpoint(self, address: str = US, *, tcp: bool = True) -> tuple[SipEndpoint, Owner]:
        owner = Owner()
        endpoint = SipEndpoint(
            udp=(address, PORT),
            tcp=(address, PORT) if tcp else None,
            advertised_host=None,
            user_agent="orbit-voice",
            on_invite=owner.on_invite,
            network=self.network.host(address),
        )
        await self.exits.enter_async_context(endpoint)
        return endpoint, owner

    async def peer(self, port: int = PORT, address: str = PEER) -> RawPeer:
        host = self.network.host(address)
        _, peer = await host.create_datagram_endpoint(RawPeer, (address, port))
        return peer

    async def stream(self) -> RawStream:
        stream = RawStream()
        await self.network.host(PEER).connect((US, PORT), lambda: stream)
        return stream

    async def listen(self) -> list[RawStream]:
        streams: list[RawStream] = []

        def accept() -> RawStream:
            streams.append(RawStream())
            return streams[-1]

        await self.network.host(PEER).listen((PEER, PORT), accept)
        return streams


Scenario = Callable[[Stage], Coroutine[Any, Any, None]]


@pytest.fixture
def play() -> Callable[..., float]:
    def run(
        scenario: Scenario, conditions: LinkConditions | None = None, *, seed: int = 7
    ) -> float:
        async def whole() -> float:
            stage = Stage(conditions, seed)
            async with stage.exits:
                await scenario(stage)
            return asyncio.get_running_loop().time()

        return run_virtual(whole())

    return run


class Kit:
    """What scenarios are written with; one fixture instead of imports from a sibling."""

    us, peer, port, offer, answer = US, PEER, PORT, OFFER, ANSWER
    request = staticmethod(request)
    refused = TransportError

    @staticmethod
    def plan(
        target: str = f"sip:peer@{PEER}", *, sdp: bytes | None = OFFER, **fields: Any
    ) -> OutboundInvite:
        return OutboundInvite(
            request_uri=target,
            next_hop=fields.pop("next_hop", None),
            from_uri=f"sip:+4930@{US}",
            from_display=None,
            to_uri=target,
            sdp=sdp,
            **fields,
        )


@pytest.fixture
def kit() -> type[Kit]:
    return Kit
