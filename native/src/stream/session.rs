//! A stream as the media thread runs it: plan, both sides, recording, reports.

use std::sync::Arc;

use super::incoming::{Incoming, is_agreed};
use super::latch::{Latch, Verdict};
use super::outgoing::{DigitOrder, Outgoing};
use super::plan::Plan;
use super::report::StatisticsReport;
use super::reporting::{MAX_COMPOUND_BYTES, Moment, Reporting, Sent};
use super::shared::StreamShared;
use super::{Port, Surroundings, Wire};
use crate::events::{Event, StreamId};
use crate::graph::player::Play;
use crate::graph::recorder::{Recorder, mix};
use crate::graph::{Frame, SILENT_FRAME};
use crate::io::disk::DiskOrders;
use crate::rtp::packet::{DatagramKind, RtpPacket, classify, parse};
use crate::rtp::rtcp;
use crate::rtp::statistics::SenderStatistics;
use std::net::SocketAddr;

/// Ticks from one publication of the figures to the next (100 ms).
const TICKS_PER_PUBLICATION: u8 = 5;
/// Ticks of the RTP clock in a millisecond.
const TICKS_PER_MS: f64 = 8.0;

/// Where a stream begins; random, so that nobody can guess them (RFC 3550 §5.1).
#[derive(Clone, Debug)]
pub struct Origin {
    /// Our synchronization source.
    pub ssrc: u32,
    /// Of the first packet.
    pub sequence: u16,
    /// Of the first sample.
    pub timestamp: u32,
    /// For the moments of reports.
    pub seed: u64,
    /// Canonical name of the engine, the same for all its streams (RFC 7022).
    pub cname: Arc<str>,
}

/// What a stream is told, besides its end.
pub enum Order {
    /// Start, or go on under another plan.
    Configure(Plan),
    /// Play in place of what plays now.
    Play(Play),
    /// Play nothing.
    StopPlaying,
    /// Send digits after those ordered before.
    SendDigits(DigitOrder),
    /// Record from the next tick on, under this number.
    StartRecording(u64, Recorder),
    /// Record no more.
    StopRecording,
}

impl Order {
    /// Do of it what has to be done when there is no stream any more.
    pub fn abandon(self, id: StreamId, disk: &DiskOrders) {
        if let Self::StartRecording(number, recorder) = self {
            disk.end(id, number, recorder.finish());
        }
    }
}

#[derive(Debug)]
struct Recording {
    number: u64,
    recorder: Recorder,
}

/// Datagrams dropped before they could do anything.
#[derive(Clone, Copy, Debug, Default)]
struct Refused {
    source: u64,
    invalid: u64,
    source_changes: u64,
}

/// What signalling decided, with what follows from it.
#[derive(Clone, Copy)]
struct Agreed {
    plan: Plan,
    latch: Latch,
}

/// See the module's text. Everything it needs is allocated at construction.
pub struct Session {
    id: StreamId,
    shared: Arc<StreamShared>,
    agreed: Option<Agreed>,
    incoming: Incoming,
    outgoing: Outgoing,
    reporting: Reporting,
    recording: Option<Recording>,
    refused: Refused,
    ticks_to_publication: u8,
}

impl Session {
    /// A stream that is silent and deaf until configured.
    pub fn new(id: StreamId, shared: Arc<StreamShared>, origin: &Origin) -> Self {
        Self {
            id,
            shared,
            agreed: None,
            incoming: Incoming::default(),
            outgoing: Outgoing::new(origin.ssrc, origin.sequence, origin.timestamp),
            reporting: Reporting::new(origin.cname.clone(), origin.seed),
            recording: None,
            refused: Refused::default(),
            ticks_to_publication: TICKS_PER_PUBLICATION,
        }
    }

    /// Its name.
    pub fn id(&self) -> StreamId {
        self.id
    }

    /// What other threads see of it.
    pub fn shared(&self) -> Arc<StreamShared> {
        self.shared.clone()
    }

    /// Whether it sends between two ticks, too.
    pub fn needs_half_ticks(&self) -> bool {
        self.agreed
            .as_ref()
            .is_some_and(|agreed| agreed.plan.packet_time.needs_half_ticks())
    }

    // Orders.

    /// Do as told, in time for the next tick.
    pub fn obey<W: Wire>(&mut self, order: Order, around: &mut Surroundings<'_, W>) {
        match order {
            Order::Configure(plan) => self.configure(plan, around),
            Order::Play(play) => {
                let replaced = self.outgoing.play(play);
                self.report_interrupted(replaced, around);
            }
            Order::StopPlaying => {
                let stopped = self.outgoing.stop_playing();
                self.report_interrupted(stopped, around);
            }
            Order::SendDigits(order) => self.outgoing.send_digits(order),
            Order::StartRecording(number, recorder) => {
                self.recording = Some(Recording { number, recorder });
            }
            Order::StopRecording => self.stop_recording(around.disk),
        }
    }

    fn configure<W: Wire>(&mut self, plan: Plan, around: &mut Surroundings<'_, W>) {
        self.flush(around.wire);
        let before = self.agreed;
        let (rtp, rtcp, symmetric) = (plan.remote_rtp, plan.remote_rtcp, plan.symmetric);
        let latch = match &before {
            Some(agreed) => agreed.latch.renewed(rtp, rtcp, symmetric),
            None => Latch::new(rtp, rtcp, symmetric),
        };
        let old_plan = before.as_ref().map(|agreed| &agreed.plan);
        self.incoming
            .configure(old_plan, &plan, !latch.is_latched(), around.now_us);
        self.reporting.start(around.now_us);
        self.agreed = Some(Agreed { plan, latch });
    }

    fn stop_recording(&mut self, disk: &DiskOrders) {
        if let Some(Recording { number, recorder }) = self.recording.take() {
            disk.end(self.id, number, recorder.finish());
        }
    }

    // The network.

    /// Take one datagram.
    pub fn receive<W>(
        &mut self,
        port: Port,
        datagram: &[u8],
        source: SocketAddr,
        around: &mut Surroundings<'_, W>,
    ) {
        let Some(agreed) = &mut self.agreed else {
            // Nobody is expected yet.
            self.refused.source += 1;
            return;
        };
        let is_muxed = agreed.plan.rtcp_mux;
        match (port, classify(datagram)) {
            (Port::Rtp, DatagramKind::Rtp) => match parse(datagram) {
                Ok(packet) if is_agreed(&agreed.plan, &packet) => {
                    self.receive_rtp(&packet, source, around);
                }
                _ => self.refused.invalid += 1,
            },
            (Port::Rtp, DatagramKind::Rtcp) if is_muxed => {
                self.receive_rtcp(port, datagram, source, around);
            }
            (Port::Rtcp, DatagramKind::Rtcp) => {
                self.receive_rtcp(port, datagram, source, around);
            }
            _ => self.refused.invalid += 1,
        }
    }

    fn receive_rtp<W>(
        &mut self,
        packet: &RtpPacket<'_>,
        source: SocketAddr,
        around: &mut Surroundings<'_, W>,
    ) {
        let Some(Agreed { plan, latch }) = &mut self.agreed else {
            return;
        };
        match latch.check(source) {
            Verdict::Refused { new_stranger } => {
                self.refused.source += 1;
                self.refused.source_changes += u64::from(new_stranger && latch.is_latched());
                return;
            }
            Verdict::Started => around.batch.push((self.id, Event::MediaStarted(source))),
            Verdict::Accepted => {}
        }
        self.incoming
            .receive(plan, packet, around.now_us, self.id, around.batch);
    }

    fn receive_rtcp<W>(
        &mut self,
        port: Port,
        datagram: &[u8],
        source: SocketAddr,
        around: &mut Surroundings<'_, W>,
    ) {
        let Ok(compound) = rtcp::parse(datagram) else {
            self.refused.invalid += 1;
            return;
        };
        let Some(Agreed { latch, .. }) = &mut self.agreed else {
            return;
        };
        let is_believed = match port {
            Port::Rtp => latch.check_muxed_rtcp(source),
            Port::Rtcp => latch.check_rtcp(source),
        };
        if !is_believed {
            self.refused.source += 1;
            return;
        }
        let (sent, moment) = (self.sent(), self.moment(around));
        let receiver = self.incoming.statistics_mut();
        self.reporting
            .receive(compound, datagram.len(), &sent, &moment, receiver);
    }

    // The clock.

    /// Run one media tick.
    pub fn tick<W: Wire>(&mut self, around: &mut Surroundings<'_, W>) {
        let (mut local, mut remote) = (SILENT_FRAME, SILENT_FRAME);
        self.drop_abandoned_recording();
        let is_recorded = self.recording.is_some();
        if let Some(Agreed { plan, latch }) = &self.agreed {
            let destination = latch.destination();
            let wire = &mut *around.wire;
            let mut transmit = |packet: &[u8]| wire.send(Port::Rtp, packet, destination);
            let heard = is_recorded.then_some(&mut local);
            let ended = self
                .outgoing
                .tick(plan, heard, &mut transmit, self.id, around.batch);
            (0..ended).for_each(|_| self.shared.leave_digits());
            let heard = is_recorded.then_some(&mut remote);
            self.incoming.play(around.now_us, heard);
            self.incoming
                .watch(plan, around.now_us, self.id, around.batch);
            self.report_if_due(around);
        }
        self.record(&local, &remote);
        self.publish_now_and_then(around.now_us);
    }

    /// Send what is due between two ticks.
    pub fn half_tick<W: Wire>(&mut self, around: &mut Surroundings<'_, W>) {
        if let Some(Agreed { plan, latch }) = &self.agreed {
            let destination = latch.destination();
            let wire = &mut *around.wire;
            let mut transmit = |packet: &[u8]| wire.send(Port::Rtp, packet, destination);
            self.outgoing
                .half_tick(plan, &mut transmit, self.id, around.batch);
        }
    }

    /// Let the time of ticks pass that the thread had to give up.
    pub fn skip<W: Wire>(&mut self, ticks: u64, around: &mut Surroundings<'_, W>) {
        self.flush(around.wire);
        if self.agreed.is_some() {
            self.outgoing.pass(ticks as u32);
        }
        if let Some(recording) = &mut self.recording {
            recording.recorder.skip(ticks);
        }
    }

    /// End everything: plays, the recording, the session with the peer. `StreamClosed` is left to
    /// the caller, as its time comes when the recording has ended.
    pub fn close<W: Wire>(mut self, around: &mut Surroundings<'_, W>) -> StatisticsReport {
        self.flush(around.wire);
        self.incoming.finish(self.id, around.batch);
        self.report_plays_at_the_end(around.batch);
        self.stop_recording(around.disk);
        if self.outgoing.counts().packets > 0 || self.reporting.sent_any() {
            self.report(true, around);
        }
        let last = self.figures(around.now_us);
        self.shared.publish_last(&last);
        self.shared.close();
        last
    }

    /// End it as far as that is safe after it panicked.
    pub fn abandon(mut self, disk: &DiskOrders) -> StatisticsReport {
        self.stop_recording(disk);
        self.shared.close();
        self.shared.statistics()
    }

    // Parts.

    fn flush<W: Wire>(&mut self, wire: &mut W) {
        if let Some(Agreed { plan, latch }) = &self.agreed {
            let destination = latch.destination();
            let mut transmit = |packet: &[u8]| wire.send(Port::Rtp, packet, destination);
            self.outgoing.flush(plan, &mut transmit);
        }
    }

    fn report_interrupted<W>(&self, play: Option<u64>, around: &mut Surroundings<'_, W>) {
        let completed = false;
        let event = play.map(|play| (self.id, Event::PlayFinished { play, completed }));
        around.batch.extend(event);
    }

    fn report_plays_at_the_end(&mut self, batch: &mut Vec<(StreamId, Event)>) {
        let (heard, interrupted) = self.outgoing.finish();
        let ends = heard
            .map(|play| (play, true))
            .chain(interrupted.map(|play| (play, false)));
        batch.extend(
            ends.map(|(play, completed)| (self.id, Event::PlayFinished { play, completed })),
        );
    }

    fn record(&mut self, local: &Frame, remote: &Frame) {
        if let Some(recording) = &mut self.recording {
            recording.recorder.push(&mix(local, remote));
        }
    }

    /// The disk failed and has said so.
    fn drop_abandoned_recording(&mut self) {
        self.recording
            .take_if(|recording| recording.recorder.is_abandoned());
    }

    fn report_if_due<W: Wire>(&mut self, around: &mut Surroundings<'_, W>) {
        let packets = self.outgoing.counts().packets;
        if self.reporting.is_due(around.now_us, packets) {
            self.report(false, around);
        }
    }

    /// Send an RTCP report, unless the peer named nowhere to send to (RFC 3264 §8.4).
    fn report<W: Wire>(&mut self, bye: bool, around: &mut Surroundings<'_, W>) {
        let Some(Agreed { plan, latch }) = &self.agreed else {
            return;
        };
        let (port, destination) = if plan.rtcp_mux {
            (Port::Rtp, latch.destination())
        } else {
            (Port::Rtcp, latch.rtcp_destination())
        };
        let (sent, moment) = (self.sent(), self.moment(around));
        let block = self.incoming.report_block(around.now_us);
        let mut out = [0; MAX_COMPOUND_BYTES];
        let length = self.reporting.write(&sent, block, bye, &moment, &mut out);
        if let Some(length) = length
            && !destination.ip().is_unspecified()
            && destination.port() != 0
        {
            around.wire.send(port, &out[..length], destination);
        }
    }

    fn sent(&self) -> Sent {
        let counts = self.outgoing.counts();
        Sent {
            ssrc: self.outgoing.ssrc(),
            counts: SenderStatistics {
                packets: counts.packets,
                octets: counts.bytes,
            },
        }
    }

    fn moment<W>(&self, around: &Surroundings<'_, W>) -> Moment {
        Moment {
            now_us: around.now_us,
            unix_ns: around.unix_ns,
            rtp_timestamp: self.outgoing.timestamp(),
        }
    }

    fn publish_now_and_then(&mut self, now_us: u64) {
        self.ticks_to_publication -= 1;
        if self.ticks_to_publication == 0 {
            self.ticks_to_publication = TICKS_PER_PUBLICATION;
            self.shared.publish(&self.figures(now_us));
        }
    }

    fn figures(&self, now_us: u64) -> StatisticsReport {
        let sent = self.outgoing.counts();
        let remote = self.reporting.remote();
        let mut report = StatisticsReport {
            packets_sent: sent.packets,
            bytes_sent: sent.bytes,
            send_errors: sent.errors,
            rtt_ms: remote.round_trip.map(|trip| trip.as_secs_f64() * 1e3),
            remote_loss_percent: remote.loss_percent,
            remote_jitter_ms: remote
                .jitter_ticks
                .map(|ticks| f64::from(ticks) / TICKS_PER_MS),
            discarded_source: self.refused.source,
            discarded_invalid: self.refused.invalid,
            source_changes_refused: self.refused.source_changes,
            ..StatisticsReport::default()
        };
        self.incoming.fill_in(&mut report, now_us);
        report
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::EventQueue;
    use crate::graph::prompt::Prompt;
    use crate::io::disk::Disk;
    use crate::rtp::packet::{RtpHeader, write_header};
    use crate::rtp::rtcp::RtcpPacket;
    use crate::rtp::telephone_event::EventSender;
    use crate::stream::plan::tests::plan;
    use proptest::prelude::*;

    const TICK_US: u64 = 20_000;

    /// A wire that keeps what is sent.
    #[derive(Default)]
    struct Kept(Vec<(Port, Vec<u8>, SocketAddr)>);

    impl Wire for Kept {
        fn send(&mut self, port: Port, datagram: &[u8], destination: SocketAddr) -> bool {
            self.0.push((port, datagram.to_vec(), destination));
            true
        }
    }

    struct Bench {
        session: Session,
        shared: Arc<StreamShared>,
        wire: Kept,
        batch: Vec<(StreamId, Event)>,
        now_us: u64,
        disk: DiskOrders,
    }

    impl Bench {
        fn new() -> Self {
            let events = Arc::new(EventQueue::new().unwrap());
            let (_, disk) = Disk::start(events).unwrap();
            let shared = Arc::new(StreamShared::default());
            let origin = Origin {
                ssrc: 7,
                sequence: 100,
                timestamp: 1000,
                seed: 3,
                cname: "name".into(),
            };
            Self {
                session: Session::new(1, shared.clone(), &origin),
                shared,
                wire: Kept::default(),
                batch: Vec::new(),
                now_us: 0,
                disk,
            }
        }

        fn split(&mut self) -> (&mut Session, Surroundings<'_, Kept>) {
            let around = Surroundings {
                now_us: self.now_us,
                unix_ns: 1_700_000_000_000_000_000 + self.now_us * 1000,
                wire: &mut self.wire,
                batch: &mut self.batch,
                disk: &self.disk,
            };
            (&mut self.session, around)
        }

        fn obey(&mut self, order: Order) {
            let (session, mut around) = self.split();
            session.obey(order, &mut around);
        }

        fn ticks(&mut self, ticks: usize) {
            for _ in 0..ticks {
                let (session, mut around) = self.split();
                session.tick(&mut around);
                session.half_tick(&mut around);
                self.now_us += TICK_US;
            }
        }

        fn receive(&mut self, port: Port, datagram: &[u8], source: &str) {
            let (session, mut around) = self.split();
            session.receive(port, datagram, source.parse().unwrap(), &mut around);
        }

        fn figures(&self) -> StatisticsReport {
            self.session.figures(self.now_us)
        }

        fn sent_from(&self, port: Port) -> Vec<SocketAddr> {
            let from_port = self.wire.0.iter().filter(|(from, ..)| *from == port);
            from_port.map(|(.., destination)| *destination).collect()
        }
    }

    fn packet(payload_type: u8, sequence: u16) -> Vec<u8> {
        let header = RtpHeader {
            marker: false,
            payload_type,
            sequence,
            timestamp: u32::from(sequence) * 160,
            ssrc: 9,
        };
        let mut datagram = vec![0x55; 172];
        write_header(&header, &mut datagram);
        datagram
    }

    fn prompt(length: usize) -> Play {
        Play {
            id: 5,
            prompts: vec![Arc::new(Prompt::new(vec![1000; length]).unwrap())],
            looped: false,
        }
    }

    #[test]
    fn before_it_is_configured_a_stream_is_silent_and_deaf() {
        let mut bench = Bench::new();
        bench.receive(Port::Rtp, &packet(0, 1), "127.0.0.1:4000");
        bench.ticks(500);
        assert_eq!(bench.wire.0, []);
        assert_eq!(bench.figures().discarded_source, 1);
        assert_eq!(bench.batch, []);
    }

    #[test]
    fn rtp_goes_where_it_came_from_only_when_the_peer_may_sit_behind_a_nat() {
        for (symmetric, expected) in [(false, "127.0.0.1:4000"), (true, "127.0.0.1:5000")] {
            let mut bench = Bench::new();
            bench.obey(Order::Configure(Plan {
                symmetric,
                ..plan()
            }));
            bench.receive(Port::Rtp, &packet(0, 1), "127.0.0.1:5000");
            bench.ticks(1);
            assert_eq!(bench.sent_from(Port::Rtp), [expected.parse().unwrap()]);
            assert_eq!(bench.batch.len(), usize::from(symmetric));
        }
    }

    #[test]
    fn reports_go_to_the_rtcp_port_or_share_the_rtp_port() {
        let mut bench = Bench::new();
        bench.obey(Order::Configure(plan()));
        bench.ticks(500);
        let reports = bench.sent_from(Port::Rtcp);
        assert!((1..=5).contains(&reports.len()));
        assert_eq!(reports[0], plan().remote_rtcp);
        let mut muxed = Bench::new();
        muxed.obey(Order::Configure(Plan {
            rtcp_mux: true,
            ..plan()
        }));
        muxed.ticks(500);
        assert_eq!(muxed.sent_from(Port::Rtcp), []);
        assert!(muxed.sent_from(Port::Rtp).len() > 500);
    }

    #[test]
    fn rtcp_on_the_rtp_port_counts_only_where_both_are_muxed() {
        for rtcp_mux in [false, true] {
            let mut bench = Bench::new();
            bench.obey(Order::Configure(Plan { rtcp_mux, ..plan() }));
            bench.receive(Port::Rtp, &packet(0, 1), "127.0.0.1:4000");
            let receiver_report = [0x80, 201, 0, 1, 0, 0, 0, 9];
            bench.receive(Port::Rtp, &receiver_report, "127.0.0.1:4000");
            assert_eq!(bench.figures().discarded_invalid, u64::from(!rtcp_mux));
        }
    }

    #[test]
    fn nothing_at_all_goes_to_a_peer_that_named_no_address() {
        let mut bench = Bench::new();
        let nowhere = Plan {
            remote_rtp: "0.0.0.0:4000".parse().unwrap(),
            remote_rtcp: "0.0.0.0:4001".parse().unwrap(),
            ..plan()
        };
        let local = "127.0.0.1".parse().unwrap();
        bench.obey(Order::Configure(nowhere.check(local).unwrap()));
        bench.ticks(1000);
        assert_eq!(bench.wire.0, []);
    }

    #[test]
    fn a_stream_that_ends_says_goodbye_and_tells_what_was_cut_off() {
        let mut bench = Bench::new();
        bench.obey(Order::Configure(plan()));
        bench.obey(Order::Play(prompt(10_000)));
        bench.ticks(3);
        let Bench {
            session,
            shared,
            mut wire,
            mut batch,
            now_us,
            disk,
        } = bench;
        let last = session.close(&mut Surroundings {
            now_us,
            unix_ns: 0,
            wire: &mut wire,
            batch: &mut batch,
            disk: &disk,
        });
        let (play, completed) = (5, false);
        assert_eq!(batch, [(1, Event::PlayFinished { play, completed })]);
        assert_eq!((last.packets_sent, shared.statistics()), (3, last));
        assert!(shared.is_closed());
        let (port, goodbye, _) = wire.0.last().unwrap();
        let packets: Vec<RtcpPacket> = rtcp::parse(goodbye).unwrap().collect();
        assert_eq!(*port, Port::Rtcp);
        assert!(matches!(packets.last(), Some(RtcpPacket::Goodbye { .. })));
    }

    #[test]
    fn a_stream_that_never_sent_says_no_goodbye() {
        let mut bench = Bench::new();
        bench.obey(Order::Configure(plan()));
        let Bench {
            session,
            mut wire,
            mut batch,
            disk,
            ..
        } = bench;
        session.close(&mut Surroundings {
            now_us: 0,
            unix_ns: 0,
            wire: &mut wire,
            batch: &mut batch,
            disk: &disk,
        });
        assert_eq!(wire.0, []);
    }

    #[test]
    fn a_recording_has_a_frame_for_each_tick_run_or_given_up() {
        let mut bench = Bench::new();
        let (recorder, mut ring) = Recorder::new();
        bench.obey(Order::Configure(plan()));
        bench.obey(Order::StartRecording(4, recorder));
        bench.obey(Order::Play(prompt(160)));
        bench.ticks(2);
        let (session, mut around) = bench.split();
        session.skip(3, &mut around);
        bench.ticks(1);
        let samples = ring.slots();
        let recorded: Vec<i16> = ring.read_chunk(samples).unwrap().into_iter().collect();
        assert_eq!(recorded.len(), 6 * 160);
        assert_eq!((recorded[159], recorded[160]), (1000, 0));
        let last = bench.wire.0.iter().rfind(|(port, ..)| *port == Port::Rtp);
        let header = parse(&last.unwrap().1).unwrap().header;
        assert!(header.marker);
        assert_eq!(header.timestamp, 1000 + 5 * 160);
    }

    #[test]
    fn a_place_for_digits_is_given_back_when_they_are_sent() {
        let mut bench = Bench::new();
        bench.obey(Order::Configure(plan()));
        while bench.shared.enter_digits() {}
        let mut sender = EventSender::new();
        sender.send("1", 40, 40).unwrap();
        let digits = "1".to_owned();
        bench.obey(Order::SendDigits(DigitOrder { digits, sender }));
        bench.ticks(10);
        assert!(bench.shared.enter_digits());
        assert!(!bench.shared.enter_digits());
    }

    #[test]
    fn figures_are_shown_five_ticks_after_they_were_made_at_the_latest() {
        let mut bench = Bench::new();
        bench.obey(Order::Configure(plan()));
        bench.ticks(4);
        assert_eq!(bench.shared.statistics().packets_sent, 0);
        bench.ticks(1);
        assert_eq!(bench.shared.statistics().packets_sent, 5);
    }

    proptest! {
        #[test]
        fn no_datagrams_make_a_stream_panic_or_answer_a_stranger(
            muxed: bool, symmetric: bool,
            datagrams in prop::collection::vec(
                (any::<bool>(), any::<bool>(), prop_oneof![
                    prop::collection::vec(any::<u8>(), 0..300),
                    (prop::sample::select(vec![0u8, 96, 13, 72]), any::<u16>())
                        .prop_map(|(kind, sequence)| packet(kind, sequence)),
                    prop::collection::vec(any::<u8>(), 6..80)
                        .prop_map(|tail| [&[0x81, 200, 0, 12][..], &tail].concat()),
                ]), 0..60),
        ) {
            let mut bench = Bench::new();
            bench.obey(Order::Configure(Plan { rtcp_mux: muxed, symmetric, ..plan() }));
            bench.receive(Port::Rtp, &packet(0, 1), "127.0.0.1:4000");
            for (is_rtp, is_peer, datagram) in datagrams {
                let port = if is_rtp { Port::Rtp } else { Port::Rtcp };
                let source = if is_peer { "127.0.0.1:4000" } else { "10.0.0.1:4000" };
                bench.receive(port, &datagram, source);
                bench.ticks(20);
            }
            let peer = plan().remote_rtp.ip();
            prop_assert!(bench.wire.0.iter().all(|(.., to)| to.ip() == peer));
        }
    }
}
