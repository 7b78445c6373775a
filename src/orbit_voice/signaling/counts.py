"""What an endpoint can say of itself in figures."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class RequestCounts:
    """What the user agent did with messages of no session, since the start.

    Attributes:
        stray_responses: Responses that no transaction waited for, or that were not for us.
        stray_acks: ACKs that no transaction or session waited for, or that were malformed.
        rejected: Requests refused without a session: malformed, unknown dialog and so on.
        overloaded: Requests refused with 503 because a maximum was reached.
        broken: Messages whose handling failed of a bug.
    """

    stray_responses: int = 0
    stray_acks: int = 0
    rejected: int = 0
    overloaded: int = 0
    broken: int = 0


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
        stray_responses: As in :class:`RequestCounts`.
        stray_acks: As in :class:`RequestCounts`.
        rejected: As in :class:`RequestCounts`.
        overloaded: As in :class:`RequestCounts`.
        broken: As in :class:`RequestCounts`.
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
    broken: int
