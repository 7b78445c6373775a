//! Sample rate conversion for prompts: a windowed sinc in polyphase form.
//!
//! The filter is a sinc at half the lower of the two rates under a Kaiser window of 80 dB. With f as
//! frequency over the lower rate, it passes 0 to 0.45 within 0.01 dB, and weakens what would alias
//! (or what the input never held) from 0.55 on by at least 75 dB; between the two lies its slope.
//! The tests sweep it. It is symmetric: nothing is delayed.

use std::f64::consts::PI;

/// Filter length on either side, in samples of the lower rate: what a transition from 0.45 to 0.55
/// takes at [`KAISER_BETA`].
const HALF_LENGTH: f64 = 26.0;
/// Shape of the window: 0.1102 · (80 − 8.7) for 80 dB (J. F. Kaiser, 1974).
const KAISER_BETA: f64 = 7.857;

/// Convert `input` from one sample rate to another.
///
/// The result has `input.len() · to_hz / from_hz` samples, rounded up. Both rates are above 0. Made
/// for 8000 to 48000 Hz, where coefficients take 0.1 MB for rates with a common divisor of 100 Hz
/// and at most 11 MB for any others.
pub fn resample(input: &[i16], from_hz: u32, to_hz: u32) -> Vec<i16> {
    if from_hz == to_hz {
        return input.to_vec();
    }
    Polyphase::new(from_hz, to_hz, input.len()).convert(input)
}

/// [`resample`] to the rate of the telephone.
pub fn to_8khz(input: &[i16], from_hz: u32) -> Vec<i16> {
    resample(input, from_hz, 8000)
}

/// One set of coefficients for every position an output sample can have between two input samples.
struct Polyphase {
    /// The ratio of the rates in lowest terms: output n lies at input n · down / up.
    up: usize,
    down: usize,
    /// Samples to make.
    length: usize,
    /// Coefficients of one sample.
    taps: usize,
    /// Those of the first samples, one after another; after `up` samples they repeat.
    coefficients: Vec<f32>,
}

impl Polyphase {
    fn new(from_hz: u32, to_hz: u32, input_length: usize) -> Self {
        let divisor = common_divisor(from_hz, to_hz);
        let (up, down) = ((to_hz / divisor) as usize, (from_hz / divisor) as usize);
        let length = (input_length * up).div_ceil(down);
        // Lower rate over input rate.
        let cutoff = (f64::from(to_hz) / f64::from(from_hz)).min(1.0);
        let half = (HALF_LENGTH / cutoff).ceil();
        let of_sample = |n: usize| coefficients((n * down % up) as f64 / up as f64, half, cutoff);
        Self {
            up,
            down,
            length,
            taps: 2 * half as usize,
            coefficients: (0..up.min(length)).flat_map(of_sample).collect(),
        }
    }

    fn convert(&self, input: &[i16]) -> Vec<i16> {
        let sets = self.coefficients.chunks_exact(self.taps).cycle();
        let sample = |(n, set)| self.sample(input, n, set);
        (0..self.length).zip(sets).map(sample).collect()
    }

    /// Output sample `n`; beyond its ends the input is silent.
    fn sample(&self, input: &[i16], n: usize, coefficients: &[f32]) -> i16 {
        // The first tap lies this many samples before the one at or before the position.
        let before = self.taps / 2 - 1;
        let centre = n * self.down / self.up;
        let skipped = before.saturating_sub(centre);
        let start = (centre + skipped - before).min(input.len());
        let taps = &coefficients[skipped..];
        let end = (start + taps.len()).min(input.len());
        dot(&input[start..end], taps).round() as i16
    }
}

/// The sum of products, over as many as there are samples. Eight sums run side by side, so that the
/// compiler can keep them in one register.
fn dot(samples: &[i16], taps: &[f32]) -> f32 {
    let (samples, last_samples) = samples.as_chunks::<8>();
    let (taps, last_taps) = taps.split_at(samples.len() * 8);
    let mut sums = [0.0f32; 8];
    for (samples, taps) in samples.iter().zip(taps.chunks_exact(8)) {
        for lane in 0..8 {
            sums[lane] += f32::from(samples[lane]) * taps[lane];
        }
    }
    let rest = last_samples.iter().zip(last_taps);
    sums.iter().sum::<f32>() + rest.map(|(&s, tap)| f32::from(s) * tap).sum::<f32>()
}

/// The taps of an output sample that lies `fraction` of a sample after an input sample: `half` taps
/// up to and with that one, and as many after it.
fn coefficients(fraction: f64, half: f64, cutoff: f64) -> Vec<f32> {
    let tap = |index: usize| {
        let distance = index as f64 + 1.0 - half - fraction;
        sinc(distance * cutoff) * kaiser(distance / half)
    };
    let taps: Vec<f64> = (0..2 * half as usize).map(tap).collect();
    let sum: f64 = taps.iter().sum();
    taps.iter().map(|tap| (tap / sum) as f32).collect()
}

fn sinc(x: f64) -> f64 {
    if x == 0.0 {
        1.0
    } else {
        (PI * x).sin() / (PI * x)
    }
}

/// The Kaiser window at `x`, -1.0 to 1.0, but for a constant factor.
fn kaiser(x: f64) -> f64 {
    bessel(KAISER_BETA * (1.0 - x * x).max(0.0).sqrt())
}

/// The modified Bessel function of the first kind, order 0, by its power series: to 12 digits for
/// |x| up to 8.
fn bessel(x: f64) -> f64 {
    let quarter = x * x / 4.0;
    let term = |term: &mut f64, k: u32| {
        *term *= quarter / f64::from(k * k);
        Some(*term)
    };
    1.0 + (1..28).scan(1.0, term).sum::<f64>()
}

fn common_divisor(one: u32, other: u32) -> u32 {
    if other == 0 {
        one
    } else {
        common_divisor(other, one % other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dsp::tone::{amplitude_at, tone};
    use proptest::prelude::*;

    const AMPLITUDE: f64 = 16_422.0; // -6 dBFS

    const DOWN: [(u32, u32); 8] = [
        (11_025, 8000),
        (12_500, 8000),
        (16_000, 8000),
        (22_050, 8000),
        (24_000, 8000),
        (44_100, 8000),
        (48_000, 8000),
        (48_000, 44_100),
    ];
    const UP: [(u32, u32); 4] = [
        (8000, 11_025),
        (8000, 16_000),
        (8000, 48_000),
        (22_050, 24_000),
    ];

    /// 80 ms of what becomes of a tone, away from its ends: whole periods of multiples of 25 Hz, as
    /// all rates here are multiples of that.
    fn heard(from_hz: u32, to_hz: u32, hz: f64) -> Vec<i16> {
        let out = resample(&tone(hz, -6.0, 100, from_hz), from_hz, to_hz);
        let start = to_hz as usize / 100;
        out[start..start + to_hz as usize / 25 * 2].to_vec()
    }

    /// Shares of `rate_hz`, multiples of 25 Hz.
    fn frequencies(rate_hz: u32, percents: &[u32]) -> Vec<f64> {
        let share = |percent: &u32| f64::from(rate_hz * percent / 100 / 25 * 25);
        percents.iter().map(share).collect()
    }

    fn level_db(samples: &[i16], hz: f64, rate_hz: u32) -> f64 {
        20.0 * (amplitude_at(samples, hz, rate_hz).max(1e-9) / AMPLITUDE).log10()
    }

    #[test]
    fn tones_up_to_0_45_of_the_lower_rate_keep_their_level() {
        for (from_hz, to_hz) in DOWN.into_iter().chain(UP) {
            for hz in frequencies(from_hz.min(to_hz), &[1, 5, 15, 25, 35, 40, 42, 44, 45]) {
                let level = level_db(&heard(from_hz, to_hz, hz), hz, to_hz);
                assert!(
                    level.abs() < 0.01,
                    "{from_hz} to {to_hz}, {hz} Hz: {level} dB"
                );
            }
        }
    }

    #[test]
    fn tones_above_0_55_of_the_new_rate_leave_no_alias() {
        for (from_hz, to_hz) in DOWN {
            let tones = frequencies(to_hz, &[56, 58, 60, 65, 75, 90, 110, 160, 240]);
            for hz in tones
                .into_iter()
                .filter(|&hz| hz < f64::from(from_hz) / 2.0)
            {
                let peak = heard(from_hz, to_hz, hz).iter().map(|s| s.abs()).max();
                // 75 dB below -6 dBFS is 2.9 steps.
                assert!(peak <= Some(3), "{from_hz} to {to_hz}, {hz} Hz: {peak:?}");
            }
        }
    }

    #[test]
    fn raising_the_rate_adds_no_image() {
        for (from_hz, to_hz) in UP {
            for hz in frequencies(from_hz, &[10, 30, 40, 44]) {
                let image_hz = f64::from(from_hz) - hz;
                if image_hz < f64::from(to_hz) / 2.0 {
                    let level = level_db(&heard(from_hz, to_hz, hz), image_hz, to_hz);
                    assert!(level < -75.0, "{from_hz} to {to_hz}, {hz} Hz: {level} dB");
                }
            }
        }
    }

    #[test]
    fn sound_keeps_its_place_in_time() {
        let mut click = vec![0; 4410];
        click[2205] = 30_000;
        let out = resample(&click, 44_100, 8000);
        let loudest = (0..out.len()).max_by_key(|&n| out[n]);
        assert_eq!(loudest, Some(400));
    }

    #[test]
    fn full_scale_saturates_and_steady_sound_is_steady() {
        let steady = resample(&[12_345; 3000], 24_000, 8000);
        assert!(steady[100..900].iter().all(|&sample| sample == 12_345));
        let square: Vec<i16> = (0..4800)
            .map(|n| if n / 48 % 2 == 0 { i16::MAX } else { i16::MIN })
            .collect();
        let out = resample(&square, 48_000, 8000);
        assert_eq!(
            (out.iter().max(), out.iter().min()),
            (Some(&i16::MAX), Some(&i16::MIN))
        );
    }

    #[test]
    fn the_same_rate_changes_nothing_and_nothing_stays_nothing() {
        assert_eq!(resample(&[1, -2, 3], 16_000, 16_000), [1, -2, 3]);
        assert_eq!(resample(&[], 16_000, 8000), [0; 0]);
        assert_eq!(to_8khz(&[0; 16], 16_000).len(), 8);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn any_sound_at_any_rate_keeps_its_duration(
            input in prop::collection::vec(any::<i16>(), 0..300),
            from_hz in 8000..=48_000u32, to_hz in 8000..=48_000u32,
        ) {
            let exact = input.len() as f64 * f64::from(to_hz) / f64::from(from_hz);
            let length = resample(&input, from_hz, to_hz).len() as f64;
            prop_assert!((exact..exact + 1.0).contains(&length));
        }
    }
}
