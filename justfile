# Each recipe is one line that you can also type. `just check` is what CI runs.
check:
    bash .ci/run
test:
    cargo test --workspace
quick:
    cargo nextest run --workspace
lint:
    cargo clippy --workspace --all-features --all-targets -- -D warnings
docs:
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --all-features --no-deps
bench-queue *options:
    cargo bench --bench queue -- {{options}}
bench-peers *options:
    benches/peers/run.sh {{options}}
bench-text:
    cargo bench --bench text
chaos:
    bash .ci/chaos small
chaos-full:
    bash .ci/chaos full
