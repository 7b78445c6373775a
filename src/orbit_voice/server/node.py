"""One node, whole: every part made, joined and started in order, and stopped in reverse."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final

import sqlalchemy as sa
import structlog
from fastapi import FastAPI

from orbit_voice import __version__
from orbit_voice.api.app import create_app
from orbit_voice.api.dependencies import Dependencies
from orbit_voice.api.flows import NoFlows
from orbit_voice.api.interfaces import Readiness
from orbit_voice.calls.facilities import CallLimits, Facilities
from orbit_voice.calls.planning import CallPlanner
from orbit_voice.calls.reaper import Reaper
from orbit_voice.calls.recovery import end_lost_calls
from orbit_voice.calls.screening import InboundScreen
from orbit_voice.calls.service import CallService
from orbit_voice.kit.clock import utc_now
from orbit_voice.kit.errors import OrbitError
from orbit_voice.kit.tasks import TaskScope
from orbit_voice.media.engine import MediaEngine
from orbit_voice.server.addresses import host_port, public_address
from orbit_voice.server.audio_source import AudioSource
from orbit_voice.server.data_directory import DataDirectory
from orbit_voice.server.settings import Settings, split_bind
from orbit_voice.signaling.endpoint import InboundSession, SipEndpoint
from orbit_voice.speech.cache import PromptCache
from orbit_voice.speech.worker import HibariWorker
from orbit_voice.store.first_start import FirstStart, prepare_first_start
from orbit_voice.store.recordings import RecordingFiles
from orbit_voice.store.sealing import Sealer, SecretKey
from orbit_voice.store.store import Store, open_store
from orbit_voice.webhooks.client import HttpClient
from orbit_voice.webhooks.delivery import WebhookDelivery
from orbit_voice.webhooks.fetching import BoundedFetch
from orbit_voice.webhooks.guard import UrlGuard
from orbit_voice.webhooks.resolver import SystemResolver

PROMPT_CACHE_BYTES: Final = 512_000_000
"""What rendered prompts may take on disk: some nine hours of speech."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Node:
    """A node that can make and take calls.

    Attributes:
        app: Its REST API.
        calls: Its call control.
        endpoint: Its SIP endpoint.
        first_start: Who may ask.
        inbound_address: ``host:port`` that carriers send calls to.
    """

    app: FastAPI
    calls: CallService
    endpoint: SipEndpoint
    first_start: FirstStart
    inbound_address: str


@asynccontextmanager
async def open_node(settings: Settings) -> AsyncIterator[Node]:
    """Start a node; stop it when left, without waiting for its calls.

    Raises:
        OrbitError: The data directory, the database or a port cannot be used; the text says why.
        ValueError: A setting makes no sense.
    """
    async with AsyncExitStack() as stack:
        ground = await _open_ground(stack, settings)
        lost = await end_lost_calls(ground.store.journal, ground.node_id)
        guard, client = await _open_outgoing_http(stack, settings, ground.store)
        media = await _open_media(stack, settings)
        speech = await _open_speech(stack, ground.directory)
        receiver = _Receiver()
        endpoint = await _open_endpoint(stack, settings, receiver)
        address = public_address(settings.public_address, endpoint.udp_address[0])
        facilities = Facilities(
            node_id=ground.node_id,
            journal=ground.store.journal,
            media=media,
            speech=speech,
            media_address=address,
            recordings=ground.directory.recordings,
            limits=CallLimits(media_timeout_s=settings.media_timeout_s or None),
        )
        audio = AudioSource(
            ground.recordings, BoundedFetch(client), media, ground.directory.prompts / "fetched"
        )
        calls = _make_calls(settings, ground.store, facilities, endpoint, audio)
        await _start_reaper(stack, ground, calls)
        inbound_address = host_port(address, endpoint.udp_address[1])
        readiness = partial(_readiness, ground.store, media, calls)
        app = _make_app(ground, calls, guard, readiness, inbound_address)
        receiver.calls = calls
        _log.info("node.started", node_id=ground.node_id, sip=inbound_address, lost_calls=lost)
        yield Node(app, calls, endpoint, ground.first_start, inbound_address)


@dataclass(frozen=True, slots=True)
class _Ground:
    """What everything stands on: the data directory, its key, the store."""

    directory: DataDirectory
    node_id: str
    key: SecretKey
    store: Store
    recordings: RecordingFiles
    first_start: FirstStart


async def _open_ground(stack: AsyncExitStack, settings: Settings) -> _Ground:
    directory = stack.enter_context(DataDirectory(settings.data_dir))
    key = _secret_key(settings, directory)
    sealer = Sealer(key)
    node_id = directory.node_id()
    store = await stack.enter_async_context(
        open_store(settings.sqlalchemy_url, sealer, node_id=node_id)
    )
    first_start = await prepare_first_start(
        store.database,
        sealer,
        bootstrap_key=settings.bootstrap_api_key.get_secret_value() or None,
        now=utc_now(),
    )
    recordings = RecordingFiles(store.recordings, directory.recordings)
    return _Ground(directory, node_id, key, store, recordings, first_start)


def _secret_key(settings: Settings, directory: DataDirectory) -> SecretKey:
    if configured := settings.secret_key.get_secret_value():
        return SecretKey(configured)
    return SecretKey.from_directory(directory.path)


async def _open_outgoing_http(
    stack: AsyncExitStack, settings: Settings, store: Store
) -> tuple[UrlGuard, HttpClient]:
    """Open what goes out by HTTP, and begin to deliver webhooks."""
    resolver = await stack.enter_async_context(SystemResolver())
    guard = UrlGuard(resolver=resolver, allow=settings.webhook_allow_list)
    client = await stack.enter_async_context(HttpClient(guard))
    delivery = await stack.enter_async_context(WebhookDelivery(store.outbox, client))
    store.journal.on_deliveries(delivery.notify)
    return guard, client


async def _open_media(stack: AsyncExitStack, settings: Settings) -> MediaEngine:
    engine = MediaEngine(
        bind_address=split_bind(settings.sip_bind)[0],
        ports=settings.rtp_port_range,
        shards=settings.media_shards or None,
    )
    return await stack.enter_async_context(engine)


async def _open_speech(stack: AsyncExitStack, directory: DataDirectory) -> PromptCache:
    worker = await stack.enter_async_context(HibariWorker(warm=True))
    cache = PromptCache(directory.prompts / "speech", worker, limit_bytes=PROMPT_CACHE_BYTES)
    return await stack.enter_async_context(cache)


async def _open_endpoint(
    stack: AsyncExitStack, settings: Settings, receiver: _Receiver
) -> SipEndpoint:
    bind = split_bind(settings.sip_bind)
    endpoint = SipEndpoint(
        udp=bind,
        tcp=bind,
        advertised_host=settings.public_address or None,
        user_agent=f"orbit-voice/{__version__}",
        on_invite=receiver,
    )
    return await stack.enter_async_context(endpoint)


def _make_calls(
    settings: Settings,
    store: Store,
    facilities: Facilities,
    endpoint: SipEndpoint,
    audio: AudioSource,
) -> CallService:
    planner = CallPlanner(store.trunks, store.numbers, sip_host=facilities.media_address)
    return CallService(
        facilities=facilities,
        invite=endpoint.invite,
        planner=planner,
        screen=InboundScreen(store.trunks, store.numbers),
        reader=store.calls,
        prompts=audio,
        max_calls=settings.max_calls,
    )


async def _start_reaper(stack: AsyncExitStack, ground: _Ground, calls: CallService) -> None:
    tasks = await stack.enter_async_context(TaskScope("node"))
    reaper = Reaper(ground.store.journal, ground.node_id, lambda: calls.living)
    _ = tasks.start(reaper.run(), name="reaper")


def _make_app(
    ground: _Ground,
    calls: CallService,
    guard: UrlGuard,
    readiness: Readiness,
    inbound_address: str,
) -> FastAPI:
    store = ground.store
    return create_app(
        Dependencies(
            control=calls,
            calls=store.calls,
            live=calls,
            trunks=store.trunks,
            numbers=store.numbers,
            api_keys=store.api_keys,
            recordings=ground.recordings,
            flows=NoFlows(),
            check_url=guard.check,
            readiness=readiness,
            inbound_address=lambda: inbound_address,
            link_secret=ground.key.link_secret,
        )
    )


class _Receiver:
    """Hands INVITEs to call control; before it is there they are told to try again."""

    def __init__(self) -> None:
        self.calls: CallService | None = None

    def __call__(self, session: InboundSession) -> None:
        if self.calls is None:
            session.set_handler(lambda event: None)
            session.reject(503, None, (("Retry-After", "1"),))
        else:
            self.calls.receive(session)


async def _readiness(store: Store, media: MediaEngine, calls: CallService) -> Mapping[str, bool]:
    return {
        "store": await _answers(store),
        "media": media.metrics().shards_failed == 0,
        "calls": calls.accepts_calls,
    }


async def _answers(store: Store) -> bool:
    try:
        await store.database.read(lambda connection: connection.scalar(sa.text("SELECT 1")))
    except OrbitError:
        return False
    return True
