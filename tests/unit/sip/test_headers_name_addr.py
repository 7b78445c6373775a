from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orbit_voice.sip.grammar import ParseError
from orbit_voice.sip.headers import NameAddr
from orbit_voice.sip.params import MAX_PARAMS, Params
from orbit_voice.sip.uri import AbsoluteUri, SipUri, TelUri


@pytest.mark.parametrize(
    ("text", "display_name", "uri", "tag"),
    [
        (
            '"A. G. Bell" <sip:agb@bell.example.com> ;tag=a48s',
            "A. G. Bell",
            "sip:agb@bell.example.com",
            "a48s",
        ),
        (
            "sip:+12125551212@server.phone2net.com;tag=887s",
            None,
            "sip:+12125551212@server.phone2net.com",
            "887s",
        ),
        (
            "Anonymous <sip:c8oqz84zk7z@privacy.org>;tag=hyh8",
            "Anonymous",
            "sip:c8oqz84zk7z@privacy.org",
            "hyh8",
        ),
        (
            "The Operator <sip:operator@cs.columbia.edu>;tag=287447",
            "The Operator",
            "sip:operator@cs.columbia.edu",
            "287447",
        ),
        ("caller<sip:caller@example.com>;tag=323", "caller", "sip:caller@example.com", "323"),
        ("<sip:bob@h>", None, "sip:bob@h", None),
        (
            r'"J Rosenberg \\\""       <sip:j@h>  ;  tag = 98asjd8',
            'J Rosenberg \\"',
            "sip:j@h",
            "98asjd8",
        ),
        ('"Зоя 😀" <sip:z@h>;tag=1', "Зоя 😀", "sip:z@h", "1"),
        ('"" <sip:z@h>', "", "sip:z@h", None),
        ("sip:h:5070", None, "sip:h:5070", None),
        (
            "<sip:u@[2001:db8::1]:5070;lr;transport=tcp>",
            None,
            "sip:u@[2001:db8::1]:5070;lr;transport=tcp",
            None,
        ),
        ("<tel:+1-201-555-0123>;tag=x", None, "tel:+1-201-555-0123", "x"),
        ("isbn:2983792873", None, "isbn:2983792873", None),
    ],
)
def test_addresses_are_read(text, display_name, uri, tag):
    address = NameAddr.parse(text)
    assert address.display_name == display_name
    assert str(address.uri) == uri
    assert address.tag == tag


def test_the_kind_of_uri_is_told():
    assert isinstance(NameAddr.parse("<sips:a@b>").uri, SipUri)
    assert isinstance(NameAddr.parse("<tel:+12015550123>").uri, TelUri)
    assert isinstance(NameAddr.parse("<http://www.example.com>;tag=3").uri, AbsoluteUri)


def test_parameters_belong_to_the_uri_only_inside_angle_brackets():
    outside = NameAddr.parse("sip:+19725552222@gw1.example.net;unknownparam")
    assert "unknownparam" in outside.params
    assert outside.uri == SipUri("sip", "gw1.example.net", user="+19725552222")
    assert str(outside) == "<sip:+19725552222@gw1.example.net>;unknownparam"
    inside = NameAddr.parse("<sip:+19725552222@gw1.example.net;unknownparam>")
    assert len(inside.params) == 0
    assert isinstance(inside.uri, SipUri)
    assert "unknownparam" in inside.uri.params


def test_a_contact_parameter_may_be_quoted():
    contact = NameAddr.parse('<sip:a@b>;+sip.instance="<urn:uuid:0-1>";Q=0.7;expires=3600')
    assert contact.params["+sip.instance"] == "<urn:uuid:0-1>"
    assert contact.params["q"] == "0.7"
    assert contact.params["EXPIRES"] == "3600"
    assert str(contact) == '<sip:a@b>;+sip.instance="<urn:uuid:0-1>";q=0.7;expires=3600'


def test_a_tag_can_be_added():
    assert str(NameAddr.parse("sip:bob@biloxi.com").with_tag("a6c85cf")) == (
        "<sip:bob@biloxi.com>;tag=a6c85cf"
    )


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "<>",
            "bob",
            "<bob>",
            "<sip:bob@h",
            "sip:bob@h>",
            '"Bob <sip:bob@h>',
            '"Bob" sip:bob@h',
        ),
        *(
            '"Watson, Thomas" < sip:t.watson@example.org >',
            "Watson, Thomas <sip:t.watson@example.org>",
        ),
        *("sip:user@example.com?Route=%3Csip:sip.example.com%3E", "sip:a,b@h", "A. B@ <sip:h>"),
        *("<sip:a@b>;;", "<sip:a@b>;", "<sip:a@b>;tag=", "<sip:a@b>;tag", '<sip:a@b>;tag="x y"'),
        *("<sip:a@b>;tag=1;tag=2", "<sip:a@b>x", "<sip:a@b>;a=b c", "<sip:a@b> <sip:c@d>", "*"),
        *("Bob\x00 <sip:a@b>", '"\x07" <sip:a@b>', '"a"b <sip:a@b>', "Зоя <sip:z@h>"),
    ],
)
def test_a_malformed_address_is_refused(text):
    with pytest.raises(ParseError):
        NameAddr.parse(text)


def test_so_many_parameters_and_no_more():
    many = "".join(f";p{n}" for n in range(MAX_PARAMS))
    assert len(NameAddr.parse(f"<sip:h>{many}").params) == MAX_PARAMS
    with pytest.raises(ParseError):
        NameAddr.parse(f"<sip:h>{many};q")


@settings(deadline=None)
@given(
    display_name=st.none() | st.text(st.characters(codec="utf-8", exclude_characters="\r\n")),
    value=st.none() | st.text(st.characters(codec="utf-8", exclude_characters="\r\n")),
)
def test_any_display_name_and_parameter_come_back_when_parsed(display_name, value):
    address = NameAddr(SipUri("sip", "h", user="bob"), display_name, Params([("x", value)]))
    assert NameAddr.parse(str(address)) == address


def test_parameters_are_read_only_values_without_case():
    params = Params([("Tag", "1"), ("lr", None)])
    assert params == Params([("tag", "1"), ("LR", None)])
    assert hash(params) == hash(Params([("lr", None), ("tag", "1")]))
    assert params.with_param("TAG", "2") == Params([("tag", "2"), ("lr", None)])
    assert params.without("Lr") == Params([("tag", "1")])
    assert params.get("nothing") is None
    assert "lr" in params
    assert 7 not in params
    assert params != {"tag": "1", "lr": None}
    assert repr(params) == "Params([('tag', '1'), ('lr', None)])"
