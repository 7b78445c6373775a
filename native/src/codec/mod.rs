//! Audio codecs: samples to payload bytes and back.

pub mod g711;
