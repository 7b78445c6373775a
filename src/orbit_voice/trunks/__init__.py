"""Trunks and numbers: records, validation, choice of route."""
