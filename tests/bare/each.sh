#!/bin/sh
# SPDX-License-Identifier: MIT
# usage: each.sh [, NAME CMD [ARG...]]...
# Runs one command after the other in one machine: to start one costs as much as a short test. TAP; what a command said
# when its status is not 0. What is TAP already, is passed on with numbers that go on. No argument holds a blank.
set -uf
n=0 failed=0
report=$(mktemp)
trap 'rm -f "$report"' EXIT

# pass_on NAME STATUS: the report's lines; as many as its plan says, and no status without a line that explains it.
pass_on() {
	awk -v n="$n" -v name="$1" -v status="$2" -v count="$report.seen" '
		/^TAP version/ { next }
		/^(not )?ok / { seen++; bad += /^not/; sub(/ok [0-9]*/, "ok " n + seen) }
		/^1\.\.[0-9]+$/ { plan = substr($0, 4); next }
		{ print }
		END {
			if (seen != plan || (status && !bad)) {
				print "not ok " n + ++seen " - " name ": status " status ", plan " plan
				bad++
			}
			print seen + 0 >count
			exit bad > 0
		}' "$report" || failed=1
	n=$((n + $(cat "$report.seen")))
	rm -f "$report.seen"
}

while [ $# -gt 0 ]; do
	name=$2 words=
	shift 2
	while [ $# -gt 0 ] && [ "$1" != , ]; do
		words="$words $1"
		shift
	done
	start=$(date +%s) status=0
	# shellcheck disable=SC2086 # split on purpose
	$words >"$report" 2>&1 </dev/null || status=$?
	if grep -q '^1\.\.[0-9]*$' "$report"; then
		pass_on "$name" $status
		continue
	fi
	n=$((n + 1))
	if [ $status = 0 ]; then
		echo "ok $n - $name, $(($(date +%s) - start)) s"
	else
		failed=1
		echo "not ok $n - $name"
		echo "status $status: $(cat "$report")" | tail -n 40 | sed 's/^/# /'
	fi
done
echo "1..$n"
exit $failed
