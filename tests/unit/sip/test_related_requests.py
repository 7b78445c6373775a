"""ACK to a failure and CANCEL (RFC 3261 §17.1.1.3, §9.1)."""

from __future__ import annotations

import pytest

from orbit_voice.kit.errors import LocalProtocolError
from orbit_voice.sip.message import Headers, Request, Response
from orbit_voice.sip.related_requests import make_cancel, make_failure_ack
from orbit_voice.sip.transactions import client_key, server_key


@pytest.fixture
def invite():
    headers = Headers(
        [
            ("Via", "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK77;rport"),
            ("Max-Forwards", "70"),
            ("Route", "<sip:p1.test;lr>"),
            ("Route", "<sip:p2.test;lr>"),
            ("From", '"A" <sip:a@a.test>;tag=fa'),
            ("To", "<sip:b@b.test>"),
            ("Call-ID", "c1@a.test"),
            ("CSeq", "7 INVITE"),
            ("Contact", "<sip:a@192.0.2.1>"),
            ("Require", "x-special"),
            ("Proxy-Require", "x-special"),
            ("Proxy-Authorization", 'Digest username="a"'),
            ("Content-Type", "application/sdp"),
        ]
    )
    return Request("INVITE", "sip:b@b.test", headers, b"v=0\r\n")


COPIED = ["Via", "Route", "Max-Forwards", "From", "To", "Call-ID", "CSeq"]


def names(request):
    return sorted({name for name, _ in request.headers.items()})


def test_a_cancel_repeats_what_names_the_invite_and_nothing_else(invite):
    cancel = make_cancel(invite)
    assert names(cancel) == sorted(COPIED)
    for name in COPIED[:-1]:
        assert cancel.headers.get_all(name) == invite.headers.get_all(name)
    assert (cancel.method, cancel.uri, cancel.body) == ("CANCEL", invite.uri, b"")
    assert str(cancel.cseq) == "7 CANCEL"


def test_a_cancel_is_matched_to_its_invite(invite):
    assert server_key(make_cancel(invite), "INVITE") == server_key(invite)
    assert client_key(make_cancel(invite)) != client_key(invite)


def test_an_invite_never_sent_cannot_be_cancelled(invite):
    invite.headers.remove("Via")
    with pytest.raises(LocalProtocolError):
        make_cancel(invite)


def test_the_ack_of_a_failure_has_the_invites_via_and_the_responses_to(invite):
    ack = make_failure_ack(invite, Response.to_request(invite, 486, to_tag="tb"))
    assert names(ack) == sorted(COPIED)
    assert ack.headers.get_all("Via") == invite.headers.get_all("Via")
    assert ack.headers.get_all("Route") == invite.headers.get_all("Route")
    assert ack.to_tag == "tb"
    assert str(ack.cseq) == "7 ACK"
    assert server_key(ack) == server_key(invite)


def test_only_the_topmost_via_is_repeated(invite):
    invite.headers.add("Via", "SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK1")
    assert len(make_cancel(invite).vias) == 1
