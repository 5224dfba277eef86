#!/bin/bash
# SPDX-License-Identifier: MIT
# usage: completion.sh GNOMON SCRIPT
# What bash completes of gnomon's command lines, in TAP: subcommands, options, values, names in a list, files. Also
# protects what SCRIPT lists itself from getting out of date: each such word is in gnomon's help.
set -uo pipefail

gnomon=$(realpath "$1")
# shellcheck source=docs/gnomon.bash
. "$2"
n=0
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1
touch kernel.elf 'a file'
mkdir sub

check() { # NAME WANTED GOT
	n=$((n + 1))
	if [ "$2" = "$3" ]; then
		echo "ok $n - $1"
	else
		echo "not ok $n - $1"
		echo "# wanted: $2"
		echo "# got:    $3"
	fi
}

# completed LINE: what is offered for its last word, which ends with the line. Words as bash makes them: "=" is one.
completed() {
	local line=${1//=/ = }
	read -ra COMP_WORDS <<<"$line"
	case $line in *' ') [[ $1 == *= ]] || COMP_WORDS+=('') ;; esac
	COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
	_gnomon "$gnomon" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
	[ ${#COMPREPLY[@]} = 0 ] || printf '%s\n' "${COMPREPLY[@]}" | sort | paste -sd' '
}

check "it is registered for gnomon" "complete -F _gnomon gnomon" "$(complete -p gnomon)"
check "subcommands" "--help --version balloon bench compare ctl dedup diff enclave fingerprint host model run snapshot tables top walk" "$(completed 'gnomon ')"
check "subcommands by their beginning" "balloon bench" "$(completed 'gnomon b')"
for command in balloon bench compare ctl dedup diff fingerprint enclave 'enclave list' 'enclave measure' 'enclave verify' host model run 'snapshot diff' 'snapshot merge' 'snapshot restore' 'snapshot save' 'snapshot verify' snapshot tables top \
	walk; do
	# shellcheck disable=SC2086 # words
	wanted=$("$gnomon" $command --help | awk '/^  --/ { print $1 }' | sort | paste -sd' ')
	check "$command: every option" "$wanted" "$(completed "gnomon $command --")"
done
check "the actions of snapshot" "diff merge restore save verify" "$(completed 'gnomon snapshot ')"
check "one option" "--paging" "$(completed 'gnomon run --pag')"
check "paging modes" "auto nested shadow" "$(completed 'gnomon run --paging ')"
check "paging modes behind =" "auto nested shadow" "$(completed 'gnomon run --paging=')"
check "a paging mode behind =" "shadow" "$(completed 'gnomon run --paging=s')"
check "backings" "4k hugetlb1g hugetlb2m thp" "$(completed 'gnomon run --backing ')"
check "balloon's features" "deflate-on-oom free-page-reporting" "$(completed 'gnomon run --balloon ')"
wanted=$({ printf '%s\n' all none && "$gnomon" run --list-shadow-opts | awk '{ print $1 }'; } | sort | xargs)
check "shadow options" "$wanted" "$(completed 'gnomon run --shadow-opt ')"
check "the next name of a list" "flood,prefetch,promote" "$(completed 'gnomon run --shadow-opt flood,prefetch,prom')"
check "workloads" "ablation apps auto balloon chase costs enclave fork miss nano sharing startup switch walks" "$(completed 'gnomon bench --only ')"
check "workloads, a list" "chase,walks" "$(completed 'gnomon bench --only chase,w')"
check "bench's paging modes, a list" "nested,shadow" "$(completed 'gnomon bench --paging nested,s')"
check "a pattern of a list" "uniform,zipf" "$(completed 'gnomon model --pattern uniform,z')"
check "CPUs" "sapphire-rapids skylake-sp zen2 zen5" "$(completed 'gnomon model --cpu-model ')"
check "a design" "radix5" "$(completed 'gnomon model --designs radix5')"
check "a trace" "kernel.elf" "$(completed 'gnomon model --trace k')"
check "nothing for a number" "" "$(completed 'gnomon run --cpus ')"
check "an image" "kernel.elf" "$(completed 'gnomon run --paging shadow k')"
check "a file that an option names" "a file kernel.elf sub" "$(completed 'gnomon bench --json ')"
check "files, no options, behind an image" "" "$(completed 'gnomon run kernel.elf -- --')"
check "socket's commands" "quit" "$(completed 'gnomon ctl socket qui')"
check "a command's arguments" "gpa= size=" "$(completed 'gnomon ctl --timeout 3 socket reclaim ')"
check "an argument's values" "guest shadow stage2" "$(completed 'gnomon ctl socket dump-tables stage=')"
check "an argument's value" "shadow" "$(completed 'gnomon ctl socket dump-tables stage=sh')"
check "kinds of access" "r w x" "$(completed 'gnomon walk --access ')"
check "stages" "enclave guest shadow stage2" "$(completed 'gnomon tables --stage ')"
check "a file for a picture" "kernel.elf" "$(completed 'gnomon walk --svg k')"
check "a socket to walk at" "kernel.elf" "$(completed 'gnomon walk k')"
check "a result to compare" "kernel.elf" "$(completed 'gnomon compare --threshold 3 k')"
check "a socket" "kernel.elf" "$(completed 'gnomon top --interval 2 k')"

check "hashes" "blake2b xxh3" "$(completed 'gnomon fingerprint --hash ')"
check "two sockets" "kernel.elf" "$(completed 'gnomon diff --stop kernel.elf k')"

check "enclave's actions" "list measure verify" "$(completed 'gnomon enclave ')"
check "an enclave's file" "kernel.elf" "$(completed 'gnomon enclave measure --json k')"
check "a file that has a key" "kernel.elf" "$(completed 'gnomon enclave verify --key k')"
check "a report behind a key" "kernel.elf" "$(completed 'gnomon enclave verify --key 00 k')"

for option in "run --paging" "run --backing" "run --balloon" "bench --only" "bench --paging" "bench --pages" "bench --backing" "walk --access" "tables --stage" "fingerprint --hash" "diff --hash" "dedup --hash" "dedup --with" "model --pages" "model --host-pages"; do
	help=$("$gnomon" "${option% *}" --help)
	# shellcheck disable=SC2086 # words
	for word in $(_gnomon_values $option); do
		check "$option: the help has $word" yes "$(grep -qw -- "$word" <<<"$help" && echo yes)"
	done
done
echo "1..$n"
