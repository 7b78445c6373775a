"""What the two INVITE sessions are made of (RFC 3261 §12 to §15)."""
