"""The 49 messages of RFC 4475, each with what it holds and how we react."""

from __future__ import annotations

import base64
import gzip
import importlib.util
import io
import json
import tarfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from orbit_voice.sip.framing import StreamFramer
from orbit_voice.sip.grammar import ParseError
from orbit_voice.sip.headers import Authorization, NameAddr, RetryAfter, SipDate
from orbit_voice.sip.message import Message, Request, Response
from orbit_voice.sip.parser import parse_message
from orbit_voice.sip.uri import AbsoluteUri, SipUri
from orbit_voice.sip.validation import (
    Rejection,
    check_forwarding,
    check_request,
    check_response,
)

VECTORS = Path(__file__).parents[2] / "vectors" / "rfc4475"
MANIFEST: list[dict[str, Any]] = json.loads((VECTORS / "manifest.json").read_text())
NAMES = [row["name"] for row in MANIFEST]


def load(name: str) -> bytes:
    return (VECTORS / f"{name}.dat").read_bytes()


def read(name: str) -> Message:
    return parse_message(load(name))


def read_request(name: str) -> Request:
    message = read(name)
    assert isinstance(message, Request)
    return message


def refuse(name: str) -> ParseError:
    with pytest.raises(ParseError) as caught:
        read(name)
    return caught.value


def uri_of(address: NameAddr) -> SipUri:
    assert isinstance(address.uri, SipUri)
    return address.uri


@pytest.mark.parametrize("row", MANIFEST, ids=NAMES)
def test_the_parser_reacts_as_the_manifest_says(row):
    if row["parser"] == "refuses":
        refuse(row["name"])
    else:
        kind = {"request": Request, "response": Response}[row["kind"]]
        assert isinstance(read(row["name"]), kind)


@pytest.mark.parametrize("row", MANIFEST, ids=NAMES)
def test_a_user_agent_reacts_as_the_manifest_says(row):
    assert _react(row["name"]) == (row["reaction"], row["status"])


def _react(name: str) -> tuple[str, int | None]:
    try:
        message = read(name)
    except ParseError as error:
        return ("dropped", None) if error.request is None else ("rejected", error.status_hint)
    if isinstance(message, Response):
        return ("dropped" if check_response(message) else "processed"), None
    rejection = check_request(message)
    return ("processed", None) if rejection is None else ("rejected", rejection.status)


@pytest.mark.parametrize("name", NAMES)
def test_whatever_is_readable_survives_being_written_and_read_again(name):
    try:
        message = read(name)
    except ParseError:
        return
    written = message.serialize()
    assert parse_message(written).serialize() == written
    assert parse_message(written).body == message.body


@pytest.mark.parametrize("name", NAMES)
def test_every_rejection_makes_a_response_that_can_be_read(name):
    try:
        request: Message | None = read(name)
    except ParseError as error:
        request = error.request
    if not isinstance(request, Request):
        return
    answer = parse_message(Response.to_request(request, 400, to_tag="mine").serialize())
    assert isinstance(answer, Response)
    assert answer.headers.get_all("Via") == request.headers.get_all("Via")
    assert answer.headers.get_all("CSeq") == request.headers.get_all("CSeq")


def test_the_manifest_has_every_message_once_and_no_other():
    assert len(NAMES) == 49
    assert sorted(NAMES) == sorted(path.stem for path in VECTORS.glob("*.dat"))
    assert [row["section"] for row in MANIFEST] == sorted(
        (row["section"] for row in MANIFEST),
        key=lambda section: [int(part) for part in section.split(".")],
    )


def wsinv(message: Request) -> None:
    assert message.method == "INVITE"
    assert uri_of(NameAddr(message.request_uri)).params.get("unknownparam", "?") is None
    assert message.to_tag == "1918181833n"
    assert message.from_.display_name == 'J Rosenberg \\"'
    assert message.from_tag == "98asjd8"
    assert message.max_forwards == 68
    assert message.cseq.number == 9
    assert message.cseq.method == "INVITE"
    assert [(via.transport, via.host, via.branch) for via in message.vias] == [
        ("UDP", "192.0.2.2", "390skdjuw"),
        ("TCP", "spindle.example.com", "z9hG4bK9ikj8"),
        ("UDP", "192.168.255.111", "z9hG4bK30239"),
    ]
    assert message.headers.get("Subject") == ""
    assert message.headers.get("NewFangledHeader") == (
        "newfangled value continued newfangled value"
    )
    assert message.headers.get("UnknownHeaderWithUnusualValue") == ";;,,;;,;"
    assert uri_of(message.routes[0]).is_loose_router
    (contact,) = message.contacts
    assert contact.display_name == 'Quoted string ""'
    assert contact.params["newparam"] == "newvalue"
    assert contact.params["q"] == "0.33"
    assert "secondparam" in contact.params
    assert len(message.body) == 150


def intmeth(message: Request) -> None:
    assert message.method == "!interesting-Method0123456789_*+`.%indeed'~"
    assert message.cseq.method == message.method
    uri = uri_of(NameAddr(message.request_uri))
    assert uri.user == "1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*"
    assert uri.password == "&it+has=1,weird!*pas$wo~d_too.(doesn't-it)"
    assert message.top_via.branch == "z9hG4bK-.!%66*_+`'~"
    assert message.to.display_name == "BEL:\x07 NUL:\x00 DEL:\x7f"
    assert message.from_.display_name == "token1~` token2'+_ token3*%!.-"
    assert message.from_.params["fromParam''~+*_!.-%"] == "работающий"
    assert message.from_tag == "_token~1'+`*%!-."
    assert message.call_id == "intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{"
    assert message.headers.get("extensionHeader-!.%*+_`'~") == "\ufeff大停電"
    assert message.max_forwards == 255


def esc01(message: Request) -> None:
    uri = uri_of(NameAddr(message.request_uri))
    assert (uri.user, uri.host) == ("sips:user@example.com", "example.net")
    assert uri_of(message.to).user == "user"
    assert uri_of(message.from_).user == "I have spaces"
    contact = uri_of(message.contacts[0])
    assert contact.user == "caller"
    assert contact.is_loose_router
    assert contact.params["name"] == "value%41"


def escnull(message: Request) -> None:
    assert uri_of(message.to).user == "null-\x00-null"
    assert [uri_of(contact).user for contact in message.contacts] == ["\x00", "\x00\x00"]


def esc02(message: Request) -> None:
    assert message.method == "RE%47IST%45R"
    assert message.to.display_name == "%Z%45"
    assert message.top_via.branch == "z9hG4bK209%fzsnel234"
    assert [uri_of(contact).user for contact in message.contacts] == ["alias1", "alias3"]
    assert message.headers.get("C%6Fntact") == "<sip:alias2@host2.example.com>"


def lwsdisp(message: Request) -> None:
    assert message.from_.display_name == "caller"
    assert message.from_tag == "323"


def longreq(message: Request) -> None:
    assert len(message.vias) == 34
    assert message.top_via.host == "sip33.example.com"
    assert message.vias[-1].branch == "very" + "long" * 50 + "branchvalue"
    assert message.vias[-1].received == "192.0.2.5"
    assert message.to.display_name == f"I have a user name of {'extreme' * 10} proportion"
    assert uri_of(message.to).port == 6000
    assert message.from_tag == "12" + "982" * 50 + "424"
    assert uri_of(message.from_).user == "amazinglylongcallername" * 5
    assert message.call_id == "longreq.one" + "really" * 20 + "longcallid"


def dblreq(message: Request) -> None:
    assert message.method == "REGISTER"
    assert message.call_id == "dblreq.0ha0isndaksdj99sdfafnl3lk233412"
    assert message.body == b""
    assert b"INVITE" not in message.serialize()


def semiuri(message: Request) -> None:
    assert uri_of(NameAddr(message.request_uri)).user == "user;par=u@example.net"
    assert message.accept is not None
    assert [accepted.range.essence for accepted in message.accept][-1] == "message/sipfrag"


def transports(message: Request) -> None:
    assert [via.transport for via in message.vias] == ["UDP", "SCTP", "TLS", "UNKNOWN", "TCP"]


def mpart01(message: Request) -> None:
    assert message.content_type == "multipart/mixed"
    assert len(message.body) == 553
    assert message.body.count(b"\x00") > 0
    assert message.body.endswith(b"--7a9cbec02ceef655--\r\n")
    assert message.top_via.wants_rport
    assert message.top_via.port == 5070
    assert uri_of(message.routes[0]).port == 5080
    date = SipDate.parse(message.headers.get("Date") or "")
    assert date.moment == datetime(2005, 10, 15, 4, 44, 56, tzinfo=UTC)


def unreason(message: Response) -> None:
    assert message.status == 200
    assert message.reason == ("= 2**3 * 5**2 но сто девяносто девять - простое")
    assert len(message.body) == 154


def noreason(message: Response) -> None:
    assert (message.status, message.reason) == (100, "")
    assert message.to_tag == "902jndnke3"


def badinv01(message: Request) -> None:
    with pytest.raises(ParseError):
        _ = message.top_via
    with pytest.raises(ParseError):
        _ = message.contacts


def scalar02(message: Request) -> None:
    with pytest.raises(ParseError, match="CSeq number is too large"):
        _ = message.cseq
    with pytest.raises(ParseError, match="Max-Forwards is too large"):
        _ = message.max_forwards
    assert message.expires is None
    assert message.contacts[0].params["expires"] == "280297596632815"


def scalarlg(message: Response) -> None:
    with pytest.raises(ParseError, match="CSeq number is too large"):
        _ = message.cseq
    assert message.retry_after is None
    with pytest.raises(ParseError):
        RetryAfter.parse(message.headers.require("Retry-After"))


def quotbal(message: Request) -> None:
    with pytest.raises(ParseError):
        _ = message.to


def escruri(message: Request) -> None:
    uri = uri_of(NameAddr(message.request_uri))
    assert uri.headers == (("Route", "<sip:example.com>"),)
    assert message.routes == []


def baddate(message: Request) -> None:
    with pytest.raises(ParseError):
        SipDate.parse(message.headers.require("Date"))


def regbadct(message: Request) -> None:
    with pytest.raises(ParseError):
        _ = message.contacts


def badaspec(message: Request) -> None:
    assert message.from_.display_name == "Bell, Alexander"
    with pytest.raises(ParseError):
        _ = message.to


def mismatch01(message: Request) -> None:
    assert (message.method, message.cseq.method) == ("OPTIONS", "INVITE")


def mismatch02(message: Request) -> None:
    assert (message.method, message.cseq.method) == ("NEWMETHOD", "INVITE")


def badbranch(message: Request) -> None:
    assert message.top_via.branch == "z9hG4bK"


def insuf(message: Request) -> None:
    for name in ("call_id", "from_", "to"):
        with pytest.raises(ParseError, match="is missing"):
            getattr(message, name)


def unkscm(message: Request) -> None:
    assert message.request_uri == AbsoluteUri("nobodyknowsthisscheme", "totallyopaquecontent")


def novelsc(message: Request) -> None:
    assert message.request_uri == AbsoluteUri("soap.beep", "//192.0.2.103:3002")


def unksm2(message: Request) -> None:
    assert message.to.uri == AbsoluteUri("isbn", "2983792873")
    assert message.from_.uri == AbsoluteUri("http", "//www.example.com")
    assert message.from_tag == "3234233"
    assert message.contacts[0].uri == AbsoluteUri("name", "John_Smith")


def bext01(message: Request) -> None:
    assert message.require == ["nothingSupportsThis", "nothingSupportsThisEither"]


def invut(message: Request) -> None:
    assert message.content_type == "application/unknownformat"
    assert message.body.startswith(b"<audio>")


def regaut01(message: Request) -> None:
    (credentials,) = message.authorizations
    assert credentials.scheme == "NoOneKnowsThisScheme"
    assert credentials == Authorization.parse("NoOneKnowsThisScheme opaque-data=here")


def multi01(message: Request) -> None:
    for name in ("call_id", "from_", "to", "cseq", "max_forwards"):
        with pytest.raises(ParseError, match="is repeated"):
            getattr(message, name)
    assert len(message.contacts) == 2


def bcast(message: Response) -> None:
    assert [via.host for via in message.vias] == ["192.0.2.198", "255.255.255.255"]


def zeromf(message: Request) -> None:
    assert message.max_forwards == 0
    assert check_forwarding(message) == Rejection(483, "Too Many Hops")


def cparam01(message: Request) -> None:
    (contact,) = message.contacts
    assert "unknownparam" in contact.params
    assert "unknownparam" not in uri_of(contact).params


def cparam02(message: Request) -> None:
    (contact,) = message.contacts
    assert "unknownparam" not in contact.params
    assert "unknownparam" in uri_of(contact).params


def regescrt(message: Request) -> None:
    (contact,) = message.contacts
    assert uri_of(contact).headers == (("Route", "<sip:sip.example.com>"),)
    assert str(contact.uri) == "sip:user@example.com?Route=%3Csip:sip.example.com%3E"


def sdp01(message: Request) -> None:
    assert message.accept is not None
    assert [accepted.range.essence for accepted in message.accept] == ["text/nobodyknowsthis"]


def inv2543(message: Request) -> None:
    assert message.top_via.branch is None
    assert message.from_tag is None
    assert message.max_forwards is None
    assert message.headers.get("Content-Length") is None
    assert message.body.startswith(b"v=0\r\n")
    assert message.body.endswith(b"m=audio 49217 RTP/AVP 0\r\n")
    assert uri_of(message.record_routes[0]).params["maddr"] == "ss1.example.com"
    assert message.to.params["user"] == "phone"


CONTENTS: list[Callable[[Any], None]] = [
    *(wsinv, intmeth, esc01, escnull, esc02, lwsdisp, longreq, dblreq, semiuri, transports),
    *(mpart01, unreason, noreason, badinv01, scalar02, scalarlg, quotbal, escruri, baddate),
    *(regbadct, badaspec, mismatch01, mismatch02, badbranch, insuf, unkscm, novelsc, unksm2),
    *(bext01, invut, regaut01, multi01, bcast, zeromf, cparam01, cparam02, regescrt, sdp01),
    inv2543,
]


@pytest.mark.parametrize("check", CONTENTS, ids=lambda check: check.__name__)
def test_a_message_that_is_readable_holds_what_the_rfc_says(check):
    check(read(check.__name__))


@pytest.mark.parametrize(
    ("name", "status", "reason"),
    [
        ("clerr", 400, "the body is cut short"),
        ("ncl", 400, "Content-Length is not a number"),
        ("ltgtruri", 400, "the request line is malformed"),
        ("lwsruri", 400, "the request line is malformed"),
        ("lwsstart", 400, "the request line is malformed"),
        ("trws", 400, "the request line is malformed"),
        ("badvers", 505, "this SIP version is not supported"),
        ("mcl01", 400, "Content-Length is repeated"),
        ("baddn", 400, "the header fields do not end"),
    ],
)
def test_a_request_that_is_refused_at_once_can_still_be_answered(name, status, reason):
    error = refuse(name)
    assert (error.status_hint, error.reason) == (status, reason)
    assert error.request is not None
    assert error.request.top_via.branch or name == "ltgtruri"
    assert error.request.call_id.startswith(f"{name}.")
    assert error.request.cseq.method == error.request.method


def test_every_message_is_checked_for_its_contents_or_refused_at_once():
    refused = {row["name"] for row in MANIFEST if row["parser"] == "refuses"}
    assert {check.__name__ for check in CONTENTS} | refused == set(NAMES)


def test_the_display_name_of_baddn_is_malformed_whatever_ends_the_message():
    request = parse_message(load("baddn") + b"\r\n\r\n")
    with pytest.raises(ParseError):
        _ = request.from_
    with pytest.raises(ParseError):
        _ = request.to


def test_a_status_larger_than_699_is_no_response():
    assert refuse("bigcode").request is None


@pytest.mark.parametrize(
    ("name", "headers"),
    [
        ("bext01", (("Unsupported", "nothingSupportsThis, nothingSupportsThisEither"),)),
        ("intmeth", (("Allow", "INVITE, ACK, CANCEL, BYE, OPTIONS"),)),
        ("regaut01", (("Allow", "INVITE, ACK, CANCEL, BYE, OPTIONS"),)),
        ("invut", (("Accept", "application/sdp"),)),
        ("mismatch01", ()),
    ],
)
def test_a_rejection_carries_the_header_fields_its_status_calls_for(name, headers):
    rejection = check_request(read_request(name))
    assert rejection is not None
    assert rejection.headers == headers


@pytest.mark.parametrize("name", ["ncl", "mcl01", "inv2543"])
def test_over_tcp_a_length_that_cannot_be_told_ends_the_connection(name):
    (error,) = StreamFramer().receive(load(name))
    assert isinstance(error, ParseError)
    assert error.connection_must_close
    assert error.request is not None


def test_over_tcp_a_body_that_is_too_short_is_waited_for():
    framer = StreamFramer()
    assert framer.receive(load("clerr")) == []
    assert framer.is_unfinished


def test_over_tcp_both_messages_of_dblreq_are_read():
    items = StreamFramer().receive(load("dblreq"))
    first, second = (item for item in items if isinstance(item, Request))
    assert (first.method, second.method) == ("REGISTER", "INVITE")
    assert len(second.body) == 150


@pytest.fixture(scope="module")
def rebuild() -> ModuleType:
    spec = importlib.util.spec_from_file_location("rebuild", VECTORS / "rebuild.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def make_rfc(messages: dict[str, bytes]) -> bytes:
    """Make a text with an archive in it as RFC 4475 has, pages and all."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        for name, content in messages.items():
            member = tarfile.TarInfo(f"{name}.dat")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    lines = base64.encodebytes(archive.getvalue()).decode().splitlines()
    page = ["", "Sparks, et al.  [Page 48]", "\f", "RFC 4475  SIP Torture Test", ""]
    indented = [f"   {line}" for line in [*lines[:1], *page, *lines[1:]]]
    begin, end = "   -- BEGIN MESSAGE ARCHIVE --", "   -- END MESSAGE ARCHIVE --"
    return "\n".join(["      Message Details : wsinv", begin, *indented, end]).encode()


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_the_messages_are_rebuilt_from_the_text_of_the_rfc(rebuild, pack, tmp_path):
    text = make_rfc({"wsinv": load("wsinv"), "undescribed": b"x"})
    (tmp_path / "rfc").write_bytes(pack(text))
    assert rebuild.main([str(tmp_path / "rfc"), str(tmp_path)]) == 0
    assert (tmp_path / "wsinv.dat").read_bytes() == load("wsinv")
    assert not (tmp_path / "undescribed.dat").exists()
    assert rebuild.main([]) == 2
