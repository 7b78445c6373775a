"""The data directory: one process owns it, and it names the node."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from orbit_voice.kit.errors import OrbitError
from orbit_voice.kit.ids import new_node_id

_LOCK_FILE: Final = "lock"
_NODE_FILE: Final = "node-id"


class DataDirectoryError(OrbitError):
    """The data directory cannot be used; the text says what to do."""


class DataDirectory:
    """A locked data directory.

    Two processes on one database would end each other's calls, so the directory is locked for as
    long as its process lives; the lock goes with the process, however it ends.

    Args:
        path: The directory; made, for its owner alone, when missing.

    Raises:
        DataDirectoryError: Another process has it, or it cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        self._lock: int | None = None

    def __enter__(self) -> Self:
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            for directory in (self.recordings, self.prompts):
                directory.mkdir(exist_ok=True)
            self._lock = os.open(self.path / _LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise DataDirectoryError(f"cannot write to {self.path}: {error.strerror}") from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise DataDirectoryError(
                f"another server uses {self.path}; stop it, or set ORBIT_DATA_DIR"
            ) from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    @property
    def recordings(self) -> Path:
        """Where recordings lie."""
        return self.path / "recordings"

    @property
    def prompts(self) -> Path:
        """Where rendered and fetched prompts lie."""
        return self.path / "prompts"

    def node_id(self) -> str:
        """Return this node's id; the first call makes it."""
        file = self.path / _NODE_FILE
        if file.exists():
            return file.read_text(encoding="ascii").strip()
        node_id = new_node_id()
        temporary = file.with_suffix(".part")
        temporary.write_text(node_id, encoding="ascii")
        temporary.replace(file)
        return node_id
