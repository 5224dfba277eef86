# SPDX-License-Identifier: MIT
# bash completion of gnomon. What there is comes from gnomon's own help; only the words for values are listed here.

# _gnomon_values COMMAND OPTION: the words that its value is made of.
_gnomon_values() {
	case "$1 $2" in
	"run --paging") echo nested shadow auto ;;
	"bench --paging") echo nested shadow ;;
	"fingerprint --hash" | "diff --hash" | "dedup --hash") echo blake2b xxh3 ;;
	"dedup --with") echo gnomon ksm ;;
	"bench --pages" | "model --pages" | "model --host-pages") echo 4k 2m 1g ;;
	"run --backing" | "bench --backing") echo 4k thp hugetlb2m hugetlb1g ;;
	"walk --access") echo r w x ;;
	"tables --stage") echo guest stage2 shadow enclave ;;
	"run --balloon") echo deflate-on-oom free-page-reporting ;;
	"run --shadow-opt") echo all none && "$gnomon" run --list-shadow-opts 2>/dev/null | awk '{ print $1 }' ;;
	"model --designs") "$gnomon" model --list 2>/dev/null | awk '$2 == "design:" { print $1 }' ;;
	"model --pattern") "$gnomon" model --list 2>/dev/null | awk '$2 == "pattern:" { print $1 }' ;;
	"model --cpu-model") "$gnomon" model --list 2>/dev/null | awk '$2 == "CPU" { print $1 }' ;;
	"bench --only") "$gnomon" bench --help 2>/dev/null | sed -n '/^Workloads:$/,/^$/s/^  \([^ ]*\).*/\1/p' ;;
	esac
}

# _gnomon_offer WORDS: those that begin with $cur. With $list they are more of the names that $cur has, by commas.
_gnomon_offer() {
	local had=
	if [ -n "$list" ]; then
		[[ $cur != *,* ]] || had=${cur%,*},
		compopt -o nospace 2>/dev/null
	fi
	mapfile -t COMPREPLY < <(compgen -P "$had" -W "$1" -- "${cur#"$had"}")
}

_gnomon_files() {
	compopt -o filenames 2>/dev/null
	mapfile -t COMPREPLY < <(compgen -f -- "$cur")
}

# _gnomon_value COMMAND OPTION KIND: KIND is the word behind OPTION in the help.
_gnomon_value() {
	local list=
	case $3 in
	LIST) list=1 ;;
	FILE | OLD | PATH | KERNEL | HEX | DIR | SOCKET) _gnomon_files; return ;;
	esac
	_gnomon_offer "$(_gnomon_values "$1" "$2")"
}

# _gnomon_ctl COMMAND KEY: of the socket's commands their arguments, or what argument KEY may be.
_gnomon_ctl() {
	local list='' args
	args=$(awk -v wanted="$1" '/^  [a-z]/ { on = $1 == wanted } on && /^   .*=/' <<<"$help")
	if [ -n "$2" ]; then
		_gnomon_offer "$(sed -n "s/^ *$2=[^:]*: *//p" <<<"$args" | tr -d ,)"
	else
		compopt -o nospace 2>/dev/null
		_gnomon_offer "$(grep -o "^ *[^=]*=" <<<"$args")"
	fi
}

_gnomon() {
	local gnomon=${1/#\~/$HOME} cur=$2 prev=$3 command=${COMP_WORDS[1]} list='' help options kind word i action='' operands=()

	COMPREPLY=()
	if [ "$COMP_CWORD" = 1 ]; then
		_gnomon_offer "$("$gnomon" --help 2>/dev/null | awk '/^  [a-z]/ { print $1 }') --help --version"
		return
	fi
	# The actions of enclave and snapshot have options of their own.
	[[ $command != @(enclave|snapshot) ]] || [ "$COMP_CWORD" = 2 ] || action=${COMP_WORDS[2]}
	help=$("$gnomon" "$command" ${action:+"$action"} --help 2>/dev/null) || return
	# "--name" or "--name KIND" a line.
	options=$(grep -Eo '^  --[a-z0-9-]+( [A-Z]+)?' <<<"$help")
	kind() { awk -v option="$1" '$1 == option { print $2 }' <<<"$options"; }

	# bash makes three words of --name=value.
	[ "$prev" != = ] || prev=${COMP_WORDS[COMP_CWORD - 2]}
	[ "$cur" != = ] || cur=
	for ((i = ${action:+1} + 2; i < COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		case $word in
		--) break ;;
		--*) [ -z "$(kind "$word")" ] || [ "${COMP_WORDS[i + 1]}" = = ] || ((i++)) ;;
		=) ((i++)) ;;
		*) operands+=("$word") ;;
		esac
	done

	kind=$(kind "$prev")
	if [ -n "$kind" ] && [ ${#operands[@]} = 0 ]; then
		_gnomon_value "$command" "$prev" "$kind"
	elif [[ $cur == -* ]] && { [ "$command" != run ] || [ ${#operands[@]} = 0 ]; }; then
		_gnomon_offer "$(awk '{ print $1 }' <<<"$options")"
	elif [[ $command$action == @(enclave|snapshot) ]] || { [ "$command" = ctl ] && [ ${#operands[@]} = 1 ]; }; then
		_gnomon_offer "$(awk '/^  [a-z]/ { print $1 }' <<<"$help")"
	elif [ "$command" = ctl ] && [ ${#operands[@]} -gt 1 ]; then
		word=
		[ "${COMP_WORDS[COMP_CWORD]}" != = ] && [ "${COMP_WORDS[COMP_CWORD - 1]}" != = ] || word=$prev
		_gnomon_ctl "${operands[1]}" "$word"
	elif [ "$command" != host ] && [ "$command" != bench ] && [ "$command" != model ]; then
		_gnomon_files
	fi
}

complete -F _gnomon gnomon
