//! Arbitrary bytes as the head of a worker's response, under the same promises as a request's.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ostler::fuzzing::response_head(bytes));
