"""Offer and answer for one audio stream (RFC 3264, RFC 3261 §13.2.1, RFC 6337).

An :class:`AudioNegotiation` lives as long as its dialog. It makes our descriptions, understands the
peer's, and after each exchange gives an :class:`~orbit_voice.sdp.plan.AudioPlan`. Who may say what
when stands in :mod:`orbit_voice.sdp.exchange`. A step that is refused or fails changes nothing.

Choices that the standards leave open:

- An answer of ours names one codec, the first of ours that the peer offers, and telephone-event
  when it is offered. An offer of ours always lists all of our codecs.
- Of several streams the first usable one is taken (in a re-offer the one in use, while it is
  usable); the others are refused in place, and stay refused in our later offers.
- What we want to send and receive outlives an exchange (RFC 6337 §5.3): who was put on hold by the
  peer does not offer hold afterwards.
- A description that differs from the last one we sent has a version one higher, also when that one
  was refused: the peer has seen it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from orbit_voice.sdp.audio import NOT_AUDIO, Format, RemoteAudio, read_audio
from orbit_voice.sdp.description import MediaDescription, SessionDescription, parse_sdp
from orbit_voice.sdp.direction import Direction
from orbit_voice.sdp.errors import SdpError
from orbit_voice.sdp.exchange import Input, State, next_state
from orbit_voice.sdp.formats import FormatsInUse, choose_from_offer, pair_with_answer
from orbit_voice.sdp.local import DescriptionWriter, LocalAudio
from orbit_voice.sdp.plan import AudioPlan

__all__ = ["AudioNegotiation", "AudioPlan", "Direction", "State"]

_MUX_FORBIDDEN: Final = range(64, 96)
"""Payload types that look like RTCP on a shared port (RFC 5761 §4)."""


@dataclass(frozen=True, slots=True)
class _Offer:
    """An offer of ours: all streams, which is ours, what it lists, what we want of it."""

    media: tuple[MediaDescription, ...]
    index: int
    formats: tuple[Format, ...]
    wish: Direction
    rtcp_mux: bool


@dataclass(frozen=True, slots=True)
class _Agreement:
    """What holds since the last exchange: our streams, our formats, the peer's stream."""

    media: tuple[MediaDescription, ...]
    formats: tuple[Format, ...]
    remote: RemoteAudio
    plan: AudioPlan


class AudioNegotiation:
    """The offer/answer side of one dialog.

    Args:
        local_address: Numeric address the peer shall send media to, IPv4 or IPv6. A peer of the
            other family is refused with 488.
        local_rtp_port: Where we want RTP; RTCP comes to the next port.
        codecs: Of ``PCMU`` and ``PCMA``, in order of preference.
        session_id: Identifies our descriptions, 0 to 2**63 - 1; unique per session.
        ptime_ms: What we would like a packet to hold: 20, 40 or 60.
        telephone_event: Whether to offer and accept RFC 4733 events.

    Attributes:
        state: Where the exchange stands.

    Raises:
        ValueError: An argument is out of its range.
    """

    def __init__(
        self,
        *,
        local_address: str,
        local_rtp_port: int,
        codecs: tuple[str, ...],
        session_id: int,
        ptime_ms: int = 20,
        telephone_event: bool = True,
    ) -> None:
        self.state = State.NEW
        self._local = LocalAudio(local_rtp_port, codecs, ptime_ms, telephone_event)
        self._writer = DescriptionWriter(local_address, session_id)
        self._wish = Direction.SENDRECV
        self._offer: _Offer | None = None
        self._received: tuple[SessionDescription, RemoteAudio] | None = None
        self._agreed: _Agreement | None = None

    @property
    def plan(self) -> AudioPlan | None:
        """What the last finished exchange came to, or None."""
        return None if self._agreed is None else self._agreed.plan

    def make_offer(self, direction: Direction | None = None) -> bytes:
        """Return an offer: for an INVITE, a re-INVITE, or a 2xx to an INVITE without one.

        Args:
            direction: What we want from now on (hold is ``SENDONLY`` or ``INACTIVE``); None: as
                before, at first ``SENDRECV``.

        Raises:
            LocalProtocolError: An offer is open, ours or the peer's.
        """
        following = next_state(self.state, Input.MAKE_OFFER)
        self._offer = self._compose_offer(direction or self._wish)
        self.state = following
        return self._writer.write(self._offer.media)

    def receive_answer(self, sdp: bytes) -> AudioPlan:
        """Take the answer to our offer.

        Until the next offer a further answer is taken too and replaces the one before: early media
        and the 2xx may come from different forks (RFC 3261 §13.2.2.4).

        Raises:
            SdpError: It is malformed, refuses the stream, has nothing in common with the offer, or
                nobody asked. The offer stays open: roll it back or end the call.
        """
        following = next_state(self.state, Input.RECEIVE_ANSWER)
        offer = self._offer
        assert offer is not None  # by the table
        answer = parse_sdp(sdp)
        if len(answer.media) != len(offer.media):
            raise SdpError("the answer does not match the streams offered", section="RFC 3264 §6")
        remote = read_audio(answer, offer.index, family=self._writer.family)
        send, receive = pair_with_answer(offer.formats, remote)
        rtcp_mux = offer.rtcp_mux and remote.rtcp_mux
        direction = offer.wish.within(remote.direction)
        plan = self._plan(remote, direction, send, receive, rtcp_mux=rtcp_mux)
        self._agreed = _Agreement(offer.media, receive.all, remote, plan)
        self._wish = offer.wish
        self.state = following
        return plan

    def receive_offer(self, sdp: bytes) -> None:
        """Take an offer of the peer; :meth:`make_answer` or :meth:`roll_back` follows.

        Raises:
            SdpError: ``status_hint`` 488: nothing in it can be used; 400: malformed; 491: it
                crossed an offer of ours; 500: the one before is still open (RFC 3261 §14.2). The
                session goes on as it was.
        """
        following = next_state(self.state, Input.RECEIVE_OFFER)
        offer = parse_sdp(sdp)
        self._received = (offer, self._choose_stream(offer))
        self.state = following

    def make_answer(self, direction: Direction | None = None) -> tuple[bytes, AudioPlan]:
        """Return the answer to the peer's offer, and what both now do.

        Args:
            direction: What we want from now on; None: as before, at first ``SENDRECV``. The offer
                may allow less.

        Raises:
            LocalProtocolError: No offer of the peer is open.
        """
        following = next_state(self.state, Input.MAKE_ANSWER)
        assert self._received is not None  # by the table
        offer, remote = self._received
        wish = direction or self._wish
        chosen = self._choose_formats(remote)
        rtcp_mux = remote.rtcp_mux and not any(
            known.payload_type in _MUX_FORBIDDEN for known in chosen.all
        )
        answered = wish.within(remote.direction)
        plan = self._plan(remote, answered, chosen, chosen, rtcp_mux=rtcp_mux)
        media = [_refuse(stream) for stream in offer.media]
        media[remote.index] = self._local.describe(
            remote.protocol, chosen.all, answered, rtcp_mux=rtcp_mux
        )
        self._agreed = _Agreement(tuple(media), chosen.all, remote, plan)
        self._received, self._wish = None, wish
        self.state = following
        return self._writer.write(tuple(media), offer.timings), plan

    def roll_back(self) -> None:
        """Drop the open offer, ours or the peer's: it was refused. What was agreed stays.

        Raises:
            LocalProtocolError: No offer is open.
        """
        self.state = next_state(self.state, Input.ROLL_BACK)
        self._offer = self._received = None

    def _compose_offer(self, wish: Direction) -> _Offer:
        agreed = self._agreed
        if agreed is None:
            formats = self._local.formats()
            ours = self._local.describe("RTP/AVP", formats, wish, rtcp_mux=False)
            return _Offer((ours,), 0, formats, wish, rtcp_mux=False)
        remote, rtcp_mux = agreed.remote, agreed.plan.rtcp_mux
        formats = self._local.formats(agreed=agreed.formats, taken=remote.payload_types)
        media = [_refuse(stream) for stream in agreed.media]
        media[remote.index] = self._local.describe(
            remote.protocol, formats, wish, rtcp_mux=rtcp_mux
        )
        return _Offer(tuple(media), remote.index, formats, wish, rtcp_mux)

    def _choose_stream(self, offer: SessionDescription) -> RemoteAudio:
        indices = list(range(len(offer.media)))
        if self._agreed is not None:
            in_use = self._agreed.remote.index
            indices.sort(key=lambda index: index != in_use)
        objections: list[SdpError] = []
        for index in indices:
            try:
                remote = read_audio(offer, index, family=self._writer.family)
                self._choose_formats(remote)
            except SdpError as objection:
                objections.append(objection)
            else:
                return remote
        raise _most_telling(objections)

    def _choose_formats(self, remote: RemoteAudio) -> FormatsInUse:
        local = self._local
        return choose_from_offer(remote, local.codecs, telephone_event=local.telephone_event)

    def _plan(
        self,
        remote: RemoteAudio,
        direction: Direction,
        send: FormatsInUse,
        receive: FormatsInUse,
        *,
        rtcp_mux: bool,
    ) -> AudioPlan:
        return AudioPlan(
            remote_address=str(remote.address),
            remote_rtp_port=remote.port,
            remote_rtcp_port=remote.port if rtcp_mux else remote.rtcp_port,
            rtcp_mux=rtcp_mux,
            codec=send.codec.encoding,
            send_payload_type=send.codec.payload_type,
            receive_payload_type=receive.codec.payload_type,
            telephone_event_send=send.event_payload_type,
            telephone_event_receive=receive.event_payload_type,
            ptime_ms=self._local.choose_ptime(remote.ptime_ms, remote.max_ptime_ms),
            sends=direction.sends and not remote.black_hole,
            receives=direction.receives,
        )


def _refuse(stream: MediaDescription) -> MediaDescription:
    """Return the refusal of a stream: port 0, and the formats it had (RFC 3264 §6)."""
    return MediaDescription(replace(stream.line, port=0, port_count=1))


def _most_telling(objections: list[SdpError]) -> SdpError:
    """Return why an offer is refused; that a stream is no audio says least."""
    if not objections:
        return SdpError("the offer has no stream", status_hint=488)
    return next((known for known in objections if known.reason != NOT_AUDIO), objections[0])
