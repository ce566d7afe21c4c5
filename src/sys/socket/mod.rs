//! Unix-domain sockets.

mod control;
mod message;

pub use message::{Message, recvmsg, sendmsg, socketpair};
