"""Reads of recordings for the API. They are written with the changes of their call."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from orbit_voice.calls.records import Recording, RecordingStatus
from orbit_voice.kit.pages import Page
from orbit_voice.store.call_rows import read_recording
from orbit_voice.store.database import Database
from orbit_voice.store.keyset import Order, read_page
from orbit_voice.store.tables import calls, recordings

_NEWEST_FIRST = Order("recordings", recordings.c.created_at, recordings.c.id)


@dataclass(frozen=True, slots=True)
class KeptRecording:
    """A recording and whose it is.

    Attributes:
        org_id: The organization.
        call_id: The call it is of.
        created_at: When it began.
        recording: The rest.
    """

    org_id: str
    call_id: str
    created_at: datetime
    recording: Recording


@dataclass(frozen=True, slots=True)
class RecordingFile:
    """A finished recording on this machine's disk.

    Attributes:
        path: Absolute; a WAV file, whole from the moment it exists.
        sha256: Hex digest of the file, its entity tag; None when it is not known.
    """

    path: Path
    sha256: str | None = None


class Recordings:
    """Reads and deletes recordings' rows; the audio files are not touched here.

    Args:
        database: Where.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get_recording(self, org_id: str, recording_id: str) -> KeptRecording | None:
        """Return one recording, or None."""
        query = sa.select(recordings).where(
            recordings.c.org_id == org_id, recordings.c.id == recording_id
        )
        row = await self._database.read(lambda connection: connection.execute(query).one_or_none())
        return None if row is None else _read(row)

    async def list_recordings(
        self, org_id: str, *, cursor: str | None, limit: int, call_id: str | None = None
    ) -> Page[KeptRecording]:
        """Return one page, newest first.

        Args:
            org_id: Whose.
            cursor: Where the page before ended, or None.
            limit: Rows per page, 1-100.
            call_id: Only this call's; None for all.

        Raises:
            CallError: ``INVALID_CURSOR``.
        """
        query = sa.select(recordings).where(recordings.c.org_id == org_id)
        if call_id is not None:
            query = query.where(recordings.c.call_id == call_id)
        return await self._database.read(
            lambda connection: read_page(
                connection, query, _NEWEST_FIRST, cursor=cursor, limit=limit, decode=_read
            )
        )

    async def delete_recording(self, org_id: str, recording_id: str) -> bool:
        """Delete a recording's row; return False when there is none."""
        return await self._database.write(
            lambda connection: _delete(connection, org_id, recording_id)
        )


class RecordingFiles:
    """Finds the audio of recordings.

    Args:
        recordings: Their rows.
        directory: The data directory, which the rows' paths are relative to.
    """

    def __init__(self, recordings: Recordings, directory: Path) -> None:
        self._recordings = recordings
        self._directory = directory.absolute()

    async def find_recording(self, org_id: str, recording_id: str) -> RecordingFile | None:
        """Return where a recording of the organization lies; None until it is finished."""
        kept = await self._recordings.get_recording(org_id, recording_id)
        if kept is None or kept.recording.status is not RecordingStatus.COMPLETED:
            return None
        return RecordingFile(self._directory / kept.recording.path, kept.recording.sha256)


def _delete(connection: sa.Connection, org_id: str, recording_id: str) -> bool:
    gone = recordings.delete().where(recordings.c.org_id == org_id, recordings.c.id == recording_id)
    if connection.execute(gone).rowcount == 0:
        return False
    named = (calls.c.org_id == org_id) & (calls.c.recording_id == recording_id)
    connection.execute(calls.update().where(named).values(recording_id=None))
    return True


def _read(row: sa.Row[Any]) -> KeptRecording:
    return KeptRecording(row.org_id, row.call_id, row.created_at, read_recording(row))
