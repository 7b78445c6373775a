"""The peer programs call each other: what they report of our server can then be believed."""

from __future__ import annotations

import hashlib
import re
import socket
from pathlib import Path

import pytest

from orbit_voice.testing.audio import audible, dominant_tone, make_tone, read_wav, write_wav

KINDS = ["pjsua2", "baresip"]
PAIRS = [(caller, callee) for caller in KINDS for callee in KINDS]
CALLER_HZ, CALLEE_HZ = 440.0, 700.0
LEVEL_DB = -12.0
WINDOW = 4000


def tone_file(path: Path, frequency_hz: float) -> Path:
    write_wav(path, make_tone(frequency_hz, duration_s=1.0, level_db=LEVEL_DB))
    return path


def assert_heard(path: Path, frequency_hz: float) -> None:
    """Half a second without a dropout is enough: the stacks' timers suffer on a busy machine."""
    heard = audible(read_wav(path).channel())
    windows = [heard[at : at + WINDOW] for at in range(0, len(heard) - WINDOW, WINDOW)]
    best = max((dominant_tone(window) for window in windows), key=lambda tone: tone.snr_db)
    assert best.frequency_hz == pytest.approx(frequency_hz, abs=1.0)
    assert best.level_db == pytest.approx(LEVEL_DB, abs=0.5)


def digits_of(peer, count: int) -> str:
    return "".join(peer.wait_for("dtmf")["digit"] for _ in range(count))


@pytest.mark.parametrize(("caller_kind", "callee_kind"), PAIRS)
def test_both_hear_the_tone_and_the_digits_of_the_other(
    start_peer, tmp_path, caller_kind, callee_kind
):
    callee = start_peer(
        callee_kind,
        play=tone_file(tmp_path / "callee.wav", CALLEE_HZ),
        record=tmp_path / "heard-by-callee.wav",
        digits="98",
    )
    caller = start_peer(
        caller_kind,
        play=tone_file(tmp_path / "caller.wav", CALLER_HZ),
        record=tmp_path / "heard-by-caller.wav",
        digits="1A#",
        target=callee.address,
        seconds=2.5,
    )
    callee.wait_for("incoming")
    call_id = caller.wait_for("confirmed")["call_id"]
    callee.wait_for("confirmed", call_id=call_id)
    assert digits_of(callee, 3) == "1A#"
    assert digits_of(caller, 2) == "98"
    for peer in (caller, callee):
        peer.wait_for("disconnected", call_id=call_id)
        peer.wait_for("recorded")
        assert peer.stop() == 0
        assert "dtmf" not in peer.unread()
    assert_heard(tmp_path / "heard-by-callee.wav", CALLER_HZ)
    assert_heard(tmp_path / "heard-by-caller.wav", CALLEE_HZ)


@pytest.mark.parametrize(("caller_kind", "callee_kind"), [KINDS, KINDS[::-1]])
def test_orders_place_hold_resume_and_end_a_call_over_tcp(start_peer, caller_kind, callee_kind):
    callee = start_peer(callee_kind)
    caller = start_peer(caller_kind, transport="tcp", codecs="PCMA")
    caller.order(f"dial {callee.address}")
    for peer in (caller, callee):
        peer.wait_for("confirmed")
    caller.order("digits 7")
    callee.wait_for("dtmf", digit="7")
    caller.order("hold")
    callee.wait_for("held")
    caller.order("resume")
    callee.wait_for("resumed")
    callee.order("hangup")
    for peer in (caller, callee):
        peer.wait_for("disconnected")


@pytest.mark.parametrize(("caller_kind", "callee_kind"), [KINDS, KINDS[::-1]])
def test_a_caller_that_gives_up_while_it_rings_ends_the_call_at_both(
    start_peer, caller_kind, callee_kind
):
    callee = start_peer(callee_kind, answer_after=60)
    caller = start_peer(caller_kind, target=callee.address)
    callee.wait_for("incoming")
    caller.wait_for("ringing", status=180)
    caller.order("hangup")
    for peer in (caller, callee):
        peer.wait_for("disconnected")
        assert "confirmed" not in peer.unread()


@pytest.mark.parametrize(
    ("caller_kind", "callee_kind", "status"),
    [("pjsua2", "baresip", 486), ("baresip", "pjsua2", 486), ("baresip", "pjsua2", 603)],
)
def test_a_refusal_is_reported_with_its_status(start_peer, caller_kind, callee_kind, status):
    callee = start_peer(callee_kind, refuse=status)
    caller = start_peer(caller_kind, target=callee.address)
    caller.wait_for("disconnected", status=status)


@pytest.mark.parametrize(("caller_kind", "callee_kind"), [KINDS, KINDS[::-1]])
def test_the_end_of_its_input_hangs_up_and_ends_a_peer(start_peer, caller_kind, callee_kind):
    callee = start_peer(callee_kind)
    caller = start_peer(caller_kind, target=callee.address)
    for peer in (caller, callee):
        peer.wait_for("confirmed")
    assert caller.stop() == 0
    callee.wait_for("disconnected")
    assert callee.stop() == 0


@pytest.mark.parametrize("kind", KINDS)
def test_a_port_that_is_taken_is_a_failure_with_a_reason(start_peer, kind):
    taken = start_peer(kind)
    with pytest.raises(pytest.fail.Exception, match="failed"):
        start_peer(kind, sip_port=taken.sip_port)


@pytest.mark.parametrize("kind", KINDS)
def test_a_challenge_is_answered_and_the_codecs_are_offered_in_order(start_peer, kind):
    with Challenger() as challenger:
        peer = start_peer(kind, username="alice", password="w0nder", codecs="PCMA,PCMU")
        peer.order(f"dial sip:bob@127.0.0.1:{challenger.port}")
        invite = challenger.refuse_after_challenge()
        assert digest_is_right(invite, username="alice", password="w0nder")
        assert re.search(r"m=audio \d+ RTP/AVP 8 0 ", invite)
        peer.wait_for("disconnected", status=486)


class Challenger:
    """A user agent server that demands a digest (RFC 7616, MD5) and is busy."""

    def __enter__(self) -> Challenger:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(20)
        self.port = self._socket.getsockname()[1]
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def refuse_after_challenge(self) -> str:
        """Return the INVITE that carries an Authorization."""
        challenge = 'WWW-Authenticate: Digest realm="wonderland", nonce="n0nce", algorithm=MD5'
        while True:
            invite, source = self._receive("INVITE")
            if "\nAuthorization:" in invite:
                self._answer(invite, source, "486 Busy Here")
                return invite
            self._answer(invite, source, "401 Unauthorized", challenge)

    def _receive(self, method: str) -> tuple[str, tuple[str, int]]:
        while True:
            data, source = self._socket.recvfrom(65536)
            if data.startswith(method.encode()):
                return data.decode(), source

    def _answer(self, request: str, source: tuple[str, int], status: str, *extra: str) -> None:
        kept = re.findall(r"(?im)^(?:via|from|call-id|cseq): .*$", request)
        to = re.findall(r"(?im)^to: .*$", request)[0].strip() + ";tag=busy"
        lines = [f"SIP/2.0 {status}", *(line.strip() for line in kept), to, *extra]
        message = "\r\n".join([*lines, "Content-Length: 0", "", ""])
        self._socket.sendto(message.encode(), source)


def digest_is_right(request: str, *, username: str, password: str) -> bool:
    """Whether the Authorization fits the request (RFC 2617 §3.2.2, without qop)."""
    header = re.findall(r"(?im)^authorization: digest (.*)$", request)[0]
    fields = {name: a or b for name, a, b in re.findall(r'(\w+)=(?:"([^"]*)"|([^\s,]+))', header)}
    first = _md5(f"{username}:{fields['realm']}:{password}")
    second = _md5(f"INVITE:{fields['uri']}")
    return fields["response"] == _md5(f"{first}:{fields['nonce']}:{second}")


def _md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()
