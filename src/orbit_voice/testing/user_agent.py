"""A SIP user agent that acts out behaviours: what the phone and the carrier simulator share."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import AsyncExitStack
from itertools import count
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Final, Self, TypeAlias, TypeVar

from orbit_voice.kit.tasks import TaskScope
from orbit_voice.media.engine import MediaEngine
from orbit_voice.media.errors import MediaError
from orbit_voice.sdp.errors import SdpError
from orbit_voice.sdp.offer_answer import AudioNegotiation
from orbit_voice.signaling.endpoint import InboundSession, OutboundInvite, SipEndpoint
from orbit_voice.sip.digest import Credentials
from orbit_voice.sip.message import Request
from orbit_voice.sip.uri import SipUri
from orbit_voice.testing.acting import act, converse
from orbit_voice.testing.audio import make_tone, write_wav
from orbit_voice.testing.behaviours import Answer, Behaviour, Ignore
from orbit_voice.testing.inbound_leg import InboundLeg
from orbit_voice.testing.leg import LegEndedError, SimulatedLeg
from orbit_voice.testing.leg_media import LegMedia
from orbit_voice.testing.outbound_leg import OutboundLeg
from orbit_voice.testing.selective_network import SelectiveNetwork
from orbit_voice.testing.transcript import PATIENCE_S, Moment, Transcript

MAX_LEGS: Final = 10_000
"""Legs remembered; older ones are forgotten, and go on living."""
MEDIA_PORTS: Final = (30_000, 32_767)
"""Where simulated parties take RTP ports: above those of a server with defaults, below those that
Linux gives away as ephemeral. What others have taken is passed over."""
PRODUCT: Final = "orbit-voice-test-kit"
RING_PATIENCE_S: Final = 120.0
"""How long an outbound leg waits for its answer before it stops to act, seconds."""
_TONE_S: Final = 1.0
_SESSION_ID_BITS: Final = 62

Address: TypeAlias = tuple[str, int]
Listener: TypeAlias = Callable[[Moment], None]
_Leg = TypeVar("_Leg", bound=SimulatedLeg)


class SimulatedUserAgent:
    """A party on real sockets, with the product's own signalling and media.

    It registers nowhere: call it at :meth:`uri`. An async context manager; leaving it hangs up.

    Args:
        host: Numeric address of its SIP and RTP sockets.
        port: SIP port, UDP and TCP; 0: a free one of each.
        codecs: Of ``PCMU`` and ``PCMA``, best first.
        tone_hz: The tone it plays where it is told no other sound; None: silence. Below 4000; a
            whole number, so that it joins where it repeats.
        records: Whether every leg is recorded, both sides mixed.
        random: Source of its session ids.
        on_moment: Called with every moment of the party and of every leg, as it happens.

    Attributes:
        legs: The newest legs, oldest first.
        transcript: What happened before there was a leg: who called, who was challenged.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        codecs: tuple[str, ...] = ("PCMU", "PCMA"),
        tone_hz: int | None = None,
        records: bool = True,
        random: Random | None = None,
        on_moment: Listener | None = None,
    ) -> None:
        self._host = host
        self._port = port
        self._codecs = codecs
        self._tone_hz = tone_hz
        self._records = records
        self._random = random or Random()
        self._on_moment = on_moment
        self._stack = AsyncExitStack()
        self._numbers = count(1)
        self._arrived: asyncio.Queue[InboundLeg] = asyncio.Queue(MAX_LEGS)
        self._tone: Path | None = None
        self.legs: deque[SimulatedLeg] = deque(maxlen=MAX_LEGS)

    async def __aenter__(self) -> Self:
        """Bind the ports.

        Raises:
            TransportError: A SIP port cannot be bound.
            MediaError: The media engine cannot start.
        """
        async with AsyncExitStack() as stack:
            self.transcript = Transcript(self._on_moment)
            self._directory = Path(stack.enter_context(TemporaryDirectory(prefix="orbit-party-")))
            self._make_tone()
            self._engine = await stack.enter_async_context(
                MediaEngine(bind_address=self._host, ports=MEDIA_PORTS, shards=1)
            )
            self._endpoint = await stack.enter_async_context(self._make_endpoint())
            self._scope = await stack.enter_async_context(TaskScope(type(self).__name__))
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stack.aclose()

    @property
    def address(self) -> Address:
        """Where it takes SIP over UDP."""
        return self._endpoint.udp_address

    def uri(self, user: str, *, transport: str = "udp") -> str:
        """Return the URI to call ``user`` at, over ``udp`` or ``tcp``."""
        return f"sip:{user}@{self._where(transport)}"

    async def next_leg(self, *, timeout_s: float = PATIENCE_S) -> InboundLeg:
        """Return the next call that comes in, each one once.

        Raises:
            TimeoutError: None came in time.
        """
        async with asyncio.timeout(timeout_s):
            return await self._arrived.get()

    def _where(self, transport: str) -> str:
        """Return what comes after the user in a URI of ours."""
        tcp = transport == "tcp"
        host, port = self._endpoint.tcp_address if tcp else self._endpoint.udp_address
        shown = f"[{host}]" if ":" in host else host
        return f"{shown}:{port}" + (";transport=tcp" if tcp else "")

    def _choose(self, number: str) -> Behaviour:
        """Return what to do with a call to ``number``."""
        raise NotImplementedError

    def _admit(self, session: InboundSession) -> bool:
        """Return whether to take a call; one that is not taken has been refused already."""
        return True

    def _note_ignored(self, invite: Request) -> None:
        """Take the news that an INVITE was ignored."""

    def _place(
        self,
        request_uri: str,
        *,
        from_uri: str,
        manner: Answer,
        from_display: str | None = None,
        next_hop: str | None = None,
        credentials: Credentials | None = None,
        headers: tuple[tuple[str, str], ...] = (),
        late_offer: bool = False,
    ) -> OutboundLeg:
        leg = self._make_leg(OutboundLeg, request_uri, manner)
        plan = OutboundInvite(
            request_uri=request_uri,
            next_hop=next_hop,
            from_uri=from_uri,
            from_display=from_display,
            to_uri=request_uri,
            sdp=None if late_offer else leg.offer(),
            headers=headers,
            credentials=credentials,
        )
        try:
            leg.begin(self._endpoint.invite(plan, leg.take))
        except BaseException:
            leg.abandon()
            raise
        self.legs.append(leg)
        _ = self._scope.start(_converse_when_answered(leg, manner), name="converse")
        return leg

    def _make_endpoint(self) -> SipEndpoint:
        return SipEndpoint(
            udp=(self._host, self._port),
            tcp=(self._host, self._port),
            advertised_host=None,
            user_agent=PRODUCT,
            on_invite=self._receive,
            network=SelectiveNetwork(self._is_heard),
        )

    def _make_tone(self) -> None:
        if self._tone_hz is not None:
            self._tone = self._directory / "tone.wav"
            write_wav(self._tone, make_tone(self._tone_hz, _TONE_S))

    def _make_leg(self, kind: type[_Leg], peer: str, manner: Answer) -> _Leg:
        transcript = Transcript(self._on_moment)
        recording = self._directory / f"{next(self._numbers)}.wav" if self._records else None
        media = LegMedia(
            self._engine, transcript, recording=recording, echoes_digits=manner.echo_digits
        )
        negotiation = AudioNegotiation(
            local_address=self._host,
            local_rtp_port=media.stream.local_rtp_port,
            codecs=self._codecs,
            session_id=self._random.getrandbits(_SESSION_ID_BITS),
        )
        return kind(
            peer=peer,
            media=media,
            negotiation=negotiation,
            transcript=transcript,
            sound=manner.sound or self._tone,
        )

    def _is_heard(self, invite: Request) -> bool:
        number = called_number(invite)
        if not isinstance(self._choose(number), Ignore):
            return True
        self.transcript.note("ignored", number)
        self._note_ignored(invite)
        return False

    def _receive(self, session: InboundSession) -> None:
        number = called_number(session.request)
        self.transcript.note("called", number)
        if not self._admit(session):
            return
        behaviour = self._choose(number)
        manner = behaviour if isinstance(behaviour, Answer) else Answer()
        try:
            leg = self._make_leg(InboundLeg, str(session.request.from_.uri), manner)
        except MediaError:
            session.reject(503)
            return
        try:
            leg.begin(session)
        except SdpError as error:
            leg.reject(error.status_hint)
            return
        self.legs.append(leg)
        if not self._arrived.full():
            self._arrived.put_nowait(leg)
        _ = self._scope.start(act(leg, behaviour), name="act")


def called_number(invite: Request) -> str:
    """Return the user part of the Request-URI, or nothing."""
    uri = invite.request_uri
    return (uri.user or "") if isinstance(uri, SipUri) else ""


async def _converse_when_answered(leg: OutboundLeg, manner: Answer) -> None:
    try:
        await leg.answered(timeout_s=RING_PATIENCE_S)
    except (LegEndedError, TimeoutError):
        return
    await converse(leg, manner)
