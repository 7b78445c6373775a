//! The media engine of Orbit Voice: RTP, codecs, playout and recording on a 20 ms clock.
//!
//! Everything but `io` and `engine` is pure: bytes, samples and `now` in, values out. Only `python`
//! knows Python; it is compiled with the feature `python`, which maturin turns on.
//!
//! One packet on its way: `engine::shard` takes it from its socket and gives it to the stream's
//! `stream::session`, which asks `stream::latch` whether its source is believed. `stream::incoming`
//! puts it into `rtp::jitter`; at the stream's next tick it comes out as a frame, is decoded by
//! `codec`, or made up by `dsp::plc` where it is missing, and goes into the recording. In the same
//! tick `stream::outgoing` makes the packet for the other way from what `graph::player` plays.

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
