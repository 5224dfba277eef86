/* SPDX-License-Identifier: MIT */
/*
 * The split-and-shootdown protocol (vmm/stage2/reclaim.h), for spin: 3 vCPUs that run a guest while 2 operations change
 * the one 2 MiB mapping that it lives on. A large page is 3 small ones here: page 0 goes with the first reclaim,
 * page 1 with the second, page 2 stays.
 *
 *     top:  [ leaf, A D ]  --split-->    [ table t ]
 *                                            |
 *                          <-collapse--   [ pte 0 | pte 1 | pte 2 ]   each with A D
 *
 * Two scenarios:  default: two reclaims of slices     -DCOLLAPSE: a reclaim, and a collapse of a mapping split before
 *
 * What must hold: no vCPU fails to reach a page that stays; no access lands in a frame, and no walk in a table, after
 * it was given back; no D is lost; nothing deadlocks, and each operation ends (the claim `ends`, under weak fairness).
 * A needs no bit of its own: it is a D that every access sets.
 *
 * check.py explores them, with switches that keep the number of states small:
 *   -DNO_KICK  for the assertions: a vCPU leaves the guest whenever it likes, so that kicks only take behaviours away
 *   -DNO_TLB   for the claim: operations wait for vCPUs and for D in `top`, not for what a TLB holds
 *   -DNO_LOCK  operations are not serialised, although pt.h asks for a lock around each, its flush included: two
 *              reclaims are right even so, by step 2's compare-and-swap; a collapse is not
 * The other switches are seeded bugs, each of which spin must find.
 *
 * Left out: memory is sequentially consistent (compare-and-swap, exchange and both sides of the kick are full barriers
 * on x86); a TLB holds one translation, or pointer to a table, at a time, but any one; one stage of translation alone.
 *
 * Parts: entries; a vCPU; shootdown; operations; the claim.
 */
#ifndef VCPUS
#define VCPUS  3
#endif
#define TABLES 2
#ifdef COLLAPSE
#define PAGES  2
#else
#define PAGES  3
#endif
#define STAYS  (PAGES - 1) /* the page that no operation takes */

/* ---- entries, live and in TLBs ---- */

#define P         1
#define D         2                   /* and A: see above */
#define LEAF      (P | 32)            /* top, TLB: the whole */
#define TABLE(t)  (P | 64 | (t) << 3) /* top, TLB: leads to table t */
#define PAGE(p)   (P | 96 | (p) << 3) /* TLB: the small page p */
#define IS_LEAF(e)  (((e) & ~D) == LEAF)
#define IS_TABLE(e) (((e) & ~8) == TABLE(0))
#define T(e)        ((e) >> 3 & 1)      /* the table that it leads to */

byte top;                 /* the entry for 2 MiB */
byte pte[TABLES * PAGES]; /* pte[t * PAGES + p] */
bool allocated[TABLES];   /* the table page belongs to the tree, or to someone who may still walk it */

/* What really happened to the frames, whatever the entries say. */
bool freed[PAGES];      /* the host has it back */
bool written[PAGES];    /* some vCPU wrote to it */

/* ---- vCPUs ---- */

byte generation;        /* of flushes asked for */
byte seen[VCPUS];       /* the newest generation that the vCPU flushed for: its acknowledgement */
bool in_guest[VCPUS];
bool kicked[VCPUS];
byte tlb[VCPUS];        /* survives exits, as on hardware with tagged TLBs */

byte done;              /* operations that ended */
bool lock;

/* A translation is used: the access lands in a frame that the host must not have back. */
inline use(v)
{
	if
	:: tlb[v] == LEAF -> assert(!freed[0] && !freed[1] && !freed[STAYS])
	:: tlb[v] == PAGE(0) -> assert(!freed[0])
	:: tlb[v] == PAGE(1) -> assert(!freed[1])
	:: tlb[v] == PAGE(STAYS) -> assert(!freed[STAYS])
	:: else
	fi
}

/* A walk's first step: a leaf is used, with D set by the CPU's locked update if w; a table is remembered. */
inline walk_top(v, w)
{
#ifndef NO_TLB
	tlb[v] = top & ~D;
#endif
	if
	:: w && top == LEAF ->
		top = LEAF | D;
		written[0] = true; /* its D speaks for all */
		written[1] = true;
		written[STAYS] = true
	:: else
	fi;
	use(v)
}

/* The second, from a table that the first one, or an earlier walk (paging-structure cache), found. */
inline walk_table(v, p, w)
{
	assert(allocated[T(tlb[v])]); /* walks a table page that was given back */
	if
	:: pte[T(tlb[v]) * PAGES + (p)] & P ->
		pte[T(tlb[v]) * PAGES + (p)] = P | (pte[T(tlb[v]) * PAGES + (p)] & D) | (w -> D : 0);
		written[p] = written[p] || w;
		tlb[v] = PAGE(p);
		use(v)
	:: else ->
		assert((p) != STAYS) /* fails to reach a page that stays; others' faults are the guest's own mistake */
	fi
}

/* Looks at the generation, flushes, acknowledges: what a vCPU owes before it runs guest code again. */
inline look()
{
	if
	:: seen[v] != generation -> tlb[v] = 0; seen[v] = generation
	:: else
	fi
}

/* KVM_RUN again and again: run_loop() in vmm/vm/vcpu.c. */
proctype vcpu(byte v)
{
	do
	:: true ->
#ifdef LOOK_BEFORE_ENTER
		d_step { look() }
		in_guest[v] = true;
#else
		in_guest[v] = true;
		d_step { look() } /* only now: who kicks looks at in_guest after the generation is up */
#endif
		do
		/* A miss, which comes at any time; a write through a translation without D is one. */
		:: d_step { !kicked[v] -> walk_top(v, true) }
#ifndef NO_TLB
		:: d_step { !kicked[v] -> walk_top(v, false) }
		:: d_step { !kicked[v] -> use(v) } /* a hit */
		:: d_step { !kicked[v] && IS_TABLE(tlb[v]) -> walk_table(v, 0, false) }
		:: d_step { !kicked[v] && IS_TABLE(tlb[v]) -> walk_table(v, 0, true) }
		:: d_step { !kicked[v] && IS_TABLE(tlb[v]) -> walk_table(v, STAYS, false) }
		:: d_step { !kicked[v] && IS_TABLE(tlb[v]) -> walk_table(v, STAYS, true) }
#if PAGES > 2
		:: d_step { !kicked[v] && IS_TABLE(tlb[v]) -> walk_table(v, 1, false) } /* as page 0: needs no write */
#endif
#endif
		:: atomic { in_guest[v] = false; kicked[v] = false; break } /* a kick, or any other exit */
		od
	od
}

/* ---- step 4, after the change is visible: shootdown ---- */

inline shoot_down(mine, i)
{
	d_step { generation++; mine = generation };
#ifndef NO_KICK
	d_step {
		do
		:: i < VCPUS -> kicked[i] = in_guest[i]; i++
		:: else -> i = 0; break
		od
	};
#endif
	do
#ifdef FREE_BEFORE_LAST_ACK
	:: i < VCPUS - 1 ->
#else
	:: i < VCPUS ->
#endif
		/* Out of the guest is as good: it looks before it is in again. */
		atomic { seen[i] >= mine || !in_guest[i] -> i++ }
	:: else -> i = 0; mine = 0; break
	od
}

/* ---- the operations ---- */

/* Begins with the lock, and a snapshot: pt_iter.old. */
inline begin(old)
{
#ifdef NO_LOCK
	old = top
#else
	atomic { !lock -> lock = true; old = top }
#endif
}

/* The last one finds each write in the entries; those of pages that went were looked at then. */
inline end(i)
{
	done++;
	lock = false;
	do
	:: done == 2 && i < PAGES ->
		assert(!written[i] || (IS_LEAF(top) -> top : pte[T(top) * PAGES + i]) & D);
		i++
	:: else -> i = 0; break
	od
}

/* Back to the pool, zeroed. */
inline free_table(t)
{
	allocated[t] = false;
	pte[(t) * PAGES] = 0;
	pte[(t) * PAGES + 1] = 0;
	pte[(t) * PAGES + STAYS] = 0
}

/* fill() of split.c: plain stores, of which nobody sees one before the table is linked. */
inline fill(t, old)
{
	d_step {
		pte[(t) * PAGES] = P | (old & D);
		pte[(t) * PAGES + 1] = P | (old & D);
		pte[(t) * PAGES + STAYS] = P | (old & D)
	}
}

/* pt_zap() of one small page, with pt_split_entry() as its first part; then the host gets the frame. */
proctype reclaim(byte p, t)
{
	byte old, mine, i;

	begin(old);
	do
	:: IS_LEAF(old) ->
		d_step { /* step 1: pt_pool_take, fill */
			allocated[t] = true;
#ifndef PUBLISH_BEFORE_FILL
			fill(t, old)
#endif
		};
		d_step { /* step 2: pt_set's compare-and-swap; the loser has what is there, and tries again */
			if
#ifdef PUBLISH_WITHOUT_COMPARE
			:: IS_LEAF(top) ->
#else
			:: top == old ->
#endif
				top = TABLE(t); old = TABLE(t)
			:: else -> old = top; free_table(t)
			fi
		}
#ifdef PUBLISH_BEFORE_FILL
		fill(t, top)
#endif
	:: else -> break
	od;
	t = T(old); /* the table that is there, whoever made it */
	d_step { /* step 3: pt_replace's exchange, which brings home D for pt_ops.changed */
		old = pte[t * PAGES + p];
#ifdef REMOVE_WITHOUT_EXCHANGE
	};
	d_step {
#endif
		pte[t * PAGES + p] = 0
	};
	shoot_down(mine, i); /* step 4 */
	atomic { /* step 5 */
		freed[p] = true;
		assert(!written[p] || old & D);
		written[p] = false;
		old = 0; t = 0;
		end(i)
	}
}

/* pt_collapse() of the mapping, as it finds it. */
proctype collapse()
{
	byte old, leaf, mine, i, t;

	begin(old);
	if
	:: IS_LEAF(old) -> goto out /* -ENOENT */
	:: else -> t = T(old); leaf = LEAF
	fi;
	do /* unite(), one look at each entry */
	:: i < PAGES ->
		d_step {
			if
			:: pte[t * PAGES + i] & P -> leaf = leaf | (pte[t * PAGES + i] & D); i++
			:: else -> leaf = 0; i = PAGES
			fi
		}
	:: else -> i = 0; break
	od;
	if
	:: leaf == 0 -> goto out /* -ERANGE */
	:: d_step { leaf && top == old -> top = leaf; leaf = 0 } /* pt_set_collapsed */
	fi;
#ifdef FREE_TABLE_BEFORE_FLUSH
	d_step { free_table(t) };
#endif
	shoot_down(mine, i);
	do /* pt_gather_finish: harvest() D that was set through the old table until the flush */
	:: i < PAGES ->
#ifndef NO_HARVEST
		d_step { top = top | (pte[t * PAGES + i] & D) };
#endif
		i++
	:: else -> i = 0; break
	od;
	atomic { free_table(t) };
out:
	atomic { old = 0; t = 0; end(i) }
}

init
{
	byte v;

	atomic {
#ifdef COLLAPSE
		allocated[0] = true;
		fill(0, P);
		top = TABLE(0);
		run collapse();
		run reclaim(0, 1);
#else
		top = LEAF;
		run reclaim(0, 0);
		run reclaim(1, 1);
#endif
		do
		:: v < VCPUS -> run vcpu(v); v++
		:: else -> break
		od;
		v = 0
	}
}

/* ---- the claim, under weak fairness ---- */

ltl ends { <>(done == 2) }
