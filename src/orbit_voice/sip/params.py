"""Parameters of header fields and URIs: ordered, read-only, names without case."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from orbit_voice.sip import grammar
from orbit_voice.sip.grammar import ParseError

MAX_PARAMS: Final = 64
"""Parameters of one header value or URI."""


class Params(Mapping[str, str | None]):
    """Parameters in their order: name (lower case) to meaning.

    A parameter without ``=`` has the value None, so ask ``"lr" in params``, not ``params.get``.
    Values are what is meant: quotes and escapes are gone, and come back on output as needed.

    Args:
        pairs: Names and values. Names must be unique without case.
    """

    __slots__ = ("_values",)

    def __init__(self, pairs: Iterable[tuple[str, str | None]] = ()) -> None:
        self._values = {name.lower(): value for name, value in pairs}

    @classmethod
    def parse(cls, text: str, position: int = 0) -> Params:
        """Read ``*( SEMI generic-param )`` from ``position`` to the end of ``text``.

        Raises:
            ParseError: Malformed, a name twice (RFC 3261 §7.3.1), or too many.
        """
        if position == len(text):
            return NO_PARAMS
        values: dict[str, str | None] = {}
        count = 0
        while position < len(text):
            if (match := grammar.param.match(text, position)) is None:
                raise ParseError("a header parameter is malformed")
            name, value = match.groups()
            values[name.lower()] = grammar.unquote(value) if value and value[0] == '"' else value
            position = match.end()
            count += 1
            if count > MAX_PARAMS:
                raise too_many_params()
        if len(values) != count:
            raise ParseError("a header parameter is repeated", section="RFC 3261 §7.3.1")
        return cls._of(values)

    @classmethod
    def _of(cls, values: dict[str, str | None]) -> Params:
        params = cls.__new__(cls)
        params._values = values
        return params

    def get(self, name: str, default: Any = None) -> Any:
        """Return the value of ``name``, which is None too when it stands without ``=``."""
        return self._values.get(name.lower(), default)

    def with_param(self, name: str, value: str | None = None) -> Params:
        """Return these with ``name`` set: in its place when it is there, else at the end."""
        return self._of({**self._values, name.lower(): value})

    def without(self, name: str) -> Params:
        """Return these without ``name``."""
        return self._of({each: v for each, v in self._values.items() if each != name.lower()})

    def __getitem__(self, name: str) -> str | None:
        return self._values[name.lower()]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Params):
            return NotImplemented
        return self._values == other._values

    def __hash__(self) -> int:
        return hash(frozenset(self._values.items()))

    def __str__(self) -> str:
        """Write ``;name=value…`` as header parameters, quoting where the grammar demands it."""
        return "".join(
            f";{name}" if value is None else f";{name}={grammar.quote_if_needed(value)}"
            for name, value in self._values.items()
        )

    def __repr__(self) -> str:
        return f"Params({list(self._values.items())!r})"


NO_PARAMS: Final = Params()
"""The empty parameters."""


def too_many_params() -> ParseError:
    """Return the error for more than :data:`MAX_PARAMS` parameters."""
    return ParseError("too many parameters", status_hint=513, section="RFC 3261 §21.5.7")
