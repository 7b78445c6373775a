"""Types of the compiled media engine (`native/src/python.rs`)."""

from collections.abc import Sequence
from typing import Final, TypedDict

__version__: Final[str]

class EngineError(Exception):
    """``args`` is ``(failure, detail)``; ``failure`` is a value of ``MediaFailure``."""

    args: tuple[str, str]

class StatisticsFields(TypedDict):
    """The fields of ``orbit_voice.media.statistics.StreamStatistics``."""

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

class MetricsFields(TypedDict):
    """The fields of ``orbit_voice.media.statistics.EngineMetrics``."""

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

class Stream:
    """One RTP stream. Every method returns at once; what it costs is a message to a thread."""

    id: int
    rtp_port: int
    def configure(
        self,
        *,
        remote_address: str,
        remote_rtp_port: int,
        remote_rtcp_port: int,
        rtcp_mux: bool,
        codec: str,
        send_payload_type: int,
        receive_payload_type: int,
        telephone_event_send: int | None,
        telephone_event_receive: int | None,
        ptime_ms: int,
        sends: bool,
        receives: bool,
        symmetric: bool,
        media_timeout_s: float | None,
    ) -> None: ...
    def play(self, paths: Sequence[str], loop: bool) -> int: ...
    def stop_playing(self) -> None: ...
    def send_dtmf(self, digits: str, duration_ms: int, gap_ms: int) -> None: ...
    def start_recording(self, path: str) -> None: ...
    def stop_recording(self) -> None: ...
    def statistics(self) -> StatisticsFields: ...
    def close(self) -> None: ...

class Engine:
    """Media threads, their sockets and their clock."""

    event_fd: int
    def __new__(
        cls, bind_address: str, first_port: int, last_port: int, shards: int | None
    ) -> Engine: ...
    def open_stream(self) -> Stream: ...
    def prefetch(self, paths: Sequence[str]) -> None: ...
    def take_events(self) -> list[tuple[int, str, tuple[object, ...]]]: ...
    def metrics(self) -> MetricsFields: ...
    def close(self) -> None: ...

def kernel_floor(legs: int, ticks: int) -> tuple[float, int, int]:
    """CPU seconds, packets sent and received: the kernel's share of ``legs`` calls."""
