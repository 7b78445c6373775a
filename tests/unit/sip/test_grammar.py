from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orbit_voice.kit.errors import RemoteProtocolError
from orbit_voice.sip import grammar
from orbit_voice.sip.grammar import MAX_VALUES, ParseError

NO_LINE_BREAKS = st.text(st.characters(codec="utf-8", exclude_characters="\r\n"))


@pytest.mark.parametrize("text", ["INVITE", "-.!%*_+`'~", "a", "z9hG4bK776"])
def test_tokens_hold_every_character_that_the_rfc_allows(text):
    assert grammar.token.fullmatch(text)


@pytest.mark.parametrize("text", ["", "a b", "a@b", 'a"', "a;b", "a,b", "é", "a\x00", "a/b", "a=b"])
def test_what_holds_a_separator_is_no_token(text):
    assert not grammar.token.fullmatch(text)


@pytest.mark.parametrize(
    "text",
    [
        *("atlanta.com", "a", "a-b.example", "atlanta.com.", "1.example.com", "192.0.2.4"),
        *("[2001:db8::9:1]", "[::1]", "[::ffff:192.0.2.10]", "3f2a9c0b1d2e", "media_1"),
    ],
)
def test_hosts_are_names_ipv4_addresses_and_ipv6_references(text):
    assert grammar.check_host(text) == text


@pytest.mark.parametrize(
    "text",
    [
        *("", ".", "a..b", "-a.com", "a-.com", "a b", "2001:db8::1", "[2001:db8::1", "[]"),
        *("[1:2:3]", "[::1::2]", "[12345::]", "é.example", "a.com:5060", "[fe80::1%eth0]"),
    ],
)
def test_anything_else_is_no_host(text):
    with pytest.raises(ParseError):
        grammar.check_host(text)


def test_numbers_may_have_leading_zeros_but_no_sign():
    def read(text: str) -> int:
        return grammar.parse_number(text, "it", maximum=255, section="RFC 3261 §20.22")

    assert read("0068") == 68
    assert read("255") == 255
    assert read("0" * 8000) == 0
    for text in ("256", "-1", "+1", "", " 1", "1 ", "٣", "1" * 8000, "1_0"):
        with pytest.raises(ParseError) as caught:
            read(text)
        assert caught.value.section == "RFC 3261 §20.22"


def test_a_parse_error_blames_the_peer_and_says_what_to_answer():
    error = ParseError("a Via is malformed")
    assert isinstance(error, RemoteProtocolError)
    assert (error.status_hint, error.section) == (400, "RFC 3261 §25.1")
    assert error.request is None
    assert not error.connection_must_close


@settings(deadline=None)
@given(NO_LINE_BREAKS)
def test_quoting_then_unquoting_gives_back_any_text(text):
    quoted = grammar.quote(text)
    assert grammar.quoted_string.fullmatch(quoted)
    assert grammar.unquote(quoted) == text


def test_a_quoted_pair_may_escape_any_ascii_character():
    assert grammar.unquote(r'"\"\\\a\x"') == r'"\ax'
    assert grammar.quote('\x00 "a\\') == '"\\\x00 \\"a\\\\"'


@pytest.mark.parametrize("text", ['"', '"a', '"a\\"', '"\\', '"\x07"', '"a" '])
def test_an_unfinished_or_unescaped_quoted_string_is_none(text):
    assert not grammar.quoted_string.fullmatch(text)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a", ["a"]),
        ("a , b,\tc", ["a", "b", "c"]),
        ("a,,b,", ["a", "", "b", ""]),
        ('"Smith, J" <sip:a,b@c>, <sip:d>', ['"Smith, J" <sip:a,b@c>', "<sip:d>"]),
        (r'"a\",b", c', [r'"a\",b"', "c"]),
        ('x;y="1,2";z, w', ['x;y="1,2";z', "w"]),
        ("", [""]),
    ],
)
def test_values_are_split_at_commas_outside_quotes_and_brackets(text, parts):
    assert grammar.split_values(text) == parts


@pytest.mark.parametrize("text", ['a, "b', "a, <b", 'a, "b\\"'])
def test_commas_after_an_open_quote_or_bracket_cannot_be_told(text):
    with pytest.raises(ParseError):
        grammar.split_values(text)


@pytest.mark.parametrize("value", ["a", "<sip:a>", '"a"'])
def test_a_line_may_hold_so_many_values_and_no_more(value):
    assert len(grammar.split_values(",".join([value] * MAX_VALUES))) == MAX_VALUES
    with pytest.raises(ParseError) as caught:
        grammar.split_values(",".join([value] * (MAX_VALUES + 1)))
    assert caught.value.status_hint == 513


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("f81d4fae-7dec-11d0-a765-00a0c91e6bf6@foo.bar.com", True),
        ("intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{", True),
        ("a", True),
        ("a@", False),
        ("a@b@c", False),
        ("a b", False),
        ("", False),
        ("a;b", False),
    ],
)
def test_a_call_id_is_one_word_or_two_with_an_at_sign(text, matches):
    assert bool(grammar.call_id.fullmatch(text)) is matches
