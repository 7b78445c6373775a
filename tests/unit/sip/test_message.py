from __future__ import annotations

import pytest

from orbit_voice.kit.errors import LocalProtocolError
from orbit_voice.sip.grammar import MAX_VALUES, ParseError
from orbit_voice.sip.headers import CSeq, MediaType, NameAddr, RAck, Via
from orbit_voice.sip.message import Headers, Request, Response
from orbit_voice.sip.parser import parse_message
from orbit_voice.sip.uri import SipUri

INVITE = (
    b"INVITE sip:bob@biloxi.com SIP/2.0\r\n"
    b"Via: SIP/2.0/UDP bigbox3.site3.atlanta.com;branch=z9hG4bK77ef4c2312983.1\r\n"
    b"Via: SIP/2.0/UDP pc33.atlanta.com:5070;branch=z9hG4bKnashds8;received=192.0.2.1\r\n"
    b"Record-Route: <sip:p2.example.com;lr>, <sip:p1.example.com;lr>\r\n"
    b"Max-Forwards: 68\r\n"
    b"To: Bob <sip:bob@biloxi.com>\r\n"
    b"From: Alice <sip:alice@atlanta.com>;tag=1928301774\r\n"
    b"Call-ID: a84b4c76e66710@pc33.atlanta.com\r\n"
    b"CSeq: 314159 INVITE\r\n"
    b"Contact: <sip:alice@pc33.atlanta.com:5070>\r\n"
    b"Supported: 100rel, Timer\r\n"
    b"Timestamp: 54\r\n"
    b"Content-Type: Application/SDP; charset=utf-8\r\n"
    b"Content-Length: 4\r\n"
    b"\r\n"
    b"v=0\n"
)


@pytest.fixture
def invite() -> Request:
    message = parse_message(INVITE)
    assert isinstance(message, Request)
    return message


def test_header_names_have_no_case_and_a_compact_form():
    headers = Headers([("v", "1"), ("VIA", "2"), ("cAll-iD", "x"), ("X-Own", "y")])
    assert headers.get_all("via") == ["1", "2"]
    assert headers.get("V") == "1"
    assert headers.get("i") == headers.get("call-id") == headers.get("CALL-id") == "x"
    assert headers.get("x-oWN") == "y"
    assert headers.get("Subject") is None
    assert headers.items() == [("Via", "1"), ("Via", "2"), ("Call-ID", "x"), ("X-Own", "y")]
    assert "X-OWN" in headers
    assert 5 not in headers
    assert len(headers) == 4


@pytest.mark.parametrize(
    ("compact", "name"),
    [
        *(("i", "Call-ID"), ("m", "Contact"), ("e", "Content-Encoding"), ("l", "Content-Length")),
        *(("c", "Content-Type"), ("f", "From"), ("s", "Subject"), ("k", "Supported"), ("t", "To")),
        *(("v", "Via"), ("r", "Refer-To"), ("b", "Referred-By"), ("o", "Event")),
        *(("u", "Allow-Events"), ("x", "Session-Expires"), ("a", "Accept-Contact")),
    ],
)
def test_every_compact_form_is_known(compact, name):
    assert Headers([(compact.upper(), "x")]).get(name) == "x"


def test_header_fields_can_be_added_replaced_and_removed():
    headers = Headers([("Via", "1"), ("To", "t"), ("Via", "2")])
    headers.prepend("v", "0")
    headers.add("X-A", "a")
    assert headers.get_all("Via") == ["0", "1", "2"]
    headers.set("vIA", "only")
    headers.set("Subject", "new")
    headers.set("x-a", "b")
    assert headers.items() == [("Via", "only"), ("To", "t"), ("x-a", "b"), ("Subject", "new")]
    headers.remove("TO")
    headers.remove("Nothing")
    assert headers.get("To") is None
    headers.add("Route", "1")
    headers.add("Route", "2")
    headers.remove_first("route")
    headers.remove_first("nothing")
    assert headers.get_all("Route") == ["2"]


@pytest.mark.parametrize("value", ["a\r\nX: y", "a\nb", "a\rb"])
def test_no_value_breaks_out_of_its_line(value):
    headers = Headers()
    for put in (headers.add, headers.prepend, headers.set):
        with pytest.raises(LocalProtocolError):
            put("Subject", value)
    with pytest.raises(LocalProtocolError):
        Headers([("Subject", value)])
    assert headers.items() == []


@pytest.mark.parametrize("name", ["", "a b", "a:", "a\r\nb", "é"])
def test_no_name_is_other_than_a_token(name):
    with pytest.raises(LocalProtocolError):
        Headers().add(name, "x")


@pytest.mark.parametrize(
    "message",
    [
        Request("INVITE", "sip:a@b\r\nX: y"),
        Request("INVITE\n", "sip:a@b"),
        Response(200, "OK\r\nX: y"),
        Response(200, "OK\r"),
    ],
)
def test_no_start_line_breaks_out_of_its_line(message):
    with pytest.raises(LocalProtocolError):
        message.serialize()


def test_a_copy_changes_apart_from_its_original(invite):
    copy = invite.copy()
    assert copy == invite
    copy.headers.set("CSeq", "314160 INVITE")
    copy.body = b""
    assert invite.cseq.number == 314159
    assert copy.cseq.number == 314160
    assert copy != invite
    response = Response(200, "OK", Headers([("CSeq", "1 BYE")]))
    assert response.copy() == response
    assert response != invite
    assert response != "SIP/2.0 200 OK"


def test_typed_properties_show_what_the_header_fields_mean(invite):
    assert [via.host for via in invite.vias] == ["bigbox3.site3.atlanta.com", "pc33.atlanta.com"]
    assert invite.top_via == invite.vias[0]
    assert invite.top_via.branch == "z9hG4bK77ef4c2312983.1"
    assert invite.from_ == NameAddr.parse("Alice <sip:alice@atlanta.com>;tag=1928301774")
    assert (invite.from_tag, invite.to_tag) == ("1928301774", None)
    assert invite.to.display_name == "Bob"
    assert invite.call_id == "a84b4c76e66710@pc33.atlanta.com"
    assert invite.cseq == CSeq(314159, "INVITE")
    assert [str(each.uri) for each in invite.record_routes] == [
        "sip:p2.example.com;lr",
        "sip:p1.example.com;lr",
    ]
    assert invite.routes == []
    assert [str(each.uri) for each in invite.contacts] == ["sip:alice@pc33.atlanta.com:5070"]
    assert invite.max_forwards == 68
    assert invite.content_type == "application/sdp"
    assert invite.media_type == MediaType.parse("application/sdp;charset=utf-8")
    assert invite.supported == ["100rel", "timer"]
    assert invite.require == []
    assert invite.accept is None
    assert invite.request_uri == SipUri("sip", "biloxi.com", user="bob")


def test_other_typed_properties():
    request = Request("PRACK", "sip:a@b")
    request.headers.add("RAck", "7 1 INVITE")
    request.headers.add("Reason", 'Q.850;cause=16, SIP;cause=200;text="a, b"')
    request.headers.add("Allow", "INVITE, ACK")
    request.headers.add("Allow", "BYE")
    request.headers.add("Expires", "60")
    request.headers.add("Authorization", 'Digest realm="a"')
    request.headers.add("Authorization", 'Digest realm="b"')
    request.headers.add("Proxy-Authorization", 'Digest realm="c"')
    assert request.rack == RAck(7, CSeq(1, "INVITE"))
    assert [(each.protocol, each.cause) for each in request.reasons] == [
        ("Q.850", 16),
        ("SIP", 200),
    ]
    assert request.reasons[1].text == "a, b"
    assert request.allow == ["INVITE", "ACK", "BYE"]
    assert request.expires == 60
    assert [each.params["realm"] for each in request.authorizations] == ["a", "b"]
    assert [each.params["realm"] for each in request.proxy_authorizations] == ["c"]
    response = Response(401, "Unauthorized")
    response.headers.add("WWW-Authenticate", 'Digest realm="a", nonce="n"')
    response.headers.add("Proxy-Authenticate", 'Digest realm="b", nonce="n"')
    response.headers.add("Retry-After", "5")
    assert [each.realm for each in response.www_authenticate] == ["a"]
    assert [each.realm for each in response.proxy_authenticate] == ["b"]
    assert response.retry_after is not None
    assert response.retry_after.seconds == 5


def test_what_was_read_is_read_anew_after_a_change(invite):
    assert invite.to_tag is None
    invite.headers.set("To", invite.to.with_tag("x").__str__())
    assert invite.to_tag == "x"
    invite.headers.prepend("Via", "SIP/2.0/TCP new;branch=z9hG4bKnew")
    assert invite.top_via.host == "new"
    invite.headers.remove("Max-Forwards")
    assert invite.max_forwards is None


def test_changing_a_returned_list_does_not_change_the_message(invite):
    invite.vias.clear()
    invite.headers.get_all("Via").clear()
    assert len(invite.vias) == 2
    assert len(invite.headers.get_all("Via")) == 2


def test_the_topmost_via_is_found_in_a_list_too():
    request = Request("BYE", "sip:a@b")
    request.headers.add("Via", 'SIP/2.0/UDP a;x="1,2";branch=z9hG4bK1, SIP/2.0/UDP b')
    assert request.top_via.host == "a"
    assert [via.host for via in request.vias] == ["a", "b"]


def test_a_star_contact_is_no_address():
    request = Request("REGISTER", "sip:a", Headers([("Contact", "*"), ("Expires", "0")]))
    assert request.contacts == []
    assert request.headers.get("Contact") == "*"


@pytest.mark.parametrize(
    "name", ["From", "To", "Call-ID", "CSeq", "Max-Forwards", "Content-Type", "RAck"]
)
def test_a_field_that_may_stand_once_is_refused_when_it_stands_twice(name):
    values = {
        "From": "<sip:a@b>",
        "To": "<sip:a@b>",
        "Call-ID": "a",
        "CSeq": "1 BYE",
        "Max-Forwards": "70",
        "Content-Type": "a/b",
        "RAck": "1 1 INVITE",
    }
    request = Request("BYE", "sip:a@b", Headers([(name, values[name])] * 2))
    attribute = {"From": "from_"}.get(name, name.lower().replace("-", "_"))
    with pytest.raises(ParseError, match=f"{name} is repeated"):
        getattr(request, attribute)


@pytest.mark.parametrize("attribute", ["top_via", "from_", "to", "call_id", "cseq", "rack"])
def test_a_field_that_must_stand_is_missed(attribute):
    with pytest.raises(ParseError, match="is missing"):
        getattr(Request("BYE", "sip:a@b"), attribute)


@pytest.mark.parametrize("attribute", ["vias", "contacts", "routes", "record_routes", "require"])
def test_a_list_that_does_not_stand_is_empty(attribute):
    assert getattr(Request("BYE", "sip:a@b"), attribute) == []


@pytest.mark.parametrize(
    ("name", "value", "attribute", "nothing"),
    [
        ("Supported", "a, ,b", "supported", []),
        ("Allow", "INVITE; x", "allow", []),
        ("Reason", "SIP;cause=x", "reasons", []),
        ("Expires", "99999999999999", "expires", None),
        ("Retry-After", "soon", "retry_after", None),
    ],
)
def test_a_malformed_field_that_nothing_depends_on_is_ignored(name, value, attribute, nothing):
    response = Response(200, "OK", Headers([(name, value)]))
    assert getattr(response, attribute) == nothing


def test_a_list_over_many_lines_has_a_maximum_too():
    request = Request("BYE", "sip:a@b")
    for _ in range(MAX_VALUES):
        request.headers.add("Route", "<sip:h;lr>")
    assert len(request.routes) == MAX_VALUES
    request.headers.add("Route", "<sip:h;lr>")
    with pytest.raises(ParseError) as caught:
        _ = request.routes
    assert caught.value.status_hint == 513


@pytest.mark.parametrize("value", ["256", "-1", "x", ""])
def test_max_forwards_is_0_to_255(value):
    with pytest.raises(ParseError):
        _ = Request("BYE", "sip:a@b", Headers([("Max-Forwards", value)])).max_forwards


def test_content_length_is_made_from_the_body():
    request = Request("MESSAGE", "sip:a@b", Headers([("l", "999"), ("To", "x")]), "żółć".encode())
    assert request.serialize() == (
        b"MESSAGE sip:a@b SIP/2.0\r\nTo: x\r\nContent-Length: 8\r\n\r\n" + "żółć".encode()
    )
    assert Response(200, "OK").serialize() == b"SIP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n"


def test_a_response_takes_over_what_the_rfc_has_it_take_over(invite):
    response = Response.to_request(invite, 180, to_tag="a6c85cf")
    assert response.serialize() == (
        b"SIP/2.0 180 Ringing\r\n"
        b"Via: SIP/2.0/UDP bigbox3.site3.atlanta.com;branch=z9hG4bK77ef4c2312983.1\r\n"
        b"Via: SIP/2.0/UDP pc33.atlanta.com:5070;branch=z9hG4bKnashds8;received=192.0.2.1\r\n"
        b"To: Bob <sip:bob@biloxi.com>;tag=a6c85cf\r\n"
        b"From: Alice <sip:alice@atlanta.com>;tag=1928301774\r\n"
        b"Call-ID: a84b4c76e66710@pc33.atlanta.com\r\n"
        b"CSeq: 314159 INVITE\r\n"
        b"Content-Length: 0\r\n\r\n"
    )
    response.headers.add("Contact", "<sip:me>")
    assert [str(each.uri) for each in invite.contacts] == ["sip:alice@pc33.atlanta.com:5070"]


def test_a_100_takes_over_the_timestamp_and_gets_no_tag(invite):
    response = Response.to_request(invite, 100)
    assert response.headers.get("Timestamp") == "54"
    assert response.to_tag is None
    assert Response.to_request(invite, 200).headers.get("Timestamp") is None


def test_a_tag_that_is_there_stays(invite):
    invite.headers.set("To", "sip:bob@biloxi.com;tag=mine")
    response = Response.to_request(invite, 481, to_tag="other")
    assert response.to_tag == "mine"
    assert response.reason == "Call/Transaction Does Not Exist"


@pytest.mark.parametrize("to", ['"Mr. J. User <sip:j.user@example.com>', None])
def test_a_malformed_or_missing_to_is_given_back_as_it_came(invite, to):
    invite.headers.remove("To")
    if to is not None:
        invite.headers.add("To", to)
    assert Response.to_request(invite, 400, to_tag="x").headers.get("To") == to


def test_an_unusual_status_has_the_phrase_of_its_class(invite):
    assert Response.to_request(invite, 499).reason == "Request Failure"
    assert Response.to_request(invite, 299).reason == "Success"
    assert Response.to_request(invite, 200, "").reason == ""


def test_a_message_shows_its_start_line_and_how_much_there_is():
    request = Request("OPTIONS", "sip:h", Headers([("X", "y")] * 12), b"abc")
    assert repr(request) == "<'OPTIONS sip:h SIP/2.0', 12 fields, 3 bytes>"
    assert repr(Headers([("v", "y")])) == "Headers([('Via', 'y')])"


def test_a_via_put_on_top_is_written_first():
    request = Request("BYE", "sip:a@b", Headers([("To", "x")]))
    request.headers.prepend("Via", str(Via("UDP", "192.0.2.1", 5070)))
    assert request.serialize().split(b"\r\n")[1] == b"Via: SIP/2.0/UDP 192.0.2.1:5070"
