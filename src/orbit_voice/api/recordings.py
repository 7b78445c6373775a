"""``/v1/voice/recordings/{id}/audio``: the audio of a recording (API contract §10)."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, BinaryIO, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Send
from starlette.types import Scope as AsgiScope

from orbit_voice.api import openapi
from orbit_voice.api.auth import check_ids, dependencies, find_key, require
from orbit_voice.api.ranges import ByteRange, RangeNotSatisfiableError, select_range
from orbit_voice.kit.errors import CallError, ErrorCode
from orbit_voice.store.api_keys import Scope
from orbit_voice.store.recordings import RecordingFile

CHUNK_BYTES: Final = 65_536
"""Read and sent at once: four seconds of stereo, one socket buffer."""

router: Final = openapi.new_router("Recordings")
_read_with_key: Final = require(Scope.READ)


def _operation() -> dict[str, Any]:
    described = openapi.operation("Get a recording's audio", None, errors=(ErrorCode.NOT_FOUND,))
    audio = {"audio/wav": {"schema": {"type": "string", "format": "binary"}}}
    described["responses"][200] = {"description": "The whole file.", "content": audio}
    described["responses"][206] = {"description": "The range asked for.", "content": audio}
    described["responses"][416] = {"description": "The file ends before the range begins."}
    described["openapi_extra"]["security"].append({"RecordingToken": []})
    return described


@router.get("/v1/voice/recordings/{recording_id}/audio", **_operation())
async def get_audio(request: Request, recording_id: str) -> Response:
    """Get a recording as WAV, whole or one byte range; with a key or the signed `token`."""
    org_id = await _organization(request, recording_id)
    file = await dependencies(request).recordings.find_recording(org_id, recording_id)
    if file is None:
        raise _not_found(recording_id)
    try:
        audio, size = await asyncio.to_thread(_open, file.path)
    except FileNotFoundError:
        raise _not_found(recording_id) from None
    try:
        return _answer(request, file, audio, size)
    except RangeNotSatisfiableError:
        audio.close()
        return Response(status_code=416, headers={"Content-Range": f"bytes */{size}"})


class AudioResponse(Response):
    """Part of an open file, sent in chunks; the file is closed whatever happens.

    Args:
        audio: The file.
        part: What to send of it.
        headers: Of the answer.
        status: 200 or 206.
    """

    media_type = "audio/wav"

    def __init__(
        self, audio: BinaryIO, part: ByteRange, *, headers: dict[str, str], status: int
    ) -> None:
        super().__init__(status_code=status, headers=headers)
        self._audio = audio
        self._part = part

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        """Send the answer."""
        try:
            start = {"status": self.status_code, "headers": self.raw_headers}
            await send({"type": "http.response.start", **start})
            await self._send_audio(send)
        finally:
            self._audio.close()

    async def _send_audio(self, send: Send) -> None:
        await asyncio.to_thread(self._audio.seek, self._part.first)
        left = self._part.length
        while left > 0:
            chunk = await asyncio.to_thread(self._audio.read, min(CHUNK_BYTES, left))
            if not chunk:
                raise OSError("the recording is shorter than its size")
            left -= len(chunk)
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _organization(request: Request, recording_id: str) -> str:
    """Return whose recording the request may read: by its key, else by its token."""
    token = request.query_params.get("token")
    if token is None or find_key(request) is not None:
        return (await _read_with_key(request)).org_id
    check_ids(request)
    org_id: str | None = request.app.state.recording_links.organization(recording_id, token)
    if org_id is None:
        raise CallError(
            ErrorCode.UNAUTHORIZED,
            "The link is not valid or has expired (links work for an hour): read the call again "
            "for a new `recording_url`, or send an API key.",
            details={"field": "token", "expected": "the token of a recording_url"},
        )
    return org_id


def _answer(request: Request, file: RecordingFile, audio: BinaryIO, size: int) -> Response:
    headers = {"Accept-Ranges": "bytes", "Cache-Control": "private, no-store"}
    range_header = request.headers.get("range")
    if file.sha256 is not None:
        headers["ETag"] = f'"{file.sha256}"'
    if request.headers.get("if-range", headers.get("ETag")) != headers.get("ETag"):
        range_header = None  # it changed since (RFC 9110 §13.1.5): send the whole
    part = select_range(range_header, size)
    if part is None:
        part, status = ByteRange(0, size - 1), 200
    else:
        status = 206
        headers["Content-Range"] = part.content_range(size)
    headers["Content-Length"] = str(part.length)
    return AudioResponse(audio, part, headers=headers, status=status)


def _open(path: Path) -> tuple[BinaryIO, int]:
    audio = path.open("rb")
    return audio, audio.seek(0, 2)


def _not_found(recording_id: str) -> CallError:
    return CallError(ErrorCode.NOT_FOUND, details={"field": "id", "value": recording_id})
