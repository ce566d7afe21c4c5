//! Unix-domain sockets.

mod kind;
mod rights;
