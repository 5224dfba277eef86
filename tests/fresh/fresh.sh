#!/bin/bash
# SPDX-License-Identifier: MIT
set -uo pipefail

usage() {
	cat <<'END'
usage: fresh.sh OUT [LANE...]
       fresh.sh --root RELEASE

README's commands on machines that have nothing yet: minimal Debian roots, made by mmdebstrap from the package sources
that apt has here, with a clone of this tree and /dev/kvm. TAP on stdout; the output of each lane goes to OUT/LANE.log.
Lanes:

  newcomer  this release: tools/demo, tools/test --quick (its logs go to OUT/quick), an installation
  next      the next release: what it has of compiler and libraries builds Gnomon, and its unit tests pass
  clang     this release: a build with clang

The roots are kept in ${XDG_CACHE_HOME:-~/.cache}/gnomon/fresh, and made anew when they are damaged or made from other
sources. Each lane works in memory, in namespaces that end with it: nothing stays mounted, running or written,
however it ends.
Skips without root, /dev/kvm, 4 GiB of free memory, Debian, or packages; with GNOMON_MUST_HAVE_FRESH=1 that fails.
--root only makes the root of RELEASE and prints where it is.
END
}

here=$(dirname "$(realpath "${BASH_SOURCE[0]}")")
tree=$(realpath "$here/../..")
cache=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/gnomon/fresh
lanes=(newcomer next clang)
declare -A after=([bookworm]=trixie [trixie]=forky)

skip() {
	if [ "${GNOMON_MUST_HAVE_FRESH:-0}" = 1 ]; then
		echo "1..1"
		echo "not ok 1 - fresh machines: $1, and GNOMON_MUST_HAVE_FRESH=1"
		exit 1
	fi
	echo "1..0 # SKIP $1"
	exit 0
}

# What apt has here of this release, for `release`: lines of a sources.list.
sources() {
	apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
		awk -v here="$VERSION_CODENAME" -v there="$1" '
			$2 ~ "^" here "(-(updates|security))?$" && $3 == "main" {
				sub(here, there, $2)
				print "deb", $1, $2, $3
			}' | sort -u
}

# How apt gets at packages here: proxies and the like.
apt_conf() { apt-config dump | grep '^Acquire::' | grep -v '^Acquire::\(IndexTargets\|cdrom\|Languages\)'; }

# make_root RELEASE ARCHIVE SOURCES
make_root() {
	local new=$cache/$1-new.tar.zst
	echo "$3" >"$cache/$1-sources"
	apt_conf >"$cache/$1-apt.conf"
	# shellcheck disable=SC2016 # for the inner shell
	unshare --mount sh -euc '
		mount -t tmpfs fresh "$1/root"
		export TMPDIR=$1/root
		exec mmdebstrap --quiet --mode=root --variant=minbase --dpkgopt=force-unsafe-io --aptopt="$1/$2-apt.conf" \
			"$2" "$3" "$1/$2-sources"' sh "$cache" "$1" "$new" 2>"$2.log" || return
	mv "$new" "$2" && sha256sum "$2" >"$2.sum"
}

# Prints where the root of RELEASE is; makes it when it is not there, or is not what it was. Not twice at a time.
root_archive() {
	local from path
	from=$(sources "$1")
	[ -n "$from" ] || { echo "apt has no sources of $VERSION_CODENAME here" >&2; return 1; }
	path=$cache/$1-$({ echo "$from"; apt_conf; sed -n '/^make_root/,/^}/p' "$here/fresh.sh"; } | sha256sum | cut -c1-12).tar.zst
	mkdir -p "$cache/root"
	(
		flock 9
		if [ ! -f "$path" ] || ! sha256sum --status -c "$path.sum" 2>/dev/null; then
			rm -rf "$cache/$1-"*
			make_root "$1" "$path" "$from" || { tail -n 5 "$path.log" >&2; exit 1; }
		fi
	) 9>"$cache/lock-$1" || return
	echo "$path"
}

# Which tree a clone would have: what git knows, as it lies here.
clone() {
	if [ -e "$tree/.git" ]; then
		git -C "$tree" -c safe.directory='*' ls-files -z
	else
		(cd "$tree" && find . -path ./build\* -prune -o -type f -print0)
	fi | tar -C "$tree" --null --ignore-failed-read -T - -c
}

run_lane() { # LANE: its TAP lines on stdout
	local release=$VERSION_CODENAME archive
	[ "$1" != next ] || release=${after[$release]}
	if archive=$(root_archive "$release"); then
		clone | unshare --mount --pid --ipc --uts --fork "$here/in-root.sh" "$archive" "$cache/root" "$out" "$1" ||
			echo "not ok - $1: see below"
	elif [ "${GNOMON_MUST_HAVE_FRESH:-0}" = 1 ]; then
		echo "not ok - $1: no root of $release, and GNOMON_MUST_HAVE_FRESH=1"
	else
		echo "ok - $1 # SKIP no root of $release: are Debian's packages within reach?"
	fi
}

# Runs lanes one after the other, each with its lines in a file.
run_lanes() {
	local lane
	for lane in "$@"; do
		run_lane "$lane" >"$out/$lane.tap" 2>"$out/$lane.log"
	done
}

report() { # LANE: as TAP; and the end of what it said when something failed
	local line
	while read -r line; do
		n=$((n + 1))
		echo "${line/ok -/ok $n -}"
	done <"$out/$1.tap"
	if grep -q '^not ok' "$out/$1.tap"; then
		failed=1
		tail -n 60 "$out/$1.log" | sed 's/^/# /'
	fi
}

# Runs this script again in namespaces of its own, which end when we do: whatever it has mounted or started goes with
# them.
in_namespaces() {
	setpriv --pdeathsig KILL unshare --mount --pid --fork --kill-child --mount-proc "$here/fresh.sh" --inside "$@" &
	trap 'kill -KILL $!; exit 1' INT TERM HUP
	wait $!
}

. /etc/os-release
case ${1:-} in
'' | --help | -h) usage; exit 0 ;;
--inside) shift ;;
*)
	[ "$(id -u)" = 0 ] || skip "needs root, for mounts"
	unshare --mount --pid --fork true 2>/dev/null || skip "may not make namespaces"
	in_namespaces "$@"
	exit
	;;
esac
if [ "$1" = --root ]; then
	root_archive "${2:-$VERSION_CODENAME}"
	exit
fi
out=$(realpath -m "$1")
shift
[ $# = 0 ] || lanes=("$@")

(: <>/dev/kvm) 2>/dev/null || skip "no /dev/kvm"
[ "${ID:-}" = debian ] && [ -n "${after[$VERSION_CODENAME]:-}" ] || skip "not on a Debian whose next release is known"
command -v mmdebstrap >/dev/null || skip "no mmdebstrap: run tools/setup test"
[ "$(awk '$1 == "MemAvailable:" { print int($2 / 1048576) }' /proc/meminfo)" -ge 4 ] || skip "less than 4 GiB of free memory"
rm -rf "$out"
mkdir -p "$out"

# The first beside the others: there are two CPUs, and it takes about as long as they do.
run_lanes "${lanes[0]}" &
run_lanes "${lanes[@]:1}" &
wait
n=0 failed=0
for lane in "${lanes[@]}"; do
	report "$lane"
done
echo "1..$n"
exit $failed
