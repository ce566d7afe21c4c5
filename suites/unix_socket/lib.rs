//! Unix-domain sockets.

mod descriptor_passing;
mod fixture;
