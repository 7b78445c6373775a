from __future__ import annotations

import pytest

from orbit_voice.sip.grammar import ParseError
from orbit_voice.sip.headers import Via


def test_the_example_of_the_rfc_is_read():
    via = Via.parse(
        "SIP/2.0/UDP erlang.bell-telephone.com:5061;branch=z9hG4bK87asdks7;received=192.0.2.207"
    )
    assert via.transport == "UDP"
    assert via.host == "erlang.bell-telephone.com"
    assert via.port == 5061
    assert via.branch == "z9hG4bK87asdks7"
    assert via.received == "192.0.2.207"
    assert via.sent_by == "erlang.bell-telephone.com:5061"
    assert via.protocol == "SIP/2.0"


def test_white_space_may_stand_around_every_separator():
    via = Via.parse(
        "SIP / 2.0 / UDP first.example.com: 4000;ttl=16 ;maddr=224.2.0.1 ;branch = z9hG4bKa7c6"
    )
    assert (via.host, via.port, via.maddr) == ("first.example.com", 4000, "224.2.0.1")
    assert via.branch == "z9hG4bKa7c6"
    assert str(via) == (
        "SIP/2.0/UDP first.example.com:4000;ttl=16;maddr=224.2.0.1;branch=z9hG4bKa7c6"
    )


def test_a_via_of_an_old_peer_has_no_branch():
    via = Via.parse("SIP/2.0/UDP iftgw.example.com")
    assert via.branch is None
    assert via.port is None
    assert via.received is None
    assert not via.wants_rport


@pytest.mark.parametrize("transport", ["UDP", "TCP", "TLS", "SCTP", "WSS", "UNKNOWN", "udp"])
def test_the_transport_may_be_any_token_and_is_kept_as_written(transport):
    assert Via.parse(f"SIP/2.0/{transport} a;branch=z9hG4bK1").transport == transport


@pytest.mark.parametrize("received", ["2001:db8::9:255", "[2001:db8::9:255]"])
def test_ipv6_stands_in_brackets_in_sent_by_and_with_or_without_them_in_received(received):
    text = f"SIP/2.0/UDP [2001:db8::9:1]:6050;received={received};branch=z9hG4bKas3-111"
    via = Via.parse(text)
    assert (via.host, via.port) == ("[2001:db8::9:1]", 6050)
    assert via.received == "2001:db8::9:255"
    assert str(via) == text


def test_rport_may_have_a_value_or_none():
    assert Via.parse("SIP/2.0/UDP a;rport;branch=z9hG4bK1").wants_rport
    assert Via.parse("SIP/2.0/UDP a;rport;branch=z9hG4bK1").rport is None
    assert Via.parse("SIP/2.0/UDP a;rport=9988;branch=z9hG4bK1").rport == 9988


def test_the_source_is_noted_as_rfc_3581_has_it():
    via = Via.parse("SIP/2.0/UDP 10.1.1.1:4540;rport;branch=z9hG4bKkjshdyff")
    assert str(via.with_source("192.0.2.1", 9988)) == (
        "SIP/2.0/UDP 10.1.1.1:4540;rport=9988;branch=z9hG4bKkjshdyff;received=192.0.2.1"
    )


def test_received_is_added_for_rport_even_when_sent_by_is_right():
    via = Via.parse("SIP/2.0/UDP 192.0.2.1;rport;branch=z9hG4bK1").with_source("192.0.2.1", 5060)
    assert (via.received, via.rport) == ("192.0.2.1", 5060)


def test_a_sent_by_that_is_the_source_is_left_alone():
    text = "SIP/2.0/UDP 192.0.2.1:5070;branch=z9hG4bK1"
    assert str(Via.parse(text).with_source("192.0.2.1", 6000)) == text
    text = "SIP/2.0/UDP [2001:DB8::1];branch=z9hG4bK1"
    assert str(Via.parse(text).with_source("2001:db8::1", 6000)) == text


def test_a_source_that_the_sender_made_up_is_replaced():
    via = Via.parse("SIP/2.0/UDP 192.0.2.1;received=203.0.113.9;rport=1;branch=z9hG4bK1")
    noted = via.with_source("192.0.2.7", 5060)
    assert (noted.received, noted.rport) == ("192.0.2.7", 5060)
    honest = Via.parse("SIP/2.0/UDP 192.0.2.1;received=203.0.113.9;branch=z9hG4bK1")
    assert honest.with_source("192.0.2.1", 5060).received is None


@pytest.mark.parametrize(
    "text",
    [
        *("", "SIP/2.0/UDP", "SIP/2.0/UDP ", "SIP/2.0 UDP a", "SIP/2.0/UDPa", "SIP/2.0/UDP a b"),
        *("SIP/2.0/UDP a;", "SIP/2.0/UDP a;;branch=b", "SIP/2.0/UDP a;branch=", "SIP/2.0/UDP ;a"),
        *("SIP/2.0/UDP a;branch", 'SIP/2.0/UDP a;branch="x y"', "SIP/2.0/UDP a;branch=b;Branch=c"),
        *(
            "SIP/2.0/UDP a:",
            "SIP/2.0/UDP a:70000",
            "SIP/2.0/UDP a:5060x",
            "SIP/2.0/UDP 2001:db8::1",
        ),
        *(
            "SIP/2.0/UDP [::1",
            "SIP/2.0/UDP [1:2]",
            "SIP/2.0/UDP a;rport=x",
            "SIP/2.0/UDP a;rport=65536",
        ),
    ],
)
def test_a_malformed_via_is_refused(text):
    with pytest.raises(ParseError):
        Via.parse(text)


def test_sent_by_is_compared_without_case():
    assert Via.parse("SIP/2.0/UDP Host.Example.COM:5060").sent_by == "host.example.com:5060"
