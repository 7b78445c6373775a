//! Random numbers from the kernel.

use rustix::rand::{GetRandomFlags, getrandom};

use super::clock::monotonic_ns;

/// A number nobody can guess: SSRCs, first sequence numbers and timestamps (RFC 3550 §5.1).
pub fn random_u64() -> u64 {
    let mut bytes = [0; 8];
    match getrandom(&mut bytes, GetRandomFlags::empty()) {
        Ok(8) => u64::from_ne_bytes(bytes),
        // Eight bytes are never refused once the machine has booted (getrandom(2)).
        _ => monotonic_ns().wrapping_mul(0x2545_f491_4f6c_dd1d),
    }
}
