from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orbit_voice.sip.grammar import ParseError
from orbit_voice.sip.headers import Authorization, Challenge
from orbit_voice.sip.params import MAX_PARAMS, Params


def test_the_challenge_of_the_rfc_is_read():
    challenge = Challenge.parse(
        'Digest realm="atlanta.com", domain="sip:boxesbybob.com", qop="auth",'
        ' nonce="f84f1cec41e6cbe5aea9c8e88d359", opaque="", stale=FALSE, algorithm=MD5'
    )
    assert challenge.is_digest
    assert challenge.realm == "atlanta.com"
    assert challenge.nonce == "f84f1cec41e6cbe5aea9c8e88d359"
    assert challenge.opaque == ""
    assert challenge.algorithm == "MD5"
    assert challenge.qop == ("auth",)
    assert not challenge.is_stale
    assert challenge.params["domain"] == "sip:boxesbybob.com"
    assert str(challenge) == (
        'Digest realm="atlanta.com", domain="sip:boxesbybob.com", qop="auth", '
        'nonce="f84f1cec41e6cbe5aea9c8e88d359", opaque="", stale=FALSE, algorithm=MD5'
    )


def test_what_a_challenge_leaves_out_has_its_default():
    challenge = Challenge.parse('digest realm="a \\"b\\"",nonce="1",stale=true')
    assert challenge.realm == 'a "b"'
    assert challenge.algorithm == "MD5"
    assert challenge.qop == ()
    assert challenge.opaque is None
    assert challenge.is_stale
    assert Challenge.parse("Digest realm=x").nonce == ""


def test_the_qualities_of_protection_are_a_list():
    challenge = Challenge.parse(
        'Digest realm="r", nonce="n", qop="auth-int, AUTH", algorithm=SHA-256'
    )
    assert challenge.qop == ("auth-int", "auth")
    assert challenge.algorithm == "SHA-256"


def test_the_credentials_of_the_rfc_are_read_and_quoted_as_it_has_them():
    text = (
        'Digest username="bob", realm="biloxi.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", '
        'uri="sip:bob@biloxi.com", qop=auth, nc=00000001, cnonce="0a4f113b", '
        'response="6629fae49393a05397450978507c4ef1", opaque="5ccc069c403ebaf9f0171e9517f40e41"'
    )
    credentials = Authorization.parse(text)
    assert credentials.is_digest
    assert credentials.params["username"] == "bob"
    assert credentials.nonce_count == 1
    assert str(credentials) == text


def test_an_unknown_scheme_is_well_formed():
    credentials = Authorization.parse("NoOneKnowsThisScheme opaque-data=here")
    assert not credentials.is_digest
    assert credentials.params["opaque-data"] == "here"
    assert credentials.nonce_count is None


def test_a_nonce_count_is_eight_hexadecimal_digits():
    assert Authorization.parse("Digest nc=000000fF").nonce_count == 255
    for text in ("1", "0000000g", "000000001"):
        with pytest.raises(ParseError):
            _ = Authorization.parse(f"Digest nc={text}").nonce_count


@pytest.mark.parametrize(
    "text",
    [
        *("", "Digest", "Digest ", "Digest realm", 'Digest realm="x', 'Digest realm="x" nonce="y"'),
        *('Digest realm="x",, ;', "Digest realm=a,realm=b", "Digest =x", "Digest realm=", ", a=b"),
        "Digest " + ",".join(f"a{n}=1" for n in range(MAX_PARAMS + 1)),
    ],
)
def test_malformed_challenges_and_credentials_are_refused(text):
    with pytest.raises(ParseError):
        Challenge.parse(text)
    with pytest.raises(ParseError):
        Authorization.parse(text)


@settings(deadline=None)
@given(st.text(st.characters(codec="utf-8", exclude_characters="\r\n")))
def test_any_text_survives_in_quoted_and_in_other_parameters(text):
    params = Params([("realm", text), ("algorithm", text), ("x", text)])
    assert Challenge.parse(str(Challenge("Digest", params))).params == params
    assert Authorization.parse(str(Authorization("Digest", params))).params == params
