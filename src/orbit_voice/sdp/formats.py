"""Which formats of a stream are used, out of what both sides can do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from orbit_voice.sdp.audio import TELEPHONE_EVENT, Format, RemoteAudio
from orbit_voice.sdp.errors import SdpError


@dataclass(frozen=True, slots=True)
class FormatsInUse:
    """The formats of one way of the stream; ``events`` holds one telephone-event or none."""

    codec: Format
    events: tuple[Format, ...]

    @property
    def all(self) -> tuple[Format, ...]:
        """Both, as they are listed in an ``m=`` line."""
        return (self.codec, *self.events)

    @property
    def event_payload_type(self) -> int | None:
        """Payload type of telephone-event, or None."""
        return self.events[0].payload_type if self.events else None


def pair_with_answer(
    offered: tuple[Format, ...], remote: RemoteAudio
) -> tuple[FormatsInUse, FormatsInUse]:
    """Return what we send and what we receive: the same encodings, each side's payload types.

    The first codec of the answer that was offered is the one (RFC 3264 §7).

    Raises:
        SdpError: 488, the answer names none.
    """
    ours = {known.encoding: known for known in offered}
    event = remote.find(TELEPHONE_EVENT) if TELEPHONE_EVENT in ours else None
    for codec in remote.formats:
        if codec.encoding in ours and codec.encoding != TELEPHONE_EVENT:
            return (
                FormatsInUse(codec, () if event is None else (event,)),
                FormatsInUse(
                    ours[codec.encoding], () if event is None else (ours[TELEPHONE_EVENT],)
                ),
            )
    raise SdpError("the answer has no codec that was offered", status_hint=488)


def choose_from_offer(
    remote: RemoteAudio, codecs: Sequence[str], *, telephone_event: bool
) -> FormatsInUse:
    """Return what our answer names: the first of ``codecs`` that is offered, and events if wished.

    The peer's payload types are kept (RFC 3264 §6.1), so they serve both ways.

    Raises:
        SdpError: 488, none of ``codecs`` is offered.
    """
    for name in codecs:
        if (codec := remote.find(name)) is not None:
            event = remote.find(TELEPHONE_EVENT) if telephone_event else None
            return FormatsInUse(codec, () if event is None else (event,))
    raise SdpError("the peer offers no codec that is allowed here", status_hint=488)
