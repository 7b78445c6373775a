//! The threads that write recordings.
//!
//! The *writer* moves samples from the rings to files twice a second; the *finisher* makes ended
//! files durable, which may take as long as the disk likes. Orders pass through both in the order
//! given, so that the end of a stream is told after the end of its recordings.
//!
//! A recording is `<path>.part` until it is whole: header written, fsync, rename, fsync of the
//! folder. A crash leaves only the part.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use rtrb::Consumer;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;
use sha2::{Digest, Sha256};

use crate::events::{Event, EventQueue, StreamId};
use crate::graph::recorder::Tally;
use crate::graph::wav;
use crate::stream::shared::StreamShared;

/// How often samples go to the files: what a crash may lose. An eighth of the ring.
const WRITE_INTERVAL: Duration = Duration::from_millis(500);
/// Size of a piece of silence or of a file read back, bytes.
const PIECE_BYTES: usize = 64 << 10;

/// One recording that is being written.
#[derive(Debug)]
pub struct Recording {
    stream: StreamId,
    /// Tells it from the stream's other recordings.
    number: u64,
    shared: Arc<StreamShared>,
    target: PathBuf,
    part: PathBuf,
    file: File,
    ring: Consumer<i16>,
    samples: u64,
    /// Set when the writer takes it on.
    counted: Option<Counted>,
}

/// Counts a recording for as long as it is there.
#[derive(Debug)]
struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Relaxed);
        Self(count.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

impl Recording {
    /// Make `<target>.part`. For the thread that orders the recording.
    ///
    /// # Errors
    ///
    /// The target exists, or the part cannot be made or is being written by somebody else.
    pub fn create(
        stream: StreamId,
        number: u64,
        shared: Arc<StreamShared>,
        target: &Path,
        ring: Consumer<i16>,
    ) -> io::Result<Self> {
        if target.file_name().is_none() || target.try_exists()? {
            return Err(io::Error::from(io::ErrorKind::AlreadyExists));
        }
        let mut part = target.as_os_str().to_owned();
        part.push(".part");
        let part = PathBuf::from(part);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&part)?;
        // A part that a crash left behind is free; one of a living recording is locked.
        file.try_lock()?;
        file.set_len(0)?;
        file.write_all(&wav::header(0))?;
        Ok(Self {
            stream,
            number,
            shared,
            target: target.to_owned(),
            part,
            file,
            ring,
            samples: 0,
            counted: None,
        })
    }

    /// Move what the ring holds to the file.
    fn drain(&mut self, scratch: &mut Vec<u8>) -> io::Result<()> {
        let count = self.ring.slots();
        let Ok(chunk) = self.ring.read_chunk(count) else {
            return Ok(());
        };
        scratch.clear();
        let (first, second) = chunk.as_slices();
        scratch.extend(first.iter().chain(second).flat_map(|s| s.to_le_bytes()));
        chunk.commit_all();
        self.file.write_all(scratch)?;
        self.samples += count as u64;
        Ok(())
    }

    /// Write the rest and the silence still owed.
    fn complete(&mut self, tally: Tally, scratch: &mut Vec<u8>) -> io::Result<()> {
        self.drain(scratch)?;
        let silence = [0; PIECE_BYTES];
        let mut owed = tally.samples.saturating_sub(self.samples) * 2;
        while owed > 0 {
            let piece = owed.min(PIECE_BYTES as u64);
            self.file.write_all(&silence[..piece as usize])?;
            owed -= piece;
        }
        self.samples = tally.samples;
        Ok(())
    }

    /// Make the file durable and give it its name.
    fn finish(&mut self, tally: Tally) -> io::Result<Event> {
        self.file.write_all_at(&wav::header(self.samples * 2), 0)?;
        self.file.sync_all()?;
        // Only now is the header, the first of what is hashed, known; the file is in memory still.
        let (sha256, size_bytes) = digest(&mut self.file)?;
        rename_to_new(&self.part, &self.target)?;
        sync_folder(&self.target)?;
        Ok(Event::RecordingFinished {
            path: self.target.clone(),
            samples: self.samples,
            size_bytes,
            sha256,
            lost_samples: tally.lost,
        })
    }

    /// Keep what was written, playable, under the part's name.
    fn fail(&mut self, error: &io::Error) -> Event {
        let written = self.file.stream_position().unwrap_or(0);
        let data = written.saturating_sub(wav::HEADER_BYTES as u64) & !1;
        let kept = data > 0
            && self.file.write_all_at(&wav::header(data), 0).is_ok()
            && self.file.sync_all().is_ok();
        if !kept && !self.target.exists() {
            // An empty part helps nobody; when it stays for some reason, it still hurts nobody.
            let _ = fs::remove_file(&self.part);
        }
        Event::RecordingFailed {
            path: self.target.clone(),
            reason: error.to_string(),
            kept: kept.then(|| self.part.clone()),
        }
    }
}

/// Hash a whole file; returns the digest in hex and the length.
fn digest(file: &mut File) -> io::Result<(String, u64)> {
    let mut hash = Sha256::new();
    let mut piece = vec![0; PIECE_BYTES];
    let mut length = 0;
    file.seek(SeekFrom::Start(0))?;
    loop {
        let count = file.read(&mut piece)?;
        if count == 0 {
            break;
        }
        hash.update(&piece[..count]);
        length += count as u64;
    }
    let hex = hash.finalize().iter().map(|b| format!("{b:02x}")).collect();
    Ok((hex, length))
}

/// Rename without replacing a file of that name.
fn rename_to_new(from: &Path, to: &Path) -> io::Result<()> {
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // Not every file system knows the flag (renameat2(2)).
        Err(Errno::INVAL | Errno::NOSYS) if !to.exists() => fs::rename(from, to),
        result => Ok(result?),
    }
}

fn sync_folder(file: &Path) -> io::Result<()> {
    let folder = match file.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    File::open(folder)?.sync_all()
}

/// What the writer is told.
#[derive(Debug)]
enum Order {
    /// Write this one from now on.
    Begin(Box<Recording>),
    /// The recording with this stream and number has ended.
    End(StreamId, u64, Tally),
    /// Report this after all that was ordered before.
    Report(StreamId, Event),
}

/// What the finisher is told.
#[derive(Debug)]
enum Ended {
    Recording(Box<Recording>, Tally),
    Report(StreamId, Event),
}

/// Gives orders to the threads; cheap to clone.
#[derive(Clone, Debug)]
pub struct DiskOrders {
    orders: Sender<Order>,
    recordings: Arc<AtomicUsize>,
}

impl DiskOrders {
    /// Write `recording` from now on.
    pub fn begin(&self, mut recording: Box<Recording>) {
        recording.counted = Some(Counted::new(&self.recordings));
        self.give(Order::Begin(recording));
    }

    /// End a recording: `RecordingFinished` or `RecordingFailed` follows, unless it had failed.
    pub fn end(&self, stream: StreamId, number: u64, tally: Tally) {
        self.give(Order::End(stream, number, tally));
    }

    /// Report `event` after the ends of all recordings ended before.
    pub fn report(&self, stream: StreamId, event: Event) {
        self.give(Order::Report(stream, event));
    }

    /// Recordings open or being finished.
    pub fn recordings(&self) -> usize {
        self.recordings.load(Relaxed)
    }

    /// The writer lives as long as there is anyone to give it orders.
    fn give(&self, order: Order) {
        let _ = self.orders.send(order);
    }
}

/// The threads. They end when the last [`DiskOrders`] is gone.
#[derive(Debug)]
pub struct Disk {
    threads: [JoinHandle<()>; 2],
}

impl Disk {
    /// Start both threads.
    ///
    /// # Errors
    ///
    /// The system has no thread left.
    pub fn start(events: Arc<EventQueue>) -> io::Result<(Self, DiskOrders)> {
        let (orders, received) = channel();
        let (ended, finished) = channel();
        let writer = Writer {
            orders: received,
            ended,
            events: events.clone(),
            recordings: HashMap::new(),
            scratch: Vec::with_capacity(PIECE_BYTES),
        };
        let threads = [
            Builder::new()
                .name("orbit-writer".into())
                .spawn(|| writer.run())?,
            Builder::new()
                .name("orbit-finisher".into())
                .spawn(move || finish_all(&finished, &events))?,
        ];
        let recordings = Arc::default();
        Ok((Self { threads }, DiskOrders { orders, recordings }))
    }

    /// Wait until everything ordered is done. All [`DiskOrders`] must be gone.
    pub fn join(self) {
        for thread in self.threads {
            // A panic there was printed; there is nothing left to do about it.
            let _ = thread.join();
        }
    }
}

struct Writer {
    orders: Receiver<Order>,
    ended: Sender<Ended>,
    events: Arc<EventQueue>,
    recordings: HashMap<(StreamId, u64), Box<Recording>>,
    scratch: Vec<u8>,
}

impl Writer {
    fn run(mut self) {
        let mut next_write = Instant::now() + WRITE_INTERVAL;
        loop {
            let wait = if self.recordings.is_empty() {
                Duration::MAX
            } else {
                next_write.saturating_duration_since(Instant::now())
            };
            match self.orders.recv_timeout(wait) {
                Ok(order) => self.obey(order),
                Err(RecvTimeoutError::Timeout) => {
                    self.write_all();
                    next_write = Instant::now() + WRITE_INTERVAL;
                }
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Begin(recording) => {
                let key = (recording.stream, recording.number);
                self.recordings.insert(key, recording);
            }
            Order::End(stream, number, tally) => {
                if let Some(recording) = self.recordings.remove(&(stream, number)) {
                    self.end(recording, tally);
                }
            }
            Order::Report(stream, event) => {
                let _ = self.ended.send(Ended::Report(stream, event));
            }
        }
    }

    fn end(&mut self, mut recording: Box<Recording>, tally: Tally) {
        match recording.complete(tally, &mut self.scratch) {
            Ok(()) => {
                let _ = self.ended.send(Ended::Recording(recording, tally));
            }
            Err(error) => fail(*recording, &error, &self.events),
        }
    }

    fn write_all(&mut self) {
        let scratch = &mut self.scratch;
        let failed: Vec<_> = self
            .recordings
            .iter_mut()
            .filter_map(|(key, recording)| Some((*key, recording.drain(scratch).err()?)))
            .collect();
        for (key, error) in failed {
            if let Some(recording) = self.recordings.remove(&key) {
                fail(*recording, &error, &self.events);
            }
        }
    }
}

fn finish_all(ended: &Receiver<Ended>, events: &EventQueue) {
    for order in ended {
        match order {
            Ended::Report(stream, event) => events.append(&mut vec![(stream, event)]),
            Ended::Recording(mut recording, tally) => match recording.finish(tally) {
                Ok(event) => events.append(&mut vec![(recording.stream, event)]),
                Err(error) => fail(*recording, &error, events),
            },
        }
    }
}

/// Report a failure. Dropping the ring tells the media thread.
fn fail(mut recording: Recording, error: &io::Error, events: &EventQueue) {
    recording.shared.recording_ended(recording.number);
    let event = recording.fail(error);
    events.append(&mut vec![(recording.stream, event)]);
}
