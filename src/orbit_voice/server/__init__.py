"""Composition root: settings, builds every object once, starts, drains, stops."""
