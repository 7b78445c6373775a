//! Plays a list of prompts, one tick at a time.

use std::sync::Arc;

use super::prompt::Prompt;
use super::{FRAME_SAMPLES, Frame};
use crate::codec::g711::Law;

/// An order to play.
#[derive(Clone, Debug)]
pub struct Play {
    /// Comes back when it is over.
    pub id: u64,
    /// One after the other, without a gap.
    pub prompts: Vec<Arc<Prompt>>,
    /// Begin again after the last.
    pub looped: bool,
}

#[derive(Debug)]
struct Playing {
    play: Play,
    prompt: usize,
    position: usize,
}

impl Playing {
    /// The next samples of the present prompt, at most `limit`; None at the end of the list.
    ///
    /// Prompts are never empty, so that a loop always comes to samples.
    fn take(&mut self, limit: usize) -> Option<(&Prompt, std::ops::Range<usize>)> {
        if self.play.looped && self.prompt == self.play.prompts.len() {
            self.prompt = 0;
        }
        let prompt = self.play.prompts.get(self.prompt)?;
        let start = self.position;
        let end = prompt.samples().len().min(start + limit);
        if end == prompt.samples().len() {
            self.prompt += 1;
            self.position = 0;
        } else {
            self.position = end;
        }
        Some((prompt, start..end))
    }

    fn is_over(&self) -> bool {
        !self.play.looped && self.prompt == self.play.prompts.len()
    }
}

/// What a stream plays, if anything.
#[derive(Debug, Default)]
pub struct Player {
    playing: Option<Playing>,
}

impl Player {
    /// Play from the next tick on; returns the id of what played until now.
    pub fn start(&mut self, play: Play) -> Option<u64> {
        let replaced = self.stop();
        self.playing = Some(Playing {
            play,
            prompt: 0,
            position: 0,
        });
        replaced
    }

    /// Play nothing from the next tick on; returns the id of what played until now.
    pub fn stop(&mut self) -> Option<u64> {
        self.playing.take().map(|playing| playing.play.id)
    }

    /// Whether the next tick has sound.
    pub fn is_playing(&self) -> bool {
        self.playing.is_some()
    }

    /// Write the next tick, encoded, and as samples where somebody listens to those.
    ///
    /// What is not covered by a prompt is left untouched: the caller fills in silence before.
    /// Returns the id of the play whose last sample this tick holds.
    pub fn fill(
        &mut self,
        law: Law,
        encoded: &mut [u8; FRAME_SAMPLES],
        mut linear: Option<&mut Frame>,
    ) -> Option<u64> {
        let playing = self.playing.as_mut()?;
        let mut filled = 0;
        while let Some((prompt, range)) = playing.take(FRAME_SAMPLES - filled) {
            let part = filled..filled + range.len();
            prompt.encode(law, range.clone(), &mut encoded[part.clone()]);
            if let Some(linear) = linear.as_deref_mut() {
                linear[part.clone()].copy_from_slice(&prompt.samples()[range]);
            }
            filled = part.end;
            if filled == FRAME_SAMPLES {
                break;
            }
        }
        if playing.is_over() { self.stop() } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::SILENT_FRAME;

    fn prompt(samples: impl IntoIterator<Item = i16>) -> Arc<Prompt> {
        Arc::new(Prompt::new(samples.into_iter().collect()).unwrap())
    }

    fn play(id: u64, prompts: &[&Arc<Prompt>], looped: bool) -> Play {
        Play {
            id,
            prompts: prompts.iter().map(|&prompt| prompt.clone()).collect(),
            looped,
        }
    }

    fn tick(player: &mut Player) -> (Frame, Option<u64>) {
        let mut encoded = [Law::Mu.silence(); FRAME_SAMPLES];
        let mut linear = SILENT_FRAME;
        let finished = player.fill(Law::Mu, &mut encoded, Some(&mut linear));
        let mut expected = [0; FRAME_SAMPLES];
        Law::Mu.encode(&linear, &mut expected);
        assert_eq!(encoded, expected, "both forms hold the same sound");
        (linear, finished)
    }

    #[test]
    fn prompts_follow_each_other_without_a_gap_and_end_in_silence() {
        let (first, second) = (prompt([8; 100]), prompt([16; 100]));
        let mut player = Player::default();
        assert_eq!(player.start(play(7, &[&first, &second], false)), None);
        let (frame, finished) = tick(&mut player);
        assert_eq!((frame[99], frame[100], frame[159]), (8, 16, 16));
        assert_eq!(finished, None);
        let (frame, finished) = tick(&mut player);
        assert_eq!((frame[39], frame[40]), (16, 0));
        assert_eq!(finished, Some(7));
        assert!(!player.is_playing());
    }

    #[test]
    fn a_prompt_that_ends_with_a_tick_is_over_with_that_tick() {
        let mut player = Player::default();
        player.start(play(7, &[&prompt([8; 320])], false));
        assert_eq!(tick(&mut player).1, None);
        assert_eq!(tick(&mut player).1, Some(7));
        assert_eq!(tick(&mut player), (SILENT_FRAME, None));
    }

    #[test]
    fn a_loop_shorter_than_a_tick_fills_the_tick_and_never_ends() {
        let mut player = Player::default();
        player.start(play(7, &[&prompt([8, 16, 24])], true));
        for tick_number in 0..50 {
            let (frame, finished) = tick(&mut player);
            assert_eq!(finished, None);
            for (index, &sample) in frame.iter().enumerate() {
                let position = tick_number * FRAME_SAMPLES + index;
                assert_eq!(sample, 8 * (position % 3) as i16 + 8);
            }
        }
        assert_eq!(player.stop(), Some(7));
        assert_eq!(tick(&mut player).0, SILENT_FRAME);
    }

    #[test]
    fn a_new_play_replaces_the_present_one_and_starts_at_its_beginning() {
        let mut player = Player::default();
        player.start(play(7, &[&prompt([8; 1000])], false));
        tick(&mut player);
        let other = prompt([16].into_iter().chain([24; 999]));
        assert_eq!(player.start(play(8, &[&other], false)), Some(7));
        assert_eq!(tick(&mut player).0[..2], [16, 24]);
    }
}
