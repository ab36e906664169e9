//! Arbitrary bytes as the head of a request: refused or read, the same in any split, and nothing ambiguous gets through.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ostler::fuzzing::request_head(bytes));
