#!/usr/bin/env bash
# A harness that passes broken builds proves nothing: each deliberately broken variant (WEIR_MUTANT_<NAME> in the sources) must be
# caught, by the kill harness or, where a kill cannot show it because the page cache survives, by a test that takes the power away or
# stops between two steps. The unbroken build must pass the same.
# Usage: mutants.sh [NAME...]   MUTANT_KILLS (120): kills before a variant has survived.   JOBS: of the build.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build=${MUTANTS_BUILD:-$root/build/mutants}
budget=${MUTANT_KILLS:-120}
round=20
needed=8

# name, and what must catch it: kills, or a binary, a test, and what the test has that kills have not.
variants=(
  "SEAL_BEFORE_ALERTS kills"
  "REREAD_AT_BARRIER kills"
  "ACTIVATION_NOT_LOGGED kills"
  "DEDUPE_NOT_REBUILT kills"
  "CLOCK_IN_ID kills"
  "STATE_AND_POSITION_APART kills"
  "MARKS_BY_TIME service_test LaneFaultsTest.RestartKeepsWaitingRowsAndNoLateOnes (two sources)"
  "PROCESS_BEFORE_FLUSH service_test LaneFaultsTest.NothingIsVisibleBeforeItsEventIsDurable (faulty file)"
  "RETRY_FDATASYNC service_test LaneFaultsTest.AcknowledgedEventsSurviveAFailedFlushAndAPowerCut (faulty file)"
  "GROUP_IN_PARTS state_test LogTest.TornTailIsCutAtEveryByte (faulty file)"
  "DELETE_BEFORE_SEAL state_test CheckpointTest.CrashBetweenAnyTwoSteps (a crash between two steps)"
  "IMAGE_AFTER_CHANGE service_test Pipeline.ImagesAreOfTheBarrierWhateverComesBetween (slices between batches)"
  "DERIVED_NOT_KEPT service_test LaneDerivedTest.CrashesAtAnyEventAndAnyNumberOfShardsLeaveTheSameAlerts (every event is a checkpoint)"
  "TOMBSTONE_LEFT_BEHIND state_test CheckpointTest.TombstonesMoveOutOfSegmentsThatAreOtherwiseDead (cleaning)"
)

# build_variant NAME: compiles it; an empty name is the unbroken build.
build_variant() {
  local log=$build.log
  mkdir -p "$(dirname "$log")"
  if ! { cmake -S "$root" --preset dev -B "$build" -DWEIR_MUTANT="$1" && cmake --build "$build" -j "${JOBS:-2}" \
         --target weir --target service_test --target state_test; } >"$log" 2>&1; then
    tail -40 "$log" >&2
    echo "mutants: the variant '$1' does not build" >&2
    exit 1
  fi
}

# kills COUNT: a run of the harness. 0: passed. 1: caught, with its number of kills in $killed. Anything else ends the script.
kills() {
  local status=0
  WEIR=$build/weir bash "$root/tests/e2e/chaos.sh" "$1" --no-keep >"$build.out" 2>&1 || status=$?
  killed=$(sed -n 's/^chaos kills=\([0-9]*\) .*/\1/p' "$build.out" | tail -1)
  if [ -z "$killed" ]; then
    cat "$build.out" >&2
    echo "mutants: the harness itself failed" >&2
    exit 1
  fi
  return "$status"
}

passes() { "$build/$1" --gtest_brief=1 --gtest_filter="$2" >"$build.out" 2>&1; }

caught=0
survived=0
try_variant() {
  local name=$1 how=$2 test=${3:-} why=${*:4} total=0
  build_variant "$name"
  if [ "$how" != kills ]; then
    if passes "$how" "$test"; then
      echo "mutant $name: SURVIVED $test"
      survived=$((survived + 1))
    else
      echo "mutant $name: caught by $test $why"
      caught=$((caught + 1))
    fi
    return
  fi
  while [ "$total" -lt "$budget" ]; do
    if ! kills "$round"; then
      echo "mutant $name: caught after $((total + killed)) kills"
      caught=$((caught + 1))
      return
    fi
    total=$((total + killed))
  done
  echo "mutant $name: SURVIVED $total kills"
  survived=$((survived + 1))
}

try_unbroken() {
  build_variant ""
  for variant in "${variants[@]}"; do
    # shellcheck disable=SC2086  # the words of a variant
    set -- $variant
    if [ "$2" != kills ] && ! passes "$2" "$3"; then
      cat "$build.out"
      echo "unbroken: FAILS $3"
      exit 1
    fi
  done
  if ! kills "$budget"; then
    cat "$build.out"
    echo "unbroken: FAILS after $killed kills"
    exit 1
  fi
  echo "unbroken: passes every test and $killed kills"
}

chosen=" $* "
if [ $# -eq 0 ]; then
  try_unbroken
fi
for variant in "${variants[@]}"; do
  if [ "$chosen" = "  " ] || [[ $chosen == *" ${variant%% *} "* ]]; then
    # shellcheck disable=SC2086  # the words of a variant
    try_variant $variant
  fi
done
echo "mutants caught=$caught survived=$survived"
[ "$survived" -eq 0 ] && { [ $# -gt 0 ] || [ "$caught" -ge "$needed" ]; }
