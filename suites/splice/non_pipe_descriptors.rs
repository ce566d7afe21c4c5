//! `splice`, `tee`, `vmsplice`, `F_SETPIPE_SZ` and `F_GETPIPE_SZ` on descriptors that are no pipe. Most such kinds of file keep
//! data of their own where a pipe has its buffers.

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
enum FileType {
    Socket,
    SocketPair,
    Eventfd,
    Epoll,
    Timerfd,
    Signalfd,
    Memfd,
    ProcFile,
    Directory,
    DevNull,
    Terminal,
    Inotify,
}

impl FileType {
    /// A descriptor of that kind, and the descriptor of its peer if it has one.
    fn open(self) -> Result<Vec<OwnedFd>, Errno> {
        Ok(match self {
            FileType::Socket => vec![socket(AddressFamily::Unix, SockType::Stream, SockFlag::empty(), None)?],
            FileType::SocketPair => {
                socketpair(AddressFamily::Unix, SockType::Stream, None, SockFlag::empty()).map(|(a, b)| vec![a, b])?
            }
            FileType::Eventfd => vec![EventFd::from_value(1)?.into()],
            FileType::Epoll => vec![epoll()?],
            FileType::Timerfd => vec![TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::empty())?.into()],
            FileType::Signalfd => vec![dup(SignalFd::new(&SigSet::empty())?)?],
            FileType::Memfd => vec![memfd_create("memory", MFdFlags::empty())?],
            FileType::ProcFile => vec![open(Path::new("/proc/self/comm"), OFlag::O_RDWR)?],
            FileType::Directory => vec![open(Path::new("/"), OFlag::O_RDONLY | OFlag::O_DIRECTORY)?],
            FileType::DevNull => vec![open(Path::new("/dev/null"), OFlag::O_RDWR)?],
            FileType::Terminal => vec![open(Path::new("/dev/ptmx"), OFlag::O_RDWR | OFlag::O_NOCTTY)?],
            FileType::Inotify => vec![dup(nix::sys::inotify::Inotify::init(nix::sys::inotify::InitFlags::empty())?)?],
        })
    }
}

/// On a descriptor of a socket, eventfd, epoll, timerfd, signalfd, memfd, procfs file, directory, `/dev/null`, terminal or
/// inotify instance, `fcntl(F_GETPIPE_SZ)`, and `fcntl(F_SETPIPE_SZ)` with the sizes -1, 0, 1, 4096 and 65536, fail with `EBADF`.
#[rstest]
#[conformance::test(man = "fcntl(2)", level = customary)]
fn have_no_pipe_capacity(
    #[values(
        FileType::Socket,
        FileType::SocketPair,
        FileType::Eventfd,
        FileType::Epoll,
        FileType::Timerfd,
        FileType::Signalfd,
        FileType::Memfd,
        FileType::ProcFile,
        FileType::Directory,
        FileType::DevNull,
        FileType::Terminal,
        FileType::Inotify
    )]
    file_type: FileType,
) -> Outcome {
    let tested = file_type.open()?;
    for size in [1, 4096, 65536, 0, -1] {
        expect_eq!((set_pipe_size(&tested[0], size), pipe_size(&tested[0])), (Err(EBADF), Err(EBADF)), "size {size}");
    }
    Ok(())
}

/// `splice` and `tee` of 1 byte with `SPLICE_F_NONBLOCK` between two descriptors of which neither is a pipe fail with `EINVAL` if
/// the target is open for writing, and with `EBADF` if not. One descriptor is each of stream socket, eventfd, epoll, timerfd,
/// signalfd, memfd, `/proc/self/comm`, `/dev/null`, terminal and inotify instance, and the other each of connected stream socket,
/// memfd, `/dev/null` and eventfd.
#[rstest]
#[conformance::test(man = "splice(2)", man = "tee(2)")]
fn splice_and_tee_need_a_pipe(
    #[values(
        FileType::Socket,
        FileType::SocketPair,
        FileType::Eventfd,
        FileType::Epoll,
        FileType::Timerfd,
        FileType::Signalfd,
        FileType::Memfd,
        FileType::ProcFile,
        FileType::DevNull,
        FileType::Terminal,
        FileType::Inotify
    )]
    file_type: FileType,
) -> Outcome {
    let tested = file_type.open()?;
    for other in [FileType::SocketPair, FileType::Memfd, FileType::DevNull, FileType::Eventfd] {
        let others = other.open()?;
        // A target that is open for reading only is rejected for its access mode.
        let writable = status_flags(&tested[0])? & OFlag::O_ACCMODE == OFlag::O_RDWR;
        let expected = if writable { EINVAL } else { EBADF };
        let flags = SpliceFlags::SPLICE_F_NONBLOCK;
        expect_eq!(splice(&tested[0], &others[0], 1, flags), Err(EINVAL), "into {other:?}");
        expect_eq!(splice(&others[0], &tested[0], 1, flags), Err(expected), "out of {other:?}");
        expect_eq!(tee(&tested[0], &others[0], 1, flags), Err(EINVAL), "into {other:?}");
        expect_eq!(tee(&others[0], &tested[0], 1, flags), Err(expected), "out of {other:?}");
    }
    Ok(())
}

/// `vmsplice` of 1 byte of memory to each of stream socket, eventfd, epoll, timerfd, memfd, `/proc/self/comm`, `/dev/null` and
/// terminal fails with `EBADF`.
#[rstest]
#[conformance::test(man = "vmsplice(2)")]
fn vmsplice_needs_a_pipe(
    #[values(
        FileType::Socket,
        FileType::SocketPair,
        FileType::Eventfd,
        FileType::Epoll,
        FileType::Timerfd,
        FileType::Memfd,
        FileType::ProcFile,
        FileType::DevNull,
        FileType::Terminal
    )]
    file_type: FileType,
) -> Outcome {
    let tested = file_type.open()?;
    expect_eq!(vmsplice(&tested[0], &[std::io::IoSlice::new(b"x")], SpliceFlags::SPLICE_F_NONBLOCK), Err(EBADF));
    Ok(())
}
