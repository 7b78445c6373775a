//! Signal processing on 16-bit PCM: concealment, resampling, tones.

pub mod plc;
pub mod resample;
pub mod tone;
