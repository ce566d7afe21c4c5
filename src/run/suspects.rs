//! Which case a complaint of the kernel belongs to, where several cases ran when it came.
//!
//! The kernel does not say whose call it was. So the reports of all cases that ran are held back; once nothing else runs, each of these
//! cases is run once more, alone; and then all of them are decided.

use super::report::Report;
use super::worker::Command;
use crate::outcome::{Cause, Finding};
use crate::sandbox::Complaint;

/// The complaints of a run, and the cases that are suspected of them.
#[derive(Debug, Default)]
pub(crate) struct Suspects {
    /// All that the kernel has said so far.
    known: Complaint,
    groups: Vec<Group>,
}

/// A complaint, and the cases that ran when it came.
#[derive(Debug)]
struct Group {
    complaint: Complaint,
    /// Cases that ran and have not been heard of since.
    running: Vec<Command>,
    /// Those that saw the complaint, with what came of them otherwise.
    held: Vec<Held>,
    /// Those whose worker was lost meanwhile: they have been decided.
    lost: Vec<Command>,
}

#[derive(Debug)]
struct Held {
    command: Command,
    report: Report,
    /// What came of running it alone; `None` until then.
    again: Option<Again>,
}

/// What came of running a case alone.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Again {
    /// The kernel was silent.
    Silence,
    /// It complained.
    Complaint,
    /// The worker was lost, as this says.
    Lost(String),
}

impl Suspects {
    /// Takes in a report, while `others` are running; gives what can be decided then.
    pub(crate) fn hear(&mut self, command: Command, mut report: Report, others: &[Command]) -> Vec<(Command, Report)> {
        let Some(complaint) = report.kernel.take() else {
            // Where others saw a complaint, this case began when it had been made.
            return [self.forget(command), vec![(command, report)]].concat();
        };
        let news = complaint.beyond(&self.known);
        self.known = std::mem::take(&mut self.known).and(&complaint);
        if let Some(group) = self.groups.iter_mut().find(|group| group.running.contains(&command)) {
            group.held.push(Held { command, report, again: None });
        } else if let Some(complaint) = news {
            let held = vec![Held { command, report, again: None }];
            self.groups.push(Group { complaint, running: others.to_vec(), held, lost: Vec::new() });
        } else {
            return vec![(command, report)];
        }
        self.forget(command)
    }

    /// Takes note that the worker of a case is lost; the case itself is decided.
    pub(crate) fn lose(&mut self, command: Command) {
        for group in self.groups.iter_mut().filter(|group| group.running.contains(&command)) {
            group.running.retain(|other| *other != command);
            group.lost.push(command);
        }
    }

    /// Takes note that a case no longer runs. Gives what can be decided then: a case that is the only one that saw a complaint.
    fn forget(&mut self, command: Command) -> Vec<(Command, Report)> {
        for group in &mut self.groups {
            group.running.retain(|other| *other != command);
        }
        let alone = self.groups.extract_if(.., |group| group.running.is_empty() && group.lost.is_empty() && group.held.len() == 1);
        alone.flat_map(Group::of_one).collect()
    }

    /// The next case to be run alone, once nothing runs any more.
    pub(crate) fn next(&self) -> Option<Command> {
        let waiting = self.groups.iter().flat_map(|group| &group.held).find(|held| held.again.is_none());
        waiting.map(|held| Command { alone: true, ..held.command })
    }

    /// Takes in the report of a case that was run alone; gives what can be decided then.
    pub(crate) fn ran_alone(
        &mut self,
        command: Command,
        report: Report,
        name: impl Fn(Command) -> String,
    ) -> Vec<(Command, Report)> {
        let again = match (report.kernel, report.finding) {
            (Some(complaint), _) => {
                self.known = std::mem::take(&mut self.known).and(&complaint);
                Again::Complaint
            }
            (None, Some(Finding { cause: Cause::Harness, message, .. })) => Again::Lost(message),
            (None, _) => Again::Silence,
        };
        let command = Command { alone: false, ..command };
        let Some(index) = self.groups.iter().position(|group| group.held.iter().any(|held| held.command == command)) else {
            return Vec::new();
        };
        let group = &mut self.groups[index];
        for held in group.held.iter_mut().filter(|held| held.command == command) {
            held.again = Some(again.clone());
        }
        if group.held.iter().any(|held| held.again.is_none()) { Vec::new() } else { self.groups.remove(index).decided(name) }
    }

    /// What has to be decided without being run again, as the run is cut short.
    pub(crate) fn give_up(&mut self, name: impl Fn(Command) -> String) -> Vec<(Command, Report)> {
        std::mem::take(&mut self.groups).into_iter().flat_map(|group| group.decided(&name)).collect()
    }
}

impl Group {
    /// The report of the one case that can have brought it about.
    fn of_one(self) -> Vec<(Command, Report)> {
        let message = format!("during the case, the kernel said: {}", self.complaint);
        let blamed = |mut held: Held| {
            blame(&mut held.report, message.clone());
            (held.command, held.report)
        };
        self.held.into_iter().map(blamed).collect()
    }

    /// The reports, each with what is known of its part in the complaint.
    fn decided(self, name: impl Fn(Command) -> String) -> Vec<(Command, Report)> {
        let Group { complaint, held, lost, .. } = self;
        let names = |commands: &mut dyn Iterator<Item = Command>| commands.map(&name).collect::<Vec<_>>().join(", ");
        let all = names(&mut held.iter().map(|held| held.command).chain(lost));
        let stands_out = |held: &&Held| matches!(held.again, Some(Again::Complaint | Again::Lost(_)));
        let culprits = names(&mut held.iter().filter(stands_out).map(|held| held.command));
        let decide = |held: &Held| {
            let mut report = held.report.clone();
            let ran = format!("the kernel complained while these cases ran: {all}");
            match &held.again {
                Some(Again::Complaint) => {
                    blame(&mut report, format!("{ran}; it did so again when this one ran alone: {complaint}"));
                }
                Some(Again::Lost(how)) => blame(&mut report, format!("{ran}; when this one ran alone, {how}: {complaint}")),
                Some(Again::Silence) if culprits.is_empty() => {
                    blame(&mut report, format!("{ran}; it did not when each ran alone: {complaint}"));
                }
                Some(Again::Silence) => report.weak.push(format!("{ran}; it did so again when {culprits} ran alone")),
                None => blame(&mut report, format!("{ran}; the run ended before each could run alone: {complaint}")),
            }
            (held.command, report)
        };
        held.iter().map(decide).collect()
    }
}

fn blame(report: &mut Report, message: String) {
    report.add_failure(Cause::Kernel, "kernel", message);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::CaseResult;
    use crate::sandbox::complaint;

    const fn command(index: usize) -> Command {
        Command { index, iteration: 0, alone: false }
    }

    const ONE: Command = command(1);
    const TWO: Command = command(2);
    const THREE: Command = command(3);

    /// The report of a case that passed, while the kernel complained in records from the first number to the second.
    fn report(records: Option<(u64, u64)>) -> Report {
        let kernel = records.map(|(first, last)| complaint::of((first..=last).map(|number| (number, "WARNING: odd"))));
        Report { kernel, ..Report::new(CaseResult::Pass, None) }
    }

    fn alone(suspects: &mut Suspects, command: Command, records: Option<(u64, u64)>) -> String {
        told(&suspects.ran_alone(command, report(records), name))
    }

    fn name(command: Command) -> String {
        format!("case {}", command.index)
    }

    /// What is decided: numbers of cases, with what is said of the kernel.
    fn told(decided: &[(Command, Report)]) -> String {
        let line = |(command, report): &(Command, Report)| match (&report.finding, report.weak.as_slice()) {
            (Some(finding), _) => format!("{} failed: {}", command.index, finding.message),
            (None, []) => command.index.to_string(),
            (None, weak) => format!("{} weak: {}", command.index, weak.join("; ")),
        };
        decided.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn a_case_that_ran_alone_is_the_one() {
        let mut suspects = Suspects::default();
        let told = told(&suspects.hear(ONE, report(Some((7, 7))), &[]));
        assert_eq!(told, "1 failed: during the case, the kernel said: WARNING: odd");
        assert_eq!(suspects.next(), None);
    }

    #[test]
    fn cases_that_ran_at_the_same_time_are_run_again_one_by_one() {
        let mut suspects = Suspects::default();
        assert_eq!(told(&suspects.hear(ONE, report(Some((7, 8))), &[TWO])), "");
        assert_eq!(told(&suspects.hear(TWO, report(Some((7, 9))), &[THREE])), "");
        // It began afterwards, and its worker reads the records late.
        assert_eq!(told(&suspects.hear(THREE, report(Some((7, 9))), &[])), "3");
        assert_eq!(suspects.next(), Some(Command { alone: true, ..ONE }));
        assert_eq!(alone(&mut suspects, Command { alone: true, ..ONE }, None), "");
        assert_eq!(suspects.next(), Some(Command { alone: true, ..TWO }));
        assert_eq!(
            alone(&mut suspects, Command { alone: true, ..TWO }, Some((10, 10))),
            "1 weak: the kernel complained while these cases ran: case 1, case 2; it did so again when case 2 ran alone\n\
             2 failed: the kernel complained while these cases ran: case 1, case 2; it did so again when this one ran alone: \
             WARNING: odd\nWARNING: odd"
        );
        assert_eq!(suspects.next(), None);
    }

    #[test]
    fn where_none_does_it_again_all_fail() {
        let mut suspects = Suspects::default();
        suspects.hear(ONE, report(Some((7, 7))), &[TWO]);
        suspects.hear(TWO, report(Some((7, 7))), &[]);
        alone(&mut suspects, ONE, None);
        let all = alone(&mut suspects, TWO, None);
        let message =
            "failed: the kernel complained while these cases ran: case 1, case 2; it did not when each ran alone: WARNING: odd";
        assert_eq!(all, format!("1 {message}\n2 {message}"));
    }

    #[test]
    fn the_only_case_that_saw_it_need_not_be_run_again() {
        let mut suspects = Suspects::default();
        suspects.hear(ONE, report(Some((7, 7))), &[TWO]);
        let told = told(&suspects.hear(TWO, report(None), &[]));
        assert_eq!(told, "1 failed: during the case, the kernel said: WARNING: odd\n2");
    }

    #[test]
    fn a_lost_worker_takes_no_name_with_it() {
        let mut suspects = Suspects::default();
        suspects.hear(ONE, report(Some((7, 7))), &[TWO]);
        suspects.lose(TWO);
        let lost = Report::new(CaseResult::Fail, Some(Finding::new(Cause::Harness, "the case took its worker down")));
        let all = told(&suspects.ran_alone(ONE, lost, name));
        let message =
            "the kernel complained while these cases ran: case 1, case 2; when this one ran alone, the case took its worker down";
        assert_eq!(all, format!("1 failed: {message}: WARNING: odd"));
    }

    #[test]
    fn a_run_that_is_cut_short_names_all() {
        let mut suspects = Suspects::default();
        suspects.hear(ONE, report(Some((7, 7))), &[TWO]);
        suspects.hear(TWO, report(Some((7, 7))), &[]);
        let told = told(&suspects.give_up(name));
        assert!(told.starts_with("1 failed: the kernel complained while these cases ran: case 1, case 2; the run ended"), "{told}");
    }
}
