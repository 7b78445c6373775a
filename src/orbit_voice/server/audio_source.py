"""Finds the audio that ``play`` names: a recording of the organization, or a URL."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path
from typing import Final

from orbit_voice.calls.orders import PlayOrder
from orbit_voice.kit.errors import CallError, ErrorCode
from orbit_voice.media.engine import MediaEngine
from orbit_voice.media.errors import MediaError
from orbit_voice.store.recordings import RecordingFiles
from orbit_voice.webhooks.fetching import BoundedFetch, FetchError

MAX_FETCHED_BYTES: Final = 512_000_000
"""What fetched files may take together; the oldest go first."""


class AudioSource:
    """The :class:`~orbit_voice.calls.interfaces.PromptSource` of a node.

    A URL is fetched anew for every order: what lies behind it may have changed.

    Args:
        recordings: Finds recordings.
        fetch: Fetches URLs past the guard.
        media: Says whether a file can be played.
        directory: Of fetched files.
    """

    def __init__(
        self,
        recordings: RecordingFiles,
        fetch: BoundedFetch,
        media: MediaEngine,
        directory: Path,
    ) -> None:
        self._recordings = recordings
        self._fetch = fetch
        self._media = media
        self._directory = directory

    async def find_audio(self, org_id: str, order: PlayOrder) -> Path:
        """Return a file that the media engine can play.

        Raises:
            CallError: ``NOT_FOUND``; ``INVALID_WEBHOOK_URL`` from the guard; ``VALIDATION_ERROR``
                when it cannot be fetched or played.
        """
        if order.recording_id is not None:
            return await self._recording(org_id, order.recording_id)
        assert order.url is not None  # the API lets exactly one through
        return await self._fetched(org_id, order.url)

    async def _recording(self, org_id: str, recording_id: str) -> Path:
        found = await self._recordings.find_recording(org_id, recording_id)
        if found is None:
            details = {"field": "recording_id", "value": recording_id}
            raise CallError(ErrorCode.NOT_FOUND, details=details)
        await self._check(found.path, "recording_id")
        return found.path

    async def _fetched(self, org_id: str, url: str) -> Path:
        name = hashlib.sha256(f"{org_id} {url}".encode()).hexdigest()
        path = self._directory / f"{name}.audio"
        await asyncio.to_thread(_make_room, self._directory)
        try:
            await self._fetch.fetch_audio(url, path)
        except FetchError as error:
            raise _unusable("url", f"The audio could not be fetched: {error}.") from error
        await self._check(path, "url")
        return path

    async def _check(self, path: Path, field: str) -> None:
        try:
            await self._media.prefetch([path])
        except MediaError as error:
            message = f"The file cannot be played: {error.detail}."
            raise _unusable(field, message) from error


def _unusable(field: str, message: str) -> CallError:
    expected = "a WAV file: 16-bit PCM or G.711, mono or stereo, 8000-48000 Hz"
    details = {"field": field, "expected": expected}
    return CallError(ErrorCode.VALIDATION_ERROR, message, details=details)


def _make_room(directory: Path) -> None:
    """Delete the oldest fetched files until they take no more than they may."""
    directory.mkdir(parents=True, exist_ok=True)
    files = sorted(directory.glob("*.audio"), key=lambda path: path.stat().st_mtime)
    total = sum(path.stat().st_size for path in files)
    for path in files:
        if total <= MAX_FETCHED_BYTES:
            return
        total -= path.stat().st_size
        path.unlink(missing_ok=True)
