# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# For tools/test and tools/check, which run in the top of the tree: steps with a name and a time, and what they build.

logs=() broken=()
# The same in both, or each would configure build/ anew.
# shellcheck disable=SC2034 # they use it
gcc_options=(-Dwerror=true -Dtests=enabled)

# stage NAME CMD...: runs CMD, says how long it took, remembers whether it failed.
stage() {
	local name=$1 start=$SECONDS rc=0 how="done"
	shift
	echo "== $name"
	"$@" || rc=$? how=FAILED
	echo "== $name: $how after $((SECONDS - start)) s"
	return $rc
}

# configure DIR OPTION...: sets DIR up, or anew when the options are not those of the last time.
configure() {
	local dir=$1 how=() said
	shift
	if [ -s "$dir/build.ninja" ] && [ "$(cat "$dir/.tools-test" 2>/dev/null)" = "$*" ]; then
		return 0
	fi
	[ ! -f "$dir/meson-private/coredata.dat" ] || how=(--reconfigure)
	said=$(meson setup "${how[@]}" "$dir" "$@" 2>&1) || { echo "$said"; return 1; }
	echo "$*" >"$dir/.tools-test"
}

# build NAME DIR COMPILER OPTION...
build() {
	local name=$1 dir=$2 cc=$3
	shift 3
	CC=$cc stage "configure $dir ($name)" configure "$dir" "$@" &&
		stage "build $dir ($name)" ninja --quiet -C "$dir" && return
	broken+=("$dir ($name)")
	return 1
}

# prose: no line of text is wider than 120 columns, in Markdown or in the manual page. Tables and code blocks may be.
prose() {
	find . \( -name .git -o -path './build*' \) -prune -o \( -name '*.md' -o -path './docs/*.1' \) -exec awk '
		FNR == 1 { code = 0 }
		/^ *```/ { code = !code; next }
		!code && !/^\|/ && length > 120 { print FILENAME ":" FNR ": more than 120 columns"; wide = 1 }
		END { exit wide }' {} +
}

# A process for each file: with several in one, version 14 takes a va_list of the second for uninitialised.
# tidy CHECKS FILE...: clang-tidy by .clang-tidy and CHECKS on C files that build/ compiles. Its checks are those of one
# version.
tidy() {
	local checks=$1
	shift
	if ! clang-tidy --version | grep -q 'LLVM version 14\.'; then
		echo "clang-tidy is not version 14: left out"
		return 0
	fi
	printf '%s\0' "$@" | xargs -0 -P "$(nproc)" -n 1 clang-tidy --quiet -p build --checks="$checks" \
		2> >(grep -v 'warnings\? generated' >&2)
}

# suite NAME DIR TIMEOUT-FACTOR NOTE [OPTION...]: runs one suite; tools/test-summary counts from its log. Ten times each
# limit is for a busy machine (tests/stress/meson.build).
suite() {
	local name=$1 dir=$2 factor=$3 note=$4 log=$2/meson-logs/$1.json
	shift 4
	rm -f "$log" # or an old one would be counted when meson cannot start
	logs+=("$name ($note)=$log")
	stage "suite $name ($note)" meson test -C "$dir" --no-rebuild --suite "$name" --logbase "$name" -t $((10 * factor)) \
		--print-errorlogs "$@" || true
}
