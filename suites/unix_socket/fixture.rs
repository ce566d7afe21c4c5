//! The fixture: connected pairs of each type of Unix-domain socket.

use conformance::prelude::*;
use conformance::sys::socket::socketpair;
use nix::sys::socket::SockType;

/// A type of socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `SOCK_STREAM`.
    Stream,
    /// `SOCK_DGRAM`.
    Datagram,
    /// `SOCK_SEQPACKET`.
    #[cfg(has_seqpacket)]
    Seqpacket,
}

impl Kind {
    /// Two connected sockets, both blocking.
    pub fn pair(self) -> Result<(OwnedFd, OwnedFd), Errno> {
        socketpair(match self {
            Kind::Stream => SockType::Stream,
            Kind::Datagram => SockType::Datagram,
            #[cfg(has_seqpacket)]
            Kind::Seqpacket => SockType::SeqPacket,
        })
    }
}
