"""Outbound calls up to the 2xx or the refusal (RFC 3261 §13.2, §9.1, §22)."""

from __future__ import annotations

import pytest

from orbit_voice.kit.errors import LocalProtocolError
from orbit_voice.sip.digest import Credentials
from orbit_voice.sip.headers import Reason
from orbit_voice.sip.params import Params
from orbit_voice.sip.session_events import (
    Answered,
    Ended,
    Failed,
    FailureKind,
    Rejected,
    Ringing,
)
from orbit_voice.sip.uac_session import MAX_FORKS

CHALLENGE = 'Digest realm="r.test", nonce="{}", qop="auth"'
CREDENTIALS = Credentials("us", "secret")


def challenge(driver, request, nonce="n1", *, status=401, stale=False):
    name = "WWW-Authenticate" if status == 401 else "Proxy-Authenticate"
    value = CHALLENGE.format(nonce) + (", stale=true" if stale else "")
    driver.reply(request, status, headers=[(name, value)])


def test_the_invite_carries_the_offer_and_who_we_are(kit):
    driver = kit.caller(routes=["<sip:proxy.test;lr>"], headers=[("X-Tenant", "7")])
    (invite,) = driver.sent
    assert invite.body == kit.offer
    assert invite.content_type == "application/sdp"
    assert invite.call_id == driver.session.call_id
    assert (invite.from_tag, invite.to_tag) == (driver.session.local_tag, None)
    assert str(invite.cseq) == "1 INVITE"
    assert [str(route) for route in invite.routes] == ["<sip:proxy.test;lr>"]
    assert invite.headers.get("X-Tenant") == "7"
    assert str(invite.contacts[0].uri) == "sip:us@192.0.2.1"
    assert "INVITE" in invite.allow


def test_a_header_that_would_break_out_of_its_line_is_refused_before_anything_is_sent(kit):
    with pytest.raises(LocalProtocolError):
        kit.new_caller(headers=[("X-A", "b\r\nEvil: 1")])


def test_a_call_rings_and_is_answered(kit):
    driver = kit.caller()
    driver.reply(driver.sent[0], 100)
    driver.reply(driver.sent[0], 183, sdp=kit.answer)
    driver.reply(driver.sent[0], 200, sdp=kit.answer)
    assert driver.events == [Ringing(183, "Session Progress", kit.answer), Answered(kit.answer)]
    (ack,) = driver.acks
    assert ack.body == b""
    assert str(ack.cseq) == "1 ACK"
    assert ack.uri == "sip:peer@192.0.2.2"


def test_a_refusal_is_reported_with_its_headers_and_ends_the_session(kit):
    driver = kit.caller()
    driver.reply(driver.sent[0], 486, headers=[("Retry-After", "9")])
    (event,) = driver.events
    assert isinstance(event, Rejected)
    assert (event.status, event.reason) == (486, "Busy Here")
    assert ("Retry-After", "9") in event.headers
    assert driver.session.is_finished


@pytest.mark.parametrize("kind", list(FailureKind))
def test_an_invite_without_final_response_fails(kit, kind):
    driver = kit.caller()
    driver.lose(driver.sent[0], kind)
    assert driver.events == [Failed(kind, "lost")]
    assert driver.session.is_finished


def test_a_transport_failure_while_it_rings_fails_the_call(kit):
    driver = kit.caller()
    driver.reply(driver.sent[0], 180)
    driver.lose(driver.sent[0], FailureKind.TRANSPORT)
    assert driver.names == ["Ringing", "Failed"]


def test_hanging_up_before_the_start_sends_nothing(kit):
    driver = kit.new_caller()
    driver.hang_up()
    driver.start()
    assert driver.sent == []
    assert driver.events == [Ended(False, None, None)]


def test_a_refusal_while_it_rings_ends_the_call(kit):
    driver = kit.caller()
    driver.reply(driver.sent[0], 180)
    driver.reply(driver.sent[0], 603)
    assert driver.names == ["Ringing", "Rejected"]


class TestCancel:
    def test_after_a_100_it_goes_out_at_once(self, kit):
        driver = kit.caller()
        driver.reply(driver.sent[0], 100)
        driver.hang_up()
        assert driver.methods == ["INVITE", "CANCEL"]

    def test_a_refusal_before_any_provisional_response_makes_it_needless(self, kit):
        driver = kit.caller()
        driver.hang_up()
        driver.reply(driver.sent[0], 486)
        assert driver.methods == ["INVITE"]
        assert driver.names == ["Rejected"]

    @pytest.mark.parametrize("rings", [True, False])
    def test_an_invite_lost_after_we_hung_up_fails_the_call(self, kit, rings):
        driver = kit.caller()
        if rings:
            driver.reply(driver.sent[0], 100)
        driver.hang_up()
        driver.lose(driver.sent[0])
        assert driver.events == [Failed(FailureKind.TIMEOUT, "lost")]
        assert driver.session.is_finished

    def test_a_challenge_in_place_of_the_487_is_the_refusal(self, kit):
        driver = kit.caller(credentials=CREDENTIALS)
        driver.reply(driver.sent[0], 100)
        driver.hang_up()
        challenge(driver, driver.sent[0])
        assert driver.methods == ["INVITE", "CANCEL"]
        assert driver.names == ["Rejected"]

    def test_it_waits_for_the_first_provisional_response(self, kit):
        driver = kit.caller()
        driver.hang_up()
        assert driver.methods == ["INVITE"]
        driver.reply(driver.sent[0], 100)
        assert driver.methods == ["INVITE", "CANCEL"]
        assert driver.sent[1].headers.get("Via") == driver.sent[0].headers.get("Via")
        assert str(driver.sent[1].cseq) == "1 CANCEL"

    def test_it_goes_out_once_however_often_we_hang_up(self, kit):
        driver = kit.caller()
        driver.reply(driver.sent[0], 180)
        driver.hang_up(reason=Reason("SIP", Params([("cause", "200"), ("text", "enough")])))
        driver.hang_up()
        driver.reply(driver.sent[0], 180)
        assert driver.methods == ["INVITE", "CANCEL"]
        assert driver.sent[1].reasons[0].text == "enough"
        assert driver.names == ["Ringing"]

    def test_the_487_that_follows_is_reported_as_the_refusal(self, kit):
        driver = kit.caller()
        driver.reply(driver.sent[0], 180)
        driver.hang_up()
        driver.reply(driver.sent[1], 200)
        driver.reply(driver.sent[0], 487)
        assert driver.names == ["Ringing", "Rejected"]
        assert driver.events[-1].status == 487
        assert driver.session.is_finished

    def test_a_refused_cancel_still_waits_for_the_final_response(self, kit):
        driver = kit.caller()
        driver.reply(driver.sent[0], 180)
        driver.hang_up()
        driver.reply(driver.sent[1], 481)
        driver.lose(driver.sent[1])
        assert not driver.session.is_over
        driver.reply(driver.sent[0], 486)
        assert driver.events[-1].status == 486

    def test_without_a_final_response_the_invite_is_abandoned_after_32_seconds(self, kit):
        driver = kit.caller()
        driver.reply(driver.sent[0], 180)
        driver.hang_up()
        driver.wait(31.9)
        assert driver.abandoned == []
        driver.wait(0.2)
        assert driver.abandoned == [driver.sent[0]]
        assert driver.names == ["Ringing", "Failed"]
        assert driver.session.is_finished

    @pytest.mark.parametrize("provisional", [True, False])
    def test_a_200_that_crosses_it_is_acknowledged_and_ended(self, kit, provisional):
        driver = kit.caller()
        if provisional:
            driver.reply(driver.sent[0], 100)
        driver.hang_up()
        driver.reply(driver.sent[0], 200, sdp=kit.answer)
        assert len(driver.acks) == 1
        assert driver.methods[-1] == "BYE"
        assert driver.events == [Ended(False, None, None)]
        driver.reply(driver.last("BYE"), 200)
        assert driver.session.is_finished
        assert len(driver.events) == 1

    def test_a_repeated_200_after_it_gets_the_same_ack_and_no_second_bye(self, kit):
        driver = kit.caller()
        driver.reply(driver.sent[0], 100)
        driver.hang_up()
        for _ in range(3):
            driver.reply(driver.sent[0], 200, sdp=kit.answer)
        assert driver.methods.count("BYE") == 1
        assert [ack is driver.acks[0] for ack in driver.acks] == [True] * 3

    def test_a_challenge_after_it_is_not_answered(self, kit):
        driver = kit.caller(credentials=CREDENTIALS)
        driver.hang_up()
        challenge(driver, driver.sent[0])
        assert driver.methods == ["INVITE"]
        assert driver.names == ["Rejected"]


class TestForks:
    def test_a_repeated_200_gets_the_very_same_ack(self, kit):
        driver = kit.caller()
        for _ in range(3):
            driver.reply(driver.sent[0], 200, sdp=kit.answer)
        assert driver.names == ["Answered"]
        assert all(ack is driver.acks[0] for ack in driver.acks)
        assert len(driver.acks) == 3

    def test_a_200_of_a_second_fork_is_acknowledged_and_hung_up(self, kit):
        driver = kit.caller()
        driver.reply(driver.sent[0], 180, tag="one")
        driver.reply(driver.sent[0], 180, tag="two")
        driver.reply(driver.sent[0], 200, tag="one", sdp=kit.answer)
        driver.reply(driver.sent[0], 200, tag="two", sdp=kit.answer)
        assert [ack.to_tag for ack in driver.acks] == ["one", "two"]
        (bye,) = driver.sent[1:]
        assert (bye.method, bye.to_tag) == ("BYE", "two")
        driver.reply(bye, 200)
        assert driver.names == ["Ringing", "Ringing", "Answered"]
        assert not driver.session.is_over

    def test_a_200_after_a_refusal_is_acknowledged_and_hung_up(self, kit):
        driver = kit.caller()
        driver.reply(driver.sent[0], 486, tag="one")
        driver.reply(driver.sent[0], 200, tag="two", sdp=kit.answer)
        assert [ack.to_tag for ack in driver.acks] == ["two"]
        assert driver.methods == ["INVITE", "BYE"]
        assert driver.names == ["Rejected"]

    def test_a_losing_fork_that_hangs_up_itself_changes_nothing(self, kit):
        driver = kit.caller()
        driver.reply(driver.sent[0], 200, tag="one", sdp=kit.answer)
        driver.reply(driver.sent[0], 200, tag="two", sdp=kit.answer)
        driver.hear("BYE", tag="two")
        assert driver.statuses("BYE") == [200]
        assert driver.names == ["Answered"]

    def test_a_flood_of_forks_is_bounded(self, kit):
        driver = kit.caller()
        for number in range(5 * MAX_FORKS):
            driver.reply(driver.sent[0], 180, tag=f"early{number}")
        for number in range(5 * MAX_FORKS):
            driver.reply(driver.sent[0], 200, tag=f"t{number}", sdp=kit.answer)
        assert len(driver.acks) == MAX_FORKS
        assert driver.methods.count("BYE") == MAX_FORKS - 1

    def test_an_early_fork_that_says_bye_leaves_the_others_ringing(self, kit):
        driver = kit.caller()
        driver.reply(driver.sent[0], 180, tag="one")
        driver.reply(driver.sent[0], 180, tag="two")
        driver.hear("BYE", tag="one")
        assert driver.statuses() == [200]
        driver.reply(driver.sent[0], 200, tag="two", sdp=kit.answer)
        assert driver.names[-1] == "Answered"

    def test_a_200_of_a_fork_that_said_bye_before_is_ended_by_the_peer(self, kit):
        driver = kit.caller()
        driver.reply(driver.sent[0], 180)
        driver.hear("BYE")
        driver.reply(driver.sent[0], 200, sdp=kit.answer)
        assert len(driver.acks) == 1
        assert driver.methods == ["INVITE", "BYE"]
        assert driver.events[-1] == Ended(True, None, None)

    @pytest.mark.parametrize("end", ["cancelled", "answered", "refused"])
    def test_a_200_of_a_fork_that_said_bye_is_ended_whatever_became_of_the_call(self, kit, end):
        driver = kit.caller()
        driver.reply(driver.sent[0], 180, tag="one")
        driver.hear("BYE", tag="one")
        if end == "cancelled":
            driver.hang_up()
        elif end == "answered":
            driver.reply(driver.sent[0], 200, tag="two", sdp=kit.answer)
        else:
            driver.reply(driver.sent[0], 486, tag="two")
        driver.reply(driver.sent[0], 200, tag="one", sdp=kit.answer)
        assert driver.acks[-1].to_tag == "one"
        assert driver.last("BYE").to_tag == "one"
        ends = {"cancelled": "Ended", "answered": "Answered", "refused": "Rejected"}
        assert driver.names == ["Ringing", ends[end]]

    def test_requests_in_an_early_dialog_are_answered(self, kit):
        driver = kit.caller()
        driver.reply(driver.sent[0], 180)
        driver.hear("OPTIONS", 5)
        driver.hear("INFO", 6)
        driver.hear("INVITE", 7)
        driver.hear("OPTIONS", 4)
        driver.hear("OPTIONS", 9, tag="stranger")
        driver.hear("ACK", 9, tag="stranger")
        assert driver.statuses() == [200, 405, 491, 500, 481]


class TestAuthentication:
    @pytest.mark.parametrize("status", [401, 407])
    def test_a_challenge_is_answered_with_a_new_number_in_the_same_call(self, kit, status):
        driver = kit.caller(credentials=CREDENTIALS)
        challenge(driver, driver.sent[0], status=status)
        first, second = driver.sent
        assert second is not first
        assert second.headers.get("Via") != first.headers.get("Via")
        assert (second.call_id, second.from_tag) == (first.call_id, first.from_tag)
        assert second.to_tag is None
        assert str(second.cseq) == "2 INVITE"
        assert second.body == kit.offer
        name = "Authorization" if status == 401 else "Proxy-Authorization"
        assert 'realm="r.test"' in second.headers.get(name)
        driver.reply(second, 200, sdp=kit.answer)
        assert driver.names == ["Answered"]
        assert driver.acks[0].headers.get(name) == second.headers.get(name)
        assert str(driver.acks[0].cseq) == "2 ACK"

    def test_a_second_challenge_of_the_same_realm_is_the_refusal(self, kit):
        driver = kit.caller(credentials=CREDENTIALS)
        challenge(driver, driver.sent[0])
        challenge(driver, driver.sent[1], "n2")
        assert driver.methods == ["INVITE", "INVITE"]
        assert driver.names == ["Rejected"]

    def test_a_stale_nonce_is_answered_once_more(self, kit):
        driver = kit.caller(credentials=CREDENTIALS)
        challenge(driver, driver.sent[0])
        challenge(driver, driver.sent[1], "n2", stale=True)
        challenge(driver, driver.sent[2], "n3", stale=True)
        assert len(driver.sent) == 3
        assert driver.names == ["Rejected"]

    def test_without_credentials_a_challenge_is_the_refusal(self, kit):
        driver = kit.caller()
        challenge(driver, driver.sent[0])
        assert driver.events[0].status == 401

    def test_a_late_response_to_the_first_invite_is_no_concern(self, kit):
        driver = kit.caller(credentials=CREDENTIALS)
        challenge(driver, driver.sent[0])
        driver.reply(driver.sent[0], 180)
        driver.reply(driver.sent[0], 500)
        driver.lose(driver.sent[0])
        assert driver.events == []

    def test_a_cancel_after_it_is_of_the_second_invite(self, kit):
        driver = kit.caller(credentials=CREDENTIALS)
        driver.reply(driver.sent[0], 100)
        challenge(driver, driver.sent[0])
        driver.hang_up()
        assert driver.methods == ["INVITE", "INVITE"]
        driver.reply(driver.sent[1], 180)
        assert driver.sent[2].headers.get("Via") == driver.sent[1].headers.get("Via")


class TestDelayedOffer:
    def test_an_offer_of_ours_waits_for_the_ack(self, kit):
        driver = kit.caller(sdp=None)
        driver.reply(driver.sent[0], 200, sdp=kit.offer)
        driver.reoffer(kit.offer)
        assert driver.methods == ["INVITE"]
        driver.answer_offer(kit.answer)
        assert driver.methods == ["INVITE", "INVITE"]

    def test_the_ack_carries_our_answer(self, kit):
        driver = kit.caller(sdp=None)
        driver.reply(driver.sent[0], 200, sdp=kit.offer)
        assert driver.events == [Answered(kit.offer)]
        assert driver.acks == []
        driver.reply(driver.sent[0], 200, sdp=kit.offer)
        assert driver.acks == []
        driver.answer_offer(kit.answer)
        driver.answer_offer(kit.answer)
        (ack,) = driver.acks
        assert (ack.body, ack.content_type) == (kit.answer, "application/sdp")
        driver.reply(driver.sent[0], 200, sdp=kit.offer)
        assert driver.acks[1] is ack

    @pytest.mark.parametrize("refuses", [True, False])
    def test_ending_the_call_acknowledges_without_an_answer(self, kit, refuses):
        driver = kit.caller(sdp=None)
        driver.reply(driver.sent[0], 200, sdp=kit.offer)
        if refuses:
            driver.refuse_offer(488)
        else:
            driver.hang_up()
        assert [ack.body for ack in driver.acks] == [b""]
        assert driver.methods == ["INVITE", "BYE"]
        assert driver.events[-1] == Ended(False, None, 488 if refuses else None)

    def test_a_peer_that_hangs_up_before_the_ack_ends_the_call(self, kit):
        driver = kit.caller(sdp=None)
        driver.reply(driver.sent[0], 200, sdp=kit.offer)
        driver.hear("INVITE", 2, sdp=kit.offer)
        driver.hear("BYE", 3)
        driver.answer_offer(kit.answer)
        assert driver.statuses() == [491, 200]
        assert driver.names == ["Answered", "Ended"]
