//! NTP time stamps and the round trip they give.

use std::time::Duration;

/// Seconds from the NTP epoch (1900) to the Unix epoch (1970) (RFC 5905 figure 4).
const UNIX_EPOCH_S: u64 = 2_208_988_800;

/// A moment in NTP format: seconds since 1900 in the upper 32 bits, fractions below
/// (RFC 3550 §4). Wraps in 2036, as the format does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct NtpTime(pub u64);

impl NtpTime {
    /// The NTP time of a moment given as time since 1970 UTC.
    pub fn from_unix(since_1970: Duration) -> Self {
        let seconds = since_1970.as_secs().wrapping_add(UNIX_EPOCH_S) & 0xffff_ffff;
        let fraction = (u64::from(since_1970.subsec_nanos()) << 32) / 1_000_000_000;
        Self(seconds << 32 | fraction)
    }

    /// The middle 32 bits: units of 1/65536 s, wrapping every 18 hours (RFC 3550 §4).
    pub fn middle(self) -> u32 {
        (self.0 >> 16) as u32
    }
}

/// The round trip a report block gives (RFC 3550 §6.4.1, figure 2): now − LSR − DLSR.
///
/// `now` is [`NtpTime::middle`] of the block's arrival, on the clock of our sender reports. None when
/// the peer has had no sender report yet, or when the figures cannot be true: a negative result, or
/// one above 60 s.
pub fn round_trip(now: u32, last_sender_report: u32, delay_since_last: u32) -> Option<Duration> {
    let units = now
        .wrapping_sub(last_sender_report)
        .checked_sub(delay_since_last)?;
    let trip = Duration::from_micros((u64::from(units) * 1_000_000) >> 16);
    let is_true = last_sender_report != 0 && trip <= Duration::from_secs(60);
    is_true.then_some(trip)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unix_time_becomes_ntp_time() {
        let half_past = Duration::from_millis(500);
        assert_eq!(
            NtpTime::from_unix(half_past),
            NtpTime(0x83aa_7e80_8000_0000)
        );
        assert_eq!(NtpTime::from_unix(half_past).middle(), 0x7e80_8000);
        let in_2036 = Duration::from_secs((1 << 32) - UNIX_EPOCH_S);
        assert_eq!(NtpTime::from_unix(in_2036), NtpTime(0));
    }

    #[test]
    fn the_round_trip_is_that_of_the_figure_in_rfc_3550() {
        // Figure 2 of §6.4.1: arrival b710:8000, LSR b705:2000, DLSR 0005:4000, delay 6.125 s.
        let trip = round_trip(0xb710_8000, 0xb705_2000, 0x0005_4000);
        assert_eq!(trip, Some(Duration::from_millis(6125)));
    }

    #[test]
    fn a_round_trip_that_cannot_be_is_none() {
        assert_eq!(round_trip(0x10000, 0, 0), None);
        assert_eq!(round_trip(0x10000, 0x8000, 0x8001), None);
        assert_eq!(round_trip(0x8000, 0x10000, 0), None);
        assert_eq!(
            round_trip(0x0000_4000, 0xffff_c000, 0),
            Some(Duration::from_millis(500))
        );
    }
}
