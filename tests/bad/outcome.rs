//! Every way in which a body can come out.

use conformance::prelude::*;

/// Cannot be set up.
#[conformance::test(man = "open(2)")]
fn is_unresolved() -> Outcome {
    open(Path::new("nowhere"), OFlag::O_RDONLY)?;
    Ok(())
}

/// Meets a feature that is missing.
#[conformance::test(man = "sem_init(3)")]
fn is_unsupported() -> Outcome {
    unsupported!("sem_init", ENOSYS)
}

/// Needs more descriptors than there can be.
#[conformance::test(man = "getrlimit(2)", needs(descriptors(10_000_000_000)))]
fn is_untested() -> Outcome {
    expect!(false);
    Ok(())
}

/// Needs a program that is not there.
#[conformance::test(man = "environ(7)", needs(program("no-such-program")))]
fn is_untested_too() -> Outcome {
    expect!(false);
    Ok(())
}

/// Expects two different values to be equal.
#[conformance::test(posix = "read", fixed_in = "Linux 9.9")]
fn differs() -> Outcome {
    let seen: Result<usize, Errno> = Err(EAGAIN);
    expect_eq!(seen, Ok(4096));
    Ok(())
}

/// Expects two long lists to be equal that differ in one element.
#[conformance::test(man = "read(2)")]
fn differs_in_one_of_many() -> Outcome {
    let expected: Vec<u16> = (0..1000).collect();
    let mut seen = expected.clone();
    seen[500] = 7;
    expect_eq!(seen, expected);
    Ok(())
}

/// Expects what does not hold, and says why it should.
#[conformance::test(man = "read(2)")]
fn does_not_hold() -> Outcome {
    let (one, two) = (1, 2);
    expect!(one > two, "{one} is the larger one");
    Ok(())
}

/// Expects a pattern that does not match.
#[conformance::test(man = "read(2)")]
fn does_not_match() -> Outcome {
    expect_matches!(Some(3), Some(0..=2));
    Ok(())
}

/// Panics.
#[conformance::test(man = "read(2)")]
fn panics() -> Outcome {
    panic!("at the disco")
}

/// Fails an ordinary assertion.
#[conformance::test(man = "read(2)")]
fn asserts() -> Outcome {
    assert_eq!(1 + 1, 3, "sums");
    Ok(())
}

/// Says what it is not asked for (a choice of the system), and passes.
#[conformance::test(man = "read(2)", level = observed)]
fn observes() -> Outcome {
    observe!("bad.number", 7);
    Ok(())
}

/// Fails what no document promises.
#[conformance::test(man = "read(2)", level = customary)]
fn customary() -> Outcome {
    expect_eq!(1, 2);
    Ok(())
}

/// Is to record a choice of the system, and records none.
#[conformance::test(man = "read(2)", level = observed)]
fn observes_nothing() -> Outcome {
    Ok(())
}
