# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034 # what is set here and read by who sources this
# What tools/npt-host and tools/ept-host share: options, the kernel they run, the files that go into the machine, its
# time limit and its end. Each sets `name`, reads its own options with the help of read_option(), and then has
#
#   machine_is_ready    whether $machine has all that is needed
#   prepare_machine     fills $machine, a directory that appears as one step
#   start_machine PID   starts the emulator, writes its process's number into the variable PID
#
# The machine writes the command's stdout, stderr and exit status into files of these names in $dir, its console into
# $dir/console, and a byte a second into $dir/beat: its sign of life.

: "${name:?}"
emulated=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# A descriptor that the caller closed is one that nothing can be written to, not the next file that is opened.
[ -e /proc/self/fd/1 ] || exec >/dev/full
[ -e /proc/self/fd/2 ] || exec 2>/dev/null
cache=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/gnomon
limit=300 tries=1 cpus=2 memory='' prepare=0 files=()
busybox=$(type -P busybox) || true

# The part of --help that is the same for both.
common_usage() {
	cat <<END
  --timeout S  stop the machine after S seconds (default 300), less those in which it waited for a CPU of
               this host: a sentence and exit status 124
  --tries N    when the machine itself dies, start it anew, N times in all (default 1); CMD's output comes
               at its end then, that of the last time only
  --cpus N     processors of the machine (default 2)
  --memory M   its memory in MiB, at least $least_memory (default $1)
  --file F     put F, a file or a directory, into the machine, too; of a directory, what is neither a file nor
               a directory and no link to one is left out
  --prepare    only make ready what is kept in \${XDG_CACHE_HOME:-~/.cache}/gnomon, run nothing

Into the machine go CMD and every ARG that names a file, with their shared libraries, each under its
own path; CMD starts in the same directory. Files it writes stay there (use /dev/stdout). Variables
GNOMON_*, ASAN_OPTIONS and UBSAN_OPTIONS are handed on. Exit status: CMD's (128+n after signal n),
124 after the time limit, 125 when the machine could not be started or died and when CMD's output cannot
be written, 141 when its reader went away, 127 when CMD is missing.
END
}

say() { echo "$name: $*" >&2; }
die() {
	say "$*"
	exit 125
}

number() { [[ $2 =~ ^[1-9][0-9]{0,8}$ ]] || die "$1 wants a positive number, not \"$2\""; }

# read_option ARG...: takes one option that both have, and leaves in $taken how many words that was; 0: it is another
# one.
read_option() {
	taken=2
	case $1 in
	--prepare) prepare=1 taken=1; return ;;
	--timeout | --tries | --cpus | --memory | --file) [ $# -gt 1 ] || die "$1 wants a value; see --help" ;;
	esac
	case $1 in
	--timeout) number "$1" "$2"; limit=$2 ;;
	--tries) number "$1" "$2"; tries=$2 ;;
	--cpus) number "$1" "$2"; cpus=$2 ;;
	--memory) number "$1" "$2"; memory=$2 ;;
	--file) [ -e "$2" ] || die "--file $2: no such file"; files+=("$2") ;;
	*) taken=0 ;;
	esac
}

least_memory=128 # MiB: with less the kernel does not come up, and does not say so
check_memory() { [ "$memory" -ge $least_memory ] || die "--memory: at least $least_memory"; }

# need TOOL PACKAGE...: each tool with the Debian package that has it.
need() {
	local missing=()
	while [ $# -gt 0 ]; do
		PATH=$PATH:/usr/sbin:/sbin command -v "$1" >/dev/null || missing+=("$1 (package $2)")
		shift 2
	done
	[ ${#missing[@]} = 0 ] || die "missing: $(printf '%s, ' "${missing[@]}" | sed 's/, $//'); run tools/setup ${name%-host}"
}

# $dir is removed and the machine stopped however this ends. After a SIGKILL the next call removes it: nobody has the
# lock on the file `alive` then.
remove_dead() {
	local old
	for old in "${TMPDIR:-/tmp}/$name".??????; do
		[ ! -O "$old/alive" ] || flock -n "$old/alive" rm -rf "$old" || true
	done
}

children=()
make_dir() {
	dir=$(mktemp -d "${TMPDIR:-/tmp}/$name.XXXXXX" 2>/dev/null) && dir=$(realpath "$dir") || die "cannot make a directory in ${TMPDIR:-/tmp}"
	trap cleanup EXIT
	exec {alive}>"$dir/alive.new"
	flock "$alive"
	mv "$dir/alive.new" "$dir/alive"
	remove_dead
	trap 'exit 130' INT
	trap 'exit 143' TERM
	trap 'exit 129' HUP
}
# shellcheck disable=SC2317 # called by the trap
cleanup() {
	trap '' INT TERM HUP
	[ ${#children[@]} = 0 ] || kill "${children[@]}" 2>/dev/null || true
	wait
	rm -rf "$dir" ${new:+"$new"}
}

# In $kernel: vmlinuz, modules/ and version of Debian's cloud kernel. Fetched once; for the caller who holds the lock.
kernel=$cache/kernel-1
kernel_modules="kernel/drivers/virtio/virtio kernel/drivers/virtio/virtio_ring kernel/drivers/virtio/virtio_pci_modern_dev
	kernel/drivers/virtio/virtio_pci_legacy_dev kernel/drivers/virtio/virtio_pci kernel/drivers/char/virtio_console
	kernel/virt/lib/irqbypass kernel/arch/x86/kvm/kvm kernel/arch/x86/kvm/kvm-amd kernel/arch/x86/kvm/kvm-intel"
# A module that is not there is part of that kernel. Debian 13 packs them.
copy_module() {
	if [ -f "$1.xz" ]; then
		"$busybox" xzcat "$1.xz" >"$2"
	elif [ -f "$1" ]; then
		cp "$1" "$2"
	fi
}

# seal DIR: notes what its files are. is_whole DIR: they are that still; a host that lost power can leave empty ones.
seal() { (cd "$1" && find . -type f ! -name 'sums*' -exec sha256sum {} + >sums.$$ && mv sums.$$ sums) 2>/dev/null; }
is_whole() { (cd "$1" && sha256sum --status -c sums) 2>/dev/null; }

kernel_is_whole() {
	# Without sums: an older tool left it.
	[ ! -f "$kernel/version" ] || [ -f "$kernel/sums" ] || seal "$kernel" || true
	is_whole "$kernel"
}

fetch_kernel() {
	local package release modules m apt=(apt-get -qq)
	! kernel_is_whole || return 0
	[ ! -d "$kernel" ] || say "the kernel in $cache is damaged: it is fetched anew"
	[ "$(id -u)" != 0 ] || apt+=(-o APT::Sandbox::User=root)
	command -v apt-get >/dev/null || die "no apt-get here: the machine's kernel is a Debian package"
	say "fetching Debian's cloud kernel (27 MB, once) into $cache"
	cloud_kernel() { apt-cache depends linux-image-cloud-amd64 | awk '$1 == "Depends:" && $2 ~ /^linux-image-/ { print $2 }'; }
	download() { package=$(cloud_kernel) && [ -n "$package" ] && (cd "$dir" && "${apt[@]}" download "$package"); }
	if ! download 2>/dev/null; then # the package lists are missing or old
		[ "$(id -u)" = 0 ] || die "cannot download linux-image-cloud-amd64: run \"sudo apt-get update\" and try again"
		"${apt[@]}" update || true
		download || die "cannot download linux-image-cloud-amd64: is there a network, and Debian in apt's sources?"
	fi
	dpkg -x "$dir"/linux-image-*.deb "$dir/kernel" || die "cannot unpack the kernel: is ${TMPDIR:-/tmp} full?"
	modules=$(find "$dir/kernel" -type d -path '*lib/modules/*' -prune) # Debian 13 has them below usr
	release=${modules##*/}
	new=$kernel.new.$$
	mkdir -p "$new/modules"
	for m in $kernel_modules; do
		copy_module "$modules/$m.ko" "$new/modules/${m##*/}.ko" || die "cannot write to $cache: is it full?"
	done
	cp "$dir/kernel/boot/vmlinuz-$release" "$new/vmlinuz" && echo "$release" >"$new/version" && seal "$new" ||
		die "cannot write to $cache: is it full?"
	rm -rf "$kernel" "$dir/kernel" "$dir"/*.deb
	mv -T "$new" "$kernel"
	new=
}

# fingerprint FILE...: what a machine is made of, in a few letters: these files, and all that make_base() puts into it.
fingerprint() {
	{
		cat "$@" "$emulated/host.sh" "$emulated/keep_open.c" "$busybox" "$(cc -print-file-name=libc.a)" "$kernel/version" \
			2>/dev/null || true
		sort "$kernel/sums" 2>/dev/null || true
	} | sha256sum | cut -c 1-16
}

# Machines that were made of something else, and that nobody used for two days.
remove_old_machines() {
	find "$cache" -maxdepth 1 -name "$name-*" -type d -mtime +2 -exec rm -rf {} +
}

# make_base TREE MODULE...: the first files of a machine: busybox with all its applets, and these modules in /.machine.
make_base() {
	local tree=$1 applet m
	shift
	if [ -z "$busybox" ] || ldd "$busybox" >/dev/null 2>&1; then
		die "busybox is not the static one (package busybox-static): run tools/setup ${name%-host}"
	fi
	mkdir -p "$tree/.machine" "$tree"/{bin,sbin,dev,proc,sys,root,tmp}
	chmod 1777 "$tree/tmp"
	for m; do
		[ ! -f "$kernel/modules/$m.ko" ] || cp "$kernel/modules/$m.ko" "$tree/.machine/"
	done
	cp "$busybox" "$tree/bin/busybox"
	"$busybox" --list | while read -r applet; do
		[ "$applet" = busybox ] || ln -s busybox "$tree/bin/$applet"
	done
	compile "$tree/.machine/keep_open" -static "$emulated/keep_open.c"
}

# compile OUT OPTION... SOURCE...
compile() {
	cc -O2 -Wall -o "$@" || die "cannot build ${*: -1}"
}

# pack DIR: a cpio archive of what is in the directory.
pack() { (cd "$1" && find . -mindepth 1 | cpio --quiet -o -H newc -R 0:0); }

# Calls prepare_machine, one process at a time, unless machine_is_ready: nobody needs to write to a whole cache.
make_ready() {
	local lock
	! machine_is_ready || return 0
	{ mkdir -p "$cache" && exec {lock}>"$cache/emulated.lock"; } 2>/dev/null || die "cannot write to $cache"
	flock -n $lock || {
		say "waiting for another one that makes a machine ready"
		flock $lock
	}
	prepare_machine
	exec {lock}>&-
}

# "'" is the one character that '...' cannot hold.
quote() { printf "'%s' " "${1//\'/\'\\\'\'}"; }

# Prints path and the directories above it, without the leading slash, each ended by NUL.
with_parents() {
	local path
	path=$(realpath -ms -- "$1") path=${path#/}
	[ -n "$path" ] || return 0
	local up=$path
	while [[ $up == */* ]]; do up=${up%/*}; printf '%s\0' "$up"; done
	printf '%s\0' "$path"
}

# Prints everything that the command needs in the machine, as cpio wants it.
list_files() {
	local f lib
	with_parents "$PWD"
	for f in "$@"; do
		[ -e "$f" ] || continue
		case $(realpath -ms -- "$f") in /dev* | /proc* | /sys* | /) continue ;; esac
		with_parents "$f"
		[ ! -d "$f" ] || find -L "$(realpath -ms -- "$f")" -mindepth 1 \( -type f -o -type d \) -printf '%p\0' | sed -z 's,^/,,'
	done
}

# list_libraries PROGRAM...: what the loader will ask for; and what gnomon itself loads when shadow paging starts, being
# static or not.
list_libraries() {
	local f lib zydis
	zydis=$(PATH=$PATH:/sbin ldconfig -p | awk '$1 ~ /^libZydis\.so\.4\./ { print $NF }')
	{
		for f; do [ ! -x "$f" ] || ldd "$f" 2>/dev/null || true; done
		for lib in $zydis; do ldd "$lib" && echo "$lib" && echo "${lib%/*}/ld-linux-x86-64.so.2"; done
	} | grep -o '/[^ ]*' | sort -u | while read -r lib; do
		[ ! -f "$lib" ] || with_parents "$lib"
	done || true
}

# find_command ARG...: $command is the file. Before a machine is made ready, which takes a while.
find_command() {
	[ $# != 0 ] || return 0
	command=$(type -P -- "$1") && [ -f "$command" ] || { say "$1: no such command"; exit 127; }
}

# write_command ARG...: $dir/files gets an archive of what the command needs, with /.machine/run that starts it, and
# what the caller has put into $dir/run.
write_command() {
	local arg variable inside=("$command")
	for arg in "${@:2}"; do
		[ ! -f "$arg" ] || inside+=("$arg")
	done
	mkdir -p "$dir/run/.machine"
	{
		for variable in $(compgen -e | grep -E '^(GNOMON_.*|ASAN_OPTIONS|UBSAN_OPTIONS)$'); do
			echo "export $variable=$(quote "${!variable}")"
		done
		echo "cd $(quote "$PWD") || exit 125"
		echo -n "exec " # so that it is the shell above that reports a signal
		for arg in "$command" "${@:2}"; do quote "$arg"; done
		echo
	} >"$dir/run/.machine/run"
	# One archive, for a reader who stops at the end of the first.
	{
		{ list_files "${inside[@]}" "${files[@]}"; list_libraries "${inside[@]}"; } | (cd / && sort -zu | cpio --quiet -0 -o -L -H newc -R 0:0) >"$dir/files" &&
			(cd "$dir/run" && find . -mindepth 1 | cpio --quiet -o -A -F "$dir/files" -H newc -R 0:0)
	} || die "cannot write the machine's files: is ${TMPDIR:-/tmp} full?"
}

# show_end LINES: the last words of the machine's kernel, as text: from where it panicked, if it did. The emulator's when
# the kernel said nothing; those of Bochs' debugger say nothing either. And what Bochs itself gave up over.
show_end() {
	local file=console
	if [ -s "$dir/log" ]; then
		echo "-- log:"
		tail -n 3 "$dir/log" | tr -cd '[:print:]\n\t' | cut -c 1-200
	fi >&2
	[ -s "$dir/console" ] || file=emulator
	[ -s "$dir/$file" ] || return 0
	{
		echo "-- $file:"
		tr -cd '[:print:]\n\t' <"$dir/$file" | grep -vE '^(\([0-9]+\)|<bochs|Next at t=)' | cut -c 1-200 | awk -v lines="$1" '
			/Kernel panic|BUG:|Oops/ { panic = NR }
			{ line[NR] = $0 }
			END {
				first = panic ? panic : NR - lines + 1
				for (i = first; i < first + lines; i++)
					if (i in line)
						print line[i]
			}' || true
	} >&2
}

# Seconds for which the host's scheduler let a thread of the process wait for a CPU, of the one that waited longest.
waited() {
	local task delay longest=0
	for task in /proc/"$1"/task/*/schedstat; do
		read -r _ delay _ 2>/dev/null <"$task" || continue
		[ "$delay" -le $longest ] || longest=$delay
	done
	echo $((longest / 1000000000))
}

# Whether one that passes the output on is gone: it could not write.
relays=()
relay_gone() {
	local relay
	for relay in "${relays[@]}"; do
		kill -0 "$relay" 2>/dev/null || return 0
	done
	return 1
}

# watch PID [LIMIT SILENCE]: stops the machine after the time limit, when its sign of life stays away for half a minute,
# and when nobody takes its output. The first two count the seconds that the machine was given: on a busy host those are fewer than went by.
watch() {
	local limit=${2:-$limit} silence=${3:-30}
	local start=$SECONDS size=-1 now quiet=0 given=0 before
	while kill -0 "$1" 2>/dev/null; do
		timeout 3 tail -f -s 0.2 --pid="$1" /dev/null 2>/dev/null || true
		before=$given
		given=$((SECONDS - start - $(waited "$1")))
		now=$(stat -c %s "$dir/beat" 2>/dev/null || echo 0)
		if [ "$now" = "$size" ]; then quiet=$((quiet + given - before)); else quiet=0; fi
		size=$now
		[ $given -lt "$limit" ] || echo "$given" >"$dir/overtime"
		if [ -f "$dir/overtime" ] || [ $quiet -ge $silence ] || relay_gone; then
			kill "$1" 2>/dev/null || true
			timeout 5 tail -f -s 0.2 --pid="$1" /dev/null 2>/dev/null || true
			kill -KILL "$1" 2>/dev/null || true
			return
		fi
	done
}

progress() {
	sleep 2
	while [ ! -s "$dir/stdout" ] && [ ! -s "$dir/stderr" ]; do
		printf '\r%s: %d s in the emulated machine \033[K' "$name" $SECONDS >&2
		sleep 1
	done
	printf '\r\033[K' >&2
}

# output_lost STATUS: who wrote the output ended with that. A reader that went away ends us as it would end CMD.
output_lost() {
	[ "$1" != 141 ] || exit 141
	die "the command's output cannot be written: is the disk full, or stdout closed?"
}

# Runs the machine once; its end is in $ended.
run_machine() {
	local pid relay watcher
	relays=()
	rm -f "$dir/status" "$dir/beat" "$dir/overtime"
	: >"$dir/stdout"
	: >"$dir/stderr"
	: >"$dir/console"
	children=()
	start_machine pid
	children+=("$pid")
	if [ "$tries" = 1 ]; then
		setpriv --pdeathsig TERM tail -c +1 -f -s 0.05 --pid="$pid" "$dir/stdout" 2>/dev/null &
		relays+=($!)
		setpriv --pdeathsig TERM tail -c +1 -f -s 0.05 --pid="$pid" "$dir/stderr" >&2 2>/dev/null &
		relays+=($!)
	fi
	watch "$pid" {alive}>&- & # it may outlive us for some seconds
	watcher=$!
	children+=("$watcher" "${relays[@]}")
	if [ -t 2 ]; then
		SECONDS=0
		progress &
		children+=($!)
	fi
	ended=0
	wait "$pid" || ended=$?
	[ ! -f "$dir/overtime" ] || ended=124
	wait "$watcher" || true
	for relay in "${relays[@]}"; do wait "$relay" || output_lost $?; done
	[ ! -t 2 ] || [ -s "$dir/stdout" ] || [ -s "$dir/stderr" ] || printf '\r\033[K' >&2
}

# Runs it until the command has ended, and exits as the command did.
run_to_the_end() {
	local try
	for ((try = 1; try <= tries; try++)); do
		run_machine
		if [ -s "$dir/status" ] || [ "$ended" = 124 ] || [ $try = "$tries" ]; then
			break
		fi
		say "the machine died, starting it anew; the end of its console:"
		show_end 5
	done
	if [ "$tries" != 1 ]; then
		cat "$dir/stdout" 2>/dev/null || output_lost $?
		cat "$dir/stderr" 2>/dev/null >&2 || output_lost $?
	fi
	if [ -s "$dir/status" ]; then
		exit "$(cat "$dir/status")"
	fi
	if [ "$ended" = 124 ]; then
		say "stopped after the time limit of $limit s"
		exit 124
	fi
	say "the machine ended without a result (the emulator's status $ended); the end of its console:"
	show_end 20
	exit 125
}
