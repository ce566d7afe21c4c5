//! A trap in a victim: the instruction `int3`, written over one of the victim's own (`PTRACE_POKEDATA` in ptrace(2)). The page
//! becomes a copy of the victim's; no other process sees it.
//!
//! Debug registers would do the same: measured in a virtual machine they cost several times as much, and some systems have none.

use nix::sys::ptrace;
use nix::unistd::Pid;

use crate::sys::Errno;

/// `int3`; a process that has executed it stands behind it.
const INT3: u8 = 0xcc;

/// One that is written. It stays until it is lifted; a victim that is killed needs none of its code.
#[derive(Debug)]
pub(super) struct Trap {
    process: Pid,
    address: usize,
    covered: u8,
}

impl Trap {
    /// Writes a trap over the instruction at that address.
    ///
    /// # Errors
    /// What `ptrace` answers.
    pub(super) fn set(process: Pid, address: usize) -> Result<Self, Errno> {
        Ok(Trap { process, address, covered: exchange(process, address, INT3)? })
    }

    pub(super) fn address(&self) -> usize {
        self.address
    }

    /// Where a process stands that has run into it.
    pub(super) fn behind(&self) -> usize {
        self.address + 1
    }

    /// Puts back what the trap covers.
    ///
    /// # Errors
    /// What `ptrace` answers.
    pub(super) fn lift(self) -> Result<(), Errno> {
        exchange(self.process, self.address, self.covered).map(drop)
    }
}

/// Writes a byte and returns the one that was there: only whole words can be written, of which one that is aligned lies in one page.
fn exchange(process: Pid, address: usize, byte: u8) -> Result<u8, Errno> {
    const WORD: usize = size_of::<libc::c_long>();
    let (index, word) = (address % WORD, std::ptr::with_exposed_provenance_mut(address - address % WORD));
    let mut bytes = ptrace::read(process, word)?.to_ne_bytes();
    let before = std::mem::replace(&mut bytes[index], byte);
    ptrace::write(process, word, libc::c_long::from_ne_bytes(bytes))?;
    Ok(before)
}
