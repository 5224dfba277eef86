#!/bin/bash
# SPDX-License-Identifier: MIT
# usage: plot.sh GNOMON
# Pictures of a benchmark, in TAP: the data, the scripts and what gnuplot makes of them; and what is said, before anything
# is measured or after, where there can be none.
# shellcheck disable=SC2317 # functions are called by ok
set -uo pipefail
here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
# shellcheck source=tests/tool_tap.sh
. "$here/../tool_tap.sh"
gnomon=$(realpath "$1")
cd "$work" || exit 1

bench() { "$gnomon" bench --only chase --quick --runs 1 --paging nested "$@"; }
there() { local f; for f; do [ -s "$f" ] || { echo "# no $f"; return 1; }; done; }
told() { grep -q -- "$1" "$work/out"; }
not_told() { ! told "$1"; }
a_picture() { # of two panels, with a line of each environment in it
	grep -q '<svg' "$1" && grep -q '>page: 2m<' "$1" && [ "$(grep -c '>native<' "$1")" -ge 2 ]
}
# A gnuplot of our own, or none: what gnomon needs itself is found by its path.
with_path() { PATH=$1 bench --plot "$2"; }

ok "a directory is made" ends 0 bench --plot pictures
ok "data and script" there pictures/chase.csv pictures/chase.gp pictures/chase-ratio.csv
ok "what is no line has no script" test ! -e pictures/chase-ratio.gp
if command -v gnuplot >/dev/null; then
	ok "gnuplot draws it" a_picture pictures/chase.svg
	ok "and says so" told "1 picture "
	rm pictures/chase.svg
	ok "the script runs by itself, where it is, and has no word to say" test -z "$(cd pictures && gnuplot chase.gp 2>&1)"
	ok "to the same picture" a_picture pictures/chase.svg
else
	ok "without gnuplot that is said # SKIP no gnuplot here: the next says it" true
fi
mkdir none broken
printf '#!/bin/sh\necho "line 1: nonsense" >&2\nexit 3\n' >broken/gnuplot
chmod +x broken/gnuplot
ok "without gnuplot" ends 0 with_path "$work/none" scripts
ok "there are scripts" there scripts/chase.csv scripts/chase.gp
ok "and that is said" told "no gnuplot here"
ok "a gnuplot that fails is a failure" both ends 1 with_path "$work/broken" failed "line 1: nonsense"
mkdir halved
printf '#!/bin/sh\nprintf "<svg>\\n<path" >chase.svg\n' >halved/gnuplot
chmod +x halved/gnuplot
ok "so is half a picture, as a full disk leaves it" both ends 1 with_path "$work/halved" half "did not write all of half/chase.svg"
ok "and none is left" test ! -e half/chase.svg
ok "whose data are there" there failed/chase.csv failed/chase.gp
mkdir lost
ln -s nodir/x lost/chase.csv
ok "a table that cannot be written is a failure" both ends 1 bench --plot lost "chase.csv: No such file or directory"
ok "and nobody says that it is there" not_told "lost has "
ok "the other tables are there" there lost/chase-ratio.csv
ok "a file is no directory" both ends 2 bench --plot scripts/chase.csv "Not a directory"
ok "nowhere" both ends 2 bench --plot nowhere/at/all "No such file or directory"
ok "no place for files" both ends 2 bench --plot /proc "^gnomon: --plot: "
ok "nothing was measured for those" test ! -s "$work/out"
if [ "$(id -u)" != 0 ]; then
	mkdir -m 555 closed
	ok "not to be written" both ends 2 bench --plot closed "Permission denied"
fi
echo "1..$tests"
exit $failed
