//! When to send the next report.

use std::time::Duration;

/// Share of the session bandwidth that is given to RTCP (RFC 3550 §6.2).
const RTCP_SHARE: f64 = 0.05;
/// Share of the RTCP bandwidth that senders have, unless they are more than this share of the
/// members (RFC 3550 §6.2).
const SENDERS_SHARE: f64 = 0.25;
/// Shortest calculated interval, seconds (RFC 3550 §6.2).
const MINIMUM_S: f64 = 5.0;
/// The reduced minimum in seconds is this, divided by the session bandwidth in kbit/s (§6.2).
const REDUCED_MINIMUM_KBIT: f64 = 360.0;
/// e − 3/2: timer reconsideration makes intervals longer, this makes up for it (RFC 3550 §6.3.1).
const COMPENSATION: f64 = std::f64::consts::E - 1.5;
/// Longest deterministic interval, seconds: bounds what absurd sizes or bandwidths can do.
const MAXIMUM_S: f64 = 3600.0;

/// The state of a session that its report interval depends on (RFC 3550 §6.3).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct IntervalInput {
    /// Participants known, ourselves included; counted as 1 when 0.
    pub members: u32,
    /// Those of them that send.
    pub senders: u32,
    /// Bandwidth of the session with all headers below RTP, bit/s; above 0.
    pub session_bits_per_s: f64,
    /// Whether we sent RTP since the report before the last one.
    pub we_sent: bool,
    /// Mean size of the RTCP datagrams seen, UDP and IP headers included, bytes.
    pub average_bytes: f64,
    /// Whether we have sent no RTCP yet.
    pub initial: bool,
    /// [`minimum_interval`] of the session, or 5 s.
    pub minimum: Duration,
}

/// The minimum interval of a unicast session scaled to its bandwidth (RFC 3550 §6.2): 360 s divided
/// by kbit/s, at most 5 s.
///
/// G.711 in frames of 20 ms is 80 kbit/s with IPv4, UDP and RTP headers: 4.5 s.
pub fn minimum_interval(session_bits_per_s: f64) -> Duration {
    let kilobits = (session_bits_per_s / 1000.0).max(f64::MIN_POSITIVE);
    Duration::from_secs_f64((REDUCED_MINIMUM_KBIT / kilobits).min(MINIMUM_S))
}

/// The time from one report to the next, or to the first one (RFC 3550 §6.3.1, A.7).
///
/// `random` is uniformly distributed over 0.0..1.0; a value outside is brought inside. The result
/// lies between 0.41 and 1.24 times the deterministic interval.
pub fn report_interval(input: &IntervalInput, random: f64) -> Duration {
    let random = if random.is_nan() {
        0.5
    } else {
        random.clamp(0.0, 1.0)
    };
    Duration::from_secs_f64(deterministic_s(input) * (0.5 + random) / COMPENSATION)
}

/// Td of RFC 3550 §6.3.1, seconds.
fn deterministic_s(input: &IntervalInput) -> f64 {
    let members = input.members.max(1);
    let senders = input.senders.min(members);
    let few_senders = f64::from(senders) <= f64::from(members) * SENDERS_SHARE;
    let (share, count) = match (few_senders, input.we_sent) {
        (true, true) => (SENDERS_SHARE, senders),
        (true, false) => (1.0 - SENDERS_SHARE, members - senders),
        (false, _) => (1.0, members),
    };
    let bytes_per_s = input.session_bits_per_s / 8.0 * RTCP_SHARE * share;
    let fair = f64::from(count) * input.average_bytes / bytes_per_s;
    let scale = if input.initial { 0.5 } else { 1.0 };
    let minimum = input.minimum.as_secs_f64() * scale;
    // `max` leaves out what is not a number.
    fair.max(minimum).min(MAXIMUM_S)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Two parties of a G.711 call.
    const CALL: IntervalInput = IntervalInput {
        members: 2,
        senders: 2,
        session_bits_per_s: 80_000.0,
        we_sent: true,
        average_bytes: 120.0,
        initial: false,
        minimum: Duration::from_secs(5),
    };

    fn seconds(input: IntervalInput, random: f64) -> f64 {
        report_interval(&input, random).as_secs_f64()
    }

    #[test]
    fn a_call_reports_about_every_five_seconds() {
        assert!((seconds(CALL, 0.0) - 2.0521).abs() < 1e-3);
        assert!((seconds(CALL, 0.5) - 4.1042).abs() < 1e-3);
        assert!((seconds(CALL, 1.0) - 6.1562).abs() < 1e-3);
    }

    #[test]
    fn the_first_report_comes_in_half_the_time() {
        let first = IntervalInput {
            initial: true,
            ..CALL
        };
        assert!((seconds(first, 0.5) * 2.0 - seconds(CALL, 0.5)).abs() < 1e-6);
    }

    #[test]
    fn few_senders_share_a_quarter_of_the_bandwidth_and_receivers_the_rest() {
        // RTCP has 500 bytes/s: senders 125, receivers 375.
        let crowd = IntervalInput {
            members: 400,
            senders: 100,
            average_bytes: 100.0,
            ..CALL
        };
        let sender = seconds(crowd, 0.5) * COMPENSATION;
        assert!((sender - 100.0 * 100.0 / 125.0).abs() < 1e-6);
        let receiver = IntervalInput {
            we_sent: false,
            ..crowd
        };
        assert!((seconds(receiver, 0.5) * COMPENSATION - 80.0).abs() < 1e-6);
    }

    #[test]
    fn many_senders_and_receivers_are_treated_alike() {
        let crowd = IntervalInput {
            members: 400,
            senders: 101,
            average_bytes: 100.0,
            ..CALL
        };
        let listening = IntervalInput {
            we_sent: false,
            ..crowd
        };
        assert!((seconds(crowd, 0.5) * COMPENSATION - 80.0).abs() < 1e-6);
        assert_eq!(seconds(crowd, 0.5), seconds(listening, 0.5));
    }

    #[test]
    fn the_minimum_shrinks_above_72_kbit_per_second() {
        assert_eq!(minimum_interval(64_000.0), Duration::from_secs(5));
        assert_eq!(minimum_interval(72_000.0), Duration::from_secs(5));
        assert_eq!(minimum_interval(80_000.0), Duration::from_millis(4500));
        assert_eq!(minimum_interval(0.0), Duration::from_secs(5));
    }

    #[test]
    fn absurd_figures_give_a_bounded_interval() {
        let silent = IntervalInput {
            session_bits_per_s: 0.0,
            ..CALL
        };
        assert!(seconds(silent, 1.0) <= MAXIMUM_S * 1.5);
        let nothing = IntervalInput {
            average_bytes: f64::NAN,
            members: 0,
            ..CALL
        };
        assert!((seconds(nothing, f64::NAN) - seconds(CALL, 0.5)).abs() < 1e-9);
    }

    proptest! {
        #[test]
        fn the_interval_is_spread_around_the_deterministic_one(
            members in 0u32..100_000,
            senders in 0u32..100_000,
            bits_per_s in 1_000.0..1e7,
            average_bytes in 0.0..1500.0,
            we_sent: bool,
            initial: bool,
            random in 0.0..1.0,
        ) {
            let input = IntervalInput {
                members, senders, session_bits_per_s: bits_per_s, we_sent, average_bytes, initial,
                minimum: minimum_interval(bits_per_s),
            };
            let middle = seconds(input, 0.5);
            prop_assert!(middle >= input.minimum.as_secs_f64() / 2.0 / COMPENSATION - 1e-6);
            prop_assert!((seconds(input, random) - middle * (0.5 + random)).abs() < 1e-6);
        }
    }
}
