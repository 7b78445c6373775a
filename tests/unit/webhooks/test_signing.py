from __future__ import annotations

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orbit_voice.webhooks.signing import event_headers, sign, verify

BODY = b'{"id":"evt_1"}'
AT = 1_700_000_000


def test_a_signature_is_hmac_sha256_over_time_dot_body() -> None:
    expected = hmac.new(b"whsec_abc", b"1700000000." + BODY, hashlib.sha256).hexdigest()
    assert sign(BODY, ["whsec_abc"], at=AT) == f"t=1700000000,v1={expected}"


def test_while_a_secret_is_replaced_both_verify() -> None:
    header = sign(BODY, ["whsec_new", "whsec_old"], at=AT)
    assert header.count("v1=") == 2
    assert verify(header, BODY, "whsec_new", now=AT)
    assert verify(header, BODY, "whsec_old", now=AT)
    assert not verify(header, BODY, "whsec_other", now=AT)


@pytest.mark.parametrize("secrets", [[], ["a", "b", "c"]])
def test_a_webhook_is_signed_with_one_or_two_secrets(secrets: list[str]) -> None:
    with pytest.raises(ValueError, match="1 to 2"):
        sign(BODY, secrets, at=AT)


def test_a_changed_body_or_an_old_signature_does_not_verify() -> None:
    header = sign(BODY, ["s"], at=AT)
    assert verify(header, BODY, "s", now=AT + 300)
    assert not verify(header, BODY, "s", now=AT + 301)
    assert not verify(header, BODY, "s", now=AT - 301)
    assert not verify(header, BODY + b" ", "s", now=AT)


@given(st.text(max_size=200))
def test_no_header_breaks_verification(header: str) -> None:
    assert not verify(header, BODY, "s", now=AT)


def test_an_attempt_has_the_contracts_headers() -> None:
    headers = event_headers(
        event_id="evt_1",
        event_type="call.ringing",
        delivery_id="dlv_1",
        body=BODY,
        secrets=["s"],
        at=AT,
    )
    assert headers == {
        "Content-Type": "application/json",
        "User-Agent": "Devotel-Webhooks/1.0",
        "X-Devotel-Signature": sign(BODY, ["s"], at=AT),
        "X-Devotel-Event-Id": "evt_1",
        "X-Devotel-Event-Type": "call.ringing",
        "X-Devotel-Delivery-Id": "dlv_1",
    }
