//! How good a stream sounds: the E-model.
//!
//! The transmission rating of ITU-T G.107 is R = Ro − Is − Id − Ie,eff + A. With that
//! recommendation's default values Ro − Is is 93.2 and A is 0. Of Id only Idd counts here, the loss
//! of conversation by pure delay: echo is the business of the telephones, and nothing of it is
//! seen from here. From R the mean opinion score follows by G.107 annex B.

/// Ro − Is with every parameter at its default (ITU-T G.107 table 2).
const BASE_RATING: f64 = 93.2;
/// Mouth-to-ear delay up to which Idd is 0, ms (ITU-T G.107 §3.5).
const FREE_DELAY_MS: f64 = 100.0;
/// Best and worst score (ITU-T G.107 annex B).
const BEST: f64 = 4.5;
const WORST: f64 = 1.0;

/// A codec with its concealment, as the E-model sees it (ITU-T G.113 appendix I).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Codec {
    /// G.711, either law, with concealment by its appendix I.
    G711WithConcealment,
    /// G.711, either law, where a missing packet is silence.
    G711,
}

impl Codec {
    /// Equipment impairment Ie and robustness to loss Bpl, percent (G.113 table I.1 and I.4).
    const fn impairment(self) -> (f64, f64) {
        match self {
            Self::G711WithConcealment => (0.0, 25.1),
            Self::G711 => (0.0, 4.3),
        }
    }
}

/// What a listener's stream went through.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Conditions {
    /// Share of packets that could not be played: lost or late, 0.0-1.0.
    pub loss: f64,
    /// BurstR of G.107 §3.6: mean length of a loss over that of random loss; 1.0 when loss is
    /// random, more in bursts. Below 1.0 counts as 1.0.
    pub burst_ratio: f64,
    /// From the talker's mouth to the listener's ear, milliseconds.
    pub one_way_delay_ms: f64,
    /// What decodes and conceals.
    pub codec: Codec,
}

/// The estimated mean opinion score, 1.0-4.5 (ITU-T G.107 annex B); 4.41 when nothing is wrong.
pub fn mos(conditions: &Conditions) -> f64 {
    let rating = BASE_RATING
        - delay_impairment(conditions.one_way_delay_ms)
        - effective_equipment_impairment(conditions);
    let rating = rating.clamp(0.0, 100.0);
    let score = 1.0 + 0.035 * rating + rating * (rating - 60.0) * (100.0 - rating) * 7e-6;
    // The cubic dips below 1 between R = 0 and R = 6.5.
    score.clamp(WORST, BEST)
}

/// Ie,eff = Ie + (95 − Ie) · Ppl / (Ppl / BurstR + Bpl), with Ppl in percent (ITU-T G.107 §3.6).
fn effective_equipment_impairment(conditions: &Conditions) -> f64 {
    let (equipment, robustness) = conditions.codec.impairment();
    let percent = finite(conditions.loss).clamp(0.0, 1.0) * 100.0;
    let burst_ratio = conditions.burst_ratio.max(1.0);
    equipment + (95.0 - equipment) * percent / (percent / burst_ratio + robustness)
}

/// Idd of ITU-T G.107 §3.5: with X = log2(Ta / 100 ms), above 100 ms,
/// 25 · ((1 + X⁶)^(1/6) − 3 · (1 + (X/3)⁶)^(1/6) + 2).
fn delay_impairment(delay_ms: f64) -> f64 {
    let delay_ms = finite(delay_ms);
    if delay_ms <= FREE_DELAY_MS {
        return 0.0;
    }
    let x = (delay_ms / FREE_DELAY_MS).log2();
    let root = |value: f64| (1.0 + value.powi(6)).powf(1.0 / 6.0);
    25.0 * (root(x) - 3.0 * root(x / 3.0) + 2.0)
}

/// The value, or 0 for what is no figure.
fn finite(value: f64) -> f64 {
    if value.is_finite() { value } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CLEAN: Conditions = Conditions {
        loss: 0.0,
        burst_ratio: 1.0,
        one_way_delay_ms: 50.0,
        codec: Codec::G711WithConcealment,
    };

    #[test]
    fn a_clean_call_scores_4_41() {
        assert!((mos(&CLEAN) - 4.409).abs() < 0.001);
    }

    #[test]
    fn loss_lowers_the_score_as_g_107_says() {
        // Ie,eff = 95 · 5 / 30.1 = 15.78, R = 77.42; without concealment 51.08 and 42.12.
        let lossy = Conditions {
            loss: 0.05,
            ..CLEAN
        };
        assert!((mos(&lossy) - 3.923).abs() < 0.001);
        let bare = Conditions {
            codec: Codec::G711,
            ..lossy
        };
        assert!((mos(&bare) - 2.169).abs() < 0.001);
        // BurstR 2: Ie,eff = 95 · 5 / 27.6 = 17.21, R = 75.99.
        let bursty = Conditions {
            burst_ratio: 2.0,
            ..lossy
        };
        assert!((mos(&bursty) - 3.864).abs() < 0.001);
    }

    #[test]
    fn delay_above_100_ms_lowers_the_score_as_g_107_says() {
        let rating_loss = |ms: f64| delay_impairment(ms);
        assert_eq!(rating_loss(100.0), 0.0);
        // X = 1: 25 · (2^(1/6) − 3 · (730/729)^(1/6) + 2) = 3.0445; X = 2: 24.07.
        assert!((rating_loss(200.0) - 3.0445).abs() < 0.001);
        assert!((rating_loss(400.0) - 24.0701).abs() < 0.001);
        assert!(
            mos(&Conditions {
                one_way_delay_ms: 400.0,
                ..CLEAN
            }) < 3.6
        );
    }

    proptest! {
        #[test]
        fn the_score_is_a_score_and_more_loss_or_delay_never_raises_it(
            loss in 0.0..1.0, more in 0.0..1.0, burst_ratio in 0.0..50.0, delay_ms in 0.0..5000.0,
        ) {
            let conditions = Conditions {
                loss, burst_ratio, one_way_delay_ms: delay_ms, ..CLEAN
            };
            let score = mos(&conditions);
            prop_assert!((1.0..=4.5).contains(&score));
            let worse = Conditions { loss: loss + more, one_way_delay_ms: delay_ms + more, ..conditions };
            prop_assert!(mos(&worse) <= score + 1e-9);
        }

        #[test]
        fn no_figure_makes_the_score_anything_else(
            loss: f64, burst_ratio: f64, one_way_delay_ms: f64,
        ) {
            let score = mos(&Conditions { loss, burst_ratio, one_way_delay_ms, ..CLEAN });
            prop_assert!((1.0..=4.5).contains(&score));
        }
    }
}
