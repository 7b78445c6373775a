"""Which Hibari voices are on this machine, found without loading the engine.

One voice comes within the package; further ones are model files that the operator puts into
``HIBARI_HOME``. Nothing is ever downloaded: the files must be here before a call needs them.
"""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from orbit_voice.speech.interface import Voice

_DISTRIBUTION: Final = "hibari-tts"
_PACKAGE: Final = "hibari"
_RENDERING: Final = 1
"""Revision of what :mod:`orbit_voice.speech.hibari_program` does to the engine's sound."""


def engine_version() -> str:
    """Return the version of the engine and of what is done to its sound."""
    try:
        version = metadata.version(_DISTRIBUTION)
    except metadata.PackageNotFoundError:
        version = "none"
    return f"{version}+{_RENDERING}"


def installed_voices() -> tuple[Voice, ...]:
    """Return the voices whose model files are here, the one within the package first.

    Empty when the engine is not installed.
    """
    assets = _assets()
    if assets is None:
        return ()
    registry: Mapping[str, Mapping[str, Any]] = json.loads(
        (assets / "voices.json").read_text(encoding="utf-8")
    )
    bundled_first = sorted(registry.items(), key=lambda item: not item[1].get("bundled"))
    return tuple(
        Voice(name, entry["language"], entry["gender"])
        for name, entry in bundled_first
        if entry.get("bundled") or (_models() / entry["file"]).is_file()
    )


def _assets() -> Path | None:
    found = importlib.util.find_spec(_PACKAGE)
    if found is None or found.origin is None:
        return None
    return Path(found.origin).parent / "assets"


def _models() -> Path:
    """Return where the engine looks for voices that are not within its package."""
    if home := os.environ.get("HIBARI_HOME"):
        return Path(home)
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / _PACKAGE
