from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orbit_voice.sip.grammar import ParseError
from orbit_voice.sip.params import MAX_PARAMS, Params
from orbit_voice.sip.uri import AbsoluteUri, SipUri, TelUri, parse_uri, uri_scheme

EXAMPLES = [
    "sip:alice@atlanta.com",
    "sip:alice:secretword@atlanta.com;transport=tcp",
    "sips:alice@atlanta.com?subject=project%20x&priority=urgent",
    "sip:+1-212-555-1212:1234@gateway.com;user=phone",
    "sips:1212@gateway.com",
    "sip:alice@192.0.2.4",
    "sip:atlanta.com;method=REGISTER?to=alice%40atlanta.com",
    "sip:alice;day=tuesday@atlanta.com",
]
"""RFC 3261 §19.1.3."""


@pytest.mark.parametrize("text", EXAMPLES)
def test_the_examples_of_the_rfc_are_read_and_written_as_they_are(text):
    assert str(SipUri.parse(text)) == text


def test_every_part_of_a_uri_is_found():
    uri = SipUri.parse(
        "sips:bob;x=1:p%40ss@biloxi.example.com:5071;transport=TCP;lr?Subject=a%20b&P="
    )
    assert uri.scheme == "sips"
    assert uri.user == "bob;x=1"
    assert uri.password == "p@ss"
    assert uri.host == "biloxi.example.com"
    assert uri.port == 5071
    assert uri.params == Params([("transport", "TCP"), ("lr", None)])
    assert uri.headers == (("Subject", "a b"), ("P", ""))
    assert uri.transport == "tcp"
    assert uri.is_loose_router
    assert uri.host_port == "biloxi.example.com:5071"


@pytest.mark.parametrize("port", [0, 1, 5060, 5061, 5070, 65_535])
def test_a_port_is_kept_whatever_it_is(port):
    uri = SipUri.parse(f"sip:trunk.example.com:{port}")
    assert uri.port == port
    assert str(uri) == f"sip:trunk.example.com:{port}"
    assert str(replace(uri, user="bob")) == f"sip:bob@trunk.example.com:{port}"


def test_a_uri_without_port_has_none():
    assert SipUri.parse("sip:bob@biloxi.com").port is None


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("sip:[2001:db8::10]", "[2001:db8::10]", None),
        ("sip:user@[2001:db8::10]:5070;transport=udp", "[2001:db8::10]", 5070),
        ("sip:user@[2001:db8::192.0.2.1]", "[2001:db8::192.0.2.1]", None),
    ],
)
def test_ipv6_references_keep_their_brackets(text, host, port):
    uri = SipUri.parse(text)
    assert (uri.host, uri.port, str(uri)) == (host, port, text)


def test_escapes_are_undone_once_and_only_once():
    uri = SipUri.parse("sip:sips%3Auser%40example.com@example.net;n%61me=v%61lue%25%34%31;%6C%72")
    assert uri.user == "sips:user@example.com"
    assert uri.params["name"] == "value%41"
    assert uri.is_loose_router
    assert str(replace(uri, port=5062)) == (
        "sip:sips%3Auser%40example.com@example.net:5062;name=value%2541;lr"
    )


def test_a_parsed_uri_is_written_as_it_came_and_a_changed_one_with_the_escapes_it_needs():
    uri = SipUri.parse("SIP:%61lice%3Bx@Example.COM;Transport=UDP")
    assert str(uri) == "SIP:%61lice%3Bx@Example.COM;Transport=UDP"
    assert str(replace(uri, host="h")) == "sip:alice;x@h;transport=UDP"


def test_a_nul_in_the_user_does_not_end_it():
    assert SipUri.parse("sip:null-%00-null@example.com").user == "null-\x00-null"
    assert str(SipUri("sip", "example.com", user="\x00\x00")) == "sip:%00%00@example.com"


def test_characters_outside_ascii_are_escaped_as_utf8():
    assert str(SipUri("sip", "h", user="zoë@x")) == "sip:zo%C3%AB%40x@h"
    assert SipUri.parse("sip:zo%C3%AB@h").user == "zoë"


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "sip:",
            "sip",
            "bob@biloxi.com",
            "sip:@biloxi.com",
            "sip:bob@",
            "sip:bob@@biloxi.com",
        ),
        *("sip:bob@biloxi.com:", "sip:bob@biloxi.com:x", "sip:bob@biloxi.com:65536"),
        *("sip:bob@biloxi.com;", "sip:bob@biloxi.com;=x", "sip:bob@biloxi.com;a=", "sip:h;a=1;A=2"),
        *("sip:bob@biloxi.com?", "sip:bob@biloxi.com?a", "sip:bob@biloxi.com?a=1&", "sip:h?=1"),
        *("sip:bob%4@biloxi.com", "sip:bob%zz@biloxi.com", "sip:%@h", "sip:h;a=%", "sip:h?a=%1"),
        *("sip:bob @biloxi.com", " sip:bob@biloxi.com", "sip:bob@biloxi.com ", "sip:bob@biloxi\n"),
        *("sip:user@2001:db8::10", "sip:user@[2001:db8::10", "sip:[::1]x", "<sip:bob@biloxi.com>"),
        *("sip:bob@bil<oxi", 'sip:"bob"@biloxi.com', "sip:bob@-x", "sip:zoë@h", "http:bob@biloxi"),
    ],
)
def test_a_malformed_sip_uri_is_refused(text):
    with pytest.raises(ParseError):
        SipUri.parse(text)


def test_so_many_parameters_and_no_more():
    many = "".join(f";p{n}" for n in range(MAX_PARAMS))
    assert len(SipUri.parse(f"sip:h{many}").params) == MAX_PARAMS
    with pytest.raises(ParseError):
        SipUri.parse(f"sip:h{many};q")
    with pytest.raises(ParseError):
        SipUri.parse("sip:h?" + "&".join(f"h{n}=1" for n in range(MAX_PARAMS + 1)))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com;security=on"),
        (
            "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
            "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
        ),
        (
            "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
            "sip:alice@atlanta.com?priority=urgent&subject=project%20x",
        ),
        ("sip:a%3bb@h", "sip:a%3Bb@h"),
    ],
)
def test_equivalent_uris_are_equal(one, other):
    assert SipUri.parse(one) == SipUri.parse(other)
    assert hash(SipUri.parse(one)) == hash(SipUri.parse(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"),
        ("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"),
        ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off"),
        ("sip:bob@biloxi.com", "sips:bob@biloxi.com"),
        ("sip:bob@biloxi.com", "sip:biloxi.com"),
        ("sip:bob@biloxi.com", "sip:bob:@biloxi.com"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com;user=phone"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com;ttl=15"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com;method=INVITE"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com;maddr=192.0.2.1"),
        ("sip:a;b@h", "sip:a%3Bb@h"),
    ],
)
def test_uris_that_may_lead_elsewhere_are_not_equal(one, other):
    assert SipUri.parse(one) != SipUri.parse(other)


def test_a_built_uri_equals_the_same_uri_parsed():
    built = SipUri("sip", "Example.com", 5070, "+1 555", params=Params([("lr", None)]))
    assert str(built) == "sip:+1%20555@Example.com:5070;lr"
    assert SipUri.parse(str(built)) == built
    assert built != "sip:+1%20555@Example.com:5070;lr"


def test_a_tel_uri_keeps_its_separators_and_knows_its_digits():
    uri = TelUri.parse("tel:+1-201-555-0123;ext=42")
    assert uri.number == "+1-201-555-0123"
    assert uri.digits == "+12015550123"
    assert uri.params["ext"] == "42"
    assert str(uri) == "tel:+1-201-555-0123;ext=42"
    local = TelUri.parse("tel:7042;phone-context=example.com")
    assert (local.digits, local.params["phone-context"]) == ("7042", "example.com")


@pytest.mark.parametrize(
    "text", ["tel:", "tel:+", "tel:7042", "tel:+1 2", "tel:bob", "tel:+1;", "tel:-"]
)
def test_a_malformed_tel_uri_is_refused(text):
    with pytest.raises(ParseError):
        parse_uri(text)


def test_the_scheme_decides_what_a_uri_is():
    assert isinstance(parse_uri("SIPS:bob@biloxi.com"), SipUri)
    assert isinstance(parse_uri("Tel:+12015550123"), TelUri)
    assert parse_uri("soap.beep://192.0.2.103:3002") == AbsoluteUri(
        "soap.beep", "//192.0.2.103:3002"
    )
    assert str(parse_uri("isbn:2983792873")) == "isbn:2983792873"
    assert uri_scheme("SOAP.beep://192.0.2.103") == "soap.beep"
    assert uri_scheme("+1:2") is None


@pytest.mark.parametrize("text", ["", "bob", "1a:b", "http:", "http://a b", "x:%1", "x:<y>", ":x"])
def test_what_is_no_uri_is_refused(text):
    with pytest.raises(ParseError):
        parse_uri(text)


@settings(deadline=None)
@given(
    user=st.none() | st.text(min_size=1),
    password=st.none() | st.text(),
    port=st.none() | st.integers(0, 65_535),
    params=st.dictionaries(
        st.text(min_size=1).filter(lambda t: t.lower().lower() == t.lower()),
        st.none() | st.text(min_size=1),
        max_size=4,
    ),
    headers=st.lists(st.tuples(st.text(min_size=1), st.text()), max_size=3),
)
def test_whatever_a_uri_is_built_of_comes_back_when_it_is_parsed(
    user, password, port, params, headers
):
    unique = {name.lower(): value for name, value in params.items()}
    uri = SipUri(
        "sip",
        "example.com",
        port,
        user,
        password if user is not None else None,
        Params(unique.items()),
        tuple(headers),
    )
    parsed = SipUri.parse(str(uri))
    assert parsed == uri
    assert (parsed.user, parsed.password, parsed.port) == (uri.user, uri.password, uri.port)
    assert parsed.params == uri.params
    assert parsed.headers == uri.headers
    assert str(parsed) == str(uri)


@settings(deadline=None)
@given(st.text() | st.text("sip:@;=?&%[]0aA.-").map(lambda text: f"sip:{text}"))
def test_any_text_is_a_uri_or_a_parse_error_and_writing_changes_nothing(text):
    try:
        uri = parse_uri(text)
    except ParseError:
        return
    assert parse_uri(str(uri)) == uri
    hash(uri)
