"""The Date header field (RFC 3261 §20.17)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from orbit_voice.sip.grammar import ParseError

_WEEKDAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS: Final = (
    *("Jan", "Feb", "Mar", "Apr", "May", "Jun"),
    *("Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
)
_date: Final = re.compile(
    rf"(?:{'|'.join(_WEEKDAYS)}),[ ]([0-9]{{2}})[ ]({'|'.join(_MONTHS)})[ ]([0-9]{{4}})[ ]"
    r"([0-9]{2}):([0-9]{2}):([0-9]{2})[ ]GMT",
    re.IGNORECASE,
)
_SECTION: Final = "RFC 3261 §20.17"


@dataclass(frozen=True, slots=True)
class SipDate:
    """A moment as SIP writes it: in GMT, to the second.

    Attributes:
        moment: Aware, of any zone.
    """

    moment: datetime

    @classmethod
    def parse(cls, text: str) -> SipDate:
        """Read ``SIP-date``. No zone but GMT is taken (RFC 4475 §3.1.2.12).

        Raises:
            ParseError: Malformed, or no such moment.
        """
        if (match := _date.fullmatch(text)) is None:
            raise ParseError("Date is malformed", section=_SECTION)
        day, month, year, hour, minute, second = match.groups()
        try:
            moment = datetime(
                int(year),
                _MONTHS.index(month.capitalize()) + 1,
                int(day),
                int(hour),
                int(minute),
                int(second),
                tzinfo=UTC,
            )
        except ValueError as error:
            raise ParseError("Date is no moment that exists", section=_SECTION) from error
        return cls(moment)

    def __str__(self) -> str:
        utc = self.moment.astimezone(UTC)
        return (
            f"{_WEEKDAYS[utc.weekday()]}, {utc.day:02} {_MONTHS[utc.month - 1]} {utc.year:04} "
            f"{utc.hour:02}:{utc.minute:02}:{utc.second:02} GMT"
        )
