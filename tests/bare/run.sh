#!/bin/sh
# SPDX-License-Identifier: MIT
# usage: run.sh GNOMON IMAGE PAGING [RUN-OPTION...] [-- WORD...]
# Runs a test guest; its exit status is 0 when everything went as the manual says.
# Without /dev/kvm: 77, or 1 with GNOMON_MUST_HAVE_KVM=1.
set -eu

if ! (: <>"${GNOMON_KVM_DEVICE:-/dev/kvm}") 2>/dev/null; then
	echo "no /dev/kvm"
	[ "${GNOMON_MUST_HAVE_KVM:-0}" = 1 ] && exit 1
	exit 77
fi
gnomon=$1 image=$2 paging=$3
shift 3
options=
while [ $# -gt 0 ] && [ "$1" != -- ]; do
	options="$options $1" # words without blanks
	shift
done
# shellcheck disable=SC2086 # split on purpose
exec "$gnomon" run --paging "$paging" --timeout 2900 $options "$image" "$@"
