# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# What the tests of the tools share: a directory of their own, $work, and TAP. To be sourced; a test ends with
# echo "1..$tests" and exit $failed.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tests=0 failed=0

ok() { # ok NAME CONDITION...: the condition is a command
	local name=$1
	shift
	tests=$((tests + 1))
	if "$@"; then
		echo "ok $tests - $name"
	else
		echo "not ok $tests - $name"
		sed 's/^/# /' "$work/out" "$work/err" 2>/dev/null | tail -n 20
		failed=1
	fi
}
ends() { # ends STATUS CMD...: with that exit status; output in $work/out and $work/err
	local want=$1 got=0
	shift
	"$@" >"$work/out" 2>"$work/err" || got=$?
	[ $got = "$want" ] || { echo "# status $got instead of $want"; return 1; }
}
says() { grep -q -- "$1" "$work/err"; }
both() { "${@:1:$#-1}" && says "${@: -1}"; }
