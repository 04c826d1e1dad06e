#!/usr/bin/env bash
# Every figure of the table in benches/README.md: its rows on stdout, the JSON lines in target/bench.jsonl.
set -euo pipefail
cd "$(dirname "$0")/.."
lines=target/bench.jsonl
bench() { cargo bench --quiet --bench "$@"; }
bench queue --no-run
bench vault --no-run
{
  bench queue -- --what enqueue,drain,publish --rounds 3
  bench queue -- --what worker --rounds 3 --case "concurrency 1600"
  bench queue -- --what latency,idle --seconds 20
  bench queue -- --what claim,memory --rounds 1
  bench vault
  benches/peers/run.sh --rounds 3 --jobs 10000
} | tee "$lines" | python3 benches/table.py
