//! RTP and what travels with it: packets, RTCP, statistics, jitter buffer, telephone events.
//!
//! Pure: datagrams and moments in, values out. No input makes it panic, and nothing is allocated
//! after construction.

mod delay;
pub mod jitter;
pub mod packet;
pub mod rtcp;
mod sequence_window;
pub mod statistics;
pub mod telephone_event;
mod tick_ring;
