//! Cases whose process ends otherwise than by returning.

use conformance::prelude::*;

/// Writes to a page that must not be written to.
#[conformance::test(man = "signal(7)")]
fn writes_to_a_forbidden_page() -> Outcome {
    let size = std::num::NonZeroUsize::new(page_size()).expect("a page has bytes");
    let protection = nix::sys::mman::ProtFlags::PROT_NONE;
    // SAFETY: a new mapping at an address of the kernel's choice.
    let page = unsafe { nix::sys::mman::mmap_anonymous(None, size, protection, nix::sys::mman::MapFlags::MAP_PRIVATE)? };
    // SAFETY: none; the kernel is to refuse it.
    unsafe { page.as_ptr().cast::<u8>().write_volatile(1) };
    Ok(())
}

/// Calls itself until its stack is full.
#[conformance::test(man = "signal(7)")]
fn overflows_its_stack() -> Outcome {
    #[expect(unconditional_recursion, reason = "that is what the case does wrong")]
    fn deeper(depth: u64) -> u64 {
        std::hint::black_box(deeper(std::hint::black_box(depth + 1)) + 1)
    }
    expect_eq!(deeper(0), 0);
    Ok(())
}

/// Calls `abort`.
#[conformance::test(man = "signal(7)")]
fn aborts() -> Outcome {
    std::process::abort()
}

/// Is killed.
#[conformance::test(man = "signal(7)")]
fn is_killed() -> Outcome {
    nix::sys::signal::raise(Signal::SIGKILL)?;
    Ok(())
}

/// Kills its parent, which runs it.
#[conformance::test(man = "kill(2)")]
fn kills_its_worker() -> Outcome {
    nix::sys::signal::kill(nix::unistd::getppid(), Signal::SIGKILL)?;
    Ok(())
}

/// Stops its parent, which runs it.
#[conformance::test(man = "kill(2)", deadline = 0.2)]
fn stops_its_worker() -> Outcome {
    nix::sys::signal::kill(nix::unistd::getppid(), Signal::SIGSTOP)?;
    Ok(())
}

/// Writes to a pipe that has no reader, without thinking of `SIGPIPE`.
#[conformance::test(man = "pipe(7)")]
fn forgets_sigpipe() -> Outcome {
    let (reader, writer) = pipe()?;
    drop(reader);
    write(&writer, b"x")?;
    Ok(())
}

/// Exits with status 0, and says nothing.
#[conformance::test(man = "exit(3)")]
fn exits_with_0() -> Outcome {
    exit(0)
}

/// Exits with status 3.
#[conformance::test(man = "exit(3)")]
fn exits_with_3() -> Outcome {
    exit(3)
}

fn exit(status: i32) -> ! {
    // SAFETY: `_exit` has no preconditions.
    unsafe { libc::_exit(status) }
}
