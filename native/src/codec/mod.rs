//! Audio codecs: samples to payload bytes and back.
