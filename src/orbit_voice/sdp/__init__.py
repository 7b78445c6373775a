"""SDP (RFC 8866) and the offer/answer model (RFC 3264), without I/O.

:func:`~orbit_voice.sdp.description.parse_sdp` reads a description,
:class:`~orbit_voice.sdp.offer_answer.AudioNegotiation` negotiates the one audio stream of a dialog,
and :class:`~orbit_voice.sdp.plan.AudioPlan` is what comes of it.
"""
