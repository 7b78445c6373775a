"""A server as a child process: ready when it says so, gone when it is told to go."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys

import httpx
import pytest

from orbit_voice.testing.server_process import ServerProcess, ServerStartError, free_port

STAND_IN = """
import os, signal, sys, time
from http.server import BaseHTTPRequestHandler, HTTPServer

class Handler(BaseHTTPRequestHandler):
    asked = 0

    def do_GET(self):
        Handler.asked += 1
        self.send_response(200 if Handler.asked > 2 else 503)
        self.end_headers()
        self.wfile.write(os.environ["ORBIT_LOG_LEVEL"].encode())

host, port = os.environ["ORBIT_HTTP_BIND"].split(":")
signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
print("up", flush=True)
HTTPServer((host, int(port)), Handler).serve_forever()
"""
"""Becomes ready at the third time of asking, and ends with 7 when asked to."""


def server(tmp_path, program, **environment):
    return ServerProcess(
        tmp_path / "data", environment=environment, command=(sys.executable, "-c", program)
    )


def is_open(server):
    try:
        socket.create_connection(("127.0.0.1", httpx.URL(server.base_url).port)).close()
    except OSError:
        return False
    return True


def test_a_server_is_ready_inside_and_stopped_after(run, tmp_path):
    async def scenario():
        async with server(tmp_path, STAND_IN, ORBIT_LOG_LEVEL="debug") as one:
            async with httpx.AsyncClient() as client:
                answer = await client.get(f"{one.base_url}/readyz")
            assert (answer.status_code, answer.text) == (200, "debug")
            assert await one.stop() == 7
            assert await one.stop() is None
        assert not is_open(one)

    run(scenario())


def test_a_server_that_crashed_is_started_again_on_the_same_ports(run, tmp_path):
    async def scenario():
        async with server(tmp_path, STAND_IN, ORBIT_LOG_LEVEL="info") as one:
            await one.kill()
            assert not is_open(one)
            await one.start()
            assert is_open(one)
            assert one.log_file.read_text().splitlines().count("up") == 2

    run(scenario())


def test_settings_of_our_own_environment_do_not_leak_in(run, tmp_path, monkeypatch):
    monkeypatch.setenv("ORBIT_LOG_LEVEL", "leaked")

    async def scenario():
        with pytest.raises(ServerStartError, match="KeyError: 'ORBIT_LOG_LEVEL'"):
            async with server(tmp_path, "import os; os.environ['ORBIT_LOG_LEVEL']"):
                pass

    run(scenario())


def test_a_server_that_does_not_come_up_says_why(run, tmp_path):
    async def scenario():
        with pytest.raises(ServerStartError, match="ended with 3:\nno room"):
            async with server(tmp_path, "import sys; print('no room', flush=True); sys.exit(3)"):
                pass

    run(scenario())


def test_a_server_that_is_not_there_is_told_so(run, tmp_path):
    async def scenario():
        with pytest.raises(ServerStartError, match=r"cannot be run.*no-such-program"):
            await ServerProcess(tmp_path, command=("/no-such-program",)).start()

    run(scenario())


def test_a_server_that_ignores_the_wish_to_stop_is_killed(run, tmp_path, monkeypatch):
    monkeypatch.setattr("orbit_voice.testing.server_process.STOP_S", 0.2)
    deaf = STAND_IN.replace("lambda *_: sys.exit(7)", "signal.SIG_IGN")

    async def scenario():
        async with server(tmp_path, deaf, ORBIT_LOG_LEVEL="info") as one:
            assert await one.stop() == -signal.SIGKILL

    run(scenario())


def test_cancelling_a_start_leaves_nothing_behind(run, tmp_path):
    async def scenario():
        one = server(tmp_path, STAND_IN.replace("> 2", "> 10**9"), ORBIT_LOG_LEVEL="info")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5), one:
                pass
        assert not is_open(one)

    run(scenario())


def test_a_free_port_is_free_for_udp_and_tcp():
    port = free_port()
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as one:
            one.bind(("127.0.0.1", port))
