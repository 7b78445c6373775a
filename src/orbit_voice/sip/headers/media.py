"""What bodies are: Content-Type (RFC 3261 §20.15) and Accept (§20.1)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from orbit_voice.sip.grammar import TOKEN, WS, ParseError
from orbit_voice.sip.params import NO_PARAMS, Params

_media_type: Final = re.compile(rf"({TOKEN}){WS}/{WS}({TOKEN}){WS}")
_quality: Final = re.compile(r"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?")


@dataclass(frozen=True, slots=True)
class MediaType:
    """A media type with its parameters.

    Attributes:
        type: For example ``application``; lower case.
        subtype: For example ``sdp``; lower case.
        params: For example ``boundary``; unquoted.
    """

    type: str
    subtype: str
    params: Params = NO_PARAMS

    @classmethod
    def parse(cls, text: str) -> MediaType:
        """Read ``media-type``.

        Raises:
            ParseError: Malformed.
        """
        if (match := _media_type.match(text)) is None:
            raise ParseError("a media type is malformed", section="RFC 3261 §20.15")
        params = Params.parse(text, match.end())
        return cls(match[1].lower(), match[2].lower(), params)

    @property
    def essence(self) -> str:
        """``type/subtype``."""
        return f"{self.type}/{self.subtype}"

    def __str__(self) -> str:
        return f"{self.essence}{self.params}"


@dataclass(frozen=True, slots=True)
class AcceptRange:
    """One range of an Accept header field.

    Attributes:
        range: A media type where ``*`` stands for anything, with its parameters.
    """

    range: MediaType

    @classmethod
    def parse(cls, text: str) -> AcceptRange:
        """Read ``accept-range``.

        Raises:
            ParseError: Malformed.
        """
        media = MediaType.parse(text)
        quality = media.params.get("q", "1")
        if quality is None or not _quality.fullmatch(quality):
            raise ParseError("a q value is malformed", section="RFC 3261 §20.1")
        if media.type == "*" and media.subtype != "*":
            raise ParseError("a media range is malformed", section="RFC 3261 §20.1")
        return cls(media)

    @property
    def quality(self) -> float:
        """How welcome it is, 0.0 (not at all) to 1.0."""
        return float(self.range.params.get("q", "1"))

    def matches(self, essence: str) -> bool:
        """Tell whether ``essence``, a ``type/subtype`` in lower case, falls in this range."""
        kind, _, subtype = essence.partition("/")
        return self.range.type in ("*", kind) and self.range.subtype in ("*", subtype)

    def __str__(self) -> str:
        return str(self.range)
