"""Sequence numbers: CSeq (RFC 3261 §20.16) and RAck (RFC 3262 §7.2)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from orbit_voice.sip.grammar import MAX_UINT32, TOKEN, ParseError, parse_number

_cseq: Final = re.compile(rf"([0-9]++)[ \t]++({TOKEN})")
_rack: Final = re.compile(rf"([0-9]++)[ \t]++([0-9]++)[ \t]++({TOKEN})")


@dataclass(frozen=True, slots=True)
class CSeq:
    """Orders the requests of a dialog.

    Attributes:
        number: 0 to 2**32 - 1. Senders stay below 2**31 (RFC 3261 §8.1.1.5); we take all 32 bits,
            as RFC 4475 §3.1.2.4 does.
        method: The request's method; case matters.
    """

    number: int
    method: str

    @classmethod
    def parse(cls, text: str) -> CSeq:
        """Read a CSeq value.

        Raises:
            ParseError: Malformed, or the number needs more than 32 bits.
        """
        if (match := _cseq.fullmatch(text)) is None:
            raise ParseError("CSeq is malformed", section="RFC 3261 §20.16")
        number, method = match.groups()
        return cls(_number(number, "the CSeq number", "RFC 3261 §20.16"), method)

    def __str__(self) -> str:
        return f"{self.number} {self.method}"


@dataclass(frozen=True, slots=True)
class RAck:
    """Which reliable provisional response a PRACK acknowledges.

    Attributes:
        rseq: Its RSeq number, 0 to 2**32 - 1.
        cseq: Its CSeq.
    """

    rseq: int
    cseq: CSeq

    @classmethod
    def parse(cls, text: str) -> RAck:
        """Read a RAck value.

        Raises:
            ParseError: Malformed, or a number needs more than 32 bits.
        """
        if (match := _rack.fullmatch(text)) is None:
            raise ParseError("RAck is malformed", section="RFC 3262 §7.2")
        rseq, cseq, method = match.groups()
        section = "RFC 3262 §7.2"
        return cls(
            _number(rseq, "the RAck response number", section),
            CSeq(_number(cseq, "the RAck CSeq number", section), method),
        )

    def __str__(self) -> str:
        return f"{self.rseq} {self.cseq}"


def _number(text: str, what: str, section: str) -> int:
    return parse_number(text, what, maximum=MAX_UINT32, section=section)
