from __future__ import annotations

from datetime import UTC

import pytest

from orbit_voice.signaling.trace import MAX_BYTES, MAX_MESSAGES, SipTrace
from orbit_voice.signaling.transport.interfaces import TransportKind

LOCAL = ("192.0.2.1", 5060)
REMOTE = ("192.0.2.7", 5062)


def record(trace: SipTrace, data: bytes, *, sent: bool = True) -> None:
    trace.record(sent=sent, kind=TransportKind.UDP, local=LOCAL, remote=REMOTE, data=data)


def test_an_entry_says_when_how_and_between_whom_a_message_went() -> None:
    trace = SipTrace()
    record(trace, b"SIP/2.0 200 OK\r\nCSeq: 1 INVITE\r\n\r\n", sent=False)
    (entry,) = trace.entries()
    assert entry.at.tzinfo is UTC
    assert (entry.sent, entry.transport) == (False, "udp")
    assert (entry.local, entry.remote) == ("192.0.2.1:5060", "192.0.2.7:5062")
    assert entry.summary == "SIP/2.0 200 OK"
    assert entry.text == "SIP/2.0 200 OK\r\nCSeq: 1 INVITE\r\n\r\n"


def test_an_ipv6_address_is_written_in_brackets() -> None:
    trace = SipTrace()
    trace.record(
        sent=True,
        kind=TransportKind.TCP,
        local=("::1", 5060),
        remote=("2001:db8::7", 5060),
        data=b"x",
    )
    (entry,) = trace.entries()
    assert (entry.local, entry.remote) == ("[::1]:5060", "[2001:db8::7]:5060")


@pytest.mark.parametrize(
    "header",
    [
        'Authorization: Digest username="bob", response="deadbeef"',
        'Proxy-Authorization: Digest username="bob", response="deadbeef"',
        'AUTHORIZATION :  Digest username="bob",\r\n\tresponse="deadbeef"',
        'proxy-authorization:Digest username="bob",\r\n response="x",\r\n  cnonce="deadbeef"',
    ],
)
def test_credentials_are_blanked_and_nothing_else(header: str) -> None:
    trace = SipTrace()
    record(trace, f"INVITE sip:a SIP/2.0\r\n{header}\r\nCSeq: 1 INVITE\r\n\r\nbody".encode())
    (entry,) = trace.entries()
    assert "deadbeef" not in entry.text
    assert "bob" not in entry.text
    assert entry.text.startswith("INVITE sip:a SIP/2.0\r\n")
    assert entry.text.endswith("[redacted]\r\nCSeq: 1 INVITE\r\n\r\nbody")


def test_media_keys_are_blanked() -> None:
    trace = SipTrace()
    line = (
        b"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz|2^20"
    )
    record(trace, b"INVITE sip:a SIP/2.0\r\n\r\nv=0\r\n" + line + b"\r\na=rtcp-mux\r\n")
    (entry,) = trace.entries()
    assert "WVNfX19" not in entry.text
    assert "inline:[redacted]|2^20\r\na=rtcp-mux" in entry.text


def test_bytes_that_are_not_text_can_still_be_shown() -> None:
    trace = SipTrace()
    record(trace, b"\xff\xfe\x00")
    (entry,) = trace.entries()
    assert entry.text == "\ufffd\ufffd\x00"


def test_a_full_trace_keeps_its_beginning_and_its_end() -> None:
    trace = SipTrace()
    for number in range(MAX_MESSAGES + 50):
        record(trace, str(number).encode())
    texts = [entry.text for entry in trace.entries()]
    half = MAX_MESSAGES // 2
    assert texts[:half] == [str(number) for number in range(half)]
    assert texts[half:] == [str(number) for number in range(half + 50, MAX_MESSAGES + 50)]
    assert trace.omitted == 50


def test_a_trace_never_holds_more_than_its_bytes() -> None:
    trace = SipTrace()
    for _ in range(40):
        record(trace, b"x" * 65_000)
    assert sum(len(entry.text) for entry in trace.entries()) <= MAX_BYTES
    assert trace.omitted + len(trace) == 40
