//! The media engine of Orbit Voice: RTP, codecs, playout and recording on a 20 ms clock.
//!
//! Everything but `io` and `engine` is pure: bytes, samples and `now` in, values out. Only `python` knows
//! Python; it is compiled with the feature `python`, which maturin turns on.

pub mod codec;
pub mod dsp;
pub mod engine;
pub mod events;
pub mod graph;
pub mod histogram;
pub mod io;
pub mod rtp;
pub mod stream;

#[cfg(feature = "python")]
mod python;
