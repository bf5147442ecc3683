#!/usr/bin/env bash
# Runs every fuzz target of a build RUNS times, JOBS targets side by side, each with bounded memory and time for one input. What is found
# lies in BUILD/findings, what was learnt in BUILD/corpus/<target>; the seeds in tests/fuzz/corpus stay as they are.
# Usage: run.sh BUILD [planted]   planted: each target must find its deliberate mistake within RUNS/10.   TARGETS: of these only.
# Last line: fuzz targets=N runs=N findings=N, or: fuzz planted targets=N found=N
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build=$(cd "$1" && pwd)
mode=${2:-}
runs=${RUNS:-1000000}
seed=${SEED:-1}
[ "$mode" != planted ] || runs=$((runs / 10))
mkdir -p "$build/findings" "$build/logs"
# No stacks of allocations (run a finding again without this to see them), no quarantine of freed memory, no copies of stack frames, no second
# execution to look for leaks: several times the executions for the same time. `make asan` runs every test and the corpora with all of them.
export ASAN_OPTIONS=malloc_context_size=0:quarantine_size_mb=0:thread_local_quarantine_size_kb=0:detect_stack_use_after_return=0
ASAN_OPTIONS+=:allocator_release_to_os_interval_ms=-1
# The slowest first, so that the last does not run alone.
slowest="matcher compile parser key_block"
rest=$(cd "$root/tests/fuzz" && ls -- *_fuzz.cc | sed 's/_fuzz\.cc$//' | grep -vxF "$(printf '%s\n' $slowest)")
targets=${TARGETS:-$slowest $rest}

# one TARGET: its output goes to logs/TARGET.
one() {
  local target=$1 corpus=$build/corpus/$1 options=() longest
  [ "$mode" != planted ] || rm -rf "$corpus"           # what another run learnt is no proof
  mkdir -p "$corpus" "$root/tests/fuzz/corpus/$target"
  case $target in
    parser | compile) options=(-dict="$root/tests/fuzz/weir.dict") ;;
    matcher) options=(-entropic=0) ;;      # so many features that choosing by the rare ones takes a sixth of the time
  esac
  # A rule has room in 640 bytes, and longer texts take longer; a block of all kinds of state needs more. The matcher's bytes make a rule and
  # eight events.
  case $target in key_block) longest=8192 ;; matcher) longest=64 ;; parser) longest=1024 ;; *) longest=640 ;; esac
  "$build/${target}_fuzz" -runs="$runs" -seed="$seed" -detect_leaks=0 -rss_limit_mb=2048 -timeout=20 \
    -print_final_stats=1 -max_len="$longest" \
    -artifact_prefix="$build/findings/$target-" "${options[@]}" "$corpus" "$root/tests/fuzz/corpus/$target" \
    >"$build/logs/$target" 2>&1 || true
}

running=0
for target in $targets; do
  one "$target" &
  running=$((running + 1))
  if [ "$running" -ge "${JOBS:-2}" ]; then
    wait -n
    running=$((running - 1))
  fi
done
wait

count=0 total=0 findings=0
for target in $targets; do
  log=$build/logs/$target
  count=$((count + 1))
  done_runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log" | tail -1)
  rate=$(sed -n 's/^stat::average_exec_per_sec: *//p' "$log" | tail -1)
  edges=$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$log" | tail -1)
  size=$(sed -n 's/.* corp: \([0-9]*\)\/.*/\1/p' "$log" | tail -1)
  found=0
  if ! grep -q '^Done [0-9]* runs' "$log"; then
    found=1
    findings=$((findings + 1))
    [ "$mode" = planted ] || { grep -m1 -E '^fuzz: |ERROR: |runtime error|CHECK' "$log" || tail -20 "$log"; grep 'Test unit written to' "$log" || true; }
  fi
  total=$((total + ${done_runs:-0}))
  echo "$target: executions=${done_runs:-0} per_second=${rate:-0} edges=${edges:-0} corpus=${size:-0} findings=$found"
done
if [ "$mode" = planted ]; then
  echo "fuzz planted targets=$count found=$findings"
  [ "$findings" -eq "$count" ]
else
  echo "fuzz targets=$count runs=$total findings=$findings"
  [ "$findings" -eq 0 ]
fi
