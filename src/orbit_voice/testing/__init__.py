"""The shipped test kit: virtual time, lossy network, SIP phone, carrier simulator."""
