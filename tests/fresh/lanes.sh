#!/bin/bash
# SPDX-License-Identifier: MIT
# usage: lanes.sh LANE, in a minimal root with the clone in ~/gnomon
# What a newcomer does, step by step: "ok - STEP" or "not ok - STEP" on stdout, all that the commands say on stderr.
# After a step that failed those that need it are left out.
set -uo pipefail
exec 3>&1 1>&2

step() { # NAME CMD...
	local name=$1 start=$SECONDS
	shift
	echo "== $name: $*"
	if "$@" </dev/null; then
		echo "ok - $name" >&3
		echo "== $((SECONDS - start)) s"
	else
		echo "not ok - $name" >&3
		echo "== FAILED: $name"
		return 1
	fi
}
lacks() { ! command -v "$1" && ! dpkg -s "$2" 2>/dev/null; }
says() { # WORDS CMD...: each word is in what CMD prints, and its status is 0
	local words=$1 word
	shift
	"$@" >/tmp/said || { cat /tmp/said; return 1; }
	cat /tmp/said
	for word in $words; do
		grep -q -- "$word" /tmp/said || { echo "no \"$word\" in it"; return 1; }
	done
}
build() { # DIR OPTION...
	meson setup "$@" >/tmp/said || { cat /tmp/said; return 1; }
	ninja --quiet -C "$1"
}
runs() { # GNOMON KERNEL: in both modes
	says hello "$1" run "$2" -- hello && says "smp" "$1" run --paging shadow --cpus 2 "$2" -- selftest
}
installs() {
	meson configure build -Dprefix=/opt/gnomon && meson install -C build && rm -rf build && mv /opt/gnomon /opt/moved
}
completes() { bash -c '. /opt/moved/share/bash-completion/completions/gnomon && complete -p gnomon'; }

newcomer() {
	step "a minimal root: no compiler" lacks cc gcc || return
	step "tools/demo, to its table" says "native nested shadow At" tools/demo || return
	cp /tmp/said /out/demo # README shows these
	step "README: run" says "ok" build/gnomon run build/guest/kernel.elf -- selftest
	cp /tmp/said /out/selftest
	step "README: host" says "Ready" build/gnomon host
	cp /tmp/said /out/host
	step "tools/demo installs nothing that only tests need" lacks spin libcriterion-dev
	says "passed" tools/test --quick
	step "tools/test --quick" grep -q '^[1-9][0-9]* passed, 0 failed' /tmp/said
	mkdir /out/quick
	cp -r build/meson-logs build/meson-info /out/quick/
	step "meson install" installs || return
	cd /
	step "installed: run" runs /opt/moved/bin/gnomon kernel.elf
	step "installed: bench" says "gnomon shortest" /opt/moved/bin/gnomon bench --only startup --runs 1
	step "installed: bench, the other guest" says "nested shadow floor" /opt/moved/bin/gnomon bench --only costs --runs 1
	step "installed: manual page" grep -q GNOMON /opt/moved/share/man/man1/gnomon.1
	step "installed: completion" completes
}
next() {
	step "$(. /etc/os-release && echo "$VERSION_CODENAME"): tools/setup build" tools/setup build || return
	apt-get -qq install -y --no-install-recommends libcriterion-dev >/dev/null
	step "next release: build, warnings are errors" build build -Dwerror=true -Dtests=enabled || return
	step "next release: run" runs build/gnomon build/guest/kernel.elf
	step "next release: unit tests" meson test -C build --no-rebuild --suite unit --print-errorlogs
}
clang() {
	step "clang: packages" sh -c "tools/setup build && apt-get -qq install -y --no-install-recommends clang >/dev/null" || return
	CC=clang step "clang: build, warnings are errors" build build -Dwerror=true || return
	step "clang: run" runs build/gnomon build/guest/kernel.elf
}

cd ~/gnomon && "$1"
exit 0
