//! dsp/tone
