"""The demo shows what happened, and says in one sentence what did not."""

from __future__ import annotations

from io import StringIO
from types import SimpleNamespace

import numpy as np
import pytest
from rich.console import Console

from orbit_voice.testing.audio import make_tone, write_wav
from orbit_voice.testing.demo.report import check_recording, find_speech, show_ladder
from orbit_voice.testing.demo.screen import Screen, Who
from orbit_voice.testing.demo.steps import StepMissedError, step
from orbit_voice.testing.leg import LegEndedError


@pytest.fixture
def paper():
    return StringIO()


@pytest.fixture
def screen(paper):
    return Screen(Console(file=paper, width=160, highlight=False))


@pytest.fixture
def speech():
    """Three seconds that are like nothing but themselves."""
    return np.random.default_rng(5).normal(0, 3000, 24_000).astype(np.int16)


def message(at, direction, summary):
    return {"at": f"2026-01-31T08:00:{at}Z", "direction": direction, "summary": summary}


def a_call(tmp_path, samples):
    """A call of three seconds whose recording is ``samples``."""
    directory = tmp_path / "recordings" / "2026-01-31"
    directory.mkdir(parents=True)
    write_wav(directory / "rec_1.wav", samples)
    call = {
        "recording": {"id": "rec_1"},
        "answered_at": "2026-01-31T08:00:00.000Z",
        "ended_at": "2026-01-31T08:00:03.020Z",
    }
    return call, (directory / "rec_1.wav").read_bytes()


def stage_of(tmp_path, screen):
    return SimpleNamespace(screen=screen, server=SimpleNamespace(data_dir=tmp_path))


def test_the_ladder_points_from_who_sent_to_who_received(screen, paper):
    show_ladder(
        screen,
        [
            message("00.000", "sent", "INVITE sip:+1555@127.0.0.1 SIP/2.0"),
            message("00.250", "received", "SIP/2.0 180 Ringing"),
        ],
    )
    head, invite, ringing = paper.getvalue().splitlines()
    assert head.split() == ["ms", "server", "carrier"]
    assert invite.split()[0] == "0"
    assert " INVITE " in invite
    assert invite.rstrip().endswith("▶│")
    assert ringing.split()[0] == "250"
    assert "│◀" in ringing
    assert " 180 Ringing " in ringing
    assert len(invite.rstrip()) == len(ringing.rstrip())


def test_a_call_without_sip_has_an_empty_ladder(screen, paper):
    show_ladder(screen, [])
    assert paper.getvalue().split() == ["ms", "server", "carrier"]


def test_a_recording_that_holds_what_was_heard_is_right(tmp_path, screen, paper, speech):
    call, recording = a_call(tmp_path, speech)
    check_recording(stage_of(tmp_path, screen), call, recording, heard=speech // 2)
    assert "recording of 3.00 s" in paper.getvalue()
    assert "the sentence is in it, from second 0.00 on" in paper.getvalue()


def test_a_whisper_is_no_sentence(speech):
    assert find_speech((speech // 1000).astype(np.int16), speech).likeness == 0


def test_a_packet_that_came_too_late_does_not_make_it_another_sentence(speech):
    heard = np.concatenate([speech[:9000], np.zeros(160, np.int16), speech[9000:]])
    match = find_speech(heard, speech)
    assert match.start == 0
    assert match.likeness > 0.99


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"heard": make_tone(440, 3.0)}, "What Anna heard is not in the recording"),
        ({"heard": make_tone(440, 1.0)}, r"Anna's phone heard only 1\.0 s of sound"),
        ({"recording": b"RIFF"}, "another recording than the one on disk"),
        ({"ended_at": "2026-01-31T08:00:09.000Z"}, r"recording lasts 3\.00 s, the call 9\.00 s"),
        ({"id": "rec_2"}, "There is no file of the recording rec_2"),
    ],
)
def test_a_recording_that_is_wrong_is_told_in_one_sentence(
    tmp_path, screen, speech, changed, sentence
):
    call, recording = a_call(tmp_path, speech)
    call["ended_at"] = changed.get("ended_at", call["ended_at"])
    call["recording"]["id"] = changed.get("id", "rec_1")
    with pytest.raises(StepMissedError, match=sentence):
        check_recording(
            stage_of(tmp_path, screen),
            call,
            changed.get("recording", recording),
            heard=changed.get("heard", speech),
        )


async def missed(error):
    async with step("Anna answers"):
        raise error


@pytest.mark.parametrize("error", [TimeoutError("waited 10 s"), LegEndedError("486 Busy Here")])
def test_a_step_that_is_missed_is_named(error):
    with pytest.raises(StepMissedError, match=f"“Anna answers” did not happen: {error}"):
        missed(error).send(None)


def test_a_line_says_who_did_what_and_is_not_read_as_markup(screen, paper):
    screen.line(Who.CARRIER, "[bold]", "[/]")
    assert paper.getvalue().split()[1:] == ["ms", "carrier", "[bold]", "[/]"]


def test_a_failure_is_not_read_as_markup(screen, paper):
    screen.failure("no [/such] thing")
    assert "no [/such] thing" in paper.getvalue()
