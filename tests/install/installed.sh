#!/bin/bash
# SPDX-License-Identifier: MIT
# usage: installed.sh BUILD MESON
# What `meson install` puts where, and that it works: from another directory, and after the prefix was moved. TAP.
# Without /dev/kvm what needs it is skipped, or fails with GNOMON_MUST_HAVE_KVM=1.
set -uo pipefail

n=0
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

check() { # NAME CMD...: runs CMD, which says why on failure
	local name=$1 said
	shift
	n=$((n + 1))
	if said=$("$@" 2>&1); then
		echo "ok $n - $name"
	else
		echo "not ok $n - $name"
		head -n 20 <<<"$said" | sed 's/^/# /'
	fi
}

kvm() { # NAME CMD...: as check
	if [ "${GNOMON_MUST_HAVE_KVM:-0}" = 1 ] || (: <>/dev/kvm) 2>/dev/null; then
		check "$@"
	else
		n=$((n + 1))
		echo "ok $n - $1 # SKIP no /dev/kvm"
	fi
}

install() { DESTDIR=$dir/stage "$2" install -C "$1" --no-rebuild --quiet; }
is_there() { # GLOB...: one file each, readable by all
	local file
	for file in "${@/#/$prefix/}"; do
		[ "$(stat -Lc %A "$file" | cut -c8)" = r ] || return 1
	done
}
# The section FILES has each of these, below the prefix.
named() { # PATH...
	local path
	for path in $(cd "$prefix" && ls -d "$@"); do
		sed -n '/^\.Sh FILES/,/^\.Sh EXIT/p' "$prefix/share/man/man1/gnomon.1" | grep -qF "$path" || { echo "not $path"; return 1; }
	done
}
# Each of the words is said, and nothing of a file that is missing.
bench() { # WORDS OPTION...
	local words=$1 said word
	shift
	said=$("$gnomon" bench --runs 1 "$@" 2>&1) || { echo "$said"; return 1; }
	for word in $words; do
		grep -q -- "$word" <<<"$said" || { echo "no $word in: $said"; return 1; }
	done
	! grep 'No such file\|cannot' <<<"$said"
}
hello() { [ "$("$gnomon" run "$1" -- hello)" = "$("$build/gnomon" run "$build/guest/kernel.elf" -- hello)" ]; }
own_kernel_comes_second() { (cd "$dir" && echo >kernel.elf && ! "$gnomon" run kernel.elf -- hello && rm kernel.elf); }
says_where() {
	rm "$prefix/libexec/gnomon/kernel.elf"
	! "$gnomon" bench 2>"$dir/said" && grep -F "$prefix/bin/../libexec/gnomon/kernel.elf" "$dir/said"
}
headers_stand_alone() {
	local header
	for header in "$prefix"/include/gnomon/*.h; do
		echo "#include <gnomon/${header##*/}>" | ${CC:-cc} -std=c11 -fsyntax-only -Wall -Werror -I "$prefix/include" -x c - || return
	done
}

build=$(realpath "$1")
prefix=$dir/stage/usr/local gnomon=$prefix/bin/gnomon
check "DESTDIR=... meson install" install "$build" "$2"
check "gnomon, executable" test -x "$gnomon"
check "guests and the shortest KVM program" is_there libexec/gnomon/{kernel.elf,cost.elf,counter.elf,signer.elf,shortest-kvm}
check "headers of the guest's contract" is_there include/gnomon/{abi,addr,enclave,enclave_image,virtio,x86}.h
check "each header stands alone" headers_stand_alone
check "manual page" is_there share/man/man1/gnomon.1
check "which names what is there" named libexec/gnomon/* include/gnomon
check "completion" is_there share/bash-completion/completions/gnomon
check "licence and documents" is_there share/doc/gnomon/{LICENSE,README.md,shadow.md,hosts.md,reclaim.md}
mkdir "$dir/moved" && mv "$prefix" "$dir/moved/there"
prefix=$dir/moved/there gnomon=$prefix/bin/gnomon
cd / || exit 1
check "--version" "$gnomon" --version
kvm "run: a guest by its path" hello "$prefix/libexec/gnomon/kernel.elf"
kvm "run: the kernel that comes with it" hello kernel.elf
kvm "run: not when there is such a file" own_kernel_comes_second
kvm "bench: the kernel and the shortest program" bench "shortest gnomon" --only startup
kvm "bench: the guest that counts costs" bench "floor nested" --only costs --paging nested
check "bench: what is missing, by its path" says_where
echo "1..$n"
