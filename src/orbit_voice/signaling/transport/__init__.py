"""How bytes travel: the interfaces, and what UDP and TCP share.

The shell never touches the `socket` module outside this package. Everything comes through a
:class:`~orbit_voice.signaling.transport.interfaces.Network`, so that a model of a network can stand
in for the real one.
"""
