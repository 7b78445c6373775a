//! A prompt in memory: decoded once, shared by every stream that plays it.

use std::ops::Range;
use std::sync::OnceLock;

use super::wav::{self, WavError};
use crate::codec::g711::Law;

/// Sound at 8000 Hz, and its G.711 forms as far as they were asked for.
#[derive(Debug)]
pub struct Prompt {
    samples: Box<[i16]>,
    ulaw: OnceLock<Box<[u8]>>,
    alaw: OnceLock<Box<[u8]>>,
}

impl Prompt {
    /// A prompt of `samples` at 8000 Hz; None when there are none.
    pub fn new(samples: Vec<i16>) -> Option<Self> {
        (!samples.is_empty()).then(|| Self {
            samples: samples.into_boxed_slice(),
            ulaw: OnceLock::new(),
            alaw: OnceLock::new(),
        })
    }

    /// Read a file and bring it to 8000 Hz.
    ///
    /// # Errors
    ///
    /// [`WavError`].
    pub fn from_wav(file: &[u8]) -> Result<Self, WavError> {
        let wav = wav::parse(file)?;
        let samples = match wav.rate_hz {
            8_000 => wav.samples,
            rate_hz => crate::dsp::resample::to_8khz(&wav.samples, rate_hz),
        };
        Self::new(samples).ok_or(WavError::Empty)
    }

    /// The sound, at least one sample.
    pub fn samples(&self) -> &[i16] {
        &self.samples
    }

    /// Make the encoded form now, so that no tick has to encode. For the thread that orders a play.
    pub fn prepare(&self, law: Law) {
        self.form(law).get_or_init(|| {
            let mut bytes = vec![0; self.samples.len()].into_boxed_slice();
            law.encode(&self.samples, &mut bytes);
            bytes
        });
    }

    /// Write the samples of `range` to `out` in `law`: copied when prepared, else encoded here (the
    /// codec changed while it plays).
    pub fn encode(&self, law: Law, range: Range<usize>, out: &mut [u8]) {
        match self.form(law).get() {
            Some(bytes) => out.copy_from_slice(&bytes[range]),
            None => {
                law.encode(&self.samples[range], out);
            }
        }
    }

    /// Bytes of memory when both forms are made: what a cache must count on.
    pub fn memory_bytes(&self) -> usize {
        self.samples.len() * (size_of::<i16>() + 2)
    }

    fn form(&self, law: Law) -> &OnceLock<Box<[u8]>> {
        match law {
            Law::Mu => &self.ulaw,
            Law::A => &self.alaw,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prepared_prompt_sounds_like_one_encoded_on_the_way() {
        let samples: Vec<i16> = (0..2000).map(|n| (n * 31 - 30_000) as i16).collect();
        for law in [Law::Mu, Law::A] {
            let prompt = Prompt::new(samples.clone()).unwrap();
            let (mut fresh, mut prepared) = ([0; 160], [0; 160]);
            prompt.encode(law, 500..660, &mut fresh);
            prompt.prepare(law);
            prompt.encode(law, 500..660, &mut prepared);
            assert_eq!(fresh, prepared);
        }
    }

    #[test]
    fn a_prompt_without_sound_does_not_exist() {
        assert!(Prompt::new(vec![]).is_none());
    }

    #[test]
    fn a_file_of_another_rate_keeps_its_length_in_time() {
        for rate_hz in [16_000u32, 22_050, 24_000, 44_100, 48_000] {
            let mut file = wav::header(2 * u64::from(rate_hz)).to_vec();
            file[24..28].copy_from_slice(&rate_hz.to_le_bytes());
            file.resize(44 + 2 * rate_hz as usize, 0);
            let length = Prompt::from_wav(&file).unwrap().samples().len();
            assert!((7_999..=8_001).contains(&length), "{rate_hz}: {length}");
        }
    }
}
