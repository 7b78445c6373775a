"""Networks for tests: a seeded model of loss, delay and disorder, in virtual time and for real.

- :class:`~orbit_voice.testing.network.link.LossyLink`: the model, pure: a datagram and a moment go
  in, deliveries come out.
- :class:`~orbit_voice.testing.network.virtual.VirtualNetwork`: hosts with addresses in one process,
  for :func:`orbit_voice.testing.virtual_time.run_virtual`.
- :class:`~orbit_voice.testing.network.relay.LossyRelay`: a UDP relay on real sockets, to be put
  between two programs.
"""

from orbit_voice.testing.network.link import Delivery, LinkConditions, LinkCounts, LossyLink
from orbit_voice.testing.network.relay import LossyRelay
from orbit_voice.testing.network.virtual import VirtualHost, VirtualNetwork

__all__ = [
    "Delivery",
    "LinkConditions",
    "LinkCounts",
    "LossyLink",
    "LossyRelay",
    "VirtualHost",
    "VirtualNetwork",
]
