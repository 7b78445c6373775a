"""Which prompts the cache holds, in order of use, and which must go. Sans-IO."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

_BLOCK_BYTES: Final = 4096
"""A file takes whole blocks of a disk; counting them bounds the number of files too."""


@dataclass(frozen=True, slots=True)
class StoredPrompt:
    """A file of the cache.

    Attributes:
        key: What was rendered, as a hash.
        name: File name within the cache's directory.
        size_bytes: Length of the file.
    """

    key: str
    name: str
    size_bytes: int

    @property
    def disk_bytes(self) -> int:
        """What it takes of the limit."""
        return -(-self.size_bytes // _BLOCK_BYTES) * _BLOCK_BYTES


class PromptIndex:
    """Prompts by key, least recently used first.

    Args:
        limit_bytes: Beyond this much, prompts are evicted.
        hold_s: A prompt handed out less than this many seconds ago stays: it may be about to play.
    """

    def __init__(self, *, limit_bytes: int, hold_s: float) -> None:
        self._limit_bytes = limit_bytes
        self._hold_s = hold_s
        self._prompts: OrderedDict[str, StoredPrompt] = OrderedDict()
        self._held_until: dict[str, float] = {}
        self.total_bytes = 0

    def __len__(self) -> int:
        return len(self._prompts)

    def add(self, prompt: StoredPrompt, *, used_at: float | None) -> None:
        """Take ``prompt`` in as the most recently used, in place of one with the same key.

        Args:
            prompt: A whole file.
            used_at: When it was handed out, monotonic seconds; None: not since the start.
        """
        self.remove(prompt.key)
        self._prompts[prompt.key] = prompt
        self.total_bytes += prompt.disk_bytes
        if used_at is not None:
            self._held_until[prompt.key] = used_at + self._hold_s

    def use(self, key: str, now: float) -> StoredPrompt | None:
        """Return the prompt and make it the most recently used; None when there is none."""
        prompt = self._prompts.get(key)
        if prompt is not None:
            self._prompts.move_to_end(key)
            self._held_until[key] = now + self._hold_s
        return prompt

    def remove(self, key: str) -> None:
        """Forget the prompt, if there is one."""
        prompt = self._prompts.pop(key, None)
        self._held_until.pop(key, None)
        if prompt is not None:
            self.total_bytes -= prompt.disk_bytes

    def evict(self, now: float) -> list[StoredPrompt]:
        """Forget what must go to come within the limit, and return it: its files are of no use.

        Prompts that are held stay, so the limit can be exceeded for as long as they are.
        """
        evicted: list[StoredPrompt] = []
        while self.total_bytes > self._limit_bytes:
            key, prompt = next(iter(self._prompts.items()))
            if self._held_until.get(key, now) > now:
                break  # the rest was used later and is held for longer
            self.remove(key)
            evicted.append(prompt)
        return evicted
