//! Arbitrary bytes as a chunked body: its end is found in the same place in any split, or never.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ostler::fuzzing::chunked(bytes));
