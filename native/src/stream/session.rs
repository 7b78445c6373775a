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
