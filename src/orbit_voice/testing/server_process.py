"""``orbit-voice serve`` as a child process on loopback, on free ports."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import httpx

from orbit_voice.kit.errors import OrbitError
from orbit_voice.store.api_keys import Mode, new_key_text
from orbit_voice.store.organizations import Organizations
from orbit_voice.store.sealing import Sealer, SecretKey
from orbit_voice.store.sqlite import SqliteDatabase

PROGRAM: Final = "orbit-voice"
READY_S: Final = 30.0
"""How long a server may take until it can make calls, seconds."""
STOP_S: Final = 20.0
"""How long it may take to stop before it is killed, seconds."""
_POLL_S: Final = 0.05
_LOG_LINES: Final = 15


class ServerStartError(OrbitError):
    """The server did not come up; the text ends with the last lines of its log."""


class ServerProcess:
    """A server of its own. An async context manager: it is ready inside, and stopped after.

    Args:
        data_dir: Its data directory; a later process may take over where this one ended.
        environment: More settings, ``ORBIT_…``; they win over those made here.
        http_port: 0: a free one.
        sip_port: 0: one that is free for UDP and TCP.
        command: What to run; None: ``orbit-voice serve``, from where this Python is.

    Attributes:
        base_url: Of its REST API.
        sip_address: ``host:port`` of its SIP port.
        api_key: A key it accepts, made for it alone.
        data_dir: As given.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        environment: Mapping[str, str] | None = None,
        http_port: int = 0,
        sip_port: int = 0,
        command: Sequence[str] | None = None,
    ) -> None:
        http_address = f"127.0.0.1:{http_port or free_port()}"
        self.base_url = f"http://{http_address}"
        self.sip_address = f"127.0.0.1:{sip_port or free_port()}"
        self.api_key = new_key_text(Mode.LIVE)
        self.data_dir = data_dir
        self._settings = {
            "ORBIT_DATA_DIR": str(data_dir),
            "ORBIT_HTTP_BIND": http_address,
            "ORBIT_SIP_BIND": self.sip_address,
            "ORBIT_BOOTSTRAP_API_KEY": self.api_key,
            "ORBIT_WEBHOOK_ALLOW": "127.0.0.1",
            "ORBIT_DRAIN_TIMEOUT_S": "5",
            **(environment or {}),
        }
        self._command = tuple(command or (str(Path(sys.executable).with_name(PROGRAM)), "serve"))
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        """Start it and wait until calls can be made.

        Raises:
            ServerStartError: It cannot be run, ended, or was not ready in time.
        """
        try:
            await self.start()
        except BaseException:
            await self.kill()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    @property
    def pid(self) -> int:
        """Its process id.

        Raises:
            RuntimeError: It is not running.
        """
        if self._process is None or self._process.returncode is not None:
            raise RuntimeError("the server is not running")
        return self._process.pid

    @property
    def log_file(self) -> Path:
        """What it writes to its standard output and error."""
        return self.data_dir / "server.log"

    async def start(self) -> None:
        """Start it, also again after :meth:`stop` or :meth:`kill`.

        Raises:
            ServerStartError: It cannot be run, ended, or was not ready in time.
        """
        try:
            self._process = await self._spawn()
        except OSError as error:
            raise ServerStartError(f"the server cannot be run: {error}") from error
        await self._wait_until_ready(self._process)

    async def stop(self) -> int | None:
        """Ask it to stop and return its exit status; None when it was not running."""
        process = self._process
        if process is None or process.returncode is not None:
            return None
        process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(STOP_S):
                return await process.wait()
        except TimeoutError:
            await self.kill()
            return process.returncode

    async def kill(self) -> None:
        """End it at once (SIGKILL), as a crash would."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    async def signing_secret(self) -> str:
        """Return what its webhooks are signed with, out of its SQLite database."""
        sealer = Sealer(SecretKey.from_directory(self.data_dir))
        async with SqliteDatabase(self.data_dir / "orbit.sqlite3") as database:
            organizations = await Organizations(database, sealer).list_organizations()
        return organizations[0].signing_secret

    async def _spawn(self) -> asyncio.subprocess.Process:
        self.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self.log_file.open("ab") as log:
            return await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**_environment_without_settings(), **self._settings},
                start_new_session=True,
            )

    async def _wait_until_ready(self, process: asyncio.subprocess.Process) -> None:
        try:
            async with asyncio.timeout(READY_S), httpx.AsyncClient() as client:
                while process.returncode is None:
                    if await self._is_ready(client):
                        return
                    await asyncio.sleep(_POLL_S)
        except TimeoutError:
            raise ServerStartError(
                f"the server was not ready after {READY_S:g} s:\n{self._log_end()}"
            ) from None
        raise ServerStartError(f"the server ended with {process.returncode}:\n{self._log_end()}")

    async def _is_ready(self, client: httpx.AsyncClient) -> bool:
        try:
            answer = await client.get(f"{self.base_url}/readyz")
        except httpx.TransportError:
            return False
        return answer.status_code == httpx.codes.OK

    def _log_end(self) -> str:
        lines = self.log_file.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(lines[-_LOG_LINES:])


def free_port() -> int:
    """Return a port of 127.0.0.1 that is free for UDP and TCP."""
    while True:
        with (
            socket.socket(socket.AF_INET, socket.SOCK_STREAM) as stream,
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams,
        ):
            stream.bind(("127.0.0.1", 0))
            port: int = stream.getsockname()[1]
            try:
                datagrams.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def _environment_without_settings() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("ORBIT_")}
