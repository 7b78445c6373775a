//! A stream as its owner holds it: checks orders and passes them on.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};

use super::{EngineError, Failure, Inner, lock, shard::Command};
use crate::events::StreamId;
use crate::graph::player::Play;
use crate::graph::recorder::Recorder;
use crate::io::disk::Recording;
use crate::rtp::telephone_event::EventSender;
use crate::stream::outgoing::DigitOrder;
use crate::stream::plan::Plan;
use crate::stream::report::StatisticsReport;
use crate::stream::session::Order;
use crate::stream::shared::StreamShared;

/// Prompts in one order to play: a bound, not a wish.
const MAX_PROMPTS: usize = 1000;

/// See the module's text. Orders take effect in the order given, within one tick.
pub struct StreamHandle {
    engine: Arc<Inner>,
    shard: usize,
    id: StreamId,
    rtp_port: u16,
    shared: Arc<StreamShared>,
    /// The plan ordered last. Held while an order is given, so that none follows the end.
    plan: Mutex<Option<Plan>>,
}

impl StreamHandle {
    pub(super) fn new(
        engine: Arc<Inner>,
        shard: usize,
        id: StreamId,
        rtp_port: u16,
        shared: Arc<StreamShared>,
    ) -> Self {
        Self {
            engine,
            shard,
            id,
            rtp_port,
            shared,
            plan: Mutex::new(None),
        }
    }

    /// Names the stream in events.
    pub fn id(&self) -> StreamId {
        self.id
    }

    /// The even port, for RTP.
    pub fn rtp_port(&self) -> u16 {
        self.rtp_port
    }

    /// Start the stream or change it.
    ///
    /// # Errors
    ///
    /// `BadPlan`, `Closed`.
    pub fn configure(&self, plan: Plan) -> Result<(), EngineError> {
        let plan = plan
            .check(self.engine.bind_address)
            .map_err(|error| EngineError::new(Failure::BadPlan, error))?;
        let mut ordered = self.open()?;
        *ordered = Some(plan);
        self.give(Order::Configure(plan))
    }

    /// Play files one after the other, in place of what plays now; returns the play's id.
    ///
    /// Blocks while files are read that are not in memory.
    ///
    /// # Errors
    ///
    /// `BadPrompt`, `Closed`.
    pub fn play<'a>(
        &self,
        paths: impl ExactSizeIterator<Item = &'a Path>,
        looped: bool,
    ) -> Result<u64, EngineError> {
        drop(self.open()?);
        if paths.len() == 0 || paths.len() > MAX_PROMPTS {
            let detail = format!("{} prompts instead of 1-{MAX_PROMPTS}", paths.len());
            return Err(EngineError::new(Failure::BadPrompt, detail));
        }
        let prompts: Vec<_> = paths
            .map(|path| self.engine.load(path))
            .collect::<Result<_, _>>()?;
        let ordered = self.open()?;
        if let Some(plan) = *ordered {
            prompts.iter().for_each(|prompt| prompt.prepare(plan.law));
        }
        let id = self.engine.next_number();
        let play = Play {
            id,
            prompts,
            looped,
        };
        self.give(Order::Play(play)).map(|()| id)
    }

    /// End what plays now. Nothing to do once closed.
    pub fn stop_playing(&self) {
        self.give_if_open(Order::StopPlaying);
    }

    /// Send telephone events after those ordered before.
    ///
    /// # Errors
    ///
    /// `BadDigits`, `NotNegotiated`, `Closed`.
    pub fn send_dtmf(
        &self,
        digits: &str,
        duration_ms: u32,
        gap_ms: u32,
    ) -> Result<(), EngineError> {
        let mut sender = EventSender::new();
        sender
            .send(digits, duration_ms, gap_ms)
            .map_err(|error| EngineError::new(Failure::BadDigits, error))?;
        let ordered = self.open()?;
        if ordered.is_none_or(|plan| plan.event_send.is_none()) {
            let detail = "the peer has not agreed to telephone events";
            return Err(EngineError::new(Failure::NotNegotiated, detail));
        }
        if !self.shared.enter_digits() {
            let detail = "too many digits wait to be sent";
            return Err(EngineError::new(Failure::BadDigits, detail));
        }
        let digits = digits.to_owned();
        self.give(Order::SendDigits(DigitOrder { digits, sender }))
    }

    /// Record both sides, mixed, to a file that must not exist yet.
    ///
    /// # Errors
    ///
    /// `BadRecording`, `Closed`.
    pub fn start_recording(&self, path: &Path) -> Result<(), EngineError> {
        let _ordered = self.open()?;
        let disk = self.engine.disk()?;
        let number = self.engine.next_number();
        if !self.shared.recording_began(number) {
            let detail = "the stream records already";
            return Err(EngineError::new(Failure::BadRecording, detail));
        }
        let (recorder, ring) = Recorder::new();
        let recording = Recording::create(self.id, number, self.shared.clone(), path, ring);
        match recording {
            Ok(recording) => disk.begin(Box::new(recording)),
            Err(error) => {
                self.shared.recording_ended(number);
                let detail = format!("{}: {error}", path.display());
                return Err(EngineError::new(Failure::BadRecording, detail));
            }
        }
        self.give(Order::StartRecording(number, recorder))
    }

    /// End the recording. Nothing to do without one.
    pub fn stop_recording(&self) {
        if self.shared.recording_stops() {
            self.give_if_open(Order::StopRecording);
        }
    }

    /// The figures of at most 100 ms ago; the final ones once closed.
    pub fn statistics(&self) -> StatisticsReport {
        self.shared.statistics()
    }

    /// End it; `StreamClosed` follows. May be called again.
    pub fn close(&self) {
        let _ordered = lock(&self.plan);
        if self.shared.close() {
            // Refused only by a thread that failed, and that has ended the stream already.
            let _ = self.engine.shards[self.shard].give(Command::Close(self.id));
        }
    }

    /// The plan ordered last, while no other order is given; refused once closed.
    fn open(&self) -> Result<MutexGuard<'_, Option<Plan>>, EngineError> {
        let ordered = lock(&self.plan);
        self.engine.disk()?;
        if self.shared.is_closed() {
            return Err(EngineError::new(Failure::Closed, "the stream is closed"));
        }
        Ok(ordered)
    }

    fn give(&self, order: Order) -> Result<(), EngineError> {
        self.engine.shards[self.shard].give(Command::Order(self.id, order))
    }

    fn give_if_open(&self, order: Order) {
        if let Ok(_ordered) = self.open() {
            // Refused only by a thread that failed, and then there is nothing to end.
            let _ = self.give(order);
        }
    }
}
