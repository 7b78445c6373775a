"""Digest authentication as a client (RFC 7616, RFC 8760, RFC 2617)."""

from __future__ import annotations

from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orbit_voice.kit.errors import LocalProtocolError
from orbit_voice.sip.digest import (
    MAX_ANSWERS,
    MAX_CHALLENGES,
    NO_ANSWERS,
    Credentials,
    DigestClient,
    digest_response,
)
from orbit_voice.sip.headers import Authorization
from orbit_voice.sip.message import Headers, Request, Response

SHA256 = 'Digest realm="r.test", qop="auth", algorithm=SHA-256, nonce="n1", opaque="o1"'
MD5 = 'Digest realm="r.test", qop="auth", algorithm=MD5, nonce="n1", opaque="o1"'


class FakeRandomness:
    def __init__(self, *tokens):
        self._tokens = iter(tokens) if tokens else (f"cnonce{i}" for i in count(1))

    def token(self):
        return next(self._tokens)

    def below(self, limit):
        return 0


def client(realm=None, *tokens):
    return DigestClient(Credentials("alice", "secret", realm), FakeRandomness(*tokens))


def challenged(*challenges, status=401, name="WWW-Authenticate"):
    return Response(status, "", Headers([(name, each) for each in challenges]))


def authorized(digest, method="INVITE", uri="sip:b@b.test", name="Authorization"):
    request = Request(method, uri)
    digest.authorize(request)
    return [Authorization.parse(value) for value in request.headers.get_all(name)]


RFC_7616 = {
    "username": "Mufasa",
    "realm": "http-auth@example.org",
    "password": "Circle of Life",
    "nonce": "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
    "method": "GET",
    "uri": "/dir/index.html",
    "qop": "auth",
    "nonce_count": "00000001",
    "cnonce": "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
}


class TestVectors:
    def test_rfc_7616_section_3_9_1_with_md5(self):
        response = digest_response("MD5", **RFC_7616)
        assert response == "8ca523f5e9506fed4657c9700eebdbec"

    def test_rfc_7616_section_3_9_1_with_sha_256(self):
        assert digest_response("SHA-256", **RFC_7616) == (
            "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"
        )

    def test_rfc_2617_section_3_5(self):
        response = digest_response(
            "MD5",
            username="Mufasa",
            realm="testrealm@host.com",
            password="Circle Of Life",
            nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093",
            method="GET",
            uri="/dir/index.html",
            qop="auth",
            nonce_count="00000001",
            cnonce="0a4f113b",
        )
        assert response == "6629fae49393a05397450978507c4ef1"

    def test_without_qop_it_is_computed_as_in_rfc_2069(self):
        # Computed from the formula of RFC 2617 §3.2.2.1 with coreutils md5sum.
        response = digest_response(
            "md5",
            username="alice",
            realm="r.test",
            password="secret",
            nonce="n1",
            method="INVITE",
            uri="sip:b@b.test",
        )
        assert response == LEGACY_RESPONSE

    @pytest.mark.parametrize("algorithm", ["MD5-sess", "SHA-256-sess"])
    def test_a_session_key_depends_on_both_nonces(self, algorithm):
        one = digest_response(algorithm, **RFC_7616)
        assert one != digest_response(algorithm, **{**RFC_7616, "cnonce": "other"})
        assert one != digest_response(algorithm.removesuffix("-sess"), **RFC_7616)

    def test_an_unknown_algorithm_is_our_own_mistake(self):
        with pytest.raises(LocalProtocolError):
            digest_response("SHA-3", **RFC_7616)

    def test_the_whole_exchange_of_rfc_7616_section_3_9_1(self):
        lines = [
            'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=SHA-256, '
            'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", '
            'opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"',
        ]
        lines.append(lines[0].replace("SHA-256", "MD5"))
        digest = DigestClient(
            Credentials("Mufasa", "Circle of Life"), FakeRandomness(RFC_7616["cnonce"])
        )
        assert digest.learn(challenged(*lines))
        (sent,) = authorized(digest, "GET", "/dir/index.html")
        assert dict(sent.params) == {
            "username": "Mufasa",
            "realm": "http-auth@example.org",
            "uri": "/dir/index.html",
            "algorithm": "SHA-256",
            "nonce": "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
            "nc": "00000001",
            "cnonce": "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
            "qop": "auth",
            "response": "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
            "opaque": "FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS",
        }


LEGACY_RESPONSE = "77b9eb32aaff271e4acdbc0363699c80"


class TestChoice:
    @pytest.mark.parametrize("lines", [[SHA256, MD5], [MD5, SHA256]])
    def test_sha_256_is_preferred_whatever_the_order(self, lines):
        digest = client()
        assert digest.learn(challenged(*lines))
        (sent,) = authorized(digest)
        assert sent.params["algorithm"] == "SHA-256"

    def test_an_unknown_algorithm_is_skipped(self):
        digest = client()
        assert digest.learn(challenged(SHA256.replace("SHA-256", "SHA-999"), MD5))
        (sent,) = authorized(digest)
        assert sent.params["algorithm"] == "MD5"

    @pytest.mark.parametrize(
        "line",
        [
            SHA256.replace("SHA-256", "SHA-999"),
            SHA256.replace('qop="auth"', 'qop="auth-int"'),
            SHA256.replace("Digest", "Basic"),
            SHA256.replace('nonce="n1"', 'nonce=""'),
            'Digest realm="r.test", algorithm=MD5-sess, nonce="n1"',
            'Digest realm="r.test',
            "",
        ],
    )
    def test_what_cannot_be_answered_is_not(self, line):
        digest = client()
        assert digest.learn(challenged(line)) is None
        assert authorized(digest) == []

    def test_a_malformed_challenge_does_not_hide_a_good_one(self):
        assert client().learn(challenged('Digest realm="', MD5))

    def test_auth_is_chosen_where_auth_int_is_offered_too(self):
        digest = client()
        digest.learn(challenged(SHA256.replace('"auth"', '"auth-int, auth"')))
        assert authorized(digest)[0].params["qop"] == "auth"

    def test_without_qop_no_cnonce_is_sent(self):
        digest = client()
        digest.learn(challenged('Digest realm="r.test", nonce="n1"'))
        (sent,) = authorized(digest)
        assert set(sent.params) == {"username", "realm", "nonce", "uri", "response"}
        assert sent.params["response"] == LEGACY_RESPONSE

    def test_credentials_of_a_realm_go_to_that_realm_only(self):
        assert client("r.test").learn(challenged(MD5))
        assert client("other.test").learn(challenged(MD5)) is None

    def test_a_proxy_is_answered_in_its_own_field(self):
        digest = client()
        assert digest.learn(challenged(MD5, status=407, name="Proxy-Authenticate"))
        assert authorized(digest) == []
        assert len(authorized(digest, name="Proxy-Authorization")) == 1

    def test_every_realm_of_a_forked_request_is_answered(self):
        digest = client()
        response = challenged(MD5, MD5.replace("r.test", "s.test"))
        response.headers.add("Proxy-Authenticate", MD5.replace("r.test", "p.test"))
        assert digest.learn(response)
        assert [sent.params["realm"] for sent in authorized(digest)] == ["r.test", "s.test"]
        (sent,) = authorized(digest, name="Proxy-Authorization")
        assert sent.params["realm"] == "p.test"


class TestRetries:
    def test_a_refused_realm_is_not_tried_again(self):
        digest = client()
        answers = digest.learn(challenged(MD5))
        assert digest.learn(challenged(MD5.replace("n1", "n2")), answers) is None

    def test_a_stale_nonce_is_replaced_once(self):
        digest = client()
        answers = digest.learn(challenged(MD5))
        answers = digest.learn(challenged(MD5.replace("n1", "n2") + ", stale=TRUE"), answers)
        (sent,) = authorized(digest)
        assert (sent.params["nonce"], sent.params["nc"]) == ("n2", "00000001")
        assert digest.learn(challenged(MD5.replace("n1", "n3") + ", stale=true"), answers) is None

    def test_a_later_request_may_be_challenged_anew(self):
        digest = client()
        assert digest.learn(challenged(MD5))
        assert digest.learn(challenged(MD5.replace("n1", "n2")), NO_ANSWERS)
        assert authorized(digest)[0].params["nonce"] == "n2"

    def test_the_nonce_count_goes_up_with_every_request(self):
        digest = client()
        digest.learn(challenged(MD5))
        assert [authorized(digest)[0].params["nc"] for _ in range(3)] == [
            "00000001",
            "00000002",
            "00000003",
        ]

    def test_the_same_nonce_again_goes_on_counting(self):
        digest = client()
        digest.learn(challenged(MD5))
        authorized(digest)
        digest.learn(challenged(MD5), NO_ANSWERS)
        assert authorized(digest)[0].params["nc"] == "00000002"

    def test_the_session_key_of_a_nonce_stays_while_requests_differ(self):
        digest = client()
        digest.learn(challenged(SHA256.replace("SHA-256", "SHA-256-sess")))
        invite, bye = authorized(digest)[0], authorized(digest, "BYE", "sip:b@c.test")[0]
        assert invite.params["cnonce"] == bye.params["cnonce"]
        assert bye.params["response"] == digest_response(
            "SHA-256-sess",
            username="alice",
            realm="r.test",
            password="secret",
            nonce="n1",
            method="BYE",
            uri="sip:b@c.test",
            qop="auth",
            nonce_count="00000002",
            cnonce="cnonce1",
        )

    def test_a_server_with_ever_new_realms_is_not_followed_for_long(self):
        digest, answers = client(), NO_ANSWERS
        for number in range(MAX_ANSWERS):
            answers = digest.learn(challenged(MD5.replace("r.test", f"r{number}")), answers)
        assert digest.learn(challenged(MD5.replace("r.test", "again")), answers) is None

    def test_realms_of_a_long_call_do_not_fill_the_memory(self):
        digest = client()
        for number in range(3 * MAX_CHALLENGES):
            digest.learn(challenged(MD5.replace("r.test", f"r{number}")))
        assert len(authorized(digest)) == MAX_CHALLENGES


class TestInjection:
    def test_quotes_and_backslashes_are_escaped(self):
        digest = DigestClient(Credentials('a"li\\ce', "secret"), FakeRandomness())
        digest.learn(challenged('Digest realm="r\\"x", nonce="n\\\\1", opaque="o\\", qop=\\"x"'))
        (sent,) = authorized(digest, uri='sip:b";x="@b.test')
        assert sent.params["username"] == 'a"li\\ce'
        assert sent.params["realm"] == 'r"x'
        assert sent.params["nonce"] == "n\\1"
        assert sent.params["opaque"] == 'o", qop="x'
        assert sent.params["uri"] == 'sip:b";x="@b.test'
        assert "qop" not in sent.params

    @pytest.mark.parametrize("name", ["a\r\nEvil: 1", "a\n", "a\0", "a\ud800"])
    def test_a_user_name_that_breaks_out_of_its_line_is_refused(self, name):
        with pytest.raises(LocalProtocolError):
            Credentials(name, "secret")

    def test_a_password_is_not_shown(self):
        assert "secret" not in repr(Credentials("alice", "secret"))

    @given(st.text(st.characters(exclude_characters="\r\n\0", exclude_categories=["Cs"])))
    def test_any_other_user_name_comes_back_as_it_was(self, name):
        digest = DigestClient(Credentials(name, "secret"), FakeRandomness())
        digest.learn(challenged(MD5))
        assert authorized(digest)[0].params["username"] == name

    @given(st.lists(st.text(max_size=80).filter(lambda t: "\r" not in t and "\n" not in t)))
    def test_no_challenge_breaks_the_client(self, lines):
        digest = client()
        digest.learn(challenged(*lines))
        authorized(digest)
