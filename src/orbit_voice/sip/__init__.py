"""The SIP core (RFC 3261 and kin), without I/O: bytes and `now` in, outputs out."""
