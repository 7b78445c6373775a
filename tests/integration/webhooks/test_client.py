"""The guarded client against a real server on loopback."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from orbit_voice.webhooks.client import EXCERPT_BYTES, HttpClient, RequestError
from orbit_voice.webhooks.fetching import BoundedFetch, FetchError
from orbit_voice.webhooks.guard import UrlGuard
from orbit_voice.webhooks.resolver import SystemResolver
from orbit_voice.webhooks.targets import UrlRefusedError

LOOPBACK = ("127.0.0.0/8",)


async def to_loopback(host: str) -> list[str]:
    return ["127.0.0.1"]


def loopback_guard() -> UrlGuard:
    return UrlGuard(resolver=to_loopback, allow=LOOPBACK)


def always(response: bytes | None) -> Callable[..., Awaitable[bytes | None]]:
    async def respond(request: Any, writer: asyncio.StreamWriter) -> bytes | None:
        return response

    return respond


def test_a_post_arrives_as_it_was_given(receiving: Any, answer: Any) -> None:
    async def scenario() -> None:
        async with (
            receiving(always(answer(201, b"thanks"))) as receiver,
            HttpClient(loopback_guard()) as client,
        ):
            url = receiver.url("/a/b?c=1", host="hooks.example")
            got = await client.post(url, b'{"a":1}', {"X-Test": "yes"}, timeout_s=5.0)
            assert (got.status, got.excerpt) == (201, "thanks")
            (request,) = receiver.requests
            assert (request.method, request.path, request.body) == ("POST", "/a/b?c=1", b'{"a":1}')
            assert request.headers["host"] == f"hooks.example:{receiver.port}"
            assert request.headers["x-test"] == "yes"
            assert request.headers["content-length"] == "7"

    asyncio.run(scenario())


def test_a_connection_is_used_again(receiving: Any, answer: Any) -> None:
    async def scenario() -> None:
        async with (
            receiving(always(answer(200))) as receiver,
            HttpClient(loopback_guard()) as client,
        ):
            for _ in range(3):
                await client.post(receiver.url(), b"", {}, timeout_s=5.0)
            assert receiver.connections == 1

    asyncio.run(scenario())


def test_a_redirect_is_not_followed(receiving: Any, answer: Any) -> None:
    async def scenario() -> None:
        async with (
            receiving(always(answer(200))) as inside,
            receiving(
                always(answer(307, b"", f"Location: {inside.url()}", "Set-Cookie: a=b"))
            ) as receiver,
            HttpClient(loopback_guard()) as client,
        ):
            for _ in range(2):
                got = await client.post(receiver.url(), b"", {}, timeout_s=5.0)
                assert got.status == 307
            assert inside.requests == []
            assert all("cookie" not in request.headers for request in receiver.requests)

    asyncio.run(scenario())


def test_an_oversized_answer_is_cut(receiving: Any) -> None:
    sent = 0

    async def flood(request: Any, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")
        while sent < 100_000_000:
            writer.write(b"x" * 65536)
            sent += 65536
            await writer.drain()

    async def scenario() -> None:
        async with receiving(flood) as receiver, HttpClient(loopback_guard()) as client:
            got = await client.post(receiver.url(), b"", {}, timeout_s=10.0)
            assert (got.status, got.excerpt) == (200, "x" * EXCERPT_BYTES)

    asyncio.run(scenario())
    assert sent < 50_000_000  # what socket buffers hold, and no more


def test_a_body_that_drips_does_not_take_the_success_back(receiving: Any) -> None:
    async def drip(request: Any, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nab")
        await asyncio.sleep(60.0)

    async def scenario() -> None:
        async with receiving(drip) as receiver, HttpClient(loopback_guard()) as client:
            got = await client.post(receiver.url(), b"", {}, timeout_s=10.0)
            assert (got.status, got.excerpt) == (200, "ab")

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "response",
    [
        None,
        b"SSH-2.0-server\r\n\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 300_000,
        b"".join([b"HTTP/1.1 200 OK\r\n", *(b"X-%d: y\r\n" % n for n in range(20_000))]),
    ],
)
def test_what_is_no_answer_is_a_failure(receiving: Any, response: bytes | None) -> None:
    async def scenario() -> None:
        async with receiving(always(response)) as receiver, HttpClient(loopback_guard()) as client:
            with pytest.raises(RequestError):
                await client.post(receiver.url(), b"", {}, timeout_s=5.0)

    asyncio.run(scenario())


def test_silence_ends_in_time(receiving: Any) -> None:
    async def hang(request: Any, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(60.0)

    async def scenario() -> None:
        async with receiving(hang) as receiver, HttpClient(loopback_guard()) as client:
            with pytest.raises(RequestError, match="in time"):
                await client.post(receiver.url(), b"", {}, timeout_s=0.2)

    asyncio.run(scenario())


def test_nobody_listening_is_a_failure() -> None:
    async def scenario() -> None:
        server = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        server.close()
        await server.wait_closed()
        async with HttpClient(loopback_guard()) as client:
            with pytest.raises(RequestError):
                await client.post(f"http://127.0.0.1:{port}/", b"", {}, timeout_s=5.0)

    asyncio.run(scenario())


def test_a_name_that_moves_inside_after_the_check_is_not_called(receiving: Any) -> None:
    answers = [["93.184.215.14"], ["127.0.0.1"]]

    async def rebinding(host: str) -> list[str]:
        return answers.pop(0)

    async def scenario() -> None:
        guard = UrlGuard(resolver=rebinding)
        async with receiving(always(None)) as receiver, HttpClient(guard) as client:
            url = receiver.url(host="rebinding.example")
            await guard.check(url)
            with pytest.raises(UrlRefusedError):
                await client.post(url, b"", {}, timeout_s=5.0)
            assert receiver.connections == 0

    asyncio.run(scenario())


def test_environment_proxies_are_not_used(
    receiving: Any, answer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    test_a_connection_is_used_again(receiving, answer)


def test_the_system_resolver_knows_localhost() -> None:
    async def scenario() -> list[str]:
        async with SystemResolver() as resolver:
            return await resolver("localhost")

    assert set(asyncio.run(scenario())) <= {"127.0.0.1", "::1"}


def test_tls_is_verified_for_the_urls_host(receiving: Any, answer: Any, tmp_path: Path) -> None:
    certificate, key = _certificate("hooks.example", tmp_path)
    server_side = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server_side.load_cert_chain(certificate, key)
    asked_for: list[str | None] = []
    server_side.sni_callback = lambda sock, name, context: asked_for.append(name)
    trusting = ssl.create_default_context(cafile=str(certificate))

    async def scenario() -> None:
        async with (
            receiving(always(answer(200)), tls=server_side) as receiver,
            HttpClient(loopback_guard(), ssl_context=trusting) as client,
        ):
            right = receiver.url(host="hooks.example", scheme="https")
            assert (await client.post(right, b"", {}, timeout_s=5.0)).status == 200
            wrong = receiver.url(host="other.example", scheme="https")
            with pytest.raises(RequestError, match=r"other\.example"):
                await client.post(wrong, b"", {}, timeout_s=5.0)
        assert asked_for == ["hooks.example", "other.example"]

    asyncio.run(scenario())


def test_a_file_is_fetched_whole(receiving: Any, answer: Any, tmp_path: Path) -> None:
    audio = bytes(range(256)) * 4096

    async def scenario() -> None:
        async with (
            receiving(always(answer(200, audio, "Content-Type: audio/wav"))) as receiver,
            HttpClient(loopback_guard()) as client,
        ):
            path = tmp_path / "prompt.wav"
            got = await BoundedFetch(client).fetch_audio(receiver.url("/a.wav"), path)
            assert (got.path, got.size_bytes, got.content_type) == (path, 2**20, "audio/wav")
            assert receiver.requests[0].method == "GET"
        assert path.read_bytes() == audio

    asyncio.run(scenario())
    assert [path.name for path in tmp_path.iterdir()] == ["prompt.wav"]


@pytest.mark.parametrize(
    ("response", "why"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n" + b"x" * 2000, "longer than 1000"),
        (b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n", "404 instead of 200"),
        (b"HTTP/1.1 302 No\r\nContent-Length: 0\r\nLocation: /b\r\n\r\n", "302 instead of 200"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\nshort", "in time"),
    ],
)
def test_a_file_that_is_not_had_leaves_nothing(
    receiving: Any, tmp_path: Path, response: bytes, why: str
) -> None:
    async def scenario() -> None:
        async with receiving(always(response)) as receiver, HttpClient(loopback_guard()) as client:
            fetch = BoundedFetch(client)
            with pytest.raises(FetchError, match=why):
                await fetch.fetch_audio(
                    receiver.url(), tmp_path / "a.wav", limit_bytes=1000, timeout_s=0.5
                )

    asyncio.run(scenario())
    assert list(tmp_path.iterdir()) == []


def _certificate(host: str, directory: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    paths = directory / "certificate.pem", directory / "key.pem"
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return paths
