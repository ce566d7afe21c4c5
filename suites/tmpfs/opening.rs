//! `open` flags on files of a tmpfs: `O_CREAT`, `O_EXCL`, `O_TRUNC` and `O_APPEND`.
//!
//! The cases use the temporary directory of the case, which is a tmpfs wherever the sandbox can mount one.

use conformance::prelude::*;
use nix::unistd::Whence;

use common::memory_file::{content, named, size, under};

/// On an existing file, `open` with `O_CREAT | O_EXCL` fails with `EEXIST`, and with `O_CREAT` opens this file and leaves its
/// size and mode as they were. `open` with `O_CREAT | O_TRUNC` sets the size of the file to 0.
#[conformance::test(posix = "open")]
fn creat_excl_and_trunc_on_an_existing_file() -> Outcome {
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

/// `write` on a descriptor opened with `O_APPEND` appends at the current end of the file, also after `lseek` to 0 and after
/// `pwrite` or `ftruncate` on another descriptor has changed the size. After the `write`, the file offset is the new end.
#[conformance::test(posix = "write", posix = "open")]
fn append_writes_at_the_current_end() -> Outcome {
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

/// If three processes `write` 30 records of 333 bytes each with `O_APPEND` to one file at the same time, each `write` returns
/// 333, and the file contains exactly the 90 records. Each record is contiguous.
#[conformance::test(posix = "write")]
fn concurrent_appends_are_whole() -> Outcome {
    let scratch = Scratch::new()?;
    let path = scratch.join("log");
    let log = named(&path, b"")?;
    let writers = (0..3_u8)
        .map(|number| {
            let end = open(&path, OFlag::O_WRONLY | OFlag::O_APPEND)?;
            Participant::spawn(&format!("writer {number}"), end, move |end, link| {
                link.meet("start");
                (0..30).map(|_| write(&end, &[b'a' + number; 333])).collect::<Vec<_>>()
            })
        })
        .collect::<Result<Vec<_>, _>>()?;
    let_go(&writers, "start")?;
    for writer in writers {
        expect_eq!(writer.join()?, vec![Ok(333); 30]);
    }
    let bytes = content(&log)?;
    expect_eq!(bytes.len(), 3 * 30 * 333);
    let whole_records = |letter: u8| bytes.chunks(333).filter(|record| record.iter().all(|&byte| byte == letter)).count();
    expect_eq!([b'a', b'b', b'c'].map(whole_records), [30; 3]);
    Ok(())
}
