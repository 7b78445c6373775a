"""Real speech, from text to a file that can be heard."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import textwrap
import time
import wave
from pathlib import Path

import numpy as np
import pytest

from orbit_voice.kit.errors import ProviderError
from orbit_voice.speech import HibariWorker, PromptCache
from orbit_voice.speech.hibari_voices import installed_voices
from orbit_voice.speech.worker import HIBARI_COMMAND

SENTENCE = "Thank you for calling. She sells six seashells; please hold the line."
WORDS = 12


def read(path: Path) -> np.ndarray:
    with wave.open(str(path)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (8000, 1, 2)
        return np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32768


def dbfs(audio: np.ndarray) -> float:
    return 20 * np.log10(np.sqrt(np.mean(audio**2)) + 1e-9)


def test_a_sentence_is_spoken_once_and_then_comes_from_the_cache(tmp_path):
    async def scenario():
        async with HibariWorker() as engine, PromptCache(tmp_path, engine, limit_bytes=10**6) as c:
            prompt = await c.render(SENTENCE)
            assert engine.pid is not None
        async with HibariWorker() as engine, PromptCache(tmp_path, engine, limit_bytes=10**6) as c:
            assert await c.render(f"  {SENTENCE} ", language="EN-us") == prompt
            assert engine.pid is None  # the program was not needed
        return prompt

    prompt = asyncio.run(scenario())
    audio = read(prompt.path)
    assert prompt.duration_s == len(audio) / 8000
    assert 0.2 < prompt.duration_s / WORDS < 0.7  # 90 to 300 words a minute
    assert -35 < dbfs(audio) < -15
    assert np.max(np.abs(audio)) < 1.0
    blocks = audio[: len(audio) // 160 * 160].reshape(-1, 160)
    loud = np.mean([dbfs(block) > -40 for block in blocks])
    assert loud > 0.4  # speech, not a click and silence
    power = np.abs(np.fft.rfft(audio)) ** 2
    frequency = np.fft.rfftfreq(len(audio), 1 / 8000)
    assert power[(frequency > 100) & (frequency < 3000)].sum() > 0.9 * power.sum()
    assert power[frequency > 3900].sum() < 1e-4 * power.sum()  # nothing folded at the edge


def test_what_cannot_be_spoken_is_refused_by_name(tmp_path):
    async def scenario():
        async with HibariWorker() as engine, PromptCache(tmp_path, engine, limit_bytes=10**6) as c:
            assert c.voices()[0].name == "heart"
            for request in (
                {"text": "你好"},
                {"text": "hello", "voice": "nobody"},
                {"text": "hello", "language": "de-DE"},
            ):
                with pytest.raises(ProviderError) as caught:
                    await c.render(**request)
                assert caught.value.category == "rejected"
            assert (await c.render("hello")).duration_s > 0.2

    asyncio.run(scenario())


def test_importing_speech_loads_no_model_and_no_array_library():
    code = """
        import sys, orbit_voice.speech
        assert not {"numpy", "onnxruntime", "hibari"} & sys.modules.keys()
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True)


def test_without_further_model_files_the_one_voice_within_the_package_is_installed(
    monkeypatch, tmp_path
):
    monkeypatch.setenv("HIBARI_HOME", str(tmp_path))
    assert [voice.name for voice in installed_voices()] == ["heart"]
    (tmp_path / "bf_emma.int8.onnx").write_bytes(b"a model")
    assert [(v.name, v.language) for v in installed_voices()][1:] == [("emma", "en-GB")]


def test_the_program_ends_with_a_server_that_is_killed(tmp_path):
    server = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(KILLED_SERVER)], stdout=subprocess.PIPE
    )
    assert server.stdout is not None
    with server.stdout:
        said = next(line for line in server.stdout if line.startswith(b"renders in "))
        pid = int(said.split()[-1])
        server.send_signal(signal.SIGKILL)
        server.wait()
    deadline = time.monotonic() + 30
    while Path(f"/proc/{pid}").exists() and not is_zombie(pid):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def is_zombie(pid: int) -> bool:
    """Whether it ended and waits for whoever inherited it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


KILLED_SERVER = """
    import asyncio
    from orbit_voice.speech import HibariWorker

    async def serve():
        async with HibariWorker() as engine:
            await engine.synthesize("hello", engine.voices()[0])
            print("renders in", engine.pid, flush=True)
            await engine.synthesize("a long story. " * 350, engine.voices()[0])
            await asyncio.sleep(3600)

    asyncio.run(serve())
"""


def test_the_program_ends_with_its_input():
    program = subprocess.run(
        HIBARI_COMMAND, stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=True
    )
    assert program.stderr == b""
