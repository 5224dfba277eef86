#!/bin/sh
# SPDX-License-Identifier: MIT
# The host says ept, and the guest kernel's self-test has the same 41 lines in both modes, on two CPUs.
# TAP. usage: selftest.sh GNOMON KERNEL
gnomon=$1 kernel=$2 n=0 failed=0
first=
ok() {
	n=$((n + 1))
	if [ "$1" = 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; failed=1; fi
}
"$gnomon" host | grep -q '^second stage *ept$'
ok $? "gnomon host says that the second stage is ept"
for paging in nested shadow; do
	"$gnomon" run --paging $paging "$kernel" -- hello | grep -q '^hello from gnomon guest$'
	ok $? "hello, $paging"
	lines=$("$gnomon" run --paging $paging --cpus 2 "$kernel" -- selftest)
	status=$?
	: "${first:=$lines}"
	[ $status = 0 ] && [ "$lines" = "$first" ] && [ "$(echo "$lines" | grep -c '^ok ')" = 41 ]
	ok $? "selftest, $paging"
done
echo "1..$n"
exit $failed
