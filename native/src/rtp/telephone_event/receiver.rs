//! The receiving end of telephone events.

use std::array;
use std::iter::Flatten;

use super::{EventReport, REPORT_BYTES, TICKS_PER_MS, digit_of};
use crate::rtp::packet::RtpHeader;

/// Reports in one packet that are looked at. Packing is for short contiguous events (§2.5.1.5);
/// nobody presses more keys than that within one packet.
const MAX_REPORTS: usize = 4;
/// Time without a report after which an event without an end is over, microseconds (120 ms): above
/// twice the recommended interval of updates (50 ms, §2.5.1.2), so that two losses in a row do not
/// end it, and below three (§2.5.2.2).
const TIMEOUT_US: u64 = 120_000;
/// Events that are remembered after their end, so that their late packets are known.
const REMEMBERED: usize = 16;
/// A timestamp this far behind the newest event is not late but of another origin, ticks (5 s).
const LATE_TICKS: u32 = 5000 * TICKS_PER_MS;
/// Longest duration of one segment (§2.5.1.3), ticks.
const SEGMENT_TICKS: u32 = 0xffff;

/// A digit that was pressed and released.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Digit {
    /// One of `0-9 * # A-D`.
    pub digit: char,
    /// How long it lasted, milliseconds; what is known of that when its end was lost.
    pub duration_ms: u32,
}

/// The digits one packet completed, in order: at most one per report and the one before them.
pub type Digits = Flatten<array::IntoIter<Option<Digit>, { MAX_REPORTS + 1 }>>;

/// Names one segment of one event.
#[derive(Clone, Copy, Eq, PartialEq)]
struct Key {
    ssrc: u32,
    timestamp: u32,
    event: u8,
}

impl Key {
    /// The segment that this one continues, if its event is a long one.
    fn before(self) -> Self {
        Self {
            timestamp: self.timestamp.wrapping_sub(SEGMENT_TICKS),
            ..self
        }
    }
}

/// The event going on.
#[derive(Clone, Copy)]
struct Active {
    key: Key,
    /// Ticks of the segments before this one.
    before: u32,
    /// Ticks of this segment so far.
    duration: u16,
    heard_us: u64,
}

/// Turns event packets into digits: each once, whatever is lost, doubled or overtaken.
///
/// A digit is reported when its end arrives; when all its ends were lost, then with the next event
/// or by [`EventReceiver::tick`]. Audio does not end an event, as some send both at once. Digits
/// come in the order they were pressed; one whose every report was overtaken by the end of a later
/// one is not reported. Events other than DTMF are ignored.
#[derive(Default)]
pub struct EventReceiver {
    active: Option<Active>,
    ended: [Option<Key>; REMEMBERED],
    next_ended: usize,
    newest: Option<Key>,
}

impl EventReceiver {
    /// A receiver that has heard nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Take one telephone-event packet that arrived at `now_us` (monotonic microseconds).
    pub fn receive(&mut self, header: &RtpHeader, payload: &[u8], now_us: u64) -> Digits {
        let mut digits = [None; MAX_REPORTS + 1];
        let mut count = 0;
        let mut timestamp = header.timestamp;
        for bytes in payload.chunks_exact(REPORT_BYTES).take(MAX_REPORTS) {
            let Some(report) = EventReport::parse(bytes) else {
                break;
            };
            let key = Key {
                ssrc: header.ssrc,
                timestamp,
                event: report.event,
            };
            if digit_of(report.event).is_some() {
                for digit in self
                    .take(key, report, header.marker, now_us)
                    .into_iter()
                    .flatten()
                {
                    // A packet that would complete more is not of this world; the rest is dropped.
                    if let Some(place) = digits.get_mut(count) {
                        *place = Some(digit);
                        count += 1;
                    }
                }
            }
            timestamp = timestamp.wrapping_add(u32::from(report.duration));
        }
        digits.into_iter().flatten()
    }

    /// End an event that has not been heard of for long. Call it at every media tick.
    pub fn tick(&mut self, now_us: u64) -> Option<Digit> {
        let heard_us = self.active?.heard_us;
        if now_us.saturating_sub(heard_us) < TIMEOUT_US {
            None
        } else {
            self.finish()
        }
    }

    /// Take one report: what the new event pushes out, then what the report itself completes.
    fn take(
        &mut self,
        key: Key,
        report: EventReport,
        marker: bool,
        now_us: u64,
    ) -> [Option<Digit>; 2] {
        if self.ended.contains(&Some(key)) {
            return [None, None];
        }
        if !marker && self.ended.contains(&Some(key.before())) && !self.is_active(key) {
            self.remember(key);
            return [None, None];
        }
        let mut pushed_out = None;
        if let Some(active) = &mut self.active {
            if key == active.key {
                active.duration = active.duration.max(report.duration);
                active.heard_us = now_us;
            } else if key.before() == active.key && !marker {
                let ended = active.key;
                active.before = active.before.saturating_add(SEGMENT_TICKS);
                active.key = key;
                active.duration = report.duration;
                active.heard_us = now_us;
                self.remember(ended);
            } else if is_behind(key, active.key) {
                return [self.report_overtaken(key, report), None];
            } else {
                pushed_out = self.finish();
                self.begin(key, report, now_us);
            }
        } else if !self.newest.is_some_and(|newest| is_behind(key, newest)) {
            self.begin(key, report, now_us);
        }
        let completed = if report.end && self.is_active(key) {
            self.finish()
        } else {
            None
        };
        [pushed_out, completed]
    }

    fn is_active(&self, key: Key) -> bool {
        self.active.is_some_and(|active| active.key == key)
    }

    fn begin(&mut self, key: Key, report: EventReport, now_us: u64) {
        self.active = Some(Active {
            key,
            before: 0,
            duration: report.duration,
            heard_us: now_us,
        });
    }

    /// Report an event first heard of when a later one had begun; the later one is still to come.
    fn report_overtaken(&mut self, key: Key, report: EventReport) -> Option<Digit> {
        if self.newest.is_some_and(|newest| is_behind(key, newest)) {
            return None;
        }
        self.remember(key);
        digit(key.event, u32::from(report.duration))
    }

    fn finish(&mut self) -> Option<Digit> {
        let active = self.active.take()?;
        self.remember(active.key);
        let ticks = active.before.saturating_add(u32::from(active.duration));
        digit(active.key.event, ticks)
    }

    fn remember(&mut self, key: Key) {
        self.ended[self.next_ended] = Some(key);
        self.next_ended = (self.next_ended + 1) % REMEMBERED;
        self.newest = Some(key);
    }
}

fn digit(event: u8, ticks: u32) -> Option<Digit> {
    let digit = digit_of(event)?;
    Some(Digit {
        digit,
        duration_ms: ticks / TICKS_PER_MS,
    })
}

/// Whether `key` is of the same stream as `other` and a little older.
fn is_behind(key: Key, other: Key) -> bool {
    let behind = other.timestamp.wrapping_sub(key.timestamp);
    key.ssrc == other.ssrc && (1..=LATE_TICKS).contains(&behind)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp::telephone_event::event_of;
    use proptest::prelude::*;

    const TICK_US: u64 = 20_000;

    #[derive(Clone, Copy, Debug)]
    struct Packet(RtpHeader, [u8; 4]);

    fn packet(digit: char, timestamp: u32, duration: u16, end: bool, marker: bool) -> Packet {
        let event = event_of(digit).unwrap();
        let report = EventReport {
            event,
            end,
            volume: 10,
            duration,
        };
        let header = RtpHeader {
            marker,
            payload_type: 101,
            sequence: 0,
            timestamp,
            ssrc: 7,
        };
        Packet(header, report.to_bytes())
    }

    /// The packets of one press: updates every 20 ms, the end three times.
    fn press(digit: char, timestamp: u32, ms: u16) -> Vec<Packet> {
        let updates = (1..ms / 20).map(|n| packet(digit, timestamp, n * 160, false, n == 1));
        let end = packet(digit, timestamp, ms * 8, true, false);
        updates.chain([end; 3]).collect()
    }

    fn receive_all(receiver: &mut EventReceiver, packets: &[Packet], from_us: u64) -> Vec<Digit> {
        let mut digits = Vec::new();
        for (n, Packet(header, payload)) in packets.iter().enumerate() {
            let now = from_us + n as u64 * TICK_US;
            digits.extend(receiver.tick(now));
            digits.extend(receiver.receive(header, payload, now));
        }
        digits
    }

    fn digit(digit: char, duration_ms: u32) -> Digit {
        Digit { digit, duration_ms }
    }

    #[test]
    fn a_press_is_one_digit_with_its_duration() {
        let mut receiver = EventReceiver::new();
        let digits = receive_all(&mut receiver, &press('5', 1000, 100), 0);
        assert_eq!(digits, [digit('5', 100)]);
        assert_eq!(receiver.tick(10_000_000), None);
    }

    #[test]
    fn the_same_key_twice_is_two_digits() {
        let mut receiver = EventReceiver::new();
        let packets = [press('1', 1000, 60), press('1', 2000, 80)].concat();
        assert_eq!(
            receive_all(&mut receiver, &packets, 0),
            [digit('1', 60), digit('1', 80)]
        );
    }

    #[test]
    fn one_packet_of_a_press_is_enough() {
        let all = press('#', 1000, 100);
        for kept in &all {
            let mut receiver = EventReceiver::new();
            let mut digits = receive_all(&mut receiver, &[*kept], 0);
            digits.extend(receiver.tick(TIMEOUT_US - 1));
            digits.extend(receiver.tick(TIMEOUT_US));
            assert_eq!(digits.len(), 1, "{kept:?}");
            assert_eq!(digits[0].digit, '#');
        }
    }

    #[test]
    fn a_lost_end_is_made_up_by_the_next_event() {
        let mut receiver = EventReceiver::new();
        let packets = [&press('1', 1000, 100)[..3], &press('2', 2000, 100)].concat();
        assert_eq!(
            receive_all(&mut receiver, &packets, 0),
            [digit('1', 60), digit('2', 100)]
        );
    }

    #[test]
    fn packets_after_the_time_out_do_not_make_a_second_digit() {
        let mut receiver = EventReceiver::new();
        let all = press('7', 1000, 400);
        let mut digits = receive_all(&mut receiver, &all[..3], 0);
        digits.extend(receive_all(&mut receiver, &all[10..], 400_000));
        assert_eq!(digits, [digit('7', 60)]);
    }

    #[test]
    fn an_end_overtaken_by_the_next_press_comes_before_it() {
        let mut receiver = EventReceiver::new();
        let (first, second) = (press('1', 1000, 60), press('2', 2000, 60));
        let packets = [
            second[0],
            *first.last().unwrap(),
            second[1],
            second[2],
            first[0],
        ];
        assert_eq!(
            receive_all(&mut receiver, &packets, 0),
            [digit('1', 60), digit('2', 60)]
        );
    }

    #[test]
    fn a_long_press_is_one_digit_across_segments() {
        let mut receiver = EventReceiver::new();
        let second = 5000 + SEGMENT_TICKS;
        let packets = [
            packet('9', 5000, 160, false, true),
            packet('9', 5000, 0xffff, false, false),
            packet('9', second, 1000, false, false),
            packet('9', 5000, 0xffff, false, false),
            packet('9', second, 1601, true, false),
            packet('9', second, 1601, true, false),
        ];
        assert_eq!(receive_all(&mut receiver, &packets, 0), [digit('9', 8392)]);
    }

    #[test]
    fn a_segment_after_the_time_out_is_still_the_same_press() {
        let mut receiver = EventReceiver::new();
        let long = packet('9', 5000, 60_000, false, false);
        assert_eq!(receive_all(&mut receiver, &[long], 0), []);
        assert_eq!(receiver.tick(500_000), Some(digit('9', 7500)));
        let next = 5000 + SEGMENT_TICKS;
        let rest = [
            packet('9', next, 160, false, false),
            packet('9', next, 320, true, false),
        ];
        assert_eq!(receive_all(&mut receiver, &rest, 700_000), []);
    }

    #[test]
    fn contiguous_events_in_one_packet_are_all_reported() {
        let mut receiver = EventReceiver::new();
        let Packet(header, one) = packet('1', 1000, 400, true, true);
        let Packet(_, two) = packet('2', 0, 480, true, true);
        let payload = [one, two].concat();
        let digits: Vec<Digit> = receiver.receive(&header, &payload, 0).collect();
        assert_eq!(digits, [digit('1', 50), digit('2', 60)]);
        assert_eq!(receiver.receive(&header, &payload, 0).count(), 0);
    }

    #[test]
    fn a_stream_with_another_origin_is_heard_at_once() {
        let mut receiver = EventReceiver::new();
        receive_all(&mut receiver, &press('1', 4_000_000, 60), 0);
        let restarted = receive_all(&mut receiver, &press('2', 1000, 60), 200_000);
        assert_eq!(restarted, [digit('2', 60)]);
    }

    #[test]
    fn events_that_are_not_dtmf_are_ignored() {
        let mut receiver = EventReceiver::new();
        let Packet(header, _) = packet('1', 1000, 400, true, true);
        assert_eq!(
            receiver.receive(&header, &[16, 0x8a, 1, 0x90], 0).count(),
            0
        );
        assert_eq!(receiver.tick(10_000_000), None);
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_receiver_panic(
            packets in prop::collection::vec(
                (any::<u32>(), any::<bool>(), prop::collection::vec(any::<u8>(), 0..24), any::<u64>()),
                0..40,
            )
        ) {
            let mut receiver = EventReceiver::new();
            for (timestamp, marker, payload, now_us) in packets {
                let header =
                    RtpHeader { marker, payload_type: 101, sequence: 0, timestamp, ssrc: 1 };
                receiver.receive(&header, &payload, now_us).for_each(drop);
                receiver.tick(now_us);
            }
        }

        /// Presses 200 ms apart over a network that loses, doubles and overtakes by up to 60 ms: every
        /// digit of which anything arrived is reported once, in order.
        #[test]
        fn loss_doubling_and_reordering_never_change_the_digits(
            digits in "[0-9A-D*#]{1,8}",
            fates in prop::collection::vec((0u8..10, 0u64..60_000), 100),
        ) {
            let mut arrivals = Vec::new();
            let mut heard = String::new();
            let mut fates = fates.iter().cycle();
            for (n, key) in digits.chars().enumerate() {
                let mut arrived = false;
                for (k, packet) in press(key, n as u32 * 1600, 100).into_iter().enumerate() {
                    let sent = n as u64 * 200_000 + k as u64 * TICK_US;
                    let (fate, delay) = *fates.next().unwrap();
                    let copies = match fate { 0..=2 => 0, 3 => 2, _ => 1 };
                    arrived |= copies > 0;
                    arrivals.extend((0..copies).map(|copy| (sent + delay + copy * 15_000, packet)));
                }
                heard.extend(arrived.then_some(key));
            }
            arrivals.sort_by_key(|(at, _)| *at);
            let mut receiver = EventReceiver::new();
            let mut reported = String::new();
            for (at, Packet(header, payload)) in arrivals {
                reported.extend(receiver.tick(at).map(|digit| digit.digit));
                reported.extend(receiver.receive(&header, &payload, at).map(|digit| digit.digit));
            }
            reported.extend(receiver.tick(u64::MAX).map(|digit| digit.digit));
            prop_assert_eq!(reported, heard);
        }
    }
}
