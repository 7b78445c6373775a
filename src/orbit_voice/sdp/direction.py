"""Which way media flows (RFC 8866 §6.7, RFC 3264 §6.1)."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from orbit_voice.sdp.description import MediaDescription, SessionDescription
from orbit_voice.sdp.lines import Attribute


class Direction(StrEnum):
    """As seen from whoever says it; the value is the attribute's name."""

    SENDRECV = "sendrecv"
    SENDONLY = "sendonly"
    RECVONLY = "recvonly"
    INACTIVE = "inactive"

    @property
    def sends(self) -> bool:
        """Whether the one who says it sends media."""
        return self in (Direction.SENDRECV, Direction.SENDONLY)

    @property
    def receives(self) -> bool:
        """Whether the one who says it receives media."""
        return self in (Direction.SENDRECV, Direction.RECVONLY)

    def within(self, peer: Direction) -> Direction:
        """Return what is left of this wish when the peer says ``peer`` of itself.

        It is the answer to an offer of ``peer``, and what an answer of ``peer`` means for an offer
        of ours: the peer's sendonly is at most a recvonly here.
        """
        return _BY_FLOWS[self.sends and peer.receives, self.receives and peer.sends]


_BY_FLOWS: Final = {(direction.sends, direction.receives): direction for direction in Direction}
_NAMES: Final = frozenset(Direction)


def read_direction(session: SessionDescription, media: MediaDescription) -> Direction:
    """Return a stream's direction: its own attribute, else the session's, else sendrecv."""
    for attributes in (media.attributes, session.attributes):
        if (direction := _find(attributes)) is not None:
            return direction
    return Direction.SENDRECV


def _find(attributes: tuple[Attribute, ...]) -> Direction | None:
    for attribute in attributes:
        if attribute.name in _NAMES:
            return Direction(attribute.name)
    return None
