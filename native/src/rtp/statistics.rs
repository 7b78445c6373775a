//! What is counted of a stream, both ways, and how good it sounds.

mod quality;
mod receiver;
mod sender;

pub use quality::{Codec, Conditions, mos};
pub use receiver::{Arrival, ReceiverCounts, ReceiverStatistics};
pub use sender::{RemoteView, SenderStatistics};
