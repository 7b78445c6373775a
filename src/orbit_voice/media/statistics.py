"""What the engine counted, as frozen values."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StreamStatistics:
    """One stream in figures, from its start.

    Attributes:
        packets_sent: RTP packets that left the socket.
        bytes_sent: Their payload, bytes.
        packets_received: RTP packets accepted, duplicates not counted.
        bytes_received: Their payload, bytes.
        lost: Packets expected by sequence number and never seen (RFC 3550 §A.3).
        loss_percent: ``lost`` of what was expected, 0.0-100.0.
        jitter_ms: Interarrival jitter (RFC 3550 §6.4.1).
        rtt_ms: Round-trip time from RTCP (RFC 3550 §6.4.1); None before the first report.
        mos: Listening quality of the received side, ITU-T G.107 E-model, 1.0-4.5.
        duplicates: Packets seen before.
        reordered: Packets that came after a later one.
        late: Packets that came after their moment of playout.
        discarded_source: Datagrams from an address other than the latched one.
        discarded_invalid: Datagrams that are not RTP or RTCP, or of an unknown payload type.
        concealed_ms: Audio made up for packets that were missing.
        jitter_buffer_ms: Present playout delay.
        source_changes_refused: New sources that asked for the latch and did not get it.
        ssrc_changes: Times the accepted source began a new stream.
        remote_loss_percent: What the peer reports to have lost of ours; None before a report.
        remote_jitter_ms: Jitter the peer reports of ours; None before a report.
        send_errors: Datagrams the operating system refused to send.
    """

    packets_sent: int
    bytes_sent: int
    packets_received: int
    bytes_received: int
    lost: int
    loss_percent: float
    jitter_ms: float
    rtt_ms: float | None
    mos: float
    duplicates: int
    reordered: int
    late: int
    discarded_source: int
    discarded_invalid: int
    concealed_ms: int
    jitter_buffer_ms: int
    source_changes_refused: int
    ssrc_changes: int
    remote_loss_percent: float | None
    remote_jitter_ms: float | None
    send_errors: int

    @property
    def discarded(self) -> int:
        """Datagrams dropped before they could do anything."""
        return self.discarded_source + self.discarded_invalid


@dataclass(frozen=True, slots=True)
class EngineMetrics:
    """The engine in figures, from its start, over all threads.

    Attributes:
        shards: Media threads.
        shards_failed: Of these, how many ended because of an error of ours; their streams ended.
        streams: Streams open.
        stream_failures: Streams that ended because of an error of ours.
        recordings: Recordings open or being finished.
        ports_free: Port pairs that :meth:`MediaEngine.open_stream` could take now.
        ports_quarantined: Port pairs resting after use.
        ticks: Media ticks run.
        ticks_skipped: Ticks given up because the thread came too late; their audio is silence.
        tick_late_p50_us: How late a tick starts, median.
        tick_late_p99_us: The same, 99th percentile.
        tick_late_max_us: The same, worst.
        tick_work_p50_us: How long a tick works, median.
        tick_work_p99_us: The same, 99th percentile.
        tick_work_max_us: The same, worst.
        media_thread_cpu_s: CPU time of all media threads.
        events_queued: Events not yet taken by Python.
        events_dropped: Digits dropped because Python did not take events.
        prompt_cache_bytes: Memory of decoded prompts.
    """

    shards: int
    shards_failed: int
    streams: int
    stream_failures: int
    recordings: int
    ports_free: int
    ports_quarantined: int
    ticks: int
    ticks_skipped: int
    tick_late_p50_us: int
    tick_late_p99_us: int
    tick_late_max_us: int
    tick_work_p50_us: int
    tick_work_p99_us: int
    tick_work_max_us: int
    media_thread_cpu_s: float
    events_queued: int
    events_dropped: int
    prompt_cache_bytes: int
