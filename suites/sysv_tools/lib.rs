//! The tools around System V objects: `ftok`, `ipcs`, `ipcrm`.

mod ftok;
mod ipcrm;
mod ipcs;
