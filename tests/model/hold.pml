/* SPDX-License-Identifier: MIT */
/*
 * How vCPUs are held out of the guest while several slices go in nested mode, for spin: run_loop() and set_in_run() of
 * vmm/kvm/vcpu.c against hold_out(), kick_out() and let_go() of vmm/kvm/reclaim.c, twice in a row.
 *
 * What must hold: no vCPU is in the guest while slices are withdrawn; each reclaim ends, and each vCPU gets back into
 * the guest (the claims `ends` and `runs`, under weak fairness).
 *
 * -DCLAIM, for the claim: a vCPU leaves the guest only when it is made to. The other switches are seeded bugs, each of
 * which spin must find. Left out: memory is sequentially consistent, as all of
 * these are C's default atomics.
 */
#ifndef VCPUS
#define VCPUS 3
#endif
#define RECLAIMS 2

byte generation;         /* vm.reclaim_generation */
bool held, hold_lock;    /* vm.held, vm.hold_lock */
byte acked[VCPUS];       /* vcpu.acked */
bool in_run[VCPUS];      /* vcpu.in_run */
bool must_exit[VCPUS];   /* kvm_run.immediate_exit, and the signal */
bool in_guest[VCPUS];    /* whatever these say */
byte ended;              /* reclaims */

proctype vcpu(byte v)
{
	do
	:: true ->
		must_exit[v] = false;
		acked[v] = generation;
#ifndef LOOK_BEFORE_ENTER
		in_run[v] = true;
#endif
		if
		:: held -> in_run[v] = false; !hold_lock /* takes it and drops it */
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
			in_run[v] = false
		fi
	od
}

proctype reclaimer()
{
	bool kicked[VCPUS];
	byte mine, i;

	do
	:: ended < RECLAIMS ->
		atomic { !hold_lock -> hold_lock = true };
#ifdef GENERATION_BEFORE_HELD
		d_step { generation++; mine = generation };
		held = true;
#else
		held = true;
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
		do /* withdraw() */
		:: i < VCPUS -> assert(!in_guest[i]); i++
		:: else -> i = 0; break
		od;
#ifndef STAYS_HELD
		held = false;
#endif
		hold_lock = false;
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
