//! DTMF digits as RTP telephone events (RFC 4733): payload, receiver and sender.

mod receiver;
mod sender;

pub use receiver::{Digit, Digits, EventReceiver};
pub use sender::{EventSender, InvalidDigits, Step};

/// Length of one event report, bytes (RFC 4733 §2.3).
pub const REPORT_BYTES: usize = 4;

/// The digits, in the order of their event codes 0-15 (RFC 4733 §3.2).
const DIGITS: [char; 16] = [
    '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '*', '#', 'A', 'B', 'C', 'D',
];
/// Ticks in a millisecond: events use the audio's clock of 8 kHz.
const TICKS_PER_MS: u32 = 8;

/// The digit of an event code, or None for the events that are not DTMF.
pub fn digit_of(event: u8) -> Option<char> {
    DIGITS.get(usize::from(event)).copied()
}

/// The event code of a digit (`0-9 * # A-D`, either case), or None.
pub fn event_of(digit: char) -> Option<u8> {
    let digit = digit.to_ascii_uppercase();
    DIGITS
        .iter()
        .position(|&known| known == digit)
        .map(|event| event as u8)
}

/// One event report: the payload of a telephone-event packet (RFC 4733 §2.3).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct EventReport {
    /// What happens; 0-15 are the DTMF digits.
    pub event: u8,
    /// Whether it is over.
    pub end: bool,
    /// Power below 0 dBm0, dB, 0-63.
    pub volume: u8,
    /// How long it has lasted, ticks since the packet's timestamp.
    pub duration: u16,
}

impl EventReport {
    /// Read the report at the start of `payload`; None when it is shorter than a report.
    ///
    /// More reports may follow (§2.5.1.5): continue after [`REPORT_BYTES`].
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let [event, flags, high, low] = *payload.first_chunk::<REPORT_BYTES>()?;
        Some(Self {
            event,
            end: flags & 0x80 != 0,
            volume: flags & 0x3f,
            duration: u16::from_be_bytes([high, low]),
        })
    }

    /// The report's wire form. Bits of `volume` above the sixth are not sent.
    pub fn to_bytes(self) -> [u8; REPORT_BYTES] {
        let [high, low] = self.duration.to_be_bytes();
        [
            self.event,
            u8::from(self.end) << 7 | (self.volume & 0x3f),
            high,
            low,
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_report_is_laid_out_as_in_rfc_4733() {
        let report = EventReport {
            event: 11,
            end: true,
            volume: 10,
            duration: 0x0320,
        };
        assert_eq!(report.to_bytes(), [11, 0x8a, 0x03, 0x20]);
    }

    #[test]
    fn digits_and_event_codes_are_inverse() {
        for event in 0..=255 {
            let digit = digit_of(event);
            assert_eq!(digit.is_some(), event < 16);
            assert_eq!(digit.and_then(event_of), digit.map(|_| event));
        }
        assert_eq!(event_of('d'), Some(15));
        assert_eq!(event_of('w'), None);
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_parser_panic(payload: Vec<u8>) {
            prop_assert_eq!(EventReport::parse(&payload).is_some(), payload.len() >= REPORT_BYTES);
        }

        #[test]
        fn what_is_written_is_read_back(
            event: u8, end: bool, volume in 0..64u8, duration: u16
        ) {
            let report = EventReport { event, end, volume, duration };
            prop_assert_eq!(EventReport::parse(&report.to_bytes()), Some(report));
        }
    }
}
