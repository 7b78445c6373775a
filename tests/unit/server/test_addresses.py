from __future__ import annotations

import ipaddress

import pytest

from orbit_voice.server.addresses import host_port, public_address


def test_the_configured_address_is_told() -> None:
    assert public_address("203.0.113.7", "0.0.0.0") == "203.0.113.7"


@pytest.mark.parametrize("bound", ["127.0.0.1", "::1", "192.0.2.4"])
def test_without_one_the_bound_address_is_told(bound: str) -> None:
    assert public_address("", bound) == bound


@pytest.mark.parametrize("wildcard", ["0.0.0.0", "::"])
def test_bound_to_all_an_address_of_this_machine_is_told(wildcard: str) -> None:
    told = ipaddress.ip_address(public_address("", wildcard))
    assert told.version == ipaddress.ip_address(wildcard).version
    assert not told.is_unspecified


def test_an_ipv6_address_gets_brackets() -> None:
    assert host_port("2001:db8::1", 5060) == "[2001:db8::1]:5060"
    assert host_port("192.0.2.1", 5060) == "192.0.2.1:5060"
