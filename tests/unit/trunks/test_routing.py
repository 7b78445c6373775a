from __future__ import annotations

from datetime import UTC, datetime

import pytest

from orbit_voice.trunks.records import Trunk
from orbit_voice.trunks.routing import choose_trunk, destination_uri, trunks_of_source

NOW = datetime(2026, 1, 31, 8, tzinfo=UTC)


def trunk(name="one", outbound_uri="sip:192.0.2.9", inbound_uris=()):
    return Trunk(f"trk_{name}", "org_1", name, outbound_uri, NOW, NOW, inbound_uris)


def test_a_call_takes_the_first_trunk_or_the_one_it_names():
    one, two = trunk("one"), trunk("two")
    assert choose_trunk([one, two], None) is one
    assert choose_trunk([one, two], "trk_two") is two
    assert choose_trunk([one, two], "trk_three") is None
    assert choose_trunk([], None) is None


@pytest.mark.parametrize(
    ("outbound_uri", "expected"),
    [
        ("sip:192.0.2.9", "sip:+14155550123@192.0.2.9;user=phone"),
        ("sip:carrier.example:5080", "sip:+14155550123@carrier.example:5080;user=phone"),
        ("sip:[2001:db8::1]:5060", "sip:+14155550123@[2001:db8::1]:5060;user=phone"),
    ],
)
def test_a_number_is_asked_for_at_the_carriers_host(outbound_uri, expected):
    assert destination_uri(trunk(outbound_uri=outbound_uri), "+14155550123") == expected


@pytest.mark.parametrize(
    ("inbound", "source", "is_theirs"),
    [
        ("198.51.100.7", "198.51.100.7", True),
        ("198.51.100.7", "198.51.100.8", False),
        ("198.51.100.0/24", "198.51.100.8", True),
        ("198.51.100.9/24", "198.51.100.8", True),
        ("sip:198.51.100.7:5080", "198.51.100.7", True),
        ("2001:db8::/32", "2001:db8::7", True),
        ("sip:[2001:db8::7]", "2001:db8::7", True),
        ("2001:db8::/32", "198.51.100.7", False),
        ("carrier.example", "198.51.100.7", False),
        ("sip:", "198.51.100.7", False),
    ],
)
def test_a_source_address_belongs_to_the_trunks_that_claim_it(inbound, source, is_theirs):
    claiming = trunk(outbound_uri="sip:carrier.example", inbound_uris=(inbound,))
    assert trunks_of_source([claiming], source) == ([claiming] if is_theirs else [])


def test_a_carrier_calls_from_where_it_is_called():
    one, two = trunk("one", "sip:192.0.2.9:5080"), trunk("two", "sip:192.0.2.10")
    assert trunks_of_source([one, two], "192.0.2.9") == [one]
