"""The simulated carrier asks for credentials as the standards say."""

from __future__ import annotations

from random import Random

import pytest

from orbit_voice.sip.headers.authentication import Authorization, Challenge
from orbit_voice.sip.message import Request
from orbit_voice.sip.params import Params
from orbit_voice.testing.digest_guard import MAX_NONCES, DigestGuard, digest_response

URI = "sip:+15551234@127.0.0.1"
RFC_7616 = {
    "username": "Mufasa",
    "realm": "http-auth@example.org",
    "uri": "/dir/index.html",
    "nonce": "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
    "nc": "00000001",
    "cnonce": "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
    "qop": "auth",
}


@pytest.mark.parametrize(
    ("algorithm", "response"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_the_vectors_of_rfc_7616_come_out(algorithm, response):
    assert digest_response(RFC_7616, "Circle of Life", "GET", algorithm) == response


def make_guard(**changes) -> DigestGuard:
    return DigestGuard({"alice": "secret"}, random=Random(1), **changes)


def demand_of(guard: DigestGuard) -> tuple[int, list[Challenge]]:
    demand = guard.check(Request("INVITE", URI))
    assert demand is not None
    return demand.status, [Challenge.parse(value) for _, value in demand.headers]


def authorize(challenge: Challenge, count: int = 1, **changes: str) -> Request:
    """Answer a challenge; ``changes`` spoil it."""
    fields = {
        "username": "alice",
        "realm": challenge.realm,
        "nonce": challenge.nonce,
        "uri": URI,
        "algorithm": challenge.algorithm,
    }
    if challenge.qop:
        fields |= {"qop": "auth", "nc": f"{count:08x}", "cnonce": "0a4f113b"}
    password = changes.pop("password", "secret")
    fields |= changes
    fields["response"] = digest_response(fields, password, "INVITE", challenge.algorithm)
    request = Request("INVITE", URI)
    request.headers.add(
        changes.get("header", "Authorization"), str(Authorization("Digest", Params(fields.items())))
    )
    return request


@pytest.mark.parametrize("algorithm", ["MD5", "MD5-sess", "SHA-256", "SHA-256-sess", "SHA-512-256"])
def test_good_credentials_pass(algorithm):
    guard = make_guard(algorithms=(algorithm,))
    status, (challenge,) = demand_of(guard)
    assert (status, challenge.algorithm, challenge.qop) == (401, algorithm, ("auth",))
    assert guard.check(authorize(challenge)) is None
    assert (guard.counts.challenged, guard.counts.accepted) == (1, 1)


def test_each_algorithm_has_a_challenge_of_its_own_best_first():
    _, challenges = demand_of(make_guard())
    assert [challenge.algorithm for challenge in challenges] == ["SHA-256", "MD5"]
    assert len({challenge.nonce for challenge in challenges}) == 1


def test_a_proxy_asks_with_407_and_looks_at_its_own_header():
    guard = make_guard(proxy=True, algorithms=("MD5",))
    status, (challenge,) = demand_of(guard)
    assert status == 407
    request = authorize(challenge)
    assert guard.check(request) is not None
    request.headers.add("Proxy-Authorization", request.headers.get("Authorization"))
    assert guard.check(request) is None


def test_without_qop_the_old_form_passes():
    guard = make_guard(qop=False, algorithms=("MD5",))
    _, (challenge,) = demand_of(guard)
    assert challenge.qop == ()
    assert guard.check(authorize(challenge)) is None
    assert guard.check(authorize(challenge)) is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"password": "guess"},
        {"username": "mallory"},
        {"uri": "sip:+15559999@127.0.0.1"},
        {"algorithm": "SHA-1"},
        {"qop": "auth-int"},
    ],
)
def test_wrong_credentials_are_refused_and_not_called_stale(wrong):
    guard = make_guard(algorithms=("MD5",))
    _, (challenge,) = demand_of(guard)
    demand = guard.check(authorize(challenge, **wrong))
    assert demand is not None
    assert not Challenge.parse(demand.headers[0][1]).is_stale
    assert guard.counts.refused == 1


@pytest.mark.parametrize("spoilt", ["Digest", "Basic abc", "Digest username=", ""])
def test_unreadable_or_foreign_credentials_are_as_none(spoilt):
    guard = make_guard()
    request = Request("INVITE", URI)
    request.headers.add("Authorization", spoilt)
    assert guard.check(request) is not None
    assert guard.counts.challenged == 1


def test_credentials_of_another_realm_are_as_none():
    guard = make_guard(algorithms=("MD5",))
    _, (challenge,) = demand_of(guard)
    assert guard.check(authorize(challenge, realm="elsewhere")) is not None
    assert guard.counts.challenged == 2


def test_replayed_credentials_are_stale():
    guard = make_guard(algorithms=("MD5",))
    _, (challenge,) = demand_of(guard)
    assert guard.check(authorize(challenge, count=2)) is None
    demand = guard.check(authorize(challenge, count=2))
    assert demand is not None
    assert Challenge.parse(demand.headers[0][1]).is_stale
    assert guard.check(authorize(challenge, count=3)) is None


def test_a_nonce_of_our_own_making_is_stale():
    guard = make_guard(algorithms=("MD5",))
    _, (challenge,) = demand_of(guard)
    assert guard.check(authorize(challenge, nonce="forged")) is not None
    assert guard.counts.stale == 1


def test_a_nonce_that_is_used_up_is_stale_and_the_new_one_works():
    guard = make_guard(algorithms=("MD5",), uses_per_nonce=1)
    _, (challenge,) = demand_of(guard)
    assert guard.check(authorize(challenge, count=1)) is None
    demand = guard.check(authorize(challenge, count=2))
    assert demand is not None
    renewed = Challenge.parse(demand.headers[0][1])
    assert renewed.is_stale
    assert guard.check(authorize(renewed)) is None


def test_nonces_are_not_remembered_without_end():
    guard = make_guard(algorithms=("MD5",))
    _, (first,) = demand_of(guard)
    for _ in range(MAX_NONCES):
        guard.check(Request("INVITE", URI))
    assert guard.check(authorize(first)) is not None
    assert guard.counts.stale == 1
