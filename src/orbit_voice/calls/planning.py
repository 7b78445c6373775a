"""From an order to a call that can be made: caller ID, trunk, INVITE."""

from __future__ import annotations

from dataclasses import dataclass

from orbit_voice.calls.orders import CallOrder
from orbit_voice.calls.records import CallRecord, CallStatus, Direction
from orbit_voice.kit.clock import utc_now
from orbit_voice.kit.errors import CallError, ErrorCode
from orbit_voice.kit.ids import new_call_id
from orbit_voice.signaling.endpoint import Credentials, OutboundInvite
from orbit_voice.sip.uri import SipUri
from orbit_voice.trunks.interfaces import NumberStore, TrunkStore
from orbit_voice.trunks.records import Transport, Trunk
from orbit_voice.trunks.routing import choose_trunk, destination_uri

_ANONYMOUS = "sip:anonymous@anonymous.invalid"
"""From of a call to a SIP URI by an organization without numbers (RFC 3323 §4.1.1.3)."""
_DIRECT_CODECS = ("PCMU", "PCMA")


@dataclass(frozen=True, slots=True)
class PlannedCall:
    """A call about to be made: its first record, its INVITE without SDP, its codecs."""

    record: CallRecord
    invite: OutboundInvite
    codecs: tuple[str, ...]


class CallPlanner:
    """Plans outbound calls.

    Args:
        trunks: Where trunks are kept.
        numbers: Where numbers are kept.
        sip_host: Host of our own SIP URIs, as peers see it.
    """

    def __init__(self, trunks: TrunkStore, numbers: NumberStore, *, sip_host: str) -> None:
        self._trunks = trunks
        self._numbers = numbers
        self._sip_host = f"[{sip_host}]" if ":" in sip_host else sip_host

    async def plan(self, org_id: str, order: CallOrder, *, node_id: str) -> PlannedCall:
        """Return the call that ``order`` asks for; nothing is written or sent.

        Raises:
            CallError: ``NUMBER_NOT_REGISTERED``, ``NO_ROUTE``.
        """
        caller = await self._caller(org_id, order)
        trunk = await self._trunk(org_id, order)
        record = CallRecord(
            id=new_call_id(),
            org_id=org_id,
            node_id=node_id,
            direction=Direction.OUTBOUND,
            from_=caller,
            to=order.to,
            status=CallStatus.INITIATING,
            created_at=utc_now(),
            agent_id=order.agent_id,
            ivr_id=order.ivr_id,
            trunk_id=None if trunk is None else trunk.id,
            record=order.record,
            max_duration_s=order.max_duration_s,
            ring_timeout_s=order.ring_timeout_s,
            webhook_url=order.webhook_url,
            metadata=order.metadata,
            sip_headers=order.sip_headers,
        )
        codecs = _DIRECT_CODECS if trunk is None else trunk.codecs
        return PlannedCall(record, self._invite(order, caller, trunk), codecs)

    async def _caller(self, org_id: str, order: CallOrder) -> str | None:
        if order.from_ is not None:
            if await self._numbers.find_number(org_id, order.from_) is None:
                details = {"field": "from", "value": order.from_}
                raise CallError(ErrorCode.NUMBER_NOT_REGISTERED, details=details)
            return order.from_
        default = await self._numbers.default_number(org_id)
        if default is not None:
            return default.number
        if _is_uri(order.to):
            return None
        raise CallError(
            ErrorCode.NUMBER_NOT_REGISTERED,
            "The organization has no default number. Register one with POST /v1/numbers and "
            "is_default true, or name one in `from`.",
            details={"field": "from", "value": None, "expected": "a registered number"},
        )

    async def _trunk(self, org_id: str, order: CallOrder) -> Trunk | None:
        if _is_uri(order.to) and order.trunk_id is None:
            return None
        trunk = choose_trunk(await self._trunks.enabled_trunks(org_id), order.trunk_id)
        if trunk is None:
            details = {"field": "trunk_id", "value": order.trunk_id}
            raise CallError(ErrorCode.NO_ROUTE, details=details)
        return trunk

    def _invite(self, order: CallOrder, caller: str | None, trunk: Trunk | None) -> OutboundInvite:
        target = (
            order.to if trunk is None or _is_uri(order.to) else destination_uri(trunk, order.to)
        )
        return OutboundInvite(
            request_uri=target,
            next_hop=None if trunk is None else trunk.outbound_uri,
            from_uri=_ANONYMOUS if caller is None else f"sip:{caller}@{self._sip_host}",
            from_display=None,
            to_uri=target,
            sdp=None,
            headers=tuple(order.sip_headers.items()),
            credentials=_credentials(trunk),
            transport=_transport(target, trunk),
        )


def _is_uri(target: str) -> bool:
    return target.startswith(("sip:", "sips:"))


def _credentials(trunk: Trunk | None) -> Credentials | None:
    if trunk is None or trunk.username is None or trunk.password is None:
        return None
    return Credentials(trunk.username, trunk.password, trunk.realm)


def _transport(target: str, trunk: Trunk | None) -> str:
    if trunk is not None:
        return trunk.transport.value
    named = SipUri.parse(target).params.get("transport")
    return Transport.TCP.value if named == Transport.TCP.value else Transport.UDP.value
