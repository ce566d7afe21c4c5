//! Properties and sweeps that fail at a known place.

use conformance::prelude::*;

/// A property that fails for every number from 1000 on.
#[conformance::test(man = "read(2)")]
fn property_of_small_numbers() -> Outcome {
    property(&(0_u32..100_000), |number| {
        expect!(number < 1000);
        Ok(())
    })
}

/// A property that cannot be set up for some inputs.
#[conformance::test(man = "read(2)")]
fn property_without_set_up() -> Outcome {
    property(&(0_u32..100_000), |number| {
        if number > 10 {
            open(Path::new("nowhere"), OFlag::O_RDONLY)?;
        }
        Ok(())
    })
}

/// A property whose check panics.
#[conformance::test(man = "read(2)")]
fn property_that_panics() -> Outcome {
    property(&(0_u32..100_000), |number| {
        assert!(number < 1000, "too large");
        Ok(())
    })
}

/// A property that holds its seed against itself, and so fails on some input.
#[conformance::test(man = "read(2)")]
fn property_of_the_seed() -> Outcome {
    property(&proptest::collection::vec(0_u8.., 4..64), |bytes| {
        expect!(bytes.iter().map(|&byte| u32::from(byte)).sum::<u32>() < 500);
        Ok(())
    })
}

/// A sweep of a writer that is taken to write twice or not at all: it can be killed in between.
#[conformance::test(man = "write(2)", needs(ptrace))]
fn sweep_between_two_writes() -> Outcome {
    sweep(|injection| {
        let (reader, writer) = pipe()?;
        injection.victim("writer", writer, |writer, _| {
            write(&writer, b"a")?;
            write(&writer, b"b")
        })?;
        let bytes = read_to_end(&reader)?;
        expect!(bytes.is_empty() || bytes == b"ab", "{bytes:?} was read");
        Ok(())
    })
}

/// A sweep whose victim crashes by itself.
#[conformance::test(man = "write(2)", needs(ptrace))]
fn sweep_of_a_crash() -> Outcome {
    sweep(|injection| {
        injection.victim("crasher", (), |(), _| -> () { std::process::abort() })?;
        Ok(())
    })
}

/// A sweep without a victim.
#[conformance::test(man = "write(2)")]
fn sweep_without_a_victim() -> Outcome {
    sweep(|_| Ok(()))
}

/// An instruction sweep of the owner of a mutex that is not robust, but is taken for one: killed as its owner it leaves it locked.
#[conformance::test(man = "pthread_mutex_lock(3)", needs(ptrace))]
fn instruction_sweep_of_a_stalled_mutex() -> Outcome {
    instruction_sweep(|injection| {
        let mutex = conformance::sys::pthread::SharedMutex::create(Mapping::anonymous(page_size())?)?;
        injection.victim("owner", (), |(), _| {
            mark();
            let done = [mutex.lock(), mutex.unlock()];
            mark();
            done
        })?;
        expect_eq!(mutex.try_lock(), Ok(()));
        Ok(())
    })
}

/// An instruction sweep whose victim does not say what is to be swept.
#[conformance::test(man = "write(2)", needs(ptrace))]
fn instruction_sweep_without_marks() -> Outcome {
    instruction_sweep(|injection| {
        injection.victim("unmarked", (), |(), _| 1)?;
        Ok(())
    })
}
