"""One running speech program: started, asked one thing at a time, stopped without a trace."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping, Sequence
from typing import Final, Self

import structlog

from orbit_voice.kit.errors import OrbitError, ProviderError
from orbit_voice.kit.tasks import TaskScope
from orbit_voice.speech.frames import (
    PREFIX_BYTES,
    Frame,
    FrameError,
    decode_header,
    decode_prefix,
    encode_frame,
)

_log = structlog.get_logger(__name__)

_LOG_LINES_PER_PROMPT: Final = 50
"""Lines of standard error that are logged while one prompt is made; the rest is dropped."""
_LOG_CHUNK_BYTES: Final = 4096
"""A line of standard error longer than this is logged in pieces."""
_LAST_WORDS_S: Final = 1.0
"""Wait this long for the rest of standard error of a program that is gone."""
_MAX_REASON_CHARS: Final = 200
_DRAIN_CHUNK_BYTES: Final = 65536


class ChildLostError(OrbitError):
    """The program ended, or says what nobody can understand. It is of no more use."""


class SpeechChild:
    """A speech program (protocol: :mod:`orbit_voice.speech.frames`). Make it with :meth:`start`."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._scope = TaskScope(f"speech.child.{process.pid}")
        self._requests = 0
        self._log_lines_left = _LOG_LINES_PER_PROMPT
        _ = self._scope.start(self._log_stderr(), name="stderr")

    @classmethod
    async def start(
        cls, command: Sequence[str], *, environment: Mapping[str, str], timeout_s: float
    ) -> Self:
        """Start the program and wait until it can render.

        Raises:
            ChildLostError: It cannot be started, ended, or did not say ``ready``.
            TimeoutError: Not ready within ``timeout_s`` seconds.
        """
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=PIPE,
                stdout=PIPE,
                stderr=PIPE,
                env=environment,
                start_new_session=True,  # a Ctrl-C is for the server; a kill reaches all of it
            )
        except OSError as error:
            raise ChildLostError(f"cannot start {command[0]}: {error.strerror}") from error
        child = cls(process)
        try:
            async with asyncio.timeout(timeout_s):
                await child._receive_ready()
        except BaseException:
            await child.kill()
            raise
        return child

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    @property
    def requests(self) -> int:
        """How many prompts it was asked for."""
        return self._requests

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self._process.returncode is None

    async def render(self, text: str, *, voice: str, timeout_s: float) -> bytes:
        """Have ``text`` spoken by ``voice``; return a WAV file.

        After an error other than :class:`ProviderError` the program must be killed: nobody knows
        what it would say next.

        Raises:
            ProviderError: The program is well and says that it cannot speak this.
            ChildLostError: It crashed or answered something else.
            TimeoutError: No answer within ``timeout_s`` seconds.
        """
        self._requests += 1
        self._log_lines_left = _LOG_LINES_PER_PROMPT
        request = Frame({"id": self._requests, "voice": voice}, text.encode())
        async with asyncio.timeout(timeout_s):
            await self._send(request)
            answer = await self._receive()
        if answer.header.get("id") != self._requests:
            raise ChildLostError("the speech program answered what it was not asked")
        return _audio_of(answer)

    async def stop(self, grace_s: float) -> None:
        """Ask it to end, by the end of its input, and kill it after ``grace_s`` seconds."""
        self._stdin.close()
        try:
            async with asyncio.timeout(grace_s):
                await self._drain_stdout()
                await self._process.wait()
        except TimeoutError:
            _log.warning("speech.child.stop_timeout", pid=self.pid)
        finally:
            await self.kill()

    async def kill(self) -> None:
        """End it at once, with all that it started, and wait until it is gone."""
        with contextlib.suppress(ProcessLookupError):
            if self.alive:
                os.killpg(self.pid, signal.SIGKILL)
        self._stdin.close()
        await self._drain_stdout()  # a full pipe would keep the process from being collected
        await self._process.wait()
        await self._scope.drain(_LAST_WORDS_S)
        await self._scope.close()

    @property
    def _stdin(self) -> asyncio.StreamWriter:
        assert self._process.stdin is not None
        return self._process.stdin

    @property
    def _stdout(self) -> asyncio.StreamReader:
        assert self._process.stdout is not None
        return self._process.stdout

    async def _drain_stdout(self) -> None:
        with contextlib.suppress(ConnectionError):
            while await self._stdout.read(_DRAIN_CHUNK_BYTES):
                pass

    async def _send(self, frame: Frame) -> None:
        try:
            self._stdin.write(encode_frame(frame))
            await self._stdin.drain()
        except (ConnectionError, RuntimeError) as error:  # RuntimeError: uvloop, closed transport
            raise ChildLostError("the speech program closed its input") from error

    async def _receive_ready(self) -> None:
        frame = await self._receive()
        if frame.header.get("status") != "ready":
            raise ChildLostError("the speech program did not report ready")

    async def _receive(self) -> Frame:
        try:
            prefix = await self._stdout.readexactly(PREFIX_BYTES)
            header_bytes, body_bytes = decode_prefix(prefix)
            header = decode_header(await self._stdout.readexactly(header_bytes))
            return Frame(header, await self._stdout.readexactly(body_bytes))
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            raise ChildLostError("the speech program ended") from error
        except FrameError as error:
            raise ChildLostError(f"the speech program broke the protocol: {error}") from error

    async def _log_stderr(self) -> None:
        assert self._process.stderr is not None
        pending = b""
        while chunk := await self._process.stderr.read(_LOG_CHUNK_BYTES):
            *lines, pending = (pending + chunk).split(b"\n")
            if len(pending) >= _LOG_CHUNK_BYTES:
                lines, pending = [*lines, pending], b""
            self._log_lines(lines)
        self._log_lines([pending])

    def _log_lines(self, lines: Sequence[bytes]) -> None:
        for line in lines:
            if line and self._log_lines_left:
                self._log_lines_left -= 1
                _log.warning(
                    "speech.child.stderr", pid=self.pid, line=line.decode(errors="replace")
                )


def _audio_of(answer: Frame) -> bytes:
    status = answer.header.get("status")
    if status == "ok":
        return answer.body
    reason = str(answer.header.get("reason", ""))[:_MAX_REASON_CHARS]
    if status == "rejected":
        raise ProviderError(reason, category="rejected", retryable=False)
    if status == "failed":
        raise ProviderError(
            f"the speech engine failed: {reason}", category="unavailable", retryable=False
        )
    raise ChildLostError("the speech program answered with no status")
