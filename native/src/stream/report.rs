//! A stream in figures.

/// What a stream counted and measured since its start. The Python class `StreamStatistics` has the
/// same fields and says what each means.
#[allow(missing_docs)]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StatisticsReport {
    pub packets_sent: u64,
    pub bytes_sent: u64,
    pub packets_received: u64,
    pub bytes_received: u64,
    pub lost: u64,
    pub loss_percent: f64,
    pub jitter_ms: f64,
    pub rtt_ms: Option<f64>,
    pub mos: f64,
    pub duplicates: u64,
    pub reordered: u64,
    pub late: u64,
    pub discarded_source: u64,
    pub discarded_invalid: u64,
    pub concealed_ms: u64,
    pub jitter_buffer_ms: u32,
    pub source_changes_refused: u64,
    pub ssrc_changes: u64,
    pub remote_loss_percent: Option<f64>,
    pub remote_jitter_ms: Option<f64>,
    pub send_errors: u64,
}

/// The lowest rating there is: what a listener says who hears nothing.
const NOTHING_HEARD: f64 = 1.0;

impl Default for StatisticsReport {
    fn default() -> Self {
        Self {
            packets_sent: 0,
            bytes_sent: 0,
            packets_received: 0,
            bytes_received: 0,
            lost: 0,
            loss_percent: 0.0,
            jitter_ms: 0.0,
            rtt_ms: None,
            mos: NOTHING_HEARD,
            duplicates: 0,
            reordered: 0,
            late: 0,
            discarded_source: 0,
            discarded_invalid: 0,
            concealed_ms: 0,
            jitter_buffer_ms: 0,
            source_changes_refused: 0,
            ssrc_changes: 0,
            remote_loss_percent: None,
            remote_jitter_ms: None,
            send_errors: 0,
        }
    }
}
