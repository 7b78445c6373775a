"""What was dialled: the carrier's book, by which tests see that nothing was dialled twice."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

MAX_ENTRIES: Final = 100_000
"""Calls on the book; later ones are not entered."""


@dataclass(slots=True)
class Dialled:
    """One call that was dialled.

    Attributes:
        number: User part of the Request-URI.
        call_id: The Call-ID.
        sequence_numbers: CSeq of each INVITE outside a dialog; more than one after a challenge.
            Retransmissions do not count.
    """

    number: str
    call_id: str
    sequence_numbers: set[int] = field(default_factory=set)

    @property
    def invites(self) -> int:
        """How many different INVITEs it took."""
        return len(self.sequence_numbers)


class InviteLedger:
    """Every call that was dialled, in order."""

    def __init__(self) -> None:
        self._entries: dict[tuple[str, str], Dialled] = {}

    def enter(self, number: str, call_id: str, sequence_number: int) -> None:
        """Enter an INVITE outside a dialog."""
        key = (call_id, number)
        if key not in self._entries and len(self._entries) < MAX_ENTRIES:
            self._entries[key] = Dialled(number, call_id)
        if key in self._entries:
            self._entries[key].sequence_numbers.add(sequence_number)

    def calls(self, number: str | None = None) -> list[Dialled]:
        """Return the calls to ``number``, or all; one for each Call-ID."""
        return [entry for entry in self._entries.values() if number in (None, entry.number)]

    def times_dialled(self, number: str | None = None) -> int:
        """Return how often ``number``, or any, was dialled: its Call-IDs, not its INVITEs."""
        return len(self.calls(number))
