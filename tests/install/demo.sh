#!/bin/bash
# SPDX-License-Identifier: MIT
# usage: demo.sh DEMO STAGES
# tools/demo, and what tools/test configures with, on a small project in place of Gnomon, in TAP: a directory whose
# configuration was cut off is configured again, and what cannot be mended is said.
# shellcheck disable=SC2317,SC2034 # functions are called by ok; stages.sh uses gcc_options
set -uo pipefail
here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
# shellcheck source=tests/tool_tap.sh
. "$here/../tool_tap.sh"
demo=$(realpath "$1") stages=$(realpath "$2")
cd "$work" || exit 1

mkdir tools
cp "$demo" tools/demo
printf '#!/bin/sh\n' >tools/setup
printf '#!/bin/sh\nshift 4\nexec "$@"\n' >tools/npt-host # where there is no /dev/kvm: --timeout N --file DIR
chmod +x tools/*
echo 'int puts(const char *); int main(void) { return puts("the table") < 0; }' >main.c
printf "project('small', 'c')\nexecutable('gnomon', 'main.c')\n" >meson.build

shows() { ends 0 tools/demo && grep -q "the table" "$work/out"; }
configures() { # with the options that it had
	bash -c ". '$stages'; configure build -Dwerror=true && ninja --quiet -C build" >"$work/out" 2>"$work/err"
}

ok "the first time" shows
ok "again" shows
: >build/build.ninja
rm build/gnomon
ok "an empty build.ninja" shows
rm build/build.ninja build/gnomon
ok "none" shows
rm -r build/meson-private build/gnomon
: >build/build.ninja
ok "and nothing of meson's" shows
echo "not ninja's" >build/build.ninja
ok "what ninja cannot read is said" both ends 1 tools/demo "ninja: error"
rm -r build
echo "project('small', 'c')" >meson.build
ok "a build without a gnomon is said" both ends 1 tools/demo "remove build/ and start again"
printf "project('small', 'c')\nexecutable('gnomon', 'main.c')\n" >meson.build
rm -r build
ok "tools/test: the first time" configures
: >build/build.ninja
rm build/gnomon
ok "tools/test: an empty build.ninja" configures
ok "which builds" test -x build/gnomon
echo "1..$tests"
exit $failed
