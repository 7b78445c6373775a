"""A SIP endpoint: sockets, transactions and sessions as one thing.

::

    async with SipEndpoint(udp=("0.0.0.0", 5060), tcp=None, advertised_host=None,
                           user_agent="orbit-voice", on_invite=receive) as endpoint:
        session = endpoint.invite(plan, on_event)

From below to above: :mod:`.transport_layer` (sockets, messages), :mod:`.inbound_requests` and
:mod:`.outbound_requests` (transactions), :mod:`.user_agent` (which session), :mod:`.sessions`.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import asdict
from types import TracebackType
from typing import Final, Self

from orbit_voice.kit.errors import TransportError
from orbit_voice.signaling.counts import EndpointCounts
from orbit_voice.signaling.inbound_requests import InboundRequests
from orbit_voice.signaling.outbound_requests import OutboundRequests
from orbit_voice.signaling.plan import OutboundInvite
from orbit_voice.signaling.randomness import SystemRandomness
from orbit_voice.signaling.resolver import is_numeric, target_of
from orbit_voice.signaling.sessions import EventHandler, InboundSession, OutboundSession
from orbit_voice.signaling.timers import TimerPump
from orbit_voice.signaling.transport.flow import Flow
from orbit_voice.signaling.transport.interfaces import Address, Network, TransportKind
from orbit_voice.signaling.transport.sockets import SocketNetwork
from orbit_voice.signaling.transport_layer import TransportLayer
from orbit_voice.signaling.user_agent import InviteHandler, UserAgent
from orbit_voice.signaling.ways import WayFinder
from orbit_voice.sip.digest import Credentials
from orbit_voice.sip.headers import NameAddr
from orbit_voice.sip.message import Request
from orbit_voice.sip.params import NO_PARAMS, Params
from orbit_voice.sip.sessions.local_end import LocalEnd
from orbit_voice.sip.uac_session import InviteClientSession
from orbit_voice.sip.uri import SipUri, parse_uri

__all__ = [
    "Credentials",
    "EndpointCounts",
    "InboundSession",
    "OutboundInvite",
    "OutboundSession",
    "SipEndpoint",
]

CLOSING_S: Final = 2.0
"""How long peers may take to confirm that their calls are over when the endpoint closes, seconds:
a BYE and two retransmissions."""
_FAR_AWAY: Final = "192.0.2.1"
"""Stands for a peer whose address is not known yet when our own is asked for (RFC 5737)."""

_THIS_MACHINE: Final = "127.0.0.1"


class SipEndpoint:
    """Sends and takes calls. An async context manager, to be entered once.

    Leaving it hangs every call up, waits a bounded time for the peers to confirm, and closes the
    sockets.

    Args:
        udp: Address to bind for UDP, port 0 for a free one, or None for no UDP.
        tcp: The same for TCP.
        advertised_host: Host that peers are told, or None for the address they reach us by.
        user_agent: For User-Agent and Server.
        on_invite: Called with every inbound call; it must return at once. Give the session a
            handler, then answer or reject it.
        network: Where sockets come from, or None for those of this machine.

    Raises:
        ValueError: Neither UDP nor TCP is wanted.
    """

    def __init__(
        self,
        *,
        udp: Address | None,
        tcp: Address | None,
        advertised_host: str | None,
        user_agent: str,
        on_invite: InviteHandler,
        network: Network | None = None,
    ) -> None:
        if udp is None and tcp is None:
            raise ValueError("an endpoint needs UDP, TCP or both")
        self._udp = udp
        self._tcp = tcp
        self._advertised_host = advertised_host
        self._product = user_agent
        self._on_invite = on_invite
        self._network = network
        self._randomness = SystemRandomness()

    async def __aenter__(self) -> Self:
        """Bind the ports.

        Raises:
            TransportError: An address cannot be bound.
        """
        loop = self._loop = asyncio.get_running_loop()
        self._pump = TimerPump(loop)
        network = self._network or SocketNetwork()
        transport = TransportLayer(network, self._pump, advertised_host=self._advertised_host)
        ways = WayFinder(transport, loop.time, self._randomness)
        self._inbound = InboundRequests(transport, self._pump, loop, self._product)
        self._outbound = OutboundRequests(transport, self._pump, ways, loop)
        self._transport = transport
        self._user_agent = UserAgent(
            pump=self._pump,
            loop=loop,
            randomness=self._randomness,
            inbound=self._inbound,
            outbound=self._outbound,
            make_local_end=self._local_end_of,
            on_invite=self._on_invite,
        )
        await transport.open(self._user_agent, udp=self._udp, tcp=self._tcp)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(CLOSING_S):
                    await self._user_agent.hang_up_all()
        finally:
            await self._transport.close()
            self._pump.close()

    @property
    def udp_address(self) -> Address:
        """Where the UDP port is bound.

        Raises:
            TransportError: There is none.
        """
        if (address := self._transport.udp_address) is None:
            raise TransportError("this endpoint has no UDP port")
        return address

    @property
    def tcp_address(self) -> Address:
        """Where connections are taken.

        Raises:
            TransportError: They are not.
        """
        if (address := self._transport.tcp_address) is None:
            raise TransportError("this endpoint takes no TCP connections")
        return address

    @property
    def counts(self) -> EndpointCounts:
        """Figures of now."""
        return EndpointCounts(
            sessions=len(self._user_agent),
            client_transactions=len(self._outbound),
            server_transactions=len(self._inbound),
            connections=self._transport.connections,
            **asdict(self._transport.counts),
            **asdict(self._user_agent.counts),
        )

    def invite(self, plan: OutboundInvite, on_event: EventHandler) -> OutboundSession:
        """Call somebody. The INVITE leaves at once when its way is known.

        Args:
            plan: Whom and how.
            on_event: Takes the session's events, never from inside this call. A peer that cannot be
                reached, and no room for another call, are events too.

        Raises:
            ProtocolError: A URI or header field of ``plan`` is malformed; nothing was sent.
        """
        kind = TransportKind(plan.transport)
        from_ = NameAddr(parse_uri(plan.from_uri), plan.from_display)
        core = InviteClientSession(
            request_uri=plan.request_uri,
            from_=from_,
            to=NameAddr(parse_uri(plan.to_uri)),
            local=self._local_end_towards(from_.uri, *_peer_of(plan, kind)),
            randomness=self._randomness,
            sdp=plan.sdp,
            headers=plan.headers,
            credentials=plan.credentials,
        )
        session = OutboundSession(
            core,
            self._user_agent,
            self._loop,
            kind=kind,
            next_hop=plan.next_hop,
            on_event=on_event,
        )
        self._user_agent.start(session)
        return session

    def _local_end_towards(self, uri: object, kind: TransportKind, remote_host: str) -> LocalEnd:
        """Return how we present ourselves; without a route the INVITE will fail, but not here."""
        try:
            return self._local_end(uri, kind, remote_host)
        except TransportError:
            return self._local_end(uri, kind, _THIS_MACHINE)

    def _local_end_of(self, invite: Request, flow: Flow) -> LocalEnd:
        return self._local_end(invite.request_uri, flow.kind, flow.remote[0])

    def _local_end(self, uri: object, kind: TransportKind, remote_host: str) -> LocalEnd:
        """Return how we present ourselves to a peer as the user of ``uri``."""
        host, _, port = self._transport.sent_by(kind, remote_host).rpartition(":")
        over_tcp = kind is TransportKind.TCP and self._transport.tcp_address is not None
        contact = SipUri(
            "sip",
            host,
            int(port),
            user=uri.user if isinstance(uri, SipUri) else None,
            params=_OVER_TCP if over_tcp else NO_PARAMS,
        )
        return LocalEnd(str(contact), self._product)


_OVER_TCP: Final = Params((("transport", "tcp"),))


def _peer_of(plan: OutboundInvite, default: TransportKind) -> tuple[TransportKind, str]:
    """Return the transport and address of the next hop, as far as they are known already."""
    try:
        target = target_of(plan.next_hop or plan.request_uri, default)
    except TransportError:
        return default, _FAR_AWAY
    return target.kind, target.host if is_numeric(target.host) else _FAR_AWAY
