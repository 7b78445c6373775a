from __future__ import annotations

import pytest

from orbit_voice import _native
from orbit_voice.media import MediaError, MediaFailure, StreamPlan
from orbit_voice.media.refusals import refusals_as_media_errors
from orbit_voice.sdp.plan import AudioPlan

AUDIO = AudioPlan(
    remote_address="192.0.2.1",
    remote_rtp_port=4000,
    remote_rtcp_port=4001,
    rtcp_mux=False,
    codec="PCMA",
    send_payload_type=8,
    receive_payload_type=8,
    telephone_event_send=101,
    telephone_event_receive=96,
    ptime_ms=30,
    sends=True,
    receives=False,
)


def test_a_stream_plan_is_what_sdp_agreed_on_with_the_trust_of_the_trunk():
    plan = StreamPlan.of(AUDIO, symmetric=True, media_timeout_s=30.0)
    for name in AudioPlan.__dataclass_fields__:
        assert getattr(plan, name) == getattr(AUDIO, name)
    assert (plan.symmetric, plan.media_timeout_s) == (True, 30.0)


def test_nobody_is_trusted_by_default():
    assert not StreamPlan.of(AUDIO).symmetric


@pytest.mark.parametrize("failure", MediaFailure)
def test_every_native_refusal_has_its_failure(failure):
    with pytest.raises(MediaError) as refusal, refusals_as_media_errors():
        raise _native.EngineError(failure.value, "why")
    assert (refusal.value.failure, refusal.value.detail) == (failure, "why")
    assert str(refusal.value) == f"{failure.value}: why"
