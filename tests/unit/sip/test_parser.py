from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orbit_voice.sip.grammar import ParseError
from orbit_voice.sip.message import Message, Request, Response
from orbit_voice.sip.parser import (
    MAX_HEADER_LINES,
    MAX_LINE_CHARACTERS,
    MAX_MESSAGE_BYTES,
    MAX_URI_CHARACTERS,
    parse_message,
)
from orbit_voice.sip.validation import check_forwarding, check_request, check_response

VECTORS = Path(__file__).parents[2] / "vectors" / "rfc4475"
REAL = [path.read_bytes() for path in sorted(VECTORS.glob("*.dat"))]

REAL_LINES = [line + b"\r\n" for message in REAL for line in message.split(b"\r\n")]

OPTIONS = (
    b"OPTIONS sip:bob@biloxi.com:5070 SIP/2.0\r\n"
    b"Via: SIP/2.0/UDP pc33.atlanta.com;branch=z9hG4bKhjhs8ass877\r\n"
    b"Max-Forwards: 70\r\n"
    b"To: <sip:bob@biloxi.com>\r\n"
    b"From: Alice <sip:alice@atlanta.com>;tag=1928301774\r\n"
    b"Call-ID: a84b4c76e66710\r\n"
    b"CSeq: 63104 OPTIONS\r\n"
)
PROPERTIES = (
    *("vias", "top_via", "from_", "to", "from_tag", "to_tag", "cseq", "call_id", "contacts"),
    *("record_routes", "routes", "media_type", "content_type", "max_forwards", "expires"),
    *("reasons", "allow", "supported", "require", "accept", "request_uri", "rack"),
    *("authorizations", "proxy_authorizations", "www_authenticate", "proxy_authenticate"),
    "retry_after",
)
TRUSTED = (
    *("top_via", "from_", "to", "from_tag", "to_tag", "cseq", "call_id", "contacts", "supported"),
    *(
        "record_routes",
        "content_type",
        "max_forwards",
        "expires",
        "reasons",
        "allow",
        "request_uri",
    ),
)
"""What check_request vouches for."""


def refuse(data: bytes) -> ParseError:
    with pytest.raises(ParseError) as caught:
        parse_message(data)
    return caught.value


def read_everything(message: Message) -> None:
    """Read every typed property and write what was read; only ParseError may escape."""
    for name in PROPERTIES:
        try:
            value = getattr(message, name, None)
        except ParseError:
            continue
        for each in value if isinstance(value, list) else [value]:
            str(each)
            hash(each)


def test_a_request_is_read():
    request = parse_message(OPTIONS + b"Content-Length: 5\r\n\r\nhello")
    assert isinstance(request, Request)
    assert request.method == "OPTIONS"
    assert request.uri == "sip:bob@biloxi.com:5070"
    assert request.headers.get("Max-Forwards") == "70"
    assert request.body == b"hello"


def test_a_response_is_read():
    response = parse_message(b"SIP/2.0 486 Busy Here\r\nCSeq: 1 INVITE\r\n\r\n")
    assert isinstance(response, Response)
    assert (response.status, response.reason) == (486, "Busy Here")
    assert response.body == b""


@pytest.mark.parametrize(
    ("line", "status", "reason"),
    [
        (b"SIP/2.0 100 ", 100, ""),
        (b"SIP/2.0 100", 100, ""),
        (b"sip/2.0 699 Nope", 699, "Nope"),
        ("SIP/2.0 200 все хорошо".encode(), 200, "все хорошо"),
    ],
)
def test_status_lines_are_read(line, status, reason):
    response = parse_message(line + b"\r\n\r\n")
    assert isinstance(response, Response)
    assert (response.status, response.reason) == (status, reason)


@pytest.mark.parametrize(
    "line",
    [
        *(b"SIP/2.0", b"SIP/2.0 ", b"SIP/2.0 20 OK", b"SIP/2.0 099 OK", b"SIP/2.0 700 OK"),
        *(b"SIP/2.0 2000 OK", b"SIP/2.0 +20 OK", b"SIP/3.0 200 OK", b"SIP/2.0  200 OK"),
        *(b"SIP/2.0 200 \x00", b"SIP/2.0\t200 OK", b"SIP/2.0 4294967301 x"),
    ],
)
def test_a_malformed_status_line_is_refused_and_not_answered(line):
    error = refuse(line + b"\r\nVia: SIP/2.0/UDP a\r\n\r\n")
    assert error.request is None


@pytest.mark.parametrize(
    "line",
    [
        *(b"OPTIONS sip:a@b  SIP/2.0", b"OPTIONS  sip:a@b SIP/2.0", b"OPTIONS sip:a@b SIP/2.0 "),
        *(b"OPTIONS <sip:a@b> SIP/2.0", b"OPTIONS sip:a; lr SIP/2.0", b"OPTIONS sip:a@b"),
        *(
            b"OPTIONS sip:a@b HTTP/1.1",
            b"OPTIONS a SIP/2.0",
            b"OPTIONS sip:a\x00 SIP/2.0",
            b"OPTIONS",
        ),
        *(b"OPTIONS sip: SIP/2.0", b"OPTIONS sip:a@b SIP/2", b"OPTIONS sip:a@b SIP/2.0x"),
    ],
)
def test_a_malformed_request_line_is_refused_and_can_be_answered(line):
    error = refuse(line + b"\r\nVia: SIP/2.0/UDP a\r\nCSeq: 1 OPTIONS\r\n\r\n")
    assert error.status_hint == 400
    assert error.request is not None
    assert error.request.method == "OPTIONS"
    assert error.request.top_via.host == "a"
    assert error.request.cseq.number == 1


@pytest.mark.parametrize("line", [b"", b"\x00", b"(x) sip:a SIP/2.0", b" OPTIONS sip:a SIP/2.0"])
def test_what_is_no_message_cannot_be_answered(line):
    assert refuse(line + b"\r\nVia: SIP/2.0/UDP a\r\n\r\n").request is None


def test_an_ack_is_never_answered():
    assert refuse(b"ACK sip:a@b SIP/2.0 \r\nVia: SIP/2.0/UDP a\r\n\r\n").request is None


def test_a_request_without_via_cannot_be_answered():
    assert refuse(b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n").request is None


@pytest.mark.parametrize("version", [b"SIP/7.0", b"SIP/2.1", b"SIP/1.0"])
def test_another_version_is_refused_with_505(version):
    error = refuse(OPTIONS.replace(b"SIP/2.0\r\n", version + b"\r\n", 1) + b"\r\n")
    assert error.status_hint == 505
    assert error.request is not None


def test_the_version_has_no_case():
    request = parse_message(b"OPTIONS sip:a@b sip/2.0\r\n\r\n")
    assert isinstance(request, Request)
    assert request.serialize().startswith(b"OPTIONS sip:a@b SIP/2.0\r\n")


def test_folded_lines_are_one_line():
    request = parse_message(
        OPTIONS + b"Subject: I know you're there,\r\n \t pick up the phone\r\n\tand talk!\r\n\r\n"
    )
    assert request.headers.get("Subject") == "I know you're there, pick up the phone and talk!"


def test_a_fold_right_after_the_start_line_is_refused():
    assert refuse(b"OPTIONS sip:a@b SIP/2.0\r\n Via: SIP/2.0/UDP a\r\n\r\n").status_hint == 400


def test_white_space_may_stand_before_the_colon_and_a_value_may_be_empty():
    message = parse_message(OPTIONS + b"s \t:\t \r\nX:\r\n\r\n")
    assert message.headers.get("Subject") == ""
    assert message.headers.get("X") == ""


@pytest.mark.parametrize("line", [b"Subject", b": x", b"Sub ject: x", b"S\xc3\xa9: x"])
def test_a_malformed_header_line_is_refused_and_the_rest_is_read(line):
    error = refuse(OPTIONS.replace(b"Max-Forwards: 70", line) + b"\r\n")
    assert error.status_hint == 400
    assert error.request is not None
    assert error.request.call_id == "a84b4c76e66710"


def test_text_that_is_not_utf8_is_read_with_what_cannot_be_told_replaced():
    request = parse_message(OPTIONS.replace(b"Alice", b'"Ren\xe9"') + b"\r\n")
    assert request.from_.display_name == "Ren\ufffd"
    assert request.from_tag == "1928301774"


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\n\r"])
def test_lines_end_with_crlf_and_nothing_else(end):
    error = refuse(OPTIONS + b"Subject: a" + end + b"X-Smuggled: b\r\n\r\n")
    assert error.status_hint == 400
    assert error.request is not None
    assert all(
        "\r" not in value and "\n" not in value for _, value in error.request.headers.items()
    )
    Response.to_request(error.request, 400).serialize()


def test_a_message_with_bare_line_feeds_can_still_be_answered():
    error = refuse((OPTIONS + b"\r\n").replace(b"\r\n", b"\n"))
    assert error.request is not None
    assert error.request.call_id == "a84b4c76e66710"


def test_header_fields_that_do_not_end_are_refused():
    error = refuse(OPTIONS)
    assert error.status_hint == 400
    assert error.request is not None


def test_line_ends_before_the_start_line_are_skipped():
    assert parse_message(b"\r\n\r\n\r\n" + OPTIONS + b"\r\n") == parse_message(OPTIONS + b"\r\n")


@pytest.mark.parametrize("data", [b"", b"\r\n", b"\r\n\r\n", b"\x00", b"jaK\x00"])
def test_keep_alives_are_no_messages(data):
    assert refuse(data).request is None


@pytest.mark.parametrize(
    ("length", "body"), [(b"", b"hello"), (b"l: 3\r\n", b"hel"), (b"Content-Length: 0\r\n", b"")]
)
def test_the_body_is_as_long_as_content_length_says_or_all_there_is(length, body):
    assert parse_message(OPTIONS + length + b"\r\nhello").body == body


@pytest.mark.parametrize(
    "length",
    [
        *(b"l: 6", b"l: -1", b"l: five", b"l:", b"l: 5, 5", b"l: 5\r\nContent-Length: 5"),
        *(b"l: 99999999999999999999", b"l: 0x5", b"l: +5", b"l: 5 5"),
    ],
)
def test_a_wrong_content_length_is_refused(length):
    error = refuse(OPTIONS + length + b"\r\n\r\nhello")
    assert error.status_hint == 400
    assert error.request is not None


def test_a_message_may_be_so_large_and_no_larger():
    head = OPTIONS + b"\r\n"
    body = bytes(MAX_MESSAGE_BYTES - len(head))
    assert parse_message(head + body).body == body
    error = refuse(head + body + b"\x00")
    assert error.status_hint == 513
    assert error.request is not None
    assert error.request.call_id == "a84b4c76e66710"


def test_a_header_line_may_be_so_long_and_no_longer():
    line = b"X: " + b"x" * (MAX_LINE_CHARACTERS - 3) + b"\r\n"
    parse_message(OPTIONS + line + b"\r\n")
    error = refuse(OPTIONS + b"X" + line + b"\r\n")
    assert error.status_hint == 513
    assert error.request is not None


def test_there_may_be_so_many_header_lines_and_no_more():
    lines = b"X: y\r\n" * (MAX_HEADER_LINES - OPTIONS.count(b"\r\n") + 1)
    assert len(parse_message(OPTIONS + lines + b"\r\n").headers) == MAX_HEADER_LINES
    error = refuse(OPTIONS + lines + b"X: y\r\n\r\n")
    assert error.status_hint == 513
    assert error.request is not None


def test_a_request_uri_may_be_so_long_and_no_longer():
    uri = b"sip:" + b"a" * (MAX_URI_CHARACTERS - 4)
    parse_message(OPTIONS.replace(b"sip:bob@biloxi.com:5070", uri) + b"\r\n")
    error = refuse(OPTIONS.replace(b"sip:bob@biloxi.com:5070", uri + b"a") + b"\r\n")
    assert error.status_hint == 414


def test_a_start_line_may_not_be_longer_than_any_other_line():
    assert refuse(b"SIP/2.0 200 " + b"x" * MAX_LINE_CHARACTERS + b"\r\n\r\n").request is None


def assert_survives(data: bytes) -> None:
    """Whatever the bytes: a message that can be read, written and read again, or ParseError."""
    try:
        message = parse_message(data)
    except ParseError as error:
        if error.request is not None:
            read_everything(error.request)
            Response.to_request(error.request, error.status_hint, to_tag="x").serialize()
        return
    read_everything(message)
    if isinstance(message, Request):
        if check_request(message) is None:
            check_forwarding(message)
            assert [getattr(message, name) for name in TRUSTED]
        parse_message(Response.to_request(message, 200, to_tag="x").serialize())
    else:
        check_response(message)
    written = message.serialize()
    if len(written) <= MAX_MESSAGE_BYTES:
        again = parse_message(written)
        assert again.serialize() == written
        assert again.headers.get_all("Via") == message.headers.get_all("Via")
        assert again.body == message.body


@settings(deadline=None)
@given(st.binary(max_size=400))
def test_any_bytes_are_a_message_or_a_parse_error(data):
    assert_survives(data)


@settings(deadline=None)
@given(st.text('OPTINS sip:@/20.\r\n\tVia;=,<>"\\%z', max_size=300))
def test_any_text_like_sip_is_a_message_or_a_parse_error(text):
    assert_survives(text.encode())


@settings(max_examples=600, deadline=None)
@given(st.data())
def test_a_real_message_with_bytes_changed_is_a_message_or_a_parse_error(data):
    message = bytearray(data.draw(st.sampled_from(REAL)))
    for _ in range(data.draw(st.integers(1, 6))):
        start = data.draw(st.integers(0, len(message)))
        end = data.draw(st.integers(start, min(len(message), start + 40)))
        message[start:end] = data.draw(
            st.binary(max_size=6)
            | st.sampled_from(
                [b"\r\n", b"\r\n ", b",", b";", b'"', b"<", b">", b"%", b"\x00", b": "]
            )
            | st.sampled_from(REAL_LINES)
        )
    assert_survives(bytes(message))


@settings(max_examples=300, deadline=None)
@given(
    name=st.sampled_from(
        [
            *("Via", "From", "To", "Contact", "CSeq", "Route", "Record-Route", "Call-ID", "Accept"),
            *("Content-Type", "Max-Forwards", "Require", "Reason", "Retry-After", "Authorization"),
            *("WWW-Authenticate", "RAck", "Content-Length", "Content-Encoding", "Allow"),
        ]
    ),
    value=st.text('aA0:;,=<>@"\\ %*/.[]()?&-\t\x00é') | st.text(),
)
def test_any_value_of_a_header_field_is_read_or_a_parse_error(name, value):
    for start in (b"OPTIONS sip:a@b SIP/2.0\r\n", b"SIP/2.0 200 OK\r\n"):
        line = f"{name}: {value}\r\n".encode()
        assert_survives(start + line + b"\r\n")
        assert_survives(start + b"Via: SIP/2.0/UDP a;branch=z9hG4bK1\r\n" + line + b"\r\nbody")
