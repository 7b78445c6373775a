from __future__ import annotations

import asyncio
import os
import shutil
import struct
from pathlib import Path

import pytest

from orbit_voice.kit.errors import ProviderError
from orbit_voice.speech import Prompt, PromptCache, Voice
from orbit_voice.speech.wav import encode_wav

HEART = Voice("heart", "en-US", "female")
EMMA = Voice("emma", "en-GB", "female")
BLOCK = 4096
LIMIT = 100 * BLOCK


class FakeEngine:
    """Speaks 10 ms a letter, and counts."""

    name = "fake"

    def __init__(self, version: str = "1") -> None:
        self.version = version
        self.spoken: list[str] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.failure: ProviderError | None = None
        self.audio: bytes | None = None

    def voices(self) -> tuple[Voice, ...]:
        return (HEART, EMMA)

    async def synthesize(self, text: str, voice: Voice) -> bytes:
        self.spoken.append(text)
        await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        if self.audio is not None:
            return self.audio
        return encode_wav(struct.pack("<h", len(voice.name)) * 80 * len(text))


def files(directory: Path) -> list[Path]:
    return sorted(directory.iterdir())


def cache(directory: Path, engine: FakeEngine, **options) -> PromptCache:
    return PromptCache(directory, engine, **{"limit_bytes": LIMIT, **options})


def run(scenario) -> None:
    asyncio.run(asyncio.wait_for(scenario(), 30))


def test_what_was_said_once_is_not_rendered_again(tmp_path):
    async def scenario():
        engine = FakeEngine()
        async with cache(tmp_path / "new", engine) as prompts:
            first = await prompts.render("Hello")
            assert first.duration_s == 0.05
            assert first.path.read_bytes() == await FakeEngine().synthesize("Hello", HEART)
            assert await prompts.render(" Hello\n") == first
        assert engine.spoken == ["Hello"]

    run(scenario)


def test_text_voice_language_and_version_each_make_another_prompt(tmp_path):
    async def scenario():
        paths = set()
        for version in "12":
            async with cache(tmp_path, FakeEngine(version)) as prompts:
                for request in (
                    {"text": "Hello"},
                    {"text": "hello"},
                    {"text": "Hello", "voice": "emma"},
                    {"text": "Hello", "language": "en-GB"},  # emma again
                ):
                    paths.add((await prompts.render(**request)).path)
        assert len(paths) == 6

    run(scenario)


def test_asked_for_twice_at_once_it_is_rendered_once(tmp_path):
    async def scenario():
        engine = FakeEngine()
        engine.gate.clear()
        async with cache(tmp_path, engine) as prompts:
            asked = [asyncio.ensure_future(prompts.render("Hello")) for _ in range(5)]
            await asyncio.sleep(0.05)
            engine.gate.set()
            assert len(set(await asyncio.gather(*asked))) == 1
        assert engine.spoken == ["Hello"]

    run(scenario)


def test_a_caller_that_goes_away_does_not_take_the_prompt_from_the_others(tmp_path):
    async def scenario():
        engine = FakeEngine()
        engine.gate.clear()
        async with cache(tmp_path, engine) as prompts:
            leaves, stays = (asyncio.ensure_future(prompts.render("Hello")) for _ in range(2))
            await asyncio.sleep(0.05)
            leaves.cancel()
            await asyncio.sleep(0)
            engine.gate.set()
            assert isinstance(await stays, Prompt)
        assert leaves.cancelled()

    run(scenario)


def test_a_failure_is_told_to_all_who_wait_and_is_not_remembered(tmp_path):
    async def scenario():
        engine = FakeEngine()
        engine.gate.clear()
        engine.failure = ProviderError("too much", category="overloaded", retryable=True)
        async with cache(tmp_path, engine) as prompts:
            asked = [asyncio.ensure_future(prompts.render("Hello")) for _ in range(2)]
            await asyncio.sleep(0.05)
            engine.gate.set()
            for outcome in await asyncio.gather(*asked, return_exceptions=True):
                assert isinstance(outcome, ProviderError)
                assert (outcome.category, outcome.retryable) == ("overloaded", True)
            engine.failure = None
            assert (await prompts.render("Hello")).duration_s == 0.05

    run(scenario)


@pytest.mark.parametrize("audio", [b"", b"not a wav file", encode_wav(b"")])
def test_what_is_no_prompt_is_never_stored(tmp_path, audio):
    async def scenario():
        engine = FakeEngine()
        engine.audio = audio
        async with cache(tmp_path, engine) as prompts:
            with pytest.raises(ProviderError, match="made no prompt"):
                await prompts.render("Hello")
        assert files(tmp_path) == []

    run(scenario)


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[100] ^= 1
    path.write_bytes(data)


def cut(path: Path) -> None:
    os.truncate(path, 50)


@pytest.mark.parametrize("damage", [flip, cut, Path.unlink])
def test_a_file_damaged_while_the_server_was_down_is_rendered_again(tmp_path, damage):
    async def scenario():
        async with cache(tmp_path, FakeEngine()) as prompts:
            prompt = await prompts.render("Hello")
        good = prompt.path.read_bytes()
        async with cache(tmp_path, engine := FakeEngine()) as prompts:
            damage(prompt.path)
            for _ in range(2):
                assert await prompts.render("Hello") == prompt
                assert prompt.path.read_bytes() == good
        assert engine.spoken == ["Hello"]

    run(scenario)


@pytest.mark.parametrize("damage", [cut, Path.unlink])
def test_a_file_lost_or_cut_under_way_is_rendered_again(tmp_path, damage):
    async def scenario():
        async with cache(tmp_path, engine := FakeEngine()) as prompts:
            prompt = await prompts.render("Hello")
            good = prompt.path.read_bytes()
            damage(prompt.path)
            assert await prompts.render("Hello") == prompt
            assert prompt.path.read_bytes() == good
        assert engine.spoken == ["Hello", "Hello"]

    run(scenario)


def test_after_a_restart_all_is_there_and_the_unfinished_is_gone(tmp_path):
    async def scenario():
        async with cache(tmp_path, FakeEngine()) as prompts:
            texts = [f"Text {number}" for number in range(5)]
            before = [await prompts.render(text) for text in texts]
            total = prompts.total_bytes
        (tmp_path / f"{before[0].path.name}.part").write_bytes(b"RIFF")
        (tmp_path / "notes.txt").write_text("of somebody else")
        async with cache(tmp_path, engine := FakeEngine()) as prompts:
            assert prompts.total_bytes == total
            assert [await prompts.render(text) for text in texts] == before
        assert engine.spoken == []
        assert {path.suffix for path in files(tmp_path)} == {".wav", ".txt"}

    run(scenario)


def test_of_two_files_with_one_key_the_newer_is_kept(tmp_path):
    async def scenario():
        async with cache(tmp_path, FakeEngine()) as prompts:
            prompt = await prompts.render("Hello")
        for hash_, age in (("0" * 32, 50), ("f" * 32, 60)):
            twin = tmp_path / f"{prompt.path.name[:64]}.{hash_}.wav"
            shutil.copy(prompt.path, twin)
            os.utime(twin, (age, age))
        async with cache(tmp_path, FakeEngine()):
            assert files(tmp_path) == [prompt.path]

    run(scenario)


def test_the_least_recently_used_goes_and_it_is_known_after_a_restart(tmp_path):
    async def scenario():
        async with cache(tmp_path, FakeEngine()) as prompts:
            old, newer = await prompts.render("Old"), await prompts.render("Newer")
            os.utime(old.path, (1000, 1000))
            os.utime(newer.path, (2000, 2000))
            await prompts.render("Old")
        async with cache(tmp_path, FakeEngine(), limit_bytes=BLOCK) as prompts:
            assert prompts.total_bytes == BLOCK
        assert files(tmp_path) == [old.path]

    run(scenario)


def test_a_prompt_just_handed_out_outlives_the_limit(tmp_path):
    async def scenario():
        async with cache(tmp_path, FakeEngine(), limit_bytes=2 * BLOCK) as prompts:
            handed_out = [await prompts.render(f"Text {number}") for number in range(4)]
            assert all(prompt.path.exists() for prompt in handed_out)

    run(scenario)


def test_when_prompts_in_use_fill_the_cache_twice_no_more_is_rendered(tmp_path):
    async def scenario():
        async with cache(tmp_path, FakeEngine(), limit_bytes=2 * BLOCK) as prompts:
            for number in range(5):
                await prompts.render(f"Text {number}")
            with pytest.raises(ProviderError, match="fill the cache") as caught:
                await prompts.render("One more")
            assert caught.value.category == "overloaded"
            await prompts.render("Text 0")  # what is there can be had

    run(scenario)


def test_once_not_held_prompts_go_with_the_next_one(tmp_path):
    async def scenario():
        options = {"limit_bytes": 2 * BLOCK, "hold_s": 0.0}
        async with cache(tmp_path, FakeEngine(), **options) as prompts:
            made = [await prompts.render(f"Text {number}") for number in range(10)]
            assert prompts.total_bytes == 2 * BLOCK
        assert files(tmp_path) == sorted(prompt.path for prompt in made[-2:])

    run(scenario)


def test_a_disk_that_fails_costs_the_prompt_and_leaves_nothing_behind(tmp_path):
    async def scenario():
        async with cache(tmp_path / "prompts", FakeEngine()) as prompts:
            (tmp_path / "prompts").rmdir()
            with pytest.raises(ProviderError, match="cannot be stored") as caught:
                await prompts.render("Hello")
            assert caught.value.category == "unavailable"
            (tmp_path / "prompts").mkdir()
            assert (await prompts.render("Hello")).path.exists()

    run(scenario)


def test_closing_tells_those_who_wait(tmp_path):
    async def scenario():
        engine = FakeEngine()
        engine.gate.clear()
        async with cache(tmp_path, engine) as prompts:
            waits = asyncio.ensure_future(prompts.render("Hello"))
            await asyncio.sleep(0.05)
        for late in (waits, prompts.render("Hello")):
            with pytest.raises(ProviderError, match="shutting down"):
                await late

    run(scenario)


@pytest.mark.parametrize(
    "request_", [{"text": "..."}, {"text": "a", "voice": "x"}, {"text": "a", "language": "fr"}]
)
def test_what_cannot_be_spoken_does_not_reach_the_engine(tmp_path, request_):
    async def scenario():
        async with cache(tmp_path, engine := FakeEngine()) as prompts:
            with pytest.raises(ProviderError) as caught:
                await prompts.render(**request_)
            assert caught.value.category == "rejected"
            assert engine.spoken == []
            assert prompts.voices() == (HEART, EMMA)

    run(scenario)
