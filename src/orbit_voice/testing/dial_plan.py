"""Which number behaves how at the simulated carrier."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from orbit_voice.testing.behaviours import (
    BUSY,
    DECLINE,
    NOT_FOUND,
    UNAVAILABLE,
    Answer,
    Behaviour,
    Ignore,
    Reject,
    Ring,
)

MAGIC_ENDINGS: Final[Mapping[str, Behaviour]] = {
    "00": Answer(),
    "01": Answer(after_s=2.0),
    "02": Answer(after_s=10.0),
    "03": Answer(after_s=1.0, ring_status=183, early_media=True),
    "04": NOT_FOUND,
    "05": Answer(hangup_after_s=2.0),
    "06": Answer(echo_digits=True),
    "07": Answer(digits="1234567890*#"),
    "08": Answer(ring_status=None),
    "10": Ring(),
    "11": Ring(status=None),
    "12": Ignore(),
    "20": BUSY,
    "21": Reject(486, after_s=2.0, ring_status=180),
    "22": DECLINE,
    "23": UNAVAILABLE,
    "24": Reject(480),
    "25": Reject(500),
    "26": Reject(488),
    "27": Reject(403),
    "28": Reject(302, headers=(("Contact", "<sip:+15550100@127.0.0.1>"),)),
}
"""What the last two digits of a number mean. Its tone is heard wherever a call is answered.

======  =========================================  ======  ===============================
``00``  answered at once                           ``10``  rings until the caller gives up
``01``  answered after 2 s                         ``11``  100 Trying, and nothing more
``02``  answered after 10 s                        ``12``  takes no notice at all
``03``  183 with early media, answered after 1 s   ``20``  486 Busy Here
``04``  404 Not Found                              ``21``  486 after ringing for 2 s
``05``  answered, hangs up after 2 s               ``22``  603 Decline
``06``  answered, sends back every digit heard     ``23``  503 Service Unavailable
``07``  answered, sends ``1234567890*#``           ``24``  480 Temporarily Unavailable
``08``  answered without ringing                   ``25``  500 Server Internal Error
``28``  302 Moved Temporarily                      ``26``  488, ``27``  403
======  =========================================  ======  ===============================
"""


class DialPlan:
    """Finds the behaviour of a number.

    Args:
        numbers: Behaviours of whole numbers; they go before the endings.
        endings: Behaviours of last digits; the longest that fits counts.
        otherwise: Of every other number.
    """

    def __init__(
        self,
        numbers: Mapping[str, Behaviour] | None = None,
        *,
        endings: Mapping[str, Behaviour] = MAGIC_ENDINGS,
        otherwise: Behaviour = NOT_FOUND,
    ) -> None:
        self.numbers: dict[str, Behaviour] = dict(numbers or {})
        self._endings = sorted(endings.items(), key=lambda item: -len(item[0]))
        self._otherwise = otherwise

    def choose(self, number: str) -> Behaviour:
        """Return what ``number`` does; ``+`` at its start makes no difference."""
        digits = number.removeprefix("+")
        for known in (number, digits, f"+{digits}"):
            if known in self.numbers:
                return self.numbers[known]
        for ending, behaviour in self._endings:
            if digits.endswith(ending):
                return behaviour
        return self._otherwise
