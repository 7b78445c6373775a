"""What both sides of a call do once it was answered: BYE, re-INVITE, glare, challenges."""

from __future__ import annotations

import pytest

from orbit_voice.sip.digest import Credentials
from orbit_voice.sip.headers import Reason
from orbit_voice.sip.params import Params
from orbit_voice.sip.session_events import (
    Ended,
    FailureKind,
    OfferAccepted,
    Offered,
    OfferRefused,
    OfferWithdrawn,
)
from orbit_voice.sip.sessions.glare import MAX_GLARES

CHALLENGE = [("WWW-Authenticate", 'Digest realm="r.test", nonce="n1", qop="auth"')]


@pytest.fixture(params=["caller", "callee"])
def role(request):
    return request.param


@pytest.fixture
def driver(kit, role):
    """An established call; what led to it is forgotten."""
    driver = kit.talking(role, credentials=Credentials("us", "secret"))
    forget(driver)
    return driver


def forget(driver):
    for kept in (driver.sent, driver.acks, driver.responses, driver.events):
        kept.clear()


class TestBye:
    def test_hanging_up_ends_the_call_once(self, driver):
        reason = Reason("SIP", Params([("cause", "200"), ("text", "enough")]))
        driver.hang_up(reason=reason)
        driver.hang_up()
        assert driver.methods == ["BYE"]
        assert driver.sent[0].reasons[0].text == "enough"
        assert driver.events == [Ended(False, None, None)]
        assert driver.session.is_over
        assert not driver.session.is_finished
        driver.reply(driver.sent[0], 200)
        assert driver.session.is_finished

    def test_a_bye_of_the_peer_ends_it_with_its_reason(self, driver):
        driver.hear("BYE", 2, headers=[("Reason", 'Q.850;cause=16;text="bye"')])
        driver.hang_up()
        assert driver.statuses() == [200]
        assert driver.sent == []
        assert driver.events == [Ended(True, "bye", None)]
        assert driver.session.is_finished

    def test_a_second_bye_gets_481(self, driver):
        driver.hear("BYE", 2)
        driver.hear("BYE", 3)
        assert driver.statuses() == [200, 481]

    def test_byes_that_cross_are_both_confirmed(self, driver):
        driver.hang_up()
        driver.hear("BYE", 2)
        driver.reply(driver.sent[0], 481)
        assert driver.statuses() == [200]
        assert driver.events == [Ended(False, None, None)]
        assert driver.session.is_finished

    @pytest.mark.parametrize("kind", list(FailureKind))
    def test_a_bye_that_is_lost_ends_it_too(self, driver, kind):
        driver.hang_up()
        driver.lose(driver.sent[0], kind)
        assert driver.session.is_finished
        assert len(driver.events) == 1

    def test_a_bye_without_any_news_is_forgotten_after_32_seconds(self, driver):
        driver.hang_up()
        driver.wait(31.9)
        assert not driver.session.is_finished
        driver.wait(0.2)
        assert driver.session.is_finished
        driver.hear("BYE", 2)
        assert driver.statuses() == [481]

    def test_a_challenged_bye_is_sent_again_with_credentials(self, driver):
        driver.hang_up()
        driver.reply(driver.sent[0], 401, headers=CHALLENGE)
        assert driver.methods == ["BYE", "BYE"]
        first, second = driver.sent
        assert second.cseq.number == first.cseq.number + 1
        assert second.headers.get("Authorization")
        driver.reply(second, 401, headers=CHALLENGE)
        assert len(driver.sent) == 2
        assert driver.session.is_finished

    def test_a_bye_out_of_order_gets_500_and_ends_nothing(self, driver):
        driver.hear("OPTIONS", 9)
        driver.hear("BYE", 8)
        assert driver.statuses() == [200, 500]
        assert not driver.session.is_over

    def test_a_stranger_cannot_hang_up(self, driver):
        driver.hear("BYE", 9, tag="stranger")
        assert driver.statuses() == [481]
        assert not driver.session.is_over

    def test_after_our_bye_the_dialog_takes_no_invite(self, driver):
        driver.hang_up()
        driver.hear("INVITE", 2)
        assert driver.statuses() == [481]


def test_other_requests_are_answered_and_change_nothing(driver):
    driver.hear("OPTIONS", 2)
    driver.hear("INFO", 3)
    driver.hear("FROBNICATE", 4)
    assert driver.statuses() == [200, 405, 501]
    assert all(response.allow for _, response in driver.responses)
    assert driver.events == []


class TestOffersOfThePeer:
    def test_a_reinvite_is_offered_and_answered(self, kit, driver):
        driver.hear("INVITE", 2, sdp=kit.offer)
        assert driver.events == [Offered(kit.offer)]
        driver.answer_offer(kit.answer)
        driver.answer_offer(kit.answer)
        (response,) = (response for _, response in driver.responses)
        assert (response.status, response.body) == (200, kit.answer)
        driver.hear("ACK", 2)
        driver.wait(100)
        assert len(driver.responses) == 1
        assert driver.names == ["Offered"]

    def test_its_contact_is_where_requests_go_from_then_on(self, kit, driver):
        driver.hear("INVITE", 2, sdp=kit.offer)
        driver.answer_offer(kit.answer)
        driver.hear("ACK", 2)
        driver.hang_up()
        assert driver.sent[0].uri == "sip:moved@192.0.2.3"

    def test_the_200_is_repeated_until_the_ack_and_the_call_ended_without(self, kit, driver):
        driver.hear("INVITE", 2, sdp=kit.offer)
        driver.answer_offer(kit.answer)
        driver.wait(31.9)
        assert driver.statuses() == [200] * 11
        driver.wait(0.2)
        assert driver.methods == ["BYE"]
        assert driver.events[-1] == Ended(False, None, 408)

    def test_one_without_an_offer_gets_ours_and_its_answer_comes_with_the_ack(self, kit, driver):
        driver.hear("INVITE", 2)
        driver.answer_offer(kit.offer)
        driver.hear("ACK", 2, sdp=kit.answer)
        assert driver.events == [Offered(None), OfferAccepted(kit.answer)]

    def test_a_refused_one_leaves_the_call_as_it_was(self, kit, driver):
        driver.hear("INVITE", 2, sdp=kit.offer)
        driver.refuse_offer(488)
        assert driver.statuses() == [488]
        driver.hear("INVITE", 3, sdp=kit.offer)
        assert driver.names == ["Offered", "Offered"]

    def test_a_cancelled_one_is_withdrawn(self, kit, driver):
        driver.hear("INVITE", 2, sdp=kit.offer)
        driver.hear("CANCEL", 2)
        driver.answer_offer(kit.answer)
        assert [(r.method, s.status) for r, s in driver.responses] == [
            ("CANCEL", 200),
            ("INVITE", 487),
        ]
        assert driver.events == [Offered(kit.offer), OfferWithdrawn()]

    def test_a_cancel_after_our_answer_changes_nothing(self, kit, driver):
        driver.hear("INVITE", 2, sdp=kit.offer)
        driver.answer_offer(kit.answer)
        driver.hear("CANCEL", 2)
        assert driver.statuses() == [200, 200]
        assert driver.names == ["Offered"]

    def test_a_second_one_before_our_answer_gets_500_with_retry_after(self, kit, driver):
        driver.hear("INVITE", 2, sdp=kit.offer)
        driver.hear("INVITE", 3, sdp=kit.offer)
        assert driver.statuses() == [500]
        assert driver.responses[0][1].retry_after.seconds in range(11)
        driver.answer_offer(kit.answer)
        driver.hear("ACK", 2)
        driver.wait(40)
        assert driver.statuses() == [500, 200]

    def test_a_bye_before_our_answer_gets_200_and_the_reinvite_487(self, kit, driver):
        driver.hear("INVITE", 2, sdp=kit.offer)
        driver.hear("BYE", 3)
        assert [(r.method, s.status) for r, s in driver.responses] == [
            ("BYE", 200),
            ("INVITE", 487),
        ]
        assert driver.names == ["Offered", "Ended"]

    def test_hanging_up_before_our_answer_refuses_it_first(self, kit, driver):
        driver.hear("INVITE", 2, sdp=kit.offer)
        driver.hang_up()
        assert driver.statuses() == [487]
        assert driver.methods == ["BYE"]
        assert driver.names == ["Offered", "Ended"]

    def test_one_that_overtakes_the_ack_of_another_gets_491(self, kit, driver):
        driver.hear("INVITE", 2, sdp=kit.offer)
        driver.answer_offer(kit.answer)
        driver.hear("INVITE", 3, sdp=kit.offer)
        assert driver.statuses() == [200, 491]

    def test_hanging_up_before_its_ack_sends_the_bye_at_once(self, kit, driver):
        driver.hear("INVITE", 2, sdp=kit.offer)
        driver.answer_offer(kit.answer)
        driver.hang_up()
        driver.wait(10)
        assert driver.statuses() == [200]
        assert driver.methods == ["BYE"]
        assert driver.names == ["Offered", "Ended"]

    def test_a_bye_in_place_of_its_ack_ends_the_call(self, kit, driver):
        driver.hear("INVITE", 2, sdp=kit.offer)
        driver.answer_offer(kit.answer)
        driver.hear("BYE", 3)
        driver.wait(40)
        assert driver.statuses() == [200, 200]
        assert driver.names == ["Offered", "Ended"]
        assert driver.session.is_finished


class TestOffersOfOurs:
    def test_a_reinvite_is_answered_and_acknowledged(self, kit, driver):
        driver.reoffer(kit.offer)
        (reinvite,) = driver.sent
        assert (reinvite.method, reinvite.body) == ("INVITE", kit.offer)
        assert reinvite.to_tag == "peer"
        driver.reply(reinvite, 100)
        driver.reply(reinvite, 200, sdp=kit.answer)
        driver.reply(reinvite, 200, sdp=kit.answer)
        assert driver.events == [OfferAccepted(kit.answer)]
        assert driver.acks[0] is driver.acks[1]
        assert driver.acks[0].cseq.number == reinvite.cseq.number

    def test_a_refused_one_leaves_the_call_as_it_was(self, kit, driver):
        driver.reoffer(kit.offer)
        driver.reply(driver.sent[0], 488)
        assert driver.events == [OfferRefused(488, "Not Acceptable Here")]
        driver.hear("INVITE", 5, sdp=kit.offer)
        assert driver.names == ["OfferRefused", "Offered"]

    @pytest.mark.parametrize(("status", "remote"), [(481, True), (408, False)])
    def test_481_and_408_end_the_call(self, kit, driver, status, remote):
        driver.reoffer(kit.offer)
        driver.reply(driver.sent[0], status)
        assert driver.methods == ["INVITE", "BYE"]
        assert driver.events == [Ended(remote, None, status)]

    @pytest.mark.parametrize(
        ("kind", "status"), [(FailureKind.TIMEOUT, 408), (FailureKind.TRANSPORT, 503)]
    )
    def test_no_final_response_at_all_ends_the_call(self, kit, driver, kind, status):
        driver.reoffer(kit.offer)
        driver.lose(driver.sent[0], kind)
        assert driver.methods == ["INVITE", "BYE"]
        assert driver.events == [Ended(False, None, status)]

    def test_a_challenged_one_is_sent_again_with_credentials(self, kit, driver):
        for _ in range(2):
            driver.reoffer(kit.offer)
            driver.reply(driver.sent[-1], 401, headers=CHALLENGE)
            assert driver.sent[-1].headers.get("Authorization")
            assert driver.sent[-1].body == kit.offer
            driver.reply(driver.sent[-1], 200, sdp=kit.answer)
        assert driver.methods == ["INVITE"] * 4
        assert driver.names == ["OfferAccepted"] * 2

    def test_an_invite_of_the_peer_meanwhile_gets_491(self, kit, driver):
        driver.reoffer(kit.offer)
        driver.hear("INVITE", 5, sdp=kit.offer)
        assert driver.statuses() == [491]
        driver.reply(driver.sent[0], 200, sdp=kit.answer)
        assert driver.names == ["OfferAccepted"]

    def test_one_made_meanwhile_waits_for_the_first(self, kit, driver):
        driver.reoffer(kit.offer)
        driver.reoffer(b"v=0\r\ns=dropped\r\n")
        driver.reoffer(b"v=0\r\ns=later\r\n")
        assert len(driver.sent) == 1
        driver.reply(driver.sent[0], 200, sdp=kit.answer)
        assert [each.body for each in driver.sent] == [kit.offer, b"v=0\r\ns=later\r\n"]

    def test_one_waits_until_the_offer_of_the_peer_is_done(self, kit, driver):
        driver.hear("INVITE", 5, sdp=kit.offer)
        driver.reoffer(kit.offer)
        driver.answer_offer(kit.answer)
        assert driver.sent == []
        driver.hear("ACK", 5)
        assert driver.methods == ["INVITE"]

    def test_one_waits_until_our_200_has_its_ack(self, kit, driver):
        driver.hear("INVITE", 5, sdp=kit.offer)
        driver.answer_offer(kit.answer)
        driver.reoffer(kit.offer)
        assert driver.sent == []
        driver.hear("ACK", 5)
        assert driver.methods == ["INVITE"]

    def test_a_200_after_we_hung_up_is_acknowledged(self, kit, driver):
        driver.reoffer(kit.offer)
        driver.hang_up()
        driver.reply(driver.sent[0], 200, sdp=kit.answer)
        assert len(driver.acks) == 1
        driver.reply(driver.sent[1], 200)
        driver.reply(driver.sent[0], 200, sdp=kit.answer)
        assert driver.acks[1] is driver.acks[0]
        assert driver.names == ["Ended"]

    def test_a_200_after_the_peer_hung_up_is_acknowledged(self, kit, driver):
        driver.reoffer(kit.offer)
        driver.hear("BYE", 5)
        driver.reply(driver.sent[0], 200, sdp=kit.answer)
        assert len(driver.acks) == 1
        assert driver.names == ["Ended"]

    def test_one_made_before_the_ack_waits_for_it(self, kit):
        driver = kit.answered_callee()
        driver.reoffer(kit.offer)
        assert driver.sent == []
        driver.hear("ACK", 1)
        assert driver.methods == ["INVITE"]
        assert driver.names == ["Acknowledged"]

    def test_one_made_before_the_answer_or_after_the_end_is_dropped(self, kit):
        for driver in (kit.caller(), kit.callee()):
            before = list(driver.sent)
            driver.reoffer(kit.offer)
            driver.answer_offer(kit.answer)
            driver.refuse_offer(488)
            assert driver.sent == before
        driver = kit.talking_callee()
        driver.hear("BYE")
        driver.reoffer(kit.offer)
        assert driver.sent == []


class TestGlare:
    @pytest.mark.parametrize(
        ("role", "number", "wait_s"),
        [
            ("caller", 0, 2.1),
            ("caller", 10**6, 4.0),
            ("caller", 7, 2.17),
            ("callee", 10**6, 2.0),
            ("callee", 7, 0.07),
        ],
    )
    def test_who_made_the_call_id_waits_longer(self, kit, role, number, wait_s):
        driver = kit.talking(role, number=number)
        forget(driver)
        driver.reoffer(kit.offer)
        driver.reply(driver.sent[0], 491)
        driver.wait(wait_s - 0.005)
        assert len(driver.sent) == 1
        driver.wait(0.01)
        assert driver.methods == ["INVITE", "INVITE"]
        assert driver.sent[1].body == kit.offer
        assert driver.sent[1].cseq.number > driver.sent[0].cseq.number
        driver.reply(driver.sent[1], 200, sdp=kit.answer)
        assert driver.names == ["OfferAccepted"]

    def test_the_peers_offer_is_taken_while_ours_waits(self, kit):
        driver = kit.talking_caller()
        forget(driver)
        driver.reoffer(kit.offer)
        driver.reply(driver.sent[0], 491)
        driver.hear("INVITE", 5, sdp=kit.offer)
        driver.wait(10)
        assert len(driver.sent) == 1
        driver.answer_offer(kit.answer)
        driver.hear("ACK", 5)
        assert len(driver.sent) == 2
        assert driver.names == ["Offered"]

    def test_a_wait_that_ends_before_the_ack_of_our_200_lasts_until_it(self, kit):
        driver = kit.talking_caller()
        forget(driver)
        driver.reoffer(kit.offer)
        driver.reply(driver.sent[0], 491)
        driver.hear("INVITE", 5, sdp=kit.offer)
        driver.answer_offer(kit.answer)
        driver.wait(3)
        assert len(driver.sent) == 1
        driver.hear("ACK", 5)
        assert len(driver.sent) == 2

    def test_a_newer_offer_takes_the_place_of_the_one_that_waits(self, kit):
        driver = kit.talking_caller()
        forget(driver)
        driver.reoffer(kit.offer)
        driver.reply(driver.sent[0], 491)
        driver.reoffer(b"v=0\r\ns=newer\r\n")
        assert len(driver.sent) == 1
        driver.wait(5)
        assert driver.sent[1].body == b"v=0\r\ns=newer\r\n"

    def test_a_peer_that_never_takes_the_offer_has_refused_it(self, kit, role):
        driver = kit.talking(role)
        forget(driver)
        driver.reoffer(kit.offer)
        for _ in range(MAX_GLARES + 3):
            driver.reply(driver.sent[-1], 491)
            driver.wait(5)
        assert len(driver.sent) == MAX_GLARES
        assert driver.names == ["OfferRefused"]

    def test_hanging_up_while_it_waits_sends_only_the_bye(self, kit, role):
        driver = kit.talking(role, number=50)
        forget(driver)
        driver.reoffer(kit.offer)
        driver.reply(driver.sent[0], 491)
        driver.hang_up()
        driver.wait(10)
        assert driver.methods == ["INVITE", "BYE"]
