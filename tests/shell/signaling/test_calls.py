"""Whole calls between two endpoints, and between an endpoint and a raw peer, in virtual time."""

from __future__ import annotations

import asyncio
import gc
import weakref

import pytest

from orbit_voice.signaling.events import (
    Acknowledged,
    Answered,
    Cancelled,
    Ended,
    Failed,
    FailureKind,
    Offered,
    Rejected,
    Ringing,
)
from orbit_voice.sip.message import Request, Response
from orbit_voice.testing.network import LinkConditions

DELAY = LinkConditions(delay_s=0.02)


async def pair(stage, kit):
    us = await stage.endpoint(kit.us)
    them = await stage.endpoint(kit.peer)
    return us, them


def answering(kit, owner, *, ring: bool = True):
    def greet(session):
        if ring:
            session.ring()
        session.answer(kit.answer)

    owner.greet = greet


@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize("caller_ends", [True, False])
def test_a_call_is_made_answered_and_ended_by_either_side(play, kit, transport, caller_ends):
    async def scenario(stage):
        (caller, us), (callee, them) = await pair(stage, kit)
        answering(kit, them)
        session = us.call(caller, kit.plan(transport=transport))
        await asyncio.sleep(1)
        (inbound,) = them.sessions
        assert inbound.transport == transport
        assert inbound.call_id == session.call_id
        assert us.events[session.call_id] == [
            Ringing(180, "Ringing", None),
            Answered(kit.answer),
        ]
        assert them.events[session.call_id] == [Acknowledged(None)]
        (session if caller_ends else inbound).hangup(reason="enough")
        await asyncio.sleep(1)
        assert us.events[session.call_id][-1].remote is not caller_ends
        assert them.events[session.call_id][-1].remote is caller_ends
        far = them if caller_ends else us
        assert far.events[session.call_id][-1].reason == "enough"
        assert (caller.counts.sessions, callee.counts.sessions) == (0, 0)
        await asyncio.sleep(40)
        for endpoint in (caller, callee):
            assert endpoint.counts.client_transactions == 0
            assert endpoint.counts.server_transactions == 0
            assert endpoint.counts.broken == 0

    play(scenario, DELAY)


def test_the_trace_of_a_call_holds_every_message_of_it(play, kit):
    async def scenario(stage):
        (caller, us), (_, them) = await pair(stage, kit)
        answering(kit, them)
        session = us.call(caller, kit.plan())
        await asyncio.sleep(1)
        session.hangup()
        await asyncio.sleep(1)
        summaries = [entry.summary for entry in session.trace.entries()]
        assert [summary.split(" ")[0] for summary in summaries] == [
            "INVITE",
            "SIP/2.0",
            "SIP/2.0",
            "ACK",
            "BYE",
            "SIP/2.0",
        ]
        mirrored = [(not entry.sent, entry.summary) for entry in session.trace.entries()]
        inbound = them.sessions[0].trace.entries()
        assert [(entry.sent, entry.summary) for entry in inbound] == mirrored

    play(scenario, DELAY)


@pytest.mark.parametrize("status", [404, 486, 603])
def test_a_refusal_reaches_the_caller_with_its_headers(play, kit, status):
    async def scenario(stage):
        (caller, us), (callee, them) = await pair(stage, kit)
        them.greet = lambda session: session.reject(status, "No", (("Retry-After", "9"),))
        session = us.call(caller, kit.plan())
        await asyncio.sleep(1)
        (event,) = us.events[session.call_id]
        assert isinstance(event, Rejected)
        assert (event.status, event.reason) == (status, "No")
        assert ("Retry-After", "9") in event.headers
        assert (caller.counts.sessions, callee.counts.sessions) == (0, 0)

    play(scenario, DELAY)


@pytest.mark.parametrize("seed", range(12))
def test_a_call_survives_loss_of_30_percent_and_duplication(play, kit, seed):
    conditions = LinkConditions(loss=0.3, duplicate=0.2, delay_s=0.02, jitter_s=0.03, reorder=0.1)

    async def scenario(stage):
        (caller, us), (callee, them) = await pair(stage, kit)
        them.greet = lambda session: session.ring()
        session = us.call(caller, kit.plan())
        await asyncio.sleep(20)
        (inbound,) = them.sessions
        inbound.answer(kit.answer)
        await asyncio.sleep(31)
        assert Answered(kit.answer) in us.events[session.call_id]
        assert Acknowledged(None) in them.events[session.call_id]
        session.hangup()
        await asyncio.sleep(40)
        assert isinstance(us.events[session.call_id][-1], Ended)
        assert them.events[session.call_id][-1] == Ended(True, None, None)
        for owner in (us, them):
            ends = [each for each in owner.types(session) if each == "Ended"]
            assert ends == ["Ended"]
        await asyncio.sleep(70)
        for endpoint in (caller, callee):
            counts = endpoint.counts
            assert counts.sessions == counts.server_transactions == 0
            assert counts.client_transactions == counts.broken == 0

    play(scenario, conditions, seed=seed)


def test_hanging_up_while_it_rings_cancels(play, kit):
    async def scenario(stage):
        (caller, us), (callee, them) = await pair(stage, kit)
        them.greet = lambda session: session.ring()
        session = us.call(caller, kit.plan())
        await asyncio.sleep(1)
        session.hangup(reason="changed my mind")
        session.hangup()
        await asyncio.sleep(1)
        assert us.types(session) == ["Ringing", "Rejected"]
        assert us.events[session.call_id][-1].status == 487
        assert them.events[session.call_id] == [Cancelled("changed my mind")]
        assert (caller.counts.sessions, callee.counts.sessions) == (0, 0)

    play(scenario, DELAY)


def test_a_cancel_waits_for_the_first_provisional_response(play, kit):
    async def scenario(stage):
        caller, us = await stage.endpoint()
        peer = await stage.peer()
        session = us.call(caller, kit.plan())
        session.hangup()
        await asyncio.sleep(0.3)
        assert peer.methods == ["INVITE"]
        peer.reply(peer.requests("INVITE")[0], 180)
        await asyncio.sleep(0.1)
        cancel = peer.requests("CANCEL")[0]
        invite = peer.requests("INVITE")[0]
        assert cancel.top_via == invite.top_via
        peer.reply(cancel, 200)
        peer.reply(invite, 487)
        await asyncio.sleep(0.1)
        assert peer.methods[-1] == "ACK"
        assert us.events[session.call_id][-1].status == 487
        assert caller.counts.sessions == 0

    play(scenario)


def test_a_200_that_crosses_our_cancel_is_acknowledged_and_ended(play, kit):
    async def scenario(stage):
        caller, us = await stage.endpoint()
        peer = await stage.peer()
        session = us.call(caller, kit.plan())
        await asyncio.sleep(0.1)
        invite = peer.requests("INVITE")[0]
        peer.reply(invite, 180)
        await asyncio.sleep(0.1)
        session.hangup()
        await asyncio.sleep(0.1)
        peer.reply(peer.requests("CANCEL")[0], 200)
        peer.reply(invite, 200, sdp=kit.answer)
        await asyncio.sleep(0.1)
        assert peer.methods[-2:] == ["ACK", "BYE"]
        peer.reply(peer.requests("BYE")[0], 200)
        await asyncio.sleep(0.1)
        assert "Answered" not in us.types(session)
        assert len([e for e in us.types(session) if e != "Ringing"]) == 1
        assert caller.counts.sessions == 0

    play(scenario)


def test_a_cancel_after_our_200_changes_nothing(play, kit):
    async def scenario(stage):
        _, owner = await stage.endpoint()
        answering(kit, owner, ring=False)
        peer = await stage.peer()
        invite = kit.request("INVITE", body=kit.offer)
        peer.send(invite)
        await asyncio.sleep(0.1)
        peer.send(kit.request("CANCEL"))
        await asyncio.sleep(0.1)
        assert peer.statuses == [200, 200]
        assert [response.cseq.method for response in peer.heard] == ["INVITE", "CANCEL"]
        tag = peer.heard[0].to_tag
        peer.send(kit.request("ACK", to_tag=tag, branch="z9hG4bKack"))
        await asyncio.sleep(0.1)
        assert owner.events["raw-1"] == [Acknowledged(None)]

    play(scenario)


def test_a_cancel_before_our_answer_gets_487_to_its_invite(play, kit):
    async def scenario(stage):
        endpoint, owner = await stage.endpoint()
        peer = await stage.peer()
        peer.send(kit.request("INVITE", body=kit.offer))
        await asyncio.sleep(0.3)
        peer.send(kit.request("CANCEL"))
        await asyncio.sleep(0.1)
        assert peer.statuses == [100, 200, 487]
        assert owner.events["raw-1"] == [Cancelled(None)]
        tag = peer.heard[-1].to_tag
        peer.send(kit.request("ACK", to_tag=tag))
        heard = len(peer.heard)
        await asyncio.sleep(40)
        assert len(peer.heard) == heard
        assert endpoint.counts.server_transactions == 0

    play(scenario)


def test_a_487_is_repeated_until_its_ack_comes(play, kit):
    async def scenario(stage):
        _, owner = await stage.endpoint()
        owner.greet = lambda session: session.reject(486)
        peer = await stage.peer()
        peer.send(kit.request("INVITE", body=kit.offer))
        await asyncio.sleep(3)
        assert peer.statuses == [486, 486, 486]
        peer.send(kit.request("ACK", to_tag=peer.heard[-1].to_tag))
        await asyncio.sleep(10)
        assert peer.statuses == [486, 486, 486]

    play(scenario)


def test_the_second_fork_that_answers_is_acknowledged_and_hung_up(play, kit):
    async def scenario(stage):
        caller, us = await stage.endpoint()
        peer = await stage.peer()
        session = us.call(caller, kit.plan())
        await asyncio.sleep(0.1)
        invite = peer.requests("INVITE")[0]
        peer.reply(invite, 180, tag="one")
        peer.reply(invite, 183, tag="two", sdp=kit.answer)
        peer.reply(invite, 200, tag="one", sdp=kit.answer)
        peer.reply(invite, 200, tag="two", sdp=kit.answer)
        await asyncio.sleep(0.2)
        acks = {ack.to_tag for ack in peer.requests("ACK")}
        assert acks == {"one", "two"}
        assert [bye.to_tag for bye in peer.requests("BYE")] == ["two"]
        assert us.types(session).count("Answered") == 1
        peer.reply(peer.requests("BYE")[0], 200)
        session.hangup()
        await asyncio.sleep(0.1)
        assert [bye.to_tag for bye in peer.requests("BYE")] == ["two", "one"]
        peer.reply(peer.requests("BYE")[1], 200)
        await asyncio.sleep(0.1)
        assert isinstance(us.events[session.call_id][-1], Ended)

    play(scenario)


def test_a_repeated_200_gets_the_very_same_ack_again(play, kit):
    async def scenario(stage):
        caller, us = await stage.endpoint()
        peer = await stage.peer()
        session = us.call(caller, kit.plan())
        await asyncio.sleep(0.1)
        for _ in range(3):
            peer.reply(peer.requests("INVITE")[0], 200, sdp=kit.answer)
            await asyncio.sleep(0.1)
        acks = [data for data in peer.data if data.startswith(b"ACK")]
        assert len(acks) == 3
        assert len(set(acks)) == 1
        assert us.types(session) == ["Answered"]

    play(scenario)


def test_a_200_is_repeated_until_its_ack_and_the_call_ended_when_none_comes(play, kit):
    async def scenario(stage):
        endpoint, owner = await stage.endpoint()
        answering(kit, owner, ring=False)
        peer = await stage.peer()
        peer.send(kit.request("INVITE", body=kit.offer))
        await asyncio.sleep(31)
        assert len(peer.statuses) > 5
        assert set(peer.statuses) == {200}
        await asyncio.sleep(2)
        assert "BYE" in peer.methods
        peer.reply(peer.requests("BYE")[0], 200)
        await asyncio.sleep(40)
        assert isinstance(owner.events["raw-1"][-1], Ended | Failed)
        assert endpoint.counts.sessions == 0
        assert endpoint.counts.server_transactions == 0

    play(scenario)


def test_both_sides_hanging_up_at_once_ends_the_call_once_on_each(play, kit):
    async def scenario(stage):
        (caller, us), (callee, them) = await pair(stage, kit)
        answering(kit, them)
        session = us.call(caller, kit.plan())
        await asyncio.sleep(1)
        session.hangup()
        them.sessions[0].hangup()
        await asyncio.sleep(1)
        assert us.types(session)[2:] == ["Ended"]
        assert them.types(session)[1:] == ["Ended"]
        assert (caller.counts.sessions, callee.counts.sessions) == (0, 0)

    play(scenario, DELAY)


def test_a_second_bye_gets_481_once_the_first_is_forgotten(play, kit):
    async def scenario(stage):
        _, owner = await stage.endpoint()
        answering(kit, owner, ring=False)
        peer = await stage.peer()
        peer.send(kit.request("INVITE", body=kit.offer))
        await asyncio.sleep(0.1)
        tag = peer.heard[0].to_tag
        peer.send(kit.request("ACK", to_tag=tag, branch="z9hG4bKack"))
        peer.send(kit.request("BYE", number=2, to_tag=tag, branch="z9hG4bKbye"))
        peer.send(kit.request("BYE", number=2, to_tag=tag, branch="z9hG4bKbye"))
        peer.send(kit.request("BYE", number=3, to_tag=tag, branch="z9hG4bKbye2"))
        await asyncio.sleep(0.1)
        assert peer.statuses == [200, 200, 200, 481]
        assert owner.types(owner.sessions[0]) == ["Acknowledged", "Ended"]

    play(scenario)


def test_a_reinvite_is_offered_to_the_owner_and_answered(play, kit):
    async def scenario(stage):
        (caller, us), (_, them) = await pair(stage, kit)
        answering(kit, them)

        def accept(session, event):
            if isinstance(event, Offered):
                session.answer_offer(kit.answer)

        them.react = accept
        session = us.call(caller, kit.plan())
        await asyncio.sleep(1)
        session.reoffer(kit.offer)
        await asyncio.sleep(1)
        assert us.types(session)[-1] == "OfferAccepted"
        assert "Offered" in them.types(session)
        session.hangup()
        await asyncio.sleep(1)

    play(scenario, DELAY)


def test_an_invite_without_an_offer_is_answered_with_one_and_the_answer_comes_in_the_ack(play, kit):
    async def scenario(stage):
        (caller, us), (_, them) = await pair(stage, kit)
        them.greet = lambda session: session.answer(kit.offer)

        def answer(session, event):
            if isinstance(event, Answered):
                session.answer_offer(kit.answer)

        us.react = answer
        session = us.call(caller, kit.plan(sdp=None))
        await asyncio.sleep(1)
        assert us.events[session.call_id] == [Answered(kit.offer)]
        assert them.events[session.call_id] == [Acknowledged(kit.answer)]
        session.hangup()
        await asyncio.sleep(1)
        assert them.types(session) == ["Acknowledged", "Ended"]

    play(scenario, DELAY)


def test_offers_of_both_sides_at_once_are_both_settled_one_after_the_other(play, kit):
    async def scenario(stage):
        (caller, us), (callee, them) = await pair(stage, kit)
        answering(kit, them)

        def accept(session, event):
            if isinstance(event, Offered):
                session.answer_offer(kit.answer)

        us.react = them.react = accept
        session = us.call(caller, kit.plan())
        await asyncio.sleep(1)
        session.reoffer(kit.offer)
        them.sessions[0].reoffer(kit.offer)
        await asyncio.sleep(10)
        for owner in (us, them):
            assert owner.types(session)[-2:].count("OfferAccepted") == 1
            assert owner.types(session)[-2:].count("Offered") == 1
        statuses = [entry.summary for entry in session.trace.entries()]
        assert "SIP/2.0 491 Request Pending" in statuses
        them.sessions[0].hangup()
        await asyncio.sleep(1)
        assert caller.counts.sessions == callee.counts.sessions == 0

    play(scenario, DELAY)


def test_a_reinvite_can_be_refused_and_the_call_goes_on(play, kit):
    async def scenario(stage):
        (caller, us), (_, them) = await pair(stage, kit)
        answering(kit, them)

        def refuse(session, event):
            if isinstance(event, Offered):
                session.refuse_offer()

        us.react = refuse
        session = us.call(caller, kit.plan())
        await asyncio.sleep(1)
        them.sessions[0].reoffer(kit.offer)
        await asyncio.sleep(1)
        assert them.events[session.call_id][-1].status == 488
        assert caller.counts.sessions == 1
        session.hangup()
        await asyncio.sleep(1)
        assert them.types(session)[-2:] == ["OfferRefused", "Ended"]

    play(scenario, DELAY)


def test_an_invite_that_came_two_ways_is_taken_once(play, kit):
    async def scenario(stage):
        _, owner = await stage.endpoint()
        peer = await stage.peer()
        peer.send(kit.request("INVITE", branch="z9hG4bKone", body=kit.offer))
        peer.send(kit.request("INVITE", branch="z9hG4bKtwo", body=kit.offer))
        await asyncio.sleep(0.1)
        assert peer.statuses == [482]
        assert len(owner.sessions) == 1

    play(scenario)


def test_a_repeated_invite_is_answered_with_100_and_then_with_what_was_said_last(play, kit):
    async def scenario(stage):
        _, owner = await stage.endpoint()
        peer = await stage.peer()
        invite = kit.request("INVITE", body=kit.offer)
        peer.send(invite)
        await asyncio.sleep(0.1)
        peer.send(invite)
        await asyncio.sleep(0.1)
        assert peer.statuses == [100]
        owner.sessions[0].ring(183, kit.answer)
        peer.send(invite)
        await asyncio.sleep(0.1)
        assert peer.statuses == [100, 183, 183]
        assert len(owner.sessions) == 1

    play(scenario)


def test_an_invite_that_nobody_answers_fails_after_32_seconds(play, kit):
    async def scenario(stage):
        caller, us = await stage.endpoint()
        peer = await stage.peer()
        session = us.call(caller, kit.plan())
        await asyncio.sleep(31.9)
        assert us.types(session) == []
        await asyncio.sleep(0.2)
        (event,) = us.events[session.call_id]
        assert isinstance(event, Failed)
        assert event.kind is FailureKind.TIMEOUT
        gaps = [b - a for a, b in zip(peer.heard_at, peer.heard_at[1:], strict=False)]
        assert gaps == pytest.approx([0.5, 1, 2, 4, 8, 16])
        assert caller.counts.sessions == caller.counts.client_transactions == 0

    play(scenario)


@pytest.mark.parametrize(
    "target",
    [
        "sip:x@192.0.2.2:9",
        "sip:x@192.0.2.2:9;transport=tcp",
        "sip:x@nowhere.example.com",
        "sips:x@192.0.2.2",
        "tel:+4930",
    ],
)
def test_a_target_that_cannot_be_reached_fails_at_once_but_not_inside_invite(play, kit, target):
    async def scenario(stage):
        caller, us = await stage.endpoint()
        await stage.peer()
        session = us.call(caller, kit.plan(target))
        assert us.types(session) == []
        await asyncio.sleep(0.1)
        (event,) = us.events[session.call_id]
        assert isinstance(event, Failed)
        assert event.kind is FailureKind.TRANSPORT
        assert event.detail
        assert caller.counts.sessions == caller.counts.client_transactions == 0

    play(scenario)


def test_the_invite_goes_to_the_next_hop_and_later_requests_to_the_contact(play, kit):
    async def scenario(stage):
        caller, us = await stage.endpoint()
        proxy = await stage.peer(port=5080)
        peer = await stage.peer()
        plan = kit.plan("sip:somebody@example.com", next_hop="sip:192.0.2.2:5080")
        session = us.call(caller, plan)
        await asyncio.sleep(0.1)
        (invite,) = proxy.requests("INVITE")
        assert invite.uri == "sip:somebody@example.com"
        assert invite.routes == []
        proxy.reply(invite, 200, sdp=kit.answer)
        await asyncio.sleep(0.1)
        assert peer.methods == ["ACK"]
        session.hangup()
        await asyncio.sleep(0.1)
        assert peer.methods == ["ACK", "BYE"]
        peer.reply(peer.requests("BYE")[0], 200)
        await asyncio.sleep(0.1)

    play(scenario)


def test_a_name_is_looked_up(play, kit):
    async def scenario(stage):
        stage.network.name("carrier.example.com", kit.peer)
        caller, us = await stage.endpoint()
        peer = await stage.peer()
        us.call(caller, kit.plan("sip:x@carrier.example.com"))
        await asyncio.sleep(0.1)
        (invite,) = peer.requests("INVITE")
        assert str(invite.contacts[0].uri) == "sip:+4930@192.0.2.1:5060"

    play(scenario)


def test_an_owner_that_fails_on_an_invite_costs_only_that_call(play, kit):
    async def scenario(stage):
        endpoint, owner = await stage.endpoint()

        def fail(session):
            raise RuntimeError("no")

        owner.greet = fail
        peer = await stage.peer()
        peer.send(kit.request("INVITE", body=kit.offer))
        await asyncio.sleep(0.1)
        assert peer.statuses == [500]
        assert endpoint.counts.sessions == 0
        peer.send(kit.request("OPTIONS", call_id="raw-2", branch="z9hG4bKx"))
        await asyncio.sleep(0.1)
        assert peer.statuses == [500, 200]

    play(scenario)


def test_an_owner_that_fails_on_an_event_has_its_call_ended(play, kit):
    async def scenario(stage):
        caller, us = await stage.endpoint()
        peer = await stage.peer()

        def fail(session, event):
            if isinstance(event, Answered):
                raise RuntimeError("no")

        us.react = fail
        us.call(caller, kit.plan())
        await asyncio.sleep(0.1)
        peer.reply(peer.requests("INVITE")[0], 200, sdp=kit.answer)
        await asyncio.sleep(0.1)
        assert peer.methods == ["INVITE", "ACK", "BYE"]
        peer.reply(peer.requests("BYE")[0], 200)
        await asyncio.sleep(0.1)
        assert caller.counts.sessions == 0

    play(scenario)


def test_a_challenge_is_answered_and_credentials_do_not_show_in_the_trace(play, kit):
    from orbit_voice.signaling.endpoint import Credentials

    async def scenario(stage):
        caller, us = await stage.endpoint()
        peer = await stage.peer()
        session = us.call(caller, kit.plan(credentials=Credentials("user", "geheim")))
        await asyncio.sleep(0.1)
        first = peer.requests("INVITE")[0]
        challenge = Response.to_request(first, 401, to_tag="peer")
        challenge.headers.add("WWW-Authenticate", 'Digest realm="r", nonce="n", qop="auth"')
        peer.send(challenge.serialize())
        await asyncio.sleep(0.1)
        second = peer.requests("INVITE")[1]
        assert second.authorizations
        assert second.top_via.branch != first.top_via.branch
        assert peer.requests("ACK")[0].top_via == first.top_via
        peer.reply(second, 486)
        await asyncio.sleep(0.1)
        assert us.types(session) == ["Rejected"]
        assert not any("nonce" in entry.text for entry in session.trace.entries() if entry.sent)

    play(scenario)


def test_closing_hangs_up_what_lives_and_takes_no_new_call(play, kit):
    async def scenario(stage):
        async with stage.exits:
            caller, us = await stage.endpoint()
            peer = await stage.peer()
            talking = us.call(caller, kit.plan())
            await asyncio.sleep(0.1)
            peer.reply(peer.requests("INVITE")[0], 200, sdp=kit.answer)
            await asyncio.sleep(0.1)
            peer.send(kit.request("INVITE", body=kit.offer))
            await asyncio.sleep(0.1)
            late = kit.request("INVITE", call_id="late", branch="z9hG4bKlate", body=kit.offer)

            def confirm(message):
                if isinstance(message, Request) and message.method == "BYE":
                    peer.send(late)
                    asyncio.get_running_loop().call_later(0.5, peer.reply, message, 200)

            peer.react = confirm
            before = asyncio.get_running_loop().time()
        assert peer.statuses[:2] == [480, 503]
        assert us.types(talking) == ["Answered", "Ended"]
        assert asyncio.get_running_loop().time() - before < 1

    play(scenario)


def test_closing_does_not_wait_for_peers_that_are_gone(play, kit):
    async def scenario(stage):
        async with stage.exits:
            caller, us = await stage.endpoint()
            peer = await stage.peer()
            us.call(caller, kit.plan())
            await asyncio.sleep(0.1)
            peer.reply(peer.requests("INVITE")[0], 200, sdp=kit.answer)
            await asyncio.sleep(0.1)
            before = asyncio.get_running_loop().time()
        assert asyncio.get_running_loop().time() - before == pytest.approx(2.0, abs=0.1)

    play(scenario)


def test_calls_that_are_over_leave_nothing_behind(play, kit):
    async def scenario(stage):
        (caller, us), (_, them) = await pair(stage, kit)
        answering(kit, them)

        def hang_up(session, event):
            if isinstance(event, Answered):
                session.hangup()

        us.react = hang_up
        sessions = [weakref.ref(us.call(caller, kit.plan())) for _ in range(10)]
        await asyncio.sleep(1)
        sessions += [weakref.ref(session) for session in them.sessions]
        assert len(sessions) == 20
        them.sessions.clear()
        await asyncio.sleep(100)
        gc.collect()
        assert [session() for session in sessions] == [None] * 20

    play(scenario, DELAY)
