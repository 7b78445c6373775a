"""Calls between two endpoints over real sockets on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvloop

from orbit_voice.kit.errors import TransportError
from orbit_voice.signaling.endpoint import InboundSession, OutboundInvite, SipEndpoint
from orbit_voice.signaling.events import (
    Acknowledged,
    Answered,
    Cancelled,
    Ended,
    Failed,
    FailureKind,
    Ringing,
    SessionEvent,
)

LOOPBACK = "127.0.0.1"
SDP = (
    b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    b"m=audio 40000 RTP/AVP 0\r\n"
)
PATIENCE_S = 5.0
LOOPS = [asyncio.new_event_loop, uvloop.new_event_loop]


class Party:
    """One side: an endpoint, its sessions, and an event queue of each."""

    def __init__(self) -> None:
        self.sessions: asyncio.Queue[InboundSession] = asyncio.Queue()
        self.events: asyncio.Queue[SessionEvent] = asyncio.Queue()
        self.endpoint: Any = None

    def on_invite(self, session: InboundSession) -> None:
        session.set_handler(self.events.put_nowait)
        self.sessions.put_nowait(session)

    async def expect(self, event: type[SessionEvent]) -> Any:
        async with asyncio.timeout(PATIENCE_S):
            happened = await self.events.get()
        assert isinstance(happened, event)
        return happened

    async def invited(self) -> InboundSession:
        async with asyncio.timeout(PATIENCE_S):
            return await self.sessions.get()

    def call(self, uri: str, transport: str, **fields: Any) -> Any:
        plan = OutboundInvite(
            request_uri=uri,
            next_hop=None,
            from_uri="sip:us@127.0.0.1",
            from_display="Us",
            to_uri=uri,
            sdp=SDP,
            transport=transport,
            **fields,
        )
        return self.endpoint.invite(plan, self.events.put_nowait)


@asynccontextmanager
async def party(host: str = LOOPBACK) -> AsyncIterator[Party]:
    it = Party()
    async with SipEndpoint(
        udp=(host, 0),
        tcp=(host, 0),
        advertised_host=None,
        user_agent="orbit-voice",
        on_invite=it.on_invite,
    ) as it.endpoint:
        yield it


async def traced(session: Any, messages: int) -> None:
    """Wait for the last messages of a call: one is over before its BYE is answered."""
    async with asyncio.timeout(PATIENCE_S):
        while len(session.trace) < messages:  # noqa: ASYNC110 - a trace tells nobody
            await asyncio.sleep(0.005)
    assert len(session.trace) == messages


def uri_of(party: Party, transport: str) -> str:
    endpoint = party.endpoint
    host, port = endpoint.udp_address if transport == "udp" else endpoint.tcp_address
    return f"sip:them@{f'[{host}]' if ':' in host else host}:{port}"


def run(scenario: Any, loop: Callable[[], Any] = asyncio.new_event_loop) -> None:
    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(scenario)


@pytest.mark.parametrize("loop", LOOPS, ids=["asyncio", "uvloop"])
@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_call_is_set_up_and_ended(transport, host, loop):
    async def scenario() -> None:
        async with party(host) as caller, party(host) as callee:
            session = caller.call(uri_of(callee, transport), transport)
            inbound = await callee.invited()
            assert inbound.transport == transport
            assert inbound.source[0] == host
            inbound.ring()
            await caller.expect(Ringing)
            inbound.answer(SDP)
            assert (await caller.expect(Answered)).sdp == SDP
            await callee.expect(Acknowledged)
            session.hangup(reason="done")
            assert (await callee.expect(Ended)).reason == "done"
            await caller.expect(Ended)
            await traced(session, 6)
            assert {entry.transport for entry in session.trace.entries()} == {transport}
            for side in (caller, callee):
                assert side.endpoint.counts.sessions == 0
                assert side.endpoint.counts.broken == 0

    run(scenario(), loop)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_the_callee_can_end_the_call(transport):
    async def scenario() -> None:
        async with party() as caller, party() as callee:
            caller.call(uri_of(callee, transport), transport)
            inbound = await callee.invited()
            inbound.answer(SDP)
            await caller.expect(Answered)
            await callee.expect(Acknowledged)
            inbound.hangup()
            assert (await caller.expect(Ended)).remote
            await callee.expect(Ended)

    run(scenario())


def test_a_call_is_cancelled():
    async def scenario() -> None:
        async with party() as caller, party() as callee:
            session = caller.call(uri_of(callee, "udp"), "udp")
            (await callee.invited()).ring()
            await caller.expect(Ringing)
            session.hangup()
            await callee.expect(Cancelled)
            event = await asyncio.wait_for(caller.events.get(), PATIENCE_S)
            assert event.status == 487

    run(scenario())


def test_a_port_where_nobody_listens_fails_the_call_at_once():
    async def scenario() -> None:
        async with party() as caller:
            async with party() as gone:
                uri = uri_of(gone, "udp")
            caller.call(uri, "udp")
            event = await caller.expect(Failed)
            assert event.kind is FailureKind.TRANSPORT
            caller.call(uri, "tcp")
            assert (await caller.expect(Failed)).kind is FailureKind.TRANSPORT

    run(scenario())


def test_an_invite_too_large_for_a_datagram_goes_over_tcp_where_the_ports_are_the_same():
    async def scenario() -> None:
        padding = (("X-Padding", "x" * 2000),)
        callee = Party()
        endpoint = SipEndpoint(
            udp=("127.46.1.1", 5060),
            tcp=("127.46.1.1", 5060),
            advertised_host=None,
            user_agent="orbit-voice",
            on_invite=callee.on_invite,
        )
        async with party() as caller, endpoint as callee.endpoint:
            caller.call("sip:them@127.46.1.1", "udp", headers=padding)
            assert (await callee.invited()).transport == "tcp"

    run(scenario())


def test_an_address_in_use_cannot_be_bound_and_leaves_nothing_open():
    async def scenario() -> None:
        async with party() as first:
            taken = first.endpoint.tcp_address
            second = SipEndpoint(
                udp=(LOOPBACK, 0),
                tcp=taken,
                advertised_host=None,
                user_agent="x",
                on_invite=lambda session: None,
            )
            with pytest.raises(TransportError, match="cannot bind"):
                await second.__aenter__()

    run(scenario())


def test_an_endpoint_without_udp_or_tcp_says_so():
    async def scenario() -> None:
        async with SipEndpoint(
            udp=None,
            tcp=(LOOPBACK, 0),
            advertised_host=None,
            user_agent="x",
            on_invite=lambda session: None,
        ) as endpoint:
            with pytest.raises(TransportError):
                _ = endpoint.udp_address
            assert endpoint.tcp_address[1] > 0

    run(scenario())
