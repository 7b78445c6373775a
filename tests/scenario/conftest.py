"""A node in one process: real call control over a fake network, media engine and journal."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from orbit_voice.calls.facilities import CallLimits, Facilities
from orbit_voice.calls.interfaces import CallFilter
from orbit_voice.calls.orders import CallOrder, PlayOrder
from orbit_voice.calls.planning import CallPlanner
from orbit_voice.calls.records import CallChange, CallEvent, CallRecord
from orbit_voice.calls.screening import InboundScreen
from orbit_voice.calls.service import CallService
from orbit_voice.kit.pages import Page
from orbit_voice.media.errors import MediaError, MediaFailure
from orbit_voice.media.events import MediaEvent, RecordingFinished, StreamClosed
from orbit_voice.media.plan import StreamPlan
from orbit_voice.media.statistics import StreamStatistics
from orbit_voice.sdp.offer_answer import AudioNegotiation
from orbit_voice.signaling.endpoint import OutboundInvite
from orbit_voice.signaling.events import Ended, Rejected, SessionEvent
from orbit_voice.signaling.trace import SipTrace, SipTraceEntry
from orbit_voice.sip.message import Request
from orbit_voice.sip.parser import parse_message
from orbit_voice.speech import Prompt
from orbit_voice.trunks.records import Number, RoutingType, Trunk

ORG = "org_test"
NODE = "node_test"
NUMBER = "+493012345678"
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


def peer_negotiation() -> AudioNegotiation:
    return AudioNegotiation(
        local_address="127.0.0.2", local_rtp_port=40000, codecs=("PCMU", "PCMA"), session_id=7
    )


def invite_request(called: str = NUMBER, *, sdp: bytes | None = None) -> Request:
    body = peer_negotiation().make_offer() if sdp is None else sdp
    head = (
        f"INVITE sip:{called}@127.0.0.1 SIP/2.0\r\n"
        "Via: SIP/2.0/UDP 127.0.0.2:5060;branch=z9hG4bK1\r\n"
        "From: <sip:+15551230000@127.0.0.2>;tag=1\r\n"
        f"To: <sip:{called}@127.0.0.1>\r\n"
        "Call-ID: in-1\r\nCSeq: 1 INVITE\r\nMax-Forwards: 70\r\n"
        "Contact: <sip:127.0.0.2:5060>\r\nContent-Type: application/sdp\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    message = parse_message(head.encode() + body)
    assert isinstance(message, Request)
    return message


@dataclass
class FakeSession:
    """A SIP session whose peer the test plays."""

    on_event: Callable[[SessionEvent], None]
    plan: OutboundInvite | None = None
    call_id: str = "fake-call-id"
    trace: SipTrace = field(default_factory=SipTrace)
    hangups: int = 0
    confirms_hangup: bool = True
    answered_offers: list[bytes] = field(default_factory=list)
    refused_offers: list[int] = field(default_factory=list)
    is_up: bool = False

    @property
    def is_settled(self) -> bool:
        return self.confirms_hangup or not self.hangups

    def hangup(self, *, reason: str | None = None) -> None:
        self.hangups += 1
        if self.confirms_hangup:
            over = Ended(False, None, None) if self.is_up else Rejected(487, "Terminated", ())
            self.on_event(over)

    def answer_offer(self, sdp: bytes) -> None:
        self.answered_offers.append(sdp)

    def refuse_offer(self, status: int = 488) -> None:
        self.refused_offers.append(status)

    def answer_sdp(self) -> bytes:
        assert self.plan is not None
        assert self.plan.sdp is not None
        peer = peer_negotiation()
        peer.receive_offer(self.plan.sdp)
        return peer.make_answer()[0]


@dataclass
class FakeInvite(FakeSession):
    """An INVITE that came in."""

    request: Request = field(default_factory=invite_request)
    source: tuple[str, int] = ("127.0.0.2", 5060)
    sent: list[tuple[str, int]] = field(default_factory=list)

    def set_handler(self, on_event: Callable[[SessionEvent], None]) -> None:
        self.on_event = on_event

    def ring(self, status: int = 180, sdp: bytes | None = None) -> None:
        self.sent.append(("ring", status))

    def answer(self, sdp: bytes) -> None:
        self.is_up = True
        self.sent.append(("answer", 200))

    def reject(
        self, status: int, reason: str | None = None, headers: tuple[tuple[str, str], ...] = ()
    ) -> None:
        self.sent.append(("reject", status))


STATISTICS = StreamStatistics(
    packets_sent=50,
    bytes_sent=8000,
    packets_received=50,
    bytes_received=8000,
    lost=0,
    loss_percent=0.0,
    jitter_ms=0.5,
    rtt_ms=None,
    mos=4.4,
    duplicates=0,
    reordered=0,
    late=0,
    discarded_source=0,
    discarded_invalid=0,
    concealed_ms=0,
    jitter_buffer_ms=20,
    source_changes_refused=0,
    ssrc_changes=0,
    remote_loss_percent=None,
    remote_jitter_ms=None,
    send_errors=0,
)


@dataclass
class FakeStream:
    """A media stream that says what it was told."""

    on_event: Callable[[MediaEvent], None]
    local_rtp_port: int = 20000
    plans: list[StreamPlan] = field(default_factory=list)
    played: list[tuple[Path, ...]] = field(default_factory=list)
    digits: list[str] = field(default_factory=list)
    recording: Path | None = None
    is_closed: bool = False
    finishes_recordings: bool = True

    def configure(self, plan: StreamPlan) -> None:
        self.plans.append(plan)

    def play(self, prompts: Sequence[Path], *, loop: bool = False) -> int:
        for prompt in prompts:
            if prompt.suffix != ".wav":
                raise MediaError(MediaFailure.BAD_PROMPT, "not audio")
        self.played.append(tuple(prompts))
        return len(self.played)

    def stop_playing(self) -> None:
        self.played.clear()

    def send_dtmf(self, digits: str) -> None:
        self.digits.append(digits)

    def start_recording(self, path: Path) -> None:
        self.recording = path

    def stop_recording(self) -> None:
        if self.recording is not None and self.finishes_recordings:
            self.on_event(RecordingFinished(self.recording, 1.0, 8000, 1, 16044, "00" * 32))
        self.recording = None

    def statistics(self) -> StreamStatistics:
        return STATISTICS

    def close(self) -> None:
        if not self.is_closed:
            self.is_closed = True
            self.stop_recording()
            self.on_event(StreamClosed(STATISTICS))


class FakeEngine:
    """Opens fake streams until told that no port is free."""

    def __init__(self) -> None:
        self.streams: list[FakeStream] = []
        self.is_full = False

    def open_stream(self, on_event: Callable[[MediaEvent], None]) -> FakeStream:
        if self.is_full:
            raise MediaError(MediaFailure.NO_PORTS, "all in use")
        self.streams.append(FakeStream(on_event))
        return self.streams[-1]


class MemoryJournal:
    """Keeps changes in memory; a commit takes one turn of the loop."""

    def __init__(self) -> None:
        self.changes: list[CallChange] = []
        self.calls: dict[str, CallRecord] = {}
        self.is_broken = False

    async def commit(self, change: CallChange) -> None:
        await asyncio.sleep(0)
        if self.is_broken:
            raise OSError("disk is gone")
        assert change.is_new == (change.call.id not in self.calls)
        self.changes.append(change)
        self.calls[change.call.id] = change.call

    async def open_calls(self, node_id: str) -> list[CallRecord]:
        return [call for call in self.calls.values() if not call.status.is_end]

    async def get_call(self, org_id: str, call_id: str) -> CallRecord | None:
        call = self.calls.get(call_id)
        return call if call is not None and call.org_id == org_id else None

    async def list_calls(
        self, org_id: str, where: CallFilter, *, cursor: str | None, limit: int
    ) -> Page[CallRecord]:
        raise NotImplementedError

    async def list_events(
        self, org_id: str, call_id: str, *, cursor: str | None, limit: int
    ) -> Page[CallEvent]:
        raise NotImplementedError

    async def sip_trace(self, org_id: str, call_id: str) -> list[SipTraceEntry]:
        raise NotImplementedError

    def events(self, call_id: str) -> list[CallEvent]:
        return [e for change in self.changes for e in change.events if e.call_id == call_id]

    def types(self, call_id: str) -> list[str]:
        return [event.type for event in self.events(call_id)]


class FakeDirectory:
    """Trunks and numbers of one organization."""

    def __init__(self) -> None:
        self.trunks = [
            Trunk("trk_1", ORG, "carrier", "sip:127.0.0.2:5070", EPOCH, EPOCH, ("127.0.0.2",))
        ]
        self.numbers = [Number("num_1", ORG, NUMBER, EPOCH, EPOCH, is_default=True)]

    async def enabled_trunks(self, org_id: str) -> list[Trunk]:
        return [trunk for trunk in self.trunks if trunk.org_id == org_id]

    async def all_enabled_trunks(self) -> list[Trunk]:
        return self.trunks

    async def find_number(self, org_id: str, number: str) -> Number | None:
        return next((n for n in self.numbers if (n.org_id, n.number) == (org_id, number)), None)

    async def inbound_number(self, number: str) -> Number | None:
        return next((n for n in self.numbers if n.number == number), None)

    async def default_number(self, org_id: str) -> Number | None:
        return next((n for n in self.numbers if n.org_id == org_id and n.is_default), None)

    def route(self, routing: RoutingType | None) -> None:
        self.numbers = [Number("num_1", ORG, NUMBER, EPOCH, EPOCH, routing=routing)]


class FakeSpeech:
    async def render(
        self, text: str, *, voice: str | None = None, language: str = "en-US"
    ) -> Prompt:
        return Prompt(Path(f"{text}.wav"), 1.0)


class FakePrompts:
    async def find_audio(self, org_id: str, order: PlayOrder) -> Path:
        return Path(f"{order.recording_id}.wav")


class Node:
    """Call control with everything around it played by the test."""

    def __init__(self, recordings: Path, limits: CallLimits) -> None:
        self.journal = MemoryJournal()
        self.engine = FakeEngine()
        self.directory = FakeDirectory()
        self.sessions: list[FakeSession] = []
        facilities = Facilities(
            node_id=NODE,
            journal=self.journal,
            media=self.engine,
            speech=FakeSpeech(),
            media_address="127.0.0.1",
            recordings=recordings,
            limits=limits,
        )
        self.calls = CallService(
            facilities=facilities,
            invite=self._invite,
            planner=CallPlanner(self.directory, self.directory, sip_host="127.0.0.1"),
            screen=InboundScreen(self.directory, self.directory),
            reader=self.journal,
            prompts=FakePrompts(),
        )

    def _invite(
        self, plan: OutboundInvite, on_event: Callable[[SessionEvent], None]
    ) -> FakeSession:
        self.sessions.append(FakeSession(on_event, plan))
        return self.sessions[-1]

    async def dial(self, **order: object) -> tuple[CallRecord, FakeSession]:
        """Create a call and return it with the session of its INVITE."""
        record = await self.calls.create(ORG, CallOrder(to="+15551234567", **order))
        await self.until(lambda: bool(self.sessions))
        return record, self.sessions[-1]

    async def until(self, condition: Callable[[], bool]) -> None:
        """Let the loop turn until ``condition`` holds."""
        for _ in range(10_000):
            if condition():
                return
            await asyncio.sleep(0.01)  # virtual seconds
        raise AssertionError("it never came to be")

    async def gone(self) -> None:
        """Wait until no call is carried any more."""
        await self.until(lambda: len(self.calls) == 0)

    def status(self, call_id: str) -> str:
        return self.journal.calls[call_id].status.value


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path, CallLimits())


@pytest.fixture
def incoming() -> Callable[..., FakeInvite]:
    """Make INVITEs that come in."""

    def make(called: str = NUMBER, *, source: str = "127.0.0.2") -> FakeInvite:
        return FakeInvite(lambda _: None, request=invite_request(called), source=(source, 5060))

    return make
