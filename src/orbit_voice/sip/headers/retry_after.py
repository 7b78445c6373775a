"""When to try again: the Retry-After header field (RFC 3261 §20.33)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from orbit_voice.sip import grammar
from orbit_voice.sip.grammar import MAX_UINT32, WS, ParseError, parse_number
from orbit_voice.sip.params import NO_PARAMS, Params

_delta: Final = re.compile(rf"([0-9]++){WS}")
_SECTION: Final = "RFC 3261 §20.33"


@dataclass(frozen=True, slots=True)
class RetryAfter:
    """How long to wait.

    Attributes:
        seconds: 0 to 2**32 - 1.
        comment: With its parentheses, or None.
        params: ``duration`` and others.
    """

    seconds: int
    comment: str | None = None
    params: Params = NO_PARAMS

    @classmethod
    def parse(cls, text: str) -> RetryAfter:
        """Read a Retry-After value. A comment within the comment is not taken.

        Raises:
            ParseError: Malformed, or the seconds need more than 32 bits.
        """
        if (match := _delta.match(text)) is None:
            raise ParseError("Retry-After is malformed", section=_SECTION)
        seconds = parse_number(match[1], "Retry-After", maximum=MAX_UINT32, section=_SECTION)
        position = match.end()
        comment = grammar.comment.match(text, position)
        if comment is None:
            return cls(seconds, None, Params.parse(text, position))
        return cls(seconds, comment[1], Params.parse(text, comment.end()))

    def __str__(self) -> str:
        comment = f" {self.comment}" if self.comment else ""
        return f"{self.seconds}{comment}{self.params}"
