"""Descriptions are read as RFC 8866 says, and nothing hostile gets through."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orbit_voice.kit.errors import LocalProtocolError
from orbit_voice.sdp import description
from orbit_voice.sdp.description import MediaDescription, SessionDescription, parse_sdp
from orbit_voice.sdp.errors import SdpError
from orbit_voice.sdp.lines import Attribute, Bandwidth, Connection, MediaLine, Origin, Timing

MINIMAL = "v=0\no=- 1 1 IN IP4 192.0.2.1\ns=-\nc=IN IP4 192.0.2.1\nt=0 0\n"
EVERYTHING = """v=0
o=jdoe 3724394400 3724394405 IN IP4 198.51.100.1
s=Call to John Smith
i=SDP offer #1 \u00e9
u=http://www.jdoe.example.com/home.html
e=Jane Doe <jane@jdoe.example.com>
e=second@example.com
p=+1 617 555-6011
c=IN IP4 198.51.100.1
b=CT:154798
b=X-YZ:128
t=3034423619 3042462419
r=604800 3600 0 90000
r=7d 1h 0 25h
z=2882844526 -1h 2898848070 0
t=0 0
k=prompt
a=recvonly
a=tool:phone 1.0: the best
m=audio 49170/2 RTP/AVP 0 101
i=the voice
c=IN IP4 233.252.0.1/127/3
c=IN IP4 233.252.0.4/127
b=AS:64
k=clear:secret
a=rtpmap:0 PCMU/8000
a=sendrecv
m=image 0 udptl t38
m=application 9 UDP/DTLS/SCTP webrtc-datachannel
"""


def wire(text: str) -> bytes:
    return text.replace("\n", "\r\n").encode()


def test_every_field_of_the_grammar_is_kept_and_written_back():
    parsed = parse_sdp(wire(EVERYTHING))
    assert parsed.serialize() == wire(EVERYTHING)
    assert parsed.origin == Origin("jdoe", 3724394400, 3724394405, "IN", "IP4", "198.51.100.1")
    assert parsed.emails == ("Jane Doe <jane@jdoe.example.com>", "second@example.com")
    assert parsed.bandwidths == (Bandwidth("CT", 154798), Bandwidth("X-YZ", 128))
    assert parsed.timings == (
        Timing(
            3034423619,
            3042462419,
            ("604800 3600 0 90000", "7d 1h 0 25h"),
            "2882844526 -1h 2898848070 0",
        ),
        Timing(),
    )
    assert parsed.attribute("tool") == Attribute("tool", "phone 1.0: the best")
    audio, image, data = parsed.media
    assert audio.line == MediaLine("audio", 49170, 2, "RTP/AVP", ("0", "101"))
    assert audio.connections[1] == Connection("IN", "IP4", "233.252.0.4/127")
    assert audio.attribute("sendrecv") == Attribute("sendrecv")
    assert image.line.port == 0
    assert data.line.formats == ("webrtc-datachannel",)


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_both_line_ends_are_understood_also_without_the_last(ending):
    text = MINIMAL.replace("\n", ending)
    assert parse_sdp(text.encode()) == parse_sdp(text.rstrip().encode())
    assert parse_sdp(text.encode()) == parse_sdp((text + ending).encode())


def test_an_empty_subject_is_understood_and_never_written():
    parsed = parse_sdp(MINIMAL.replace("s=-", "s=").encode())
    assert parsed == parse_sdp(MINIMAL.encode())


def test_a_subject_of_one_space_is_kept():
    assert parse_sdp(MINIMAL.replace("s=-", "s= ").encode()).name == " "


def test_needless_spaces_between_and_after_fields_are_forgiven():
    text = MINIMAL + "m=audio  49170 RTP/AVP 0  8 101 \na=recvonly \n"
    (audio,) = parse_sdp(text.encode()).media
    assert audio.line.formats == ("0", "8", "101")
    assert audio.attribute("recvonly") is not None


def test_text_that_is_not_utf8_loses_only_the_bad_bytes():
    parsed = parse_sdp(MINIMAL.encode().replace(b"s=-", b"s=Caf\xe9"))
    assert parsed.name == "Caf\ufffd"


def test_unknown_attributes_media_and_protocols_are_kept():
    text = MINIMAL + "m=hologram 5 TCP/XYZ *\na=x-future:1 2 3\n"
    (media,) = parse_sdp(text.encode()).media
    assert (media.line.kind, media.line.protocol) == ("hologram", "TCP/XYZ")
    assert media.attributes == (Attribute("x-future", "1 2 3"),)


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("v=0\n", "", "v= is missing"),
        ("v=0", "v=1", "version 0"),
        ("o=- 1 1 IN IP4 192.0.2.1\n", "", "o= is missing"),
        ("o=- 1 1", "o=- 1", "5 fields instead of 6"),
        ("o=- 1 1", "o=- x 1", "session id"),
        ("o=- 1 1", "o=- 1 -1", "session version"),
        ("o=- 1 1", f"o=- {'9' * 21} 1", "session id"),
        ("o=- 1 1", "o=- \u0661 1", "session id"),
        ("o=- 1 1 IN", "o=- 1 1 I(N", "network type"),
        ("s=-\n", "", "s= is missing"),
        ("s=-\n", "s=-\ns=-\n", "twice"),
        ("c=IN IP4 192.0.2.1", "c=IN IP4", "2 fields instead of 3"),
        ("t=0 0\n", "", "t= is missing"),
        ("t=0 0", "t=0", "1 fields"),
        ("t=0 0", "t=now later", "start time"),
        ("t=0 0\n", "r=7d 1h 0\nt=0 0\n", "no t="),
        ("t=0 0\n", "t=0 0\nz=0 1h\n", "no r="),
        ("t=0 0\n", "t=0 0\nr=7d 1h 0\nz=0 1h\nz=0 1h\n", "no t="),
        ("t=0 0\n", "t=0 0\nb=AS:64\n", "out of order"),
        ("t=0 0\n", "t=0 0\na=sendrecv\nt=0 0\n", "out of order"),
        ("t=0 0\n", "b=AS\nt=0 0\n", "bandwidth"),
        ("t=0 0\n", "b=:5\nt=0 0\n", "bandwidth type"),
        ("t=0 0\n", "t=0 0\na=:x\n", "attribute name"),
        ("t=0 0\n", "t=0 0\na=two words\n", "attribute name"),
        ("t=0 0\n", "t=0 0\nx=1\n", "unknown line"),
        ("t=0 0\n", "t=0 0\n\na=sendrecv\n", "form x=value"),
        ("t=0 0\n", "t=0 0\na =sendrecv\n", "form x=value"),
        ("t=0 0\n", "t=0 0\nm=audio\n", "too few"),
        ("t=0 0\n", "t=0 0\nm=audio 5 RTP/AVP\n", "too few"),
        ("t=0 0\n", "t=0 0\nm=audio 65536 RTP/AVP 0\n", "the port"),
        ("t=0 0\n", "t=0 0\nm=audio -1 RTP/AVP 0\n", "the port"),
        ("t=0 0\n", "t=0 0\nm=audio 5/ RTP/AVP 0\n", "number of ports"),
        ("t=0 0\n", "t=0 0\nm=audio 5 RTP//AVP 0\n", "protocol"),
        ("t=0 0\n", "t=0 0\nm=audio 5 RTP/AVP (0)\n", "a format"),
        ("t=0 0\n", "t=0 0\nm=audio 5 RTP/AVP 0\nu=http://x\n", "unknown line"),
        ("t=0 0\n", "t=0 0\nm=audio 5 RTP/AVP 0\na=x\nc=IN IP4 192.0.2.1\n", "out of order"),
        ("t=0 0\n", "t=0 0\nv=0\n", "out of order"),
        ("s=-", "s=a\0b", "NUL"),
        ("s=-", "s=a\rb", "lone CR"),
    ],
)
def test_malformed_descriptions_are_refused_with_400(old, new, complaint):
    text = MINIMAL.replace(old, new)
    assert text != MINIMAL
    with pytest.raises(SdpError, match=complaint) as caught:
        parse_sdp(text.encode())
    assert caught.value.status_hint == 400


def test_a_stream_needs_a_c_line_of_its_own_or_of_the_session():
    without = MINIMAL.replace("c=IN IP4 192.0.2.1\n", "")
    with pytest.raises(SdpError, match="no c= line"):
        parse_sdp((without + "m=audio 5 RTP/AVP 0\n").encode())
    parse_sdp((without + "m=audio 5 RTP/AVP 0\nc=IN IP4 192.0.2.1\n").encode())
    parse_sdp((without + "m=audio 0 RTP/AVP 0\n").encode())


@pytest.mark.parametrize("empty", [b"", b"\r\n", b"\n\n\n"])
def test_nothing_is_no_description(empty):
    with pytest.raises(SdpError):
        parse_sdp(empty)


def test_maxima_hold():
    padding = description.MAX_SDP_BYTES - len(MINIMAL) - len("a=x:\n")
    parse_sdp((MINIMAL + "a=x:" + "y" * padding + "\n").encode())
    with pytest.raises(SdpError, match="bytes"):
        parse_sdp((MINIMAL + "a=x:" + "y" * (padding + 1) + "\n").encode())
    with pytest.raises(SdpError, match="lines"):
        parse_sdp((MINIMAL + "a=x\n" * description.MAX_LINES).encode())
    stream = "m=audio 5 RTP/AVP 0\n"
    parse_sdp((MINIMAL + stream * description.MAX_MEDIA).encode())
    with pytest.raises(SdpError, match="streams"):
        parse_sdp((MINIMAL + stream * (description.MAX_MEDIA + 1)).encode())
    formats = " 0" * description.MAX_FORMATS
    parse_sdp((MINIMAL + f"m=audio 5 RTP/AVP{formats}\n").encode())
    with pytest.raises(SdpError, match="too many"):
        parse_sdp((MINIMAL + f"m=audio 5 RTP/AVP{formats} 0\n").encode())


@pytest.mark.parametrize("mark", ["\r", "\n", "\0"])
def test_a_value_of_ours_cannot_forge_a_line(mark):
    forged = SessionDescription(
        origin=Origin("-", 1, 1, "IN", "IP4", "192.0.2.1"), name=f"x{mark}a=forged"
    )
    with pytest.raises(LocalProtocolError):
        forged.serialize()


# Properties -----------------------------------------------------------------------------------

TOKENS = st.text(
    "abcdefghijklmnopqrstuvwxyzABC0123456789-._!#$%&'*+^`{|}~", min_size=1, max_size=12
)
TEXTS = st.text(
    st.characters(blacklist_characters="\r\n\0", blacklist_categories=["Cs"]),
    min_size=1,
    max_size=20,
)
NUMBERS = st.integers(0, 10**20 - 1)
CONNECTIONS = st.builds(
    Connection, TOKENS, TOKENS, st.sampled_from(["192.0.2.7", "2001:db8::1", "host.example"])
)
ATTRIBUTES = st.lists(st.builds(Attribute, TOKENS, st.none() | TEXTS), max_size=5).map(tuple)
BANDWIDTHS = st.lists(st.builds(Bandwidth, TOKENS, NUMBERS), max_size=2).map(tuple)
MEDIA = st.builds(
    MediaDescription,
    st.builds(
        MediaLine,
        TOKENS,
        st.integers(0, 65535),
        st.integers(1, 9),
        st.lists(TOKENS, min_size=1, max_size=3).map("/".join),
        st.lists(TOKENS, min_size=1, max_size=5).map(tuple),
    ),
    st.none() | TEXTS,
    st.lists(CONNECTIONS, max_size=2).map(tuple),
    BANDWIDTHS,
    st.none() | TEXTS,
    ATTRIBUTES,
)
TIMINGS = st.builds(Timing, NUMBERS, NUMBERS) | st.builds(
    Timing,
    NUMBERS,
    NUMBERS,
    st.lists(TEXTS, min_size=1, max_size=2).map(tuple),
    st.none() | TEXTS,
)
DESCRIPTIONS = st.builds(
    SessionDescription,
    st.builds(Origin, TOKENS, NUMBERS, NUMBERS, TOKENS, TOKENS, TOKENS),
    TEXTS,
    st.none() | TEXTS,
    st.none() | TEXTS,
    st.lists(TEXTS, max_size=2).map(tuple),
    st.lists(TEXTS, max_size=2).map(tuple),
    CONNECTIONS,
    BANDWIDTHS,
    st.lists(
        TIMINGS,
        min_size=1,
        max_size=2,
    ).map(tuple),
    st.none() | TEXTS,
    ATTRIBUTES,
    st.lists(MEDIA, max_size=3).map(tuple),
)
LINES = st.lists(
    st.builds(lambda letter, value: f"{letter}={value}", st.sampled_from("vosiuepcbtrzkamx"), TEXTS)
    | st.sampled_from(EVERYTHING.splitlines()),
    max_size=40,
)


@given(DESCRIPTIONS)
def test_what_is_written_is_read_back_the_same(value):
    assert parse_sdp(value.serialize()) == value


@given(st.binary(max_size=300) | LINES.map(lambda lines: "\r\n".join(lines).encode()))
def test_only_sdp_errors_escape_and_parse_and_serialize_are_a_fixed_point(data):
    try:
        parsed = parse_sdp(data)
    except SdpError:
        return
    assert parse_sdp(parsed.serialize()) == parsed


@given(st.data())
def test_a_damaged_description_raises_nothing_but_sdp_errors(data):
    damaged = bytearray(wire(EVERYTHING))
    for _ in range(data.draw(st.integers(1, 5))):
        position = data.draw(st.integers(0, len(damaged) - 1))
        damaged[position] = data.draw(st.integers(0, 255))
    try:
        parsed = parse_sdp(bytes(damaged))
    except SdpError:
        return
    assert parse_sdp(parsed.serialize()) == parsed
