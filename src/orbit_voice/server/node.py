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
        directory = stack.enter_context(DataDirectory(settings.data_dir))
        key = _secret_key(settings, directory)
        sealer = Sealer(key)
        node_id = directory.node_id()
        store = await stack.enter_async_context(
            open_store(settings.sqlalchemy_url, sealer, node_id=node_id)
        )
        first_start = await _prepare(store, sealer, settings)
        lost = await end_lost_calls(store.journal, node_id)
        guard, client = await _outgoing_http(stack, settings)
        delivery = await stack.enter_async_context(WebhookDelivery(store.outbox, client))
        store.journal.on_deliveries(delivery.notify)
        sip_host, sip_port = split_bind(settings.sip_bind)
        address = public_address(settings.public_address, sip_host)
        media = await stack.enter_async_context(
            MediaEngine(
                bind_address=sip_host,
                ports=settings.rtp_port_range,
                shards=settings.media_shards or None,
            )
        )
        worker = await stack.enter_async_context(HibariWorker(warm=True))
        speech = await stack.enter_async_context(
            PromptCache(directory.prompts / "speech", worker, limit_bytes=PROMPT_CACHE_BYTES)
        )
        receiver = _Receiver()
        endpoint = await stack.enter_async_context(
            SipEndpoint(
                udp=(sip_host, sip_port),
                tcp=(sip_host, sip_port),
                advertised_host=settings.public_address or None,
                user_agent=f"orbit-voice/{__version__}",
                on_invite=receiver,
            )
        )
        recordings = RecordingFiles(store.recordings, directory.recordings)
        audio = AudioSource(recordings, BoundedFetch(client), media, directory.prompts / "fetched")
        facilities = Facilities(
            node_id=node_id,
            journal=store.journal,
            media=media,
            speech=speech,
            media_address=address,
            recordings=directory.recordings,
            limits=CallLimits(media_timeout_s=settings.media_timeout_s or None),
        )
        calls = CallService(
            facilities=facilities,
            invite=endpoint.invite,
            planner=CallPlanner(store.trunks, store.numbers, sip_host=address),
            screen=InboundScreen(store.trunks, store.numbers),
            reader=store.calls,
            prompts=audio,
            max_calls=settings.max_calls,
        )
        tasks = await stack.enter_async_context(TaskScope("node"))
        reaper = Reaper(store.journal, node_id, lambda: calls.living)
        _ = tasks.start(reaper.run(), name="reaper")
        inbound_address = host_port(address, endpoint.udp_address[1])
        app = create_app(
            Dependencies(
                control=calls,
                calls=store.calls,
                live=calls,
                trunks=store.trunks,
                numbers=store.numbers,
                api_keys=store.api_keys,
                recordings=recordings,
                flows=NoFlows(),
                check_url=guard.check,
                readiness=partial(_readiness, store, media, calls),
                inbound_address=lambda: inbound_address,
                link_secret=key.link_secret,
            )
        )
        receiver.calls = calls
        _log.info("node.started", node_id=node_id, sip=inbound_address, lost_calls=lost)
        yield Node(app, calls, endpoint, first_start, inbound_address)


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


def _secret_key(settings: Settings, directory: DataDirectory) -> SecretKey:
    if configured := settings.secret_key.get_secret_value():
        return SecretKey(configured)
    return SecretKey.from_directory(directory.path)


async def _prepare(store: Store, sealer: Sealer, settings: Settings) -> FirstStart:
    bootstrap_key = settings.bootstrap_api_key.get_secret_value() or None
    return await prepare_first_start(
        store.database, sealer, bootstrap_key=bootstrap_key, now=utc_now()
    )


async def _outgoing_http(stack: AsyncExitStack, settings: Settings) -> tuple[UrlGuard, HttpClient]:
    resolver = await stack.enter_async_context(SystemResolver())
    guard = UrlGuard(resolver=resolver, allow=settings.webhook_allow_list)
    return guard, await stack.enter_async_context(HttpClient(guard))


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
