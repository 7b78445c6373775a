"""Acts out behaviours on legs."""

from __future__ import annotations

from typing import assert_never

from orbit_voice.testing.behaviours import Answer, Behaviour, Ignore, Reject, Ring
from orbit_voice.testing.inbound_leg import InboundLeg
from orbit_voice.testing.leg import SimulatedLeg


async def act(leg: InboundLeg, behaviour: Behaviour) -> None:
    """Do with a call that came in what ``behaviour`` says."""
    match behaviour:
        case Answer():
            await _answer(leg, behaviour)
        case Ring(status=status):
            if status is not None:
                leg.ring(status)
        case Reject():
            await _reject(leg, behaviour)
        case Ignore():
            pass
        case _:
            assert_never(behaviour)


async def converse(leg: SimulatedLeg, manner: Answer) -> None:
    """Do on an answered call what ``manner`` says: send its digits, hang up after its time."""
    if manner.digits:
        leg.send_dtmf(manner.digits)
    if manner.hangup_after_s is not None and await leg.lasts(manner.hangup_after_s):
        leg.hangup()


async def _answer(leg: InboundLeg, manner: Answer) -> None:
    if manner.ring_status is not None:
        leg.ring(manner.ring_status, early_media=manner.early_media)
    if await leg.lasts(manner.after_s):
        leg.answer()
        await converse(leg, manner)


async def _reject(leg: InboundLeg, refusal: Reject) -> None:
    if refusal.ring_status is not None:
        leg.ring(refusal.ring_status)
    if await leg.lasts(refusal.after_s):
        leg.reject(refusal.status, refusal.reason, refusal.headers)
