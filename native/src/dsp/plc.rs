//! dsp/plc
