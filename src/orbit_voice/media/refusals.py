"""Turns what the native engine raises into :class:`MediaError`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from orbit_voice import _native
from orbit_voice.media.errors import MediaError, MediaFailure


@contextmanager
def refusals_as_media_errors() -> Iterator[None]:
    """Raise a :class:`MediaError` for every native refusal inside the block."""
    try:
        yield
    except _native.EngineError as error:
        failure, detail = error.args
        raise MediaError(MediaFailure(failure), detail) from error
