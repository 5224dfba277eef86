#!/bin/bash
# SPDX-License-Identifier: MIT
# tools/ept-host does what its --help says, also with bad input. What needs no machine that runs is in tests/npt/tool.sh.
# TAP. usage: tool.sh EPT-HOST
set -uo pipefail
host=$1
# shellcheck disable=SC2086 # $one is two options
# shellcheck source=tests/tool_tap.sh
. "$(dirname "${BASH_SOURCE[0]}")/../tool_tap.sh"
cache=${XDG_CACHE_HOME:-$HOME/.cache}/gnomon
one="--cpus 1 --memory 3072" # the machine that the other tests have made

run() { ends "$1" "$host" "${@:2}"; } # run STATUS ARG...
none_left() { [ -z "$(machines)" ] && ! compgen -G "$work/tmp/*" >/dev/null; }
machines() { # the processes of ours that are one
	local pid
	for pid in $(pgrep -x bochs-bin); do
		case $(readlink "/proc/$pid/cwd") in "$work"/*) echo "$pid" ;; esac
	done
}

# A PATH with all that is needed, but for one.
without() {
	rm -rf "${work:?}/bin"
	mkdir "$work/bin"
	ln -s /usr/bin/* /usr/sbin/* "$work/bin/" 2>/dev/null
	rm -f "${work:?}/bin/$1"
}
run_without() { # TOOL ARG...
	without "$1"
	shift
	PATH=$work/bin run 125 "$@"
}
fresh_cache() { # DIR: has the kernel, and no machine
	mkdir -p "$1/gnomon"
	ln -s "$cache/kernel-1" "$1/gnomon/kernel-1"
}

mkdir "$work/tmp"
export TMPDIR=$work/tmp

ok "a missing bochs is named with its package" both run_without bochs-bin true "package bochs"
fresh_cache "$work/a"
for tool in grub-mkrescue:grub-common xorriso:xorriso mformat:mtools; do
	XDG_CACHE_HOME=$work/a ok "a missing ${tool%:*} is named with its package" \
		both run_without "${tool%:*}" $one true "package ${tool#*:}"
done
ok "a command that is not there" both run 127 $one no-such-command "no such command"
without bochs-bin
printf '#!/bin/sh\nunset LD_PRELOAD\nexec %s "$@"\n' "$(type -P bochs-bin)" >"$work/bin/bochs-bin"
chmod 755 "$work/bin/bochs-bin"
PATH=$work/bin ok "a Bochs without the object that keeps it off the network is not started" \
	both run 125 $one true "does not load"
ok "too many processors" both run 125 --cpus 9 true "at most 8"
ok "too much memory" both run 125 --memory 4096 true "at most 3072"

if [ "$(id -u)" = 0 ] && mkdir "$work/small" && mount -t tmpfs -o size=64k tmpfs "$work/small" 2>/dev/null; then
	fresh_cache "$work/small"
	XDG_CACHE_HOME=$work/small ok "no disk space for the state" both run 125 $one true "MiB free"
	umount "$work/small"
else
	tests=$((tests + 1))
	echo "ok $tests - no disk space for the state # SKIP cannot mount a small file system"
fi

odd=$work/"tmp/a b,c#d&e\$f:g'h"
mkdir "$odd"
TMPDIR=$odd ok "output, errors and status come back, and a temporary directory may have any name" \
	run 7 $one -- sh -c 'date +%s; echo out; echo err >&2; exit 7'
rmdir "$odd"
ok "output" [ "$(tail -n 1 "$work/out")" = out ]
now=$(($(date +%s) - $(head -n 1 "$work/out")))
ok "the clock has the present" [ $now -ge 0 -a $now -lt 1800 ] # a busy host takes its time to end the machine
ok "errors" says '^err$'
ok "a command that never ends" both run 124 $one --timeout 4 sleep 1000 "time limit of 4 s"
ok "a panic shows the kernel's last lines" both run 125 $one -- sh -c 'echo c >/proc/sysrq-trigger' \
	"Kernel panic - not syncing: sysrq triggered crash"

set -m # or they would ignore SIGINT
"$host" $one -- sh -c 'echo a; kill -9 $$' >"$work/one" 2>&1 &
first=$!
"$host" $one sleep 1000 >/dev/null 2>&1 &
second=$!
wait $first
status=$?
{ echo "status $status"; cat "$work/one"; } >"$work/err" # what is told where one of these is not right
ok "a signal is 128 more" [ $status = 137 ]
ok "two at a time do not disturb each other" [ "$(cat "$work/one")" = a ]
inet_sockets() { # PID
	local inode
	for inode in $(readlink /proc/"$1"/fd/* | sed -n 's/socket:\[\(.*\)\]/\1/p'); do
		cat /proc/"$1"/net/{tcp,tcp6,udp,udp6} 2>/dev/null | awk -v i="$inode" '$10 == i'
	done
}
pid=
while [ -z "$pid" ] && kill -0 $second 2>/dev/null; do # a busy host may have begun with the first alone
	pid=$(machines | head -n 1)
	sleep 0.1
done
ok "no port is open" [ -n "$pid" -a -z "$(inet_sockets "$pid")" ]
# It ran as long as the first one at least; each tick of its clock was a line of 40 bytes.
ok "Bochs' log does not grow" [ "$(stat -c %s "/proc/$pid/cwd/log")" -lt 4096 ]
kill -INT $second
wait $second
ok "^C: status 130" [ $? = 130 ]
ok "^C leaves nothing behind" none_left

mkdir -p "$work/b"
cp -r "$cache" "$work/b/gnomon" # all of it: which one is used is the tool's affair
for state in "$work"/b/gnomon/ept-host-*/state-1-3072.tar.zst; do
	dd if=/dev/zero of="$state" bs=1k seek=9000 count=64 conv=notrunc 2>/dev/null
done
# Making it takes a minute; here it ends at its first step.
XDG_CACHE_HOME=$work/b ok "a damaged state is to be made anew" both run_without xorriso $one true "package xorriso"
ok "a damaged state is called that" says "damaged"
echo "1..$tests"
exit $failed
