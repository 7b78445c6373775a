"""Structured logging: one JSON line (or one coloured line on a terminal) per event."""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, Final

import structlog

_SECRET_KEYS: Final = frozenset(
    {"password", "secret", "signing_secret", "api_key", "authorization", "proxy_authorization"}
)
_REDACTED: Final = "[redacted]"


def redact_secrets(
    logger: object, method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Blank the value of every key that could hold a credential. A structlog processor."""
    for key in event.keys() & _SECRET_KEYS:
        event[key] = _REDACTED
    return event


def configure_logging(level: str, *, json_lines: bool | None = None) -> None:
    """Set structlog and the standard library's logging up, once, for the whole process.

    Args:
        level: ``debug``, ``info``, ``warning`` or ``error``.
        json_lines: True for JSON, False for people; None asks whether stderr is a terminal.
    """
    threshold = logging.getLevelNamesMapping()[level.upper()]
    if json_lines is None:
        json_lines = not sys.stderr.isatty()
    renderer: Any = (
        structlog.processors.JSONRenderer() if json_lines else structlog.dev.ConsoleRenderer()
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            redact_secrets,
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=max(threshold, logging.WARNING), stream=sys.stderr, force=True)
