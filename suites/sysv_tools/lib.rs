//! Tools for System V IPC: the function `ftok`, and the commands `ipcs` and `ipcrm`.

mod ftok;
mod ipcrm;
mod ipcs;
