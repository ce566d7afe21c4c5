//! A full tmpfs: the results of `write`, `fallocate`, mapped access and `sem_open` when no free page is left, and what stays as
//! it was. Full shared memory objects are in `posix_shm::full`.

use std::io::IoSlice;

use conformance::prelude::*;
use conformance::sys::fd::io::pwritev;
use conformance::sys::fd::size::{Allocate, fallocate, pages_of};
use conformance::sys::memory::mapping;
use conformance::sys::memory::mapping::Faults;
use conformance::sys::memory::shm::SharedMemory;
use conformance::sys::path::names::names_in;
use conformance::sys::semaphore::Semaphore;
use rstest::rstest;

use common::memory_file::{Small, content, holding, size};

/// `write` of more bytes than fit into the free pages of a tmpfs writes the bytes up to the end of the last free page and returns
/// their number. The next `write` fails with `ENOSPC` and leaves size and `st_blocks` of the file as they were.
#[conformance::test(posix = "write", man = "tmpfs(5)", needs(CAP_SYS_ADMIN))]
fn write_stops_at_the_last_free_page() -> Outcome {
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

/// On a tmpfs without free pages, `write` into a page that is already allocated to the file returns the full count. `write` that
/// needs a new page fails with `ENOSPC`.
#[conformance::test(posix = "write", man = "tmpfs(5)", level = documented, needs(CAP_SYS_ADMIN))]
fn write_into_an_allocated_page_succeeds() -> Outcome {
    let page = page_size();
    let small = Small::of_pages(2)?;
    let (first, second) = (small.file("first")?, small.file("second")?);
    expect_eq!((write(&first, b"x"), write(&second, b"y"), small.free()), (Ok(1), Ok(1), Ok(0)));
    let rest = vec![7; page];
    expect_eq!((write(&first, &rest), write(&second, &rest[..9]), write(&first, b"z")), (Ok(page - 1), Ok(9), Err(ENOSPC)));
    expect_eq!((size(&first), size(&second), small.free()), (Ok(page), Ok(10), Ok(0)));
    Ok(())
}

/// A call that writes to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation {
    Pwritev,
    Splice,
    Sendfile,
}

/// If repeated `pwritev`, `splice` from a pipe or `sendfile` calls add more bytes to a file of a tmpfs than fit into its free
/// pages, the returned counts add up to the bytes of the free pages, and the next call fails with `ENOSPC`. With `splice`, the
/// other bytes stay in the pipe.
#[rstest]
#[conformance::test(man = "tmpfs(5)", needs(CAP_SYS_ADMIN))]
fn every_write_call_stops_at_the_last_page(
    #[values(Operation::Pwritev, Operation::Splice, Operation::Sendfile)] operation: Operation,
) -> Outcome {
    let page = page_size();
    let small = Small::of_pages(3)?;
    let _other = small.filled("other", 1)?;
    let file = small.file("file")?;
    let bytes = pattern(4 * page);
    let source = holding(&bytes)?;
    let (reader, writer) = pipe()?;
    write_all(&writer, &bytes)?;
    let moves = || match operation {
        Operation::Pwritev => {
            let done = size(&file).unwrap_or(0);
            pwritev(&file, &[IoSlice::new(&bytes[done..3 * page]), IoSlice::new(&bytes[3 * page..])], offset(done))
        }
        Operation::Splice => splice(&reader, &file, 4 * page, SpliceFlags::empty()),
        Operation::Sendfile => sendfile(&file, &source, None, 4 * page),
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
    if operation == Operation::Splice {
        expect_eq!((unread(&reader), read_exactly(&reader, 2 * page)), (Ok(2 * page), Ok(bytes[2 * page..].to_vec())));
    }
    Ok(())
}

/// `fallocate` of more pages than a tmpfs has free fails with `ENOSPC` and leaves size, `st_blocks` and the number of free pages
/// as they were. `fallocate` of exactly the free pages then returns 0.
#[rstest]
#[case::more_than_free(5, Allocate::empty())]
#[case::more_than_the_size(100, Allocate::empty())]
#[case::more_than_free_keep_size(5, Allocate::FALLOC_FL_KEEP_SIZE)]
#[conformance::test(man = "fallocate(2)", man = "tmpfs(5)", needs(CAP_SYS_ADMIN), fixed_in = "Linux 3.5 (1635f6a74152)")]
fn fallocate_is_all_or_nothing(#[case] pages: usize, #[case] mode: Allocate) -> Outcome {
    let page = page_size();
    let small = Small::of_pages(6)?;
    let _other = small.filled("other", 2)?;
    let file = small.file("file")?;
    expect_eq!(fallocate(&file, mode, 0, offset(pages * page)), Err(ENOSPC));
    expect_eq!((size(&file), pages_of(&file), small.free()), (Ok(0), Ok(0), Ok(4)));
    expect_eq!((fallocate(&file, mode, 0, offset(4 * page)), small.free(), pages_of(&file)), (Ok(()), Ok(0), Ok(4)));
    Ok(())
}

/// `fallocate` that fails with `ENOSPC` on a tmpfs leaves the written bytes and the allocated pages of the file as they were.
/// After no page is free any more, `pwrite` into the pages that were allocated before returns the full count.
#[conformance::test(man = "fallocate(2)", man = "tmpfs(5)", needs(CAP_SYS_ADMIN), fixed_in = "Linux 3.5 (1635f6a74152)")]
fn failed_fallocate_keeps_earlier_pages() -> Outcome {
    let page = page_size();
    let small = Small::of_pages(6)?;
    let file = small.file("file")?;
    // One written page, two allocated pages, a hole of one page, one written page; two pages are free.
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
    // The allocated pages can be written.
    let _other = small.filled("other", 2)?;
    expect_eq!((pwrite(&file, &pattern(2 * page), offset(page)), small.free()), (Ok(2 * page), Ok(0)));
    Ok(())
}

/// On a tmpfs without free pages, `ftruncate` of an empty file to 1 TiB returns 0, and `pread` from the hole returns zeros.
/// `pwrite` into the hole fails with `ENOSPC`.
#[conformance::test(posix = "ftruncate", man = "tmpfs(5)", level = documented, needs(CAP_SYS_ADMIN))]
fn ftruncate_needs_no_free_page() -> Outcome {
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

/// On a tmpfs without free pages, a store into, or a load from, an unallocated page of a `MAP_SHARED` mapping raises one `SIGBUS`
/// with `BUS_ADRERR` and the address of the access. After a page is freed by `ftruncate` of another file, a store at this address
/// raises no signal and allocates the page.
#[rstest]
#[case::store(true)]
#[case::load(false)]
#[conformance::test(man = "tmpfs(5)", man = "mmap(2)", needs(CAP_SYS_ADMIN))]
fn access_without_free_page_raises_sigbus(#[case] writing: bool) -> Outcome {
    let page = page_size();
    let small = Small::of_pages(3)?;
    let file = small.file("file")?;
    ftruncate(&file, offset(4 * page))?;
    let mapping = Mapping::new(&file, 4 * page, Access::ReadWrite)?;
    mapping.write(0, b"first");
    let other = small.filled("other", 2)?;
    let writer = Participant::spawn("owner of the mapping", (), |(), _| {
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
    expect_eq!(writer.join()?, Ok((0, fault)));
    expect_eq!((pages_of(&file), small.free()), (Ok(1), Ok(0)));
    ftruncate(&other, offset(page))?;
    mapping.write(2 * page + 5, b"now");
    expect_eq!((mapping.read(2 * page + 5, 3), pages_of(&file), small.free()), (b"now".to_vec(), Ok(2), Ok(0)));
    Ok(())
}

/// On a tmpfs without free pages, a store into an unallocated page of a `MAP_SHARED` mapping kills a process without `SIGBUS`
/// handler with `SIGBUS`. Its parent, which has the same mapping, still reads the bytes of the allocated page.
#[conformance::test(man = "tmpfs(5)", man = "mmap(2)", needs(CAP_SYS_ADMIN))]
fn sigbus_without_handler_kills() -> Outcome {
    let page = page_size();
    let small = Small::of_pages(1)?;
    let file = small.file("file")?;
    ftruncate(&file, offset(2 * page))?;
    let mapping = Mapping::new(&file, 2 * page, Access::ReadWrite)?;
    mapping.write(0, b"all");
    let writer = Participant::spawn("owner of the mapping", (), |(), _| mapping.write(page, b"x"))?;
    expect_eq!(writer.end()?, End::Killed(Signal::SIGBUS));
    expect_eq!((mapping.read(0, 3), small.free(), size(&file)), (b"all".to_vec(), Ok(0), Ok(2 * page)));
    Ok(())
}

/// On a tmpfs without free pages, `pwrite` into pages that `fallocate` has allocated to the file before returns the full count,
/// and a store into these pages through a mapping raises no signal. `pwrite` beyond these pages fails with `ENOSPC`.
#[conformance::test(man = "fallocate(2)", man = "tmpfs(5)", needs(CAP_SYS_ADMIN))]
fn write_into_fallocated_pages_succeeds() -> Outcome {
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

/// `sem_open` with `O_CREAT | O_EXCL` fails with `ENOSPC` if `/dev/shm` has no free page or no free inode. Afterwards `/dev/shm`
/// contains the same names and has the same numbers of free pages and free inodes as before.
#[conformance::test(posix = "sem_open", man = "sem_open(3)", needs(CAP_SYS_ADMIN, file("/dev/shm")))]
fn failed_sem_open_leaves_nothing() -> Outcome {
    let small = Small::for_shared_memory(&format!("size={},nr_inodes=10", page_size()))?;
    let name = unique_name("sem");
    let filler = SharedMemory::create(&unique_name("filler"))?;
    posix_fallocate(&filler, 0, 1)?;
    let (empty, inodes) = (names_in(Path::new("/dev/shm"))?, small.free_inodes()?);
    expect_eq!((Semaphore::create(&name, 3).map(drop), names_in(Path::new("/dev/shm"))), (Err(ENOSPC), Ok(empty.clone())));
    expect_eq!((small.free_inodes(), Semaphore::open(&name).map(drop)), (Ok(inodes), Err(ENOENT)));
    ftruncate(&filler, 0)?;
    // Two inodes are in use: that of the directory and that of the filler.
    small.mount().remount("nr_inodes=2")?;
    expect_eq!((Semaphore::create(&name, 3).map(drop), small.free()), (Err(ENOSPC), Ok(1)));
    small.mount().remount("nr_inodes=3")?;
    let with_one = Semaphore::create(&name, 3).map(drop);
    observe!("tmpfs.sem_open-with-one-free-inode", format!("{with_one:?}"));
    expect_matches!(with_one, Ok(()) | Err(ENOSPC));
    expect_eq!((names_in(Path::new("/dev/shm")), small.free(), small.free_inodes()), (Ok(empty), Ok(1), Ok(1)));
    small.mount().remount("nr_inodes=4")?;
    let semaphore = Semaphore::create(&name, 3);
    expect_matches!(semaphore, Ok(_));
    expect_eq!((semaphore?.value(), small.free_inodes()), (Ok(3), Ok(1)));
    Ok(())
}
