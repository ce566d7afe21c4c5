//! Descriptor passing (`SCM_RIGHTS`): what arrives is another descriptor of the *same* open file description, as `dup` makes one.
//! From the moment of sending the message itself holds a reference; it is dropped with the message, whoever dies.

use conformance::prelude::*;
use conformance::sys::socket::{Message, recvmsg, sendmsg};
use nix::sys::socket::MsgFlags;
use nix::unistd::Whence;
use rstest::rstest;

use super::fixture::Kind;

/// A received descriptor shares offset and status flags with the sender's, in both directions.
#[rstest]
#[case::stream(Kind::Stream)]
#[case::datagram(Kind::Datagram)]
#[cfg_attr(has_seqpacket, case::seqpacket(Kind::Seqpacket))]
#[conformance::test(posix = "sys/socket.h", man = "unix(7)")]
fn share_offset_and_flags_with_the_original(#[case] kind: Kind) -> Outcome {
    let scratch = Scratch::new()?;
    let file = create(&scratch.join("file"), OFlag::O_RDWR, 0o600)?;
    write_all(&file, &pattern(100))?;
    let (ours, theirs) = kind.pair()?;
    let sender = Participant::spawn("sender", (theirs, file), |(socket, file), link| {
        lseek(&file, 30, Whence::SeekSet)?;
        sendmsg(&socket, b"m", &[file.as_fd()])?;
        link.meet("the receiver has moved on");
        Ok::<_, Errno>((lseek(&file, 0, Whence::SeekCur)?, status_flags(&file)?.contains(OFlag::O_APPEND)))
    })?;
    sender.until_reached("the receiver has moved on")?;
    let received = recvmsg(&ours, 10, 1, MsgFlags::empty());
    expect_eq!(outline(&received), Ok((b"m".to_vec(), 1, WHOLE)));
    let file = &received?.descriptors[0];
    expect_eq!(read_some(file, 5), Ok(pattern(100)[30..35].to_vec()));
    set_status_flags(file, status_flags(file)? | OFlag::O_APPEND)?;
    sender.open("the receiver has moved on")?;
    expect_eq!(sender.join()?, Ok((35, true)));
    Ok(())
}

/// Received descriptors get the lowest free numbers, in the order of the message, and are left open by `exec`.
#[rstest]
#[case::stream(Kind::Stream)]
#[case::datagram(Kind::Datagram)]
#[cfg_attr(has_seqpacket, case::seqpacket(Kind::Seqpacket))]
#[conformance::test(man = "unix(7)")]
fn fill_the_gaps_among_the_numbers(#[case] kind: Kind) -> Outcome {
    let (ours, theirs) = kind.pair()?;
    let (reader, writer) = pipe()?;
    sendmsg(&theirs, b"m", &[reader.as_fd(), writer.as_fd()])?;
    let copies = [dup(&ours)?, dup(&ours)?, dup(&ours)?];
    let numbers = copies.each_ref().map(AsRawFd::as_raw_fd);
    let [low, _kept, high] = copies;
    drop((low, high));

    let received = recvmsg(&ours, 10, 2, MsgFlags::empty());
    expect_eq!(outline(&received), Ok((b"m".to_vec(), 2, WHOLE)));
    let received = received?.descriptors;
    let seen: Vec<_> = received.iter().map(|descriptor| (descriptor.as_raw_fd(), close_on_exec(descriptor))).collect();
    expect_eq!(seen, [(numbers[0], Ok(false)), (numbers[2], Ok(false))]);
    expect_eq!(write(&received[1], b"order"), Ok(5));
    expect_eq!(read_some(&received[0], 10), Ok(b"order".to_vec()));
    Ok(())
}

/// With `MSG_CMSG_CLOEXEC` every received descriptor is closed by `exec`.
#[cfg(has_cmsg_cloexec)]
#[rstest]
#[case::stream(Kind::Stream)]
#[case::datagram(Kind::Datagram)]
#[cfg_attr(has_seqpacket, case::seqpacket(Kind::Seqpacket))]
#[conformance::test(man = "recvmsg(2)")]
fn are_closed_by_exec_if_the_receiver_asks_so(#[case] kind: Kind) -> Outcome {
    let (ours, theirs) = kind.pair()?;
    let (reader, writer) = pipe()?;
    sendmsg(&theirs, b"m", &[reader.as_fd(), writer.as_fd()])?;
    let received = recvmsg(&ours, 10, 2, MsgFlags::MSG_CMSG_CLOEXEC);
    expect_eq!(outline(&received), Ok((b"m".to_vec(), 2, WHOLE)));
    let seen: Vec<_> = received?.descriptors.iter().map(close_on_exec).collect();
    expect_eq!(seen, [Ok(true), Ok(true)]);
    expect_eq!((close_on_exec(&reader), close_on_exec(&writer)), (Ok(false), Ok(false)), "the flag belongs to the descriptor");
    Ok(())
}

/// A receiver that runs out of descriptor numbers half way gets those that fit and `MSG_CTRUNC`; the others are closed.
#[rstest]
#[case::stream(Kind::Stream)]
#[case::datagram(Kind::Datagram)]
#[cfg_attr(has_seqpacket, case::seqpacket(Kind::Seqpacket))]
#[conformance::test(man = "unix(7)")]
fn stop_where_the_receiver_has_no_number_left(#[case] kind: Kind) -> Outcome {
    let (ours, theirs) = kind.pair()?;
    let readers = send_writers(&theirs)?;
    let receiver = Participant::spawn("receiver", ours, |socket, link| {
        leave_room(&socket, 2)?;
        let received = recvmsg(&socket, 10, 4, MsgFlags::empty());
        link.meet("received");
        outline(&received)
    })?;
    receiver.until_reached("received")?;
    expect_eq!(readers.each_ref().map(read_now), [Err(EAGAIN), Err(EAGAIN), Ok(0), Ok(0)]);
    receiver.open("received")?;
    expect_eq!(receiver.join()?, Ok((b"four".to_vec(), 2, CONTROL_CUT)));
    expect_eq!(readers.each_ref().map(read_now), [Ok(0); 4]);
    Ok(())
}

/// A control buffer that is too short takes the descriptors that fit, and the message says `MSG_CTRUNC`; the others are closed.
#[rstest]
#[case::none(Kind::Stream, 0)]
#[case::one_of_four(Kind::Stream, 1)]
#[case::three_of_four(Kind::Stream, 3)]
#[case::three_of_four_in_a_datagram(Kind::Datagram, 3)]
#[cfg_attr(has_seqpacket, case::three_of_four_in_a_packet(Kind::Seqpacket, 3))]
#[conformance::test(posix = "recvmsg", man = "unix(7)")]
fn stop_where_the_control_buffer_ends(#[case] kind: Kind, #[case] room: usize) -> Outcome {
    let (ours, theirs) = kind.pair()?;
    let readers = send_writers(&theirs)?;
    let received = recvmsg(&ours, 10, room, MsgFlags::empty());
    expect_eq!(outline(&received), Ok((b"four".to_vec(), room, CONTROL_CUT)));
    let open_then_closed = std::array::from_fn(|index| if index < room { Err(EAGAIN) } else { Ok(0) });
    expect_eq!(readers.each_ref().map(read_now), open_then_closed);
    drop(received);
    expect_eq!(readers.each_ref().map(read_now), [Ok(0); 4]);
    Ok(())
}

/// A descriptor whose sender is killed before it is received is as good as any, until its receiver is killed too.
#[rstest]
#[case::stream(Kind::Stream)]
#[case::datagram(Kind::Datagram)]
#[cfg_attr(has_seqpacket, case::seqpacket(Kind::Seqpacket))]
#[conformance::test(posix = "sys/socket.h", man = "unix(7)")]
fn outlive_a_sender_that_is_killed_before_receipt(#[case] kind: Kind) -> Outcome {
    let (ours, theirs) = kind.pair()?;
    let (reader, writer) = pipe()?;
    let sender = Participant::spawn("sender", (theirs, writer), |(socket, writer), link| -> Result<(), Errno> {
        sendmsg(&socket, b"m", &[writer.as_fd()])?;
        link.reached("sent");
        link.park()
    })?;
    sender.until_reached("sent")?;
    sender.kill()?;
    expect_eq!(read_now(&reader), Err(EAGAIN), "the message holds the only reference");

    let receiver = Participant::spawn("receiver", ours, |socket, link| -> Result<(), Errno> {
        let received = recvmsg(&socket, 10, 1, MsgFlags::empty())?;
        write_all(&received.descriptors[0], b"still here")?;
        link.reached("written");
        link.park()
    })?;
    receiver.until_reached("written")?;
    expect_eq!(read_some(&reader, 100), Ok(b"still here".to_vec()));
    expect_eq!(read_now(&reader), Err(EAGAIN));
    receiver.kill()?;
    expect_eq!(read_now(&reader), Ok(0));
    Ok(())
}

/// Descriptors in a message that nobody received are closed when the last process that could receive it is killed: a reader blocked
/// on a pipe whose only write end is in flight wakes up with end-of-file.
#[rstest]
#[case::stream(Kind::Stream)]
#[case::datagram(Kind::Datagram)]
#[cfg_attr(has_seqpacket, case::seqpacket(Kind::Seqpacket))]
#[conformance::test(posix = "read", man = "unix(7)")]
fn in_flight_go_with_the_last_possible_receiver(#[case] kind: Kind) -> Outcome {
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

/// A socket that is sent over itself, and closed everywhere else, can never be received from again: what waits in it is closed.
#[rstest]
#[case::stream(Kind::Stream)]
#[case::datagram(Kind::Datagram)]
#[cfg_attr(has_seqpacket, case::seqpacket(Kind::Seqpacket))]
#[conformance::test(posix = "read")]
fn in_flight_go_with_a_socket_that_only_holds_itself(#[case] kind: Kind) -> Outcome {
    let (ours, theirs) = kind.pair()?;
    let (reader_end, writer) = pipe()?;
    sendmsg(&ours, b"m", &[theirs.as_fd(), writer.as_fd()])?;
    drop(writer);
    let reader = Participant::spawn("reader", reader_end, |end, _| read(&end, &mut [0; 1]))?;
    reader.until_blocked()?;
    // In this order the last close takes a reference away that is not in flight; the message holds the other socket.
    drop(theirs);
    drop(ours);
    // A system may look for such sockets whenever one is closed, and may have been looking already.
    comes_to(&Ok(Settled::Ended), || {
        drop(kind.pair());
        reader.until_settled()
    })?;
    expect_eq!(reader.join()?, Ok(0));
    Ok(())
}

/// Sends the write ends of four pipes in one message, keeps none of them, and gives the read ends.
fn send_writers(socket: &OwnedFd) -> Result<[OwnedFd; 4], Errno> {
    let [first, second, third, fourth] = [pipe()?, pipe()?, pipe()?, pipe()?];
    let writers = [&first.1, &second.1, &third.1, &fourth.1].map(AsFd::as_fd);
    sendmsg(socket, b"four", &writers)?;
    Ok([first.0, second.0, third.0, fourth.0])
}

/// What a reader that does not wait gets: `EAGAIN` while somebody could write, 0 once nobody can.
fn read_now(reader: &OwnedFd) -> Result<usize, Errno> {
    set_nonblocking(reader, true)?;
    read(reader, &mut [0; 1])
}

/// Data, number of descriptors, and which part was cut short.
fn outline(received: &Result<Message, Errno>) -> Result<(Vec<u8>, usize, Cut), Errno> {
    let received = received.as_ref().map_err(|&errno| errno)?;
    let cut = (received.flags.contains(MsgFlags::MSG_TRUNC), received.flags.contains(MsgFlags::MSG_CTRUNC));
    Ok((received.bytes.clone(), received.descriptors.len(), cut))
}

/// Whether data, and control part, of a message were cut short.
type Cut = (bool, bool);
const WHOLE: Cut = (false, false);
const CONTROL_CUT: Cut = (false, true);
