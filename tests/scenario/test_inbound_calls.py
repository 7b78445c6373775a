"""Inbound calls: answered, held or refused as routing says."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from orbit_voice.kit.errors import CallError, ErrorCode
from orbit_voice.signaling.events import Acknowledged, Cancelled, Ended
from orbit_voice.testing.virtual_time import run_virtual
from orbit_voice.trunks.records import RoutingType

ORG = "org_test"


def only_call(node: Any) -> Any:
    (record,) = node.journal.calls.values()
    return record


def test_a_number_that_answers_is_answered_once_the_call_is_durable(
    node: Any, incoming: Any
) -> None:
    async def run() -> None:
        node.directory.route(RoutingType.ANSWER)
        invite = incoming()
        node.calls.receive(invite)
        await node.until(lambda: bool(invite.sent))
        assert invite.sent == [("answer", 200)]
        assert only_call(node).status == "in_progress"
        invite.on_event(Acknowledged(None))
        invite.on_event(Ended(True, None, None))
        await node.gone()
        record = only_call(node)
        assert (record.status, record.hangup.by) == ("completed", "caller")
        assert record.from_ == "+15551230000"
        assert node.journal.types(record.id) == [
            "call.initiated",
            "call.answered",
            "call.completed",
        ]

    run_virtual(run())


@pytest.mark.parametrize(
    ("called", "source", "routing", "status"),
    [
        ("+493012345678", "127.0.0.9", RoutingType.ANSWER, 403),
        ("+4930999", "127.0.0.2", RoutingType.ANSWER, 404),
        ("+493012345678", "127.0.0.2", None, 404),
        ("+493012345678", "127.0.0.2", RoutingType.REJECT, 603),
    ],
)
def test_what_no_route_takes_is_refused_and_leaves_no_call(
    node: Any, incoming: Any, called: str, source: str, routing: Any, status: int
) -> None:
    async def run() -> None:
        node.directory.route(routing)
        invite = incoming(called, source=source)
        node.calls.receive(invite)
        await node.until(lambda: bool(invite.sent))
        assert invite.sent == [("reject", status)]
        assert node.journal.calls == {}

    run_virtual(run())


def test_a_manual_route_rings_until_it_is_accepted(node: Any, incoming: Any) -> None:
    async def run() -> None:
        node.directory.route(RoutingType.MANUAL)
        invite = incoming()
        node.calls.receive(invite)
        await node.until(lambda: bool(node.journal.calls))
        await asyncio.sleep(1)
        assert invite.sent == [("ring", 180)]
        record = await node.calls.accept(ORG, only_call(node).id)
        assert record.status == "in_progress"
        assert invite.sent[-1] == ("answer", 200)
        with pytest.raises(CallError) as refused:
            await node.calls.accept(ORG, record.id)
        assert refused.value.code is ErrorCode.CONFLICT
        await node.calls.hangup(ORG, record.id)
        await node.gone()
        assert only_call(node).status == "completed"

    run_virtual(run())


def test_a_declined_call_gets_486(node: Any, incoming: Any) -> None:
    async def run() -> None:
        node.directory.route(RoutingType.MANUAL)
        invite = incoming()
        node.calls.receive(invite)
        await node.until(lambda: bool(node.journal.calls))
        record = await node.calls.decline(ORG, only_call(node).id)
        assert invite.sent[-1] == ("reject", 486)
        assert record.status == "busy"
        await node.gone()

    run_virtual(run())


def test_a_caller_who_gives_up_while_it_rings_cancels(node: Any, incoming: Any) -> None:
    async def run() -> None:
        node.directory.route(RoutingType.MANUAL)
        invite = incoming()
        node.calls.receive(invite)
        await node.until(lambda: bool(node.journal.calls))
        invite.on_event(Cancelled(None))
        await node.gone()
        record = only_call(node)
        assert (record.status, record.hangup.by) == ("cancelled", "caller")

    run_virtual(run())


def test_a_caller_who_gives_up_before_the_call_is_set_up_is_not_lost(
    node: Any, incoming: Any
) -> None:
    async def run() -> None:
        node.directory.route(RoutingType.MANUAL)
        invite = incoming()
        node.calls.receive(invite)
        invite.on_event(Cancelled(None))
        await node.until(lambda: bool(node.journal.calls))
        await node.gone()
        assert only_call(node).status == "cancelled"

    run_virtual(run())


def test_a_manual_call_that_nobody_accepts_ends_as_no_answer(node: Any, incoming: Any) -> None:
    async def run() -> None:
        node.directory.route(RoutingType.MANUAL)
        invite = incoming()
        node.calls.receive(invite)
        await node.until(lambda: bool(node.journal.calls))
        await node.gone()
        assert only_call(node).status == "no_answer"
        assert invite.hangups == 1

    run_virtual(run())


def test_a_draining_server_sends_callers_elsewhere(node: Any, incoming: Any) -> None:
    async def run() -> None:
        await node.calls.drain(0.1)
        invite = incoming()
        node.calls.receive(invite)
        assert invite.sent == [("reject", 503)]

    run_virtual(run())
