"""A SIP endpoint: sockets, transactions and sessions as one thing.

::

    async with SipEndpoint(udp=("0.0.0.0", 5060), tcp=None, advertised_host=None,
                           user_agent="orbit-voice", on_invite=receive) as endpoint:
        session = endpoint.invite(plan, on_event)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from orbit_voice.signaling.plan import OutboundInvite
from orbit_voice.signaling.sessions import EventHandler, InboundSession, OutboundSession
from orbit_voice.signaling.transport.interfaces import Address, Network
from orbit_voice.sip.digest import Credentials

__all__ = [
    "Credentials",
    "EndpointCounts",
    "InboundSession",
    "OutboundInvite",
    "OutboundSession",
    "SipEndpoint",
]


@dataclass(frozen=True, slots=True)
class EndpointCounts:
    """What lives now, and what happened since the start.

    Attributes:
        sessions: Calls, those being set up and torn down included.
        client_transactions: Requests of ours that are not forgotten yet.
        server_transactions: Requests of peers that are not forgotten yet.
        connections: Open TCP connections.
        received: Messages that could be read.
        sent: Messages handed to the network.
        malformed: Messages that could not be read.
        junk: Datagrams too short to be a message; keep-alives among them.
        unsent_replies: Responses that could not be delivered.
        stray_responses: Responses that no transaction waited for, or that were not for us.
        stray_acks: ACKs that no transaction or session waited for.
        rejected: Requests refused without a session: malformed, unknown dialog and so on.
        overloaded: Requests refused with 503 because a maximum was reached.
    """

    sessions: int
    client_transactions: int
    server_transactions: int
    connections: int
    received: int
    sent: int
    malformed: int
    junk: int
    unsent_replies: int
    stray_responses: int
    stray_acks: int
    rejected: int
    overloaded: int


class SipEndpoint:
    """Sends and takes calls. An async context manager.

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
    """

    def __init__(
        self,
        *,
        udp: Address | None,
        tcp: Address | None,
        advertised_host: str | None,
        user_agent: str,
        on_invite: Callable[[InboundSession], None],
        network: Network | None = None,
    ) -> None:
        raise NotImplementedError

    async def __aenter__(self) -> Self:
        """Bind the ports.

        Raises:
            TransportError: An address cannot be bound.
        """
        raise NotImplementedError

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        raise NotImplementedError

    @property
    def udp_address(self) -> Address:
        """Where the UDP port is bound."""
        raise NotImplementedError

    @property
    def tcp_address(self) -> Address:
        """Where connections are taken."""
        raise NotImplementedError

    @property
    def counts(self) -> EndpointCounts:
        """Figures of now."""
        raise NotImplementedError

    def invite(self, plan: OutboundInvite, on_event: EventHandler) -> OutboundSession:
        """Call somebody. The INVITE leaves at once when its way is known.

        Args:
            plan: Whom and how.
            on_event: Takes the session's events, never from inside this call. A peer that cannot be
                reached is an event too.

        Raises:
            ProtocolError: A URI or header field of ``plan`` is malformed; nothing was sent.
        """
        raise NotImplementedError
