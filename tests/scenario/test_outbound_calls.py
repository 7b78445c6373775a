"""Outbound calls from the order to the one terminal event, whatever races."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

import pytest

from orbit_voice.calls.orders import CallOrder, PlayOrder, SayOrder
from orbit_voice.calls.recovery import end_lost_calls
from orbit_voice.kit.errors import CallError, ErrorCode
from orbit_voice.media.events import DtmfReceived, MediaTimedOut, PlayFinished
from orbit_voice.sdp.offer_answer import AudioNegotiation
from orbit_voice.signaling.events import (
    Answered,
    Ended,
    Failed,
    FailureKind,
    OfferAccepted,
    Offered,
    Rejected,
    Ringing,
)
from orbit_voice.testing.virtual_time import run_virtual

ORG = "org_test"
TERMINAL = {"call.completed", "call.failed", "call.busy", "call.no_answer", "call.cancelled"}


def ends(types: list[str]) -> list[str]:
    return [kind for kind in types if kind in TERMINAL]


def test_a_call_that_rings_is_answered_and_hung_up_tells_its_whole_life(node: Any) -> None:
    async def run() -> None:
        call, session = await node.dial(record=True)
        session.on_event(Ringing(180, "Ringing", None))
        session.is_up = True
        session.on_event(Answered(session.answer_sdp()))
        await node.until(lambda: node.status(call.id) == "in_progress")
        session.on_event(Ended(True, None, None))
        await node.gone()
        types = node.journal.types(call.id)
        assert types == [
            "call.initiated",
            "call.ringing",
            "call.answered",
            "call.recording_ready",
            "call.completed",
        ]
        events = node.journal.events(call.id)
        assert [event.sequence for event in events] == [1, 2, 3, 4, 5]
        record = node.journal.calls[call.id]
        assert record.hangup.by == "callee"
        assert record.recording.status == "completed"
        assert record.attempts[0].sip_code == 200
        assert node.engine.streams[0].is_closed

    run_virtual(run())


def test_the_call_is_durable_before_the_invite_leaves(node: Any) -> None:
    async def run() -> None:
        node.journal.is_broken = True
        with pytest.raises(OSError, match="disk is gone"):
            await node.calls.create(ORG, CallOrder(to="+15551234567"))
        await asyncio.sleep(1)
        assert node.sessions == []
        assert len(node.calls) == 0

    run_virtual(run())


@pytest.mark.parametrize(
    ("status", "rings", "expected"),
    [
        (486, True, "busy"),
        (600, False, "busy"),
        (480, True, "no_answer"),
        (480, False, "failed"),
        (404, False, "failed"),
        (603, True, "failed"),
        (503, False, "failed"),
    ],
)
def test_a_refusal_ends_the_call_with_the_status_of_the_contract(
    node: Any, status: int, rings: bool, expected: str
) -> None:
    async def run() -> None:
        call, session = await node.dial()
        if rings:
            session.on_event(Ringing(180, "Ringing", None))
        session.on_event(Rejected(status, "No", ()))
        await node.gone()
        assert node.status(call.id) == expected
        assert ends(node.journal.types(call.id)) == [f"call.{expected}"]
        assert node.journal.calls[call.id].attempts[0].sip_code == status

    run_virtual(run())


@pytest.mark.parametrize("kind", list(FailureKind))
def test_a_trunk_that_cannot_be_reached_fails_the_call(node: Any, kind: FailureKind) -> None:
    async def run() -> None:
        call, session = await node.dial()
        session.on_event(Failed(kind, "nobody there"))
        await node.gone()
        assert node.status(call.id) == "failed"

    run_virtual(run())


def test_nobody_answering_within_the_ring_timeout_is_no_answer(node: Any) -> None:
    async def run() -> None:
        call, session = await node.dial(ring_timeout_s=20)
        session.on_event(Ringing(180, "Ringing", None))
        await asyncio.sleep(19)
        assert node.status(call.id) == "ringing"
        await node.gone()
        assert node.status(call.id) == "no_answer"
        assert session.hangups == 1

    run_virtual(run())


def test_a_call_ends_when_it_reaches_its_longest_duration(node: Any) -> None:
    async def run() -> None:
        call, session = await node.dial(max_duration_s=30)
        session.is_up = True
        session.on_event(Answered(session.answer_sdp()))
        await asyncio.sleep(29)
        assert node.status(call.id) == "in_progress"
        await node.gone()
        record = node.journal.calls[call.id]
        assert (record.status, record.hangup.cause) == ("completed", "max_duration")

    run_virtual(run())


def test_a_call_without_audio_ends_as_failed(node: Any) -> None:
    async def run() -> None:
        call, session = await node.dial()
        session.is_up = True
        session.on_event(Answered(session.answer_sdp()))
        node.engine.streams[0].on_event(MediaTimedOut(60.0))
        await node.gone()
        record = node.journal.calls[call.id]
        assert (record.status, record.hangup.cause) == ("failed", "media_timeout")

    run_virtual(run())


def test_hanging_up_before_the_answer_cancels_and_afterwards_is_refused(node: Any) -> None:
    async def run() -> None:
        call, session = await node.dial()
        session.on_event(Ringing(180, "Ringing", None))
        record = await node.calls.hangup(ORG, call.id)
        assert record.status == "cancelled"
        with pytest.raises(CallError) as refused:
            await node.calls.hangup(ORG, call.id)
        assert refused.value.code is ErrorCode.CALL_NOT_ACTIVE
        await node.gone()
        assert ends(node.journal.types(call.id)) == ["call.cancelled"]
        assert session.hangups == 1

    run_virtual(run())


def test_another_organization_cannot_see_the_call(node: Any) -> None:
    async def run() -> None:
        call, _ = await node.dial()
        with pytest.raises(CallError) as refused:
            await node.calls.hangup("org_other", call.id)
        assert refused.value.code is ErrorCode.NOT_FOUND
        await node.calls.hangup(ORG, call.id)
        await node.gone()

    run_virtual(run())


@pytest.mark.parametrize(
    "order", list(itertools.permutations(["answer", "api", "reject", "bye", "timeout"]))
)
def test_exactly_one_end_whatever_races(node: Any, order: tuple[str, ...]) -> None:
    async def run() -> None:
        call, session = await node.dial()
        session.confirms_hangup = False
        asked: list[asyncio.Task[Any]] = []
        answer = Answered(session.answer_sdp())
        for what in order:
            match what:
                case "answer":
                    session.on_event(answer)
                case "api":
                    asked.append(asyncio.ensure_future(node.calls.hangup(ORG, call.id)))
                    await asyncio.sleep(0)
                case "reject":
                    session.on_event(Rejected(486, "Busy Here", ()))
                case "bye":
                    session.on_event(Ended(True, None, None))
                case _:
                    node.engine.streams[0].on_event(MediaTimedOut(60.0))
        await asyncio.gather(*asked, return_exceptions=True)
        await node.gone()
        types = node.journal.types(call.id)
        assert len(ends(types)) == 1
        sequences = [event.sequence for event in node.journal.events(call.id)]
        assert sequences == list(range(1, len(sequences) + 1))
        assert all(stream.is_closed for stream in node.engine.streams)

    run_virtual(run())


def test_audio_commands_need_an_answered_call(node: Any) -> None:
    async def run() -> None:
        call, session = await node.dial()
        with pytest.raises(CallError) as refused:
            await node.calls.say(ORG, call.id, SayOrder("hello"))
        assert refused.value.code is ErrorCode.CONFLICT
        assert refused.value.details["state"] == "initiating"
        session.is_up = True
        session.on_event(Answered(session.answer_sdp()))
        await node.until(lambda: node.status(call.id) == "in_progress")
        stream = node.engine.streams[0]
        await node.calls.say(ORG, call.id, SayOrder("hello"))
        await node.calls.play(ORG, call.id, PlayOrder(recording_id="rec_1"))
        assert [path.name for files in stream.played for path in files] == [
            "hello.wav",
            "rec_1.wav",
        ]
        await node.calls.dtmf(ORG, call.id, "12#")
        assert stream.digits == ["12#"]
        stream.on_event(DtmfReceived("5", 120))
        stream.on_event(PlayFinished(1, completed=True))
        await node.calls.stop(ORG, call.id)
        await node.calls.hangup(ORG, call.id)
        await node.gone()
        types = node.journal.types(call.id)
        assert types.count("call.dtmf") == 1
        assert "call.playback_finished" in types

    run_virtual(run())


def test_a_reinvite_is_answered_and_one_without_common_media_refused(node: Any) -> None:
    async def run() -> None:
        call, session = await node.dial()
        session.is_up = True
        answer = session.answer_sdp()
        session.on_event(Answered(answer))
        await node.until(lambda: node.status(call.id) == "in_progress")
        session.on_event(Offered(answer.replace(b"a=sendrecv", b"a=sendonly")))
        session.on_event(Offered(b"v=0\r\nnonsense"))
        await node.until(lambda: bool(session.refused_offers))
        assert len(session.answered_offers) == 1
        assert node.status(call.id) == "in_progress"
        await node.calls.hangup(ORG, call.id)
        await node.gone()

    run_virtual(run())


def test_a_reinvite_without_sdp_gets_our_offer_and_the_next_one_is_taken(node: Any) -> None:
    async def run() -> None:
        call, session = await node.dial()
        session.is_up = True
        answer = session.answer_sdp()
        session.on_event(Answered(answer))
        await node.until(lambda: node.status(call.id) == "in_progress")
        session.on_event(Offered(None))
        await node.until(lambda: len(session.answered_offers) == 1)
        peer = AudioNegotiation(
            local_address="127.0.0.2", local_rtp_port=40000, codecs=("PCMU",), session_id=8
        )
        peer.receive_offer(session.answered_offers[0])
        session.on_event(OfferAccepted(peer.make_answer()[0]))
        session.on_event(Offered(answer.replace(b"a=sendrecv", b"a=sendonly")))
        await node.until(lambda: len(session.answered_offers) == 2)
        assert not session.refused_offers
        await node.calls.hangup(ORG, call.id)
        await node.gone()

    run_virtual(run())


def test_an_answer_without_usable_media_ends_the_call_as_failed(node: Any) -> None:
    async def run() -> None:
        call, session = await node.dial()
        session.is_up = True
        session.on_event(Answered(None))
        await node.gone()
        record = node.journal.calls[call.id]
        assert (record.status, record.hangup.cause) == ("failed", "incompatible_media")
        assert session.hangups == 1

    run_virtual(run())


def test_no_free_media_port_fails_the_call_without_an_invite(node: Any) -> None:
    async def run() -> None:
        node.engine.is_full = True
        call = await node.calls.create(ORG, CallOrder(to="+15551234567"))
        await node.gone()
        assert node.sessions == []
        assert node.journal.calls[call.id].hangup.cause == "capacity"

    run_virtual(run())


def test_a_peer_that_never_confirms_the_end_does_not_keep_the_call(node: Any) -> None:
    async def run() -> None:
        call, session = await node.dial()
        session.confirms_hangup = False
        await node.calls.hangup(ORG, call.id)
        assert node.status(call.id) == "cancelled"
        await node.gone()
        assert ends(node.journal.types(call.id)) == ["call.cancelled"]

    run_virtual(run())


def test_a_recording_that_never_becomes_whole_does_not_keep_the_call(node: Any) -> None:
    async def run() -> None:
        call, session = await node.dial(record=True)
        session.is_up = True
        session.on_event(Answered(session.answer_sdp()))
        await node.until(lambda: node.status(call.id) == "in_progress")
        node.engine.streams[0].finishes_recordings = False
        session.on_event(Ended(True, None, None))
        await node.gone()
        assert ends(node.journal.types(call.id)) == ["call.completed"]

    run_virtual(run())


def test_calls_of_a_lost_process_get_one_end_and_are_not_dialled_again(node: Any) -> None:
    async def run() -> None:
        call, _ = await node.dial()
        lost = node.journal.calls[call.id]
        assert await end_lost_calls(node.journal, "node_test") == 1
        assert await end_lost_calls(node.journal, "node_test") == 0
        record = node.journal.calls[call.id]
        assert (record.status, record.hangup.cause) == ("failed", "node_lost")
        assert record.next_sequence == lost.next_sequence + 1
        assert len(node.sessions) == 1

    run_virtual(run())


def test_draining_ends_what_does_not_finish_by_itself(node: Any) -> None:
    async def run() -> None:
        call, _ = await node.dial()
        await node.calls.drain(5.0)
        record = node.journal.calls[call.id]
        assert (record.status, record.hangup.cause) == ("failed", "shutdown")
        with pytest.raises(CallError) as refused:
            await node.calls.create(ORG, CallOrder(to="+15551234567"))
        assert refused.value.code is ErrorCode.SERVICE_UNAVAILABLE

    run_virtual(run())


def test_an_unregistered_caller_id_and_a_missing_trunk_are_refused(node: Any) -> None:
    async def run() -> None:
        with pytest.raises(CallError) as refused:
            await node.calls.create(ORG, CallOrder(to="+15551234567", from_="+4915112345678"))
        assert refused.value.code is ErrorCode.NUMBER_NOT_REGISTERED
        node.directory.trunks.clear()
        with pytest.raises(CallError) as refused:
            await node.calls.create(ORG, CallOrder(to="+15551234567"))
        assert refused.value.code is ErrorCode.NO_ROUTE

    run_virtual(run())
