from __future__ import annotations

import pytest

from orbit_voice.calls import endings
from orbit_voice.calls.endings import Limit
from orbit_voice.calls.records import CallStatus, HangupBy
from orbit_voice.calls.states import next_status
from orbit_voice.kit.errors import HangupCause


def status_after(ending: endings.Ending, before: CallStatus = CallStatus.INITIATING) -> CallStatus:
    after = next_status(before, ending.what)
    assert after is not None
    return after


@pytest.mark.parametrize(
    ("status", "rang", "expected"),
    [
        (486, False, CallStatus.BUSY),
        (486, True, CallStatus.BUSY),
        (600, False, CallStatus.BUSY),
        (480, True, CallStatus.NO_ANSWER),
        (408, True, CallStatus.NO_ANSWER),
        (480, False, CallStatus.FAILED),
        (408, False, CallStatus.FAILED),
        (403, False, CallStatus.FAILED),
        (404, True, CallStatus.FAILED),
        (500, False, CallStatus.FAILED),
        (503, False, CallStatus.FAILED),
        (603, True, CallStatus.FAILED),
        (302, False, CallStatus.FAILED),
    ],
)
def test_a_refused_call_gets_the_status_of_the_contract(
    status: int, rang: bool, expected: CallStatus
) -> None:
    before = CallStatus.RINGING if rang else CallStatus.INITIATING
    ending = endings.of_rejection(status, "Phrase", rang=rang)
    assert status_after(ending, before) is expected
    assert ending.hangup.sip_code == status
    assert ending.hangup.sip_reason == "Phrase"


@pytest.mark.parametrize("status", range(300, 700))
def test_every_final_status_has_a_cause(status: int) -> None:
    assert endings.cause_of_status(status) in HangupCause


@pytest.mark.parametrize("by", [HangupBy.API, HangupBy.AGENT])
def test_a_hangup_before_the_answer_cancels_and_after_it_completes(by: HangupBy) -> None:
    ending = endings.by_command(by)
    assert status_after(ending, CallStatus.RINGING) is CallStatus.CANCELLED
    assert status_after(ending, CallStatus.IN_PROGRESS) is CallStatus.COMPLETED
    assert ending.hangup.by is by


@pytest.mark.parametrize(
    ("limit", "before", "expected"),
    [
        (Limit.RING_TIMEOUT, CallStatus.RINGING, CallStatus.NO_ANSWER),
        (Limit.MAX_DURATION, CallStatus.IN_PROGRESS, CallStatus.COMPLETED),
        (Limit.MEDIA_TIMEOUT, CallStatus.IN_PROGRESS, CallStatus.FAILED),
        (Limit.NODE_LOST, CallStatus.IN_PROGRESS, CallStatus.FAILED),
        (Limit.NODE_LOST, CallStatus.INITIATING, CallStatus.FAILED),
        (Limit.SHUTDOWN, CallStatus.RINGING, CallStatus.FAILED),
    ],
)
def test_each_limit_ends_a_call_as_it_should(
    limit: Limit, before: CallStatus, expected: CallStatus
) -> None:
    assert status_after(endings.by_limit(limit), before) is expected


def test_a_time_out_and_a_dead_transport_are_told_apart() -> None:
    timed_out = endings.of_failure(timed_out=True, detail="")
    dead = endings.of_failure(timed_out=False, detail="connection refused")
    assert timed_out.hangup.cause is HangupCause.SIP_TIMEOUT
    assert dead.hangup.cause is HangupCause.TRANSPORT_FAILURE
    assert "connection refused" in dead.hangup.message
