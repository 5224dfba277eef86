#!/bin/bash
# SPDX-License-Identifier: MIT
# usage: run.sh TARGET SECONDS [DICTIONARY]
# Fuzzes for that long, from the inputs of seeds.py, and says in TAP how it went: a crash, a hang, a leak or too much
# memory fails, with the command that does it again. What failed stays beside TARGET; all else is temporary.
set -euo pipefail

target=$(realpath "$1") seconds=$2
options=(-max_total_time="$seconds" -timeout=10 -len_control=0 -max_len=4096 -print_final_stats=1)
[ -z "${3:-}" ] || options+=(-dict="$3")
corpus=$(mktemp -d)
trap 'rm -rf "$corpus"' EXIT
name=${target##*/fuzz-}
"$(dirname "${BASH_SOURCE[0]}")/seeds.py" "$name" "$corpus"
seeds=$(find "$corpus" -type f | wc -l)

echo 1..1
rc=0
said=$("$target" "${options[@]}" -artifact_prefix="$target-" "$corpus" 2>&1) || rc=$?
runs=$(sed -n 's/^stat::number_of_executed_units: *//p' <<<"$said")
if [ $rc = 0 ] && [ "${runs:-0}" -gt 0 ]; then
	echo "ok 1 - $runs inputs from $seeds seeds, $(sed -n 's/.*\(cov: [0-9]*\).*/\1/p' <<<"$said" | tail -1)"
	exit 0
fi
artifact=$(sed -n 's/.*Test unit written to //p' <<<"$said" | tail -1)
if [ -n "$artifact" ]; then
	echo "not ok 1 - do it again: $target $artifact"
else
	echo "not ok 1 - exit status $rc after ${runs:-0} inputs"
fi
tail -n 60 <<<"$said" | sed 's/^/# /'
exit 1
