"""The carrier simulator on loopback: every behaviour, credentials, what was dialled."""

from __future__ import annotations

import asyncio
from random import Random

import pytest

from orbit_voice.signaling.events import Cancelled, Rejected
from orbit_voice.sip.digest import Credentials
from orbit_voice.testing.audio import (
    TELEPHONE_RATE_HZ,
    audible,
    make_tone,
    tone_level_db,
    write_wav,
)
from orbit_voice.testing.behaviours import Answer, Ignore
from orbit_voice.testing.carrier import CarrierSimulator
from orbit_voice.testing.dial_plan import DialPlan
from orbit_voice.testing.digest_guard import DigestGuard
from orbit_voice.testing.leg import LegState
from orbit_voice.testing.phone import SipPhone

CALLER = "+15550100"
GOOD = Credentials("trunk", "secret")


def guard(**options):
    return DigestGuard({"trunk": "secret"}, random=Random(1), **options)


@pytest.mark.parametrize(
    ("number", "status"),
    [
        ("+15559904", 404),
        ("+15559920", 486),
        ("+15559922", 603),
        ("+15559923", 503),
        ("+15559924", 480),
        ("+15559925", 500),
        ("+15559926", 488),
        ("+15559927", 403),
        ("+15559928", 302),
        ("+15559999", 404),
    ],
)
def test_a_number_refuses_as_its_ending_says(run, number, status):
    async def scenario():
        async with CarrierSimulator() as carrier, SipPhone() as phone:
            end = await phone.call(carrier.uri(number)).ended()
            assert isinstance(end, Rejected)
            assert end.status == status
            assert carrier.ledger.times_dialled(number) == 1

    run(scenario())


def test_a_redirection_says_whereto(run):
    async def scenario():
        async with CarrierSimulator() as carrier, SipPhone() as phone:
            end = await phone.call(carrier.uri("28")).ended()
            assert dict(end.headers)["Contact"] == "<sip:+15550100@127.0.0.1>"

    run(scenario())


def test_a_number_may_ring_before_it_is_busy(run):
    async def scenario():
        async with CarrierSimulator() as carrier, SipPhone() as phone:
            leg = phone.call(carrier.uri("21"))
            await leg.ringing()
            assert leg.state is LegState.RINGING
            assert (await leg.ended()).status == 486

    run(scenario())


def test_a_number_is_answered_with_the_tone_of_the_carrier(run):
    async def scenario():
        async with CarrierSimulator(tone_hz=1000) as carrier, SipPhone() as phone:
            leg = phone.call(carrier.uri("00"))
            await leg.answered()
            await leg.lasts(0.8)
            leg.hangup()
            assert abs(tone_level_db(audible(await leg.recorded()), 1000) + 10) < 0.5

    run(scenario())


def test_a_number_may_send_digits_echo_them_and_hang_up(run):
    plan = DialPlan({"1": Answer(digits="7*", echo_digits=True, hangup_after_s=1.5)})

    async def scenario():
        async with CarrierSimulator(plan) as carrier, SipPhone() as phone:
            leg = phone.call(carrier.uri("1"))
            await leg.heard("7*")
            leg.send_dtmf("3")
            await leg.heard("7*3")
            assert (await leg.ended()).remote

    run(scenario())


def test_early_media_is_heard_before_the_answer(run):
    async def scenario():
        async with CarrierSimulator(tone_hz=1000) as carrier, SipPhone() as phone:
            leg = phone.call(carrier.uri("03"))
            await leg.ringing()
            await leg.answered()
            leg.hangup()
            assert "ringing 183" in " ".join(map(str, leg.transcript))
            early = audible(await leg.recorded())
            assert len(early) > 0.7 * TELEPHONE_RATE_HZ
            assert abs(tone_level_db(early, 1000) + 10) < 0.5

    run(scenario())


def test_a_number_may_be_answered_without_ringing(run):
    async def scenario():
        async with CarrierSimulator() as carrier, SipPhone() as phone:
            leg = phone.call(carrier.uri("08"))
            await leg.answered()
            assert not any(moment.what == "ringing" for moment in leg.transcript)

    run(scenario())


def test_a_number_plays_its_own_file(run, tmp_path):
    sound = tmp_path / "sound.wav"
    write_wav(sound, make_tone(700, 0.5))
    plan = DialPlan({"1": Answer(sound=sound)})

    async def scenario():
        async with CarrierSimulator(plan, tone_hz=1000) as carrier, SipPhone() as phone:
            leg = phone.call(carrier.uri("1"))
            await leg.answered()
            await leg.lasts(1.0)
            leg.hangup()
            heard = audible(await leg.recorded())
            assert abs(tone_level_db(heard[:4000], 700) + 10) < 1
            assert tone_level_db(heard[:4000], 1000) < -40

    run(scenario())


@pytest.mark.parametrize("number", ["10", "11"])
def test_a_number_that_never_answers_is_given_up(run, number):
    async def scenario():
        async with CarrierSimulator() as carrier, SipPhone() as phone:
            leg = phone.call(carrier.uri(number))
            other = await carrier.next_leg()
            await asyncio.sleep(0.3)
            assert leg.state is (LegState.RINGING if number == "10" else LegState.NEW)
            leg.hangup()
            assert (await leg.ended()).status == 487
            assert isinstance(await other.ended(), Cancelled)

    run(scenario())


def test_a_dead_number_sends_nothing_at_all_though_it_hears_every_retransmission(run):
    plan = DialPlan({"dead": Ignore()})

    async def scenario():
        async with CarrierSimulator(plan) as carrier, SipPhone() as phone:
            leg = phone.call(carrier.uri("dead"))
            await leg.lasts(1.7)
            assert leg.end is None
            messages = leg.trace.entries()
            assert len(messages) == 3  # at 0, 0.5 and 1.5 s (RFC 3261 §17.1.1.2)
            assert all(message.sent for message in messages)
            assert carrier.ledger.times_dialled("dead") == 1
            assert carrier.ledger.calls()[0].invites == 1
            assert not carrier.legs

    run(scenario())


@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"proxy": True},
        {"algorithms": ("MD5",), "qop": False},
        {"algorithms": ("SHA-256-sess",)},
    ],
    ids=["401", "407", "rfc2069", "sess"],
)
def test_good_credentials_let_a_call_pass(run, transport, options):
    guarded = guard(**options)

    async def scenario():
        async with (
            CarrierSimulator(guard=guarded) as carrier,
            SipPhone(credentials=GOOD) as phone,
        ):
            await phone.call(carrier.uri("00", transport=transport)).answered()
            assert guarded.counts.challenged == guarded.counts.accepted == 1
            assert carrier.ledger.times_dialled("00") == 1
            assert carrier.ledger.calls("00")[0].invites == 2
            assert len(carrier.legs) == 1

    run(scenario())


def test_a_stale_nonce_is_replaced_without_a_second_call(run):
    guarded = guard(stale_times=1)

    async def scenario():
        async with (
            CarrierSimulator(guard=guarded) as carrier,
            SipPhone(credentials=GOOD) as phone,
        ):
            await phone.call(carrier.uri("00")).answered()
            assert (guarded.counts.challenged, guarded.counts.stale) == (1, 1)
            told = [str(moment).partition(" s ")[2] for moment in carrier.transcript.moments]
            assert told == ["called 00", "challenged 401"] * 2 + ["called 00"]
            assert carrier.ledger.times_dialled() == 1
            assert carrier.ledger.calls()[0].invites == 3

    run(scenario())


def test_a_carrier_that_calls_every_nonce_stale_is_given_up(run):
    guarded = guard(uses_per_nonce=0)

    async def scenario():
        async with (
            CarrierSimulator(guard=guarded) as carrier,
            SipPhone(credentials=GOOD) as phone,
        ):
            assert (await phone.call(carrier.uri("00")).ended()).status == 401
            assert guarded.counts.stale == 2  # the retry, and the one more that stale allows
            assert carrier.ledger.times_dialled() == 1

    run(scenario())


@pytest.mark.parametrize("credentials", [None, Credentials("trunk", "wrong")])
def test_bad_credentials_are_not_sent_again_and_again(run, credentials):
    async def scenario():
        async with (
            CarrierSimulator(guard=guard()) as carrier,
            SipPhone(credentials=credentials) as phone,
        ):
            assert (await phone.call(carrier.uri("00")).ended()).status == 401
            assert carrier.ledger.calls()[0].invites == (1 if credentials is None else 2)
            assert not carrier.legs

    run(scenario())


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_the_carrier_calls_in(run, transport):
    async def scenario():
        async with (
            CarrierSimulator(tone_hz=1000) as carrier,
            SipPhone(behaviour=Answer(digits="5")) as server,
        ):
            via = server.uri(transport=transport).partition("@")[2]
            leg = carrier.call("+15550123", from_=CALLER, via=f"sip:{via}")
            other = await server.next_leg()
            assert other.invite.uri.startswith("sip:+15550123@")
            assert other.invite.from_.uri.user == CALLER
            await leg.heard("5")
            leg.hangup()
            assert (await other.ended()).remote

    run(scenario())


def test_a_number_dialled_twice_is_on_the_ledger_twice(run):
    async def scenario():
        async with CarrierSimulator() as carrier, SipPhone() as phone:
            for _ in range(2):
                await phone.call(carrier.uri("20")).ended()
            assert carrier.ledger.times_dialled("20") == 2

    run(scenario())


def test_the_trunk_uri_names_no_number(run):
    async def scenario():
        async with CarrierSimulator() as carrier:
            host, port = carrier.address
            assert carrier.trunk_uri() == f"sip:{host}:{port}"
            assert carrier.trunk_uri(transport="tcp").endswith(";transport=tcp")

    run(scenario())
