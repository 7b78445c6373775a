"""Whose an inbound call is, and what becomes of it; or the rule that refuses it.

The source is judged before the number, so that a stranger learns nothing about numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import structlog

from orbit_voice.calls.records import CallRecord, CallStatus, Direction
from orbit_voice.kit.clock import utc_now
from orbit_voice.kit.errors import RemoteProtocolError
from orbit_voice.kit.ids import new_call_id
from orbit_voice.sip.message import Request
from orbit_voice.sip.uri import SipUri
from orbit_voice.trunks.interfaces import NumberStore, TrunkStore
from orbit_voice.trunks.records import Number, RoutingType, Trunk
from orbit_voice.trunks.routing import trunks_of_source

_log = structlog.get_logger(__name__)

_LONGEST_SHOWN = 256
"""Longest caller or callee kept in a record, characters; the peer chooses them."""


class Rule(StrEnum):
    """Why an INVITE was refused."""

    UNKNOWN_SOURCE = "unknown_source"
    UNKNOWN_NUMBER = "unknown_number"
    NO_ROUTING = "no_routing"
    REJECTED_BY_ROUTING = "rejected_by_routing"
    MALFORMED = "malformed"


_STATUS_OF_RULE = {
    Rule.UNKNOWN_SOURCE: 403,
    Rule.UNKNOWN_NUMBER: 404,
    Rule.NO_ROUTING: 404,
    Rule.REJECTED_BY_ROUTING: 603,
    Rule.MALFORMED: 400,
}


class IncomingInvite(Protocol):
    """What screening sees of an INVITE."""

    @property
    def request(self) -> Request:
        """The INVITE."""

    @property
    def source(self) -> tuple[str, int]:
        """Numeric address and port it came from."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """The INVITE is refused, by this rule."""

    rule: Rule

    @property
    def status(self) -> int:
        """Final SIP status to refuse it with."""
        return _STATUS_OF_RULE[self.rule]


@dataclass(frozen=True, slots=True)
class Admission:
    """The INVITE becomes a call."""

    record: CallRecord
    routing: RoutingType
    codecs: tuple[str, ...]


class InboundScreen:
    """Judges INVITEs.

    Args:
        trunks: Where trunks are kept.
        numbers: Where numbers are kept.
    """

    def __init__(self, trunks: TrunkStore, numbers: NumberStore) -> None:
        self._trunks = trunks
        self._numbers = numbers

    async def judge(self, invite: IncomingInvite, *, node_id: str) -> Admission | Refusal:
        """Return what becomes of ``invite``; a refusal is logged with its rule."""
        verdict = await self._judge(invite, node_id)
        if isinstance(verdict, Refusal):
            _log.info(
                "inbound.refused",
                rule=verdict.rule.value,
                sip_status=verdict.status,
                source=invite.source[0],
                request_uri=invite.request.uri[:_LONGEST_SHOWN],
            )
        return verdict

    async def _judge(self, invite: IncomingInvite, node_id: str) -> Admission | Refusal:
        try:
            called = SipUri.parse(invite.request.uri).user or ""
            caller = _caller(invite.request)
        except RemoteProtocolError:
            return Refusal(Rule.MALFORMED)
        trunks = trunks_of_source(await self._trunks.all_enabled_trunks(), invite.source[0])
        if not trunks:
            return Refusal(Rule.UNKNOWN_SOURCE)
        number = await self._numbers.inbound_number(_e164(called))
        trunk = None if number is None else _trunk_of(number, trunks)
        if number is None or trunk is None:
            return Refusal(Rule.UNKNOWN_NUMBER)
        if number.routing is None:
            return Refusal(Rule.NO_ROUTING)
        if number.routing is RoutingType.REJECT:
            return Refusal(Rule.REJECTED_BY_ROUTING)
        record = _first_record(number, trunk, caller, node_id)
        return Admission(record, number.routing, trunk.codecs)


def _trunk_of(number: Number, trunks: list[Trunk]) -> Trunk | None:
    for trunk in trunks:
        if trunk.org_id == number.org_id and number.trunk_id in {None, trunk.id}:
            return trunk
    return None


def _first_record(number: Number, trunk: Trunk, caller: str, node_id: str) -> CallRecord:
    return CallRecord(
        id=new_call_id(),
        org_id=number.org_id,
        node_id=node_id,
        direction=Direction.INBOUND,
        from_=caller,
        to=number.number,
        status=CallStatus.INITIATING,
        created_at=utc_now(),
        trunk_id=trunk.id,
        webhook_url=number.webhook_url,
    )


def _caller(request: Request) -> str:
    uri = request.from_.uri
    user = uri.user if isinstance(uri, SipUri) else None
    if user is not None and user.lstrip("+").isdigit():
        return _e164(user)[:_LONGEST_SHOWN]
    return str(uri)[:_LONGEST_SHOWN]


def _e164(user: str) -> str:
    """Return a called or calling user as E.164: carriers leave the plus sign out or put it in."""
    digits = user.partition(";")[0]
    return digits if digits.startswith("+") else f"+{digits}"
