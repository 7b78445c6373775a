from __future__ import annotations

from orbit_voice.signaling import local_names
from orbit_voice.signaling.local_names import LocalNames


class Routes:
    """A network that knows routes only, and counts how often it is asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def source_address(self, remote_host: str) -> str:
        self.asked.append(remote_host)
        return f"192.0.2.{len(self.asked)}"


def test_the_advertised_host_is_told_to_everybody():
    names = LocalNames(Routes(), "voice.example.com", "0.0.0.0")
    assert names.towards("198.51.100.1") == "voice.example.com"


def test_a_bound_address_is_told_as_it_is():
    assert LocalNames(Routes(), None, "192.0.2.77").towards("198.51.100.1") == "192.0.2.77"


def test_bound_to_any_address_the_route_decides_and_is_remembered():
    routes = Routes()
    names = LocalNames(routes, None, "0.0.0.0")
    assert names.towards("198.51.100.1") == names.towards("198.51.100.1") == "192.0.2.1"
    assert names.towards("198.51.100.2") == "192.0.2.2"
    assert routes.asked == ["198.51.100.1", "198.51.100.2"]
    names.forget()
    assert names.towards("198.51.100.1") == "192.0.2.3"


def test_a_flood_of_peers_does_not_fill_the_memory(monkeypatch):
    monkeypatch.setattr(local_names, "MAX_REMEMBERED", 2)
    routes = Routes()
    names = LocalNames(routes, None, "::")
    for peer in ("a", "b", "c", "c"):
        names.towards(peer)
    assert routes.asked == ["a", "b", "c"]
