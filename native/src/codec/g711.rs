//! µ-law and A-law (ITU-T G.711), by table.
//!
//! Linear samples are 16 bits, left-justified: µ-law uses the upper 14 of them, A-law the upper 13
//! (of which the last never decides),
//! as in the ITU-T software tool library (G.191). A negative sample is taken by its one's
//! complement before the low bits are cut, which settles the values that lie exactly on a decision
//! value and that G.711 leaves open.

/// µ-law for a sample of zero: what silence is made of.
pub const ULAW_SILENCE: u8 = 0xff;
/// A-law for a sample of zero. A-law has no zero; this decodes to +8.
pub const ALAW_SILENCE: u8 = 0xd5;

/// Bias that makes µ-law segments start at powers of two, in units of 14-bit samples.
const ULAW_BIAS: i32 = 33;
/// Every other bit of an A-law byte is inverted on the line (G.711 §3.2).
const ALAW_MASK: u8 = 0x55;

/// Which of the two laws.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Law {
    /// µ-law: `PCMU`, static payload type 0.
    Mu,
    /// A-law: `PCMA`, static payload type 8.
    A,
}

impl Law {
    /// Decode as many samples as both slices hold; returns how many.
    pub fn decode(self, bytes: &[u8], samples: &mut [i16]) -> usize {
        match self {
            Self::Mu => decode_ulaw(bytes, samples),
            Self::A => decode_alaw(bytes, samples),
        }
    }

    /// Encode as many samples as both slices hold; returns how many.
    pub fn encode(self, samples: &[i16], bytes: &mut [u8]) -> usize {
        match self {
            Self::Mu => encode_ulaw(samples, bytes),
            Self::A => encode_alaw(samples, bytes),
        }
    }

    /// The byte of silence.
    pub const fn silence(self) -> u8 {
        match self {
            Self::Mu => ULAW_SILENCE,
            Self::A => ALAW_SILENCE,
        }
    }

    /// Whether no sample of the payload is louder than [`QUIET_PEAK`].
    pub fn is_quiet(self, payload: &[u8]) -> bool {
        let table = match self {
            Self::Mu => &ULAW_TO_LINEAR,
            Self::A => &ALAW_TO_LINEAR,
        };
        payload
            .iter()
            .all(|&byte| table[usize::from(byte)].unsigned_abs() <= QUIET_PEAK)
    }
}

/// Peak up to which a frame counts as a pause: about -37 dBm0, the noise floor of most lines, where
/// leaving out or repeating 20 ms is not heard.
pub const QUIET_PEAK: u16 = 330;

static ULAW_TO_LINEAR: [i16; 256] = ulaw_to_linear();
static ALAW_TO_LINEAR: [i16; 256] = alaw_to_linear();
/// Indexed by the upper 14 bits of the sample.
static LINEAR_TO_ULAW: [u8; 1 << 14] = linear_to_ulaw();
/// Indexed by the upper 12 bits of the sample: all that the A-law decision values look at.
static LINEAR_TO_ALAW: [u8; 1 << 12] = linear_to_alaw();

/// Decode µ-law. Decodes as many samples as both slices hold and returns how many.
pub fn decode_ulaw(bytes: &[u8], samples: &mut [i16]) -> usize {
    decode(&ULAW_TO_LINEAR, bytes, samples)
}

/// Decode A-law. Decodes as many samples as both slices hold and returns how many.
pub fn decode_alaw(bytes: &[u8], samples: &mut [i16]) -> usize {
    decode(&ALAW_TO_LINEAR, bytes, samples)
}

/// Encode to µ-law. Encodes as many samples as both slices hold and returns how many.
pub fn encode_ulaw(samples: &[i16], bytes: &mut [u8]) -> usize {
    for (byte, &sample) in bytes.iter_mut().zip(samples) {
        *byte = LINEAR_TO_ULAW[usize::from(sample as u16 >> 2)];
    }
    bytes.len().min(samples.len())
}

/// Encode to A-law. Encodes as many samples as both slices hold and returns how many.
pub fn encode_alaw(samples: &[i16], bytes: &mut [u8]) -> usize {
    for (byte, &sample) in bytes.iter_mut().zip(samples) {
        *byte = LINEAR_TO_ALAW[usize::from(sample as u16 >> 4)];
    }
    bytes.len().min(samples.len())
}

fn decode(table: &[i16; 256], bytes: &[u8], samples: &mut [i16]) -> usize {
    for (sample, &byte) in samples.iter_mut().zip(bytes) {
        *sample = table[usize::from(byte)];
    }
    bytes.len().min(samples.len())
}

const fn ulaw_to_linear() -> [i16; 256] {
    let mut table = [0; 256];
    let mut code = 0;
    while code < 256 {
        // All bits of a µ-law byte are inverted on the line (G.711 §3.2).
        let bits = !(code as u8) as i32;
        let segment = bits >> 4 & 7;
        let step = bits & 15;
        let magnitude = (((step << 1) + ULAW_BIAS) << segment) - ULAW_BIAS;
        let sample = magnitude << 2;
        table[code] = if bits & 0x80 == 0 { sample } else { -sample } as i16;
        code += 1;
    }
    table
}

const fn alaw_to_linear() -> [i16; 256] {
    let mut table = [0; 256];
    let mut code = 0;
    while code < 256 {
        let bits = (code as u8 ^ ALAW_MASK) as i32;
        let segment = bits >> 4 & 7;
        let step = bits & 15;
        // The middle of the interval, in units of half a 13-bit step.
        let magnitude = if segment == 0 {
            (step << 1) + 1
        } else {
            ((step << 1) + 33) << (segment - 1)
        };
        let sample = magnitude << 3;
        table[code] = if bits & 0x80 != 0 { sample } else { -sample } as i16;
        code += 1;
    }
    table
}

const fn linear_to_ulaw() -> [u8; 1 << 14] {
    let mut table = [0; 1 << 14];
    let mut index = 0;
    while index < 1 << 14 {
        let sample = ((index as u16) << 2) as i16;
        let (sign, magnitude) = sign_and_magnitude(sample);
        let mut biased = (magnitude >> 2) as i32 + ULAW_BIAS;
        if biased > 0x1fff {
            biased = 0x1fff;
        }
        // The highest bit set is the fifth for segment 0, the twelfth for segment 7.
        let segment = 26 - biased.leading_zeros() as i32;
        let step = biased >> (segment + 1) & 15;
        table[index] = !(sign << 7 | (segment << 4 | step) as u8);
        index += 1;
    }
    table
}

const fn linear_to_alaw() -> [u8; 1 << 12] {
    let mut table = [0; 1 << 12];
    let mut index = 0;
    while index < 1 << 12 {
        let sample = ((index as u16) << 4) as i16;
        let (sign, magnitude) = sign_and_magnitude(sample);
        let value = (magnitude >> 4) as i32;
        let segment = if value < 16 {
            0
        } else {
            28 - value.leading_zeros() as i32
        };
        let shift = if segment == 0 { 0 } else { segment - 1 };
        let step = value >> shift & 15;
        table[index] = ((1 - sign) << 7 | (segment << 4 | step) as u8) ^ ALAW_MASK;
        index += 1;
    }
    table
}

/// Sign bit (1 is negative) and one's complement magnitude.
const fn sign_and_magnitude(sample: i16) -> (u8, u16) {
    if sample < 0 {
        (1, !sample as u16)
    } else {
        (0, sample as u16)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Positive decision values x1, x2, … in units of 14-bit (µ) or 13-bit (A) samples, built from
    /// the chords of G.711 tables 1 and 2: (first value, step, how many).
    fn decision_values(chords: &[(i32, i32, i32)]) -> Vec<i32> {
        let chord = |&(first, step, count)| (0..count).map(move |n| first + n * step);
        chords.iter().flat_map(chord).collect()
    }

    fn ulaw_decisions() -> Vec<i32> {
        let mut chords = vec![(1, 2, 15)];
        chords.extend((0..7).map(|n| ((32 << n) * 2 - 33, 4 << n, 16)));
        decision_values(&chords)
    }

    fn alaw_decisions() -> Vec<i32> {
        let mut chords = vec![(2, 2, 31)];
        chords.extend((0..6).map(|n| (64 << n, 4 << n, 16)));
        decision_values(&chords)
    }

    /// The number of the interval a sample falls in, counted from zero outwards, and its sign.
    fn interval(sample: i16, low_bits: u32, decisions: &[i32]) -> (u8, bool) {
        let negative = sample < 0;
        let magnitude = if negative { !sample } else { sample };
        let value = i32::from(magnitude >> low_bits);
        (
            decisions.iter().filter(|&&x| x <= value).count() as u8,
            negative,
        )
    }

    fn slow_ulaw(sample: i16, decisions: &[i32]) -> u8 {
        let (number, negative) = interval(sample, 2, decisions);
        !(number | if negative { 0x80 } else { 0 })
    }

    fn slow_alaw(sample: i16, decisions: &[i32]) -> u8 {
        let (number, negative) = interval(sample, 3, decisions);
        (number | if negative { 0 } else { 0x80 }) ^ 0x55
    }

    fn every_sample() -> Vec<i16> {
        (i16::MIN..=i16::MAX).collect()
    }

    #[test]
    fn every_sample_encodes_to_ulaw_by_the_decision_values() {
        let decisions = ulaw_decisions();
        assert_eq!((decisions.len(), decisions[126]), (127, 7903));
        let samples = every_sample();
        let mut bytes = vec![0; samples.len()];
        assert_eq!(encode_ulaw(&samples, &mut bytes), 65536);
        for (&sample, &byte) in samples.iter().zip(&bytes) {
            assert_eq!(byte, slow_ulaw(sample, &decisions), "{sample}");
        }
    }

    #[test]
    fn every_sample_encodes_to_alaw_by_the_decision_values() {
        let decisions = alaw_decisions();
        assert_eq!((decisions.len(), decisions[126]), (127, 3968));
        let samples = every_sample();
        let mut bytes = vec![0; samples.len()];
        assert_eq!(encode_alaw(&samples, &mut bytes), 65536);
        for (&sample, &byte) in samples.iter().zip(&bytes) {
            assert_eq!(byte, slow_alaw(sample, &decisions), "{sample}");
        }
    }

    #[test]
    fn decoded_values_lie_midway_between_decision_values() {
        let bounds = |decisions: Vec<i32>, top| [vec![0], decisions, vec![top]].concat();
        let ulaw = bounds(ulaw_decisions(), 8159);
        let alaw = bounds(alaw_decisions(), 4096);
        for n in 1..128 {
            let byte = !(n as u8);
            let middle = (ulaw[n] + ulaw[n + 1]) / 2;
            assert_eq!(i32::from(ULAW_TO_LINEAR[usize::from(byte)]), middle * 4);
        }
        for n in 0..128 {
            let byte = (n as u8 | 0x80) ^ 0x55;
            let middle = (alaw[n] + alaw[n + 1]) / 2;
            assert_eq!(i32::from(ALAW_TO_LINEAR[usize::from(byte)]), middle * 8);
        }
    }

    #[test]
    fn every_code_survives_decoding_and_encoding() {
        let codes: Vec<u8> = (0..=255).collect();
        for law in [Law::Mu, Law::A] {
            let (mut samples, mut back) = ([0; 256], [0; 256]);
            assert_eq!(law.decode(&codes, &mut samples), 256);
            assert_eq!(law.encode(&samples, &mut back), 256);
            for code in 0..=255u8 {
                // µ-law has a minus zero; linear samples have not.
                let same = if law == Law::Mu && code == 0x7f {
                    0xff
                } else {
                    code
                };
                assert_eq!(back[usize::from(code)], same, "{law:?} {code:#x}");
            }
        }
    }

    #[test]
    fn the_codes_of_the_ends_of_the_scale_are_those_of_the_standard() {
        let mut bytes = [0; 5];
        encode_ulaw(&[0, -1, 32767, -32768, 4], &mut bytes);
        assert_eq!(bytes, [0xff, 0x7f, 0x80, 0x00, 0xfe]);
        encode_alaw(&[0, -1, 32767, -32768, 16], &mut bytes);
        assert_eq!(bytes, [0xd5, 0x55, 0xaa, 0x2a, 0xd4]);
        let mut samples = [0; 4];
        decode_ulaw(&[0x80, 0x00, 0xff, 0x7f], &mut samples);
        assert_eq!(samples, [32124, -32124, 0, 0]);
        decode_alaw(&[0xaa, 0x2a, 0xd5, 0x55], &mut samples);
        assert_eq!(samples, [32256, -32256, 8, -8]);
    }

    /// The sequences of G.711 tables 5 and 6 are a sine of 1 kHz at 0 dBm0, 3.17 dB (µ) and
    /// 3.14 dB (A) below a sine that reaches the end of the scale.
    #[test]
    #[allow(clippy::approx_constant)] // a level in dB, not π
    fn the_digital_milliwatt_has_its_level() {
        let level_db = |law: Law, codes: &[u8; 8], full: f64| {
            let mut samples = [0; 8];
            law.decode(codes, &mut samples);
            let power: f64 = samples.iter().map(|&s| f64::from(s).powi(2)).sum::<f64>() / 8.0;
            10.0 * (power / (full * full / 2.0)).log10()
        };
        let ulaw = [0x1e, 0x0b, 0x0b, 0x1e, 0x9e, 0x8b, 0x8b, 0x9e];
        let alaw = [0x34, 0x21, 0x21, 0x34, 0xb4, 0xa1, 0xa1, 0xb4];
        assert!((level_db(Law::Mu, &ulaw, 8159.0 * 4.0) + 3.17).abs() < 0.01);
        assert!((level_db(Law::A, &alaw, 4096.0 * 8.0) + 3.14).abs() < 0.01);
    }

    #[test]
    fn the_shorter_slice_decides_how_many_are_coded() {
        let mut samples = [1; 2];
        assert_eq!(decode_ulaw(&[0xff; 5], &mut samples), 2);
        assert_eq!(decode_alaw(&[0xd5; 1], &mut samples), 1);
        assert_eq!(samples, [8, 0]);
        let mut bytes = [1; 3];
        assert_eq!(encode_ulaw(&[0; 2], &mut bytes), 2);
        assert_eq!(bytes, [0xff, 0xff, 1]);
        assert_eq!(encode_alaw(&[], &mut bytes), 0);
    }

    #[test]
    fn silence_is_quiet_and_speech_is_not() {
        for law in [Law::Mu, Law::A] {
            let mut bytes = [law.silence(); 160];
            assert!(law.is_quiet(&bytes));
            law.encode(&[-300], &mut bytes);
            assert!(law.is_quiet(&bytes));
            law.encode(&[1000], &mut bytes);
            assert!(!law.is_quiet(&bytes));
        }
    }
}
