"""What leaves the socket, packet by packet."""

from __future__ import annotations

import itertools
import struct

import pytest

from orbit_voice.media import DtmfSent, MediaStarted, StreamClosed


def steps(packets):
    """Sequence and timestamp steps from each packet to the next."""
    return [
        ((b.sequence - a.sequence) % 2**16, (b.timestamp - a.timestamp) % 2**32)
        for a, b in itertools.pairwise(packets)
    ]


@pytest.mark.parametrize(
    ("codec", "payload_type", "silence"), [("PCMU", 0, 0xFF), ("PCMA", 8, 0xD5)]
)
def test_silence_is_sent_while_nothing_plays(run, party, plan, peer, codec, payload_type, silence):
    async def scenario(engine):
        changes = {"codec": codec, "send_payload_type": payload_type}
        party(engine).stream.configure(plan(peer.port, **changes))
        packets = await peer.packets(25)
        assert {packet.payload for packet in packets} == {bytes([silence]) * 160}
        assert {packet.payload_type for packet in packets} == {payload_type}
        assert len({packet.ssrc for packet in packets}) == 1
        assert [packet.marker for packet in packets] == [True] + [False] * 24
        assert set(steps(packets)) == {(1, 160)}

    run(scenario)


@pytest.mark.parametrize("ptime_ms", [10, 20, 30, 40, 60])
def test_packets_hold_the_packet_time_that_was_agreed_on(run, party, plan, peer, ptime_ms):
    async def scenario(engine):
        party(engine).stream.configure(plan(peer.port, ptime_ms=ptime_ms))
        packets = await peer.packets(10)
        assert {len(packet.payload) for packet in packets} == {ptime_ms * 8}
        assert set(steps(packets)) == {(1, ptime_ms * 8)}

    run(scenario)


def test_a_new_packet_time_leaves_no_gap_in_the_timestamps(run, party, plan, peer):
    async def scenario(engine):
        stream = party(engine).stream
        packets = []
        for ptime_ms in (60, 10, 30, 20):
            stream.configure(plan(peer.port, ptime_ms=ptime_ms))
            packets += await peer.packets(7)
        for packet, (sequence, timestamp) in zip(packets, steps(packets), strict=False):
            assert sequence == 1
            assert timestamp == len(packet.payload)

    run(scenario)


def test_a_pause_on_hold_shows_in_the_timestamps_and_the_marker(run, party, plan, peer):
    async def scenario(engine):
        talker, clock = party(engine), party(engine)
        talker.stream.configure(plan(peer.port))
        clock.talk_to(party(engine))
        before = (await peer.packets(10))[-1]
        talker.stream.configure(plan(peer.port, sends=False))
        await clock.receive_more(20)
        quiet = peer.receive()
        await clock.receive_more(20)
        assert peer.receive() == []
        talker.stream.configure(plan(peer.port))
        (after,) = await peer.packets(1)
        last = quiet[-1] if quiet else before
        assert after.marker
        assert (after.sequence - last.sequence) % 2**16 == 1
        assert (after.timestamp - last.timestamp) % 2**32 >= 20 * 160

    run(scenario)


def test_a_digit_is_sent_as_rfc_4733_says(run, party, plan, peer):
    async def scenario(engine):
        talker = party(engine)
        talker.stream.configure(plan(peer.port))
        await peer.packets(5)
        talker.stream.send_dtmf("#", duration_ms=100)
        packets = await peer.packets(40)
        await talker.hear(DtmfSent)
        events = [packet for packet in packets if packet.payload_type == 101]
        assert len({packet.timestamp for packet in events}) == 1
        assert [packet.marker for packet in events] == [True] + [False] * 6
        reports = [struct.unpack("!BBH", packet.payload) for packet in events]
        assert [(event, flags >> 7, duration) for event, flags, duration in reports] == [
            (11, 0, 160),
            (11, 0, 320),
            (11, 0, 480),
            (11, 0, 640),
            (11, 1, 800),
            (11, 1, 800),
            (11, 1, 800),
        ]
        audio = [packet for packet in packets if packet.payload_type == 0]
        assert {timestamp % 160 for _, timestamp in steps(audio)} == {0}
        assert {sequence for sequence, _ in steps(packets)} == {1}

    run(scenario)


def reports_of(datagram):
    """Packet types and bodies of a compound RTCP packet."""
    packets = []
    while datagram:
        _, kind, words = struct.unpack("!BBH", datagram[:4])
        packets.append((kind, datagram[4 : 4 + 4 * words]))
        datagram = datagram[4 + 4 * words :]
    return packets


def test_reports_are_sent_and_understood_and_the_last_one_says_goodbye(
    run, party, plan, peer, wait, drained
):
    async def scenario(engine):
        talker = party(engine)
        talker.stream.configure(plan(peer.port))
        (first,) = await peer.packets(1)
        for _ in range(3):
            peer.send(talker.port)
        report = await wait(lambda: drained(peer.rtcp))
        (kind, sender), (description, _) = reports_of(report[0])
        assert (kind, description) == (200, 202)
        ssrc, seconds, fraction, _, packets, octets = struct.unpack("!6I", sender[:24])
        assert ssrc == first.ssrc
        assert octets == packets * 160
        about, loss, highest = struct.unpack("!3I", sender[24:36])
        assert (about, loss, highest) == (7, 0, 3)
        # We answer: a quarter of 100 packets lost, jitter 10 ms, sent at once.
        middle = (seconds & 0xFFFF) << 16 | fraction >> 16
        block = struct.pack("!6I", ssrc, 64 << 24 | packets // 4, 100, 80, middle, 0)
        answer = struct.pack("!BBHI", 0x81, 201, 7, 7) + block
        peer.rtcp.sendto(answer, ("127.0.0.1", talker.port + 1))
        await wait(lambda: talker.stream.statistics().rtt_ms is not None)
        statistics = talker.stream.statistics()
        assert statistics.remote_jitter_ms == 10
        assert statistics.remote_loss_percent == pytest.approx(25, abs=3)
        talker.stream.close()
        await talker.hear(StreamClosed)
        *_, last = await wait(lambda: drained(peer.rtcp))
        assert [kind for kind, _ in reports_of(last)] == [200, 202, 203]

    run(scenario)


def test_reports_share_the_port_where_that_was_agreed_on(run, party, plan, peer, wait):
    async def scenario(engine):
        talker = party(engine)
        muxed = plan(peer.port, rtcp_mux=True, remote_rtcp_port=peer.port)
        talker.stream.configure(muxed)
        found = []
        await wait(
            lambda: found.extend(peer.receive()) or any(p.payload_type == 72 for p in found)
        )  # 72 is sender report 200 without its upper bit

    run(scenario)


NOISE = [b"", b"\x80", b"\x80" * 11, b"\xff" * 500, bytes(9), b"\x80\xc8\0\xff" * 5, b"x" * 2100]


def test_datagrams_that_are_no_packets_are_counted_and_do_nothing(run, party, plan, peer, wait):
    async def scenario(engine):
        listener = party(engine)
        listener.stream.configure(plan(peer.port))
        await peer.packets(1)
        for noise in NOISE:
            for port in (listener.port, listener.port + 1):
                peer.rtp.sendto(noise, ("127.0.0.1", port))
        count = 2 * len(NOISE)
        await wait(lambda: listener.stream.statistics().discarded_invalid == count)
        assert listener.events == []
        peer.send(listener.port)
        assert await listener.hear(MediaStarted) == MediaStarted("127.0.0.1", peer.port)

    run(scenario)
