"""What `make demo` runs, run: every step happens, and what does not is said in one sentence."""

from __future__ import annotations

import asyncio
import re
import signal
import sys
from pathlib import Path

import pytest

from orbit_voice.testing import server_process
from orbit_voice.testing.audio import audible
from orbit_voice.testing.behaviours import Answer
from orbit_voice.testing.demo.__main__ import main
from orbit_voice.testing.phone import SipPhone

LONGEST_S = 120
ENDS = ("completed", "failed", "busy", "no_answer", "cancelled")


class Demo:
    """The demo as a child process, and what it has shown so far."""

    def __init__(self, data_dir):
        self._command = [sys.executable, "-m", "orbit_voice.testing.demo"]
        self._command += ["--keep", "--data", str(data_dir)]
        self.shown = ""

    async def __aenter__(self):
        self.process = await asyncio.create_subprocess_exec(
            *self._command,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={"PATH": "/usr/bin:/bin", "COLUMNS": "160", "PYTHONIOENCODING": "utf-8"},
        )
        return self

    async def __aexit__(self, *exc_info):
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
            await self.process.communicate()

    async def show(self, text):
        """Read on until ``text`` was shown."""
        async with asyncio.timeout(LONGEST_S):
            while text not in self.shown:
                line = (await self.process.stdout.readline()).decode()
                assert line, self.shown
                self.shown += line

    async def stop(self):
        self.process.send_signal(signal.SIGINT)
        async with asyncio.timeout(LONGEST_S):
            self.shown += (await self.process.stdout.read()).decode()
            return await self.process.wait()


def test_the_demo_shows_a_whole_call_and_then_answers_who_calls_in(tmp_path):
    async def scenario():
        async with Demo(tmp_path / "data") as demo, SipPhone(records=True) as phone:
            await demo.show("stays up")
            check_story(demo.shown, tmp_path / "data")
            (uri,) = re.findall(r"sip:\+14155550100@[\d.:]+", demo.shown)
            leg = phone.call(uri, manner=Answer(digits="www77"))
            await leg.answered()
            await demo.show("call.dtmf  7")
            leg.hangup()
            await demo.show("call.completed\n")
            assert len(audible(await leg.recorded())) > 0
            assert await demo.stop() == 0

    asyncio.run(scenario())


def check_story(shown, data_dir):
    for expected in (
        "challenged  401",
        "call.ringing",
        "call.answered",
        "call.dtmf 4",
        "hears a key  9",
        "✓ recording of",
        "✓ the sentence is in it",
        "every signature right",
    ):
        assert expected in shown
    assert re.findall(rf"call\.({'|'.join(ENDS)})\b", shown) == ["completed"]
    (listen,) = re.findall(r"Listen to it: (\S+)", shown)
    assert data_dir in Path(listen).parents


def test_a_demo_that_cannot_go_on_says_why_and_fails(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(server_process, "PROGRAM", "no-such-program")
    monkeypatch.setattr(sys, "argv", ["demo", "--data", str(tmp_path)])
    assert main() == 1
    assert "✗ The demo failed: the server cannot be run" in capsys.readouterr().out


def test_the_demo_takes_no_other_options(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["demo", "--fast"])
    with pytest.raises(SystemExit, match="2"):
        main()
    assert "--keep" in capsys.readouterr().err
