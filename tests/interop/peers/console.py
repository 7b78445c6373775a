"""What the peer programs share: command line, events on standard output, orders on standard input.

The command line is the same for all of them, see ``--help``. Each event is one line of JSON with
the key ``event``; each order is one line of words; the end of standard input ends the program.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

_ORDER_CHUNK_BYTES: Final = 4096
_STDIN: Final = 0


@dataclass(frozen=True, slots=True)
class Order:
    """A line of standard input: ``dial URI``, ``digits 12#``, ``hold``, ``resume``, ``hangup``."""

    verb: str
    argument: str = ""


QUIT: Final = Order("quit")
"""Standard input ended."""


class Console:
    """Standard output for events only, standard input for orders."""

    def __init__(self) -> None:
        sys.stdout.flush()
        self._events = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
        os.dup2(2, 1)  # what the SIP stack prints goes to standard error
        self._pending = b""

    def report(self, event: str, **fields: object) -> None:
        """Tell the test that something happened."""
        self._events.write(json.dumps({"event": event, **fields}) + "\n")

    def fileno(self) -> int:
        """Return what to wait on for orders."""
        return _STDIN

    def take_orders(self) -> list[Order]:
        """Return the orders that came; call it when :meth:`fileno` is readable."""
        data = os.read(_STDIN, _ORDER_CHUNK_BYTES)
        if not data:
            return [QUIT]
        *lines, self._pending = (self._pending + data).split(b"\n")
        orders = (line.decode().strip().partition(" ") for line in lines)
        return [Order(verb, argument) for verb, _, argument in orders if verb]


def parse_arguments(description: str, argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=description)
    add = parser.add_argument
    add("--address", default="127.0.0.1", help="numeric address to bind (default %(default)s)")
    add("--sip-port", type=int, required=True, help="SIP port, UDP and TCP")
    add("--rtp-ports", type=_port_range, required=True, metavar="FIRST-LAST")
    add("--transport", choices=["udp", "tcp"], default="udp", help="of outgoing calls")
    add("--user", default="peer", help="user part of the own SIP address (default %(default)s)")
    add("--username", help="digest user name for challenges")
    add("--password", default="", help="digest password")
    add("--codecs", default="PCMU,PCMA", type=_words, help="in order of preference")
    add("--play", metavar="WAV", help="8 kHz, mono, 16 bit; repeated while the call lasts")
    add("--record", metavar="WAV", help="file that gets what is heard")
    add("--digits", default="", help="digits to send, RFC 4733")
    add("--digits-after", type=float, default=0.5, metavar="S", help="after the answer")
    add("--target", metavar="URI", help="call this at once")
    add("--seconds", type=float, metavar="S", help="hang up so long after the answer")
    add("--answer-after", type=float, default=0.0, metavar="S", help="ring for so long first")
    add("--refuse", type=int, metavar="STATUS", help="refuse incoming calls with this status")
    return parser.parse_args(argv)


def _port_range(text: str) -> tuple[int, int]:
    first, _, last = text.partition("-")
    return int(first), int(last)


def _words(text: str) -> list[str]:
    return text.split(",")
