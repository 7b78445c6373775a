"""The four transactions of RFC 3261 §17 with RFC 6026, as total tables.

A transaction owns the retransmissions of one request or response and knows nothing of messages but
their status. :mod:`~orbit_voice.sip.transactions.keys` says which one a message belongs to.
"""

from __future__ import annotations

from orbit_voice.sip.transactions.client import ClientTransaction
from orbit_voice.sip.transactions.invite_client import InviteClientTransaction
from orbit_voice.sip.transactions.invite_server import InviteServerTransaction
from orbit_voice.sip.transactions.keys import (
    TransactionKey,
    cancelled_key,
    client_key,
    merge_key,
    server_key,
)
from orbit_voice.sip.transactions.outputs import (
    Failed,
    PassAckToUser,
    PassToUser,
    ResendRequest,
    TransmitAck,
    TransmitResponse,
    TransmitTrying,
)
from orbit_voice.sip.transactions.server import ServerTransaction

__all__ = [
    "ClientTransaction",
    "Failed",
    "InviteClientTransaction",
    "InviteServerTransaction",
    "PassAckToUser",
    "PassToUser",
    "ResendRequest",
    "ServerTransaction",
    "TransactionKey",
    "TransmitAck",
    "TransmitResponse",
    "TransmitTrying",
    "cancelled_key",
    "client_key",
    "merge_key",
    "server_key",
]
