//! rtp/jitter
