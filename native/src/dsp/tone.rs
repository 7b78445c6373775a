//! Tones: made by a recurrence, measured by the Goertzel algorithm.

use std::f64::consts::TAU;

/// Level of a sine that reaches the end of the scale, dBm0: ITU-T G.711 puts 0 dBm0 3.14 dB (A-law)
/// or 3.17 dB (µ-law) below it; this is the middle.
pub const FULL_SCALE_DBM0: f64 = 3.155;

/// Samples after which the oscillator is set anew from the exact phase, so that rounding never adds
/// up: at 8 kHz every 128 ms.
const RENEW_AFTER: u32 = 1024;

/// A sine without end.
///
/// Each sample turns a vector of constant length by a constant angle. The phase is kept apart as an
/// exact fraction of a turn, so that the frequency is true for any length of time.
#[derive(Clone, Debug)]
pub struct Tone {
    amplitude: f64,
    /// Turns per sample, in units of 2^-64.
    step: u64,
    /// Phase of the sample at which the vector was set, in the same units.
    phase: u64,
    since_set: u32,
    /// The vector's sine and cosine, and those of the angle it turns by.
    vector: (f64, f64),
    turn: (f64, f64),
}

impl Tone {
    /// A tone that starts at a phase of zero.
    ///
    /// `level_dbfs` is the level of the sine against one that reaches the end of the scale, at most
    /// 0.0. `hz` is taken modulo `rate_hz`, which is above 0.
    pub fn new(hz: f64, level_dbfs: f64, rate_hz: u32) -> Self {
        let turns = (hz / f64::from(rate_hz)).rem_euclid(1.0);
        Self {
            amplitude: f64::from(i16::MAX) * 10f64.powf(level_dbfs.min(0.0) / 20.0),
            step: (turns * 2f64.powi(64)) as u64,
            phase: 0,
            since_set: 0,
            vector: (0.0, 1.0),
            turn: (turns * TAU).sin_cos(),
        }
    }

    /// The same with the level given in dBm0, at most [`FULL_SCALE_DBM0`].
    pub fn with_dbm0(hz: f64, level_dbm0: f64, rate_hz: u32) -> Self {
        Self::new(hz, level_dbm0 - FULL_SCALE_DBM0, rate_hz)
    }

    /// Write the next samples.
    pub fn fill(&mut self, out: &mut [i16]) {
        out.fill_with(|| self.next_sample().round() as i16);
    }

    /// Add the next samples to what is there, saturating: for tones of two frequencies.
    pub fn add(&mut self, out: &mut [i16]) {
        for sample in out {
            *sample = (f64::from(*sample) + self.next_sample()).round() as i16;
        }
    }

    fn next_sample(&mut self) -> f64 {
        let (sine, cosine) = self.vector;
        self.since_set += 1;
        if self.since_set == RENEW_AFTER {
            self.renew();
        } else {
            let (turn_sine, turn_cosine) = self.turn;
            self.vector = (
                sine * turn_cosine + cosine * turn_sine,
                cosine * turn_cosine - sine * turn_sine,
            );
        }
        self.amplitude * sine
    }

    fn renew(&mut self) {
        self.phase = self
            .phase
            .wrapping_add(self.step.wrapping_mul(u64::from(self.since_set)));
        self.since_set = 0;
        self.vector = (self.phase as f64 / 2f64.powi(64) * TAU).sin_cos();
    }
}

/// `duration_ms` of a tone of one frequency, as [`Tone::new`] makes it.
pub fn tone(hz: f64, level_dbfs: f64, duration_ms: u32, rate_hz: u32) -> Vec<i16> {
    let samples = u64::from(duration_ms) * u64::from(rate_hz) / 1000;
    let mut out = vec![0; samples as usize];
    Tone::new(hz, level_dbfs, rate_hz).fill(&mut out);
    out
}

/// The amplitude of the part of `samples` that is at `hz`, in units of a sample (Goertzel): that of
/// a sine of this frequency, when it runs through whole periods.
pub fn amplitude_at(samples: &[i16], hz: f64, rate_hz: u32) -> f64 {
    let angle = TAU * hz / f64::from(rate_hz);
    let factor = 2.0 * angle.cos();
    let (mut last, mut before) = (0.0, 0.0);
    for &sample in samples {
        (last, before) = (f64::from(sample) + factor * last - before, last);
    }
    let power = last * last + before * before - factor * last * before;
    2.0 * power.max(0.0).sqrt() / samples.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE_HZ: u32 = 8000;

    #[test]
    fn a_tone_is_the_sine_it_should_be_for_ten_minutes() {
        let mut tone = Tone::new(697.3, -10.0, RATE_HZ);
        let amplitude = 32767.0 * 10f64.powf(-0.5);
        let mut out = [0; 8000];
        for second in 0..600 {
            tone.fill(&mut out);
            for (n, &sample) in out.iter().enumerate().step_by(997) {
                let turns = (697.3 / 8000.0 * (second * 8000 + n) as f64).fract();
                let exact = amplitude * (turns * TAU).sin();
                assert!((f64::from(sample) - exact).abs() < 0.51, "{second} {n}");
            }
        }
    }

    #[test]
    fn levels_are_those_asked_for() {
        let full = tone(1000.0, 0.0, 1000, RATE_HZ);
        assert_eq!(full.len(), 8000);
        assert_eq!(full.iter().max(), Some(&32767));
        assert!((amplitude_at(&full, 1000.0, RATE_HZ) - 32767.0).abs() < 1.0);
        let quiet = tone(1000.0, -20.0, 1000, RATE_HZ);
        assert!((amplitude_at(&quiet, 1000.0, RATE_HZ) - 3276.7).abs() < 1.0);
        assert!(amplitude_at(&quiet, 1100.0, RATE_HZ) < 1.0);
        let mut milliwatt = [0; 8];
        Tone::with_dbm0(1000.0, 0.0, RATE_HZ).fill(&mut milliwatt);
        assert!((f64::from(milliwatt[2]) - 32767.0 * 0.6955).abs() < 10.0);
    }

    #[test]
    fn a_level_above_full_scale_is_full_scale() {
        assert_eq!(tone(440.0, 6.0, 50, RATE_HZ), tone(440.0, 0.0, 50, RATE_HZ));
    }

    #[test]
    fn two_tones_add_up_and_saturate() {
        let mut both = tone(697.0, -6.5, 1000, RATE_HZ);
        Tone::new(1209.0, -6.5, RATE_HZ).add(&mut both);
        let amplitude = 32767.0 * 10f64.powf(-6.5 / 20.0);
        for hz in [697.0, 1209.0] {
            assert!((amplitude_at(&both, hz, RATE_HZ) - amplitude).abs() < 2.0);
        }
        let mut loud = tone(697.0, 0.0, 1000, RATE_HZ);
        Tone::new(697.0, 0.0, RATE_HZ).add(&mut loud);
        assert_eq!(
            (loud.iter().max(), loud.iter().min()),
            (Some(&i16::MAX), Some(&i16::MIN))
        );
    }

    #[test]
    fn fills_of_any_length_join() {
        let whole = tone(523.25, -3.0, 1000, RATE_HZ);
        let mut parts = vec![0; 8000];
        let mut oscillator = Tone::new(523.25, -3.0, RATE_HZ);
        parts.chunks_mut(77).for_each(|part| oscillator.fill(part));
        assert_eq!(whole, parts);
    }
}
