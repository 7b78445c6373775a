"""Drives a session by hand: commands and messages in, sorted outputs out."""

from __future__ import annotations

from itertools import count

import pytest

from orbit_voice.sip.headers import NameAddr
from orbit_voice.sip.message import Headers, Request, Response
from orbit_voice.sip.session_events import FailureKind
from orbit_voice.sip.sessions.local_end import LocalEnd
from orbit_voice.sip.sessions.outputs import AbandonRequest, SendAck, SendRequest, SendResponse
from orbit_voice.sip.uac_session import InviteClientSession
from orbit_voice.sip.uas_session import InviteServerSession

OFFER = b"v=0\r\ns=offer\r\n"
ANSWER = b"v=0\r\ns=answer\r\n"


class FakeRandomness:
    """Tokens that count, and the same number every time."""

    def __init__(self, number=0):
        self._tokens = count(1)
        self.number = number

    def token(self):
        return f"token{next(self._tokens)}"

    def below(self, limit):
        return min(self.number, limit - 1)


class Driver:
    """One session with a clock, and what it wanted so far."""

    def __init__(self, session):
        self.session = session
        self.now = 100.0
        self.sent = []
        self.acks = []
        self.responses = []
        self.abandoned = []
        self.events = []
        self._branches = count(1)

    def __getattr__(self, name):
        command = getattr(self.session, name)
        return lambda *args, **options: self._take(command(*args, self.now, **options))

    def ring(self, status=180, sdp=None):
        self._take(self.session.ring(status, sdp, self.now))

    def wait(self, seconds):
        """Let time pass, firing every timer at its own moment."""
        end = self.now + seconds
        while (due := self.session.next_deadline()) is not None and due <= end:
            self.now = max(self.now, due)
            self._take(self.session.tick(self.now))
        self.now = end

    def reply(self, request, status, *, tag="peer", sdp=None, headers=(), reason=None):
        """Have the peer answer ``request``."""
        response = Response.to_request(request, status, reason, to_tag=tag)
        if request.method == "INVITE" and status < 300:
            response.headers.add("Contact", "<sip:peer@192.0.2.2>")
        for name, value in headers:
            response.headers.add(name, value)
        if sdp is not None:
            response.headers.add("Content-Type", "application/sdp")
            response.body = sdp
        self._take(self.session.receive_response(request, response, self.now))

    def lose(self, request, kind=FailureKind.TIMEOUT):
        self._take(self.session.request_failed(request, kind, "lost", self.now))

    def hear(self, method, number=2, *, tag="peer", sdp=None, headers=()):
        """Have the peer send a request inside the dialog; return it."""
        fields = [
            ("Via", f"SIP/2.0/UDP 192.0.2.2;branch=z9hG4bKp{next(self._branches)}"),
            ("From", f"<sip:peer@p.test>;tag={tag}"),
            ("To", f"<sip:us@u.test>;tag={self.session.local_tag}"),
            ("Call-ID", self.session.call_id),
            ("CSeq", f"{number} {method}"),
            ("Contact", "<sip:moved@192.0.2.3>"),
            *headers,
        ]
        request = Request(method, "sip:us@192.0.2.1", Headers(fields))
        if sdp is not None:
            request.headers.add("Content-Type", "application/sdp")
            request.body = sdp
        self._take(self.session.receive_request(request, self.now))
        return request

    def last(self, method):
        return next(each for each in reversed(self.sent) if each.method == method)

    @property
    def methods(self):
        return [each.method for each in self.sent]

    def statuses(self, method=None):
        """What the peer was answered, for one method or for all."""
        return [
            response.status
            for request, response in self.responses
            if method in (None, request.method)
        ]

    @property
    def names(self):
        return [type(event).__name__ for event in self.events]

    def _take(self, outputs):
        for output in outputs:
            match output:
                case SendRequest(request):
                    if "Via" not in request.headers:
                        branch = f"z9hG4bKu{next(self._branches)}"
                        request.headers.prepend("Via", f"SIP/2.0/UDP 192.0.2.1;branch={branch}")
                    self.sent.append(request)
                case SendAck(ack):
                    self.acks.append(ack)
                case SendResponse(request, response):
                    self.responses.append((request, response))
                case AbandonRequest(request):
                    self.abandoned.append(request)
                case _:
                    self.events.append(output)


class Kit:
    """Makes sessions in the states that tests begin with."""

    offer = OFFER
    answer = ANSWER
    local = LocalEnd("sip:us@192.0.2.1", "test")

    def new_caller(self, *, sdp=OFFER, number=0, **options):
        return Driver(
            InviteClientSession(
                request_uri="sip:peer@p.test",
                from_=NameAddr.parse("<sip:us@u.test>"),
                to=NameAddr.parse("<sip:peer@p.test>"),
                local=self.local,
                randomness=FakeRandomness(number),
                sdp=sdp,
                **options,
            )
        )

    def caller(self, **options):
        """A call whose INVITE is sent."""
        driver = self.new_caller(**options)
        driver.start()
        return driver

    def talking_caller(self, **options):
        """A call we made that was answered."""
        driver = self.caller(**options)
        driver.reply(driver.sent[0], 200, sdp=ANSWER)
        return driver

    def callee(self, *, sdp=OFFER, number=0, **options):
        """A call that reached us."""
        fields = [
            ("Via", "SIP/2.0/UDP 192.0.2.2;branch=z9hG4bKfirst"),
            ("From", "<sip:peer@p.test>;tag=peer"),
            ("To", "<sip:us@u.test>"),
            ("Call-ID", "call-1"),
            ("CSeq", "1 INVITE"),
            ("Contact", "<sip:peer@192.0.2.2>"),
        ]
        invite = Request("INVITE", "sip:us@u.test", Headers(fields))
        if sdp is not None:
            invite.headers.add("Content-Type", "application/sdp")
            invite.body = sdp
        return Driver(
            InviteServerSession(
                invite, local=self.local, randomness=FakeRandomness(number), **options
            )
        )

    def answered_callee(self, **options):
        """A call we answered whose ACK is missing."""
        driver = self.callee(**options)
        driver.answer(ANSWER)
        return driver

    def talking_callee(self, **options):
        """A call we answered, acknowledged."""
        driver = self.answered_callee(**options)
        driver.hear("ACK", 1)
        return driver

    def talking(self, role, **options):
        """An established call, as ``caller`` or ``callee``."""
        return getattr(self, f"talking_{role}")(**options)


@pytest.fixture
def kit():
    return Kit()
