/* SPDX-License-Identifier: MIT */
/* KVM_RUN's EAGAIN: a VM's first one makes a thread of KVM's (Linux 6.14), and is refused as long as the host makes none. */
#ifndef GNOMON_KVM_REFUSAL_H
#define GNOMON_KVM_REFUSAL_H

#include <stdbool.h>

#define KVM_REFUSED "the host makes no thread for it (limit of processes, ulimit -u?)"

/*
 * After each KVM_RUN: `error` is its errno, 0 if it succeeded, and *refused counts EAGAIN in a row. Waits a millisecond
 * for the next try. True: that makes a hundred of them, and it is no use to go on. By poll(), which the monitor's
 * sandbox allows.
 */
bool kvm_is_refused_for_ever(unsigned *refused, int error);

#endif
