//! What is no pipe (Linux): other kinds of file, most of which hide something of their own where a pipe has its buffer, have no pipe's
//! size, and no bytes that could be moved without a pipe in between.

use conformance::prelude::*;
use nix::sys::eventfd::EventFd;
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::signal::SigSet;
use nix::sys::signalfd::SignalFd;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket, socketpair};
use nix::sys::timerfd::{ClockId, TimerFd, TimerFlags};
use rstest::rstest;

/// A kind of file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Thing {
    Socket,
    SocketPair,
    Eventfd,
    Epoll,
    Timerfd,
    Signalfd,
    Memfd,
    Proc,
    Directory,
    Null,
    Terminal,
    Inotify,
}

impl Thing {
    /// One of that kind, and what must live as long.
    fn open(self) -> Result<Vec<OwnedFd>, Errno> {
        Ok(match self {
            Thing::Socket => vec![socket(AddressFamily::Unix, SockType::Stream, SockFlag::empty(), None)?],
            Thing::SocketPair => {
                socketpair(AddressFamily::Unix, SockType::Stream, None, SockFlag::empty()).map(|(a, b)| vec![a, b])?
            }
            Thing::Eventfd => vec![EventFd::from_value(1)?.into()],
            Thing::Epoll => vec![epoll()?],
            Thing::Timerfd => vec![TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::empty())?.into()],
            Thing::Signalfd => vec![dup(SignalFd::new(&SigSet::empty())?)?],
            Thing::Memfd => vec![memfd_create("memory", MFdFlags::empty())?],
            Thing::Proc => vec![open(Path::new("/proc/self/comm"), OFlag::O_RDWR)?],
            Thing::Directory => vec![open(Path::new("/"), OFlag::O_RDONLY | OFlag::O_DIRECTORY)?],
            Thing::Null => vec![open(Path::new("/dev/null"), OFlag::O_RDWR)?],
            Thing::Terminal => vec![open(Path::new("/dev/ptmx"), OFlag::O_RDWR | OFlag::O_NOCTTY)?],
            Thing::Inotify => vec![dup(nix::sys::inotify::Inotify::init(nix::sys::inotify::InitFlags::empty())?)?],
        })
    }
}

/// It has no size that could be asked for, set to anything, or set to what makes no sense for a pipe either.
#[rstest]
#[conformance::test(man = "fcntl(2)")]
fn has_no_size(
    #[values(
        Thing::Socket,
        Thing::SocketPair,
        Thing::Eventfd,
        Thing::Epoll,
        Thing::Timerfd,
        Thing::Signalfd,
        Thing::Memfd,
        Thing::Proc,
        Thing::Directory,
        Thing::Null,
        Thing::Terminal,
        Thing::Inotify
    )]
    thing: Thing,
) -> Outcome {
    let things = thing.open()?;
    for size in [1, 4096, 65536, 0, -1] {
        expect_eq!((set_pipe_size(&things[0], size), pipe_size(&things[0])), (Err(EBADF), Err(EBADF)), "size {size}");
    }
    Ok(())
}

/// Without a pipe at either side nothing is spliced or teed.
#[rstest]
#[conformance::test(man = "splice(2)", man = "tee(2)")]
fn takes_a_pipe_to_be_spliced_with(
    #[values(
        Thing::Socket,
        Thing::SocketPair,
        Thing::Eventfd,
        Thing::Epoll,
        Thing::Timerfd,
        Thing::Signalfd,
        Thing::Memfd,
        Thing::Proc,
        Thing::Null,
        Thing::Terminal,
        Thing::Inotify
    )]
    thing: Thing,
) -> Outcome {
    let things = thing.open()?;
    for other in [Thing::SocketPair, Thing::Memfd, Thing::Null, Thing::Eventfd] {
        let others = other.open()?;
        // What may only be read is refused for that, as a target.
        let writable = status_flags(&things[0])? & OFlag::O_ACCMODE == OFlag::O_RDWR;
        let refusal = if writable { EINVAL } else { EBADF };
        let flags = SpliceFlags::SPLICE_F_NONBLOCK;
        expect_eq!(splice(&things[0], &others[0], 1, flags), Err(EINVAL), "into {other:?}");
        expect_eq!(splice(&others[0], &things[0], 1, flags), Err(refusal), "out of {other:?}");
        expect_eq!(tee(&things[0], &others[0], 1, flags), Err(EINVAL), "into {other:?}");
        expect_eq!(tee(&others[0], &things[0], 1, flags), Err(refusal), "out of {other:?}");
    }
    Ok(())
}

/// Memory goes into pipes only.
#[rstest]
#[conformance::test(man = "vmsplice(2)")]
fn takes_no_memory(
    #[values(
        Thing::Socket,
        Thing::SocketPair,
        Thing::Eventfd,
        Thing::Epoll,
        Thing::Timerfd,
        Thing::Memfd,
        Thing::Proc,
        Thing::Null,
        Thing::Terminal
    )]
    thing: Thing,
) -> Outcome {
    let things = thing.open()?;
    expect_eq!(vmsplice(&things[0], &[std::io::IoSlice::new(b"x")], SpliceFlags::SPLICE_F_NONBLOCK), Err(EBADF));
    Ok(())
}
