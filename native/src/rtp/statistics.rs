//! rtp/statistics
