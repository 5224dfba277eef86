#!/bin/bash
# SPDX-License-Identifier: MIT
# usage: in-root.sh ARCHIVE DIR OUT LANE <CLONE
# First process of a lane of fresh.sh, in mount and PID namespaces of its own: unpacks the root at DIR, in memory, with
# the clone of the tree in it, and runs the lane there with a newcomer's environment. OUT appears in it as /out.
set -euo pipefail
trap 'echo "in-root.sh: line $LINENO: status $?: $BASH_COMMAND" >&2' ERR

archive=$1 root=$2 out=$3 lane=$4
here=$(dirname "${BASH_SOURCE[0]}")

mount --make-rprivate /
mount -t tmpfs -o mode=755 fresh "$root"
# Not by a pipe of ours: tar ends at the archive's end, before its padding, and zstd may then die of SIGPIPE.
tar -C "$root" --zstd -xf "$archive"
mount -t proc proc "$root/proc"
mount --rbind /sys "$root/sys"
mount -t tmpfs -o mode=755 dev "$root/dev"
mkdir "$root/dev/shm" "$root/dev/pts" "$root/out" "$root/root/gnomon"
mount -t tmpfs shm "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=666 pts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
for node in null zero full random urandom tty kvm; do
	touch "$root/dev/$node"
	mount --bind "/dev/$node" "$root/dev/$node"
done
ln -s /proc/self/fd "$root/dev/fd"
for stream in stdin=0 stdout=1 stderr=2; do
	ln -s "fd/${stream#*=}" "$root/dev/${stream%=*}"
done
mount --bind "$out" "$root/out"

# The network and apt as they are here. The root has its own sources.
cp -L /etc/resolv.conf /etc/hosts "$root/etc/"
for file in auth.conf auth.conf.d trusted.gpg trusted.gpg.d; do
	[ ! -e "/etc/apt/$file" ] || cp -rL "/etc/apt/$file" "$root/etc/apt/"
done
tar -C "$root/root/gnomon" -x
cp "$here/lanes.sh" "$root/root/"

newcomer=(HOME=/root "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" LANG=C.UTF-8 TERM=dumb)
for name in http_proxy https_proxy no_proxy GNOMON_MUST_HAVE_KVM; do
	[ -z "${!name:-}" ] || newcomer+=("$name=${!name}")
done
exec env -i "${newcomer[@]}" chroot "$root" bash /root/lanes.sh "$lane" </dev/null
