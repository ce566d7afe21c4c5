//! Unix-domain sockets.

mod fixture;
mod rights;
