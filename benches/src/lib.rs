//! Benchmarks of the harness live in a package of their own, so that whoever only runs the suites does not build what they need.
