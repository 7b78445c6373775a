//! Which of the last sequence numbers were here before.

/// How a sequence number relates to those before.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Order {
    /// One more than the highest.
    Next,
    /// Further ahead (something was lost or overtaken), or out of the window: counting starts anew.
    Ahead,
    /// Behind the highest, for the first time.
    Behind,
    /// Seen before.
    Duplicate,
}

/// Remembers the last 128 sequence numbers: 2.5 s of 20 ms packets, past all reordering.
pub(super) struct SequenceWindow {
    highest: u16,
    /// Bit n: `highest - n` was seen.
    seen: u128,
}

impl SequenceWindow {
    /// A window in which only `sequence` was seen.
    pub(super) fn new(sequence: u16) -> Self {
        Self {
            highest: sequence,
            seen: 1,
        }
    }

    /// Take one sequence number, modulo 2^16.
    pub(super) fn insert(&mut self, sequence: u16) -> Order {
        let ahead = sequence.wrapping_sub(self.highest) as i16;
        let bit = 1u128.checked_shl(u32::from(ahead.unsigned_abs()));
        match (ahead, bit) {
            (1.., _) => {
                self.seen = self.seen.checked_shl(ahead as u32).unwrap_or(0) | 1;
                self.highest = sequence;
                if ahead == 1 {
                    Order::Next
                } else {
                    Order::Ahead
                }
            }
            (_, Some(bit)) if self.seen & bit != 0 => Order::Duplicate,
            (_, Some(bit)) => {
                self.seen |= bit;
                Order::Behind
            }
            (_, None) => {
                *self = Self::new(sequence);
                Order::Ahead
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sequence_number_is_new_once() {
        let mut window = SequenceWindow::new(65534);
        for (sequence, order) in [
            (65534, Order::Duplicate),
            (65535, Order::Next),
            (0, Order::Next),
            (3, Order::Ahead),
            (2, Order::Behind),
            (2, Order::Duplicate),
            (65535, Order::Duplicate),
            (65533, Order::Behind),
            (4, Order::Next),
            (1000, Order::Ahead),
            (4, Order::Ahead),
            (5, Order::Next),
        ] {
            assert_eq!(window.insert(sequence), order, "{sequence}");
        }
    }
}
