//! Memory files (`memfd_create`): reading and writing, allocation and holes, sizes, attributes, and seals.

#![cfg(linux)]

mod adding_seals;
mod attributes;
mod bad_pointer;
mod creation;
mod fallocate;
mod holes;
mod lseek;
mod model;
mod read_write;
mod seals;
mod seals_and_mappings;
mod size_limits;
