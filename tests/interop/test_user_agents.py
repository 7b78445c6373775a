"""baresip and PJSIP call a whole server and are called by it: audio by its tones, keys, ends."""

from __future__ import annotations

import asyncio
import threading
import time
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from orbit_voice.testing.audio import dominant_tone, make_tone, read_wav, write_wav
from orbit_voice.testing.server_process import ServerProcess

OURS = "+14155550100"
SERVER_HZ, PEER_HZ = 440.0, 700.0
LEVEL_DB = -12.0
WINDOW = 4000
DEADLINE_S = 30.0
KINDS = ["baresip", "pjsua2"]


class World:
    """A server as a process, a client of its API, and tones to play."""

    def __init__(self, server, http, tones_url, directory):
        self.server = server
        self.http = http
        self.tones_url = tones_url
        self.directory = directory

    def ask(self, method, path, **body):
        answer = self.http.request(method, path, json=body or None)
        assert answer.is_success, answer.text
        return answer.json()["data"]

    def trunk_to(self, peer, **fields):
        host_port = peer.address.rpartition("@")[2]
        uri = f"sip:{host_port};transport={fields.pop('transport', 'udp')}"
        trunk = {"name": "peer", "outbound_uri": uri, "encryption": "none", **fields}
        return self.ask("POST", "/v1/voice/sip-trunks", inbound_uris=["127.0.0.1"], **trunk)

    def dial(self, peer, *, transport="udp", **fields):
        """Call the peer through a trunk; by its own URI, as baresip takes no other."""
        trunk = self.trunk_to(peer, transport=transport)
        order = {"to": peer.address, "trunk_id": trunk["id"], **fields}
        return self.ask("POST", "/v1/voice/calls", **order)

    def until(self, call_id, status):
        call = self.eventually(
            lambda: self.ask("GET", f"/v1/voice/calls/{call_id}"),
            lambda call: call["status"] == status or call["ended_at"],
        )
        assert call["status"] == status, call
        return call

    def keys_of(self, call_id, count):
        events = self.eventually(
            lambda: self.ask("GET", f"/v1/voice/calls/{call_id}/events"),
            lambda events: sum(each["type"] == "call.dtmf" for each in events) >= count,
        )
        return "".join(each["data"]["digit"] for each in events if each["type"] == "call.dtmf")

    def eventually(self, look, is_it):
        deadline = time.monotonic() + DEADLINE_S
        while not is_it(seen := look()):
            assert time.monotonic() < deadline, f"it never came to be: {seen}"
            time.sleep(0.05)
        return seen

    def recording(self, call):
        path = self.directory / "recording.wav"
        path.write_bytes(self.http.get(call["recording_url"]).content)
        return path


@pytest.fixture
def world(tmp_path):
    write_wav(tmp_path / "server.wav", make_tone(SERVER_HZ, duration_s=1.0, level_db=LEVEL_DB))
    write_wav(tmp_path / "peer.wav", make_tone(PEER_HZ, duration_s=1.0, level_db=LEVEL_DB))
    handler = partial(QuietHandler, directory=str(tmp_path))
    with (
        ThreadingHTTPServer(("127.0.0.1", 0), handler) as tones,
        asyncio.Runner() as runner,
    ):
        thread = threading.Thread(target=tones.serve_forever, args=(0.05,))
        thread.start()
        server = ServerProcess(tmp_path / "data")
        runner.run(server.__aenter__())
        try:
            with httpx.Client(
                base_url=server.base_url, headers={"X-API-Key": server.api_key}, timeout=30
            ) as http:
                it = World(server, http, f"http://127.0.0.1:{tones.server_port}", tmp_path)
                number = {"number": OURS, "is_default": True, "routing": {"type": "answer"}}
                it.ask("POST", "/v1/numbers", **number)
                yield it
        finally:
            runner.run(server.stop())
            tones.shutdown()
            thread.join()


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


def assert_heard(path, frequency_hz):
    """One half second without a dropout is enough: the peers' timers suffer on a busy machine."""
    samples = read_wav(path).channel()
    windows = [samples[at : at + WINDOW] for at in range(0, len(samples) - WINDOW, WINDOW // 2)]
    best = max(
        (dominant_tone(window) for window in windows if window.any()),
        key=lambda tone: (abs(tone.frequency_hz - frequency_hz) < 1.0, tone.snr_db),
    )
    assert best.frequency_hz == pytest.approx(frequency_hz, abs=1.0)
    assert best.level_db == pytest.approx(LEVEL_DB, abs=0.5)


def keys_heard_by(peer, count):
    return "".join(peer.wait_for("dtmf")["digit"] for _ in range(count))


@pytest.mark.parametrize("kind", KINDS)
def test_a_user_agent_is_called_and_both_hear_tones_and_keys(world, start_peer, tmp_path, kind):
    heard = tmp_path / "heard.wav"
    peer = start_peer(kind, play=tmp_path / "peer.wav", record=heard, digits="98")
    call = world.dial(peer, record=True)
    peer.wait_for("confirmed")
    world.until(call["id"], "in_progress")
    assert world.keys_of(call["id"], 2) == "98"
    time.sleep(1.0)  # of the peer's tone alone, for the recording
    path = f"/v1/voice/calls/{call['id']}"
    world.ask("POST", f"{path}/dtmf", digits="1A#")
    assert keys_heard_by(peer, 3) == "1A#"
    world.ask("POST", f"{path}/play", url=f"{world.tones_url}/server.wav", loop=True)
    time.sleep(2.0)  # of tone
    world.ask("POST", f"{path}/hangup")
    peer.wait_for("disconnected")
    peer.wait_for("recorded")
    ended = world.until(call["id"], "completed")
    assert (ended["hangup"]["by"], ended["hangup"]["cause"]) == ("api", "normal_clearing")
    assert_heard(heard, SERVER_HZ)
    assert_heard(world.recording(ended), PEER_HZ)


@pytest.mark.parametrize("kind", KINDS)
def test_a_user_agent_calls_in_and_both_hear_tones_and_keys(world, start_peer, tmp_path, kind):
    heard = tmp_path / "heard.wav"
    peer = start_peer(kind, play=tmp_path / "peer.wav", record=heard, digits="123")
    world.trunk_to(peer)
    peer.order(f"dial sip:{OURS}@{world.server.sip_address}")
    peer.wait_for("confirmed")
    (call,) = world.ask("GET", "/v1/voice/calls")
    assert (call["direction"], call["to"]) == ("inbound", OURS)
    assert world.keys_of(call["id"], 3) == "123"
    path = f"/v1/voice/calls/{call['id']}"
    world.ask("POST", f"{path}/dtmf", digits="7*")
    assert keys_heard_by(peer, 2) == "7*"
    world.ask("POST", f"{path}/play", url=f"{world.tones_url}/server.wav", loop=True)
    time.sleep(2.0)  # of tone
    peer.order("hangup")
    peer.wait_for("disconnected")
    peer.wait_for("recorded")
    ended = world.until(call["id"], "completed")
    assert ended["hangup"]["by"] == "caller"
    assert ended["media"]["packets_received"] > 50
    assert_heard(heard, SERVER_HZ)


@pytest.mark.parametrize("kind", KINDS)
def test_a_user_agent_is_called_over_tcp_and_hangs_up(world, start_peer, kind):
    peer = start_peer(kind)
    call = world.dial(peer, transport="tcp")
    peer.wait_for("confirmed")
    world.until(call["id"], "in_progress")
    peer.order("hangup")
    ended = world.until(call["id"], "completed")
    assert ended["hangup"]["by"] == "callee"


@pytest.mark.parametrize("kind", KINDS)
def test_a_user_agent_holds_and_resumes(world, start_peer, kind):
    peer = start_peer(kind)
    call = world.dial(peer)
    peer.wait_for("confirmed")
    peer.order("hold")
    time.sleep(0.5)
    peer.order("resume")
    time.sleep(0.5)
    peer.order("digits 5")
    assert world.keys_of(call["id"], 1) == "5"
    world.ask("POST", f"/v1/voice/calls/{call['id']}/hangup")
    peer.wait_for("disconnected")


@pytest.mark.parametrize(
    ("kind", "refusal", "status", "cause"),
    [
        ("baresip", 486, "busy", "user_busy"),
        ("pjsua2", 486, "busy", "user_busy"),
        ("pjsua2", 603, "failed", "call_rejected"),
    ],
)
def test_a_refusal_ends_the_call_as_the_contract_says(
    world, start_peer, kind, refusal, status, cause
):
    peer = start_peer(kind, refuse=refusal)
    call = world.dial(peer)
    ended = world.until(call["id"], status)
    assert (ended["hangup"]["sip_code"], ended["hangup"]["cause"]) == (refusal, cause)


@pytest.mark.parametrize("kind", KINDS)
def test_a_call_is_cancelled_while_a_user_agent_rings(world, start_peer, kind):
    peer = start_peer(kind, answer_after=60)
    call = world.dial(peer)
    world.until(call["id"], "ringing")
    world.ask("POST", f"/v1/voice/calls/{call['id']}/hangup")
    peer.wait_for("disconnected")
    assert world.until(call["id"], "cancelled")["hangup"]["by"] == "api"
    assert "confirmed" not in peer.unread()
