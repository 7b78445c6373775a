//! RIFF/WAVE: reading prompts of several kinds, writing the header of recordings.
//!
//! Layout: Microsoft and IBM, “Multimedia Programming Interface and Data Specifications 1.0”
//! (1991), part “WAVE”, and for `EXTENSIBLE` Microsoft's `WAVEFORMATEXTENSIBLE`.

use std::fmt;

use crate::codec::g711::Law;

/// Sample rates a prompt may have, Hz.
pub const MIN_RATE_HZ: u32 = 8_000;
/// The upper end of the same.
pub const MAX_RATE_HZ: u32 = 48_000;
/// Bytes of the header of a recording.
pub const HEADER_BYTES: usize = 44;

const FORMAT_PCM: u16 = 1;
const FORMAT_ALAW: u16 = 6;
const FORMAT_ULAW: u16 = 7;
const FORMAT_EXTENSIBLE: u16 = 0xfffe;

/// Why a file is not a prompt.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum WavError {
    /// No RIFF/WAVE header, or the file ends inside a chunk header.
    NotWave,
    /// No `fmt ` chunk before the `data` chunk, or one too short.
    NoFormat,
    /// No `data` chunk.
    NoData,
    /// A format tag other than PCM, µ-law, A-law.
    Encoding(u16),
    /// Bits a sample that the encoding does not have here.
    BitsPerSample(u16),
    /// Neither mono nor stereo.
    Channels(u16),
    /// Outside [`MIN_RATE_HZ`] to [`MAX_RATE_HZ`].
    Rate(u32),
    /// Not one whole sample.
    Empty,
}

impl fmt::Display for WavError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotWave => out.write_str("not a RIFF/WAVE file"),
            Self::NoFormat => out.write_str("no usable fmt chunk"),
            Self::NoData => out.write_str("no data chunk"),
            Self::Encoding(tag) => write!(out, "encoding {tag} is not PCM, mu-law or A-law"),
            Self::BitsPerSample(bits) => write!(out, "{bits} bits per sample"),
            Self::Channels(channels) => write!(out, "{channels} channels"),
            Self::Rate(rate) => write!(out, "{rate} Hz is outside 8000-48000 Hz"),
            Self::Empty => out.write_str("holds no sound"),
        }
    }
}

/// A decoded file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Wav {
    /// Sample rate, Hz.
    pub rate_hz: u32,
    /// Mono; stereo is mixed down by the mean of both channels.
    pub samples: Vec<i16>,
}

#[derive(Clone, Copy)]
enum Encoding {
    Linear,
    Companded(Law),
}

#[derive(Clone, Copy)]
struct Format {
    encoding: Encoding,
    channels: u16,
    rate_hz: u32,
}

/// Read a file: 16-bit PCM, µ-law or A-law; mono or stereo.
///
/// A `data` chunk that claims more than the file holds (a writer that never finished, a stream of
/// unknown length) is taken up to the end of the file.
///
/// # Errors
///
/// [`WavError`].
pub fn parse(file: &[u8]) -> Result<Wav, WavError> {
    let (riff, mut rest) = file.split_first_chunk::<12>().ok_or(WavError::NotWave)?;
    if &riff[..4] != b"RIFF" || &riff[8..] != b"WAVE" {
        return Err(WavError::NotWave);
    }
    let mut format = None;
    loop {
        let (head, body) = rest.split_first_chunk::<8>().ok_or(WavError::NoData)?;
        let length = u32::from_le_bytes([head[4], head[5], head[6], head[7]]) as usize;
        let chunk = &body[..length.min(body.len())];
        match &head[..4] {
            b"fmt " => format = Some(parse_format(chunk)?),
            b"data" => return decode(format.ok_or(WavError::NoFormat)?, chunk),
            _ => {}
        }
        let padded = length.saturating_add(length & 1);
        rest = body.get(padded..).unwrap_or_default();
    }
}

fn parse_format(chunk: &[u8]) -> Result<Format, WavError> {
    let fixed = chunk.first_chunk::<16>().ok_or(WavError::NoFormat)?;
    let word = |at: usize| u16::from_le_bytes([fixed[at], fixed[at + 1]]);
    let tag = match word(0) {
        FORMAT_EXTENSIBLE => sub_format(chunk).ok_or(WavError::NoFormat)?,
        tag => tag,
    };
    let (channels, bits) = (word(2), word(14));
    let rate_hz = u32::from_le_bytes([fixed[4], fixed[5], fixed[6], fixed[7]]);
    let (encoding, bits_wanted) = match tag {
        FORMAT_PCM => (Encoding::Linear, 16),
        FORMAT_ULAW => (Encoding::Companded(Law::Mu), 8),
        FORMAT_ALAW => (Encoding::Companded(Law::A), 8),
        tag => return Err(WavError::Encoding(tag)),
    };
    if bits != bits_wanted {
        return Err(WavError::BitsPerSample(bits));
    }
    if !(1..=2).contains(&channels) {
        return Err(WavError::Channels(channels));
    }
    if !(MIN_RATE_HZ..=MAX_RATE_HZ).contains(&rate_hz) {
        return Err(WavError::Rate(rate_hz));
    }
    Ok(Format {
        encoding,
        channels,
        rate_hz,
    })
}

/// The first two bytes of the sub-format GUID are the format tag it stands for.
fn sub_format(chunk: &[u8]) -> Option<u16> {
    let tag = chunk.get(24..26)?;
    Some(u16::from_le_bytes([tag[0], tag[1]]))
}

fn decode(format: Format, data: &[u8]) -> Result<Wav, WavError> {
    let interleaved = match format.encoding {
        Encoding::Linear => data
            .chunks_exact(2)
            .map(|pair| i16::from_le_bytes([pair[0], pair[1]]))
            .collect(),
        Encoding::Companded(law) => {
            let mut samples = vec![0; data.len()];
            law.decode(data, &mut samples);
            samples
        }
    };
    let samples = if format.channels == 1 {
        interleaved
    } else {
        mix_down(&interleaved)
    };
    if samples.is_empty() {
        return Err(WavError::Empty);
    }
    Ok(Wav {
        rate_hz: format.rate_hz,
        samples,
    })
}

fn mix_down(interleaved: &[i16]) -> Vec<i16> {
    interleaved
        .chunks_exact(2)
        .map(|pair| ((i32::from(pair[0]) + i32::from(pair[1])) / 2) as i16)
        .collect()
}

/// The header of a mono 16-bit file of `data_bytes` at 8000 Hz.
///
/// Sizes beyond what the format can say (4 GiB, 74 hours) are written as its greatest.
pub fn header(data_bytes: u64) -> [u8; HEADER_BYTES] {
    const RATE_HZ: u32 = 8_000;
    const BYTES_PER_SAMPLE: u16 = 2;
    let size = |bytes: u64| u32::try_from(bytes).unwrap_or(u32::MAX).to_le_bytes();
    let mut out = [0; HEADER_BYTES];
    out[..4].copy_from_slice(b"RIFF");
    out[4..8].copy_from_slice(&size(data_bytes + HEADER_BYTES as u64 - 8));
    out[8..16].copy_from_slice(b"WAVEfmt ");
    out[16..20].copy_from_slice(&16u32.to_le_bytes());
    out[20..22].copy_from_slice(&FORMAT_PCM.to_le_bytes());
    out[22..24].copy_from_slice(&1u16.to_le_bytes());
    out[24..28].copy_from_slice(&RATE_HZ.to_le_bytes());
    out[28..32].copy_from_slice(&(RATE_HZ * u32::from(BYTES_PER_SAMPLE)).to_le_bytes());
    out[32..34].copy_from_slice(&BYTES_PER_SAMPLE.to_le_bytes());
    out[34..36].copy_from_slice(&16u16.to_le_bytes());
    out[36..40].copy_from_slice(b"data");
    out[40..44].copy_from_slice(&size(data_bytes));
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn file(format: &[u8], data: &[u8]) -> Vec<u8> {
        let mut out = b"RIFF\0\0\0\0WAVE".to_vec();
        for (name, chunk) in [(b"fmt ", format), (b"LIST", b"odd"), (b"data", data)] {
            out.extend_from_slice(name);
            out.extend_from_slice(&(chunk.len() as u32).to_le_bytes());
            out.extend_from_slice(chunk);
            out.resize(out.len() + chunk.len() % 2, 0);
        }
        out
    }

    fn format(tag: u16, channels: u16, rate_hz: u32, bits: u16) -> Vec<u8> {
        let mut out = Vec::new();
        out.extend_from_slice(&tag.to_le_bytes());
        out.extend_from_slice(&channels.to_le_bytes());
        out.extend_from_slice(&rate_hz.to_le_bytes());
        out.extend_from_slice(&[0; 6]);
        out.extend_from_slice(&bits.to_le_bytes());
        out
    }

    #[test]
    fn linear_mono_is_read_as_it_is() {
        let read = parse(&file(&format(1, 1, 16_000, 16), &[1, 0, 0xff, 0xff, 9])).unwrap();
        assert_eq!(
            read,
            Wav {
                rate_hz: 16_000,
                samples: vec![1, -1]
            }
        );
    }

    #[test]
    fn stereo_is_mixed_down_without_overflow() {
        let data: Vec<u8> = [100i16, 50, i16::MIN, i16::MIN]
            .iter()
            .flat_map(|sample| sample.to_le_bytes())
            .collect();
        let read = parse(&file(&format(1, 2, 8_000, 16), &data)).unwrap();
        assert_eq!(read.samples, [75, i16::MIN]);
    }

    #[test]
    fn both_laws_are_read() {
        let ulaw = parse(&file(&format(7, 1, 8_000, 8), &[0xff, 0x80])).unwrap();
        assert_eq!(ulaw.samples, [0, 32_124]);
        let alaw = parse(&file(&format(6, 1, 8_000, 8), &[0xd5])).unwrap();
        assert_eq!(alaw.samples, [8]);
    }

    #[test]
    fn the_extensible_form_says_its_encoding_in_the_sub_format() {
        let mut extensible = format(0xfffe, 1, 8_000, 16);
        extensible.extend_from_slice(&[22, 0, 16, 0, 4, 0, 0, 0, 1, 0]);
        assert_eq!(parse(&file(&extensible, &[5, 0])).unwrap().samples, [5]);
        assert_eq!(
            parse(&file(&extensible[..20], &[5, 0])),
            Err(WavError::NoFormat)
        );
    }

    #[test]
    fn a_data_chunk_of_unknown_length_reaches_to_the_end() {
        let mut bytes = file(&format(1, 1, 8_000, 16), &[1, 0, 2, 0]);
        let at = bytes.len() - 8;
        bytes[at..at + 4].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(parse(&bytes).unwrap().samples, [1, 2]);
    }

    #[test]
    fn what_cannot_be_played_is_refused_with_the_reason() {
        for (bytes, error) in [
            (vec![], WavError::NotWave),
            (b"RIFF\0\0\0\0AVI ".to_vec(), WavError::NotWave),
            (b"RIFF\0\0\0\0WAVE".to_vec(), WavError::NoData),
            (file(&[0; 15], &[0; 2]), WavError::NoFormat),
            (
                file(&format(3, 1, 8_000, 32), &[0; 4]),
                WavError::Encoding(3),
            ),
            (
                file(&format(1, 1, 8_000, 24), &[0; 3]),
                WavError::BitsPerSample(24),
            ),
            (
                file(&format(1, 6, 8_000, 16), &[0; 12]),
                WavError::Channels(6),
            ),
            (
                file(&format(1, 0, 8_000, 16), &[0; 12]),
                WavError::Channels(0),
            ),
            (
                file(&format(1, 1, 96_000, 16), &[0; 2]),
                WavError::Rate(96_000),
            ),
            (file(&format(1, 1, 0, 16), &[0; 2]), WavError::Rate(0)),
            (file(&format(1, 1, 8_000, 16), &[7]), WavError::Empty),
            (b"RIFF\0\0\0\0WAVEdata\0\0\0\0".to_vec(), WavError::NoFormat),
        ] {
            assert_eq!(parse(&bytes), Err(error), "{bytes:02x?}");
        }
    }

    #[test]
    fn a_recording_can_be_read_back() {
        let mut bytes = header(6).to_vec();
        bytes.extend_from_slice(&[1, 0, 2, 0, 3, 0]);
        assert_eq!(bytes[4..8], 42u32.to_le_bytes());
        let read = parse(&bytes).unwrap();
        assert_eq!((read.rate_hz, read.samples), (8_000, vec![1, 2, 3]));
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(
            head in prop_oneof![Just(b"RIFF\0\0\0\0WAVE".to_vec()), any::<Vec<u8>>()],
            chunks in prop::collection::vec(
                (prop_oneof![Just(*b"fmt "), Just(*b"data"), any::<[u8; 4]>()],
                 any::<u32>(), prop::collection::vec(any::<u8>(), 0..40)),
                0..5,
            ),
        ) {
            let mut bytes = head;
            for (name, length, body) in chunks {
                bytes.extend_from_slice(&name);
                bytes.extend_from_slice(&length.to_le_bytes());
                bytes.extend_from_slice(&body);
            }
            if let Ok(wav) = parse(&bytes) {
                prop_assert!(!wav.samples.is_empty());
            }
        }
    }
}
