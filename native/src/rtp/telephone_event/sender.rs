//! The sending end of telephone events.

use std::collections::VecDeque;
use std::fmt;

use super::{EventReport, REPORT_BYTES, TICKS_PER_MS, event_of};

/// Ticks between two calls of [`EventSender::next`]: 20 ms.
const STEP_TICKS: u32 = 160;
/// Packets that report the end (RFC 4733 §2.5.1.4).
const END_PACKETS: u8 = 3;
/// Power of the digits, dB below 0 dBm0: usual for a telephone set, and within Q.24's range.
const VOLUME: u8 = 10;
/// What `w` waits, ticks (500 ms).
const PAUSE_TICKS: u32 = 500 * TICKS_PER_MS;
/// Shortest digit and gap, milliseconds: what every receiver must detect (ITU-T Q.24).
const MIN_MS: u32 = 40;
/// Longest digit and gap, milliseconds: a digit must fit one segment (0xffff ticks, §2.5.1.3).
const MAX_MS: u32 = 8000;
/// Characters of one request.
const MAX_CHARACTERS: usize = 128;
/// Characters that may wait, over all requests.
const MAX_WAITING: usize = 512;

/// Why a request was refused. Nothing of it is sent then.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum InvalidDigits {
    /// There are none.
    Empty,
    /// A character other than `0-9 * # A-D a-d w W`.
    Character(char),
    /// More than 128, or more than 512 with those waiting.
    TooMany,
    /// A duration outside 40-8000 ms.
    Duration,
}

impl fmt::Display for InvalidDigits {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => write!(out, "no digits"),
            Self::Character(character) => write!(out, "{character:?} is not a DTMF digit"),
            Self::TooMany => write!(out, "too many digits"),
            Self::Duration => write!(out, "duration and gap must be {MIN_MS}-{MAX_MS} ms"),
        }
    }
}

impl std::error::Error for InvalidDigits {}

/// What to send in one tick of 20 ms.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Step {
    /// Audio, as if there were no events.
    Audio,
    /// This event packet, in place of the audio.
    Event {
        /// The whole payload.
        payload: [u8; REPORT_BYTES],
        /// The packet's RTP timestamp: that of the event's beginning.
        timestamp: u32,
        /// The packet's marker bit.
        marker: bool,
    },
}

/// A part of what is to be sent.
#[derive(Clone, Copy)]
enum Item {
    Digit { event: u8, ticks: u16 },
    Gap { ticks: u32 },
    RequestEnd,
}

#[derive(Clone, Copy)]
enum State {
    Idle,
    Sending {
        event: u8,
        ticks: u16,
        timestamp: u32,
        reported: u16,
        ends: u8,
    },
    Waiting {
        ticks: u32,
    },
}

/// Sends digits one after the other, a packet per tick of 20 ms.
///
/// The caller keeps the audio's timestamp running through events, so that what follows is in time
/// with what was before. Memory: a queue of bounded length, taken at construction.
pub struct EventSender {
    queue: VecDeque<Item>,
    state: State,
    completed: u64,
}

impl Default for EventSender {
    fn default() -> Self {
        Self::new()
    }
}

impl EventSender {
    /// A sender with nothing to send.
    pub fn new() -> Self {
        // A character makes at most a digit and a gap, and a request one item more.
        let queue = VecDeque::with_capacity(3 * MAX_WAITING);
        Self {
            queue,
            state: State::Idle,
            completed: 0,
        }
    }

    /// Queue a request behind those that wait.
    ///
    /// `digits` are `0-9 * # A-D`; `w` waits 500 ms. Each digit lasts `duration_ms` and is followed
    /// by `gap_ms` without an event; both are rounded up to ticks.
    ///
    /// # Errors
    ///
    /// [`InvalidDigits`]; then nothing is queued.
    pub fn send(
        &mut self,
        digits: &str,
        duration_ms: u32,
        gap_ms: u32,
    ) -> Result<(), InvalidDigits> {
        self.check(digits, [duration_ms, gap_ms])?;
        let last = digits.chars().count() - 1;
        for (n, character) in digits.chars().enumerate() {
            match event_of(character) {
                Some(event) => {
                    let ticks = (duration_ms * TICKS_PER_MS) as u16;
                    self.queue.push_back(Item::Digit { event, ticks });
                }
                None => self.queue.push_back(Item::Gap { ticks: PAUSE_TICKS }),
            }
            if n == last {
                self.queue.push_back(Item::RequestEnd);
            }
            if event_of(character).is_some() {
                self.queue.push_back(Item::Gap {
                    ticks: gap_ms * TICKS_PER_MS,
                });
            }
        }
        Ok(())
    }

    /// The next tick's packet. `timestamp` is the audio's at this tick.
    pub fn next(&mut self, timestamp: u32) -> Step {
        loop {
            match self.state {
                State::Sending { .. } => return self.report(),
                State::Waiting { ticks } if ticks > 0 => {
                    self.state = State::Waiting {
                        ticks: ticks.saturating_sub(STEP_TICKS),
                    };
                    return Step::Audio;
                }
                State::Idle | State::Waiting { .. } => {
                    if !self.begin_next(timestamp) {
                        return Step::Audio;
                    }
                }
            }
        }
    }

    /// Drop what waits. A digit being sent ends with the next packet; its end is still sent thrice.
    pub fn cancel(&mut self) {
        self.queue.clear();
        match &mut self.state {
            State::Sending {
                ticks, reported, ..
            } => *ticks = *reported,
            State::Waiting { .. } | State::Idle => self.state = State::Idle,
        }
    }

    /// How many requests have been sent to their end, since construction.
    pub fn completed(&self) -> u64 {
        self.completed
    }

    /// Whether nothing is being sent and nothing waits.
    pub fn is_idle(&self) -> bool {
        self.queue.is_empty() && matches!(self.state, State::Idle)
    }

    fn check(&self, digits: &str, durations_ms: [u32; 2]) -> Result<(), InvalidDigits> {
        let unknown =
            |character: &char| event_of(*character).is_none() && !matches!(character, 'w' | 'W');
        if let Some(character) = digits.chars().find(unknown) {
            return Err(InvalidDigits::Character(character));
        }
        if digits.is_empty() {
            return Err(InvalidDigits::Empty);
        }
        // Every character is ASCII here, and makes an item or two; a request makes one more.
        let room = self.queue.capacity().min(3 * MAX_WAITING) - self.queue.len();
        if digits.len() > MAX_CHARACTERS || 2 * digits.len() + 1 > room {
            return Err(InvalidDigits::TooMany);
        }
        if durations_ms
            .iter()
            .any(|ms| !(MIN_MS..=MAX_MS).contains(ms))
        {
            return Err(InvalidDigits::Duration);
        }
        Ok(())
    }

    /// Take up the next item; false when there is none.
    fn begin_next(&mut self, timestamp: u32) -> bool {
        let item = self.queue.pop_front();
        self.state = match item {
            None => State::Idle,
            Some(Item::Gap { ticks }) => State::Waiting { ticks },
            Some(Item::Digit { event, ticks }) => State::Sending {
                event,
                ticks,
                timestamp,
                reported: 0,
                ends: 0,
            },
            Some(Item::RequestEnd) => {
                self.completed += 1;
                State::Idle
            }
        };
        item.is_some()
    }

    /// Report the digit being sent.
    fn report(&mut self) -> Step {
        let State::Sending {
            event,
            ticks,
            timestamp,
            reported,
            ends,
        } = self.state
        else {
            return Step::Audio;
        };
        let duration = ticks.min(reported.saturating_add(STEP_TICKS as u16));
        let end = duration == ticks;
        let ends = ends + u8::from(end);
        self.state = State::Sending {
            event,
            ticks,
            timestamp,
            reported: duration,
            ends,
        };
        if ends == END_PACKETS {
            self.end_digit();
        }
        let report = EventReport {
            event,
            end,
            volume: VOLUME,
            duration,
        };
        Step::Event {
            payload: report.to_bytes(),
            timestamp,
            marker: reported == 0,
        }
    }

    /// Leave the digit whose last end was just sent; the ends sent again are part of its gap.
    fn end_digit(&mut self) {
        self.state = State::Idle;
        let again = u32::from(END_PACKETS - 1) * STEP_TICKS;
        if let Some(Item::RequestEnd) = self.queue.front() {
            self.queue.pop_front();
            self.completed += 1;
        }
        if let Some(Item::Gap { ticks }) = self.queue.front_mut() {
            *ticks = ticks.saturating_sub(again);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp::packet::RtpHeader;
    use crate::rtp::telephone_event::{Digit, EventReceiver};
    use proptest::prelude::*;

    /// Run `ticks` ticks from timestamp 0 on.
    fn run(sender: &mut EventSender, ticks: u32) -> Vec<(u32, Step)> {
        (0..ticks)
            .map(|n| (n * 160, sender.next(n * 160)))
            .collect()
    }

    /// Marker, end, duration and timestamp of the event packets.
    fn packets(steps: &[(u32, Step)]) -> Vec<(bool, bool, u16, u32)> {
        let packet = |&(_, step): &(u32, Step)| match step {
            Step::Audio => None,
            Step::Event {
                payload,
                timestamp,
                marker,
            } => {
                let report = EventReport::parse(&payload).unwrap();
                Some((marker, report.end, report.duration, timestamp))
            }
        };
        steps.iter().filter_map(packet).collect()
    }

    #[test]
    fn a_digit_grows_and_ends_three_times() {
        let mut sender = EventSender::new();
        sender.send("5", 50, 50).unwrap();
        assert!(!sender.is_idle());
        let steps = run(&mut sender, 8);
        let expected = [
            (true, false, 160, 0),
            (false, false, 320, 0),
            (false, true, 400, 0),
            (false, true, 400, 0),
            (false, true, 400, 0),
        ];
        assert_eq!(packets(&steps), expected);
        assert_eq!(
            steps[5..].iter().map(|step| step.1).collect::<Vec<_>>(),
            [Step::Audio; 3]
        );
        assert!(sender.is_idle());
        assert_eq!(sender.completed(), 1);
    }

    #[test]
    fn digits_stand_apart_by_their_gap_on_the_audio_clock() {
        let mut sender = EventSender::new();
        sender.send("12", 100, 100).unwrap();
        let steps = run(&mut sender, 40);
        let starts: Vec<u32> = packets(&steps)
            .iter()
            .filter(|packet| packet.0)
            .map(|packet| packet.3)
            .collect();
        // 100 ms of digit and 100 ms of gap are 1600 ticks.
        assert_eq!(starts, [0, 1600]);
    }

    #[test]
    fn w_waits_half_a_second() {
        let mut sender = EventSender::new();
        sender.send("w1", 100, 50).unwrap();
        let steps = run(&mut sender, 26);
        assert_eq!(packets(&steps), [(true, false, 160, 4000)]);
        assert_eq!(steps[25].0, 4000);
    }

    #[test]
    fn a_request_is_complete_with_its_last_packet() {
        let mut sender = EventSender::new();
        sender.send("1", 40, 8000).unwrap();
        sender.send("2ww", 40, 40).unwrap();
        run(&mut sender, 3);
        assert_eq!(sender.completed(), 0);
        run(&mut sender, 1);
        assert_eq!(sender.completed(), 1);
        run(&mut sender, 1000);
        assert_eq!((sender.completed(), sender.is_idle()), (2, true));
    }

    #[test]
    fn cancelling_ends_the_digit_and_drops_the_rest() {
        let mut sender = EventSender::new();
        sender.send("123", 1000, 50).unwrap();
        run(&mut sender, 2);
        sender.cancel();
        let rest = packets(&run(&mut sender, 100));
        assert_eq!(rest, [(false, true, 320, 0); 3]);
        assert!(sender.is_idle());
        assert_eq!(sender.completed(), 0);
    }

    #[test]
    fn what_cannot_be_sent_is_refused_whole() {
        let mut sender = EventSender::new();
        for (digits, duration_ms, gap_ms, error) in [
            ("", 100, 50, InvalidDigits::Empty),
            ("12x", 100, 50, InvalidDigits::Character('x')),
            ("１", 100, 50, InvalidDigits::Character('１')),
            (&"1".repeat(129), 100, 50, InvalidDigits::TooMany),
            ("1", 39, 50, InvalidDigits::Duration),
            ("1", 100, 8001, InvalidDigits::Duration),
        ] {
            assert_eq!(sender.send(digits, duration_ms, gap_ms), Err(error));
            assert!(sender.is_idle());
        }
    }

    #[test]
    fn the_queue_is_bounded_and_never_grows() {
        let mut sender = EventSender::new();
        let capacity = sender.queue.capacity();
        let accepted = (0..1000)
            .take_while(|_| sender.send("1", 100, 50).is_ok())
            .count();
        assert_eq!(sender.send("1", 100, 50), Err(InvalidDigits::TooMany));
        assert!(accepted >= MAX_WAITING - 1);
        assert_eq!(sender.queue.capacity(), capacity);
    }

    proptest! {
        #[test]
        fn the_receiver_hears_what_was_sent(
            digits in "[0-9A-Da-dwW*#]{1,20}", duration_ms in 40u32..1000, gap_ms in 40u32..300,
            start: u32,
        ) {
            let mut sender = EventSender::new();
            sender.send(&digits, duration_ms, gap_ms).unwrap();
            let mut receiver = EventReceiver::new();
            let mut heard: Vec<Digit> = Vec::new();
            for n in 0..20_000u32 {
                let now_us = u64::from(n) * 20_000;
                heard.extend(receiver.tick(now_us));
                if let Step::Event { payload, timestamp, marker } =
                    sender.next(start.wrapping_add(n * 160))
                {
                    let header =
                        RtpHeader { marker, payload_type: 101, sequence: 0, timestamp, ssrc: 1 };
                    heard.extend(receiver.receive(&header, &payload, now_us));
                }
            }
            prop_assert!(sender.is_idle());
            let sent = digits.to_uppercase().replace('W', "");
            prop_assert_eq!(heard.iter().map(|digit| digit.digit).collect::<String>(), sent);
            prop_assert!(heard.iter().all(|digit| digit.duration_ms == duration_ms));
        }
    }
}
