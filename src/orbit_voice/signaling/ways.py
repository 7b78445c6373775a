"""How a request leaves: next hop, Via, and the transport that its size demands.

RFC 3261 §8.1.2 (next hop), §18.1.1 (Via, large requests), RFC 3581 §3 (rport).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from typing import Final, NamedTuple, TypeAlias

from orbit_voice.kit.errors import LocalProtocolError, TransportError
from orbit_voice.signaling.resolver import Target, target_of
from orbit_voice.signaling.transport.flow import Flow
from orbit_voice.signaling.transport.interfaces import Address, TransportKind
from orbit_voice.signaling.transport_layer import TransportLayer
from orbit_voice.sip.grammar import ParseError
from orbit_voice.sip.headers import BRANCH_COOKIE
from orbit_voice.sip.message import Request
from orbit_voice.sip.randomness import Randomness

LARGEST_DATAGRAM_BYTES: Final = 1_300
"""A larger request goes over TCP, the path's MTU being unknown (RFC 3261 §18.1.1)."""
SWITCH_PATIENCE_S: Final = 2.0
"""How long a large request waits for a connection before it goes by UDP after all: room for one
lost SYN. Firewalls that drop SYNs silently are common, callers that wait are not."""
NO_TCP_MEMORY_S: Final = 300.0
"""How long a peer that took no connection gets its large requests by UDP at once."""
MAX_REMEMBERED: Final = 1_024
"""Peers without TCP that are remembered."""


class Departure(NamedTuple):
    """A request ready to go.

    Attributes:
        flow: The way.
        branch: Branch of its Via.
        data: The request as it goes on the wire.
    """

    flow: Flow
    branch: str
    data: bytes


DepartureReady: TypeAlias = Callable[[Departure | TransportError], None]


def next_hop(request: Request, *, proxy: str | None, default: TransportKind) -> Target:
    """Return where a request goes that has no Via yet.

    Args:
        request: Its topmost Route decides, else its Request-URI.
        proxy: URI that decides instead, when the request is an INVITE outside a dialog.
        default: Transport where the URI names none.

    Raises:
        TransportError: The URI cannot be reached by UDP or TCP.
    """
    if proxy is not None and request.method == "INVITE" and request.to_tag is None:
        return target_of(proxy, default)
    return target_of(_topmost_route(request) or request.uri, default)


def _topmost_route(request: Request) -> str | None:
    try:
        routes = request.routes
    except ParseError as error:
        raise TransportError(f"cannot send: {error.reason}") from error
    return str(routes[0].uri) if routes else None


class WayFinder:
    """Puts a Via on requests and finds their flow.

    Args:
        transport: Gives flows.
        clock: Loop time.
        randomness: For branches.
    """

    def __init__(
        self, transport: TransportLayer, clock: Callable[[], float], randomness: Randomness
    ) -> None:
        self._transport = transport
        self._clock = clock
        self._randomness = randomness
        self._without_tcp: OrderedDict[Address, float] = OrderedDict()

    def prepare(self, request: Request, target: Target, ready: DepartureReady) -> None:
        """Call ``ready`` with the request ready to go to ``target``, or with why it cannot.

        It is called at once when the way is known.

        Args:
            request: Without a Via of ours; it gets one.
            target: Where it goes.
            ready: Must not raise.
        """
        self._transport.obtain(target, partial(self._take_flow, request, ready))

    def _take_flow(
        self, request: Request, ready: DepartureReady, flow: Flow | TransportError
    ) -> None:
        if isinstance(flow, TransportError):
            ready(flow)
            return
        branch = f"{BRANCH_COOKIE}{self._randomness.token()}"
        try:
            departure = Departure(flow, branch, self._stamp(request, flow, branch))
        except (TransportError, LocalProtocolError) as error:
            ready(TransportError(str(error)))
            return
        if self._is_too_large(departure):
            target = Target(TransportKind.TCP, *flow.remote)
            switch = partial(self._switch, request, departure, ready)
            self._transport.obtain(target, switch, patience_s=SWITCH_PATIENCE_S)
        else:
            ready(departure)

    def _switch(
        self,
        request: Request,
        datagram: Departure,
        ready: DepartureReady,
        connection: Flow | TransportError,
    ) -> None:
        """Take the connection for a large request, or the news that there is none."""
        if isinstance(connection, TransportError):
            self._remember_without_tcp(datagram.flow.remote)
            ready(datagram)
            return
        request.headers.remove_first("Via")
        try:
            data = self._stamp(request, connection, datagram.branch)
        except TransportError as error:
            ready(error)
        else:
            ready(Departure(connection, datagram.branch, data))

    def _stamp(self, request: Request, flow: Flow, branch: str) -> bytes:
        sent_by = self._transport.sent_by(flow.kind, flow.remote[0])
        via = f"SIP/2.0/{flow.kind.via_name} {sent_by};branch={branch};rport"
        request.headers.prepend("Via", via)
        return request.serialize()

    def _is_too_large(self, departure: Departure) -> bool:
        if departure.flow.kind is not TransportKind.UDP:
            return False
        if len(departure.data) <= LARGEST_DATAGRAM_BYTES:
            return False
        until = self._without_tcp.get(departure.flow.remote)
        return until is None or until <= self._clock()

    def _remember_without_tcp(self, remote: Address) -> None:
        self._without_tcp.pop(remote, None)
        self._without_tcp[remote] = self._clock() + NO_TCP_MEMORY_S
        if len(self._without_tcp) > MAX_REMEMBERED:
            self._without_tcp.popitem(last=False)
