//! `orbit_voice._native`: the Python face of the media engine. The only file that knows Python.
//!
//! Plain values in and out; what they mean is said in `orbit_voice.media`.

use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::path::{Path, PathBuf};

use pyo3::create_exception;
use pyo3::exceptions::PyException;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::codec::g711::Law;
use crate::engine::{Engine, EngineError as Refusal, Failure, StreamHandle};
use crate::events::Event;
use crate::io::floor;
use crate::stream::plan::{PacketTime, Plan, PlanError, media_timeout_us};
use crate::stream::report::StatisticsReport;

const US_PER_S: f64 = 1e6;
const NS_PER_S: f64 = 1e9;

create_exception!(
    orbit_voice._native,
    EngineError,
    PyException,
    "The engine refused; args are (failure, detail)."
);

impl From<Refusal> for PyErr {
    fn from(error: Refusal) -> Self {
        EngineError::new_err((error.failure.code(), error.detail))
    }
}

fn refusal(failure: Failure, detail: impl std::fmt::Display) -> PyErr {
    Refusal::new(failure, detail).into()
}

/// Media threads, their sockets and their clock.
#[pyclass(frozen, name = "Engine", module = "orbit_voice._native")]
struct PyEngine(Engine);

#[pymethods]
impl PyEngine {
    #[new]
    #[pyo3(signature = (bind_address, first_port, last_port, shards))]
    fn new(
        bind_address: &str,
        first_port: u16,
        last_port: u16,
        shards: Option<usize>,
    ) -> PyResult<Self> {
        let address = parse_address(bind_address, Failure::Unavailable)?;
        Ok(Self(Engine::start(
            address,
            first_port..=last_port,
            shards,
        )?))
    }

    #[getter]
    fn event_fd(&self) -> RawFd {
        self.0.events().as_fd().as_raw_fd()
    }

    fn open_stream(&self, py: Python<'_>) -> PyResult<PyStream> {
        let stream = py.detach(|| self.0.open_stream())?;
        Ok(PyStream(stream))
    }

    fn prefetch(&self, py: Python<'_>, paths: Vec<PathBuf>) -> PyResult<()> {
        py.detach(|| self.0.prefetch(paths.iter().map(PathBuf::as_path)))?;
        Ok(())
    }

    fn take_events<'py>(
        &self,
        py: Python<'py>,
    ) -> PyResult<Vec<(u64, &'static str, Bound<'py, PyTuple>)>> {
        let events = self.0.take_events().into_iter();
        events
            .map(|(stream, event)| {
                let (name, fields) = event_fields(py, event)?;
                Ok((stream, name, fields))
            })
            .collect()
    }

    fn metrics<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let metrics = self.0.metrics();
        let fields = PyDict::new(py);
        fields.set_item("shards", metrics.shards)?;
        fields.set_item("shards_failed", metrics.shards_failed)?;
        fields.set_item("streams", metrics.streams)?;
        fields.set_item("stream_failures", metrics.stream_failures)?;
        fields.set_item("recordings", metrics.recordings)?;
        fields.set_item("ports_free", metrics.ports_free)?;
        fields.set_item("ports_quarantined", metrics.ports_quarantined)?;
        fields.set_item("ticks", metrics.ticks)?;
        fields.set_item("ticks_skipped", metrics.ticks_skipped)?;
        for (name, quantiles) in [("late", metrics.tick_late), ("work", metrics.tick_work)] {
            fields.set_item(format!("tick_{name}_p50_us"), quantiles.p50_us)?;
            fields.set_item(format!("tick_{name}_p99_us"), quantiles.p99_us)?;
            fields.set_item(format!("tick_{name}_max_us"), quantiles.max_us)?;
        }
        let cpu_s = metrics.media_thread_cpu_ns as f64 / NS_PER_S;
        fields.set_item("media_thread_cpu_s", cpu_s)?;
        fields.set_item("events_queued", metrics.events_queued)?;
        fields.set_item("events_dropped", metrics.events_dropped)?;
        fields.set_item("prompt_cache_bytes", metrics.prompt_cache_bytes)?;
        Ok(fields)
    }

    fn close(&self, py: Python<'_>) {
        py.detach(|| self.0.close());
    }
}

/// One RTP stream.
#[pyclass(frozen, name = "Stream", module = "orbit_voice._native")]
struct PyStream(StreamHandle);

#[pymethods]
impl PyStream {
    #[getter]
    fn id(&self) -> u64 {
        self.0.id()
    }

    #[getter]
    fn rtp_port(&self) -> u16 {
        self.0.rtp_port()
    }

    #[pyo3(signature = (*, remote_address, remote_rtp_port, remote_rtcp_port, rtcp_mux, codec,
        send_payload_type, receive_payload_type, telephone_event_send, telephone_event_receive,
        ptime_ms, sends, receives, symmetric, media_timeout_s))]
    #[allow(clippy::too_many_arguments)] // one for each field of the plan
    fn configure(
        &self,
        remote_address: &str,
        remote_rtp_port: i64,
        remote_rtcp_port: i64,
        rtcp_mux: bool,
        codec: &str,
        send_payload_type: i64,
        receive_payload_type: i64,
        telephone_event_send: Option<i64>,
        telephone_event_receive: Option<i64>,
        ptime_ms: i64,
        sends: bool,
        receives: bool,
        symmetric: bool,
        media_timeout_s: Option<f64>,
    ) -> PyResult<()> {
        let address = parse_address(remote_address, Failure::BadPlan)?;
        let plan = Plan {
            remote_rtp: SocketAddr::new(address, port(remote_rtp_port)?),
            remote_rtcp: SocketAddr::new(address, port(remote_rtcp_port)?),
            rtcp_mux,
            law: law(codec)?,
            send_payload_type: payload_type(send_payload_type)?,
            receive_payload_type: payload_type(receive_payload_type)?,
            event_send: telephone_event_send.map(payload_type).transpose()?,
            event_receive: telephone_event_receive.map(payload_type).transpose()?,
            packet_time: packet_time(ptime_ms)?,
            sends,
            receives,
            symmetric,
            media_timeout_us: media_timeout_s
                .map(media_timeout_us)
                .transpose()
                .map_err(bad_plan)?,
        };
        Ok(self.0.configure(plan)?)
    }

    #[pyo3(signature = (paths, r#loop))]
    fn play(&self, py: Python<'_>, paths: Vec<PathBuf>, r#loop: bool) -> PyResult<u64> {
        let paths = paths.iter().map(PathBuf::as_path);
        Ok(py.detach(|| self.0.play(paths, r#loop))?)
    }

    fn stop_playing(&self) {
        self.0.stop_playing();
    }

    fn send_dtmf(&self, digits: &str, duration_ms: i64, gap_ms: i64) -> PyResult<()> {
        let ms = |ms: i64| {
            u32::try_from(ms).map_err(|_| refusal(Failure::BadDigits, "a duration is out of range"))
        };
        Ok(self.0.send_dtmf(digits, ms(duration_ms)?, ms(gap_ms)?)?)
    }

    fn start_recording(&self, py: Python<'_>, path: PathBuf) -> PyResult<()> {
        Ok(py.detach(|| self.0.start_recording(&path))?)
    }

    fn stop_recording(&self) {
        self.0.stop_recording();
    }

    fn statistics<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        statistics_fields(py, &self.0.statistics())
    }

    fn close(&self) {
        self.0.close();
    }
}

/// What the packets of `legs` calls cost the kernel in `ticks` ticks of 20 ms, with no engine
/// above it: CPU seconds, packets sent, packets received.
#[pyfunction]
fn kernel_floor(py: Python<'_>, legs: usize, ticks: u64) -> PyResult<(f64, u64, u64)> {
    let floor = py.detach(|| floor::measure(legs, ticks))?;
    Ok((floor.cpu_ns as f64 / NS_PER_S, floor.sent, floor.received))
}

fn bad_plan(error: PlanError) -> PyErr {
    refusal(Failure::BadPlan, error)
}

fn parse_address(text: &str, failure: Failure) -> PyResult<IpAddr> {
    text.parse()
        .map_err(|_| refusal(failure, format!("{text:?} is not a numeric IP address")))
}

fn port(port: i64) -> PyResult<u16> {
    u16::try_from(port).map_err(|_| refusal(Failure::BadPlan, "a port is outside 0-65535"))
}

fn payload_type(number: i64) -> PyResult<u8> {
    u8::try_from(number).map_err(|_| bad_plan(PlanError::PayloadType))
}

fn packet_time(ms: i64) -> PyResult<PacketTime> {
    let ms = u32::try_from(ms).ok().and_then(PacketTime::from_ms);
    ms.ok_or_else(|| bad_plan(PlanError::PacketTime))
}

fn law(codec: &str) -> PyResult<Law> {
    match codec {
        "PCMU" => Ok(Law::Mu),
        "PCMA" => Ok(Law::A),
        _ => Err(bad_plan(PlanError::Codec)),
    }
}

/// Text for Python; what is not UTF-8 in a path comes back as it went in.
fn path_text(py: Python<'_>, path: &Path) -> PyResult<Py<PyAny>> {
    Ok(path.as_os_str().into_pyobject(py)?.into_any().unbind())
}

/// Name and fields of an event, in the order `orbit_voice.media.dispatch` takes them.
fn event_fields<'py>(
    py: Python<'py>,
    event: Event,
) -> PyResult<(&'static str, Bound<'py, PyTuple>)> {
    Ok(match event {
        Event::MediaStarted(source) => (
            "media_started",
            (source.ip().to_string(), source.port()).into_pyobject(py)?,
        ),
        Event::MediaTimedOut(silent_us) => (
            "media_timed_out",
            (silent_us as f64 / US_PER_S,).into_pyobject(py)?,
        ),
        Event::PlayFinished { play, completed } => {
            ("play_finished", (play, completed).into_pyobject(py)?)
        }
        Event::DtmfReceived { digit, duration_ms } => {
            ("dtmf_received", (digit, duration_ms).into_pyobject(py)?)
        }
        Event::DtmfSent(digits) => ("dtmf_sent", (digits,).into_pyobject(py)?),
        Event::RecordingFinished {
            path,
            samples,
            size_bytes,
            sha256,
            lost_samples,
        } => (
            "recording_finished",
            (
                path_text(py, &path)?,
                samples,
                size_bytes,
                sha256,
                lost_samples,
            )
                .into_pyobject(py)?,
        ),
        Event::RecordingFailed { path, reason, kept } => {
            let kept = kept.map(|kept| path_text(py, &kept)).transpose()?;
            let fields = (path_text(py, &path)?, reason, kept).into_pyobject(py)?;
            ("recording_failed", fields)
        }
        Event::StreamClosed(report) => (
            "stream_closed",
            (statistics_fields(py, &report)?,).into_pyobject(py)?,
        ),
    })
}

fn statistics_fields<'py>(
    py: Python<'py>,
    report: &StatisticsReport,
) -> PyResult<Bound<'py, PyDict>> {
    let fields = PyDict::new(py);
    fields.set_item("packets_sent", report.packets_sent)?;
    fields.set_item("bytes_sent", report.bytes_sent)?;
    fields.set_item("packets_received", report.packets_received)?;
    fields.set_item("bytes_received", report.bytes_received)?;
    fields.set_item("lost", report.lost)?;
    fields.set_item("loss_percent", report.loss_percent)?;
    fields.set_item("jitter_ms", report.jitter_ms)?;
    fields.set_item("rtt_ms", report.rtt_ms)?;
    fields.set_item("mos", report.mos)?;
    fields.set_item("duplicates", report.duplicates)?;
    fields.set_item("reordered", report.reordered)?;
    fields.set_item("late", report.late)?;
    fields.set_item("discarded_source", report.discarded_source)?;
    fields.set_item("discarded_invalid", report.discarded_invalid)?;
    fields.set_item("concealed_ms", report.concealed_ms)?;
    fields.set_item("jitter_buffer_ms", report.jitter_buffer_ms)?;
    fields.set_item("source_changes_refused", report.source_changes_refused)?;
    fields.set_item("ssrc_changes", report.ssrc_changes)?;
    fields.set_item("remote_loss_percent", report.remote_loss_percent)?;
    fields.set_item("remote_jitter_ms", report.remote_jitter_ms)?;
    fields.set_item("send_errors", report.send_errors)?;
    Ok(fields)
}

#[pymodule]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add("EngineError", module.py().get_type::<EngineError>())?;
    module.add_class::<PyEngine>()?;
    module.add_class::<PyStream>()?;
    module.add_function(wrap_pyfunction!(kernel_floor, module)?)
}
