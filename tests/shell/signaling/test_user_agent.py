"""What an endpoint does with messages of no call."""

from __future__ import annotations

import asyncio

import pytest

from orbit_voice.sip.message import Response


def only(peer) -> Response:
    (response,) = peer.heard
    assert isinstance(response, Response)
    return response


def test_options_are_answered_with_what_we_can_do(play, kit):
    async def scenario(stage):
        await stage.endpoint()
        peer = await stage.peer()
        peer.send(kit.request("OPTIONS"))
        await asyncio.sleep(0.1)
        response = only(peer)
        assert response.status == 200
        assert response.headers.get("Allow") == "INVITE, ACK, CANCEL, BYE, OPTIONS"
        assert response.headers.get("Accept") == "application/sdp"
        assert response.headers.get("Supported") == ""
        assert response.headers.get("Server") == "orbit-voice"
        assert response.to_tag

    play(scenario)


@pytest.mark.parametrize("method", ["BYE", "INVITE", "OPTIONS"])
def test_a_request_of_an_unknown_dialog_gets_481(play, kit, method):
    async def scenario(stage):
        endpoint, owner = await stage.endpoint()
        peer = await stage.peer()
        body = kit.offer if method == "INVITE" else b""
        peer.send(kit.request(method, to_tag="nobody", body=body))
        await asyncio.sleep(0.1)
        assert only(peer).status == 481
        assert owner.sessions == []
        assert endpoint.counts.server_transactions == 0

    play(scenario)


def test_a_bye_without_a_to_tag_gets_481(play, kit):
    async def scenario(stage):
        await stage.endpoint()
        peer = await stage.peer()
        peer.send(kit.request("BYE"))
        await asyncio.sleep(0.1)
        assert only(peer).status == 481

    play(scenario)


def test_a_cancel_of_nothing_gets_481(play, kit):
    async def scenario(stage):
        await stage.endpoint()
        peer = await stage.peer()
        peer.send(kit.request("CANCEL"))
        await asyncio.sleep(0.1)
        assert only(peer).status == 481

    play(scenario)


@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [
        ("REGISTER", "", 405),
        ("SUBSCRIBE", "", 405),
        ("DANCE", "", 501),
        ("INVITE", "Require: 100rel\r\n", 420),
        ("INVITE", "Accept: text/plain\r\n", 406),
    ],
)
def test_what_we_cannot_do_is_refused_with_the_status_for_it(play, kit, method, headers, status):
    async def scenario(stage):
        endpoint, owner = await stage.endpoint()
        peer = await stage.peer()
        peer.send(kit.request(method, headers=headers))
        await asyncio.sleep(0.1)
        assert only(peer).status == status
        assert owner.sessions == []
        assert endpoint.counts.rejected == 1

    play(scenario)


def test_a_request_repeated_gets_the_same_to_tag_though_nothing_is_remembered(play, kit):
    async def scenario(stage):
        endpoint, _ = await stage.endpoint()
        peer = await stage.peer()
        peer.send(kit.request("BYE"))
        peer.send(kit.request("BYE"))
        peer.send(kit.request("BYE", call_id="another"))
        await asyncio.sleep(0.1)
        first, again, other = peer.heard
        assert first == again
        assert first.to_tag != other.to_tag
        assert endpoint.counts.server_transactions == 0

    play(scenario)


def test_a_malformed_request_that_can_be_answered_gets_400(play, kit):
    async def scenario(stage):
        endpoint, _ = await stage.endpoint()
        peer = await stage.peer()
        peer.send(kit.request("OPTIONS").replace(b"Content-Length: 0", b"Content-Length: -1"))
        await asyncio.sleep(0.1)
        response = only(peer)
        assert response.status == 400
        assert "Content-Length" in response.reason
        assert endpoint.counts.malformed == 1

    play(scenario)


def test_a_version_of_the_future_gets_505(play, kit):
    async def scenario(stage):
        await stage.endpoint()
        peer = await stage.peer()
        peer.send(kit.request("OPTIONS").replace(b"us@192.0.2.1 SIP/2.0", b"us@192.0.2.1 SIP/7.0"))
        await asyncio.sleep(0.1)
        assert only(peer).status == 505

    play(scenario)


def test_an_ack_is_never_answered(play, kit):
    async def scenario(stage):
        endpoint, _ = await stage.endpoint()
        peer = await stage.peer()
        peer.send(kit.request("ACK", to_tag="nobody"))
        peer.send(kit.request("ACK").replace(b"rawtag", b"rawtag;tag=twice"))
        peer.send(kit.request("ACK").replace(b"Content-Length: 0", b"Content-Length: x"))
        await asyncio.sleep(0.1)
        assert peer.heard == []
        assert endpoint.counts.stray_acks == 2
        assert endpoint.counts.malformed == 1

    play(scenario)


@pytest.mark.parametrize("status", [100, 200, 487])
def test_a_response_that_nobody_waits_for_is_dropped(play, kit, status):
    async def scenario(stage):
        endpoint, _ = await stage.endpoint()
        peer = await stage.peer()
        response = kit.request("INVITE", to_tag="x").replace(
            b"INVITE sip:us@192.0.2.1 SIP/2.0", b"SIP/2.0 %d What" % status
        )
        peer.send(response)
        await asyncio.sleep(0.1)
        assert peer.heard == []
        assert endpoint.counts.stray_responses == 1

    play(scenario)


def test_junk_and_keep_alives_over_udp_are_counted_and_not_answered(play, kit):
    async def scenario(stage):
        endpoint, _ = await stage.endpoint()
        peer = await stage.peer()
        for datagram in (b"", b"\r\n\r\n", b"\x00" * 8, b"\xff" * 4000, b"GET / HTTP/1.1\r\n\r\n"):
            peer.send(datagram)
        await asyncio.sleep(0.1)
        assert peer.heard == []
        assert (endpoint.counts.junk, endpoint.counts.malformed) == (3, 2)
        peer.send(kit.request("OPTIONS"))
        await asyncio.sleep(0.1)
        assert only(peer).status == 200

    play(scenario)


def test_with_rport_a_response_goes_to_where_the_request_came_from(play, kit):
    async def scenario(stage):
        await stage.endpoint()
        behind_nat = await stage.peer(port=40_000)
        behind_nat.send(kit.request("OPTIONS", via_host="10.0.0.7", via_port=5060))
        await asyncio.sleep(0.1)
        via = only(behind_nat).top_via
        assert (via.received, via.rport) == (kit.peer, 40_000)
        assert via.sent_by == "10.0.0.7:5060"

    play(scenario)


def test_without_rport_a_response_goes_to_the_port_in_via_at_the_source_address(play, kit):
    async def scenario(stage):
        await stage.endpoint()
        sender = await stage.peer(port=40_000)
        listener = await stage.peer(port=5070)
        sender.send(
            kit.request("OPTIONS", rport=False, via_host="client.example.com", via_port=5070)
        )
        await asyncio.sleep(0.1)
        assert sender.heard == []
        via = only(listener).top_via
        assert (via.received, via.rport) == (kit.peer, None)

    play(scenario)


def test_without_a_port_in_via_a_response_goes_to_5060(play, kit):
    async def scenario(stage):
        await stage.endpoint()
        sender = await stage.peer(port=40_000)
        listener = await stage.peer(port=5060)
        sender.send(kit.request("OPTIONS", rport=False, via_port=None))
        await asyncio.sleep(0.1)
        assert sender.heard == []
        assert only(listener).top_via.received is None

    play(scenario)


def test_the_other_vias_come_back_as_they_were(play, kit):
    async def scenario(stage):
        await stage.endpoint()
        peer = await stage.peer()
        more = ', SIP/2.0/TCP a.example.com;branch=z9hG4bK2;x="a,b"'
        below = "Via: SIP/2.0/UDP b.example.com;branch=z9hG4bK3\r\n"
        data = kit.request("OPTIONS", via_host="10.0.0.7", headers=below)
        peer.send(data.replace(b";rport\r\n", f";rport{more}\r\n".encode()))
        await asyncio.sleep(0.1)
        vias = only(peer).vias
        assert [via.host for via in vias] == ["10.0.0.7", "a.example.com", "b.example.com"]
        assert vias[0].received == kit.peer
        assert vias[1].params["x"] == "a,b"

    play(scenario)


def test_a_value_the_sender_put_into_received_is_replaced(play, kit):
    async def scenario(stage):
        await stage.endpoint()
        peer = await stage.peer()
        forged = kit.request("OPTIONS").replace(b";rport", b";rport=1;received=198.51.100.9")
        peer.send(forged)
        await asyncio.sleep(0.1)
        via = only(peer).top_via
        assert (via.received, via.rport) == (kit.peer, 5060)

    play(scenario)


def test_over_tcp_a_ping_gets_a_pong_and_options_an_answer_on_the_same_connection(play, kit):
    async def scenario(stage):
        await stage.endpoint()
        stream = await stage.stream()
        stream.transport.write(b"\r\n\r\n")
        await asyncio.sleep(0.1)
        assert stream.raw == b"\r\n"
        stream.transport.write(kit.request("OPTIONS", transport="TCP"))
        await asyncio.sleep(0.1)
        assert [each.status for each in stream.heard if isinstance(each, Response)] == [200]
        assert not stream.closed

    play(scenario)


def test_over_tcp_a_message_without_a_length_is_answered_and_ends_the_connection(play, kit):
    async def scenario(stage):
        await stage.endpoint()
        stream = await stage.stream()
        data = kit.request("OPTIONS", transport="TCP")
        stream.transport.write(data.replace(b"Content-Length: 0\r\n", b"Content-Length: many\r\n"))
        await asyncio.sleep(0.1)
        assert [each.status for each in stream.heard if isinstance(each, Response)] == [400]
        assert stream.closed

    play(scenario)
