//! Files in memory without a name (`memfd_create`): their contents, holes, sizes, seals and memory use.

#![cfg(linux)]

mod accounting;
mod allocation;
mod bad_pointer;
mod bytes;
mod creation;
mod holes;
mod limits;
mod model;
mod seals;
mod seals_added;
mod seals_mapping;
mod seeking;
