"""Delivery of events: signing, order, retries, crash-safe."""
