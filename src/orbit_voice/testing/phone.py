"""A SIP phone: one person with one line, on real sockets.

::

    async with SipPhone(tone_hz=440) as phone, SipPhone(behaviour=Answer(after_s=1)) as other:
        leg = phone.call(other.uri())
        await leg.answered()
        leg.send_dtmf("12#")
"""

from __future__ import annotations

from random import Random
from typing import Final

from orbit_voice.sip.digest import Credentials
from orbit_voice.testing.behaviours import Answer, Behaviour
from orbit_voice.testing.outbound_leg import OutboundLeg
from orbit_voice.testing.user_agent import Listener, SimulatedUserAgent

TALK: Final = Answer()
"""Once answered: the phone's own tone, if it has one, until somebody hangs up."""


class SipPhone(SimulatedUserAgent):
    """A phone that makes calls, and does with those it gets what its behaviour says.

    Args:
        user: Its name, the user part of its URI.
        behaviour: What it does with calls; may be changed at any time.
        display_name: Shown with its name, or None.
        credentials: For 401 and 407 to its calls, or None.
        host: Numeric address of its SIP and RTP sockets.
        port: SIP port, UDP and TCP; 0: a free one of each.
        codecs: Of ``PCMU`` and ``PCMA``, best first.
        tone_hz: The tone it plays where it is told no other sound; None: silence.
        records: Whether every leg is recorded, both sides mixed.
        random: Source of its session ids.
        on_moment: Called with every moment of the phone and of every leg, as it happens.

    Attributes:
        behaviour: As given.
    """

    def __init__(
        self,
        user: str = "phone",
        *,
        behaviour: Behaviour = TALK,
        display_name: str | None = None,
        credentials: Credentials | None = None,
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
        self._user = user
        self._display_name = display_name
        self._credentials = credentials
        self.behaviour = behaviour

    def uri(self, user: str | None = None, *, transport: str = "udp") -> str:
        """Return the URI to call it at, over ``udp`` or ``tcp``."""
        return super().uri(user or self._user, transport=transport)

    def call(
        self,
        uri: str,
        *,
        manner: Answer = TALK,
        headers: tuple[tuple[str, str], ...] = (),
        late_offer: bool = False,
    ) -> OutboundLeg:
        """Call ``uri``; the INVITE leaves at once.

        Args:
            uri: Whom, as ``sip:user@host:port``, with ``;transport=tcp`` for TCP.
            manner: What to do once answered: sound, digits, echo, when to hang up.
            headers: More header fields of the INVITE.
            late_offer: Whether to have the peer make the offer (an INVITE without SDP).

        Raises:
            ProtocolError: ``uri`` or a header field is malformed.
            MediaError: No media port is free.
        """
        return self._place(
            uri,
            from_uri=self.uri(),
            from_display=self._display_name,
            manner=manner,
            credentials=self._credentials,
            headers=headers,
            late_offer=late_offer,
        )

    def _choose(self, number: str) -> Behaviour:
        return self.behaviour
