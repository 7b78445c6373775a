"""SIP header fields as frozen values with `parse` and `__str__`."""

from __future__ import annotations

from orbit_voice.sip.headers.authentication import Authorization, Challenge
from orbit_voice.sip.headers.cseq import CSeq, RAck
from orbit_voice.sip.headers.date import SipDate
from orbit_voice.sip.headers.media import AcceptRange, MediaType
from orbit_voice.sip.headers.name_addr import NameAddr
from orbit_voice.sip.headers.reason import Reason
from orbit_voice.sip.headers.retry_after import RetryAfter
from orbit_voice.sip.headers.via import BRANCH_COOKIE, Via

__all__ = [
    "BRANCH_COOKIE",
    "AcceptRange",
    "Authorization",
    "CSeq",
    "Challenge",
    "MediaType",
    "NameAddr",
    "RAck",
    "Reason",
    "RetryAfter",
    "SipDate",
    "Via",
]
