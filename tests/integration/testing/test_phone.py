"""Two phones on loopback: signalling, audio, digits, hold."""

from __future__ import annotations

import asyncio
from random import Random

import pytest

from orbit_voice.kit.errors import ProtocolError
from orbit_voice.sdp.direction import Direction
from orbit_voice.signaling.events import Cancelled, Ended, Rejected
from orbit_voice.testing.audio import (
    TELEPHONE_RATE_HZ,
    audible,
    gaps,
    level_db,
    make_tone,
    tone_level_db,
    write_wav,
)
from orbit_voice.testing.behaviours import BUSY, Answer, Reject, Ring
from orbit_voice.testing.leg import LegEndedError, LegState
from orbit_voice.testing.phone import SipPhone

LOW_HZ, HIGH_HZ = 400, 1000
AS_SENT_DB = -10.0


def phone(user, **options):
    return SipPhone(user, random=Random(user), **options)


def middle(samples, seconds=0.5):
    """Half a second out of the middle, where both sides are heard."""
    half = round(seconds * TELEPHONE_RATE_HZ / 2)
    return samples[len(samples) // 2 - half : len(samples) // 2 + half]


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_both_sides_hear_the_tone_of_the_other(run, transport):
    async def scenario():
        async with phone("anna", tone_hz=LOW_HZ) as anna, phone("ben", tone_hz=HIGH_HZ) as ben:
            leg = anna.call(ben.uri(transport=transport))
            await leg.answered()
            other = await ben.next_leg()
            await leg.lasts(1.5)
            leg.hangup()
            assert await leg.ended() == Ended(remote=False, reason=None, status=None)
            assert (await other.ended()).remote
            for side in (leg, other):
                heard = middle(await side.recorded())
                assert abs(tone_level_db(heard, LOW_HZ) - AS_SENT_DB) < 0.5
                assert abs(tone_level_db(heard, HIGH_HZ) - AS_SENT_DB) < 0.5
                assert side.statistics.lost == 0
                assert side.plan.codec == "PCMU"

    run(scenario())


def test_a_silent_phone_records_what_it_hears_alone_and_without_a_gap(run):
    async def scenario():
        async with phone("anna") as anna, phone("ben", tone_hz=HIGH_HZ, codecs=("PCMA",)) as ben:
            leg = anna.call(ben.uri())
            await leg.answered()
            await leg.lasts(1.0)
            leg.hangup()
            heard = audible(await leg.recorded())
            assert len(heard) > 0.8 * TELEPHONE_RATE_HZ
            assert abs(tone_level_db(heard, HIGH_HZ) - AS_SENT_DB) < 0.5
            assert gaps(heard) == []
            assert leg.plan.codec == "PCMA"

    run(scenario())


def test_a_file_is_played_in_place_of_the_tone(run, tmp_path):
    async def scenario():
        sound = tmp_path / "sound.wav"
        write_wav(sound, make_tone(HIGH_HZ, 0.4))
        async with phone("anna", tone_hz=LOW_HZ) as anna, phone("ben", records=False) as ben:
            leg = anna.call(ben.uri())
            await leg.answered()
            leg.play(sound)
            await leg.lasts(0.8)
            leg.hangup()
            said = audible(await leg.recorded())
            assert abs(tone_level_db(middle(said, 0.2), HIGH_HZ) - AS_SENT_DB) < 1
            assert len(said) < 0.8 * TELEPHONE_RATE_HZ

    run(scenario())


def test_digits_are_heard_once_each_in_both_directions(run):
    async def scenario():
        async with phone("anna") as anna, phone("ben", behaviour=Answer(digits="1w2")) as ben:
            leg = anna.call(ben.uri())
            await leg.answered()
            other = await ben.next_leg()
            leg.send_dtmf("0123456789*#ABCD", duration_ms=60, gap_ms=40)
            await leg.heard("12")
            await other.heard("0123456789*#ABCD")
            assert leg.heard_digits == "12"
            assert other.heard_digits == "0123456789*#ABCD"

    run(scenario())


def test_every_digit_comes_back_from_a_phone_that_echoes(run):
    async def scenario():
        async with phone("anna") as anna, phone("ben", behaviour=Answer(echo_digits=True)) as ben:
            leg = anna.call(ben.uri())
            await leg.answered()
            leg.send_dtmf("42#")
            await leg.heard("42#")

    run(scenario())


@pytest.mark.parametrize("direction", [Direction.SENDONLY, Direction.INACTIVE])
def test_who_is_on_hold_is_not_heard_until_the_call_is_resumed(run, direction):
    async def scenario():
        async with phone("anna") as anna, phone("ben", tone_hz=HIGH_HZ) as ben:
            leg = anna.call(ben.uri())
            await leg.answered()
            other = await ben.next_leg()
            await leg.hold(direction)
            assert not leg.plan.receives
            assert not other.plan.sends
            assert other.plan.receives is direction.sends
            sent = other.statistics.packets_sent
            await asyncio.sleep(0.3)
            held = other.statistics.packets_sent - sent
            await leg.resume()
            assert leg.plan.receives
            assert other.plan.sends
            await leg.lasts(0.5)
            assert held <= 5  # of 15; the figures may be 100 ms old
            assert other.statistics.packets_sent > sent + 15
            leg.hangup()
            assert abs(tone_level_db((await leg.recorded())[-2000:], HIGH_HZ) - AS_SENT_DB) < 0.5

    run(scenario())


def test_the_called_side_may_hold_too(run):
    async def scenario():
        async with phone("anna") as anna, phone("ben") as ben:
            leg = anna.call(ben.uri())
            await leg.answered()
            other = await ben.next_leg()
            await other.hold()
            assert not leg.plan.sends
            await other.resume()
            assert leg.plan.sends

    run(scenario())


def test_early_media_is_heard_before_the_answer(run):
    early = Answer(after_s=0.8, ring_status=183, early_media=True)

    async def scenario():
        async with phone("anna") as anna, phone("ben", tone_hz=HIGH_HZ, behaviour=early) as ben:
            leg = anna.call(ben.uri())
            await leg.ringing()
            assert leg.state is LegState.RINGING
            await asyncio.sleep(0.5)
            assert leg.state is LegState.RINGING
            leg.hangup()
            end = await leg.ended()
            assert isinstance(end, Rejected)
            assert end.status == 487
            heard = audible(await leg.recorded())
            assert len(heard) > 0.2 * TELEPHONE_RATE_HZ
            assert abs(tone_level_db(heard, HIGH_HZ) - AS_SENT_DB) < 0.5

    run(scenario())


def test_an_offer_may_come_late(run):
    async def scenario():
        async with phone("anna", tone_hz=LOW_HZ) as anna, phone("ben") as ben:
            leg = anna.call(ben.uri(), late_offer=True)
            await leg.answered()
            other = await ben.next_leg()
            assert not other.invite.body
            await leg.lasts(0.8)
            leg.hangup()
            assert level_db(middle(await other.recorded(), 0.2)) > -20

    run(scenario())


def test_a_caller_gives_up_while_it_rings(run):
    async def scenario():
        async with phone("anna") as anna, phone("ben", behaviour=Ring()) as ben:
            leg = anna.call(ben.uri())
            await leg.ringing()
            leg.hangup(reason="lunch")
            assert (await leg.ended()).status == 487
            assert isinstance(await (await ben.next_leg()).ended(), Cancelled)

    run(scenario())


def test_a_refusal_says_what_it_was_told_to_say(run):
    refusal = Reject(480, "Gone fishing", headers=(("Retry-After", "30"),))

    async def scenario():
        async with phone("anna") as anna, phone("ben", behaviour=refusal) as ben:
            leg = anna.call(ben.uri())
            with pytest.raises(LegEndedError, match="480 Gone fishing"):
                await leg.answered()
            assert leg.end.status == 480
            assert ("Retry-After", "30") in leg.end.headers

    run(scenario())


def test_an_offer_without_a_common_codec_is_refused_with_488(run):
    async def scenario():
        async with (
            phone("anna", codecs=("PCMA",)) as anna,
            phone("ben", codecs=("PCMU",)) as ben,
        ):
            assert (await anna.call(ben.uri()).ended()).status == 488
            assert not ben.legs

    run(scenario())


def test_a_phone_hangs_up_when_its_behaviour_says_so(run):
    async def scenario():
        behaviour = Answer(hangup_after_s=0.3)
        async with phone("anna") as anna, phone("ben", behaviour=behaviour) as ben:
            end = await anna.call(ben.uri()).ended()
            assert isinstance(end, Ended)
            assert end.remote

    run(scenario())


def test_a_phone_that_is_switched_off_hangs_up(run):
    async def scenario():
        async with phone("anna") as anna:
            async with phone("ben") as ben:
                leg = anna.call(ben.uri())
                await leg.answered()
            assert (await leg.ended()).remote

    run(scenario())


def test_behaviour_may_change_between_calls(run):
    async def scenario():
        async with phone("anna") as anna, phone("ben", behaviour=BUSY) as ben:
            assert (await anna.call(ben.uri()).ended()).status == 486
            ben.behaviour = Answer()
            await anna.call(ben.uri()).answered()

    run(scenario())


def test_a_malformed_uri_takes_no_media_port(run):
    async def scenario():
        async with phone("anna") as anna:
            with pytest.raises(ProtocolError):
                anna.call("sip:no good")
            assert not anna.legs

    run(scenario())


def test_moments_are_told_as_they_happen(run):
    moments = []

    async def scenario():
        async with (
            phone("anna", on_moment=lambda moment: moments.append(moment.what)) as anna,
            phone("ben") as ben,
        ):
            leg = anna.call(ben.uri())
            await leg.answered()
            leg.hangup()
            await leg.ended()

    run(scenario())
    assert moments[:3] == ["ringing", "media agreed", "talking"]
    assert "ended" in moments
