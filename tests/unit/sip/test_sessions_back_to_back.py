"""Both sessions wired to each other through transactions and a pipe that loses, reorders and
duplicates: whatever is done in whatever order, both ends reach one end, once."""

from __future__ import annotations

from itertools import count

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from orbit_voice.sip.digest import Credentials
from orbit_voice.sip.headers import NameAddr
from orbit_voice.sip.message import Response
from orbit_voice.sip.parser import parse_message
from orbit_voice.sip.related_requests import make_failure_ack
from orbit_voice.sip.session_events import Answered, Cancelled, Ended, Failed, FailureKind, Rejected
from orbit_voice.sip.sessions.local_end import LocalEnd
from orbit_voice.sip.sessions.outputs import AbandonRequest, SendAck, SendRequest, SendResponse
from orbit_voice.sip.transactions import (
    ClientTransaction,
    InviteClientTransaction,
    InviteServerTransaction,
    PassAckToUser,
    PassToUser,
    ResendRequest,
    ServerTransaction,
    TransmitAck,
    TransmitResponse,
    TransmitTrying,
    cancelled_key,
    client_key,
    server_key,
)
from orbit_voice.sip.transactions import Failed as TransactionFailed
from orbit_voice.sip.uac_session import InviteClientSession
from orbit_voice.sip.uas_session import InviteServerSession
from orbit_voice.sip.validation import check_request, check_response

SDP = b"v=0\r\n"
TERMINAL = Rejected | Failed | Cancelled | Ended
SETTLED_S = 300.0
"""By then every timer of a call that both sides have hung up has fired."""


class CountingRandomness:
    def __init__(self, name):
        self._tokens = (f"{name}{number}" for number in count(1))
        self._numbers = count()

    def token(self):
        return next(self._tokens)

    def below(self, limit):
        return next(self._numbers) * 37 % limit


class Host:
    """A user agent: one session and its transactions. What it sends is handed to ``transmit``."""

    def __init__(self, name, transmit):
        self.name = name
        self.now = 0.0
        self.session = None
        self.events = []
        self.randomness = CountingRandomness(name)
        self.local = LocalEnd(f"sip:{name}@{name}.test", name)
        self._transmit = transmit
        self._branches = count(1)
        self._clients = {}
        self._servers = {}

    @property
    def ends(self):
        return [event for event in self.events if isinstance(event, TERMINAL)]

    @property
    def is_quiet(self):
        finished = self.session is None or self.session.is_finished
        return finished and not self._clients and not self._servers

    def command(self, name, *args):
        if self.session is not None:
            self.take(getattr(self.session, name)(*args))

    def take(self, outputs):
        for output in outputs:
            match output:
                case SendRequest(request):
                    self._start(request)
                case SendAck(ack):
                    self._stamp(ack)
                    self._transmit(ack.serialize())
                case SendResponse(request, response):
                    self._respond(request, response)
                case AbandonRequest(request):
                    machine = self._clients[client_key(request)][1]
                    self._run_client(request, machine, machine.abandon(self.now))
                case _:
                    self.events.append(output)

    def next_deadline(self):
        machines = [each[1] for each in (*self._clients.values(), *self._servers.values())]
        if self.session is not None:
            machines.append(self.session)
        due = [machine.next_deadline() for machine in machines]
        return min((each for each in due if each is not None), default=None)

    def tick(self):
        for request, machine in list(self._clients.values()):
            self._run_client(request, machine, machine.tick(self.now))
        for exchange in list(self._servers.values()):
            self._run_server(exchange, exchange[1].tick(self.now))
        if self.session is not None:
            self.take(self.session.tick(self.now))

    def receive(self, data):
        message = parse_message(data)
        if isinstance(message, Response):
            assert check_response(message) is None
            self._receive_response(message)
        else:
            assert check_request(message) is None
            self._receive_request(message)

    def _stamp(self, request):
        if "Via" not in request.headers:
            branch = f"z9hG4bK{self.name}{next(self._branches)}"
            request.headers.prepend("Via", f"SIP/2.0/UDP {self.name}.test;branch={branch}")

    def _start(self, request):
        self._stamp(request)
        kind = InviteClientTransaction if request.method == "INVITE" else ClientTransaction
        self._clients[client_key(request)] = (request, kind(now=self.now, reliable=False))
        self._transmit(request.serialize())

    def _receive_response(self, response):
        found = self._clients.get(client_key(response))
        if found is not None:
            request, machine = found
            outputs = machine.receive_response(response.status, self.now)
            self._run_client(request, machine, outputs, response)

    def _run_client(self, request, machine, outputs, response=None):
        if machine.is_terminated:
            self._clients.pop(client_key(request), None)
        for output in outputs:
            match output:
                case ResendRequest():
                    self._transmit(request.serialize())
                case TransmitAck():
                    self._transmit(make_failure_ack(request, response).serialize())
                case PassToUser():
                    self.take(self.session.receive_response(request, response, self.now))
                case TransactionFailed():
                    failed = self.session.request_failed
                    self.take(failed(request, FailureKind.TIMEOUT, "lost", self.now))

    def _receive_request(self, request):
        exchange = self._servers.get(server_key(request))
        if request.method == "ACK":
            self._receive_ack(request, exchange)
        elif exchange is not None:
            machine = exchange[1]
            repeat = getattr(machine, "receive_invite", None) or machine.receive_request
            self._run_server(exchange, repeat(self.now))
        elif request.method == "INVITE" and request.to_tag is None:
            self._receive_new(request)
        elif self._is_known(request):
            self._open(request)
            self.take(self.session.receive_request(request, self.now))
        else:
            self._transmit(Response.to_request(request, 481, to_tag="none").serialize())

    def _receive_new(self, invite):
        if self.session is None:
            self._open(invite)
            self.session = InviteServerSession(invite, local=self.local, randomness=self.randomness)

    def _is_known(self, request):
        if self.session is None:
            return False
        if request.method == "CANCEL":
            return cancelled_key(request) in self._servers
        return not self.session.is_finished and request.to_tag == self.session.local_tag

    def _receive_ack(self, ack, exchange):
        if exchange is not None:
            self._run_server(exchange, exchange[1].receive_ack(self.now), ack)
        elif self.session is not None:
            self.take(self.session.receive_request(ack, self.now))

    def _open(self, request):
        if request.method == "INVITE":
            machine = InviteServerTransaction(now=self.now, reliable=False)
        else:
            machine = ServerTransaction(reliable=False)
        self._servers[server_key(request)] = [request, machine, None]

    def _respond(self, request, response):
        exchange = self._servers.get(server_key(request))
        if exchange is None:
            return
        outputs = exchange[1].send_response(response.status, self.now)
        if TransmitResponse() in outputs:
            exchange[2] = response
        self._run_server(exchange, outputs)

    def _run_server(self, exchange, outputs, ack=None):
        request, machine, response = exchange
        if machine.is_terminated:
            self._servers.pop(server_key(request), None)
        for output in outputs:
            match output:
                case TransmitTrying():
                    exchange[2] = Response.to_request(request, 100)
                    self._transmit(exchange[2].serialize())
                case TransmitResponse():
                    self._transmit(response.serialize())
                case PassAckToUser():
                    self.take(self.session.receive_request(ack, self.now))


class Calls(RuleBasedStateMachine):
    """One call in a bad network."""

    @initialize(has_offer=st.booleans(), is_established=st.booleans())
    def call(self, has_offer, is_established):
        self.now = 0.0
        self.pipe = []
        self.caller = Host("caller", lambda data: self.pipe.append((self.callee, data)))
        self.callee = Host("callee", lambda data: self.pipe.append((self.caller, data)))
        self.hosts = (self.caller, self.callee)
        self.caller.session = InviteClientSession(
            request_uri="sip:callee@callee.test",
            from_=NameAddr.parse("<sip:caller@caller.test>"),
            to=NameAddr.parse("<sip:callee@callee.test>"),
            local=self.caller.local,
            randomness=self.caller.randomness,
            sdp=SDP if has_offer else None,
            credentials=Credentials("caller", "secret"),
        )
        self.caller.command("start", 0.0)
        if is_established:
            self.deliver_all()
            self.callee.command("answer", SDP, 0.0)
            self.deliver_all()
            self.caller.command("answer_offer", SDP, 0.0)
            self.deliver_all()

    @precondition(lambda self: self.pipe)
    @rule(choice=st.integers(0, 10**6), again=st.integers(0, 5))
    def deliver(self, choice, again):
        """Deliver any message, out of order; now and then it stays to come a second time."""
        place = choice % len(self.pipe)
        host, data = self.pipe[place]
        if again:
            del self.pipe[place]
        host.receive(data)

    @precondition(lambda self: self.pipe)
    @rule()
    def deliver_all(self):
        while self.pipe:
            host, data = self.pipe.pop(0)
            host.receive(data)

    @precondition(lambda self: self.pipe)
    @rule(choice=st.integers(0, 10**6))
    def lose(self, choice):
        del self.pipe[choice % len(self.pipe)]

    @rule(seconds=st.sampled_from([0.01, 0.3, 0.6, 2.5, 10.0, 40.0]))
    def wait(self, seconds):
        self.run_to(self.now + seconds)

    @rule(status=st.sampled_from([180, 183]))
    def ring(self, status):
        self.callee.command("ring", status, SDP, self.now)

    @rule()
    def answer(self):
        self.callee.command("answer", SDP, self.now)

    @rule()
    def reject(self):
        self.callee.command("reject", 486, self.now)

    @rule(side=st.integers(0, 1))
    def hang_up(self, side):
        self.hosts[side].command("hang_up", self.now)

    @rule(side=st.integers(0, 1))
    def reoffer(self, side):
        self.hosts[side].command("reoffer", SDP, self.now)

    @rule(side=st.integers(0, 1))
    def answer_offer(self, side):
        self.hosts[side].command("answer_offer", SDP, self.now)

    @rule(side=st.integers(0, 1))
    def refuse_offer(self, side):
        self.hosts[side].command("refuse_offer", 488, self.now)

    @invariant()
    def the_end_is_told_once_and_last(self):
        for host in getattr(self, "hosts", ()):
            assert len(host.ends) == (host.session is not None and host.session.is_over)
            assert not host.ends or host.events[-1] is host.ends[0]

    def teardown(self):
        """Let the network be good and both sides hang up: nothing is left of the call."""
        if not hasattr(self, "hosts"):
            return
        self.deliver_all()
        for host in self.hosts:
            host.command("hang_up", self.now)
        self.deliver_all()
        self.run_to(self.now + SETTLED_S, lossless=True)
        for host in self.hosts:
            assert host.session is None or len(host.ends) == 1
            assert host.is_quiet
        self.the_end_is_told_once_and_last()
        if self.callee.session is None:
            assert not any(isinstance(event, Answered) for event in self.caller.events)

    def run_to(self, end, *, lossless=False):
        while True:
            due = [host.next_deadline() for host in self.hosts]
            soonest = min((each for each in due if each is not None), default=end)
            if soonest > end:
                break
            self.set_clock(max(soonest, self.now))
            for host in self.hosts:
                host.tick()
            if lossless:
                self.deliver_all()
            if due == [None, None]:
                break
        self.set_clock(end)

    def set_clock(self, now):
        self.now = now
        for host in self.hosts:
            host.now = now


TestCalls = Calls.TestCase
TestCalls.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
