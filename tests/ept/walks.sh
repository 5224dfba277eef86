#!/bin/sh
# SPDX-License-Identifier: MIT
# What page walks read on EPT, counted, is what the model says: exact numbers, native, nested and shadow, with holes and
# without. TAP. usage: walks.sh GNOMON FILE...: the files are its guests, which lie beside it
gnomon=$1 n=0 failed=0
[ "$GNOMON_WALK_COUNTER" != 0 ] || { echo "1..0 # SKIP this Bochs is not the one that the counter knows"; exit 0; }
ok() {
	n=$((n + 1))
	if [ "$1" = 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; failed=1; fi
}
echo 80 >/proc/sys/vm/nr_hugepages
csv=$("$gnomon" bench --only walks --csv -)
ok $? "something was counted"
# environment, page, backing, state: references of every single walk
while read -r environment page backing state refs; do
	echo "$csv" | grep -q "^$environment,$page,$backing,$state,ept,$refs,$refs,$refs,$refs,$refs,$refs,$refs,"
	ok $? "$environment, $page pages on $backing, $state: $refs"
done <<ROWS
native 4k 4k plain 4
native 2m thp plain 3
native 2m hugetlb2m plain 3
nested 4k 4k plain 24
nested 4k 4k holes 24
nested 2m 4k plain 19
nested 2m 4k holes 19
nested 4k thp plain 19
nested 4k thp holes 20
nested 4k thp joined 19
nested 2m thp plain 15
nested 2m thp holes 16
nested 2m thp joined 15
nested 4k hugetlb2m plain 19
nested 2m hugetlb2m plain 15
shadow 4k 4k plain 19
shadow 4k 4k holes 24
shadow 2m 4k plain 19
shadow 2m 4k holes 24
shadow 2m 4k joined 19
shadow 4k thp plain 15
shadow 4k thp holes 20
shadow 4k thp joined 15
shadow 2m thp plain 15
shadow 2m thp holes 20
shadow 2m thp joined 15
shadow 4k hugetlb2m plain 15
shadow 2m hugetlb2m plain 15
ROWS
[ $failed = 0 ] || echo "$csv" | sed 's/^/# /'
echo "1..$n"
exit $failed
