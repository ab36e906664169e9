//! Arbitrary bytes as the head of a CGI response: it ends in one place, and is one head in HTTP/1 form.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ostler::fuzzing::cgi_head(bytes));
