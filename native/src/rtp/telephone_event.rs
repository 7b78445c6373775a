//! rtp/telephone_event
