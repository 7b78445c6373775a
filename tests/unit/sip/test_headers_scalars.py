from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from orbit_voice.sip.grammar import ParseError
from orbit_voice.sip.headers import (
    AcceptRange,
    CSeq,
    MediaType,
    RAck,
    Reason,
    RetryAfter,
    SipDate,
)
from orbit_voice.sip.params import Params


def test_a_cseq_is_a_number_of_32_bits_and_a_method():
    assert CSeq.parse("0009 \t INVITE") == CSeq(9, "INVITE")
    assert CSeq.parse("4294967295 IN%56ITE") == CSeq(2**32 - 1, "IN%56ITE")
    assert str(CSeq(4711, "INVITE")) == "4711 INVITE"


@pytest.mark.parametrize(
    "text",
    ["", "1", "INVITE", "1INVITE", "-1 INVITE", "4294967296 INVITE", "1 INVITE x", "1 IN VITE"],
)
def test_a_malformed_cseq_is_refused(text):
    with pytest.raises(ParseError):
        CSeq.parse(text)


def test_a_rack_names_a_response_and_its_request():
    rack = RAck.parse("776656 1 INVITE")
    assert rack == RAck(776656, CSeq(1, "INVITE"))
    assert str(rack) == "776656 1 INVITE"


@pytest.mark.parametrize(
    "text", ["", "1 INVITE", "1 2", "4294967296 1 INVITE", "1 4294967296 INVITE"]
)
def test_a_malformed_rack_is_refused(text):
    with pytest.raises(ParseError):
        RAck.parse(text)


def test_a_date_is_a_moment_in_gmt():
    date = SipDate.parse("Sat, 13 Nov 2010 23:29:00 GMT")
    assert date.moment == datetime(2010, 11, 13, 23, 29, tzinfo=UTC)
    assert str(date) == "Sat, 13 Nov 2010 23:29:00 GMT"
    eastern = timezone(timedelta(hours=-5))
    assert str(SipDate(datetime(2010, 1, 1, 19, 0, tzinfo=eastern))) == (
        "Sat, 02 Jan 2010 00:00:00 GMT"
    )


@pytest.mark.parametrize(
    "text",
    [
        *("Fri, 01 Jan 2010 16:00:00 EST", "Fri, 01 Jan 2010 16:00:00 UTC", "", "1262361600"),
        *(
            "Fri, 31 Feb 2010 16:00:00 GMT",
            "Fri, 01 Jan 2010 24:00:00 GMT",
            "Fri, 1 Jan 2010 1:0:0 GMT",
        ),
        "Fri, 01 Jan 0000 16:00:00 GMT",
    ],
)
def test_other_zones_and_impossible_dates_are_refused(text):
    with pytest.raises(ParseError):
        SipDate.parse(text)


@pytest.mark.parametrize(
    ("text", "seconds", "comment", "duration", "written"),
    [
        ("120", 120, None, None, "120"),
        ("18000;duration=3600", 18000, None, "3600", "18000;duration=3600"),
        ("120 (I'm in a meeting)", 120, "(I'm in a meeting)", None, "120 (I'm in a meeting)"),
        ("5(x) ; duration=1", 5, "(x)", "1", "5 (x);duration=1"),
    ],
)
def test_retry_after_is_read(text, seconds, comment, duration, written):
    retry_after = RetryAfter.parse(text)
    assert retry_after.seconds == seconds
    assert (retry_after.comment or "").strip() == (comment or "")
    assert retry_after.params.get("duration") == duration
    assert str(retry_after) == written


@pytest.mark.parametrize(
    "text", ["", "x", "-1", "949302838503028349304023988", "1 (x", "1 x", "1;"]
)
def test_a_malformed_retry_after_is_refused(text):
    with pytest.raises(ParseError):
        RetryAfter.parse(text)


def test_a_reason_has_a_protocol_a_cause_and_a_text():
    reason = Reason.parse('Q.850 ;cause=16 ;text="Terminated"')
    assert (reason.protocol, reason.cause, reason.text) == ("Q.850", 16, "Terminated")
    assert str(reason) == 'Q.850;cause=16;text="Terminated"'
    assert Reason.parse("SIP") == Reason("SIP")
    assert Reason("SIP").cause is None
    built = Reason("SIP", Params([("cause", "200"), ("text", "Call completed elsewhere")]))
    assert Reason.parse(str(built)) == built


@pytest.mark.parametrize("text", ["", ";cause=1", "SIP;cause=x", "SIP;cause=1000", "SIP cause=200"])
def test_a_malformed_reason_is_refused(text):
    with pytest.raises(ParseError):
        Reason.parse(text)


def test_a_media_type_has_no_case_but_its_parameters_do():
    media_type = MediaType.parse('Multipart/Mixed ; boundary="A b"')
    assert media_type.essence == "multipart/mixed"
    assert media_type.params["boundary"] == "A b"
    assert str(media_type) == 'multipart/mixed;boundary="A b"'


@pytest.mark.parametrize(
    "text", ["", "text", "text/", "/plain", "text/plain;", "text plain", "a/b/c"]
)
def test_a_malformed_media_type_is_refused(text):
    with pytest.raises(ParseError):
        MediaType.parse(text)


@pytest.mark.parametrize(
    ("text", "essence", "matches", "quality"),
    [
        ("application/sdp", "application/sdp", True, 1.0),
        ("application/*;q=0.5", "application/sdp", True, 0.5),
        ("*/*;q=0", "application/sdp", True, 0.0),
        ("text/plain;level=1;q=0.123", "application/sdp", False, 0.123),
        ("text/*", "application/sdp", False, 1.0),
    ],
)
def test_an_accept_range_matches_types_with_a_quality(text, essence, matches, quality):
    accepted = AcceptRange.parse(text)
    assert accepted.matches(essence) is matches
    assert accepted.quality == quality
    assert str(accepted) == text


@pytest.mark.parametrize("text", ["", "*/sdp", "a/b;q=2", "a/b;q=1.5", "a/b;q", "a/b;q=0.1234"])
def test_a_malformed_accept_range_is_refused(text):
    with pytest.raises(ParseError):
        AcceptRange.parse(text)
