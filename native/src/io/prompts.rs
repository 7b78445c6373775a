//! Reads prompts and keeps those played lately.

use std::collections::HashMap;
use std::fmt;
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::graph::prompt::Prompt;
use crate::graph::wav::WavError;

/// Memory of kept prompts, bytes: about half an hour of sound.
pub const CAPACITY_BYTES: usize = 64 << 20;
/// The longest file read, bytes: an hour of G.711, six minutes of 16 bit at 48 kHz in stereo. A
/// file of this size makes a prompt that fits the cache.
const MAX_FILE_BYTES: u64 = 64 << 20;

/// Why a file cannot be played.
#[derive(Debug)]
pub enum PromptError {
    /// It cannot be read.
    Io(io::Error),
    /// It is not a regular file, or longer than the maximum.
    Unsuitable(&'static str),
    /// It is not sound that we know.
    Wav(WavError),
}

impl fmt::Display for PromptError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => error.fmt(out),
            Self::Unsuitable(why) => out.write_str(why),
            Self::Wav(error) => error.fmt(out),
        }
    }
}

impl From<io::Error> for PromptError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// A file that was written over has another time or length, and then is another prompt.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
struct Key {
    path: PathBuf,
    device: u64,
    inode: u64,
    modified: (i64, i64),
    size: u64,
}

impl Key {
    fn of(path: &Path, file: &Metadata) -> Self {
        Self {
            path: path.to_owned(),
            device: file.dev(),
            inode: file.ino(),
            modified: (file.mtime(), file.mtime_nsec()),
            size: file.size(),
        }
    }
}

#[derive(Debug)]
struct Kept {
    prompt: Arc<Prompt>,
    last_use: u64,
}

#[derive(Debug, Default)]
struct Shelf {
    kept: HashMap<Key, Kept>,
    bytes: usize,
    uses: u64,
}

impl Shelf {
    fn get(&mut self, key: &Key) -> Option<Arc<Prompt>> {
        self.uses += 1;
        let kept = self.kept.get_mut(key)?;
        kept.last_use = self.uses;
        Some(kept.prompt.clone())
    }

    fn insert(&mut self, key: Key, prompt: Arc<Prompt>, capacity_bytes: usize) {
        self.bytes += prompt.memory_bytes();
        let last_use = self.uses;
        if let Some(old) = self.kept.insert(key, Kept { prompt, last_use }) {
            self.bytes -= old.prompt.memory_bytes();
        }
        while self.bytes > capacity_bytes {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        let oldest = self.kept.iter().min_by_key(|(_, kept)| kept.last_use);
        if let Some((key, _)) = oldest {
            let key = key.clone();
            let kept = self.kept.remove(&key);
            self.bytes -= kept.map_or(0, |kept| kept.prompt.memory_bytes());
        } else {
            self.bytes = 0;
        }
    }
}

/// Prompts by file; the least lately used are forgotten first.
#[derive(Debug)]
pub struct PromptCache {
    capacity_bytes: usize,
    shelf: Mutex<Shelf>,
}

impl PromptCache {
    /// An empty cache for `capacity_bytes` of decoded sound.
    pub fn new(capacity_bytes: usize) -> Self {
        Self {
            capacity_bytes,
            shelf: Mutex::default(),
        }
    }

    /// Return the prompt in `path`, read and resampled unless it is at hand.
    ///
    /// For the thread that orders the play: it blocks on the disk, and holds no lock meanwhile.
    ///
    /// # Errors
    ///
    /// [`PromptError`].
    pub fn load(&self, path: &Path) -> Result<Arc<Prompt>, PromptError> {
        // Before it is opened: opening a pipe waits until somebody writes to it.
        let found = suitable(std::fs::metadata(path)?)?;
        if let Some(prompt) = self.lock().get(&Key::of(path, &found)) {
            return Ok(prompt);
        }
        let mut file = File::open(path)?;
        let metadata = suitable(file.metadata()?)?;
        let mut bytes = Vec::with_capacity(metadata.len() as usize);
        file.by_ref().take(MAX_FILE_BYTES).read_to_end(&mut bytes)?;
        let prompt = Arc::new(Prompt::from_wav(&bytes).map_err(PromptError::Wav)?);
        let key = Key::of(path, &metadata);
        self.lock().insert(key, prompt.clone(), self.capacity_bytes);
        Ok(prompt)
    }

    /// Memory of the prompts kept, bytes.
    pub fn memory_bytes(&self) -> usize {
        self.lock().bytes
    }

    fn lock(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Refuse what is not a file, or too long.
fn suitable(metadata: Metadata) -> Result<Metadata, PromptError> {
    if !metadata.is_file() {
        return Err(PromptError::Unsuitable("not a regular file"));
    }
    if metadata.len() > MAX_FILE_BYTES {
        return Err(PromptError::Unsuitable("longer than 64 MiB"));
    }
    Ok(metadata)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::wav;
    use rustix::fs::{CWD, Mode, mkfifoat};

    fn write(path: &Path, samples: &[i16]) {
        let mut bytes = wav::header(2 * samples.len() as u64).to_vec();
        bytes.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
        std::fs::write(path, bytes).unwrap();
    }

    #[test]
    fn a_prompt_is_read_once_and_again_when_the_file_changed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.wav");
        write(&path, &[1; 160]);
        let cache = PromptCache::new(CAPACITY_BYTES);
        let first = cache.load(&path).unwrap();
        assert!(Arc::ptr_eq(&first, &cache.load(&path).unwrap()));
        write(&path, &[2; 320]);
        assert_eq!(cache.load(&path).unwrap().samples(), [2; 320]);
    }

    #[test]
    fn the_least_lately_used_prompt_is_forgotten_first() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for name in ["a", "b", "c"] {
            write(&path(name), &[1; 100]);
        }
        let cache = PromptCache::new(800);
        let first = cache.load(&path("a")).unwrap();
        let second = cache.load(&path("b")).unwrap();
        cache.load(&path("a")).unwrap();
        cache.load(&path("c")).unwrap();
        assert_eq!(cache.memory_bytes(), 800);
        assert!(Arc::ptr_eq(&first, &cache.load(&path("a")).unwrap()));
        assert!(!Arc::ptr_eq(&second, &cache.load(&path("b")).unwrap()));
    }

    #[test]
    fn a_prompt_larger_than_the_cache_is_played_but_not_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("long.wav");
        write(&path, &[1; 1000]);
        let cache = PromptCache::new(100);
        assert_eq!(cache.load(&path).unwrap().samples().len(), 1000);
        assert_eq!(cache.memory_bytes(), 0);
    }

    #[test]
    fn what_is_no_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let cache = PromptCache::new(CAPACITY_BYTES);
        assert!(matches!(
            cache.load(folder.path()),
            Err(PromptError::Unsuitable(_) | PromptError::Io(_))
        ));
        assert!(matches!(
            cache.load(&folder.path().join("none.wav")),
            Err(PromptError::Io(_))
        ));
        assert!(matches!(
            cache.load(Path::new("/dev/zero")),
            Err(PromptError::Unsuitable(_))
        ));
        let pipe = folder.path().join("pipe");
        mkfifoat(CWD, &pipe, Mode::RUSR).unwrap();
        assert!(matches!(cache.load(&pipe), Err(PromptError::Unsuitable(_))));
    }
}
