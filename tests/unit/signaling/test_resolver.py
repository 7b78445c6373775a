from __future__ import annotations

import pytest

from orbit_voice.kit.errors import TransportError
from orbit_voice.signaling.resolver import Target, is_numeric, target_of
from orbit_voice.signaling.transport.interfaces import TransportKind

UDP, TCP = TransportKind.UDP, TransportKind.TCP


@pytest.mark.parametrize(
    ("uri", "default", "target"),
    [
        ("sip:a@192.0.2.1", UDP, Target(UDP, "192.0.2.1", 5060)),
        ("sip:a@192.0.2.1:5070", TCP, Target(TCP, "192.0.2.1", 5070)),
        ("sip:a@192.0.2.1;transport=tcp", UDP, Target(TCP, "192.0.2.1", 5060)),
        ("sip:a@192.0.2.1;transport=UDP", TCP, Target(UDP, "192.0.2.1", 5060)),
        ("sip:[2001:db8::1]:5070", UDP, Target(UDP, "2001:db8::1", 5070)),
        ("sip:carrier.example.com", UDP, Target(UDP, "carrier.example.com", 5060)),
        ("sip:a@example.com;maddr=192.0.2.9", UDP, Target(UDP, "192.0.2.9", 5060)),
    ],
)
def test_a_uri_says_where_its_messages_go(uri, default, target):
    assert target_of(uri, default) == target


@pytest.mark.parametrize(
    ("uri", "why"),
    [
        ("sips:a@192.0.2.1", "TLS is not available"),
        ("sip:a@192.0.2.1;transport=sctp", "no transport sctp"),
        ("tel:+4930", "cannot send to tel"),
        ("nonsense", "cannot send to nonsense"),
    ],
)
def test_a_uri_that_cannot_be_reached_is_refused_with_the_reason(uri, why):
    with pytest.raises(TransportError, match=why):
        target_of(uri, UDP)


def test_numbers_are_told_from_names():
    assert is_numeric("192.0.2.1")
    assert is_numeric("2001:db8::1")
    assert not is_numeric("example.com")
    assert not is_numeric("1.2.3")


def test_a_target_is_written_for_people():
    assert str(Target(TCP, "192.0.2.1", 5060)) == "192.0.2.1:5060/tcp"
