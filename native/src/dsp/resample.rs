//! dsp/resample
