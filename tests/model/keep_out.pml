/* SPDX-License-Identifier: MIT */
/*
 * How vCPUs are kept out of the guest while several slices go in nested mode, and help: vcpu_run_loop(), run() and
 * vcpu_begin_run() of vmm/vm/run.c against vm_keep_out(), vm_kick_out() and vm_let_in() of vmm/vm/reclaim.c and all of
 * vmm/vm/withdraw.c, twice in a row; for spin.
 *
 * What must hold: no vCPU is in the guest while a slice is withdrawn, by whomever; each reclaim ends, with all of its
 * slices gone, and each vCPU gets back into the guest (the claim `ends`, under weak fairness).
 *
 * -DCLAIM, for the claim: a vCPU leaves the guest only when it is made to. The other switches are seeded bugs, each of
 * which spin must find. Left out: memory is sequentially consistent, as all of
 * these are C's default atomics.
 */
#ifndef VCPUS
#define VCPUS 3
#endif
#define RECLAIMS 2
#ifndef PARTS
#define PARTS 2
#endif

byte generation;         /* vm.reclaim_generation */
bool kept_out, keep_out_lock; /* vm.kept_out, vm.keep_out_lock */
byte acked[VCPUS];       /* vcpu.acked */
bool in_run[VCPUS];      /* vcpu.in_run */
bool must_exit[VCPUS];   /* kvm_run.immediate_exit, and the signal */
bool in_guest[VCPUS];    /* whatever these say */
byte ended;              /* reclaims */
mtype = { NONE, AWAITED, OPEN };
mtype phase = NONE;      /* withdrawal.phase */
byte left, busy, gone;   /* withdrawal.n and busy; how many parts are withdrawn */

inline withdraw_part()
{
	d_step { /* begins: no vCPU is in the guest, nor comes in before the end */
		do
		:: j < VCPUS -> assert(!in_guest[j]); j++
		:: else -> j = 0; break
		od
	};
	d_step { gone++; busy-- }
}

#ifdef HELP_AT_ONCE
#define WAITS false
#else
#define WAITS (phase == AWAITED)
#endif

inline help()
{
	do
	:: atomic { !WAITS && phase != NONE && left > 0 -> left--; busy++ }; withdraw_part()
	:: atomic { !WAITS && (phase == NONE || left == 0) -> break }
	od
}

proctype vcpu(byte v)
{
	byte j;

	do
	:: true ->
		must_exit[v] = false;
		acked[v] = generation;
#ifndef LOOK_BEFORE_ENTER
		in_run[v] = true;
#endif
		if
		:: kept_out -> in_run[v] = false; help(); !keep_out_lock /* takes it and drops it */
		:: else ->
			in_run[v] = true;
			if
			:: must_exit[v]
			:: atomic { !must_exit[v] -> in_guest[v] = true };
				do
				:: must_exit[v] -> break
				:: else /* runs on */
#ifndef CLAIM
				:: break /* an exit of its own */
#endif
				od;
				in_guest[v] = false
			fi;
			in_run[v] = false;
			help()
		fi
	od
}

proctype reclaimer()
{
	bool kicked[VCPUS];
	byte mine, i, j;

	do
	:: ended < RECLAIMS ->
#ifdef HELP_AT_ONCE
		left = PARTS;
#endif
		phase = AWAITED;
		atomic { !keep_out_lock -> keep_out_lock = true };
#ifdef GENERATION_BEFORE_KEPT_OUT
		d_step { generation++; mine = generation };
		kept_out = true;
#else
		kept_out = true;
		d_step { generation++; mine = generation };
#endif
		do
		:: i < VCPUS ->
			if
			:: acked[i] >= mine -> skip
			:: else ->
				if
				:: in_run[i] ->
#ifndef NO_KICK
					must_exit[i] = true;
#endif
					kicked[i] = true
				:: else
				fi
			fi;
			i++
		:: else -> i = 0; break
		od;
#ifndef WITHDRAW_BEFORE_ACKS
		do
		:: i < VCPUS -> !kicked[i] || acked[i] >= mine || !in_run[i]; kicked[i] = false; i++
		:: else -> i = 0; break
		od;
#endif
#ifndef HELP_AT_ONCE
		left = PARTS;
#endif
		phase = OPEN;
		do
		:: atomic { left > 0 -> left--; busy++ }; withdraw_part()
		:: left == 0 -> break
		od;
		phase = NONE;
#ifndef LET_IN_BEFORE_HELPERS
		busy == 0;
#endif
		assert(gone == PARTS);
		gone = 0;
#ifndef STAYS_KEPT_OUT
		kept_out = false;
#endif
		keep_out_lock = false;
		ended++
	:: else -> break
	od
}

init
{
	byte v;

	atomic {
		do
		:: v < VCPUS -> run vcpu(v); v++
		:: else -> break
		od;
		run reclaimer()
	}
}

/* All reclaims end, and then vCPU 0 is in the guest for good: nobody kicks it any more. */
ltl ends { <>[](ended == RECLAIMS && in_guest[0]) }
