from __future__ import annotations

import asyncio

import pytest

from orbit_voice.kit.errors import CallError, ErrorCode
from orbit_voice.webhooks.guard import MAX_ADDRESSES, UrlGuard
from orbit_voice.webhooks.resolver import ResolutionError
from orbit_voice.webhooks.targets import MAX_URL_CHARACTERS, UrlRefusedError, parse_target

NAMES = {
    "public.example": ["93.184.215.14"],
    "dual.example": ["93.184.215.14", "2606:4700::1111"],
    "rebound.example": ["93.184.215.14", "127.0.0.1"],
    "inside.example": ["10.1.2.3"],
    "inside6.example": ["fd00::1"],
    "scoped.example": ["fe80::1%eth0"],
    "many.example": [f"93.184.215.{n}" for n in range(1, 20)],
    "localhost": ["127.0.0.1"],
}


async def resolve(host: str) -> list[str]:
    try:
        return NAMES[host]
    except KeyError:
        raise ResolutionError(host) from None


def check(url: str, *allow: str) -> None:
    asyncio.run(UrlGuard(resolver=resolve, allow=allow).check(url))


def pin(url: str, *allow: str) -> list[str]:
    guard = UrlGuard(resolver=resolve, allow=allow)
    return [str(address) for address in asyncio.run(guard.pin(parse_target(url)))]


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.255.255.254",
        "127.1",
        "0x7f.1",
        "0x7f000001",
        "2130706433",
        "0177.0.0.1",
        "017700000001",
        "127.0.0.1.",
        "１２７.0.0.1",
        "127。0。0。1",
        "0",
        "0.0.0.0",
        "10.0.0.1",
        "10.255.255.255",
        "100.64.0.1",
        "100.100.100.200",
        "100.127.255.255",
        "168.63.129.16",
        "169.254.169.254",
        "0xa9fea9fe",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.192",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.1.1",
        "198.18.0.1",
        "198.51.100.7",
        "203.0.113.9",
        "224.0.0.1",
        "239.255.255.250",
        "240.0.0.1",
        "255.255.255.255",
        "[::]",
        "[::1]",
        "[0:0:0:0:0:0:0:1]",
        "[::127.0.0.1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::ffff:10.0.0.1]",
        "[64:ff9b::127.0.0.1]",
        "[64:ff9b::a9fe:a9fe]",
        "[64:ff9b:1::1]",
        "[2002:7f00:1::]",
        "[2002:a00:1::1]",
        "[2001::1]",
        "[2001:db8::1]",
        "[3fff::1]",
        "[fc00::1]",
        "[fd00:ec2::254]",
        "[fe80::1]",
        "[fe80::1%25eth0]",
        "[2606:4700::1111%eth0]",
        "[fec0::1]",
        "[ff02::1]",
        "[100::1]",
        "[4000::1]",
        "inside.example",
        "INSIDE.example.",
        "inside6.example",
        "scoped.example",
        "rebound.example",
        "localhost",
        "LOCALHOST.",
    ],
)
def test_a_host_that_is_not_public_is_refused(host: str) -> None:
    with pytest.raises(UrlRefusedError):
        check(f"https://{host}/hook")


@pytest.mark.parametrize(
    "url",
    [
        "https://public.example/hook",
        "http://public.example:8080/hook?a=1#part",
        "https://dual.example",
        "https://93.184.215.14/",
        "https://9.255.255.255/",
        "https://11.0.0.0/",
        "https://100.63.255.255/",
        "https://100.128.0.0/",
        "https://172.32.0.1/",
        "https://[2606:4700::1111]:8443/",
        "https://[::ffff:93.184.215.14]/",
        "https://[64:ff9b::5db8:d70e]/",
    ],
)
def test_a_public_host_passes(url: str) -> None:
    check(url)
    assert pin(url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "public.example/hook",
        "//public.example/hook",
        "ftp://public.example/",
        "file:///etc/passwd",
        "gopher://public.example/",
        "javascript:alert(1)",
        "https://",
        "https:///hook",
        "https://user@public.example/",
        "https://user:secret@public.example/",
        "https://@public.example/",
        "https://public.example:0/",
        "https://public.example:/",
        "https://public.example:65536/",
        "https://public.example:https/",
        "https://public.example:-1/",
        "https://public.example:22/",
        "https://public.example:25/",
        "https://public.example:5060/",
        "https://public.example:6667/",
        "https://public.example\\@127.0.0.1/",
        "https://public.example/ho ok",
        "https://public.example/\r\nX: y",
        "https://pub\tlic.example/",
        "https://%31%32%37.0.0.1/",
        "https://public..example/",
        "https://-public.example/",
        f"https://{'a' * 64}.example/",
        "https://1.2.3.4.5/",
        "https://256.256.256.256/",
        "https://99999999999/",
        "https://0x/",
        "https://[::1/",
        "https://[1.2.3.4]/",
        "https://[::1]x/",
        "https://public.example/" + "a" * MAX_URL_CHARACTERS,
    ],
)
def test_a_url_that_can_be_misread_is_refused(url: str) -> None:
    with pytest.raises(UrlRefusedError):
        check(url)


def test_a_refusal_is_the_contracts_error() -> None:
    with pytest.raises(CallError, match="a loopback address") as caught:
        check("http://127.0.0.1:9/")
    assert caught.value.code is ErrorCode.INVALID_WEBHOOK_URL
    assert caught.value.details["expected"] == "an http(s) URL of a public host"


@pytest.mark.parametrize(
    ("entry", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:25/"),
        ("127.0.0.0/8", "http://0x7f.1/"),
        ("127.0.0.0/8", "http://[::ffff:127.0.0.1]/"),
        ("127.0.0.0/8", "http://localhost:9000/"),
        ("::1", "http://[::1]/"),
        ("[::1]", "http://[::1]/"),
        ("fd00::/8", "http://inside6.example/"),
        ("Inside.Example", "http://inside.example./"),
    ],
)
def test_what_the_operator_allows_passes(entry: str, url: str) -> None:
    with pytest.raises(UrlRefusedError):
        check(url)
    check(url, entry)


@pytest.mark.parametrize(
    ("entry", "url"),
    [
        ("127.0.0.1", "http://127.0.0.2/"),
        ("10.0.0.0/8", "http://rebound.example/"),
        ("inside.example", "http://inside6.example/"),
        ("example", "http://inside.example/"),
        ("inside.example", "http://10.1.2.3/"),
    ],
)
def test_what_the_operator_allows_opens_nothing_else(entry: str, url: str) -> None:
    with pytest.raises(UrlRefusedError):
        check(url, entry)


def test_a_broken_network_in_the_settings_is_told_at_the_start() -> None:
    with pytest.raises(ValueError, match="host bits set"):
        UrlGuard(resolver=resolve, allow=["10.0.0.1/8"])


def test_a_name_that_cannot_be_looked_up_now_is_judged_when_it_is_called() -> None:
    check("https://unknown.example/")
    with pytest.raises(ResolutionError):
        pin("https://unknown.example/")


def test_a_name_with_many_addresses_is_tried_at_a_few() -> None:
    assert pin("https://many.example/") == NAMES["many.example"][:MAX_ADDRESSES]


def test_a_target_has_one_spelling() -> None:
    target = parse_target("HTTPS://Bücher.Example.:8443/päth?q=ä&x=%20#part")
    assert target.host == "xn--bcher-kva.example"
    assert target.authority == "xn--bcher-kva.example:8443"
    assert target.path == "/p%C3%A4th?q=%C3%A4&x=%20"
    assert parse_target("http://[2606:4700:0::1111]:80").authority == "[2606:4700::1111]"
