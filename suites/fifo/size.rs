//! Capacity (`F_GETPIPE_SZ`, `F_SETPIPE_SZ`): that of a pipe, kept with the object for as long as somebody has it open.

use conformance::prelude::*;
use rstest::rstest;

use super::fixture::{Named, Side};

/// A FIFO that is opened has the capacity of a new pipe, by either end, and holds exactly as much.
#[conformance::test(man = "pipe(7)", man = "F_GETPIPE_SZ(2const)")]
fn is_that_of_a_pipe() -> Outcome {
    let fifo = Named::new()?;
    let (reader, writer) = fifo.ends()?;
    let (pipe_reader, _pipe_writer) = pipe()?;
    let size = pipe_size(&pipe_reader)?;
    expect_eq!((pipe_size(&reader), pipe_size(&writer), fill(&writer)), (Ok(size), Ok(size), Ok(size)));
    expect_eq!(unread(&reader), Ok(size));
    Ok(())
}

/// A capacity that is set through one end is that of all, and of those who open the FIFO later, also by another name.
#[rstest]
#[conformance::test(man = "F_GETPIPE_SZ(2const)")]
fn is_one_for_all_who_have_it_open(#[values(Side::Reader, Side::Writer)] side: Side) -> Outcome {
    let fifo = Named::new()?;
    std::fs::hard_link(fifo.path(), fifo.beside("second"))?;
    let (reader, writer) = fifo.ends()?;
    let wanted = 4 * page_size();
    let setter = if side == Side::Reader { &reader } else { &writer };
    expect_eq!(set_pipe_size(setter, i32::try_from(wanted).unwrap_or(i32::MAX)), Ok(wanted));
    let late = open(&fifo.beside("second"), OFlag::O_WRONLY)?;
    expect_eq!([pipe_size(&reader), pipe_size(&writer), pipe_size(&late)], [Ok(wanted); 3]);
    expect_eq!(fill(&late), Ok(wanted));
    Ok(())
}

/// A capacity that was set lasts while any end is open, though it was set through one that is closed.
#[rstest]
#[conformance::test(man = "fifo(7)")]
fn outlasts_the_end_that_set_it(#[values(Side::Reader, Side::Writer)] stays: Side) -> Outcome {
    let fifo = Named::new()?;
    let (reader, writer) = fifo.ends()?;
    let wanted = 2 * page_size();
    set_pipe_size(fifo.both()?, i32::try_from(wanted).unwrap_or(i32::MAX))?;
    let (stays, goes) = if stays == Side::Reader { (reader, writer) } else { (writer, reader) };
    drop(goes);
    expect_eq!((pipe_size(&stays), fifo.both().and_then(pipe_size)), (Ok(wanted), Ok(wanted)));
    Ok(())
}

/// When all have closed the FIFO, its next opener finds the capacity of a new pipe again.
#[conformance::test(man = "fifo(7)")]
fn starts_anew_after_the_last_close() -> Outcome {
    let fifo = Named::new()?;
    let usual = fifo.both().and_then(pipe_size)?;
    let both = fifo.both()?;
    set_pipe_size(&both, i32::try_from(page_size()).unwrap_or(i32::MAX))?;
    drop(both);
    let both = fifo.both()?;
    expect_eq!((pipe_size(&both), fill(&both)), (Ok(usual), Ok(usual)));
    Ok(())
}

/// A FIFO that was full when all closed it is empty for the next, and takes its whole capacity again.
#[conformance::test(man = "fifo(7)", posix = "close")]
fn is_free_again_after_the_last_close() -> Outcome {
    let fifo = Named::new()?;
    for _ in 0..3 {
        let (reader, writer) = fifo.ends()?;
        let size = pipe_size(&writer)?;
        expect_eq!((unread(&reader), fill(&writer)), (Ok(0), Ok(size)));
    }
    Ok(())
}
