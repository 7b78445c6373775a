"""Dialogs (RFC 3261 §12)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orbit_voice.sip.dialog import Dialog, DialogState
from orbit_voice.sip.message import Headers, Request, Response

INVITE = "sip:bob@b.test"


def invite(*, routes=(), contact="<sip:alice@192.0.2.1>", extra=()):
    return Request(
        "INVITE",
        INVITE,
        Headers(
            [
                ("Via", "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1"),
                *(("Record-Route", route) for route in routes),
                ("From", '"Alice" <sip:alice@a.test>;tag=a'),
                ("To", "<sip:bob@b.test>"),
                ("Call-ID", "call-1"),
                ("CSeq", "7 INVITE"),
                *([("Contact", contact)] if contact else []),
                *extra,
            ]
        ),
    )


def response(request, status=200, *, routes=(), contact="<sip:bob@192.0.2.9:5070>", tag="b"):
    answer = Response.to_request(request, status, to_tag=tag)
    for route in routes:
        answer.headers.add("Record-Route", route)
    if contact:
        answer.headers.add("Contact", contact)
    return answer


def uac(status=200, **fields):
    request = invite()
    return Dialog.from_uac(request, response(request, status, **fields))


def uas(status=200, **fields):
    request = invite(**fields)
    return Dialog.from_uas(request, response(request, status))


def from_peer(method="BYE", number=8, tag="a"):
    headers = [
        ("From", f"<sip:alice@a.test>;tag={tag}"),
        ("To", "<sip:bob@b.test>;tag=b"),
        ("Call-ID", "call-1"),
        ("CSeq", f"{number} {method}"),
    ]
    return Request(method, "sip:bob@192.0.2.9", Headers(headers))


def test_a_provisional_response_makes_an_early_dialog_and_a_2xx_a_confirmed_one():
    assert uac(180).state is DialogState.EARLY
    assert uac(200).state is DialogState.CONFIRMED
    assert uas(180).state is DialogState.EARLY
    assert uas(200).state is DialogState.CONFIRMED


def test_a_request_of_the_caller_goes_to_the_callees_contact_with_both_tags():
    bye = uac().make_request("BYE")
    assert bye.uri == "sip:bob@192.0.2.9:5070"
    assert bye.headers.get("From") == '"Alice" <sip:alice@a.test>;tag=a'
    assert bye.headers.get("To") == "<sip:bob@b.test>;tag=b"
    assert bye.call_id == "call-1"
    assert str(bye.cseq) == "8 BYE"
    assert bye.max_forwards == 70
    assert not bye.routes


def test_a_request_of_the_callee_goes_to_the_callers_contact_with_the_tags_swapped():
    bye = uas().make_request("BYE")
    assert bye.uri == "sip:alice@192.0.2.1"
    assert (bye.from_tag, bye.to_tag) == ("b", "a")
    assert str(bye.cseq) == "1 BYE"


def test_every_request_has_the_next_cseq_number():
    dialog = uac()
    assert [dialog.make_request("OPTIONS").cseq.number for _ in range(3)] == [8, 9, 10]


def test_the_caller_reverses_the_record_route_and_the_callee_does_not():
    routes = ["<sip:near-bob.test;lr>, <sip:middle.test;lr>", "<sip:near-alice.test;lr>"]
    hosts = ["near-bob.test", "middle.test", "near-alice.test"]
    request = uac(routes=routes).make_request("BYE")
    assert [route.uri.host for route in request.routes] == hosts[::-1]
    request = uas(routes=routes).make_request("BYE")
    assert [route.uri.host for route in request.routes] == hosts
    assert request.uri == "sip:alice@192.0.2.1"


def test_a_strict_router_becomes_the_request_uri_and_the_target_the_last_route():
    routes = ["<sip:strict.test;method=INVITE?Subject=x>", "<sip:loose.test;lr>"]
    bye = uas(routes=routes).make_request("BYE")
    assert bye.uri == "sip:strict.test"
    assert [str(route) for route in bye.routes] == ["<sip:loose.test;lr>", "<sip:alice@192.0.2.1>"]


def test_the_route_set_of_the_2xx_replaces_that_of_the_provisional_response():
    request = invite()
    dialog = Dialog.from_uac(request, response(request, 180, routes=["<sip:old.test;lr>"]))
    dialog.confirm(response(request, 200, routes=["<sip:new.test;lr>"], contact="<sip:c@c.test>"))
    ack = dialog.make_ack(request)
    assert [route.uri.host for route in ack.routes] == ["new.test"]
    assert ack.uri == "sip:c@c.test"


def test_a_target_refresh_moves_the_target_and_leaves_the_routes():
    dialog = uas(routes=["<sip:p.test;lr>"])
    dialog.refresh_target(invite(contact="<sip:moved@192.0.2.3>", routes=["<sip:q.test;lr>"]))
    bye = dialog.make_request("BYE")
    assert bye.uri == "sip:moved@192.0.2.3"
    assert [route.uri.host for route in bye.routes] == ["p.test"]


def test_a_message_without_contact_leaves_the_target():
    assert uac(contact=None).make_request("BYE").uri == INVITE
    assert uas(contact=None).make_request("BYE").uri == "sip:alice@a.test"


def test_what_has_no_place_in_a_request_uri_is_taken_out_of_a_contact():
    contact = "<sip:bob@b.test;transport=tcp;method=BYE?Route=%3Csip:evil.test%3E>"
    assert uac(contact=contact).make_request("BYE").uri == "sip:bob@b.test;transport=tcp"


def test_the_ack_has_the_number_and_the_credentials_of_its_invite():
    request = invite(extra=[("Proxy-Authorization", 'Digest username="a"')])
    dialog = Dialog.from_uac(request, response(request))
    dialog.make_request("OPTIONS")
    ack = dialog.make_ack(request)
    assert str(ack.cseq) == "7 ACK"
    assert ack.headers.get("Proxy-Authorization") == 'Digest username="a"'
    assert dialog.make_request("BYE").cseq.number == 9


@pytest.mark.parametrize(("number", "status"), [(6, 500), (7, None), (8, None), (4000, None)])
def test_a_request_that_comes_out_of_order_gets_500(number, status):
    assert uas().receive_request(from_peer(number=number)) == status


def test_the_first_request_of_a_callee_sets_its_number():
    dialog = uac()
    request = from_peer(number=3, tag="b")
    assert dialog.receive_request(request) is None
    assert dialog.receive_request(from_peer(number=2, tag="b")) == 500


def test_a_request_out_of_order_does_not_move_the_number():
    dialog = uas()
    dialog.receive_request(from_peer(number=20))
    dialog.receive_request(from_peer(number=9))
    assert dialog.remote_number == 20


def test_a_request_with_another_from_tag_gets_481():
    assert uas().receive_request(from_peer(tag="stranger")) == 481


def test_a_request_for_a_terminated_dialog_gets_481():
    dialog = uas()
    dialog.terminate()
    assert dialog.receive_request(from_peer()) == 481


def test_a_terminated_dialog_stays_terminated_when_a_2xx_comes_late():
    request = invite()
    dialog = Dialog.from_uac(request, response(request, 180))
    dialog.terminate()
    dialog.confirm(response(request))
    assert dialog.state is DialogState.TERMINATED


def test_a_peer_without_tags_is_known_by_having_none():
    request = invite()
    request.headers.set("From", "<sip:alice@a.test>")
    dialog = Dialog.from_uas(request, response(request))
    bye = from_peer()
    bye.headers.set("From", "<sip:alice@a.test>")
    assert dialog.receive_request(bye) is None


@given(st.lists(st.integers(0, 2**32 - 1), max_size=20))
def test_accepted_numbers_never_fall(numbers):
    dialog = uas()
    accepted = [n for n in numbers if dialog.receive_request(from_peer(number=n)) is None]
    assert accepted == sorted(accepted)
