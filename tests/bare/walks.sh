#!/bin/sh
# SPDX-License-Identifier: MIT
# What the model says of page walks, on each of the emulated machines and with and without their second stage, and that
# what is counted says the same: exact numbers, native, nested and shadow, with holes and without. TAP.
# usage: walks.sh ept|ept=0|npt full|quick README GNOMON FILE...: the files are its guests, which lie beside it
host=$1 how=$2 readme=$3 gnomon=$4 n=0 failed=0
ok() {
	n=$((n + 1))
	if [ "$1" = 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; failed=1; fi
}
# README's table, and docs/hosts.md for a host whose KVM shadows in software.
# environment, page, backing, state: references of every single walk there, and here
rows() {
	grep -E "$rows" <<ROWS
native 4k 4k plain 4 4
native 2m thp plain 3 3
native 2m hugetlb2m plain 3 3
native 1g hugetlb1g plain 2 2
nested 4k 4k plain 24 4
nested 4k 4k holes 24 4
nested 4k 4k joined 24 4
nested 2m 4k plain 19 4
nested 2m 4k holes 19 4
nested 2m 4k joined 19 4
nested 4k thp plain 19 4
nested 4k thp holes 20 4
nested 4k thp joined 19 4
nested 2m thp plain 15 3
nested 2m thp holes 16 4
nested 2m thp joined 15 3
nested 4k hugetlb2m plain 19 4
nested 2m hugetlb2m plain 15 3
nested 4k hugetlb1g plain 14 4
nested 2m hugetlb1g plain 11 3
shadow 4k 4k plain 19 4
shadow 4k 4k holes 24 4
shadow 4k 4k joined 19 4
shadow 2m 4k plain 19 4
shadow 2m 4k holes 24 4
shadow 2m 4k joined 19 4
shadow 4k thp plain 15 3
shadow 4k thp holes 20 4
shadow 4k thp joined 15 3
shadow 2m thp plain 15 3
shadow 2m thp holes 20 4
shadow 2m thp joined 15 3
shadow 4k hugetlb2m plain 15 3
shadow 2m hugetlb2m plain 15 3
shadow 4k hugetlb1g plain 14 3
shadow 2m hugetlb1g plain 14 3
ROWS
}
case $how in quick) quick=--quick rows=" (4k|thp) plain " ;; *) quick='' rows=. ;; esac
# QEMU's machine has no GiB in one piece to be sure of.
case $host in npt) rows="^[a-z]+ [0-9][a-z] (4k|thp|hugetlb2m) " ;; esac
case $host in *=0) stage="software ($host)" ;; *) stage=$host ;; esac
# The pools, as README fills them.
pools=$(grep '^    echo .*nr_hugepages$' "$readme")
[ "$(echo "$pools" | wc -l)" = 2 ] && eval "$pools"
ok $? "README's lines fill the pools"
# shellcheck disable=SC2086 # none, or one word
csv=$("$gnomon" bench --only walks $quick --csv - 2>/tmp/walks.err)
ok $? "status 0"
[ "$(echo "$csv" | tr , ' ' | grep -E '^(native|nested|shadow) ' | grep -cE "$rows")" = "$(rows | wc -l)" ]
ok $? "each row of the table, and no other"
while read -r environment page backing state hardware software; do
	case $host in *=0) refs=$software ;; *) refs=$hardware ;; esac
	model="$refs,$refs,$refs"
	# Nothing counts in QEMU, and of another Bochs: these cells are empty.
	case $host-${GNOMON_WALK_COUNTER:-1} in
	ept*-1) measured="$refs,$refs,$refs,$refs," ;;
	*) measured=",,,,,," ;;
	esac
	echo "$csv" | grep -qF "$environment,$page,$backing,$state,$stage,$model,$measured"
	ok $? "$environment, $page pages on $backing, $state: $refs"
done <<ROWS
$(rows)
ROWS
[ $failed = 0 ] || { echo "$csv"; cat /tmp/walks.err; } | sed 's/^/# /'
echo "1..$n"
exit $failed
