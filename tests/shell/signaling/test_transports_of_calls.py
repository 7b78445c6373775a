"""Which way the messages of a call go: size, TCP, lost connections, and stated maxima."""

from __future__ import annotations

import asyncio

import pytest

from orbit_voice.signaling import user_agent
from orbit_voice.signaling.endpoint import SipEndpoint
from orbit_voice.signaling.events import Answered, Failed
from orbit_voice.sip.message import Request, Response
from orbit_voice.testing.network import LinkConditions

LONG = (("X-Padding", "x" * 1300),)


def test_a_large_request_goes_over_tcp(play, kit):
    async def scenario(stage):
        caller, us = await stage.endpoint()
        peer = await stage.peer()
        streams = await stage.listen()
        session = us.call(caller, kit.plan(headers=LONG))
        await asyncio.sleep(0.1)
        assert peer.heard == []
        (stream,) = streams
        (invite,) = stream.heard
        assert invite.top_via.transport == "TCP"
        stream.reply(invite, 200, sdp=kit.answer)
        await asyncio.sleep(0.1)
        assert us.events[session.call_id] == [Answered(kit.answer)]
        assert [each.method for each in stream.heard] == ["INVITE", "ACK"]

    play(scenario)


def test_a_large_request_goes_by_udp_when_tcp_is_refused(play, kit):
    async def scenario(stage):
        caller, us = await stage.endpoint()
        peer = await stage.peer()
        us.call(caller, kit.plan(headers=LONG))
        await asyncio.sleep(0.1)
        (invite,) = peer.requests("INVITE")
        assert invite.top_via.transport == "UDP"
        assert len(invite.vias) == 1
        peer.reply(invite, 486)
        await asyncio.sleep(0.1)
        streams = await stage.listen()
        us.call(caller, kit.plan(headers=LONG))
        await asyncio.sleep(0.1)
        assert len(peer.requests("INVITE")) == 2
        peer.reply(peer.requests("INVITE")[1], 486)
        await asyncio.sleep(301)
        us.call(caller, kit.plan(headers=LONG))
        await asyncio.sleep(0.1)
        assert len(peer.requests("INVITE")) == 2
        assert len(streams) == 1

    play(scenario)


def test_a_request_of_1300_bytes_goes_by_udp(play, kit):
    async def scenario(stage):
        caller, us = await stage.endpoint()
        peer = await stage.peer()
        streams = await stage.listen()
        us.call(caller, kit.plan())
        await asyncio.sleep(0.1)
        room = 1300 - len(peer.data[0]) - len("X-Padding: \r\n")
        us.call(caller, kit.plan(headers=(("X-Padding", "x" * room),)))
        await asyncio.sleep(0.1)
        assert len(peer.data[1]) == 1300
        us.call(caller, kit.plan(headers=(("X-Padding", "x" * (room + 1)),)))
        await asyncio.sleep(0.1)
        assert len(peer.data) == 2
        assert len(streams) == 1

    play(scenario)


def test_a_connection_lost_before_any_response_fails_the_call(play, kit):
    async def scenario(stage):
        caller, us = await stage.endpoint()
        streams = await stage.listen()
        session = us.call(caller, kit.plan(transport="tcp"))
        await asyncio.sleep(0.1)
        streams[0].transport.abort()
        await asyncio.sleep(0.1)
        (event,) = us.events[session.call_id]
        assert isinstance(event, Failed)
        assert "lost" in event.detail
        assert caller.counts.sessions == 0

    play(scenario)


def test_a_connection_lost_while_it_rings_is_made_anew_for_the_cancel(play, kit):
    async def scenario(stage):
        caller, us = await stage.endpoint()
        streams = await stage.listen()
        session = us.call(caller, kit.plan(transport="tcp"))
        await asyncio.sleep(0.1)
        streams[0].reply(streams[0].heard[0], 180)
        await asyncio.sleep(0.1)
        streams[0].transport.abort()
        await asyncio.sleep(0.1)
        assert us.types(session) == ["Ringing"]
        session.hangup()
        await asyncio.sleep(0.1)
        assert [each.method for each in streams[1].heard] == ["CANCEL"]

    play(scenario)


def test_a_response_goes_to_the_address_in_via_when_the_connection_is_lost(play, kit):
    async def scenario(stage):
        _, owner = await stage.endpoint()
        streams = await stage.listen()
        stream = await stage.stream()
        stream.transport.write(kit.request("INVITE", transport="TCP", body=kit.offer))
        await asyncio.sleep(0.1)
        stream.transport.abort()
        await asyncio.sleep(0.05)
        owner.sessions[0].reject(486)
        await asyncio.sleep(0.1)
        (response,) = streams[0].heard
        assert isinstance(response, Response)
        assert response.status == 486

    play(scenario)


def test_a_call_over_tcp_repeats_nothing(play, kit):
    async def scenario(stage):
        caller, us = await stage.endpoint()
        streams = await stage.listen()
        session = us.call(caller, kit.plan(transport="tcp"))
        await asyncio.sleep(30)
        assert len(streams[0].heard) == 1
        await asyncio.sleep(3)
        assert us.types(session) == ["Failed"]

    play(scenario)


def test_a_session_keeps_its_connection_from_being_closed_as_idle(play, kit):
    async def scenario(stage):
        caller, us = await stage.endpoint()
        streams = await stage.listen()
        session = us.call(caller, kit.plan(transport="tcp"))
        await asyncio.sleep(0.1)
        stream = streams[0]

        def confirm(message):
            if isinstance(message, Request) and message.method == "BYE":
                stream.reply(message, 200)

        stream.react = confirm
        stream.reply(stream.heard[0], 200, sdp=kit.answer)
        await asyncio.sleep(2000)
        assert not stream.closed
        session.hangup()
        await asyncio.sleep(2000)
        assert stream.closed
        assert caller.counts.sessions == 0

    play(scenario)


def test_past_the_most_sessions_invites_get_503_and_calls_fail(play, kit, monkeypatch):
    monkeypatch.setattr(user_agent, "MAX_SESSIONS", 2)

    async def scenario(stage):
        endpoint, owner = await stage.endpoint()
        peer = await stage.peer()
        owner.greet = lambda session: session.ring()
        for number in range(3):
            name = f"raw-{number}"
            peer.send(kit.request("INVITE", call_id=name, branch=f"z9hG4bK{name}", body=kit.offer))
        await asyncio.sleep(0.1)
        assert peer.statuses == [180, 180, 503]
        assert peer.heard[-1].retry_after.seconds == 10
        session = owner.call(endpoint, kit.plan())
        assert owner.types(session) == []
        await asyncio.sleep(0.1)
        assert owner.types(session) == ["Failed"]
        assert "INVITE" not in peer.methods
        assert endpoint.counts.overloaded == 1
        owner.sessions[0].reject(486)
        await asyncio.sleep(0.1)
        again = owner.call(endpoint, kit.plan())
        await asyncio.sleep(0.1)
        assert owner.types(again) == []
        assert "INVITE" in peer.methods

    play(scenario)


def test_past_the_most_transactions_requests_get_503(play, kit, monkeypatch):
    monkeypatch.setattr(user_agent, "MAX_SERVER_TRANSACTIONS", 1)

    async def scenario(stage):
        endpoint, owner = await stage.endpoint()
        owner.greet = lambda session: session.answer(kit.answer)
        peer = await stage.peer()
        peer.send(kit.request("INVITE", body=kit.offer))
        await asyncio.sleep(0.1)
        tag = peer.heard[0].to_tag
        peer.send(kit.request("BYE", number=2, to_tag=tag, branch="z9hG4bKbye"))
        peer.send(kit.request("INVITE", call_id="raw-2", branch="z9hG4bKx", body=kit.offer))
        await asyncio.sleep(0.1)
        assert peer.statuses == [200, 503, 503]
        assert endpoint.counts.overloaded == 2

    play(scenario)


@pytest.mark.parametrize("branch", ["oldstyle", None])
def test_a_peer_of_rfc_2543_can_call_and_cancel(play, kit, branch):
    def old(method):
        data = kit.request(method, branch=branch or "x", rport=False, from_tag="2543")
        return data if branch else data.replace(b";branch=x", b"")

    async def scenario(stage):
        _, owner = await stage.endpoint()
        peer = await stage.peer()
        owner.greet = lambda session: session.ring()
        peer.send(old("INVITE"))
        await asyncio.sleep(0.1)
        peer.send(old("INVITE"))
        await asyncio.sleep(0.1)
        peer.send(old("CANCEL"))
        await asyncio.sleep(0.1)
        assert peer.statuses == [180, 180, 200, 487]
        assert len(owner.sessions) == 1

    play(scenario)


def test_a_large_request_waits_two_seconds_for_a_firewall_that_drops_tcp_silently(play, kit):
    async def scenario(stage):
        caller, us = await stage.endpoint()
        peer = await stage.peer()
        stage.network.set_conditions(kit.us, kit.peer, LinkConditions(loss=1.0))
        us.call(caller, kit.plan(headers=LONG))
        await asyncio.sleep(0.1)
        stage.network.set_conditions(kit.us, kit.peer, LinkConditions())
        await asyncio.sleep(1.8)
        assert peer.heard == []
        await asyncio.sleep(0.2)
        assert [invite.top_via.transport for invite in peer.requests("INVITE")] == ["UDP"]

    play(scenario)


def test_an_endpoint_without_udp_cannot_call_over_udp(play, kit):
    async def scenario(stage):
        owner = stage.owner()
        endpoint = SipEndpoint(
            udp=None,
            tcp=(kit.us, kit.port),
            advertised_host="voice.example.com",
            user_agent="orbit-voice",
            on_invite=owner.on_invite,
            network=stage.network.host(kit.us),
        )
        await stage.exits.enter_async_context(endpoint)
        streams = await stage.listen()
        session = owner.call(endpoint, kit.plan())
        await asyncio.sleep(0.1)
        (event,) = owner.events[session.call_id]
        assert "no UDP port" in event.detail
        owner.call(endpoint, kit.plan(transport="tcp"))
        await asyncio.sleep(0.1)
        (invite,) = streams[0].heard
        assert invite.top_via.sent_by == "voice.example.com:5060"
        assert invite.contacts[0].uri.host == "voice.example.com"
        assert invite.contacts[0].uri.transport == "tcp"

    play(scenario)


def test_a_response_over_a_connection_that_cannot_be_made_again_is_counted(play, kit):
    async def scenario(stage):
        endpoint, owner = await stage.endpoint()
        stream = await stage.stream()
        stream.transport.write(kit.request("INVITE", transport="TCP", body=kit.offer))
        await asyncio.sleep(0.1)
        stream.transport.abort()
        await asyncio.sleep(0.01)
        owner.sessions[0].reject(486)
        await asyncio.sleep(0.1)
        assert endpoint.counts.unsent_replies == 1

    play(scenario)


@pytest.mark.parametrize("target", ["sip:x@198.51.100.1", "sip:x@carrier.example.com"])
def test_without_a_route_a_call_fails_with_an_event_and_not_inside_invite(
    play, kit, target, monkeypatch
):
    async def scenario(stage):
        stage.network.name("carrier.example.com", "198.51.100.1")
        host = stage.network.host(kit.us)
        owner = stage.owner()

        def no_route(remote_host):
            if remote_host != "127.0.0.1":
                raise kit.refused(f"there is no route to {remote_host}")
            return remote_host

        monkeypatch.setattr(host, "source_address", no_route)
        endpoint = SipEndpoint(
            udp=("0.0.0.0", kit.port),
            tcp=None,
            advertised_host=None,
            user_agent="orbit-voice",
            on_invite=owner.on_invite,
            network=host,
        )
        await stage.exits.enter_async_context(endpoint)
        session = owner.call(endpoint, kit.plan(target))
        assert owner.types(session) == []
        await asyncio.sleep(0.1)
        (event,) = owner.events[session.call_id]
        assert "no route" in event.detail
        assert endpoint.counts.sessions == 0

    play(scenario)


def test_an_endpoint_that_could_hear_nothing_is_refused():
    with pytest.raises(ValueError, match="UDP, TCP or both"):
        SipEndpoint(
            udp=None, tcp=None, advertised_host=None, user_agent="x", on_invite=lambda session: None
        )
