//! The record of a run: one event a line, as JSON, in the order in which things happened.

use crate::record::{Event, ReportError, Reporter};
use std::fs::File;
use std::io::{self, Write as _};

/// Writes each event to the disk before it takes the next: what was decided survives the runner, and the start of a case that
/// takes the machine down tells which one it was.
#[derive(Debug)]
pub struct Jsonl {
    file: File,
}

impl Jsonl {
    /// A record in that file.
    pub fn new(file: File) -> Self {
        Jsonl { file }
    }

    fn write(&mut self, event: &Event) -> io::Result<()> {
        let mut line = serde_json::to_vec(event)?;
        line.push(b'\n');
        self.file.write_all(&line)?;
        match self.file.sync_data() {
            // Not every file is on a disk: a pipe or a terminal has nothing to synchronise.
            Err(error) if matches!(error.raw_os_error(), Some(libc::EINVAL | libc::ENOTSUP | libc::EROFS)) => Ok(()),
            synchronised => synchronised,
        }
    }
}

impl Reporter for Jsonl {
    fn event(&mut self, event: &Event) -> Result<(), ReportError> {
        self.write(event).map_err(ReportError::writing("jsonl"))
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Seek as _};

    use super::*;
    use crate::record::Verdict;
    use crate::report::samples;

    #[test]
    fn each_event_is_a_line_that_reads_back() {
        let events =
            samples::run(&[samples::decided("a::b::c", Verdict::UnexpectedFail), samples::decided("a::b::d", Verdict::Ok)]);
        let mut file = tempfile::tempfile().unwrap();
        let mut record = Jsonl::new(file.try_clone().unwrap());
        for event in &events {
            record.event(event).unwrap();
        }
        let mut text = String::new();
        file.rewind().unwrap();
        file.read_to_string(&mut text).unwrap();
        let read: Vec<Event> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(read, events);
        assert_eq!(text.lines().nth(1), Some(r#"{"at_us":1,"event":"case-started","case":"a::b::c","iteration":0,"alone":false}"#));
    }

    #[test]
    fn a_pipe_need_not_be_synchronised_and_may_be_closed() {
        let (reader, writer) = nix::unistd::pipe().unwrap();
        let mut record = Jsonl::new(File::from(writer));
        record.event(&samples::started("a", 0)).unwrap();
        drop(reader);
        assert!(matches!(record.event(&samples::started("a", 0)), Err(ReportError::Closed)));
    }
}
