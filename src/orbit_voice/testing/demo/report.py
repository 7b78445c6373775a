"""What the demo shows once its call is over."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Final

from rich import box
from rich.table import Table
from rich.text import Text

from orbit_voice.media.statistics import StreamStatistics
from orbit_voice.testing.audio import (
    TELEPHONE_RATE_HZ,
    Match,
    Samples,
    audible,
    find_sound,
    level_db,
    read_wav,
)
from orbit_voice.testing.demo.client import Json
from orbit_voice.testing.demo.screen import Screen
from orbit_voice.testing.demo.stage import OUR_NUMBER, Stage
from orbit_voice.testing.demo.steps import StepMissedError

SAME_SOUND: Final = 0.8
"""Two recordings of one sentence, made at both ends of the call, are at least this alike."""
PIECE_S: Final = 0.4
QUIETEST_PIECE_DB: Final = -40.0
"""Pieces below are pauses between words."""
SHORTEST_SPEECH_S: Final = 2.0
"""The sentence takes longer."""
LENGTH_TOLERANCE_S: Final = 0.5
"""By how much a recording may differ from the call's length: signalling and media begin and end
some milliseconds apart, more on a busy machine."""
_ARROW_WIDTH: Final = 40


def show_ladder(screen: Screen, messages: list[Json]) -> None:
    """Print the SIP messages of a call as a ladder."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("ms", justify="right", style="dim")
    table.add_column(f"{'server':<{_ARROW_WIDTH - 7}}carrier", no_wrap=True)
    first = datetime.fromisoformat(messages[0]["at"]) if messages else None
    for message in messages:
        assert first is not None
        elapsed = datetime.fromisoformat(message["at"]) - first
        table.add_row(f"{elapsed.total_seconds() * 1000:.0f}", _arrow(message))
    screen.show(table)


def show_media(screen: Screen, call: Json, at_anna: StreamStatistics) -> None:
    """Print the media of a call in figures, as both ends counted it."""
    media = call["media"] or {}
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for name, justify in (("media", "left"), ("at the server", "right"), ("at Anna's", "right")):
        table.add_column(name, justify="right" if justify == "right" else "left")
    table.add_row("codec", str(media.get("codec")), str(media.get("codec")))
    for name in ("packets_sent", "packets_received", "loss_percent", "jitter_ms", "rtt_ms", "mos"):
        ours, theirs = media.get(name), getattr(at_anna, name)
        table.add_row(name.replace("_", " "), _figure(ours), _figure(theirs))
    screen.show(table)


def check_recording(stage: Stage, call: Json, recording: bytes, *, heard: Samples) -> None:
    """Look whether the recording has the length of the call, and the sentence that Anna heard.

    Args:
        stage: For its screen and its server's data directory.
        call: The call; it is over.
        recording: The WAV file that the API gave out.
        heard: What Anna's phone recorded on its own.

    Raises:
        StepMissedError: It has not.
    """
    path = recording_file(stage.server.data_dir, call["recording"]["id"])
    if path.read_bytes() != recording:
        raise StepMissedError("The API gave out another recording than the one on disk.")
    recorded = read_wav(path)
    length_s = talking_time_s(call)
    if abs(recorded.duration_s - length_s) > LENGTH_TOLERANCE_S:
        raise StepMissedError(
            f"The recording lasts {recorded.duration_s:.2f} s, the call {length_s:.2f} s."
        )
    stage.screen.check(
        f"recording of {recorded.duration_s:.2f} s", f"the call lasted {length_s:.2f} s"
    )
    _check_speech(stage.screen, recorded.channel(), heard)
    stage.screen.tell(f"Listen to it: {path}")


def talking_time_s(call: Json) -> float:
    """Return how long an ended call lasted from its answer on, seconds."""
    begin, end = (datetime.fromisoformat(call[name]) for name in ("answered_at", "ended_at"))
    return (end - begin).total_seconds()


def recording_file(data_dir: Path, recording_id: str) -> Path:
    """Return where a recording lies.

    Raises:
        StepMissedError: Nowhere.
    """
    found = list((data_dir / "recordings").rglob(f"{recording_id}.wav"))
    if not found:
        raise StepMissedError(f"There is no file of the recording {recording_id}.")
    return found[0]


def show_how_to_call_in(stage: Stage, *, is_up: bool) -> None:
    """Say how to reach the server with a softphone, and where its data is.

    Args:
        stage: Where.
        is_up: Whether the server stays up.
    """
    server = stage.server
    when = "now" if is_up else "while the server is up (run the demo with --keep)"
    stage.screen.chapter("Call in yourself")
    stage.screen.tell(
        f"With any softphone on this machine, no account needed, call {when}:\n"
        f"  [bold green]sip:{OUR_NUMBER}@{server.sip_address}[/]\n"
        f"It answers, greets you, and shows the keys you press.\n"
        f"  REST       {server.base_url}  (reference: {server.base_url}/docs)\n"
        f"  X-API-Key  {server.api_key}\n"
        f"  Data       {server.data_dir}"
    )


def _check_speech(screen: Screen, recorded: Samples, heard: Samples) -> None:
    """Compare what both ends recorded: the first seconds of speech, found in the other's file."""
    speech = audible(heard)
    length_s = len(speech) / TELEPHONE_RATE_HZ
    if length_s < SHORTEST_SPEECH_S:
        raise StepMissedError(f"Anna's phone heard only {length_s:.1f} s of sound.")
    screen.check(f"Anna's phone heard {length_s:.1f} s of speech")
    match = find_speech(speech, recorded)
    if match.likeness < SAME_SOUND:
        raise StepMissedError(
            f"What Anna heard is not in the recording (likeness {match.likeness:.2f})."
        )
    begin_s = match.start / TELEPHONE_RATE_HZ
    screen.check(
        f"the sentence is in it, from second {begin_s:.2f} on",
        f"likeness {match.likeness:.3f}",
    )


def find_speech(speech: Samples, within: Samples) -> Match:
    """Return where ``speech`` begins in ``within``, and how like its pieces mostly are.

    It is looked for in pieces, because on a busy machine a packet that came too late moves all that
    follows it by some milliseconds.
    """
    size = round(PIECE_S * TELEPHONE_RATE_HZ)
    pieces = [speech[start : start + size] for start in range(0, len(speech) - size, size)]
    loud = [piece for piece in pieces if level_db(piece) > QUIETEST_PIECE_DB]
    if not loud:
        return Match(0, 0.0)
    matches = [find_sound(piece, within) for piece in loud]
    return Match(matches[0].start, median(match.likeness for match in matches))


def _arrow(message: Json) -> Text:
    """Return one message as an arrow between the two columns."""
    what = _in_short(message["summary"]).center(_ARROW_WIDTH - 6, "─")
    if message["direction"] == "sent":
        return Text(f"│──{what}─▶│", "cyan")
    return Text(f"│◀─{what}──│", "green")


def _in_short(summary: str) -> str:
    """Return a start line as people name it: ``INVITE``, ``200 OK``."""
    version, _, rest = summary.partition(" ")
    return f" {rest if version == 'SIP/2.0' else version} "


def _figure(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.2f}".removesuffix(".00")
