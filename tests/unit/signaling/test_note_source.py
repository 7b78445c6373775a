from __future__ import annotations

import pytest

from orbit_voice.signaling.inbound_requests import note_source
from orbit_voice.sip.message import Headers, Request, Response

SOURCE = ("198.51.100.7", 4321)


def noted(*lines: str) -> list[str]:
    request = Request("OPTIONS", "sip:x@y", Headers([("Via", line) for line in lines]))
    response = Response.to_request(request, 200)
    note_source(response, request.top_via, SOURCE)
    return response.headers.get_all("Via")


@pytest.mark.parametrize(
    ("via", "expected"),
    [
        (
            "SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bK1",
            "SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bK1",
        ),
        (
            "SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bK1",
            "SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bK1;received=198.51.100.7",
        ),
        (
            "SIP/2.0/UDP 10.0.0.1;rport;branch=z9hG4bK1",
            "SIP/2.0/UDP 10.0.0.1;rport=4321;branch=z9hG4bK1;received=198.51.100.7",
        ),
    ],
)
def test_the_source_is_written_into_the_topmost_via(via, expected):
    assert noted(via) == [expected]


def test_what_stands_below_is_left_as_it_came():
    first, second = noted(
        'SIP/2.0/UDP a;branch=z9hG4bK1, SIP/2.0/TCP b ;x="1,2"', "SIP/2.0/UDP c  ;y"
    )
    assert first.endswith(', SIP/2.0/TCP b ;x="1,2"')
    assert second == "SIP/2.0/UDP c  ;y"
