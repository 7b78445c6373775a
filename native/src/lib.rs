//! The media engine of Orbit Voice: RTP, codecs, playout and recording on a 20 ms clock.
//!
//! Everything but `io` is pure: bytes, samples and `now` in, values out. Only `python` knows
//! Python; it is compiled with the feature `python`, which maturin turns on.

pub mod codec;
pub mod dsp;
pub mod rtp;

#[cfg(feature = "python")]
mod python;
