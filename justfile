# The recipes of daily work; `just` lists them.

_default:
    @just --list --unsorted

# Serve a sample and print its URL.
run sample="hello":
    cargo run --release -- run samples/{{sample}}

# Install what the tests need, then run all of them; arguments go to cargo test.
test *args:
    tests/run {{args}}

# Exactly what CI runs.
ci:
    .ci/run

# Bring the sources into the one format.
fmt:
    cargo fmt

# What clippy says, as strictly as CI.
lint:
    cargo clippy --all-targets -- -D warnings

# Feed one fuzz target (request_head, response_head, chunked) for some seconds.
fuzz target seconds="60":
    fuzz/run {{target}} {{seconds}}

# ostler beside nginx and HAProxy on this machine, as ratios.
compare *args:
    benches/compare/run {{args}}

# Licences, bans and sources of the dependencies.
deny:
    cargo deny check bans licenses sources
