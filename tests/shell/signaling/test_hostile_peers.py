"""Whatever a peer sends, and in whatever order, the endpoint lives on and forgets it in time."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orbit_voice.signaling.events import Cancelled, Ended, Failed, Offered, Rejected, SessionEvent
from orbit_voice.sip.grammar import ParseError
from orbit_voice.sip.message import Response

ENDS = Cancelled | Ended | Failed | Rejected
FORGOTTEN_AFTER_S = 200.0
"""Longer than all transactions, retransmissions and the dialogs that nobody confirms."""


@dataclass(frozen=True)
class Blow:
    """One datagram, described so that it can be made of what the peer has heard by then."""

    method: str
    number: int
    branch: str
    call: int
    tag: str
    body: bool
    status: int | None
    garbled_at: int | None
    garbled_to: int
    pause_s: float


blows = st.builds(
    Blow,
    method=st.sampled_from(["INVITE", "INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "INFO"]),
    number=st.integers(0, 4),
    branch=st.sampled_from(["one", "two", "heard"]),
    call=st.integers(0, 1),
    tag=st.sampled_from(["none", "ours", "wrong"]),
    body=st.booleans(),
    status=st.none() | st.sampled_from([100, 180, 183, 200, 202, 401, 407, 486, 487, 699]),
    garbled_at=st.none() | st.integers(0, 600),
    garbled_to=st.integers(0, 255),
    pause_s=st.sampled_from([0.0, 0.01, 0.3, 2.0, 33.0]),
)


def strike(kit, peer, blow: Blow, ours: list[str]) -> bytes:
    """Make the datagram."""
    requests = [each for each in peer.heard if not isinstance(each, Response)]
    if blow.status is not None and requests:
        heard = requests[blow.number % len(requests)]
        response = Response.to_request(heard, blow.status, to_tag=f"peer{blow.call}")
        response.headers.add("Contact", f"<sip:peer@{kit.peer}>")
        if blow.body:
            response.headers.add("Content-Type", "application/sdp")
            response.body = kit.offer
        data = response.serialize()
    else:
        tags = {"none": None, "wrong": "wrong", "ours": ours[-1] if ours else None}
        data = kit.request(
            blow.method,
            number=blow.number,
            call_id=f"hostile-{blow.call}",
            branch=f"z9hG4bK{blow.branch}",
            to_tag=tags[blow.tag],
            body=kit.offer if blow.body else b"",
        )
    if blow.garbled_at is not None:
        place = blow.garbled_at % len(data)
        data = data[:place] + bytes([blow.garbled_to]) + data[place + 1 :]
    return data


def tags_of(peer) -> list[str]:
    """Return the tags we gave, but for those in answers to what could not be read."""
    tags: list[str] = []
    for response in peer.heard:
        with suppress(ParseError):
            if isinstance(response, Response) and response.to_tag:
                tags.append(response.to_tag)
    return tags


class Diary:
    """Answers offers and keeps what each session told; two may have the same Call-ID."""

    def __init__(self) -> None:
        self.told: dict[int, list[SessionEvent]] = {}

    def react(self, session, event):
        self.told.setdefault(id(session), []).append(event)
        if isinstance(event, Offered):
            session.answer_offer(b"v=0\r\n")


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(sequence=st.lists(blows, max_size=14), answers=st.booleans(), calls=st.booleans())
def test_no_sequence_of_messages_breaks_the_endpoint(play, kit, sequence, answers, calls):
    async def scenario(stage):
        endpoint, owner = await stage.endpoint()
        peer = await stage.peer()
        diary = Diary()
        owner.react = diary.react
        if answers:
            owner.greet = lambda session: session.answer(kit.answer)
        outbound = [owner.call(endpoint, kit.plan())] if calls else []
        await asyncio.sleep(0.05)
        for blow in sequence:
            peer.send(strike(kit, peer, blow, tags_of(peer)))
            await asyncio.sleep(blow.pause_s)
        await asyncio.sleep(1)
        heard = len(peer.heard)
        peer.send(kit.request("OPTIONS", call_id="alive", branch="z9hG4bKalive"))
        await asyncio.sleep(0.1)
        alive = [each for each in peer.heard[heard:] if each.headers.get("Call-ID") == "alive"]
        assert [each.status for each in alive] == [200]
        for session in [*owner.sessions, *outbound]:
            session.hangup()
        await asyncio.sleep(FORGOTTEN_AFTER_S)
        counts = endpoint.counts
        assert counts.broken == 0
        assert counts.sessions == counts.client_transactions == counts.server_transactions == 0
        for events in diary.told.values():
            ends = [event for event in events if isinstance(event, ENDS)]
            assert len(ends) == 1
            assert events[-1] is ends[0]

    play(scenario)


@settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(pieces=st.lists(st.binary(max_size=200), max_size=8), cuts=st.lists(st.integers(1, 400)))
def test_no_bytes_on_a_connection_break_the_endpoint(play, kit, pieces, cuts):
    async def scenario(stage):
        endpoint, _ = await stage.endpoint()
        stream = await stage.stream()
        whole = kit.request("OPTIONS", transport="TCP") + b"".join(pieces)
        start = 0
        for end in [*sorted(set(cuts)), len(whole)]:
            if not stream.closed:
                stream.transport.write(whole[start:end])
            start = max(start, end)
            await asyncio.sleep(0.01)
        again = await stage.stream()
        again.transport.write(kit.request("OPTIONS", transport="TCP"))
        await asyncio.sleep(0.1)
        assert [each.status for each in again.heard] == [200]
        assert endpoint.counts.broken == 0

    play(scenario)
