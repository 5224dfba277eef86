#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Seeds one bug after another into a copy of shadow mode, reclaim and balloon; shows that a check catches each.

A mutant that no check catches means that the checks cannot see that kind of bug; a mutant whose text is not in the tree
any more seeds nothing. Either way the script fails. Checks are the selftest and the permission oracle under several
options, a slice that is taken from under running CPUs, the tiny guests, unit tests, and the emulated machine. All run
once without a mutant: the quickest is then tried first, and one that takes many times as long is taken for a hang.
A mutant of the shadow CPU (shadow_cpu.py) or of a change of the mode (paging_switch.py) or of snapshots (snapshot.py) or
of the guest's sharing (subtree.py) names the check that must find it, which is then the only one.

Usage: tests/mutants/mutants.py [--only NAME]... [--no-npt] [--list]   (from the top of the tree; minutes)
       tests/mutants/mutants.py --check                                (from anywhere; TAP, no build, no KVM)
"""
import argparse
import glob
import math
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True  # the tree may not be ours
import bench  # noqa: E402 pylint: disable=wrong-import-position
import enclave  # noqa: E402 pylint: disable=wrong-import-position
import enclave_vm  # noqa: E402 pylint: disable=wrong-import-position
import model_design  # noqa: E402 pylint: disable=wrong-import-position
import model_mmu  # noqa: E402 pylint: disable=wrong-import-position
import paging_switch  # noqa: E402 pylint: disable=wrong-import-position
import sharing  # noqa: E402 pylint: disable=wrong-import-position
import shadow_cpu  # noqa: E402 pylint: disable=wrong-import-position
import snapshot  # noqa: E402 pylint: disable=wrong-import-position
import subtree  # noqa: E402 pylint: disable=wrong-import-position
import walk  # noqa: E402 pylint: disable=wrong-import-position

# name, file, what is replaced, by what, what it means. Blanks in a text stand for any white space.
MUTANTS = [
    ("no-write-protection", "vmm/shadow/compose.c", "if (!r.dirty || shadow_is_tracked(sh, gfn))", "if (!r.dirty)",
     "guest tables stay writable"),
    ("table-write-unseen", "vmm/shadow/track.c", "if (frame < 0 || !sh->track[frame].pages)", "if (frame < 0 || sh)",
     "an emulated table write leaves its shadow as it is"),
    ("accessed-bit-forgotten", "vmm/walk/guest_walk.c", "old | PTE_A |", "old | (level == w->level ? 0 : PTE_A) |",
     "the leaf's A bit is never set"),
    ("dirty-bit-forgotten", "vmm/walk/guest_walk.c", "(write && level == w->level ? PTE_D : 0)", "0",
     "no write sets D"),
    ("writable-before-dirty", "vmm/shadow/compose.c", "if (!r.dirty || shadow", "if (shadow",
     "a read makes the page writable, and the first write is not seen"),
    ("no-execute-dropped", "vmm/shadow/compose.c", "(fetch ? 0 : PTE_NX)", "0", "data can be executed"),
    ("no-smap-in-compose", "vmm/shadow/compose.c", "if (r.u && role.smap) return nothing;", "",
     "under SMAP the kernel reads what it could read before"),
    ("no-smep-in-compose", "vmm/shadow/compose.c", "if (r.u && role.smep) fetch = false;", "",
     "under SMEP the kernel runs what it could read before"),
    ("no-smep-in-walk", "vmm/walk/guest_walk.c", "return x && !(mode->smep && u);", "return x;",
     "a fetch that SMEP forbids is no fault of the guest's"),
    ("wp-off-ignored", "vmm/walk/guest_walk.c", "return !a.write || w || !mode->wp;", "return !a.write || w;",
     "the kernel cannot write read-only pages with CR0.WP=0"),
    ("mode-not-in-role", "vmm/shadow/role.c", "role.wp = view->walk.wp;", "role.wp = 0;",
     "CR0.WP=1 uses what was made under WP=0"),
    ("user-sees-kernel", "vmm/walk/guest_walk.c", "return u && (!a.write || w)", "return (!a.write || w)",
     "CPL 3 reaches supervisor pages"),
    ("error-code-without-user", "vmm/walk/guest_walk.c", "code |= PFEC_U;", "code |= 0;",
     "a program's fault looks like the kernel's"),
    ("reserved-bit-ignored", "vmm/walk/guest_walk.c", "bits |= PTE_NX;", ";", "NX is not reserved with EFER.NXE=0"),
    ("vmm-stores-live-entries", "vmm/shadow/edit.c", "sh->edit[sh->nr_edits++] =",
     "page->live[index] = value.raw;\n	if (0)\n		sh->edit[sh->nr_edits++] =",
     "a live entry is changed behind KVM's back"),
    ("edit-lost", "vmm/paging/shadow_load.c", "write_edits(vcpu, m, edits);", "",
     "the stub stores nothing, or the last edits again"),
    ("frames-not-recycled", "vmm/paging/shadow_vm.c",
     "r = set_slot(s->vm, SLOT_POOL, s->stub.pool, 0, s->pool); if (r == 0)",
     "r = 0;\n	if (0)", "frames that were tables are used again without KVM forgetting them"),
    ("root-not-reloaded", "vmm/paging/shadow_load.c", "root.raw != v->root.raw || v->flushes", "v->flushes",
     "another address space runs on the last one's root"),
    ("store-between-edits", "vmm/shadow/entry.c", "if (!page->live[index] && !was_present)", "if (!page->live[index])",
     "edits that the stub stores again undo what came after them"),
    ("flush-dropped", "vmm/shadow/edit.c", "sh->flushes++; counter_inc(counters, CTR_SHADOW_EDITS);",
     "counter_inc(counters, CTR_SHADOW_EDITS);", "a removed right stays in the TLB"),
    ("others-write-on", "vmm/shadow/protect.c", "shadow_quiesce(sh, counters); /*", "/*",
     "another CPU writes a table unseen while it is taken over"),
    ("interrupt-lost", "vmm/paging/shadow_inject.c", "vcpu_clear_vector(vcpu, vector); c->halted = false;",
     "vcpu_clear_vector(vcpu, vector);\n	c->halted = false;\n	return;", "a virtual interrupt is dropped"),
    ("flood-keeps-parents", "vmm/shadow/zap.c", "while (page->parents)", "while (0 && page->parents)",
     "a forgotten table is still linked"),
    ("unsync-never-synchronised", "vmm/shadow/track.c", "r = shadow_sync_all(sh, counters);", "r = SHADOW_DONE;",
     "what the guest wrote into a writable table never takes effect"),
    ("unsync-not-protected-again", "vmm/shadow/unsync.c", "r = shadow_write_protect(sh, counters, gfn);", "r = SHADOW_DONE;",
     "a table counts as protected and is writable"),
    ("large-page-over-table", "vmm/shadow/compose.c", "&& (sh->opts & SHADOW_OPT_LAZY || !sh->tables_2m[n / 512]) &&", "&&",
     "a 2 MiB entry makes a table in it writable"),
    ("promotion-not-undone", "vmm/shadow/entry.c", "if (page->promoted)", "if (0)",
     "one page of a promoted table changes, and its 2 MiB entry stays"),
    ("used-frame-not-cleared", "vmm/shadow/pool.c", "shadow_edit_queue(sh, counters, page, i, (spte_t){0});",
     "page->live[i] = 0;", "what an evicted table held is cleared behind KVM's back"),
    ("evicted-table-still-linked", "vmm/shadow/evict.c", "r = shadow_page_zap(sh, counters, p);",
     "p->parents = NULL;\n		r = shadow_page_zap(sh, counters, p);", "the way to an evicted table stays"),
    ("gpa-taken-for-maddr", "vmm/shadow/frame.c", "*ret_mfn = maddr_to_mfn(m.maddr);",
     "*ret_mfn = mfn_init(gfn.raw);", "an entry leads to the frame that has the page's number"),
    ("rmap-by-guest-frame", "vmm/shadow/protect.c", "n = shadow_machine_frame(sh, mfn);", "n = shadow_frame(sh, gfn);",
     "mappings of a new table are looked for at another frame"),
    ("rest-of-range-unmapped", "vmm/stage2/lookup.c",
     "for (found = rest(gpa, &first); found < len;", "next = first;\n	for (found = len; found < len;",
     "the VMM reaches across the end of a page into what is not mapped"),
    ("lookup-not-repeated", "vmm/stage2/lookup.c",
     "atomic_load_explicit(&s2->tables.reuses, memory_order_relaxed) != reuses", "false",
     "a lookup goes on in a table that was freed and used again"),
    ("alignment-fault-of-host", "vmm/paging/shadow_trap.c",
     "if (v->cpu.cpl == 3 && v->cpu.cr0 & CR0_AM) {", "if (1) {",
     "the guest kernel's AC checks alignment where the host has CR0.AM"),
    ("slice-not-withdrawn", "vmm/vm/withdraw.c", "r = guest_mem_withdraw(w->mem, at, size);", "r = 0;",
     "the guest still reaches what was taken from it, through KVM"),
    ("helper-left-behind", "vmm/vm/withdraw.c", "while (is_busy(w))", "while (0 && is_busy(w))",
     "CPUs go back into the guest while one of them still takes memory away"),
    ("helper-goes-ahead", "vmm/vm/withdraw.c", "while (atomic_load(&w->phase) == AWAITED)",
     "while (0 && atomic_load(&w->phase) == AWAITED)", "a CPU that is out early does not wait for the others"),
    ("taken-table-shadowed", "vmm/shadow/withdraw.c", "if (r == SHADOW_DONE && has_tables_around(sh, gfn))",
     "if (r == SHADOW_DONE && 0 && has_tables_around(sh, gfn))", "a table that was taken is still in force"),
    ("shadow-not-zapped", "vmm/paging/shadow.c",
     "shadow_zap_gpa(mmu, counters, slice[i].gpa, slice[i].maddr, slice[i].size);", ";",
     "shadow entries lead to memory that the host has"),
    ("no-acknowledgements", "vmm/vm/reclaim.c", "atomic_load(&vm->vcpu[i]->in_run)) continue;",
     "atomic_load(&vm->vcpu[i]->in_run) || vm)\n			continue;",
     "the answer comes before CPUs are out of the guest"),
    ("violation-unexplained", "vmm/paging/nested.c", "if (leads_to_reclaimed(vcpu, &mode, needed[i], &at))", "if (0)",
     "code, tables or an IDT that were taken end the guest as if it had done something else"),
    ("slice-not-unmapped", "vmm/stage2/reclaim.c",
     "BUG_ON(stage2_unmap(s2, slice->gpa, slice->size, g) < 0);", "(void)g;",
     "the VMM still finds a page that is gone"),
    ("surrender-before-shootdown", "vmm/stage2/reclaim.c", "remove_slice(s2, &slice[i], n - i, &g, counters);",
     "{\n			remove_slice(s2, &slice[i], n - i, &g, counters);\n"
     "			ops->surrender(ctx, slice[i].maddr, slice[i].size);\n		}",
     "frames go before the CPUs have acknowledged"),
    ("reclaimed-twice", "vmm/stage2/reclaim.c", "r = check(s2, slice[i].gpa, slice[i].size, true);", "r = 0;",
     "what is gone already is taken again"),
    ("mapped-before-usable", "vmm/stage2/reclaim.c", "r = ops->restore(ctx, slice->gpa, slice->size);", "r = 0;",
     "pages come back that cannot be touched"),
    ("no-collapse", "vmm/stage2/reclaim.c",
     "counter_add(counters, CTR_STAGE2_COLLAPSES, stage2_collapse(s2, gpa_init(at), &g) == 0);", ";",
     "2 MiB that are whole again stay small"),
    ("no-join", "vmm/shadow/withdraw.c", "if (!page || !(sh->opts & SHADOW_OPT_LARGE) || !compose_allows_2m(sh, gfn))",
     "if (1)", "the shadow keeps 4 KiB entries for 2 MiB that are whole again"),
    ("back-without-account", "vmm/virtio/balloon_serve.c", "for (unsigned i = 0; i < done; i++)",
     "for (unsigned i = 0; i < (r < 0 ? 0 : done); i++)", "what came back before the host failed counts as away"),
    ("whole-block-unmade", "vmm/mem/guest_mem.c", "make_room_for_huge(p, size);", "(void)make_room_for_huge;",
     "2 MiB that come back are never a huge page again"),
    ("page-given-twice", "vmm/virtio/balloon_pages.c", "if (in_there && !in_balloon)", "if (0)",
     "the guest gives what is in the balloon"),
    ("page-named-twice", "vmm/virtio/balloon_pages.c", "if (run.pfn < end)", "if (0)", "a request names a page twice"),
    ("page-not-in-balloon", "vmm/virtio/balloon_pages.c", "if (in_there < run.pages && in_balloon)", "if (0)",
     "the guest takes what it never gave"),
    ("image-given", "vmm/platform/balloon.c",
     "if (overlaps(at, size, gpa_raw(p->image), gpa_raw(p->image_end)))", "if (0)",
     "the guest gives its own image away"),
    ("reset-keeps-pages", "vmm/virtio/balloon_serve.c", "while (r == 0 && balloon_first_run(b, &run))",
     "while (0 && balloon_first_run(b, &run))", "after a reset nobody knows of pages that are gone"),
    ("answer-after-reset", "vmm/virtio/mmio.c", "if (epoch != t->epoch ||", "if (",
     "a new driver's queue gets the answer to an old one's request"),
    ("chain-loops", "vmm/virtio/queue.c", "for (int n = 0; n < q->size; n++)", "for (;;)",
     "a chain that loops is followed"),
    ("successor-outside", "vmm/virtio/queue.c", "if (d.next >= q->size)", "if (0)", "a chain leads out of its table"),
    ("head-outside", "vmm/virtio/queue.c", "if (ret_chain->head >= q->size)", "if (0)",
     "a head lies outside the table"),
    ("index-jumps", "vmm/virtio/queue.c", "if (waiting > q->size)", "if (0)", "more requests than the queue holds"),
    ("size-changes-later", "vmm/virtio/queue.c",
     "return refuse(ret_why, \"a queue's size is not a power of two\");", ";", "a queue of any size"),
    ("carry-forgotten", "vmm/cpu/emul_alu.c", "add(a, a->rflags & RFLAGS_CF, FLAGS_ALL6)",
     "add(a, 0, FLAGS_ALL6)", "ADC of a table's entry adds no carry"),
    ("pair-exchanged-wrong", "vmm/cpu/emul_modify.c", "memcpy(desired + half, &cpu->gpr[GPR_RCX], half);",
     "memcpy(desired + half, &cpu->gpr[GPR_RBX], half);", "CMPXCHG16B of a table's entries stores one of them twice"),
    ("stores-unseen", "vmm/virtio/mmio.c", "watch->begin(t->mem.ctx);", ";",
     "the shadow MMU does not hear what a device stores"),
]

# Lazily only what looks at tables that lag can find anything.
LAZY = [
    ("lazy-never-synchronised", "vmm/shadow/track.c", "r = shadow_lazy_sync_root(sh, counters, gpa_to_gfn(cr3));",
     "r = SHADOW_DONE;", "lazily a flush brings nothing up to date", "unit shadow_sizes"),
    ("lazy-one-level", "vmm/shadow/lazy.c", "page->role.level > 1 && i < 512; i++)", "page->role.level > 3 && i < 512; i++)",
     "lazily the tables below the second level are left behind", "unit shadow_random"),
    ("lazy-one-round", "vmm/shadow/lazy.c", "struct shadow_page *p = shadow_page_first(sh, cr3); sh->sync_round++;",
     "struct shadow_page *p = shadow_page_first(sh, cr3);", "lazily a table is looked at only once",
     "unit shadow_random"),
    ("unsync-set-unnoticed", "vmm/shadow/track_state.c", "sh->unsync[i]->was_set[index] = true;", ";",
     "an entry that came, was used and went between two flushes is taken for unchanged", "unit shadow_random"),
    ("unsync-looks-too-short", "vmm/shadow/unsync.c", "const uint64_t now = table ?", 
     "if (i == 511)\n\t\t\tbreak;\n\t\tconst uint64_t now = table ?",
     "the last entry of an unsync table is never looked at", "unit shadow_random"),
    ("lazy-linked-behind", "vmm/shadow/lazy.c", "sh->sync_round++; return sync_tree(sh, counters, top);",
     "return SHADOW_DONE;", "lazily a table that lags is linked at a new place", "unit shadow_random"),
    ("lazy-leaves-denied", "vmm/shadow/compose.c", "(sh->opts & SHADOW_OPT_LAZY || !sh->tables_2m[n / 512])",
     "!sh->tables_2m[n / 512]", "lazily a 2 MiB leaf is denied that stands", "guest shadow_tables/in_a_huge_page"),
    ("fault-invalidates-nothing", "vmm/cpu/inject.c", "ops->faulted(ctx, exc->cr2);", ";",
     "behind a #PF what was known of its address still counts", "guest shadow_tables/fault_invalidates"),
    ("changes-are-fatal", "vmm/shadow/fault.c", "return r == SHADOW_CHANGED ? SHADOW_FILLED : SHADOW_NO_MEMORY;",
     "return SHADOW_NO_MEMORY;",
     "tables that change while they are read end the VM", "guest shadow_tables/races"),
    ("lazy-fast", "vmm/shadow/fault.c", "!(sh->opts & SHADOW_OPT_AD_FAST) || sh->opts & SHADOW_OPT_LAZY",
     "!(sh->opts & SHADOW_OPT_AD_FAST)", "A and D are set along a path that lags", "unit shadow_sizes"),
]
HOST = [
    ("outfile-acl-dropped", "vmm/base/outfile_attrs.c", "r = copy_attrs(old, fd);", "r = 0;",
     "a file that is written anew loses its ACL, and its group gets rights", "unit outfile"),
    ("outfile-signals-act", "vmm/base/process.c", "pthread_sigmask(SIG_BLOCK, &all, ret_before);",
     "pthread_sigmask(SIG_BLOCK, NULL, ret_before);", "^C leaves a file that is to go", "unit outfile"),
    ("count-takes-signs", "vmm/cmd/args.c", "if (!digits || errno", "if (!*text || errno",
     "a number may have blanks and a sign before it", "unit args"),
    ("argument-ends-at-nul", "vmm/control/schema.c", "if (strlen(json_string_value(value)) == json_string_length(value))",
     "if (1)", "what a client wrote behind a NUL is dropped, and the rest is obeyed", "unit qmp"),
    ("output-given-up-late", "vmm/base/output.c", "if (out.patience.give_up_fd >= 0) (void)output_error();", "",
     "an interrupted command waits for a reader that nobody can end any more", "unit process"),
    ("poll-must-work", "vmm/base/patience.c", "if (n < 0 && errno != EINTR && (p->ms < 0 || left > 0)) return 0;",
     "if (n < 0 && errno != EINTR) return -errno;", "where poll(2) fails nothing is said at all", "unit process"),
]
MUTANTS = [(*m, None) for m in MUTANTS] + LAZY + HOST + shadow_cpu.MUTANTS + paging_switch.MUTANTS + enclave.MUTANTS + \
    enclave_vm.MUTANTS + bench.MUTANTS + model_design.MUTANTS + model_mmu.MUTANTS + walk.MUTANTS + sharing.MUTANTS + \
    snapshot.MUTANTS + subtree.MUTANTS

GNOMON = ["build/gnomon", "run", "--paging", "shadow"]
SELFTEST = ["build/guest/kernel.elf", "--", "selftest"]
ORACLE = ["build/tests/oracle/oracle.elf", "--", "quick"]
STRESS = ["build/tests/stress/stress.elf", "--", "seed", "11", "steps", "4000"]
NPT = ["tools/npt-host", "--timeout", "280", "--npt"]
UNITS = ["tests/unit/test-" + name for name in (
    "balloon", "guest_mem", "reclaim", "shadow_crossed", "shadow_edits", "shadow_random", "shadow_sizes",
    "stage2", "virtio_mmio", "virtq", "withdraw")]
SLICE = ["build/tests/stress/slice/slice-drive", "build/gnomon", "build/tests/stress/slice/slice.elf"]
WALK = ["build/tests/stress/walk/walk-drive", "build/gnomon", "build/tests/stress/walk/walked.elf"]
SWITCH = ["build/tests/stress/switch/switch-drive", "build/gnomon", "2"]
SWITCHED = {
    "selftest": ["300", "1", "end", "build/guest/kernel.elf", "--", "selftest"],
    "random": ["200", "2", "end", "build/tests/stress/stress.elf", "--", "seed", "2", "steps", "600", "popf"],
    "reads": ["300", "4", "hold", "build/tests/guest/device-reads.elf"],
    "halts": ["4000", "5", "hold", "build/tests/guest/halts.elf"],
    "hold": ["200", "3", "hold", "build/guest/kernel.elf", "--memory", "128M", "--", "hold", "20", "30"],
}
CHECKS = [
    *[("unit test " + unit.split("test-")[1], ["build/" + unit]) for unit in UNITS],
    ("selftest, audit", GNOMON + ["--audit"] + SELFTEST),
    ("selftest, no optimisation", GNOMON + ["--shadow-opt", "none"] + SELFTEST),
    ("selftest, 2 MiB of tables", GNOMON + ["--shadow-memory", "2M", "--shadow-opt", "none"] + SELFTEST),
    ("selftest, 4 CPUs", GNOMON + ["--cpus", "4"] + SELFTEST),
    ("oracle", GNOMON + ORACLE),
    ("oracle, 2 MiB of tables", GNOMON + ["--shadow-memory", "2M"] + ORACLE),
    ("random guest, audit, 2 MiB of tables", GNOMON + ["--cpus", "2", "--audit", "--shadow-memory", "2M"] + STRESS),
    ("random guest, promotion alone", GNOMON + ["--cpus", "2", "--audit", "--shadow-memory", "2M", "--shadow-opt",
                                                "prefetch,promote"] + STRESS),
    ("random guest, all dropped", GNOMON + ["--cpus", "4", "--shadow-memory", "2M", "--shadow-opt", "emulate-update",
                                            *STRESS[:1], "--", "seed", "1", "steps", "2000"]),
    ("slice, nested", SLICE + ["nested", "2", "400000", "5", "2"]),
    ("slice, shadow", SLICE + ["shadow", "2", "400000", "5", "2"]),
    ("random instructions",
     ["build/tests/insn/insn-check", "--seed", "5", "--count", "20000", "build/gnomon", "build/tests/insn/insn.elf"]),
    ("tiny guests",
     ["env", "-C", "build", "GNOMON_MUST_HAVE_KVM=1", "tests/guest/test-guest", "--filter", "@(shadow*|cpu)/*"]),
    ("tiny guests that reclaim",
     ["env", "-C", "build", "GNOMON_MUST_HAVE_KVM=1", "tests/guest/test-guest", "--filter",
      "@(balloon|reclaim_vm)/!(there*|more_than*)"]),
]
NPT_CHECKS = [
    ("selftest on npt=1", NPT + ["1"] + GNOMON + ["--audit"] + SELFTEST),
    ("selftest on npt=0", NPT + ["0"] + GNOMON + ["--shadow-memory", "2M"] + SELFTEST),
    ("oracle on npt=1", NPT + ["1"] + GNOMON + ORACLE + ["qemu"]),  # what QEMU's CPU does not do: oracle.h
    ("oracle on npt=0, 2 MiB of tables", NPT + ["0"] + GNOMON + ["--shadow-memory", "2M"] + ORACLE + ["qemu"]),
]
GUEST_FILES = ["--cpus", "1", "--memory", "3072", "--file", "gnomon", "--file", "tests/guest"]
BASELINE_LIMIT = 300  # seconds
HANG = 6  # times as long as without a mutant


def test_guest(pattern):
    return ["tests/guest/test-guest", "--tap", "--filter", pattern]


def named_check(name):
    """The command of a check that a mutant names."""
    at_build = ["env", "-C", "build", "GNOMON_MUST_HAVE_KVM=1"]
    kind, _, what = name.partition(" ")
    if kind == "unit":
        return [f"build/tests/unit/test-{what}"]
    if kind == "guest":
        return at_build + test_guest(what)
    if kind == "control":
        return at_build + ["tests/control/test-control", "--filter", what]
    if kind in ("monitor", "enclave"):
        return at_build + [f"tests/{kind}/test-{kind}", "--filter", what]
    if kind == "walk":
        return [*WALK, what, "2000", "5", "popf" if what == "nested" else "stac"]
    if kind == "switch":
        return SWITCH + SWITCHED[what]
    if kind == "npt" and what.startswith("switch "):
        drive, image = SWITCH[0], next(a for a in SWITCHED[what[7:]] if a.endswith(".elf"))
        return [*NPT, "1", "--cpus", "1", "--file", drive, "--file", image, "--", drive, "build/gnomon", "1",
                *SWITCHED[what[7:]]]
    if kind == "npt":
        return at_build + ["../tools/npt-host", "--timeout", "280", "--npt", "1", *GUEST_FILES,
                           "--", *test_guest(what.removeprefix("guest "))]
    return dict(CHECKS)[name]


def kill_rest(tree):
    """Those who are left of a check that hung: a test's guest has a session of its own. The tree is ours alone."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if any(os.readlink(f"/proc/{pid}/{what}").startswith(tree) for what in ("exe", "cwd")):
                os.kill(int(pid), signal.SIGKILL)
        except OSError:
            pass  # it has ended, or is none of ours


def run(command, cwd, limit):
    """Seconds that the command took; None when it failed, infinity when it reached the limit."""
    start = time.monotonic()
    with subprocess.Popen(command, cwd=cwd, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                          stdin=subprocess.DEVNULL, start_new_session=True) as p:
        try:
            p.wait(limit)
        except subprocess.TimeoutExpired:
            os.killpg(p.pid, signal.SIGTERM)  # npt-host removes its files then
            try:
                p.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(p.pid, signal.SIGKILL)
            kill_rest(cwd)
            return math.inf
    return time.monotonic() - start if p.returncode == 0 else None


def succeeded(seconds):
    return seconds is not None and seconds < math.inf


def build(tree, targets):
    return succeeded(run(["ninja", "-C", "build", *targets], tree, 900))


def measure(tree, checks):
    """The checks as (name, command, seconds), quickest first."""
    measured = []
    for name, command in checks:
        seconds = run(command, tree, BASELINE_LIMIT)
        if not succeeded(seconds):
            sys.exit(f"mutants: without any mutant this fails already: {name}: {' '.join(command)}")
        measured.append((name, command, seconds))
    return sorted(measured, key=lambda m: m[2])


def measure_named(tree, mutants):
    """The checks that these mutants name, each by its name."""
    names = dict.fromkeys(m[5] for m in mutants if m[5])
    return {name: measure(tree, [(name, named_check(name))]) for name in names}


def targets(checks):
    """What to build anew for them. The guests, too: a mutant may be in one, or the one before was."""
    words = [word for _, command, _ in checks for word in command]
    return ["gnomon", "guest/cost.elf", "guest/kernel.elf"] + sorted({w.removeprefix("build/") for w in words
                                 if w.startswith(("build/tests/unit/", "tests/monitor/"))})


def first_catch(tree, measured):
    for name, command, seconds in measured:
        took = run(command, tree, 10 + HANG * seconds)
        if not succeeded(took):
            return name + (", hung" if took else "")
    return None


def seed(original, text, replacement):
    """The file with the bug; None when the text does not stand in it exactly once."""
    pattern = r"\s+".join(re.escape(word) for word in text.split())
    mutated, count = re.subn(pattern, lambda _: replacement, original)
    return mutated if count == 1 else None


def exists(root, name):
    """Whether there is a check of this name: a filter that fits no test would find no mutant."""
    kind, _, what = name.removeprefix("npt ").partition(" ")
    if kind == "unit":
        return os.path.isfile(os.path.join(root, "tests", "unit", f"test_{what}.c"))
    if kind == "switch":
        return what in SWITCHED
    if kind == "walk":
        return what in ("nested", "shadow")
    if kind not in ("guest", "control", "monitor", "enclave"):
        return name in dict(CHECKS)
    suite, test = (re.escape(word).replace(r"\*", r"\w*") for word in what.split("/"))
    attack = re.sub(r"_(nested|shadow|\\w\*)$", "", test)  # a macro makes one for each mode
    pattern = re.compile(rf"Test\({suite}, {test}[,)]|(REFUSED|KILLED)\({attack}, ")
    for path in glob.glob(os.path.join(root, "tests", kind, "test_*.c")):
        with open(path, encoding="utf-8") as f:
            if pattern.search(f.read()):
                return True
    return False


def stale():
    """What is wrong with the mutants in this tree, a line each: nothing is built."""
    root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
    names = [m[0] for m in MUTANTS]
    for name in sorted({n for n in names if names.count(n) > 1}):
        yield f"{name}: two mutants have this name"
    for name, path, text, replacement, _, named in MUTANTS:
        if named and not exists(root, named):
            yield f"{name}: there is no check named {named}"
        try:
            with open(os.path.join(root, path), encoding="utf-8") as f:
                original = f.read()
        except OSError as e:
            yield f"{name}: {path}: {e.strerror}"
            continue
        mutated = seed(original, text, replacement)
        if mutated is None:
            yield f"{name}: its text does not stand exactly once in {path}"
        elif mutated.split() == original.split():
            yield f"{name}: changes nothing in {path}"


def check():
    complaints = list(stale())
    print("1..1")
    for line in complaints:
        print(line, file=sys.stderr)  # meson shows it, but not comments
    print(f"{'not ok' if complaints else 'ok'} 1 - each of {len(MUTANTS)} mutants still applies")
    return 1 if complaints else 0


def try_mutant(tree, mutant, measured):
    """The verdict and what it rests on."""
    _, path, text, replacement, meaning, _ = mutant
    full = os.path.join(tree, path)
    with open(full, encoding="utf-8") as f:
        original = f.read()
    mutated = seed(original, text, replacement)
    if mutated is None:
        return "STALE", f"its text does not stand exactly once in {path}"
    try:
        with open(full, "w", encoding="utf-8") as f:
            f.write(mutated)
        if not build(tree, targets(measured)):
            return "STALE", "it does not build"
        by = first_catch(tree, measured)
        return ("caught", by) if by else ("LIVES", meaning)
    finally:
        with open(full, "w", encoding="utf-8") as f:
            f.write(original)


def copy_tree(tree):
    files = subprocess.run(["git", "ls-files", "-z"], stdout=subprocess.PIPE, check=True).stdout.split(b"\0")
    for name in filter(None, files):
        path = os.fsdecode(name)
        if os.path.isfile(path):
            os.makedirs(os.path.dirname(os.path.join(tree, path)), exist_ok=True)
            shutil.copy2(path, os.path.join(tree, path))
    if not succeeded(run(["meson", "setup", "build"], tree, 120)) or not build(tree, []):
        sys.exit("mutants: the tree does not build")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", metavar="NAME", action="append", help="this mutant alone; can be repeated")
    parser.add_argument("--no-npt", action="store_true", help="without the emulated machine")
    parser.add_argument("--list", action="store_true", help="name the mutants and end")
    parser.add_argument("--check", action="store_true", help="see that each mutant still applies, and end")
    args = parser.parse_args()
    if args.check:
        return check()
    mutants = [m for m in MUTANTS if not args.only or m[0] in args.only]
    if args.no_npt:
        mutants = [m for m in mutants if not (m[5] or "").startswith("npt ")]
    if not os.path.isdir("/sys/module/kvm_pvm") and any(m[5] for m in mutants):
        mutants = [m for m in mutants if m[5] is None or m[5].startswith(("unit ", "npt "))]
        print("without kvm_pvm only those of the shadow CPU's mutants that unit tests or the emulated machine find")
    if args.list:
        print("\n".join(f"{m[0]:28} {m[4]}" for m in MUTANTS))
        return 0
    left_out = set(args.only or []) - {m[0] for m in mutants}
    for name in sorted(left_out):
        known = name in {m[0] for m in MUTANTS}
        print(f"{name}: " + ("its check cannot run here, or not with --no-npt" if known else "there is none (see --list)"),
              file=sys.stderr)
    if left_out:
        return 2
    verdicts = {"caught": 0, "LIVES": 0, "STALE": 0}
    with tempfile.TemporaryDirectory(prefix="gnomon-mutants-") as tree:
        copy_tree(tree)
        named = measure_named(tree, mutants)
        any_check = CHECKS + ([] if args.no_npt else NPT_CHECKS)
        measured = measure(tree, any_check if any(m[5] is None for m in mutants) else [])
        for name, _, seconds in measured + sum(named.values(), []):
            print(f"check   {name:34} {seconds:5.1f} s", flush=True)
        for m in mutants:
            start = time.monotonic()
            verdict, why = try_mutant(tree, m, named[m[5]] if m[5] else measured)
            verdicts[verdict] += 1
            print(f"{verdict:6}  {m[0]:28} {why}  ({time.monotonic() - start:.0f} s)", flush=True)
    print(f"{verdicts['caught']} of {len(mutants)} mutants caught, "
          f"{verdicts['LIVES']} live, {verdicts['STALE']} are stale")
    return 0 if verdicts["caught"] == len(mutants) else 1


if __name__ == "__main__":
    sys.exit(main())
