"""Shapes of requests and answers, one module per resource (API contract §2-§4, §10)."""
