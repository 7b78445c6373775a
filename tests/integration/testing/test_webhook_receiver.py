"""The receiver of webhooks takes events over HTTP and tells right signatures from wrong ones."""

from __future__ import annotations

import asyncio
import json

import httpx
import pytest

from orbit_voice.kit.clock import unix_time
from orbit_voice.testing.webhook_receiver import MAX_BODY_BYTES, WebhookReceiver
from orbit_voice.webhooks.signing import event_headers

SECRET = "whsec_test"


def body_of(type_, sequence=1):
    return json.dumps({"id": "evt_1", "type": type_, "data": {"sequence": sequence}}).encode()


async def deliver(receiver, body, secret=SECRET):
    headers = event_headers(
        event_id="evt_1",
        event_type="x",
        delivery_id="dlv_1",
        body=body,
        secrets=[secret],
        at=int(unix_time()),
    )
    async with httpx.AsyncClient() as client:
        return (await client.post(receiver.url, content=body, headers=headers)).status_code


def test_an_event_is_kept_and_its_signature_checked(run):
    heard = []

    async def scenario():
        async with WebhookReceiver(SECRET, on_delivery=heard.append) as receiver:
            assert await deliver(receiver, body_of("call.ringing")) == 200
            right = await receiver.arrived("call.ringing")
            assert (right.is_signed, right.delivery_id) == (True, "dlv_1")
            await deliver(receiver, body_of("call.answered"), "whsec_other")
            assert not (await receiver.arrived("call.answered")).is_signed
            assert heard == receiver.deliveries

    run(scenario())


def test_one_of_several_events_of_a_type_can_be_waited_for(run):
    async def scenario():
        async with WebhookReceiver(SECRET) as receiver:
            for sequence in (1, 2):
                await deliver(receiver, body_of("call.dtmf", sequence))
            second = await receiver.arrived("call.dtmf", lambda each: each.data["sequence"] == 2)
            assert second is receiver.of_type("call.dtmf")[1]

    run(scenario())


def test_what_did_not_arrive_is_said_with_what_did(run):
    async def scenario():
        async with WebhookReceiver(SECRET) as receiver:
            await deliver(receiver, body_of("call.failed"))
            with pytest.raises(TimeoutError, match=r"webhook call\.answered.*call\.failed"):
                await receiver.arrived("call.answered", timeout_s=0.2)

    run(scenario())


def test_deliveries_may_be_refused_to_see_them_again(run):
    async def scenario():
        async with WebhookReceiver(SECRET) as receiver:
            receiver.status = 503
            assert await deliver(receiver, body_of("call.ringing")) == 503
            assert len(receiver.deliveries) == 1

    run(scenario())


@pytest.mark.parametrize("body", [b"", b"no json", b"[]", b"{}"])
def test_what_is_no_event_is_no_delivery(run, body):
    async def scenario():
        async with WebhookReceiver(SECRET) as receiver:
            assert await deliver(receiver, body) == 200
            assert await deliver(receiver, body_of("call.ringing")) == 200
            await receiver.arrived("call.ringing")
            assert len(receiver.deliveries) == 1

    run(scenario())


def test_a_body_that_is_too_long_is_not_read(run):
    async def scenario():
        async with WebhookReceiver(SECRET) as receiver:
            url = httpx.URL(receiver.url)
            reader, writer = await asyncio.open_connection(url.host, url.port)
            length = MAX_BODY_BYTES + 1
            writer.write(f"POST / HTTP/1.1\r\nContent-Length: {length}\r\n\r\n".encode())
            assert b" 413 " in await reader.readline()
            writer.close()
            await writer.wait_closed()

    run(scenario())
