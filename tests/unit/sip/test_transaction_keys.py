"""Which transaction a message belongs to (RFC 3261 §17.1.3, §17.2.3)."""

from __future__ import annotations

import pytest

from orbit_voice.sip.headers import NameAddr
from orbit_voice.sip.message import Headers, Request, Response
from orbit_voice.sip.transactions import cancelled_key, client_key, merge_key, server_key

MODERN = "SIP/2.0/UDP pbx.example.com:5070;branch=z9hG4bKab1"
OLD = "SIP/2.0/UDP pbx.example.com:5070"


def request(method="INVITE", via=MODERN, cseq=1, to_tag=None, call_id="c1", uri="sip:b@b.test"):
    to = NameAddr.parse("<sip:b@b.test>")
    headers = Headers(
        [
            ("Via", via),
            ("From", "<sip:a@a.test>;tag=fa"),
            ("To", str(to if to_tag is None else to.with_tag(to_tag))),
            ("Call-ID", call_id),
            ("CSeq", f"{cseq} {method}"),
        ]
    )
    return Request(method, uri, headers)


@pytest.mark.parametrize("via", [MODERN, OLD])
class TestBothKindsOfPeer:
    def test_a_repeated_invite_has_the_key_of_the_first(self, via):
        assert server_key(request(via=via)) == server_key(request(via=via))

    def test_the_ack_of_a_failure_has_the_key_of_its_invite(self, via):
        ack = request("ACK", via=via, to_tag="tb")
        assert server_key(ack) == server_key(request(via=via))

    def test_a_cancel_has_a_key_of_its_own_and_knows_that_of_its_invite(self, via):
        cancel = request("CANCEL", via=via)
        assert server_key(cancel) != server_key(request(via=via))
        assert cancelled_key(cancel) == server_key(request(via=via))

    def test_another_host_or_port_is_another_client(self, via):
        for host in ("pbx.example.com", "pbx.example.com:5071", "other.example.com:5070"):
            other = via.replace("pbx.example.com:5070", host)
            assert server_key(request(via=other)) != server_key(request(via=via))

    def test_the_case_of_the_host_does_not_matter(self, via):
        assert server_key(request(via=via.replace("pbx", "PBX"))) == server_key(request(via=via))


def test_the_branch_alone_tells_requests_of_one_modern_client_apart():
    assert server_key(request()) == server_key(request(cseq=2, call_id="c2", uri="sip:x@x.test"))
    assert server_key(request()) != server_key(request(via=MODERN.replace("ab1", "ab2")))


def test_the_case_of_the_magic_cookie_does_not_matter():
    via = MODERN.replace("z9hG4bK", "Z9HG4BK")
    assert server_key(request(via=via)) == server_key(request(via=via, cseq=2))


@pytest.mark.parametrize(
    "change", [{"cseq": 2}, {"call_id": "c2"}, {"uri": "sip:x@x.test"}, {"via": OLD + ";branch=1"}]
)
def test_an_old_clients_requests_are_told_apart_by_everything_but_the_to_tag(change):
    assert server_key(request(via=OLD)) != server_key(request(**{"via": OLD, **change}))
    assert server_key(request(via=OLD)) == server_key(request(via=OLD, to_tag="x"))


def test_a_response_has_the_key_of_its_request():
    invite, cancel = request(), request("CANCEL")
    assert client_key(Response.to_request(invite, 180)) == client_key(invite)
    assert client_key(Response.to_request(cancel, 200)) == client_key(cancel)
    assert client_key(invite) != client_key(cancel)


def test_copies_of_one_request_by_two_ways_share_a_merge_key_only():
    one, other = request(), request(via=MODERN.replace("ab1", "ab2"))
    assert merge_key(one) == merge_key(other)
    assert server_key(one) != server_key(other)


def test_a_request_within_a_dialog_has_no_merge_key():
    assert merge_key(request(to_tag="tb")) is None


def test_a_retry_with_credentials_is_no_copy_of_the_request_before_it():
    assert merge_key(request(cseq=1)) != merge_key(request(cseq=2))
