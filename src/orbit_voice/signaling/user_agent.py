"""The user agent core of RFC 3261 §8: which session, if any, a message is for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import structlog

from orbit_voice.kit.errors import TransportError
from orbit_voice.signaling.counts import RequestCounts
from orbit_voice.signaling.inbound_requests import InboundRequests
from orbit_voice.signaling.outbound_requests import OutboundRequests
from orbit_voice.signaling.sessions import InboundSession, OutboundSession, Session
from orbit_voice.signaling.timers import TimerPump
from orbit_voice.signaling.transport.flow import Flow
from orbit_voice.sip.grammar import ParseError
from orbit_voice.sip.message import Message, Request, Response
from orbit_voice.sip.randomness import Randomness
from orbit_voice.sip.sessions.local_end import LocalEnd
from orbit_voice.sip.transactions import TransactionKey, cancelled_key, server_key
from orbit_voice.sip.uas_session import InviteServerSession
from orbit_voice.sip.validation import (
    BASIC,
    Capabilities,
    Rejection,
    check_request,
    check_response,
    reject_malformed,
)

MAX_SESSIONS: Final = 20_000
"""Calls at once, both directions; past it INVITEs get 503. Ten times what one core can carry."""
MAX_SERVER_TRANSACTIONS: Final = 32_768
"""Requests of peers remembered at once; past it they get 503. Each is kept for up to 32 s and takes
some 9 KB, so this is five hundred calls a second, and 300 MB at the worst."""
RETRY_AFTER_S: Final = 10
"""What a peer is told to wait when a maximum is reached, seconds (RFC 3261 §21.5.4)."""

_log = structlog.get_logger(__name__)

InviteHandler = Callable[[InboundSession], None]


class UserAgent:
    """Sorts what the transport layer hears, and does what sessions want done.

    Args:
        pump: Ticks sessions.
        loop: Its clock is used.
        randomness: For tags.
        inbound: Server transactions.
        outbound: Client transactions.
        make_local_end: Says how we present ourselves to the peer of a request.
        on_invite: Takes inbound calls.
        capabilities: What is supported.

    Attributes:
        counts: What was dropped and refused.
        accepts_calls: False once the endpoint is being closed.
    """

    def __init__(
        self,
        *,
        pump: TimerPump,
        loop: asyncio.AbstractEventLoop,
        randomness: Randomness,
        inbound: InboundRequests,
        outbound: OutboundRequests,
        make_local_end: Callable[[Request, Flow], LocalEnd],
        on_invite: InviteHandler,
        capabilities: Capabilities = BASIC,
    ) -> None:
        self.counts = RequestCounts()
        self.accepts_calls = True
        self._pump = pump
        self._loop = loop
        self._randomness = randomness
        self._inbound = inbound
        self._outbound = outbound
        self._make_local_end = make_local_end
        self._on_invite = on_invite
        self._capabilities = capabilities
        self._sessions: dict[tuple[str, str], Session] = {}
        self._stepped = asyncio.Event()

    def __len__(self) -> int:
        return len(self._sessions)

    @property
    def has_room(self) -> bool:
        """Whether another session may begin."""
        return self.accepts_calls and len(self._sessions) < MAX_SESSIONS

    def start(self, session: OutboundSession) -> None:
        """Call somebody; without room for another session the INVITE fails unsent."""
        if self.has_room:
            self._sessions[session.key] = session
        try:
            session.start()
        except Exception:
            self._forget(session)
            raise

    async def hang_up_all(self) -> None:
        """Take no more calls, end every session, and return once the peers have confirmed it."""
        self.accepts_calls = False
        for session in list(self._sessions.values()):
            session.close()
        while self._sessions or self._outbound.unsettled:
            self._stepped.clear()
            await self._stepped.wait()

    def message_received(self, message: Message, flow: Flow, data: bytes) -> None:
        """Take a message from the transport layer."""
        try:
            if isinstance(message, Response):
                self._take_response(message, flow, data)
            else:
                self._take_request(message, flow, data)
        except Exception:  # noqa: BLE001 - no message may stop the endpoint
            self.counts.broken += 1
            _log.exception("sip.message_broken", summary=message.start_line, source=flow.remote[0])

    def bad_message_received(self, error: ParseError, flow: Flow) -> None:
        """Answer a request that could not be read, if it can be answered (RFC 4475 §3.1.2)."""
        if error.request is not None:
            self._reject(error.request, flow, reject_malformed(error))

    def flow_lost(self, flow: Flow) -> None:
        """Take the news that a connection is gone."""
        self._outbound.flow_lost(flow)

    def datagram_refused(self, data: bytes) -> None:
        """Take the beginning of a datagram of ours that nobody took."""
        self._outbound.datagram_refused(data)

    def send_request(self, request: Request, session: Session) -> None:
        """Start a client transaction (see :class:`~.sessions.SessionDesk`)."""
        if request.method == "INVITE" and session.key not in self._sessions:
            self._outbound.refuse(request, session, "there is no room for another call")
        else:
            self._outbound.send(request, session)

    def send_ack(self, ack: Request, session: Session) -> None:
        """Send the ACK for a 2xx (see :class:`~.sessions.SessionDesk`)."""
        self._outbound.send_ack(ack, session)

    def send_response(self, request: Request, response: Response, session: Session) -> None:
        """Answer a request (see :class:`~.sessions.SessionDesk`)."""
        self._inbound.respond(request, response)

    def abandon_request(self, request: Request) -> None:
        """End a client transaction (see :class:`~.sessions.SessionDesk`)."""
        self._outbound.abandon(request)

    def session_stepped(self, session: Session) -> None:
        """Note the session's deadline, or forget it."""
        self._stepped.set()
        if session.core.is_finished:
            self._forget(session)
        else:
            self._pump.update(session)

    def session_broken(self, session: Session) -> None:
        """Forget a session that failed of a bug."""
        self.counts.broken += 1
        self._inbound.refuse_rest(session)
        self._forget(session)

    def _forget(self, session: Session) -> None:
        self._sessions.pop(session.key, None)
        self._pump.forget(session)
        session.release()

    def _take_response(self, response: Response, flow: Flow, data: bytes) -> None:
        is_ours = check_response(response) is None
        if not is_ours or not self._outbound.receive_response(response, flow, data):
            self.counts.stray_responses += 1

    def _take_request(self, request: Request, flow: Flow, data: bytes) -> None:
        rejection = check_request(request, self._capabilities)
        if rejection is not None:
            self._reject(request, flow, rejection)
            return
        key = server_key(request)
        if request.method == "ACK":
            self._take_ack(request, key, flow, data)
        elif (exchange := self._inbound.find(key)) is not None:
            _trace(exchange.session, flow, data)
            self._inbound.repeat(exchange)
        elif request.method == "CANCEL":
            self._take_cancel(request, key, flow, data)
        elif request.to_tag is not None:
            session = self._sessions.get((request.call_id, request.to_tag))
            self._hand_over(request, key, flow, session, data)
        else:
            self._take_new(request, key, flow, data)

    def _take_ack(self, ack: Request, key: TransactionKey, flow: Flow, data: bytes) -> None:
        if (exchange := self._inbound.find(key)) is not None:
            _trace(exchange.session, flow, data)
            self._inbound.acknowledge(exchange, ack)
            return
        session = self._sessions.get((ack.call_id, ack.to_tag or ""))
        if session is None:
            self.counts.stray_acks += 1
            return
        _trace(session, flow, data)
        session.receive_request(ack)

    def _take_cancel(self, cancel: Request, key: TransactionKey, flow: Flow, data: bytes) -> None:
        cancelled = self._inbound.find(cancelled_key(cancel))
        session = None if cancelled is None else cancelled.session
        self._hand_over(cancel, key, flow, session, data)

    def _hand_over(
        self,
        request: Request,
        key: TransactionKey,
        flow: Flow,
        session: Session | None,
        data: bytes,
    ) -> None:
        """Give a request to its session; without one it gets 481 (RFC 3261 §12.2.2, §9.2)."""
        if session is None:
            self._refuse(request, flow, 481)
        elif len(self._inbound) >= MAX_SERVER_TRANSACTIONS:
            self._refuse_for_now(request, flow)
        else:
            _trace(session, flow, data)
            session.hold(flow)
            self._inbound.open(request, key, flow, session)
            session.receive_request(request)

    def _take_new(self, request: Request, key: TransactionKey, flow: Flow, data: bytes) -> None:
        """Take a request outside any dialog."""
        if request.method == "OPTIONS":
            self._answer_options(request, flow)
        elif request.method != "INVITE":
            self._refuse(request, flow, 481)
        elif self._inbound.is_merged(request):
            self._refuse(request, flow, 482)
        elif not self.has_room or len(self._inbound) >= MAX_SERVER_TRANSACTIONS:
            self._refuse_for_now(request, flow)
        else:
            self._take_invite(request, key, flow, data)

    def _take_invite(self, invite: Request, key: TransactionKey, flow: Flow, data: bytes) -> None:
        try:
            local = self._make_local_end(invite, flow)
        except TransportError:
            self._refuse(invite, flow, 500)
            return
        core = InviteServerSession(invite, local=local, randomness=self._randomness)
        session = InboundSession(core, self, self._loop, flow=flow)
        self._sessions[session.key] = session
        _trace(session, flow, data)
        session.hold(flow)
        self._inbound.open(invite, key, flow, session)
        self._pump.update(session)
        try:
            self._on_invite(session)
        except Exception:  # noqa: BLE001 - the owner's bug ends this call alone
            _log.exception("sip.invite_handler_failed", sip_call_id=session.call_id)
            session.reject(500)

    def _answer_options(self, request: Request, flow: Flow) -> None:
        """Say what we can do (RFC 3261 §11.2)."""
        capabilities = self._capabilities
        headers = (
            ("Allow", ", ".join(capabilities.methods)),
            ("Accept", ", ".join(capabilities.content_types)),
            ("Supported", ", ".join(capabilities.extensions)),
        )
        self._inbound.respond_statelessly(request, flow, 200, None, headers)

    def _refuse(self, request: Request, flow: Flow, status: int) -> None:
        self.counts.rejected += 1
        self._inbound.respond_statelessly(request, flow, status)

    def _refuse_for_now(self, request: Request, flow: Flow) -> None:
        self.counts.overloaded += 1
        headers = (("Retry-After", str(RETRY_AFTER_S)),)
        self._inbound.respond_statelessly(request, flow, 503, None, headers)

    def _reject(self, request: Request, flow: Flow, rejection: Rejection) -> None:
        if request.method == "ACK":
            self.counts.stray_acks += 1
            return
        self.counts.rejected += 1
        self._inbound.respond_statelessly(
            request, flow, rejection.status, rejection.reason, rejection.headers
        )


def _trace(session: Session, flow: Flow, data: bytes) -> None:
    session.trace.record(
        sent=False, kind=flow.kind, local=flow.local, remote=flow.remote, data=data
    )
