from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orbit_voice.sip.framing import KeepAlive, StreamFramer, StreamItem
from orbit_voice.sip.grammar import ParseError
from orbit_voice.sip.message import Request, Response
from orbit_voice.sip.parser import MAX_MESSAGE_BYTES

VECTORS = Path(__file__).parents[2] / "vectors" / "rfc4475"
REAL = [path.read_bytes() for path in sorted(VECTORS.glob("*.dat"))]

HEAD = (
    b"MESSAGE sip:bob@biloxi.com SIP/2.0\r\n"
    b"Via: SIP/2.0/TCP pc33.atlanta.com;branch=z9hG4bKhjhs8ass877\r\n"
    b"Call-ID: a84b4c76e66710\r\n"
)


def message(body: bytes) -> bytes:
    return HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body


def frame(*chunks: bytes) -> list[StreamItem]:
    framer = StreamFramer()
    return [item for chunk in chunks for item in framer.receive(chunk)]


def show(items: list[StreamItem]) -> list[object]:
    """Show items so that equal streams look equal; errors have no equality of their own."""
    return [
        (item.reason, item.status_hint, item.connection_must_close, item.request)
        if isinstance(item, ParseError)
        else item
        for item in items
    ]


def only_error(items: list[StreamItem]) -> ParseError:
    (error,) = items
    assert isinstance(error, ParseError)
    return error


def test_messages_in_one_chunk_come_apart():
    first, second, third = frame(message(b"one") + message(b"") + message(b"\r\n\r\n"))
    assert isinstance(first, Request)
    assert isinstance(second, Request)
    assert isinstance(third, Request)
    assert (first.body, second.body, third.body) == (b"one", b"", b"\r\n\r\n")


def test_a_message_in_many_chunks_comes_whole():
    data = message(b"hello") + message(b"again")
    items = frame(*(data[i : i + 1] for i in range(len(data))))
    assert [item.body for item in items if isinstance(item, Request)] == [b"hello", b"again"]


def test_nothing_comes_before_the_last_byte():
    framer = StreamFramer()
    data = message(b"hello")
    assert framer.receive(b"") == []
    assert not framer.is_unfinished
    assert framer.receive(data[:-1]) == []
    assert framer.is_unfinished
    (item,) = framer.receive(data[-1:])
    assert isinstance(item, Request)
    assert not framer.is_unfinished


def test_a_message_whose_body_is_awaited_is_unfinished():
    framer = StreamFramer()
    assert framer.receive(message(b"hello")[:-5]) == []
    assert framer.is_unfinished


def test_a_double_line_end_is_a_ping_and_a_single_one_a_pong():
    assert frame(b"\r\n") == [KeepAlive.PONG]
    assert frame(b"\r\n\r\n") == [KeepAlive.PONG, KeepAlive.PING]
    assert frame(b"\r", b"\n\r", b"\n") == [KeepAlive.PONG, KeepAlive.PING]
    assert frame(b"\r\n\r\n\r\n\r\n") == [KeepAlive.PONG, KeepAlive.PING] * 2


def test_line_ends_on_both_sides_of_a_message_are_no_ping():
    before, item, after = frame(b"\r\n" + message(b"x") + b"\r\n")
    assert (before, after) == (KeepAlive.PONG, KeepAlive.PONG)
    assert isinstance(item, Request)


def test_responses_are_framed_like_requests():
    (item,) = frame(b"SIP/2.0 200 OK\r\nl:2\r\n\r\nok")
    assert isinstance(item, Response)
    assert item.body == b"ok"


def test_a_bad_message_whose_end_is_known_does_not_end_the_stream():
    bad = message(b"body").replace(b"sip:bob@biloxi.com", b"<sip:bob@biloxi.com>")
    framer = StreamFramer()
    error, good = framer.receive(bad + message(b"next"))
    assert isinstance(error, ParseError)
    assert not error.connection_must_close
    assert error.request is not None
    assert error.request.call_id == "a84b4c76e66710"
    assert isinstance(good, Request)
    assert good.body == b"next"
    assert not framer.closed


def test_a_response_that_is_to_be_dropped_does_not_end_the_stream():
    error, good = frame(b"SIP/2.0 4294967301 x\r\nl: 3\r\n\r\nabc" + message(b"next"))
    assert isinstance(error, ParseError)
    assert not error.connection_must_close
    assert error.request is None
    assert isinstance(good, Request)


@pytest.mark.parametrize(
    "line",
    [
        *(b"", b"l: five\r\n", b"l: -1\r\n", b"l: 1\r\nContent-Length: 2\r\n", b"l: 1, 2\r\n"),
        *(b"l: 1\r\nno colon\r\n", b"l: 1\r\nX: a\nl: 2\r\n", b"l: 1\r\n" + b"X: y\r\n" * 256),
        b"l: 65536\r\n",
    ],
)
def test_a_message_whose_end_cannot_be_told_ends_the_stream_after_an_answer(line):
    framer = StreamFramer()
    error = only_error(framer.receive(HEAD + line + b"\r\n" + message(b"never seen")))
    assert error.connection_must_close
    assert error.status_hint in (400, 513)
    assert error.request is not None
    assert error.request.top_via.host == "pc33.atlanta.com"
    assert framer.closed
    assert framer.receive(message(b"nor this")) == []
    assert not framer.is_unfinished


def test_good_messages_before_the_end_of_the_stream_are_kept():
    good, error = frame(message(b"good") + HEAD + b"\r\n")
    assert isinstance(good, Request)
    assert isinstance(error, ParseError)
    assert error.connection_must_close


@pytest.mark.parametrize("chunk_bytes", [1000, 65_536, 1_000_000])
def test_header_fields_without_end_do_not_fill_memory(chunk_bytes):
    framer = StreamFramer()
    items: list[StreamItem] = []
    sent = 0
    flood = HEAD + b"X: y\r\n" * 200_000
    while not items:
        items += framer.receive(flood[sent : sent + chunk_bytes])
        sent += chunk_bytes
    error = only_error(items)
    assert (error.status_hint, error.connection_must_close) == (513, True)
    assert error.request is not None
    assert sent - chunk_bytes < MAX_MESSAGE_BYTES <= sent


def test_garbage_without_line_ends_does_not_fill_memory():
    framer = StreamFramer()
    assert framer.receive(bytes(MAX_MESSAGE_BYTES - 1)) == []
    error = only_error(framer.receive(b"\x00"))
    assert error.connection_must_close
    assert error.request is None


def test_the_largest_message_comes_through_and_one_byte_more_does_not():
    head = HEAD + b"Content-Length: 65000\r\n"
    room = MAX_MESSAGE_BYTES - 65_000 - len(head) - len(b"X: \r\n\r\n")
    fits = head + b"X: " + b"x" * room + b"\r\n\r\n" + bytes(65_000)
    assert len(fits) == MAX_MESSAGE_BYTES
    (item,) = frame(fits)
    assert isinstance(item, Request)
    over = fits.replace(b"X: ", b"X:  ")
    assert only_error(frame(over)).status_hint == 513


@settings(deadline=None)
@given(st.data())
def test_what_comes_out_does_not_depend_on_how_the_stream_is_cut(data):
    pieces = data.draw(
        st.lists(
            st.sampled_from(REAL)
            | st.binary(max_size=30).map(message)
            | st.sampled_from([b"\r\n", b"\r\n\r\n", b"\r\n\r\n\r\n", b"\r", b"\n"])
            | st.binary(max_size=20),
            max_size=5,
        )
    )
    stream = b"".join(pieces)
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=8).map(sorted))
    chunks = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    whole = show(frame(stream))
    assert show(frame(*chunks)) == whole
    assert show(frame(*(stream[i : i + 1] for i in range(len(stream))))) == whole


@settings(deadline=None)
@given(st.binary(max_size=2000))
def test_any_stream_is_survived(stream):
    for item in frame(stream):
        assert isinstance(item, Request | Response | KeepAlive | ParseError)
