#!/usr/bin/env bash
# Ours and other queues in Rust, in turns: JSON lines on stdout. Options are those of ./src/main.rs.
set -euo pipefail
cd "$(dirname "$0")"
ours=$(cargo bench --manifest-path ../../Cargo.toml --bench queue --no-run --message-format=json \
  | python3 -c 'import json, sys
for line in map(json.loads, sys.stdin):
    if line.get("executable") and line["target"]["name"] == "queue":
        print(line["executable"])')
(cd effectum && cargo build --quiet --release)
cargo run --quiet --release -- --ours "$ours" --effectum effectum/target/release/peer-effectum "$@"
