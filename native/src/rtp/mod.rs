//! RTP and what travels with it: packets, RTCP, statistics, jitter buffer, telephone events.
