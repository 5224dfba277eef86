#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Seeds one bug after another into a copy of the shadow MMU and shows that a check catches each.

A mutant that no check catches means that the checks cannot see that kind of bug: the script then fails. Checks are
the guest's selftest under several options, the unit tests, and for what only a real TLB shows the emulated machine.

Usage: tests/mutants/mutants.py [--only NAME] [--no-npt] [--list]      (from the top of the tree; minutes)
"""
import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time

# name, file, text, replacement, what it means
MUTANTS = [
    ("no-write-protection", "vmm/shadow/compose.c", "if (!dirty || shadow_is_tracked(sh, gfn))", "if (!dirty)",
     "guest tables stay writable"),
    ("table-write-unseen", "vmm/shadow/track.c", "if (frame < 0 || !sh->tracked[frame])", "if (frame < 0 || sh)",
     "an emulated table write leaves its shadow as it is"),
    ("accessed-bit-forgotten", "vmm/shadow/walk.c", "old | PTE_A |", "old | (level == w->level ? 0 : PTE_A) |",
     "the leaf's A bit is never set"),
    ("dirty-bit-forgotten", "vmm/shadow/walk.c", "(write && level == w->level ? PTE_D : 0)", "0",
     "no write sets D"),
    ("writable-before-dirty", "vmm/shadow/compose.c", "if (!dirty || shadow", "if (shadow",
     "a read makes the page writable, and the first write is not seen"),
    ("no-execute-dropped", "vmm/shadow/compose.c", "(fetch ? 0 : PTE_NX)", "0", "data can be executed"),
    ("user-sees-kernel", "vmm/shadow/walk.c", "return u && (!a.write || w)", "return (!a.write || w)",
     "CPL 3 reaches supervisor pages"),
    ("error-code-without-user", "vmm/shadow/walk.c", "code |= PFEC_U;", "code |= 0;",
     "a program's fault looks like the kernel's"),
    ("vmm-stores-live-entries", "vmm/shadow/page.c", "	sh->edit[sh->nr_edits++] =",
     "	page->live[index] = value.raw;\n	if (0)\n		sh->edit[sh->nr_edits++] =",
     "a live entry is changed behind KVM's back"),
    ("edit-lost", "vmm/kvm/shadow_vcpu.c", "	write_edits(vcpu, m);", "", "the stub stores nothing, or the last edits again"),
    ("frames-not-recycled", "vmm/kvm/shadow_vm.c",
     "	r = set_slot(s->vm, SLOT_POOL, s->mmu.pool_base, 0, s->mmu.pool);\n	if (r == 0)\n",
     "	r = 0;\n	if (0)\n", "frames that were tables are used again without KVM forgetting them"),
    ("root-not-reloaded", "vmm/kvm/shadow_vcpu.c", "root.raw != v->root.raw || v->flushes", "v->flushes",
     "another address space runs on the last one's root"),
    ("flush-dropped", "vmm/shadow/page.c", "	sh->flushes++;\n	counter_inc(sh->counters, CTR_SHADOW_EDITS);",
     "	counter_inc(sh->counters, CTR_SHADOW_EDITS);", "a removed right stays in the TLB"),
    ("interrupt-lost", "vmm/kvm/shadow_trap.c", "	vcpu_clear_vector(vcpu, vector);\n	c->halted = false;",
     "	vcpu_clear_vector(vcpu, vector);\n	c->halted = false;\n	return;", "a virtual interrupt is dropped"),
    ("flood-keeps-parents", "vmm/shadow/page.c", "	while (page->parents) {", "	while (0 && page->parents) {",
     "a forgotten table is still linked"),
]

GNOMON = ["build/gnomon", "run", "--timeout", "60", "--paging", "shadow"]
KERNEL = ["build/guest/kernel.elf", "--", "selftest"]
CHECKS = [
    ("selftest, all, audit", GNOMON + ["--audit"] + KERNEL),
    ("selftest, none", GNOMON + ["--shadow-opt", "none"] + KERNEL),
    ("selftest, 2 MiB of tables", GNOMON + ["--shadow-memory", "2M", "--shadow-opt", "none"] + KERNEL),
    ("selftest, 4 CPUs", GNOMON + ["--cpus", "4"] + KERNEL),
]
NPT_CHECKS = [
    ("selftest on npt=1", ["tools/npt-host", "--npt", "1", "--timeout", "100"] + GNOMON + ["--audit"] + KERNEL),
    ("selftest on npt=0, 2 MiB of tables", ["tools/npt-host", "--npt", "0", "--timeout", "100"] + GNOMON
     + ["--shadow-memory", "2M", "--shadow-opt", "none"] + KERNEL),
]


def run(command, cwd, limit):
    """True when the command succeeds within the limit."""
    try:
        return subprocess.run(command, cwd=cwd, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                              stdin=subprocess.DEVNULL, timeout=limit, check=False).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def build(tree):
    if not run(["ninja", "-C", "build", "gnomon", "guest/kernel.elf"], tree, 600):
        sys.exit("mutants: the tree does not build: a mutant is no bug but nonsense")


def first_catch(tree, checks):
    for name, command in checks:
        if not run(command, tree, 150):
            return name
    return None


def try_mutant(tree, mutant, checks):
    name, path, text, replacement, _ = mutant
    full = os.path.join(tree, path)
    with open(full, encoding="utf-8") as f:
        original = f.read()
    if original.count(text) != 1:
        sys.exit(f"mutants: {name}: its text stands {original.count(text)} times in {path}, not once")
    with open(full, "w", encoding="utf-8") as f:
        f.write(original.replace(text, replacement))
    try:
        build(tree)
        return first_catch(tree, checks)
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
    if not run(["meson", "setup", "build"], tree, 120):
        sys.exit("mutants: meson setup fails")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", metavar="NAME", help="this mutant alone")
    parser.add_argument("--no-npt", action="store_true", help="without the emulated machine")
    parser.add_argument("--list", action="store_true", help="name the mutants and end")
    args = parser.parse_args()
    mutants = [m for m in MUTANTS if args.only in (None, m[0])]
    if args.list or not mutants:
        print("\n".join(f"{m[0]:26} {m[4]}" for m in MUTANTS))
        return 0 if args.list else 2
    checks = CHECKS + ([] if args.no_npt else NPT_CHECKS)
    caught = 0
    with tempfile.TemporaryDirectory(prefix="gnomon-mutants-") as tree:
        copy_tree(tree)
        build(tree)
        wrong = first_catch(tree, checks)
        if wrong:
            sys.exit(f"mutants: without any mutant this fails already: {wrong}")
        for m in mutants:
            start = time.monotonic()
            by = try_mutant(tree, m, checks)
            caught += by is not None
            print(f"{'caught' if by else 'LIVES ':6}  {m[0]:26} {by or m[4]}  ({time.monotonic() - start:.0f} s)", flush=True)
    print(f"{caught} of {len(mutants)} mutants caught")
    return 0 if caught == len(mutants) else 1


if __name__ == "__main__":
    sys.exit(main())
