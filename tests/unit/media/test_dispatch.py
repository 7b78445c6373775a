from __future__ import annotations

import re
import typing
from dataclasses import fields
from pathlib import Path

import pytest

from orbit_voice import _native
from orbit_voice.media import (
    DtmfReceived,
    DtmfSent,
    EngineMetrics,
    MediaEvent,
    MediaStarted,
    MediaTimedOut,
    PlayFinished,
    RecordingFailed,
    RecordingFinished,
    StreamClosed,
    StreamStatistics,
)
from orbit_voice.media.dispatch import make_event

NATIVE_TYPES = Path(_native.__file__).with_name("_native.pyi")


def figures(kind):
    """Values for every field: their numbers in order, None where that is allowed."""
    hints = typing.get_type_hints(kind)
    return {
        field.name: None if None in typing.get_args(hints[field.name]) else number
        for number, field in enumerate(fields(kind))
    }


STATISTICS = figures(StreamStatistics)

EVENTS = [
    ("media_started", ("192.0.2.1", 4000), MediaStarted("192.0.2.1", 4000)),
    ("media_timed_out", (1.5,), MediaTimedOut(1.5)),
    ("play_finished", (7, True), PlayFinished(7, completed=True)),
    ("dtmf_received", ("#", 120), DtmfReceived("#", 120)),
    ("dtmf_sent", ("12w3",), DtmfSent("12w3")),
    (
        "recording_finished",
        ("/a/b.wav", 12_000, 24_044, "ab", 160),
        RecordingFinished(Path("/a/b.wav"), 1.5, 12_000, 1, 24_044, "ab", 160),
    ),
    (
        "recording_failed",
        ("/a/b.wav", "disk full", "/a/b.wav.part"),
        RecordingFailed(Path("/a/b.wav"), "disk full", Path("/a/b.wav.part")),
    ),
    (
        "recording_failed",
        ("/a/b.wav", "disk full", None),
        RecordingFailed(Path("/a/b.wav"), "disk full", None),
    ),
    ("stream_closed", (STATISTICS,), StreamClosed(StreamStatistics(**STATISTICS))),
]


@pytest.mark.parametrize(("name", "values", "event"), EVENTS, ids=[event[0] for event in EVENTS])
def test_a_native_tuple_becomes_its_event(name, values, event):
    assert make_event(name, values) == event


def test_every_event_of_the_union_can_come():
    assert {type(event) for _, _, event in EVENTS} == set(typing.get_args(MediaEvent))


def test_discarded_is_all_that_was_dropped():
    statistics = StreamStatistics(**STATISTICS | {"discarded_source": 3, "discarded_invalid": 4})
    assert statistics.discarded == 7


@pytest.mark.parametrize(
    ("kind", "native"), [(StreamStatistics, "StatisticsFields"), (EngineMetrics, "MetricsFields")]
)
def test_the_native_types_name_the_same_figures(kind, native):
    body = NATIVE_TYPES.read_text().split(f"class {native}(TypedDict):")[1].split("\nclass ")[0]
    assert re.findall(r"^    (\w+): ", body, re.MULTILINE) == [field.name for field in fields(kind)]
