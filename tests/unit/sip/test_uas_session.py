"""Inbound calls up to the ACK or the refusal (RFC 3261 §13.3, §9.2, §15)."""

from __future__ import annotations

import pytest

from orbit_voice.sip.headers import Reason
from orbit_voice.sip.message import Request
from orbit_voice.sip.session_events import Acknowledged, Cancelled, Ended

GAVE_UP = [("Reason", 'SIP;cause=200;text="gave up"')]


def repeats(driver, seconds, step=0.5):
    """When responses went out, seconds from now."""
    start, heard = driver.now, []
    for _ in range(int(seconds / step)):
        before = len(driver.responses)
        driver.wait(step)
        heard += [driver.now - start] * (len(driver.responses) - before)
    return heard


def test_a_call_rings_and_is_answered_with_one_tag(kit):
    driver = kit.callee()
    driver.ring(183, kit.answer)
    driver.answer(kit.answer)
    driver.hear("ACK", 1)
    assert driver.statuses() == [183, 200]
    assert {response.to_tag for _, response in driver.responses} == {driver.session.local_tag}
    for _, response in driver.responses:
        assert response.body == kit.answer
        assert str(response.contacts[0].uri) == "sip:us@192.0.2.1"
    assert driver.events == [Acknowledged(None)]


def test_the_record_route_of_the_caller_is_given_back(kit):
    driver = kit.callee()
    driver.session.invite.headers.add("Record-Route", "<sip:proxy.test;lr>")
    driver.answer(kit.answer)
    driver.hear("ACK", 1)
    driver.hang_up()
    assert driver.responses[0][1].headers.get("Record-Route") == "<sip:proxy.test;lr>"
    assert [route.uri.host for route in driver.last("BYE").routes] == ["proxy.test"]


def test_a_provisional_response_is_repeated_each_minute_until_the_answer(kit):
    driver = kit.callee()
    driver.ring(180)
    driver.wait(30)
    driver.ring(183, kit.answer)
    driver.wait(125)
    assert driver.statuses() == [180, 183, 183, 183]
    driver.answer(kit.answer)
    driver.hear("ACK", 1)
    driver.wait(200)
    assert driver.statuses()[4:] == [200]


def test_a_200_is_repeated_from_t1_to_t2_until_its_ack(kit):
    driver = kit.answered_callee()
    assert repeats(driver, 16) == [0.5, 1.5, 3.5, 7.5, 11.5, 15.5]
    assert len({id(response) for _, response in driver.responses}) == 1
    driver.hear("ACK", 1)
    driver.hear("ACK", 1)
    assert repeats(driver, 40) == []
    assert driver.events == [Acknowledged(None)]


def test_without_an_ack_the_call_is_ended_after_32_seconds(kit):
    driver = kit.answered_callee()
    driver.wait(31.9)
    assert driver.sent == []
    driver.wait(0.2)
    assert driver.methods == ["BYE"]
    assert driver.events == [Ended(False, None, 408)]
    driver.lose(driver.sent[0])
    assert driver.session.is_finished


def test_an_ack_of_another_invite_does_not_confirm_the_200(kit):
    driver = kit.answered_callee()
    driver.hear("ACK", 2)
    driver.hear("ACK", 1, tag="stranger")
    assert driver.events == []


def test_an_offer_in_the_200_is_answered_in_the_ack(kit):
    driver = kit.callee(sdp=None)
    driver.answer(kit.offer)
    driver.hear("ACK", 1, sdp=kit.answer)
    assert driver.events == [Acknowledged(kit.answer)]


@pytest.mark.parametrize("rings", [True, False])
def test_a_refusal_ends_the_call(kit, rings):
    driver = kit.callee()
    if rings:
        driver.ring()
    driver._take(
        driver.session.reject(302, driver.now, reason="Go", headers=[("Contact", "<sip:x@y>")])
    )
    response = driver.responses[-1][1]
    assert (response.status, response.reason) == (302, "Go")
    assert response.headers.get_all("Contact") == ["<sip:x@y>"]
    assert driver.events == [Ended(False, None, 302)]
    assert driver.session.is_finished


@pytest.mark.parametrize("rings", [True, False])
def test_hanging_up_before_the_answer_refuses_with_480(kit, rings):
    driver = kit.callee()
    if rings:
        driver.ring()
    driver.hang_up()
    driver.hang_up()
    driver.answer(kit.answer)
    assert driver.statuses() == [180, 480][not rings :]
    assert driver.events == [Ended(False, None, 480)]


def test_rejecting_an_answered_call_hangs_up(kit):
    driver = kit.talking_callee()
    driver.reject(486)
    assert driver.methods == ["BYE"]
    assert driver.events[1:] == [Ended(False, None, None)]


@pytest.mark.parametrize("rings", [True, False])
def test_a_cancel_gets_200_and_its_invite_487(kit, rings):
    driver = kit.callee()
    if rings:
        driver.ring()
    driver.hear("CANCEL", 1, headers=GAVE_UP)
    assert [(r.method, s.status) for r, s in driver.responses[-2:]] == [
        ("CANCEL", 200),
        ("INVITE", 487),
    ]
    assert driver.events == [Cancelled("gave up")]
    assert driver.session.is_finished
    driver.answer(kit.answer)
    driver.hear("CANCEL", 1)
    assert len(driver.events) == 1
    assert driver.statuses("CANCEL") == [200, 200]


def test_a_cancel_after_the_200_gets_200_and_changes_nothing(kit):
    driver = kit.answered_callee()
    driver.hear("CANCEL", 1)
    assert driver.statuses("CANCEL") == [200]
    assert driver.statuses("INVITE") == [200]
    driver.hear("ACK", 1)
    assert driver.events == [Acknowledged(None)]


def test_a_cancel_of_a_second_invite_leaves_the_first_pending(kit):
    driver = kit.callee()
    driver.ring()
    driver.hear("INVITE", 2)
    driver.hear("CANCEL", 2)
    assert driver.statuses("CANCEL") == [200]
    assert not driver.session.is_over


def test_a_bye_in_the_early_dialog_gets_200_and_the_invite_487(kit):
    driver = kit.callee()
    driver.ring()
    driver.hear("BYE", 2, headers=GAVE_UP)
    assert driver.statuses() == [180, 200, 487]
    assert driver.events == [Cancelled("gave up")]
    driver.hear("BYE", 3)
    assert driver.statuses()[-1] == 481


def test_a_second_invite_while_the_first_is_pending_gets_500_with_retry_after(kit):
    driver = kit.callee(number=7)
    driver.ring()
    driver.hear("INVITE", 2, sdp=kit.offer)
    response = driver.responses[-1][1]
    assert (response.status, response.retry_after.seconds) == (500, 7)
    driver.answer(kit.answer)
    assert driver.statuses()[-1] == 200


def test_requests_in_the_early_dialog_are_answered(kit):
    driver = kit.callee()
    driver.hear("BYE", 2)
    driver.ring()
    driver.hear("OPTIONS", 5)
    driver.hear("INFO", 6)
    driver.hear("BYE", 4)
    driver.hear("BYE", 7, tag="stranger")
    assert driver.statuses() == [481, 180, 200, 405, 500, 481]
    assert not driver.session.is_over


class TestHangingUpBeforeTheAck:
    def test_the_bye_waits_for_the_ack(self, kit):
        driver = kit.answered_callee()
        driver._take(driver.session.hang_up(driver.now, reason=Reason("Q.850")))
        driver.hang_up()
        assert driver.events == [Ended(False, None, None)]
        driver.wait(3)
        assert driver.methods == []
        assert driver.statuses().count(200) == 3
        driver.hear("ACK", 1)
        assert driver.methods == ["BYE"]
        assert driver.sent[0].headers.get("Reason") == "Q.850"
        driver.reply(driver.sent[0], 200)
        assert driver.session.is_finished
        assert len(driver.events) == 1

    def test_the_bye_goes_out_when_no_ack_comes(self, kit):
        driver = kit.answered_callee()
        driver.hang_up()
        driver.wait(32.1)
        assert driver.methods == ["BYE"]
        assert len(driver.events) == 1

    def test_a_bye_of_the_peer_makes_ours_needless(self, kit):
        driver = kit.answered_callee()
        driver.hang_up()
        driver.hear("INVITE", 2)
        driver.hear("BYE", 3)
        driver.wait(100)
        assert driver.statuses()[-2:] == [481, 200]
        assert driver.methods == []
        assert driver.session.is_finished


def test_a_bye_that_overtakes_the_ack_ends_the_call(kit):
    driver = kit.answered_callee()
    driver.hear("BYE", 2)
    driver.hear("ACK", 1)
    assert driver.events == [Ended(True, None, None)]
    assert driver.session.is_finished


def test_a_reinvite_that_overtakes_the_ack_gets_491(kit):
    driver = kit.answered_callee()
    driver.hear("INVITE", 2, sdp=kit.offer)
    assert driver.statuses()[-1] == 491
    driver.hear("ACK", 1)
    assert driver.names == ["Acknowledged"]


def test_a_peer_that_knows_no_tags_can_end_its_call(kit):
    driver = kit.callee()
    driver.session.invite.headers.set("From", "<sip:peer@p.test>")
    driver.answer(kit.answer)
    bye = Request("BYE", "sip:us@192.0.2.1", driver.session.invite.headers.copy())
    bye.headers.set("CSeq", "2 BYE")
    driver._take(driver.session.receive_request(bye, driver.now))
    assert driver.names == ["Ended"]
