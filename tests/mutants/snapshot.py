# SPDX-License-Identifier: MIT
"""Bugs of snapshots. Each names the check that must find it."""

KVM, RESTORE = "vmm/kvm/cpu_saved.c", "vmm/machine/restore.c"
MEM = "vmm/mem/guest_mem.c"
READER, FORMAT, STATE = "vmm/snapshot/reader.c", "vmm/snapshot/format.c", "vmm/snapshot/state.c"

MUTANTS = [
    ("snapshot-loses-interrupts", STATE, "codec_u64(c, &s->vectors[i]);", "", "interrupts that waited are gone",
     "unit snapshot"),
    ("snapshot-loses-floating-point", KVM, "return set_fpu(fd, cpu);", "return 0;",
     "x87 and vector registers are those of a new CPU", "control control/snapshot_keeps_the_state_nested"),
    ("snapshot-loses-holes", RESTORE, "return r < 0 ? r : take_slices(vm, slice, n);", "return r;",
     "the guest has again what the balloon took", "control control/snapshot_balloon_nested"),
    ("snapshot-wakes-halted", STATE, "codec_bool(c, &s->halted);", "", "a CPU that was halted runs on",
     "control control/snapshot_halt_stays"),
    ("snapshot-file-comes-back", MEM, "if (mem->mapped_file) { /* what comes back later", "if (0) { /* what comes back later",
     "memory that the balloon gives back has the file's bytes", "control control/snapshot_lazy_balloon"),
    ("snapshot-damage-unseen", READER, "if (memcmp(hash, s->leaf[nr], sizeof(hash)) != 0)", "if (0)",
     "a block is taken whose hash is wrong", "unit snapshot"),
    ("snapshot-run-beyond-memory", FORMAT, "if (!snapshot_is_ram(s->memory, r.gfn, r.pages) ||", "if (",
     "a file names pages that the machine does not have", "unit snapshot"),
]
