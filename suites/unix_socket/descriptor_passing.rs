//! Passing file descriptors over Unix-domain sockets (`SCM_RIGHTS`). A received file descriptor refers to the same open file
//! description as the sender's, as after `dup`. While a message is unread, it holds a reference to that open file description.

use conformance::prelude::*;
use conformance::sys::socket::{Message, recvmsg, sendmsg};
use nix::sys::socket::MsgFlags;
use nix::unistd::Whence;
use rstest::rstest;

use super::fixture::Kind;

/// `read` of 5 bytes from a file descriptor received with `SCM_RIGHTS` starts at the offset 30 that the sender has set with
/// `lseek`. On the sender's descriptor, `lseek` with `SEEK_CUR` then returns 35, and `fcntl(F_GETFL)` reports `O_APPEND` after
/// the receiver has set the flag with `fcntl(F_SETFL)` on the received one.
#[rstest]
#[case::stream(Kind::Stream)]
#[case::datagram(Kind::Datagram)]
#[cfg_attr(has_seqpacket, case::seqpacket(Kind::Seqpacket))]
#[conformance::test(posix = "sys/socket.h", man = "unix(7)", level = documented)]
fn received_descriptor_shares_offset_and_flags(#[case] kind: Kind) -> Outcome {
    let scratch = Scratch::new()?;
    let file = create(&scratch.join("file"), OFlag::O_RDWR, 0o600)?;
    write_all(&file, &pattern(100))?;
    let (ours, theirs) = kind.pair()?;
    let sender = Participant::spawn("sender", (theirs, file), |(socket, file), link| {
        lseek(&file, 30, Whence::SeekSet)?;
        sendmsg(&socket, b"m", &[file.as_fd()])?;
        link.meet("offset and flags are changed");
        Ok::<_, Errno>((lseek(&file, 0, Whence::SeekCur)?, status_flags(&file)?.contains(OFlag::O_APPEND)))
    })?;
    sender.until_reached("offset and flags are changed")?;
    let received = recvmsg(&ours, 10, 1, MsgFlags::empty());
    expect_eq!(summary(&received), Ok((b"m".to_vec(), 1, COMPLETE)));
    let file = &received?.descriptors[0];
    expect_eq!(read_some(file, 5), Ok(pattern(100)[30..35].to_vec()));
    set_status_flags(file, status_flags(file)? | OFlag::O_APPEND)?;
    sender.open("offset and flags are changed")?;
    expect_eq!(sender.join()?, Ok((35, true)));
    Ok(())
}

/// `recvmsg` of an `SCM_RIGHTS` message with two file descriptors gives them the two lowest free numbers, in the order of the
/// message. `fcntl(F_GETFD)` reports no `FD_CLOEXEC` for either.
#[rstest]
#[case::stream(Kind::Stream)]
#[case::datagram(Kind::Datagram)]
#[cfg_attr(has_seqpacket, case::seqpacket(Kind::Seqpacket))]
#[conformance::test(man = "unix(7)")]
fn takes_the_lowest_free_descriptors(#[case] kind: Kind) -> Outcome {
    let (ours, theirs) = kind.pair()?;
    let (reader, writer) = pipe()?;
    sendmsg(&theirs, b"m", &[reader.as_fd(), writer.as_fd()])?;
    let copies = [dup(&ours)?, dup(&ours)?, dup(&ours)?];
    let taken = copies.each_ref().map(AsRawFd::as_raw_fd);
    let [low, _kept, high] = copies;
    drop((low, high));

    let received = recvmsg(&ours, 10, 2, MsgFlags::empty());
    expect_eq!(summary(&received), Ok((b"m".to_vec(), 2, COMPLETE)));
    let received = received?.descriptors;
    let seen: Vec<_> = received.iter().map(|descriptor| (descriptor.as_raw_fd(), close_on_exec(descriptor))).collect();
    expect_eq!(seen, [(taken[0], Ok(false)), (taken[2], Ok(false))]);
    expect_eq!(write(&received[1], b"order"), Ok(5));
    expect_eq!(read_some(&received[0], 10), Ok(b"order".to_vec()));
    Ok(())
}

/// After `recvmsg` with `MSG_CMSG_CLOEXEC` of an `SCM_RIGHTS` message with two file descriptors, `fcntl(F_GETFD)` reports
/// `FD_CLOEXEC` for both received descriptors, and no `FD_CLOEXEC` for the two descriptors of the sender.
#[cfg(has_cmsg_cloexec)]
#[rstest]
#[case::stream(Kind::Stream)]
#[case::datagram(Kind::Datagram)]
#[cfg_attr(has_seqpacket, case::seqpacket(Kind::Seqpacket))]
#[conformance::test(posix = "recvmsg", man = "recvmsg(2)")]
fn msg_cmsg_cloexec_sets_fd_cloexec(#[case] kind: Kind) -> Outcome {
    let (ours, theirs) = kind.pair()?;
    let (reader, writer) = pipe()?;
    sendmsg(&theirs, b"m", &[reader.as_fd(), writer.as_fd()])?;
    let received = recvmsg(&ours, 10, 2, MsgFlags::MSG_CMSG_CLOEXEC);
    expect_eq!(summary(&received), Ok((b"m".to_vec(), 2, COMPLETE)));
    let seen: Vec<_> = received?.descriptors.iter().map(close_on_exec).collect();
    expect_eq!(seen, [Ok(true), Ok(true)]);
    expect_eq!((close_on_exec(&reader), close_on_exec(&writer)), (Ok(false), Ok(false)), "of the descriptors sent");
    Ok(())
}

/// If the soft limit `RLIMIT_NOFILE` of the receiver leaves two file descriptors free, `recvmsg` of an `SCM_RIGHTS` message with
/// the only write ends of four pipes returns the first two and sets `MSG_CTRUNC`. The other two are closed, so that `read` from
/// their pipes returns 0, while a non-blocking `read` from the first two pipes fails with `EAGAIN`.
#[rstest]
#[case::stream(Kind::Stream)]
#[case::datagram(Kind::Datagram)]
#[cfg_attr(has_seqpacket, case::seqpacket(Kind::Seqpacket))]
#[conformance::test(man = "unix(7)")]
fn descriptor_limit_cuts_the_list(#[case] kind: Kind) -> Outcome {
    let (ours, theirs) = kind.pair()?;
    let readers = send_writers(&theirs)?;
    let receiver = Participant::spawn("receiver", ours, |socket, link| {
        leave_room(&socket, 2)?;
        let received = recvmsg(&socket, 10, 4, MsgFlags::empty());
        link.meet("received");
        summary(&received)
    })?;
    receiver.until_reached("received")?;
    expect_eq!(readers.each_ref().map(read_nonblocking), [Err(EAGAIN), Err(EAGAIN), Ok(0), Ok(0)]);
    receiver.open("received")?;
    expect_eq!(receiver.join()?, Ok((b"four".to_vec(), 2, CONTROL_TRUNCATED)));
    expect_eq!(readers.each_ref().map(read_nonblocking), [Ok(0); 4]);
    Ok(())
}

/// If the control buffer has space for n (0, 1 or 3) of the four file descriptors of an `SCM_RIGHTS` message, the only write ends
/// of four pipes, `recvmsg` returns the first n and sets `MSG_CTRUNC`. The others are closed, so that `read` from their pipes
/// returns 0.
#[rstest]
#[case::none_of_four(Kind::Stream, 0)]
#[case::one_of_four(Kind::Stream, 1)]
#[case::three_of_four(Kind::Stream, 3)]
#[case::three_of_four_in_a_datagram(Kind::Datagram, 3)]
#[cfg_attr(has_seqpacket, case::three_of_four_in_a_packet(Kind::Seqpacket, 3))]
#[conformance::test(posix = "recvmsg", man = "unix(7)", level = documented)]
fn short_control_buffer_cuts_the_list(#[case] kind: Kind, #[case] space: usize) -> Outcome {
    let (ours, theirs) = kind.pair()?;
    let readers = send_writers(&theirs)?;
    let received = recvmsg(&ours, 10, space, MsgFlags::empty());
    expect_eq!(summary(&received), Ok((b"four".to_vec(), space, CONTROL_TRUNCATED)));
    let open_then_closed = std::array::from_fn(|index| if index < space { Err(EAGAIN) } else { Ok(0) });
    expect_eq!(readers.each_ref().map(read_nonblocking), open_then_closed);
    drop(received);
    expect_eq!(readers.each_ref().map(read_nonblocking), [Ok(0); 4]);
    Ok(())
}

/// If the sender of an `SCM_RIGHTS` message with the only write end of a pipe is killed before `recvmsg`, `write` of 10 bytes by
/// the receiver to the received descriptor returns 10, and `read` from the pipe returns these bytes. After the receiver is killed
/// too, `read` returns 0.
#[rstest]
#[case::stream(Kind::Stream)]
#[case::datagram(Kind::Datagram)]
#[cfg_attr(has_seqpacket, case::seqpacket(Kind::Seqpacket))]
#[conformance::test(posix = "sys/socket.h", man = "unix(7)", level = documented)]
fn descriptor_survives_a_killed_sender(#[case] kind: Kind) -> Outcome {
    let (ours, theirs) = kind.pair()?;
    let (reader, writer) = pipe()?;
    let sender = Participant::spawn("sender", (theirs, writer), |(socket, writer), link| -> Result<(), Errno> {
        sendmsg(&socket, b"m", &[writer.as_fd()])?;
        link.reached("sent");
        link.park()
    })?;
    sender.until_reached("sent")?;
    sender.kill()?;
    expect_eq!(read_nonblocking(&reader), Err(EAGAIN), "while only the message refers to the write end");

    let receiver = Participant::spawn("receiver", ours, |socket, link| -> Result<(), Errno> {
        let received = recvmsg(&socket, 10, 1, MsgFlags::empty())?;
        write_all(&received.descriptors[0], b"still here")?;
        link.reached("written");
        link.park()
    })?;
    receiver.until_reached("written")?;
    expect_eq!(read_some(&reader, 100), Ok(b"still here".to_vec()));
    expect_eq!(read_nonblocking(&reader), Err(EAGAIN));
    receiver.kill()?;
    expect_eq!(read_nonblocking(&reader), Ok(0));
    Ok(())
}

/// If the only process with the receiving socket is killed while an `SCM_RIGHTS` message with the only write end of a pipe is
/// unread, a `read` that is blocked on the pipe returns 0.
#[rstest]
#[case::stream(Kind::Stream)]
#[case::datagram(Kind::Datagram)]
#[cfg_attr(has_seqpacket, case::seqpacket(Kind::Seqpacket))]
#[conformance::test(posix = "read", man = "unix(7)")]
fn killed_receiver_closes_unread_descriptors(#[case] kind: Kind) -> Outcome {
    let (ours, theirs) = kind.pair()?;
    let (reader_end, writer) = pipe()?;
    sendmsg(&ours, b"m", &[writer.as_fd()])?;
    drop(writer);
    let receiver = Participant::spawn("receiver", theirs, |_socket, link| -> () { link.park() })?;
    let reader = Participant::spawn("reader", reader_end, |end, _| read(&end, &mut [0; 1]))?;
    reader.until_blocked()?;
    receiver.kill()?;
    expect_eq!(reader.join()?, Ok(0));
    Ok(())
}

/// If an unread `SCM_RIGHTS` message in a socket pair holds the receiving socket itself and the only write end of a pipe, and
/// both sockets of the pair are closed, a `read` that is blocked on the pipe returns 0.
#[rstest]
#[case::stream(Kind::Stream)]
#[case::datagram(Kind::Datagram)]
#[cfg_attr(has_seqpacket, case::seqpacket(Kind::Seqpacket))]
#[conformance::test(posix = "read", level = customary)]
fn unreachable_socket_closes_unread_descriptors(#[case] kind: Kind) -> Outcome {
    let (ours, theirs) = kind.pair()?;
    let (reader_end, writer) = pipe()?;
    sendmsg(&ours, b"m", &[theirs.as_fd(), writer.as_fd()])?;
    drop(writer);
    let reader = Participant::spawn("reader", reader_end, |end, _| read(&end, &mut [0; 1]))?;
    reader.until_blocked()?;
    // In this order the last close drops a reference that is not in a message; the message refers to the other socket.
    drop(theirs);
    drop(ours);
    // A system may look for unreachable sockets whenever a socket is closed, and a search may be running already.
    comes_to(&Ok(Settled::Ended), || {
        drop(kind.pair());
        reader.until_settled()
    })?;
    expect_eq!(reader.join()?, Ok(0));
    Ok(())
}

/// Sends the write ends of four pipes in one message and closes them. Returns the read ends.
fn send_writers(socket: &OwnedFd) -> Result<[OwnedFd; 4], Errno> {
    let [first, second, third, fourth] = [pipe()?, pipe()?, pipe()?, pipe()?];
    let writers = [&first.1, &second.1, &third.1, &fourth.1].map(AsFd::as_fd);
    sendmsg(socket, b"four", &writers)?;
    Ok([first.0, second.0, third.0, fourth.0])
}

/// A non-blocking `read`: `EAGAIN` while a write end is open, 0 after the last was closed.
fn read_nonblocking(reader: &OwnedFd) -> Result<usize, Errno> {
    set_nonblocking(reader, true)?;
    read(reader, &mut [0; 1])
}

/// The data, the number of file descriptors, and which parts were truncated.
fn summary(received: &Result<Message, Errno>) -> Result<(Vec<u8>, usize, Truncated), Errno> {
    let received = received.as_ref().map_err(|&errno| errno)?;
    let truncated = (received.flags.contains(MsgFlags::MSG_TRUNC), received.flags.contains(MsgFlags::MSG_CTRUNC));
    Ok((received.bytes.clone(), received.descriptors.len(), truncated))
}

/// Whether `MSG_TRUNC`, and whether `MSG_CTRUNC`, is set.
type Truncated = (bool, bool);
const COMPLETE: Truncated = (false, false);
const CONTROL_TRUNCATED: Truncated = (false, true);
