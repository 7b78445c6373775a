from __future__ import annotations

import pytest

from orbit_voice.kit.errors import TransportError
from orbit_voice.signaling.resolver import Target
from orbit_voice.signaling.transport.interfaces import TransportKind
from orbit_voice.signaling.ways import next_hop
from orbit_voice.sip.message import Headers, Request

UDP, TCP = TransportKind.UDP, TransportKind.TCP
PROXY = "sip:198.51.100.1:5080;transport=tcp"


def make(method: str, *, to_tag: str = "", route: str | None = None) -> Request:
    headers = Headers([("To", f"<sip:b@192.0.2.2>{to_tag}")])
    if route is not None:
        headers.add("Route", route)
    return Request(method, "sip:b@192.0.2.2", headers)


@pytest.mark.parametrize(
    ("request_", "proxy", "target"),
    [
        (make("INVITE"), None, Target(UDP, "192.0.2.2", 5060)),
        (make("INVITE"), PROXY, Target(TCP, "198.51.100.1", 5080)),
        (make("INVITE", to_tag=";tag=1"), PROXY, Target(UDP, "192.0.2.2", 5060)),
        (make("BYE", to_tag=";tag=1"), PROXY, Target(UDP, "192.0.2.2", 5060)),
        (
            make("BYE", to_tag=";tag=1", route="<sip:192.0.2.3;lr>, <sip:192.0.2.4;lr>"),
            PROXY,
            Target(UDP, "192.0.2.3", 5060),
        ),
    ],
)
def test_the_next_hop_is_the_proxy_for_the_first_invite_else_the_route_else_the_request_uri(
    request_, proxy, target
):
    assert next_hop(request_, proxy=proxy, default=UDP) == target


@pytest.mark.parametrize("route", ["<sip:192.0.2.3", "<tel:+1>"])
def test_a_route_that_leads_nowhere_is_a_transport_error(route):
    with pytest.raises(TransportError):
        next_hop(make("BYE", route=route), proxy=None, default=UDP)
