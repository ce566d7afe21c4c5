//! Bytes of files in memory, read, appended and copied by calls: how far each call gets, and where positions are afterwards.

use conformance::prelude::*;
use conformance::sys::fd::splice::copy_range;
use nix::unistd::Whence;

use common::memory_file::{content, holding, named, offset, size, under};

/// In append mode each write goes to the end as it is then, whatever the position, for all who write; positions follow.
#[conformance::test(posix = "write", posix = "open")]
fn are_appended_to_at_the_end_of_the_moment() -> Outcome {
    let scratch = Scratch::new()?;
    let path = scratch.join("log");
    let plain = named(&path, b"start.")?;
    let appending = open(&path, OFlag::O_RDWR | OFlag::O_APPEND)?;
    expect_eq!((write(&appending, b"one."), lseek(&appending, 0, Whence::SeekCur)), (Ok(4), Ok(10)));
    lseek(&appending, 0, Whence::SeekSet)?;
    expect_eq!((pwrite(&plain, b"two.", 10), write(&appending, b"three.")), (Ok(4), Ok(6)));
    expect_eq!(under(&path), Ok(b"start.one.two.three.".to_vec()));
    ftruncate(&plain, 6)?;
    expect_eq!((write(&appending, b"end."), under(&path)), (Ok(4), Ok(b"start.end.".to_vec())));
    expect_eq!((lseek(&appending, 0, Whence::SeekCur), lseek(&plain, 0, Whence::SeekCur)), (Ok(10), Ok(0)));
    Ok(())
}

/// Records that several processes append at the same time are all there, each in one piece.
#[conformance::test(posix = "write")]
fn are_appended_to_by_many_without_loss() -> Outcome {
    let scratch = Scratch::new()?;
    let path = scratch.join("log");
    let log = named(&path, b"")?;
    let writers = (0..3_u8)
        .map(|number| {
            let end = open(&path, OFlag::O_WRONLY | OFlag::O_APPEND)?;
            Participant::spawn(&format!("writer {number}"), end, move |end, link| {
                link.meet("start");
                (0..30).map(|_| write(&end, &[b'a' + number; 333])).all(|written| written == Ok(333))
            })
        })
        .collect::<Result<Vec<_>, _>>()?;
    for writer in &writers {
        writer.until_reached("start")?;
    }
    for writer in &writers {
        writer.open("start")?;
    }
    for writer in writers {
        expect!(writer.join()?);
    }
    let bytes = content(&log)?;
    expect_eq!(bytes.len(), 3 * 30 * 333);
    expect!(bytes.chunks(333).all(|record| record.iter().all(|byte| byte == &record[0])));
    expect!([b'a', b'b', b'c'].iter().all(|letter| bytes.chunks(333).filter(|record| record[0] == *letter).count() == 30));
    Ok(())
}

/// Reads end at the end of the file, to the byte, and give 0 there and behind it; what they do not reach stays as it was.
#[conformance::test(posix = "read")]
fn are_read_up_to_their_last_byte() -> Outcome {
    let page = page_size();
    property(&(0..2 * page + 2, 0..2 * page + 2, 1..2 * page), |(length, at, count)| {
        let file = holding(&pattern(length))?;
        let mut bytes = vec![0xee; count];
        let got = count.min(length.saturating_sub(at));
        expect_eq!(pread(&file, &mut bytes, offset(at)), Ok(got));
        let mut expected = vec![0xee; count];
        expected[..got].copy_from_slice(&pattern(at + got)[at..]);
        expect!(bytes == expected);
        lseek(&file, offset(at), Whence::SeekSet)?;
        expect_eq!((read(&file, &mut bytes), lseek(&file, 0, Whence::SeekCur)), (Ok(got), Ok(offset(at + got))));
        Ok(())
    })
}

/// Bytes are copied between files, and within one, inside the kernel; at the end there is nothing, and a range is not copied onto itself.
#[conformance::test(man = "copy_file_range(2)")]
fn are_copied_by_ranges() -> Outcome {
    let page = page_size();
    let source = holding(&pattern(2 * page + 5))?;
    let target = holding(b"0123456789")?;
    let (mut from, mut to) = (offset(page) - 2, 8);
    expect_eq!(copy_range((&source, &mut from), (&target, &mut to), page), Ok(page));
    expect_eq!((from, to), (offset(2 * page) - 2, offset(page) + 8));
    let expected = [b"01234567", &pattern(2 * page)[page - 2..2 * page - 2]].concat();
    expect_eq!((content(&target), lseek(&source, 0, Whence::SeekCur)), (Ok(expected), Ok(0)));
    expect_eq!((copy_range((&source, &mut from), (&target, &mut to), page), from), (Ok(7), offset(2 * page) + 5));
    expect_eq!((copy_range((&source, &mut from), (&target, &mut to), page), to), (Ok(0), offset(page) + 15));
    let (mut from, mut to) = (0, 3);
    expect_eq!(copy_range((&source, &mut from), (&source, &mut to), 10), Err(EINVAL));
    expect_eq!((from, to, content(&source)), (0, 3, Ok(pattern(2 * page + 5))));
    let mut to = offset(page);
    expect_eq!(
        (copy_range((&source, &mut from), (&source, &mut to), 10), content(&source)?[page..page + 10].to_vec()),
        (Ok(10), pattern(10))
    );
    Ok(())
}

/// Opening with truncation empties what is there, exclusive creation refuses it, plain creation leaves it.
#[conformance::test(posix = "open")]
fn are_opened_as_the_flags_say() -> Outcome {
    let scratch = Scratch::new()?;
    let path = scratch.join("file");
    let first = named(&path, &pattern(5000))?;
    expect_eq!(create(&path, OFlag::O_RDWR | OFlag::O_EXCL, 0o600).map(drop), Err(EEXIST));
    let again = create(&path, OFlag::O_RDWR, 0o777)?;
    expect_eq!((size(&again), fstat(&again)?.st_mode & 0o777, fstat(&again)?.st_ino), (Ok(5000), 0o600, fstat(&first)?.st_ino));
    let emptied = create(&path, OFlag::O_RDWR | OFlag::O_TRUNC, 0o600)?;
    expect_eq!((size(&emptied), size(&first), read(&first, &mut [0; 1])), (Ok(0), Ok(0), Ok(0)));
    expect_eq!(
        (open(scratch.path(), OFlag::O_RDWR).map(drop), open(&path.join("below"), OFlag::O_RDONLY).map(drop)),
        (Err(EISDIR), Err(ENOTDIR))
    );
    Ok(())
}
