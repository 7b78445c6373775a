//! Packet loss concealment in the manner of ITU-T G.711 appendix I, without its delay.
//!
//! Theory of operation. While nothing is lost, the last 48.75 ms of output are kept. At a loss the
//! pitch period of that history is found, and its last period is repeated; from 10 ms on its last
//! two, from 20 ms on its last three periods, so that a long loss does not buzz. Every seam is an
//! overlap-add of a quarter of a period, except the first: what comes before it has been played
//! already, so there the step is taken up by an offset that fades over a quarter of a period. The
//! first 10 ms are as loud as the speech before; then the level falls by 20 % of that in every
//! 10 ms, to silence at 60 ms. The first samples after a loss are faded in over what concealment
//! would have gone on with.
//!
//! Samples are at 8 kHz. Nothing is allocated.

/// Pitch periods looked for, samples: 5 to 15 ms, as in the appendix. A higher voice, or a tone, is
/// found at a multiple of its period.
const MIN_PITCH: usize = 40;
const MAX_PITCH: usize = 120;
/// Most periods repeated.
const MAX_PERIODS: usize = 3;
/// Samples of history compared with those one period before: 20 ms.
const CORRELATION: usize = 160;
/// Samples of history: three of the longest periods, and a quarter before them to join on.
const HISTORY: usize = MAX_PERIODS * MAX_PITCH + MAX_PITCH / 4;
/// Samples of 10 ms: the loss repeats one period more, and is quieter, from one to the next.
const STEP: usize = 80;
/// Samples at which concealment has become silence: 60 ms.
const SILENT_AFTER: usize = 6 * STEP;
/// The fade after a loss is longer by 4 ms for every 10 ms of loss but the first, up to 10 ms.
const FADE_PER_STEP: usize = 32;
const MAX_FADE: usize = 80;

/// Makes up for lost samples of one stream.
pub struct Concealer {
    /// The last output, written in a ring.
    history: [i16; HISTORY],
    /// Where the oldest sample of the ring lies.
    oldest: usize,
    state: State,
}

enum State {
    /// Nothing is missing.
    Good,
    /// The last samples were made up.
    Lost(Synthesis),
    /// The first samples after a loss: `done` of `length` are faded in.
    FadingIn {
        synthesis: Synthesis,
        done: usize,
        length: usize,
    },
}

impl Default for Concealer {
    fn default() -> Self {
        Self::new()
    }
}

impl Concealer {
    /// A stream that was silent so far.
    pub fn new() -> Self {
        Self {
            history: [0; HISTORY],
            oldest: 0,
            state: State::Good,
        }
    }

    /// Take received samples; the first ones after a loss are changed so that they join what was
    /// made up.
    pub fn good(&mut self, frame: &mut [i16]) {
        if let State::Lost(synthesis) = &self.state {
            self.state = State::FadingIn {
                synthesis: synthesis.clone(),
                done: 0,
                length: synthesis.fade_samples(),
            };
        }
        self.fade_in(frame);
        self.remember(frame);
    }

    /// Take received samples that do not follow the last ones, and join them: samples were left
    /// out between them.
    pub fn spliced(&mut self, frame: &mut [i16]) {
        if !matches!(self.state, State::Lost(_)) {
            self.state = State::Lost(self.synthesis());
        }
        self.good(frame);
    }

    /// Fill `out` with what may stand for the samples missing next.
    pub fn lost(&mut self, out: &mut [i16]) {
        if out.is_empty() {
            return;
        }
        if !matches!(self.state, State::Lost(_)) {
            self.state = State::Lost(self.synthesis());
        }
        if let State::Lost(synthesis) = &mut self.state {
            out.fill_with(|| to_sample(synthesis.next()));
        }
        self.remember(out);
    }

    fn fade_in(&mut self, frame: &mut [i16]) {
        let State::FadingIn {
            synthesis,
            done,
            length,
        } = &mut self.state
        else {
            return;
        };
        for sample in frame.iter_mut().take(*length - *done) {
            *done += 1;
            let share = *done as f32 / (*length + 1) as f32;
            *sample = to_sample(mix(synthesis.next(), f32::from(*sample), share));
        }
        if *done == *length {
            self.state = State::Good;
        }
    }

    fn synthesis(&self) -> Synthesis {
        let mut samples = self.history;
        samples.rotate_left(self.oldest);
        Synthesis::new(samples)
    }

    fn remember(&mut self, frame: &[i16]) {
        let new = &frame[frame.len().saturating_sub(HISTORY)..];
        let (before_wrap, wrapped) = new.split_at(new.len().min(HISTORY - self.oldest));
        self.history[self.oldest..][..before_wrap.len()].copy_from_slice(before_wrap);
        self.history[..wrapped.len()].copy_from_slice(wrapped);
        self.oldest = (self.oldest + new.len()) % HISTORY;
    }
}

/// What is played in place of the samples missing.
#[derive(Clone)]
struct Synthesis {
    past: Past,
    /// Samples made.
    made: usize,
    voice: Voice,
    /// The voice before, while it fades, and the samples it has still to fade.
    leaving: Option<(Voice, usize)>,
}

impl Synthesis {
    /// What may follow `history`, newest at the end.
    fn new(history: [i16; HISTORY]) -> Self {
        Self {
            past: Past::new(history),
            made: 0,
            voice: Voice {
                periods: 1,
                position: 0,
            },
            leaving: None,
        }
    }

    fn next(&mut self) -> f32 {
        if self.made >= SILENT_AFTER {
            return 0.0;
        }
        if self.made == STEP * self.voice.periods && self.voice.periods < MAX_PERIODS {
            let leaving = self.voice.clone();
            self.voice.periods += 1;
            self.leaving = Some((leaving, self.past.quarter()));
        }
        let sample = self.join_voices() + self.past.offset(self.made);
        let gain = gain(self.made);
        self.made += 1;
        sample * gain
    }

    /// The voice, overlapped with the one that leaves.
    fn join_voices(&mut self) -> f32 {
        let sample = self.voice.next(&self.past);
        let Some((leaving, rest)) = &mut self.leaving else {
            return sample;
        };
        let share = *rest as f32 / (self.past.quarter() + 1) as f32;
        let joined = mix(sample, leaving.next(&self.past), share);
        *rest -= 1;
        if *rest == 0 {
            self.leaving = None;
        }
        joined
    }

    /// How many samples after the loss are faded in.
    fn fade_samples(&self) -> usize {
        let longer = self.made.saturating_sub(1) / STEP * FADE_PER_STEP;
        (self.past.quarter() + longer).min(MAX_FADE)
    }
}

/// Level of the sample `made` samples after the loss began, 0.0-1.0.
fn gain(made: usize) -> f32 {
    let quieter = made.saturating_sub(STEP) as f32 / (SILENT_AFTER - STEP) as f32;
    (1.0 - quieter).max(0.0)
}

/// A run through the last periods, again and again.
#[derive(Clone)]
struct Voice {
    periods: usize,
    /// Samples from the start of the first of them.
    position: usize,
}

impl Voice {
    fn next(&mut self, past: &Past) -> f32 {
        let length = self.periods * past.pitch;
        let sample = past.looped(length, self.position);
        self.position = (self.position + 1) % length;
        sample
    }
}

/// The output before the loss, and its pitch.
#[derive(Clone)]
struct Past {
    samples: [i16; HISTORY],
    /// Samples of a period, [`MIN_PITCH`] to [`MAX_PITCH`].
    pitch: usize,
}

impl Past {
    fn new(samples: [i16; HISTORY]) -> Self {
        let pitch = pitch(&samples);
        Self { samples, pitch }
    }

    fn quarter(&self) -> usize {
        self.pitch / 4
    }

    fn at(&self, before_end: usize) -> f32 {
        f32::from(self.samples[HISTORY - before_end])
    }

    /// Sample `position` of the last `length`; its last quarter period is overlapped with what came
    /// before its start, so that it joins its own start.
    fn looped(&self, length: usize, position: usize) -> f32 {
        let sample = self.at(length - position);
        let join = (position + self.quarter() + 1).saturating_sub(length);
        if join == 0 {
            return sample;
        }
        let share = join as f32 / (self.quarter() + 1) as f32;
        mix(sample, self.at(2 * length - position), share)
    }

    /// What lifts the first samples made to where the last one played has left off.
    fn offset(&self, made: usize) -> f32 {
        let step = self.at(1) - self.at(self.pitch + 1);
        let rest = self.quarter().saturating_sub(made);
        step * rest as f32 / (self.quarter() + 1) as f32
    }
}

/// The period at which the last 20 ms are most like what came before: the lag of the greatest
/// normalized correlation. The longest for silence, which has none.
fn pitch(history: &[i16; HISTORY]) -> usize {
    let samples = history.map(f32::from);
    let last = &samples[HISTORY - CORRELATION..];
    let likeness = |lag: usize| {
        let before = &samples[HISTORY - CORRELATION - lag..HISTORY - lag];
        // Energy of less than one step per sample is no signal.
        dot(last, before) / dot(before, before).max(CORRELATION as f32).sqrt()
    };
    let best = (MIN_PITCH..=MAX_PITCH).map(|lag| (likeness(lag), lag));
    best.max_by(|one, other| one.0.total_cmp(&other.0))
        .map_or(MAX_PITCH, |(_, lag)| lag)
}

fn dot(one: &[f32], other: &[f32]) -> f32 {
    let mut sums = [0.0; 8];
    for (one, other) in one.chunks_exact(8).zip(other.chunks_exact(8)) {
        for lane in 0..8 {
            sums[lane] += one[lane] * other[lane];
        }
    }
    sums.iter().sum()
}

/// From `from` (`share` 0.0) to `to` (1.0).
fn mix(from: f32, to: f32, share: f32) -> f32 {
    from + (to - from) * share
}

fn to_sample(value: f32) -> i16 {
    value.round() as i16
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dsp::tone::{Tone, amplitude_at};
    use proptest::prelude::*;

    const RATE_HZ: u32 = 8000;
    const FRAME: usize = 160;

    fn tone(hz: f64, samples: usize) -> Vec<i16> {
        let mut tone = Tone::new(hz, -12.0, RATE_HZ);
        let mut out = vec![0; samples];
        tone.fill(&mut out);
        out
    }

    /// A voiced sound: pulses of `pitch` samples through a decaying resonance.
    fn voice(pitch: usize, samples: usize) -> Vec<i16> {
        let pulse = |n: usize| {
            let at = (n % pitch) as f64;
            9000.0 * (-at / 25.0).exp() * (at * 0.45).sin()
        };
        (0..samples).map(|n| pulse(n) as i16).collect()
    }

    /// What is heard of `sent` when the frames that `is_lost` names are concealed.
    fn heard(sent: &[i16], is_lost: impl Fn(usize) -> bool) -> Vec<i16> {
        let mut concealer = Concealer::new();
        let mut out = sent.to_vec();
        for (number, frame) in out.chunks_mut(FRAME).enumerate() {
            if is_lost(number) {
                concealer.lost(frame);
            } else {
                concealer.good(frame);
            }
        }
        out
    }

    /// Every 20th frame: 5 %, at changing phases of the tone.
    fn one_in_twenty(frame: usize) -> bool {
        frame % 20 == 19
    }

    fn biggest_step(samples: &[i16]) -> i32 {
        let step = |pair: &[i16]| (i32::from(pair[1]) - i32::from(pair[0])).abs();
        samples.windows(2).map(step).max().unwrap_or(0)
    }

    fn rms(samples: &[i16]) -> f64 {
        let sum: f64 = samples
            .iter()
            .map(|&sample| f64::from(sample).powi(2))
            .sum();
        (sum / samples.len() as f64).sqrt()
    }

    #[test]
    fn a_tone_with_5_percent_loss_keeps_its_frequency_and_level() {
        for hz in [200.0, 440.0, 697.0, 1004.0] {
            let sent = tone(hz, 8 * 8000);
            let out = heard(&sent, one_in_twenty);
            let before = amplitude_at(&sent, hz, RATE_HZ);
            let after = amplitude_at(&out, hz, RATE_HZ);
            let change_db = 20.0 * (after / before).log10();
            assert!(change_db.abs() < 0.5, "{hz} Hz: {change_db} dB");
            let beside = [hz - 1.0, hz + 1.0].map(|hz| amplitude_at(&out, hz, RATE_HZ));
            assert!(
                beside.iter().all(|&amplitude| amplitude < after * 0.1),
                "{hz} Hz"
            );
        }
    }

    #[test]
    fn a_concealed_tone_has_no_gap_and_no_click() {
        for hz in [200.0, 440.0, 697.0, 1004.0] {
            let sent = tone(hz, 4 * 8000);
            let out = heard(&sent, one_in_twenty);
            // A click would be a step steeper than the tone's own by more than a third.
            let (own, concealed) = (biggest_step(&sent), biggest_step(&out));
            assert!(concealed * 3 <= own * 4, "{hz} Hz: {concealed} of {own}");
            // No 5 ms are quieter than half the tone; a lost frame ends at 80 % of it.
            let level = rms(&sent);
            let quietest = out.chunks(40).map(rms).fold(f64::MAX, f64::min);
            assert!(quietest > level * 0.5, "{hz} Hz: {quietest} of {level}");
        }
    }

    #[test]
    fn a_voice_goes_on_with_its_pitch() {
        for pitch_samples in [45, 71, 113] {
            let sent = voice(pitch_samples, 3200);
            let out = heard(&sent, |frame| frame == 10);
            let lost = 1600..1600 + STEP;
            let error: Vec<i16> = sent[lost.clone()]
                .iter()
                .zip(&out[lost.clone()])
                .map(|(sent, heard)| sent - heard)
                .collect();
            let noise = rms(&error) / rms(&sent[lost]);
            assert!(noise < 0.01, "{pitch_samples}: {noise}");
        }
    }

    #[test]
    fn a_loss_fades_by_a_fifth_every_10_ms_to_silence_at_60_ms() {
        let mut history = tone(400.0, 1600);
        let mut concealer = Concealer::new();
        concealer.good(&mut history);
        let mut out = [0; 8 * STEP];
        concealer.lost(&mut out);
        let levels = out.chunks(STEP).map(|step| rms(step) / rms(&history));
        for (level, expected) in levels.zip([1.0, 0.9, 0.7, 0.5, 0.3, 0.1, 0.0, 0.0]) {
            assert!((level - expected).abs() < 0.03, "{level}, not {expected}");
        }
        assert!(out[SILENT_AFTER..].iter().all(|&sample| sample == 0));
    }

    #[test]
    fn speech_after_a_long_loss_fades_in_over_10_ms() {
        let mut concealer = Concealer::new();
        concealer.good(&mut tone(400.0, 1600));
        concealer.lost(&mut [0; 480]);
        let mut frame = [8000; FRAME];
        concealer.good(&mut frame);
        assert!(frame[..MAX_FADE].is_sorted());
        assert!((0..200).contains(&frame[0]));
        assert_eq!(frame[MAX_FADE..], [8000; FRAME - MAX_FADE]);
    }

    #[test]
    fn frames_are_left_alone_once_the_loss_is_over() {
        let sent = tone(440.0, 20 * FRAME);
        let out = heard(&sent, |frame| frame == 10);
        assert_eq!(sent[..10 * FRAME], out[..10 * FRAME]);
        let after = 11 * FRAME + MAX_FADE;
        assert_eq!(sent[after..], out[after..]);
    }

    #[test]
    fn a_loss_of_nothing_changes_nothing() {
        let sent = tone(440.0, FRAME);
        let mut concealer = Concealer::new();
        let mut frame = sent.clone();
        concealer.lost(&mut []);
        concealer.good(&mut frame);
        assert_eq!(frame, sent);
    }

    #[test]
    fn silence_is_concealed_by_silence() {
        let mut concealer = Concealer::new();
        let mut out = [1; 480];
        concealer.lost(&mut out);
        assert_eq!(out, [0; 480]);
    }

    #[test]
    fn a_splice_is_joined_without_a_click() {
        let sent = tone(440.0, 1600);
        let mut concealer = Concealer::new();
        concealer.good(&mut sent[..805].to_vec());
        // From the top of the wave to its bottom.
        let mut next = sent[977..1137].to_vec();
        let last = sent[804];
        let bare = biggest_step(&[&[last], &next[..]].concat());
        concealer.spliced(&mut next);
        let joined = biggest_step(&[&[last], &next[..]].concat());
        let own = biggest_step(&sent);
        assert!(
            bare > own * 2 && joined * 2 < own * 3,
            "{bare}, {joined}, {own}"
        );
    }

    fn noise() -> impl Strategy<Value = Vec<i16>> {
        prop::collection::vec(
            prop_oneof![any::<i16>(), Just(i16::MIN), Just(i16::MAX)],
            1..480,
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn the_length_of_frames_makes_no_difference(
            before in noise(), after in noise(), lost in 1..700usize, cut in 1..480usize,
        ) {
            let mut whole = (before.clone(), vec![0; lost], after.clone());
            let mut concealer = Concealer::new();
            concealer.good(&mut whole.0);
            concealer.lost(&mut whole.1);
            concealer.good(&mut whole.2);
            let mut parts = (before, vec![0; lost], after);
            let mut concealer = Concealer::new();
            parts.0.chunks_mut(cut).for_each(|part| concealer.good(part));
            parts.1.chunks_mut(cut).for_each(|part| concealer.lost(part));
            parts.2.chunks_mut(cut).for_each(|part| concealer.good(part));
            prop_assert_eq!(whole, parts);
        }

        #[test]
        fn no_sound_and_no_pattern_of_loss_makes_it_panic(
            frames in prop::collection::vec((0..3u8, noise()), 0..12),
        ) {
            let mut concealer = Concealer::new();
            for (kind, mut frame) in frames {
                match kind {
                    0 => concealer.good(&mut frame),
                    1 => concealer.lost(&mut frame),
                    _ => concealer.spliced(&mut frame),
                }
            }
        }
    }
}
