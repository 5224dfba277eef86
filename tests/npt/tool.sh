#!/bin/bash
# SPDX-License-Identifier: MIT
# What tools/npt-host and tools/ept-host share does what --help says, also with bad input and on a bad host. No machine
# is started: a script stands in QEMU's place and does what a machine may do. TAP. usage: tool.sh NPT-HOST EPT-HOST
set -uo pipefail
host=$1 twin=$2
if ! command -v busybox >/dev/null || ! command -v cpio >/dev/null || ! command -v cc >/dev/null; then
	echo "1..0 # SKIP busybox-static, cpio or gcc is missing"
	exit 0
fi
# shellcheck source=tests/tool_tap.sh
. "$(dirname "${BASH_SOURCE[0]}")/../tool_tap.sh"

run() { ends "$1" timeout 900 "${@:2}"; } # run STATUS CMD...; the limit is for what hangs
machine() { # machine SCRIPT: what the next machines do; they start in the directory that has their files
	printf '#!/bin/bash\n%s\n' "$1" >"$work/bin/qemu-system-x86_64"
	chmod 755 "$work/bin/qemu-system-x86_64"
}

remains() { compgen -G "$work/tmp/*"; }

mkdir -p "$work"/{bin,tmp,cache/gnomon/kernel-1/modules}
echo 6.1 >"$work/cache/gnomon/kernel-1/version"
echo kernel >"$work/cache/gnomon/kernel-1/vmlinuz"
export TMPDIR=$work/tmp XDG_CACHE_HOME=$work/cache PATH=$work/bin:$PATH

machine 'echo out >stdout; echo err >stderr; echo 7 >status'
ok "output, errors and status come back" both run 7 "$host" true '^err$'
ok "output" [ "$(cat "$work/out")" = out ]

to_full() { "$host" "$@" true >/dev/full; }
closed() { "$host" "$@" true >&-; }
export -f to_full closed
export host
ok "output to a full disk: 125" both run 125 bash -c to_full "cannot be written"
ok "the same at the end" both run 125 bash -c 'to_full --tries 2' "cannot be written"
ok "output to a closed stdout: 125" both run 125 bash -c closed "cannot be written"
machine 'echo 7 >status'
ok "nothing written to a closed stdout: the command's status" run 7 bash -c closed
machine 'while echo y; do sleep 0.01; done >>stdout'
# shellcheck disable=SC2016 # the inner shell's
ok "a reader that goes away ends the machine" run 141 bash -c '"$host" yes | head -n 2; exit ${PIPESTATUS[0]}'
ok "nothing is left behind" [ -z "$(remains)" ]

machine 'touch ../../started; exec sleep 1000'
"$host" true 2>/dev/null &
killed=$!
until [ -f "$work/started" ]; do sleep 0.1; done
machine 'printf "%s\n" early "Kernel panic - not syncing: why" {1..30} >console; echo noise'
ok "the temporary directory of one that lives stays" run 125 "$host" true
ok "a panic is shown from its first line" grep -q "Kernel panic - not syncing: why" "$work/err"
ok "... without what came before, or the emulator's lines" eval '! grep -qE "early|noise" "$work/err"'
machine 'echo noise'
ok "a console that is empty: the emulator's lines" both run 125 "$host" true noise
ok "..." [ "$(remains | wc -l)" = 1 ]
kill -KILL $killed
wait $killed 2>/dev/null
removed() { # its machine and who watched it may hold the directory a little longer
	for _ in $(seq 600); do
		run 125 "$host" true || return
		[ -n "$(remains)" ] || return 0
		sleep 0.1
	done
	return 1
}
ok "that of one that was killed is removed" removed

machine 'echo 0 >status'
for name in npt ept; do
	[ $name = npt ] && tool=$host || tool=$twin
	XDG_CACHE_HOME=$work/none ok "$name: a command that is not there: 127, and nothing is made ready" \
		both run 127 "$tool" no-such-command "no such command"
	ok "$name: ... nor a cache made" [ ! -e "$work/none" ]
	ok "$name: too little memory" both run 125 "$tool" --memory 127 true "at least 128"
	ok "$name: too many processors" both run 125 "$tool" --cpus 1000 true "at most"
done
: >"$work/file"
XDG_CACHE_HOME=$work/file ok "a cache that cannot be made: 125" both run 125 "$host" true "cannot write to $work/file"
base=$(compgen -G "$work/cache/gnomon/npt-host-*/base.cpio")
: >"$base"
ok "a damaged machine is made anew" run 0 "$host" true
ok "... whole" [ -s "$base" ]
exec 9>"$work/cache/gnomon/emulated.lock"
flock 9
ok "whole, it is used while somebody else makes one ready" run 0 "$host" true
: >"$base"
"$host" true 2>"$work/err" 9>&- &
waits=$!
until says "waiting for another" || ! kill -0 $waits 2>/dev/null; do sleep 0.1; done
ok "else it says that it waits" says "waiting for another"
exec 9>&-
wait $waits
ok "until it can" [ $? = 0 ]
ok "whole again" run 0 "$host" true
# With other words in its end, not in what it does.
other_busybox() { cp "$busybox" "$work/bin/busybox" && echo "$1" >>"$work/bin/busybox"; }
busybox=$(type -P busybox)
other_busybox other
ok "another busybox: another machine" run 0 "$host" true
ok "... beside the first" [ "$(compgen -G "$work/cache/gnomon/npt-host-*/base.cpio" | wc -l)" = 2 ]

# Bochs' part is played by a script, too: its state holds no machine.
bochs() { # bochs VERSION SCRIPT: what it is, and what the next machines do
	cat >"$work/bin/bochs-bin" <<END
#!/bin/bash
if [ "\$1" = --help ]; then
	echo "Bochs x86 Emulator $1"
	[ ! -v EPT_LOADED ] || : >"\$EPT_LOADED"
elif [ -v EPT_SAVE ]; then
	touch "\$EPT_SAVE"/{config,logopts}
	echo made >>"$work/states"
else
	$2
fi
END
	chmod 755 "$work/bin/bochs-bin"
}
states() { wc -l <"$work/states"; }
if [ -f /usr/share/bochs/BIOS-bochs-latest ] && [ -f /usr/share/bochs/VGABIOS-lgpl-latest ] &&
	[ -d /usr/lib/grub/i386-pc ] && command -v xorriso mformat zstd >/dev/null; then
	printf '#!/bin/bash\n: >iso\n' >"$work/bin/grub-mkrescue"
	chmod 755 "$work/bin/grub-mkrescue"
	bochs 2.7 'echo 0 >status'
	ok "ept: a state is made" run 0 "$twin" true
	ok "ept: Bochs 2.7 has the counter: nothing is said of it" eval '! says counter'
	ok "ept: the state is used again" eval 'run 0 "$twin" true && [ "$(states)" = 1 ]'
	other_busybox "yet another"
	ok "ept: another busybox: the state is made anew" eval 'run 0 "$twin" true && [ "$(states)" = 2 ]'
	bochs 2.7 'echo "p[CPU0  ] >>PANIC<< why" >log; exit 1'
	ok "ept: what Bochs gave up over is shown" both run 125 "$twin" true ">>PANIC<< why"
	bochs 3.0 'grep -aq "GNOMON_WALK_COUNTER=.0" files && echo 0 >status'
	ok "ept: another Bochs lacks the counter, and that is said" both run 0 "$twin" true "Bochs is 3.0: without the walk counter"
else
	tests=$((tests + 1))
	echo "ok $tests - ept: states # SKIP Bochs, GRUB or xorriso is missing"
fi
: >"$work/cache/gnomon/kernel-1/vmlinuz"
printf '#!/bin/sh\nexit 1\n' >"$work/bin/apt-get"
chmod 755 "$work/bin/apt-get"
ok "a damaged kernel is fetched anew" both run 125 "$host" true "is damaged"
echo "1..$tests"
exit $failed
