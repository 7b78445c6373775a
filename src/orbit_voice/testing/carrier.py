"""A carrier simulator: the other end of a SIP trunk, on real sockets.

::

    plan = DialPlan({"+4930123456": Answer(echo_digits=True)}, otherwise=BUSY)
    async with CarrierSimulator(plan, tone_hz=1000) as carrier:
        trunk_uri = carrier.trunk_uri()          # give this to the server
        leg = await carrier.next_leg()           # the server calls a number
        carrier.call("+15550100", from_="+4930123456", via="sip:127.0.0.1:5060")

Numbers behave as its :class:`~orbit_voice.testing.dial_plan.DialPlan` says; it notes every INVITE
in its :class:`~orbit_voice.testing.invite_ledger.InviteLedger`.
"""

from __future__ import annotations

from random import Random

from orbit_voice.signaling.endpoint import InboundSession
from orbit_voice.sip.digest import Credentials
from orbit_voice.sip.message import Request
from orbit_voice.testing.behaviours import Answer, Behaviour
from orbit_voice.testing.dial_plan import DialPlan
from orbit_voice.testing.digest_guard import DigestGuard
from orbit_voice.testing.invite_ledger import InviteLedger
from orbit_voice.testing.outbound_leg import OutboundLeg
from orbit_voice.testing.phone import TALK
from orbit_voice.testing.user_agent import Listener, SimulatedUserAgent, called_number


class CarrierSimulator(SimulatedUserAgent):
    """A peer that takes calls to any number and calls in from any.

    Args:
        dial_plan: Which number does what; None: what the last two digits mean
            (:data:`~orbit_voice.testing.dial_plan.MAGIC_ENDINGS`).
        guard: Lets calls pass only with good credentials; None: all pass.
        host: Numeric address of its SIP and RTP sockets.
        port: SIP port, UDP and TCP; 0: a free one of each.
        codecs: Of ``PCMU`` and ``PCMA``, best first.
        tone_hz: The tone its numbers play where they are told no other sound; None: silence.
        records: Whether every leg is recorded, both sides mixed.
        random: Source of its session ids.
        on_moment: Called with every moment of the carrier and of every leg, as it happens.

    Attributes:
        dial_plan: As given; numbers may be added at any time.
        ledger: What was dialled, refused and ignored calls too.
    """

    def __init__(
        self,
        dial_plan: DialPlan | None = None,
        *,
        guard: DigestGuard | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        codecs: tuple[str, ...] = ("PCMU", "PCMA"),
        tone_hz: int | None = None,
        records: bool = True,
        random: Random | None = None,
        on_moment: Listener | None = None,
    ) -> None:
        super().__init__(
            host=host,
            port=port,
            codecs=codecs,
            tone_hz=tone_hz,
            records=records,
            random=random,
            on_moment=on_moment,
        )
        self._guard = guard
        self.dial_plan = dial_plan or DialPlan()
        self.ledger = InviteLedger()

    def trunk_uri(self, *, transport: str = "udp") -> str:
        """Return where a trunk sends its calls to, without a number."""
        return f"sip:{self._where(transport)}"

    def call(
        self,
        number: str,
        *,
        from_: str,
        via: str,
        manner: Answer = TALK,
        credentials: Credentials | None = None,
        headers: tuple[tuple[str, str], ...] = (),
        late_offer: bool = False,
    ) -> OutboundLeg:
        """Call into a server, as a carrier does when somebody dials one of its numbers.

        Args:
            number: Dialled.
            from_: Number of the caller.
            via: The server, as ``sip:host:port``, with ``;transport=tcp`` for TCP.
            manner: What the caller does once answered: sound, digits, echo, when to hang up.
            credentials: For 401 and 407, or None.
            headers: More header fields of the INVITE.
            late_offer: Whether to have the server make the offer (an INVITE without SDP).

        Raises:
            ProtocolError: A number, ``via`` or a header field is malformed.
            MediaError: No media port is free.
        """
        return self._place(
            f"sip:{number}@{via.removeprefix('sip:')}",
            from_uri=self.uri(from_),
            manner=manner,
            credentials=credentials,
            headers=headers,
            late_offer=late_offer,
        )

    def _choose(self, number: str) -> Behaviour:
        return self.dial_plan.choose(number)

    def _admit(self, session: InboundSession) -> bool:
        self._enter(session.request)
        demand = None if self._guard is None else self._guard.check(session.request)
        if demand is not None:
            self.transcript.note("challenged", demand.status)
            session.reject(demand.status, headers=demand.headers)
        return demand is None

    def _note_ignored(self, invite: Request) -> None:
        self._enter(invite)

    def _enter(self, invite: Request) -> None:
        self.ledger.enter(called_number(invite), invite.call_id, invite.cseq.number)
