//! Arbitrary bytes as what a FastCGI program sends: the same in any split, and what a naive reader understands.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ostler::fuzzing::fastcgi_records(bytes));
