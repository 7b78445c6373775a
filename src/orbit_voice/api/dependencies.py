"""Everything the API is built on, passed in by the composition root."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from orbit_voice.api.interfaces import (
    ApiKeys,
    FlowLookup,
    LiveCalls,
    Readiness,
    RecordingFiles,
    UrlGuard,
)
from orbit_voice.calls.interfaces import CallReader
from orbit_voice.calls.orders import CallControl
from orbit_voice.trunks.interfaces import NumberStore, TrunkStore


@dataclass(frozen=True, slots=True)
class Dependencies:
    """What the API asks, and nothing it could make itself.

    Attributes:
        control: Makes and commands calls.
        calls: Reads calls, their timelines and the traces of ended ones.
        live: What only living calls know.
        trunks: Keeps trunks.
        numbers: Keeps numbers.
        api_keys: Verifies, makes, lists and deletes API keys.
        recordings: Finds the audio of recordings.
        flows: Says which agents and IVR flows exist.
        check_url: Refuses URLs this server must not call.
        readiness: Says whether calls can be made now.
        inbound_address: Returns ``host:port`` that carriers send calls to.
        link_secret: Key of the signature in recording links, at least 32 bytes.
        public_url: Scheme and authority of links in answers; None takes those of the request.
    """

    control: CallControl
    calls: CallReader
    live: LiveCalls
    trunks: TrunkStore
    numbers: NumberStore
    api_keys: ApiKeys
    recordings: RecordingFiles
    flows: FlowLookup
    check_url: UrlGuard
    readiness: Readiness
    inbound_address: Callable[[], str]
    link_secret: bytes = field(repr=False)
    public_url: str | None = None
