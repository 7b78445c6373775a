"""Why a request was sent or a call ended: the Reason header field (RFC 3326 §2)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from orbit_voice.sip import grammar
from orbit_voice.sip.grammar import TOKEN, WS, ParseError, parse_number
from orbit_voice.sip.params import NO_PARAMS, Params

_protocol: Final = re.compile(rf"({TOKEN}){WS}")
_MAX_CAUSE: Final = 999
"""Three digits hold every SIP status and every Q.850 cause."""


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason value.

    Attributes:
        protocol: ``SIP``, ``Q.850`` or another, as written.
        params: ``cause``, ``text`` and others.
    """

    protocol: str
    params: Params = NO_PARAMS

    @classmethod
    def parse(cls, text: str) -> Reason:
        """Read ``reason-value``.

        Raises:
            ParseError: Malformed.
        """
        if (match := _protocol.match(text)) is None:
            raise ParseError("a Reason is malformed", section="RFC 3326 §2")
        reason = cls(match[1], Params.parse(text, match.end()))
        _ = reason.cause
        return reason

    @property
    def cause(self) -> int | None:
        """SIP status or Q.850 cause, 0-999, or None.

        Raises:
            ParseError: Not a number of up to three digits; never after :meth:`parse`.
        """
        if (text := self.params.get("cause")) is None:
            return None
        return parse_number(text, "a cause", maximum=_MAX_CAUSE, section="RFC 3326 §2")

    @property
    def text(self) -> str | None:
        """For people, or None."""
        text: str | None = self.params.get("text")
        return text

    def __str__(self) -> str:
        """Write the value; ``text`` is always quoted, as its grammar has it."""
        written = "".join(
            f";{name}={grammar.quote(value)}"
            if name == "text" and value is not None
            else str(Params([(name, value)]))
            for name, value in self.params.items()
        )
        return f"{self.protocol}{written}"
