#!/bin/sh
# SPDX-License-Identifier: MIT
# usage: every-option.sh GNOMON STRESS STEPS [RUN-OPTION...]
# The random guest under all optimisations of shadow paging, under none, and under each alone, with --audit.
# Each run has a seed of its own; the guest prints it. Stops at the first difference.
set -eu

gnomon=$1 stress=$2 steps=$3 seed=1
shift 3
for options in all none $("$gnomon" run --list-shadow-opts | cut -d' ' -f1); do
	echo "== $options"
	"$gnomon" run --paging shadow --cpus 2 --audit --shadow-opt "$options" "$@" "$stress" -- \
		seed $seed steps "$steps" stac
	seed=$((seed + 1))
done
