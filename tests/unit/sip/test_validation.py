from __future__ import annotations

import pytest

from orbit_voice.sip.grammar import ParseError
from orbit_voice.sip.message import Headers, Request, Response
from orbit_voice.sip.validation import (
    BASIC,
    KNOWN_METHODS,
    Capabilities,
    Rejection,
    check_forwarding,
    check_request,
    check_response,
    reject_malformed,
)


def make(method: str = "INVITE", uri: str = "sip:bob@biloxi.com", **changes: str | None) -> Request:
    """Make a good request; ``Name_Part=value`` sets a header field, None removes it."""
    request = Request(
        method,
        uri,
        Headers(
            [
                ("Via", "SIP/2.0/UDP pc33.atlanta.com;branch=z9hG4bKnashds8"),
                ("Max-Forwards", "70"),
                ("To", "Bob <sip:bob@biloxi.com>"),
                ("From", "Alice <sip:alice@atlanta.com>;tag=1928301774"),
                ("Call-ID", "a84b4c76e66710"),
                ("CSeq", f"314159 {method}"),
                ("Contact", "<sip:alice@pc33.atlanta.com>"),
            ]
        ),
    )
    for name, value in changes.items():
        if value is None:
            request.headers.remove(name.replace("_", "-"))
        else:
            request.headers.set(name.replace("_", "-"), value)
    return request


def status(request: Request, capabilities: Capabilities = BASIC) -> int | None:
    rejection = check_request(request, capabilities)
    return None if rejection is None else rejection.status


@pytest.mark.parametrize("method", BASIC.methods)
def test_a_good_request_is_not_refused(method):
    assert check_request(make(method)) is None


@pytest.mark.parametrize("uri", ["sips:bob@biloxi.com", "tel:+12015550123", "SIP:h:5070;lr"])
def test_sip_sips_and_tel_are_served(uri):
    assert check_request(make(uri=uri)) is None


@pytest.mark.parametrize("name", ["Via", "From", "To", "Call_ID", "CSeq"])
def test_a_request_without_a_mandatory_field_is_refused(name):
    rejection = check_request(make(**{name: None}))
    assert rejection == Rejection(400, f"Bad Request ({name.replace('_', '-')} is missing)")


@pytest.mark.parametrize("name", ["Max_Forwards", "Contact"])
def test_what_old_peers_leave_out_is_not_missed(name):
    assert check_request(make(**{name: None})) is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Via", "SIP/2.0/UDP a;;"),
        ("From", '"Alice <sip:alice@atlanta.com>'),
        ("To", "Bob, B <sip:bob@biloxi.com>"),
        ("Call_ID", "a b"),
        ("CSeq", "4294967296 INVITE"),
        ("Max_Forwards", "256"),
        ("Contact", "<sip:a@b>;;"),
        ("Record_Route", "<sip:a@b"),
        ("Content_Type", "sdp"),
        ("Require", "a b"),
        ("Accept", "sdp"),
    ],
)
def test_a_malformed_field_that_matters_is_refused(name, value):
    assert status(make(**{name: value})) == 400


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("Date", "yesterday"), ("Supported", ";"), ("Allow", ";"), ("Expires", "soon")),
        *(("Reason", ";"), ("Route", "x"), ("Subject", "\x00"), ("User_Agent", ")(")),
    ],
)
def test_a_malformed_field_that_does_not_matter_is_ignored(name, value):
    assert check_request(make(**{name: value})) is None


def test_a_branch_that_names_no_transaction_is_refused():
    assert status(make(Via="SIP/2.0/UDP a;branch=z9hG4bK")) == 400
    assert status(make(Via="SIP/2.0/UDP a;branch=Z9hg4bk")) == 400
    assert status(make(Via="SIP/2.0/UDP a;branch=z9hG4bKx")) is None
    assert status(make(Via="SIP/2.0/UDP a;branch=1")) is None
    assert status(make(Via="SIP/2.0/UDP a")) is None


def test_an_invite_has_one_contact():
    assert status(make(Contact="<sip:a@b>, <sip:c@d>")) == 400
    assert status(make("BYE", Contact="<sip:a@b>, <sip:c@d>")) is None


@pytest.mark.parametrize("method", sorted(KNOWN_METHODS - set(BASIC.methods)))
def test_a_known_method_that_is_not_supported_is_refused_with_405(method):
    assert check_request(make(method)) == Rejection(
        405, "Method Not Allowed", (("Allow", "INVITE, ACK, CANCEL, BYE, OPTIONS"),)
    )


@pytest.mark.parametrize("method", ["NEWMETHOD", "invite", "IN%56ITE"])
def test_an_unknown_method_is_refused_with_501(method):
    assert check_request(make(method)) == Rejection(
        501, "Not Implemented", (("Allow", "INVITE, ACK, CANCEL, BYE, OPTIONS"),)
    )


def test_syntax_comes_before_the_method_and_the_method_before_its_cseq():
    assert status(make("REGISTER", CSeq="36893488147419103232 REGISTER")) == 400
    assert status(make("NEWMETHOD", CSeq="8 INVITE")) == 501
    assert status(make("OPTIONS", CSeq="8 INVITE")) == 400


@pytest.mark.parametrize("uri", ["http://example.com", "soap.beep://192.0.2.103:3002", "isbn:1"])
def test_a_scheme_that_is_not_served_is_refused_with_416(uri):
    assert check_request(make(uri=uri)) == Rejection(416, "Unsupported URI Scheme")


@pytest.mark.parametrize(
    "uri", ["sip:bob@@h", "sip:h:99999", "tel:7042", "sip:h?Route=%3Csip:x%3E"]
)
def test_a_malformed_request_uri_is_refused(uri):
    assert status(make(uri=uri)) == 400


def test_extensions_that_are_not_supported_are_listed():
    request = make(Require="100rel, Timer, x-new")
    assert check_request(request) == Rejection(
        420, "Bad Extension", (("Unsupported", "100rel, Timer, x-new"),)
    )
    able = Capabilities(extensions=("100rel", "timer"))
    assert check_request(request, able) == Rejection(
        420, "Bad Extension", (("Unsupported", "x-new"),)
    )
    assert check_request(make(Require="timer"), able) is None


@pytest.mark.parametrize("method", ["ACK", "CANCEL"])
def test_require_is_ignored_where_it_may_not_stand(method):
    assert check_request(make(method, Require="x-new")) is None


def with_body(**changes: str | None) -> Request:
    request = make(**changes)
    request.body = b"v=0\r\n"
    return request


def test_a_body_of_a_known_type_is_taken():
    assert check_request(with_body(Content_Type="Application/SDP;charset=utf-8")) is None
    assert (
        check_request(with_body(Content_Type="application/sdp", Content_Encoding="Identity"))
        is None
    )


def test_a_body_of_an_unknown_type_or_encoding_is_refused_with_what_would_do():
    assert check_request(with_body(Content_Type="application/unknownformat")) == Rejection(
        415, "Unsupported Media Type", (("Accept", "application/sdp"),)
    )
    assert check_request(
        with_body(Content_Type="application/sdp", Content_Encoding="gzip")
    ) == Rejection(415, "Unsupported Media Type", (("Accept-Encoding", "identity"),))


def test_a_body_without_type_is_refused_and_a_type_without_body_ignored():
    assert status(with_body()) == 400
    assert status(make(Content_Type="application/unknownformat")) is None


def test_an_optional_body_of_an_unknown_type_is_left_unread():
    assert (
        check_request(
            with_body(
                Content_Type="application/unknownformat",
                Content_Disposition="session ; Handling = optional",
            )
        )
        is None
    )


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        *(("application/sdp", None), ("text/plain, application/*;q=0.1", None), ("*/*", None)),
        *(("text/plain", 406), ("application/sdp;q=0", 406), ("", 406)),
    ],
)
def test_an_invite_must_accept_a_session_description(accept, expected):
    rejection = check_request(make(Accept=accept))
    assert (rejection.status if rejection else None) == expected
    if rejection is not None:
        ((name, warning),) = rejection.headers
        assert name == "Warning"
        assert warning.startswith("399 ")
    assert check_request(make("OPTIONS", Accept=accept)) is None


def test_max_forwards_of_zero_ends_forwarding_and_nothing_else():
    assert check_request(make(Max_Forwards="0")) is None
    assert check_forwarding(make(Max_Forwards="0")) == Rejection(483, "Too Many Hops")
    assert check_forwarding(make(Max_Forwards="1")) is None
    assert check_forwarding(make(Max_Forwards=None)) is None


def test_a_parse_error_says_how_to_refuse():
    error = ParseError("Request-URI is too long", status_hint=414)
    assert reject_malformed(error) == Rejection(
        414, "Request-URI Too Long (Request-URI is too long)"
    )


def response(status_code: int = 200, **changes: str | None) -> Response:
    answer = Response.to_request(make(), status_code, to_tag="x")
    answer.headers.add("Contact", "<sip:bob@192.0.2.4>")
    for name, value in changes.items():
        if value is None:
            answer.headers.remove(name.replace("_", "-"))
        else:
            answer.headers.set(name.replace("_", "-"), value)
    return answer


def test_a_good_response_is_not_dropped():
    assert check_response(response()) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"Via": None},
        {"Via": "SIP/2.0/UDP a;branch=z9hG4bK1, SIP/2.0/UDP b;branch=z9hG4bK2"},
        {"CSeq": "9292394834772304023312 OPTIONS"},
        {"From": None},
        {"To": "x"},
        {"Call_ID": None},
        {"Contact": "<sip:a@b>;;"},
        {"Record_Route": "<sip:a"},
    ],
)
def test_a_response_that_is_malformed_or_not_for_us_is_dropped(changes):
    assert isinstance(check_response(response(**changes)), ParseError)


def test_a_final_refusal_counts_even_when_a_field_it_does_not_need_is_malformed():
    assert check_response(response(486, Contact="<sip:a@b>;;", Record_Route="x")) is None
