//! What is heard and kept: prompts, playing, recording. Pure; files are read and written by `io`.

pub mod player;
pub mod prompt;
pub mod recorder;
pub mod wav;

/// Samples of a media tick: 20 ms at 8000 Hz.
pub const FRAME_SAMPLES: usize = 160;

/// One tick of audio.
pub type Frame = [i16; FRAME_SAMPLES];

/// One tick of silence.
pub const SILENT_FRAME: Frame = [0; FRAME_SAMPLES];
