//! A full file system in memory: how far writes, allocation and memory itself get, and what is left as it was.

use std::io::IoSlice;

use conformance::prelude::*;
use conformance::sys::fd::io::pwritev;
use conformance::sys::fd::size::{Allocate, fallocate, pages_of};
use conformance::sys::memory::mapping::{self, Faults};
use rstest::rstest;

use common::memory_file::{Small, content, holding, offset, size};

/// A write that does not fit moves what does, to the last byte of the last page; the next one fails and changes nothing, while what
/// is there can be written over.
#[conformance::test(posix = "write", man = "tmpfs(5)", needs(CAP_SYS_ADMIN))]
fn takes_a_write_up_to_the_last_page() -> Outcome {
    let page = page_size();
    let small = Small::of_pages(4)?;
    let file = small.file("file")?;
    let bytes = pattern(6 * page);
    expect_eq!((write(&file, &bytes[..100]), write(&file, &bytes[100..])), (Ok(100), Ok(4 * page - 100)));
    expect_eq!((small.free(), size(&file)), (Ok(0), Ok(4 * page)));
    expect_eq!((write(&file, b"x"), pwrite(&file, b"x", offset(9 * page))), (Err(ENOSPC), Err(ENOSPC)));
    expect_eq!((size(&file), pages_of(&file), content(&file)), (Ok(4 * page), Ok(4), Ok(bytes[..4 * page].to_vec())));
    expect_eq!((pwrite(&file, b"over", offset(4 * page) - 4), size(&file)), (Ok(4), Ok(4 * page)));
    Ok(())
}

/// The bytes of a page that a file has already are no question of space: only a new page is.
#[conformance::test(posix = "write", man = "tmpfs(5)", needs(CAP_SYS_ADMIN))]
fn counts_pages_and_not_bytes() -> Outcome {
    let page = page_size();
    let small = Small::of_pages(2)?;
    let (first, second) = (small.file("first")?, small.file("second")?);
    expect_eq!((write(&first, b"x"), write(&second, b"y"), small.free()), (Ok(1), Ok(1), Ok(0)));
    let rest = vec![7; page];
    expect_eq!((write(&first, &rest), write(&second, &rest[..9]), write(&first, b"z")), (Ok(page - 1), Ok(9), Err(ENOSPC)));
    expect_eq!((size(&first), size(&second), small.free()), (Ok(page), Ok(10), Ok(0)));
    Ok(())
}

/// How bytes get into a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    WriteVector,
    Splice,
    SendFile,
}

/// Every way of writing moves what fits and says how much that is, and fails when nothing does; bytes that did not fit stay where
/// they came from.
#[rstest]
#[conformance::test(man = "tmpfs(5)", needs(CAP_SYS_ADMIN))]
fn takes_as_much_in_every_way(#[values(Way::WriteVector, Way::Splice, Way::SendFile)] way: Way) -> Outcome {
    let page = page_size();
    let small = Small::of_pages(3)?;
    let _other = small.filled("other", 1)?;
    let file = small.file("file")?;
    let bytes = pattern(4 * page);
    let source = holding(&bytes)?;
    let (reader, writer) = pipe()?;
    write_all(&writer, &bytes)?;
    let moves = || match way {
        Way::WriteVector => {
            let done = size(&file).unwrap_or(0);
            pwritev(&file, &[IoSlice::new(&bytes[done..3 * page]), IoSlice::new(&bytes[3 * page..])], offset(done))
        }
        Way::Splice => splice(&reader, &file, 4 * page, SpliceFlags::empty()),
        Way::SendFile => sendfile(&file, &source, None, 4 * page),
    };
    let mut moved = 0;
    let end = loop {
        match moves() {
            Ok(count @ 1..) => moved += count,
            other => break other,
        }
    };
    expect_eq!((end, moved, small.free()), (Err(ENOSPC), 2 * page, Ok(0)));
    expect_eq!((size(&file), content(&file)), (Ok(2 * page), Ok(bytes[..2 * page].to_vec())));
    if way == Way::Splice {
        expect_eq!((unread(&reader), read_exactly(&reader, 2 * page)), (Ok(2 * page), Ok(bytes[2 * page..].to_vec())));
    }
    Ok(())
}

/// Space that cannot be allocated whole is not allocated at all: neither a page nor the size of the file is different, and what was
/// free can be had afterwards.
#[rstest]
#[case::more_than_is_free(5, Allocate::empty())]
#[case::more_than_there_is(100, Allocate::empty())]
#[case::more_than_is_free_keeping_the_size(5, Allocate::FALLOC_FL_KEEP_SIZE)]
#[conformance::test(man = "fallocate(2)", man = "tmpfs(5)", needs(CAP_SYS_ADMIN), fixed_in = "Linux 3.5 (1635f6a74152)")]
fn allocates_all_or_nothing(#[case] pages: usize, #[case] mode: Allocate) -> Outcome {
    let page = page_size();
    let small = Small::of_pages(6)?;
    let _other = small.filled("other", 2)?;
    let file = small.file("file")?;
    expect_eq!(fallocate(&file, mode, 0, offset(pages * page)), Err(ENOSPC));
    expect_eq!((size(&file), pages_of(&file), small.free()), (Ok(0), Ok(0), Ok(4)));
    expect_eq!((fallocate(&file, mode, 0, offset(4 * page)), small.free(), pages_of(&file)), (Ok(()), Ok(0), Ok(4)));
    Ok(())
}

/// An allocation that fails takes nothing from the file that it had before: neither its bytes nor space that was allocated to it.
#[conformance::test(man = "fallocate(2)", man = "tmpfs(5)", needs(CAP_SYS_ADMIN), fixed_in = "Linux 3.5 (1635f6a74152)")]
fn leaves_what_a_failed_allocation_found() -> Outcome {
    let page = page_size();
    let small = Small::of_pages(6)?;
    let file = small.file("file")?;
    // A page that is written, two that are allocated, a hole of one page; two are free.
    pwrite(&file, &pattern(page), 0)?;
    fallocate(&file, Allocate::empty(), offset(page), offset(2 * page))?;
    pwrite(&file, b"behind", offset(4 * page))?;
    expect_eq!(small.free(), Ok(2));
    let mut expected = [pattern(page), vec![0; 3 * page]].concat();
    expected.extend_from_slice(b"behind");
    for mode in [Allocate::empty(), Allocate::FALLOC_FL_KEEP_SIZE] {
        expect_eq!(fallocate(&file, mode, 0, offset(8 * page) - 1), Err(ENOSPC));
        expect_eq!((pages_of(&file), small.free(), content(&file)), (Ok(4), Ok(2), Ok(expected.clone())));
    }
    // The space that was allocated is there for what it was meant for.
    let _other = small.filled("other", 2)?;
    expect_eq!((pwrite(&file, &pattern(2 * page), offset(page)), small.free()), (Ok(2 * page), Ok(0)));
    Ok(())
}

/// A file of any size can be made of nothing; its holes read as zeros even when no page is free.
#[conformance::test(posix = "ftruncate", man = "tmpfs(5)", needs(CAP_SYS_ADMIN))]
fn has_room_for_holes() -> Outcome {
    let page = page_size();
    let small = Small::of_pages(2)?;
    let _other = small.filled("other", 2)?;
    let file = small.file("sparse")?;
    expect_eq!((ftruncate(&file, 1 << 40), size(&file)), (Ok(()), Ok(1 << 40)));
    let mut bytes = vec![7; 2 * page];
    expect_eq!((pread(&file, &mut bytes, 1 << 39), bytes), (Ok(2 * page), vec![0; 2 * page]));
    expect_eq!((pages_of(&file), pwrite(&file, b"x", 0), size(&file)), (Ok(0), Err(ENOSPC), Ok(1 << 40)));
    Ok(())
}

/// Touching a page of a mapping for which no memory is left is a bus error at that address; pages that are there can be used, and
/// the others too as soon as there is space.
#[rstest]
#[case::writing(true)]
#[case::reading(false)]
#[conformance::test(man = "tmpfs(5)", man = "mmap(2)", needs(CAP_SYS_ADMIN))]
fn answers_a_touched_page_with_a_bus_error(#[case] writing: bool) -> Outcome {
    let page = page_size();
    let small = Small::of_pages(3)?;
    let file = small.file("file")?;
    ftruncate(&file, offset(4 * page))?;
    let mapping = Mapping::new(&file, 4 * page, Access::ReadWrite)?;
    mapping.write(0, b"first");
    let other = small.filled("other", 2)?;
    let toucher = Participant::spawn("toucher", (), |(), _| {
        mapping.outlive(Signal::SIGBUS)?;
        mapping.write(page - 1, b"x");
        let before = mapping::faults().count;
        if writing {
            mapping.write(2 * page + 5, b"x");
        } else {
            mapping.read(2 * page + 5, 1);
        }
        Ok::<_, Errno>((before, mapping::faults()))
    })?;
    let fault = Faults { count: 1, code: mapping::BUS_ADRERR, offset: 2 * page + 5 };
    expect_eq!(toucher.join()?, Ok((0, fault)));
    expect_eq!((pages_of(&file), small.free()), (Ok(1), Ok(0)));
    ftruncate(&other, offset(page))?;
    mapping.write(2 * page + 5, b"now");
    expect_eq!((mapping.read(2 * page + 5, 3), pages_of(&file), small.free()), (b"now".to_vec(), Ok(2), Ok(0)));
    Ok(())
}

/// Without a handler the signal ends the process that touched the page, and nobody else.
#[conformance::test(man = "tmpfs(5)", man = "mmap(2)", needs(CAP_SYS_ADMIN))]
fn ends_a_process_that_touches_a_page_without_memory() -> Outcome {
    let page = page_size();
    let small = Small::of_pages(1)?;
    let file = small.file("file")?;
    ftruncate(&file, offset(2 * page))?;
    let mapping = Mapping::new(&file, 2 * page, Access::ReadWrite)?;
    mapping.write(0, b"all");
    let toucher = Participant::spawn("toucher", (), |(), _| mapping.write(page, b"x"))?;
    expect_eq!(toucher.end()?, End::Killed(Signal::SIGBUS));
    expect_eq!((mapping.read(0, 3), small.free(), size(&file)), (b"all".to_vec(), Ok(0), Ok(2 * page)));
    Ok(())
}

/// Space that was allocated in time can be written when no other is left, and no more than that.
#[conformance::test(man = "fallocate(2)", man = "tmpfs(5)", needs(CAP_SYS_ADMIN))]
fn takes_writes_to_space_that_was_allocated() -> Outcome {
    let page = page_size();
    let small = Small::of_pages(4)?;
    let file = small.file("file")?;
    fallocate(&file, Allocate::FALLOC_FL_KEEP_SIZE, 0, offset(3 * page))?;
    let _other = small.filled("other", 1)?;
    expect_eq!((small.free(), pwrite(&file, &pattern(page), offset(2 * page))), (Ok(0), Ok(page)));
    expect_eq!((pwrite(&file, b"x", offset(3 * page)), size(&file)), (Err(ENOSPC), Ok(3 * page)));
    expect_eq!(fallocate(&file, Allocate::FALLOC_FL_KEEP_SIZE, 0, offset(4 * page)), Err(ENOSPC));
    let mapping = Mapping::new(&file, 3 * page, Access::ReadWrite)?;
    mapping.write(0, b"touched");
    let expected = [b"touched".to_vec(), vec![0; 2 * page - 7], pattern(page)].concat();
    expect_eq!((content(&file), pages_of(&file), small.free()), (Ok(expected), Ok(3), Ok(0)));
    Ok(())
}
