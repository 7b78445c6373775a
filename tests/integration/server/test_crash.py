"""A server that is killed (SIGKILL) in every state of a call, and started again."""

from __future__ import annotations

import asyncio

import pytest

from orbit_voice.sdp.offer_answer import AudioNegotiation
from orbit_voice.sip.message import Headers, Response
from orbit_voice.sip.parser import parse_message
from orbit_voice.testing.behaviours import Answer, Ignore, Ring
from orbit_voice.testing.server_process import ServerProcess, ServerStartError

FIRST = "+14155551001"
NEXT = "+14155551002"
BEHAVIOURS = {"initiating": Ignore(), "ringing": Ring(), "in_progress": Answer()}


async def restart(it):
    await it.server.kill()
    await it.server.start()


async def check_lost(it, call):
    """Exactly one end, told once, and nothing dialled again."""
    ended = await it.ended(call)
    assert ended["status"] == "failed"
    assert (ended["hangup"]["by"], ended["hangup"]["cause"]) == ("system", "node_lost")
    (event,) = await it.terminal_events(call)
    assert event["type"] == "call.failed"
    return ended


async def check_new_calls_work(it):
    call = await it.call(NEXT)
    await it.reaches(call, "in_progress")
    await it.ask("POST", f"/v1/voice/calls/{call['id']}/hangup")
    assert (await it.ended(call))["status"] == "completed"


async def check_orphan_gets_481(it, leg):
    leg.hangup()
    await it.until(lambda: any("481" in entry.summary for entry in leg.trace.entries()))


@pytest.mark.parametrize("state", list(BEHAVIOURS))
def test_an_outbound_call_of_a_killed_server_ends_once_and_is_not_dialled_again(
    run, open_world, state
):
    async def scenario():
        async with open_world({FIRST: BEHAVIOURS[state], NEXT: Answer()}) as it:
            call = await it.call(FIRST)
            await it.reaches(call, state)
            await it.until(lambda: bool(it.carrier.ledger.calls(FIRST)))
            await restart(it)
            await check_lost(it, call)
            await it.told_once(call)
            await check_new_calls_work(it)
            assert it.carrier.ledger.times_dialled(FIRST) == 1

    run(scenario())


def test_a_recording_cut_off_by_a_crash_says_so_and_its_dialog_is_gone(run, open_world):
    async def scenario():
        async with open_world({FIRST: Answer(), NEXT: Answer()}) as it:
            call = await it.call(FIRST, record=True)
            leg = await it.carrier.next_leg()
            await it.reaches(call, "in_progress")
            await it.ask("POST", f"/v1/voice/calls/{call['id']}/say", text="Still here.")
            await leg.lasts(0.3)
            await restart(it)
            ended = await check_lost(it, call)
            assert ended["recording"]["status"] == "failed"
            assert ended["recording_url"] is None
            await check_orphan_gets_481(it, leg)
            await it.told_once(call)
            assert it.carrier.ledger.times_dialled(FIRST) == 1
            await check_new_calls_work(it)

    run(scenario())


class DeafCallee(asyncio.DatagramProtocol):
    """Answers an INVITE, and no BYE."""

    def __init__(self):
        self.byes = 0

    def connection_made(self, transport):
        self._transport = transport

    @property
    def uri(self):
        return "sip:{}:{}".format(*self._transport.get_extra_info("sockname"))

    def datagram_received(self, data, source):
        request = parse_message(data)
        if request.method == "BYE":
            self.byes += 1
        elif request.method == "INVITE":
            self._transport.sendto(self._answer(request).serialize(), source)

    def _answer(self, invite):
        negotiation = AudioNegotiation(
            local_address="127.0.0.1", local_rtp_port=9, codecs=("PCMU",), session_id=7
        )
        negotiation.receive_offer(invite.body)
        headers = Headers()
        for name in ("Via", "From", "Call-ID", "CSeq"):
            headers.add(name, invite.headers.get(name))
        headers.add("To", f"{invite.headers.get('To')};tag=deaf")
        headers.add("Contact", f"<{self.uri}>")
        headers.add("Content-Type", "application/sdp")
        return Response(200, "OK", headers, negotiation.make_answer()[0])


def test_a_call_whose_bye_was_not_answered_when_the_server_was_killed_keeps_its_end(
    run, open_world
):
    async def scenario():
        async with open_world({NEXT: Answer()}) as it:
            loop = asyncio.get_running_loop()
            transport, callee = await loop.create_datagram_endpoint(
                DeafCallee, local_addr=("127.0.0.1", 0)
            )
            deaf = {"name": "deaf", "outbound_uri": callee.uri, "encryption": "none"}
            trunk = await it.ask("POST", "/v1/voice/sip-trunks", **deaf)
            call = await it.call(FIRST, trunk_id=trunk["id"])
            await it.reaches(call, "in_progress")
            await it.ask("POST", f"/v1/voice/calls/{call['id']}/hangup")
            await it.until(lambda: callee.byes > 0)
            await restart(it)
            ended = await it.ended(call)
            assert (ended["status"], ended["hangup"]["by"]) == ("completed", "api")
            await it.told_once(call)
            await check_new_calls_work(it)
            transport.close()

    run(scenario())


@pytest.mark.parametrize(("routing", "state"), [("manual", "ringing"), ("answer", "in_progress")])
def test_an_inbound_call_of_a_killed_server_ends_once(run, open_world, routing, state):
    async def scenario():
        async with open_world({NEXT: Answer()}, routing=routing) as it:
            leg, call = await it.call_in()
            await it.reaches(call, state)
            if state == "in_progress":
                await leg.answered()
            await restart(it)
            await check_lost(it, call)
            await check_orphan_gets_481(it, leg)
            await check_new_calls_work(it)
            assert it.carrier.ledger.times_dialled() == 1

    run(scenario())


def test_a_server_killed_twice_in_a_row_ends_the_call_once(run, open_world):
    async def scenario():
        async with open_world({FIRST: Ring(), NEXT: Answer()}) as it:
            call = await it.call(FIRST)
            await it.reaches(call, "ringing")
            await restart(it)
            await restart(it)
            await check_lost(it, call)
            await it.told_once(call)
            await check_new_calls_work(it)
            assert it.carrier.ledger.times_dialled(FIRST) == 1

    run(scenario())


def test_a_server_killed_before_it_told_of_an_end_tells_it_after_the_restart(run, open_world):
    async def scenario():
        async with open_world({FIRST: Answer()}) as it:
            call = await it.call(FIRST)
            await it.reaches(call, "in_progress")
            await it.webhooks.arrived("call.answered")
            it.webhooks.status = 503
            await it.ask("POST", f"/v1/voice/calls/{call['id']}/hangup")
            await it.server.kill()
            it.webhooks.deliveries.clear()
            it.webhooks.status = 200
            await it.server.start()
            assert (await it.ended(call))["status"] == "completed"
            await it.told_once(call)

    run(scenario())


def test_a_second_server_on_the_same_data_directory_says_why_it_does_not_start(run, open_world):
    async def scenario():
        async with open_world() as it:
            second = ServerProcess(it.server.data_dir)
            with pytest.raises(ServerStartError, match=r"another server uses .*ORBIT_DATA_DIR"):
                await second.start()
            assert (await it.http.get("/readyz")).status_code == 200

    run(scenario())
