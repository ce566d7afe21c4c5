//! A row for each bad case: what must come out, in every format, with and without isolation; and that the next case in the same
//! worker is unharmed.

use conformance::outcome::{CaseResult, Cause};
use conformance::record::Verdict;
use rstest::rstest;

#[cfg(target_os = "linux")]
use crate::suite::not_run;
use crate::suite::{Suite, unwrapped};

const NEXT: &str = "bad::zz::is_unharmed";

/// Runs a case, and the one after it, in one worker.
fn check(case: &str, isolation: &str, verdict: Verdict, cause: Option<Cause>, text: &str) {
    let ran = Suite::run(["--isolation", isolation, "--jobs", "1", "--exact", case, NEXT]).wait();
    let decided = ran.case(case);
    let found = (decided.verdict, decided.finding.as_ref().map(|finding| finding.cause.clone()));
    assert_eq!(found, (verdict, cause), "{}", ran.out);
    let next = ran.case(NEXT);
    assert_eq!(next.result, CaseResult::Pass, "the case after it was harmed:\n{}", ran.out);
    let (word, tag) = match verdict {
        Verdict::Ok | Verdict::Xfail => ("ok", None),
        Verdict::Untested => ("ignored", Some("<skipped")),
        Verdict::Unresolved => ("FAILED (unresolved)", Some("type=\"unresolved\"")),
        Verdict::UnexpectedUnsupported => ("FAILED (unsupported)", Some("type=\"unexpected unsupported\"")),
        Verdict::UnexpectedFail | Verdict::Xpass => ("FAILED", Some("type=\"unexpected fail\"")),
    };
    assert!(ran.lines()[0].starts_with(&format!("test {case} ... {word}")), "{}", ran.out);
    assert_eq!(ran.lines()[1], format!("test {NEXT} ... ok"));
    let json = serde_json::to_string(decided).unwrap();
    assert!(json.contains(text), "{text:?} is not in the record: {json}");
    assert!(unwrapped(&ran.out).contains(text), "{text:?} is not in the text for people:\n{}", ran.out);
    let junit = unwrapped(&ran.junit).replace("&apos;", "'").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
    assert!(verdict == Verdict::Ok || junit.contains(text), "{text:?} is not in the XML:\n{}", ran.junit);
    assert!(tag.is_none_or(|tag| junit.contains(tag)), "{tag:?} is not in the XML:\n{}", ran.junit);
    assert_eq!(ran.junit.matches("<testcase ").count(), 2);
    assert_eq!(ran.code(), Some(i32::from(!verdict.is_good())));
    ran.assert_clean();
}

/// musl's semaphores have no names of their own kind.
const SEMAPHORE_LEFT: &str =
    if cfg!(target_env = "musl") { "left behind: shared memory object /left." } else { "left behind: named semaphore /left." };

/// Cases that fail.
#[rstest]
#[case::segmentation_fault("bad::crash::writes_to_a_forbidden_page", Cause::Signal, "was ended by SIGSEGV")]
#[case::stack_overflow("bad::crash::overflows_its_stack", Cause::Signal, "was ended by SIGSEGV")]
#[case::abort("bad::crash::aborts", Cause::Signal, "was ended by SIGABRT")]
#[case::kill("bad::crash::is_killed", Cause::Signal, "was ended by SIGKILL")]
#[case::sigpipe("bad::crash::forgets_sigpipe", Cause::Signal, "was ended by SIGPIPE")]
#[case::exit_0("bad::crash::exits_with_0", Cause::Exit, "exited with status 0 without a result")]
#[case::exit_3("bad::crash::exits_with_3", Cause::Exit, "exited with status 3 without a result")]
#[case::hang("bad::hang::reads_an_empty_pipe", Cause::Deadline, "still running at its deadline of 200.0ms")]
#[case::hang_below("bad::hang::in_a_participant", Cause::Deadline, "the last that happened: stuck is waited for")]
#[case::spin("bad::hang::spins", Cause::Deadline, "still running at its deadline")]
#[case::stopped("bad::hang::stops_itself", Cause::Deadline, "still running at its deadline")]
#[case::endless_output("bad::hang::writes_without_end", Cause::Deadline, "still running at its deadline")]
#[case::endless_notes("bad::hang::notes_without_end", Cause::Deadline, "the last that happened: case again")]
#[case::hang_closed("bad::hang::behind_closed_descriptors", Cause::Deadline, "still running at its deadline")]
#[case::hang_elsewhere("bad::hang::outside_its_process_group", Cause::Deadline, "still running at its deadline")]
#[case::child("bad::left::a_child", Cause::Leak, "left behind: process ")]
#[case::stopped_child("bad::left::a_stopped_child", Cause::Leak, "left behind: process ")]
#[case::session("bad::left::a_child_of_another_session", Cause::Leak, "left behind: process ")]
#[case::daemon("bad::left::a_daemon", Cause::Leak, "left behind: process ")]
#[case::fifo("bad::left::a_fifo", Cause::Leak, "left behind: FIFO forgotten in the case's directory")]
#[case::shared_memory("bad::left::shared_memory", Cause::Leak, "left behind: shared memory object /left.")]
#[case::semaphore("bad::left::a_named_semaphore", Cause::Leak, SEMAPHORE_LEFT)]
#[case::segment("bad::left::a_system_v_segment", Cause::Leak, "left behind: System V shared memory segment ")]
#[cfg_attr(
    target_os = "linux",
    case::set("bad::left::a_system_v_semaphore_set", Cause::Leak, "left behind: System V semaphore set "),
    case::queue("bad::left::a_system_v_queue", Cause::Leak, "left behind: System V message queue ")
)]
#[case::failure_and_leaks("bad::left::several_things_after_a_failure", Cause::Expectation, "shared memory object /left.")]
#[case::senseless_frame("bad::talk::a_senseless_frame", Cause::Exit, "wrote into its control channel and exited with status 0")]
#[case::half_a_frame("bad::talk::half_a_frame", Cause::Exit, "wrote into its control channel and exited with status 0")]
#[case::half_and_whole("bad::talk::half_a_frame_before_its_result", Cause::Exit, "wrote into its control channel")]
#[case::closed_channel("bad::talk::closes_the_channel", Cause::Exit, "or closed its control channel")]
#[case::much_output("bad::talk::ten_megabytes", Cause::Expectation, "the last line")]
#[case::no_text("bad::talk::no_text", Cause::Expectation, "after")]
#[case::differs("bad::outcome::differs", Cause::Expectation, "Linux 9.9")]
#[case::seen("bad::outcome::differs", Cause::Expectation, "Err(EAGAIN)")]
#[case::long_values("bad::outcome::differs_in_one_of_many", Cause::Expectation, "item 501 of 1000 seen and 1000 expected")]
#[case::because("bad::outcome::does_not_hold", Cause::Expectation, "1 is the larger one")]
#[case::pattern("bad::outcome::does_not_match", Cause::Expectation, "Some(0..=2)")]
#[case::no_observation("bad::outcome::observes_nothing", Cause::Observation, "recorded no observation: record one")]
#[case::panic("bad::outcome::panics", Cause::Panic, "the case panicked: at the disco")]
#[case::panic_place("bad::outcome::panics", Cause::Panic, "tests/bad/outcome.rs")]
#[case::assertion("bad::outcome::asserts", Cause::Panic, "failed: sums")]
#[case::participant_panics("bad::participant::panics", Cause::Panic, "participant nervous panicked: in a participant")]
#[case::participant_killed("bad::participant::is_killed", Cause::ParticipantDied, "participant victim was ended by SIGKILL")]
#[case::participant_exits("bad::participant::exits", Cause::ParticipantDied, "participant leaver exited with status 4")]
#[case::crash_before_gate(
    "bad::participant::crashes_before_a_gate",
    Cause::ParticipantDied,
    "participant crasher was ended by SIGABRT before it reached safety"
)]
#[case::other_gate(
    "bad::participant::reaches_another_gate",
    Cause::ParticipantDied,
    "participant early reached second before first"
)]
#[case::value_before_gate(
    "bad::participant::returns_before_a_gate",
    Cause::ParticipantDied,
    "participant quick returned 42 before it reached end"
)]
#[case::wrong_gate(
    "bad::participant::is_let_through_another_gate",
    Cause::Panic,
    "participant waiting panicked: it waits at left, and the case has opened right"
)]
#[case::exec_panics("bad::participant::panics_after_exec", Cause::Panic, "participant afresh panicked: number 7")]
#[case::large_value("bad::participant::returns_a_lot", Cause::Expectation, "100000")]
#[case::smallest_input("bad::fault::property_of_small_numbers", Cause::Expectation, "number < 1000")]
#[case::property_panics("bad::fault::property_that_panics", Cause::Panic, "the case panicked: too large")]
fn fails(#[case] case: &str, #[case] cause: Cause, #[case] text: &str, #[values("auto", "none")] isolation: &str) {
    check(case, isolation, Verdict::UnexpectedFail, Some(cause), text);
}

/// Cases that fail where processes can be looked into.
#[cfg(target_os = "linux")]
#[rstest]
#[case::returns("bad::participant::does_not_block", Cause::Expectation, "brisk was expected to block, but returned Ok(4)")]
#[case::woken("bad::participant::does_not_stay_blocked", Cause::Expectation, "to be blocked still, but returned Ok(7)")]
#[case::at_a_gate("bad::participant::blocks_at_a_gate_only", Cause::Deadline, "waiting is watched until it is blocked")]
#[case::sweep("bad::fault::sweep_between_two_writes", Cause::Expectation, "killed after write #1 returned 1")]
#[cfg_attr(
    has_single_steps,
    case::instruction_sweep("bad::fault::instruction_sweep_of_a_stalled_mutex", Cause::Expectation, "killed at instruction ")
)]
#[case::sweep_of_a_crash("bad::fault::sweep_of_a_crash", Cause::ParticipantDied, "participant crasher was ended by SIGABRT")]
fn fails_as_the_kernel_shows(
    #[case] case: &str,
    #[case] cause: Cause,
    #[case] text: &str,
    #[values("auto", "none")] isolation: &str,
) {
    check(case, isolation, Verdict::UnexpectedFail, Some(cause), text);
}

/// Cases that come out as something else.
#[rstest]
#[case::unresolved("bad::outcome::is_unresolved", Verdict::Unresolved, Cause::Setup, "failed with ENOENT")]
#[case::unresolved_property("bad::fault::property_without_set_up", Verdict::Unresolved, Cause::Setup, "failed with ENOENT")]
#[case::sweep_of_nothing("bad::fault::sweep_without_a_victim", Verdict::Unresolved, Cause::Setup, "of a sweep made no victim")]
#[cfg_attr(
    has_single_steps,
    case::instruction_sweep_without_marks(
        "bad::fault::instruction_sweep_without_marks",
        Verdict::Unresolved,
        Cause::Setup,
        "the victim of an instruction sweep made no mark"
    )
)]
#[case::unsupported(
    "bad::outcome::is_unsupported",
    Verdict::UnexpectedUnsupported,
    Cause::Missing,
    "sem_init is missing here: ENOSYS"
)]
#[case::untested("bad::outcome::is_untested", Verdict::Untested, Cause::Need, "10000000000 descriptors")]
#[case::no_program("bad::outcome::is_untested_too", Verdict::Untested, Cause::Need, "program no-such-program")]
fn comes_out_otherwise(
    #[case] case: &str,
    #[case] verdict: Verdict,
    #[case] cause: Cause,
    #[case] text: &str,
    #[values("auto", "none")] isolation: &str,
) {
    check(case, isolation, verdict, Some(cause), text);
}

/// What changes a process's own state passes, and harms nobody; nor does a process that has ended and was not waited for.
#[rstest]
fn passes(
    #[values(
        "bad::dirt::of_the_umask",
        "bad::dirt::of_the_directory",
        "bad::dirt::of_the_signal_mask",
        "bad::dirt::of_the_dispositions",
        "bad::dirt::of_the_limits",
        "bad::dirt::of_the_environment",
        "bad::dirt::of_the_timers",
        "bad::dirt::of_the_process_group",
        "bad::dirt::of_the_descriptors",
        "bad::left::a_zombie",
        "bad::outcome::observes"
    )]
    case: &str,
    #[values("auto", "none")] isolation: &str,
) {
    check(case, isolation, Verdict::Ok, None, case);
}

/// A message queue is a leak where there are message queues.
#[cfg(target_os = "linux")]
#[rstest]
fn a_message_queue_is_a_leak(#[values("auto", "none")] isolation: &str) {
    let case = "bad::left::a_message_queue";
    let ran = Suite::run(["--isolation", isolation, "--exact", case]).wait();
    match ran.case(case).verdict {
        Verdict::UnexpectedUnsupported => not_run("there are no message queues here"),
        _ => check(case, isolation, Verdict::UnexpectedFail, Some(Cause::Leak), "left behind: message queue /left."),
    }
}

/// Without isolation a case can kill its worker: it costs that case. With it the worker cannot be killed from inside.
#[rstest]
fn a_worker_that_is_killed_costs_one_case(#[values("auto", "none")] isolation: &str) {
    let case = "bad::crash::kills_its_worker";
    let ran = Suite::run(["--isolation", isolation, "--jobs", "1", "--exact", case, NEXT, "bad::dirt::of_the_umask"]).wait();
    let decided = ran.case(case);
    if decided.verdict != Verdict::Ok {
        let finding = decided.finding.as_ref().unwrap();
        assert_eq!(finding.cause, Cause::Harness);
        assert_eq!(finding.message, "the case took its worker down: the worker was ended by SIGKILL");
        assert!(finding.location.as_ref().is_some_and(|(file, _)| file == "tests/bad/crash.rs"));
    }
    assert!(isolation == "auto" || decided.verdict == Verdict::UnexpectedFail);
    assert_eq!(ran.decided().len(), 3);
    assert_eq!(ran.case(NEXT).verdict, Verdict::Ok);
    ran.assert_clean();
}

/// Without isolation a case can stop its worker: it costs that case, and some time.
#[test]
fn a_worker_that_is_stopped_costs_one_case() {
    let case = "bad::crash::stops_its_worker";
    let ran = Suite::run(["--isolation", "none", "--jobs", "1", "--exact", case, NEXT]).wait();
    let finding = ran.case(case).finding.as_ref().unwrap();
    assert_eq!(finding.cause, Cause::Harness);
    assert_eq!(finding.message, "the case's worker did not come back: the worker was ended by SIGKILL");
    assert_eq!(ran.case(NEXT).verdict, Verdict::Ok);
    ran.assert_clean();
}

/// What participants promise, as cases that must pass.
#[rstest]
fn good_cases_pass(#[values("auto", "none")] isolation: &str) {
    let ran = Suite::run(["--isolation", isolation, "bad::good::"]).wait();
    assert_eq!(ran.code(), Some(0), "{}", ran.out);
    assert!(ran.decided().len() > 8);
    ran.assert_clean();
}

/// Instructions that a sweep meant to kill at, and whose victims did not come to them, are counted.
#[cfg(has_single_steps)]
#[test]
fn instructions_that_are_not_reached_are_told() {
    let case = "bad::good::a_sweep_of_victims_that_do_less";
    let ran = Suite::run(["--exact", case]).wait();
    let decided = ran.case(case);
    assert_eq!(decided.verdict, Verdict::Ok);
    assert!(decided.weak.len() == 1 && decided.weak[0].contains(" instructions were not reached: "), "{:?}", decided.weak);
}

/// A finding has what a reader needs: requirement, place, values, input, timeline, processes, output.
#[test]
fn a_finding_is_complete() {
    let cases = [
        "bad::fault::property_of_small_numbers",
        "bad::hang::in_a_participant",
        "bad::hang::spins",
        "bad::hang::stops_itself",
        "bad::outcome::differs",
        "bad::talk::ten_megabytes",
    ];
    let ran = cases.iter().fold(Suite::run(["--exact"]), Suite::arg).wait();
    let finding = |name: &str| ran.case(name).finding.clone().unwrap();
    let differs = finding("bad::outcome::differs");
    assert_eq!((differs.expected.as_deref(), differs.seen.as_deref()), (Some("Ok(4096)"), Some("Err(EAGAIN)")));
    assert_eq!(differs.location.unwrap().0, "tests/bad/outcome.rs");
    assert_eq!(ran.case("bad::outcome::differs").requirement, "Expects two different values to be equal.");
    assert_eq!(ran.case("bad::outcome::differs").clauses, ["POSIX read"]);
    let property = finding("bad::fault::property_of_small_numbers");
    assert_eq!(property.details, [("input".to_owned(), "1000".to_owned())]);
    let output = finding("bad::talk::ten_megabytes").output;
    assert!(output.len() <= 8192 && output.ends_with("x\nthe last line\n") | output.ends_with("the last line\n"));
    let hang = finding("bad::hang::in_a_participant");
    let timeline: Vec<&str> = hang.timeline.iter().map(|entry| entry.what.split(' ').next().unwrap()).collect();
    assert_eq!(timeline, ["spawned", "is"]);
    #[cfg(target_os = "linux")]
    {
        let processes: Vec<(&str, &str)> = hang.processes.iter().map(|it| (it.name.as_str(), it.state.as_str())).collect();
        assert_eq!(processes, [("case", "sleeping"), ("stuck", "sleeping")]);
        // The end that it reads, and its link's two.
        assert_eq!(hang.processes[1].descriptors.iter().filter(|text| text.contains("pipe:")).count(), 5);
        for (case, state) in [("bad::hang::spins", "running"), ("bad::hang::stops_itself", "stopped")] {
            assert_eq!(finding(case).processes[0].state, state);
        }
    }
}
