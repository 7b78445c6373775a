//! Everything that touches the operating system: sockets, readiness, the clock, wake-ups, disks.

pub mod clock;
pub mod disk;
pub mod entropy;
pub mod floor;
pub mod poller;
pub mod ports;
pub mod prompts;
pub mod sockets;
pub mod wakeup;
