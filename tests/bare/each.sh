#!/bin/sh
# SPDX-License-Identifier: MIT
# usage: each.sh [, NAME CMD [ARG...]]...
# Runs one command after the other in one machine: to start one costs as much as a short test. TAP; what a command said
# when its status is not 0. No argument holds a blank.
set -u
n=0 failed=0
while [ $# -gt 0 ]; do
	name=$2 words=
	shift 2
	while [ $# -gt 0 ] && [ "$1" != , ]; do
		words="$words $1"
		shift
	done
	n=$((n + 1)) start=$(date +%s)
	# shellcheck disable=SC2086 # split on purpose
	said=$($words 2>&1 </dev/null)
	status=$?
	if [ $status = 0 ]; then
		echo "ok $n - $name, $(($(date +%s) - start)) s"
	else
		failed=1
		echo "not ok $n - $name"
		echo "status $status: $said" | tail -n 40 | sed 's/^/# /'
	fi
done
echo "1..$n"
exit $failed
