"""The files of the prompt cache: written whole or not at all, and known by their names.

A file is called ``<key>.<content>.wav``: the key says what was rendered, the content is a hash of
the file itself. So the index can be rebuilt by listing the directory, and a damaged file tells
itself apart. Other files in the directory are left alone. Blocking: call from a thread.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from orbit_voice.speech.prompt_index import StoredPrompt

_HASH_DIGITS: Final = 32
_PART: Final = ".part"
_NAME: Final = re.compile(r"(?P<key>[0-9a-f]{64})\.[0-9a-f]{32}\.wav(?P<part>\.part)?")


class PromptFiles:
    """Prompts in one directory, owned by one process.

    Args:
        directory: Made when missing.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def path(self, prompt: StoredPrompt) -> Path:
        """Return where ``prompt`` lies."""
        return self._directory / prompt.name

    def scan(self) -> list[StoredPrompt]:
        """Return what is stored, least recently used first; remove what was never finished.

        Raises:
            OSError: The directory cannot be made or read.
        """
        self._directory.mkdir(parents=True, exist_ok=True)
        found: dict[str, tuple[float, StoredPrompt]] = {}
        surplus: list[StoredPrompt] = []
        with os.scandir(self._directory) as entries:
            for entry in entries:
                match = _NAME.fullmatch(entry.name)
                if match is None:
                    continue
                status = entry.stat(follow_symlinks=False)
                prompt = StoredPrompt(match["key"], entry.name, status.st_size)
                twin = found.get(prompt.key)
                if match["part"] or (twin is not None and twin[0] >= status.st_mtime):
                    surplus.append(prompt)
                    continue
                if twin is not None:
                    surplus.append(twin[1])
                found[prompt.key] = status.st_mtime, prompt
        self.delete(surplus)
        return [prompt for _, prompt in sorted(found.values(), key=lambda item: item[0])]

    def write(self, key: str, data: bytes) -> StoredPrompt:
        """Store ``data``: after a crash at any moment the file is whole or absent.

        Raises:
            OSError: It cannot be written; nothing is left behind.
        """
        prompt = StoredPrompt(key, f"{key}.{_digest(data)}.wav", len(data))
        temporary = self._directory / f"{prompt.name}{_PART}"
        try:
            with temporary.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self.path(prompt))
        except OSError:
            temporary.unlink(missing_ok=True)
            raise
        self._sync_directory()
        return prompt

    def is_whole(self, prompt: StoredPrompt, *, read: bool) -> bool:
        """Return whether the file is as it was written, and mark it as used now.

        Args:
            prompt: What to look at.
            read: True compares every byte with the hash in the name, False the length alone.
        """
        path = self.path(prompt)
        try:
            whole = path.stat().st_size == prompt.size_bytes
            if whole and read:
                whole = prompt.name == f"{prompt.key}.{_digest(path.read_bytes())}.wav"
            if whole:
                os.utime(path)
        except OSError:
            return False
        return whole

    def delete(self, prompts: Iterable[StoredPrompt]) -> None:
        """Remove the files that are still there.

        Raises:
            OSError: One cannot be removed.
        """
        for prompt in prompts:
            self.path(prompt).unlink(missing_ok=True)

    def _sync_directory(self) -> None:
        descriptor = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:_HASH_DIGITS]
