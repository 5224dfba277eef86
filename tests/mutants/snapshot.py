# SPDX-License-Identifier: MIT
"""Bugs of snapshots. Each names the check that must find it."""

KVM, RESTORE = "vmm/kvm/cpu_saved.c", "vmm/machine/restore.c"
MEM = "vmm/mem/guest_mem.c"
WRITER = "vmm/snapshot/writer.c"
SAVE, TOOL = "vmm/machine/save.c", "vmm/cmd/snapshot_save.c"
FILE, FORMAT, STATE = "vmm/snapshot/file.c", "vmm/snapshot/format.c", "vmm/snapshot/state.c"
COMPARE, DIFF = "vmm/snapshot/compare.c", "vmm/cmd/diff_file.c"
CHAIN, READER, SINCE, DIRTY = "vmm/snapshot/chain.c", "vmm/snapshot/reader.c", "vmm/machine/save_since.c", "vmm/vm/dirty.c"

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
    ("snapshot-damage-unseen", FILE, "if (memcmp(hash, f->leaf[nr], sizeof(hash)) != 0)", "if (0)",
     "a block is taken whose hash is wrong", "unit snapshot"),
    ("snapshot-run-beyond-memory", FORMAT, "if (!snapshot_is_ram(s->memory, r.gfn, r.pages) ||", "if (",
     "a file names pages that the machine does not have", "unit snapshot"),
    ("snapshot-begins-behind-the-end", SAVE, "if (vm_has_ended(s->vm))", "if (0)",
     "a save begins when nobody waits for it any more", "control control/snapshot_of_a_guest_that_has_ended"),
    ("snapshot-takes-any-file-for-its-own", TOOL, "strcmp(file, b->file) == 0 &&", "",
     "the end of another client's save passes for that of this one", "control snapshot_told/of_another_file"),
    ("snapshot-takes-any-end-for-its-own", TOOL, "&& number(told, \"pause-us\") == b->pause_us;", ";",
     "the end of an earlier save to the same file passes for that of this one", "control snapshot_told/of_the_same_file"),
    ("snapshot-drops-a-base-it-cannot-name", TOOL, 'json_string(o->path_since)) == 0)', 'json_string(o->path_since)) <= 0)',
     "a save with --since is a whole one, and nothing says so", "control control/snapshot_no_such_place"),
    # Files that build on others.
    ("chain-any-base", CHAIN, "return memcmp(base->root, root, SNAPSHOT_HASH) == 0", "return 1",
     "pages come from whatever lies at the base's name", "unit snapshot_chain"),
    ("chain-root-without-base", FORMAT, "if (!*s->base) return;", "if (1)\n		return;",
     "a file can be given another base, and nobody sees it", "unit snapshot_chain"),
    ("chain-base-anywhere", FORMAT, "*p == 0x7f || *p == '/'", "*p == 0x7f",
     "a file names any file of the host as its base", "unit snapshot_chain"),
    ("chain-zero-shows-through", CHAIN, "if (e.kind != SNAPSHOT_ZERO)", "if (1)",
     "pages that became zero pass for stored ones", "unit snapshot_chain"),
    ("chain-tail-from-the-front", CHAIN, "e.at += pages * PAGE_SIZE;", "",
     "what is left of a run has the bytes of its beginning", "unit snapshot_chain"),
    ("chain-frame-from-the-front", READER, "s->chunk + (run->skip + n) * PAGE_SIZE", "s->chunk + n * PAGE_SIZE",
     "what is left of a packed run has the bytes of its beginning", "unit snapshot_chain"),
    ("chain-replaces-its-base", CHAIN, "outfile_is_one(&st, target))", "st.st_ino == 0)",
     "a file takes the place of one that it builds on", "unit snapshot_chain"),
    ("compare-any-file", COMPARE, "!(b->same[in_b->file] & 1u << in_a->file)", "0",
     "pages at one place of two files pass for equal", "unit snapshot_compare"),
    ("compare-reads-all", COMPARE, "if (in_a && in_b && is_shared(a, in_a, b, in_b, gfn)) {", "if (in_a && !in_a && is_shared(a, in_a, b, in_b, gfn)) {",
     "a comparison with the base takes as long as one of all memory", "unit snapshot_compare"),
    ("diff-file-has-the-balloon", DIFF, "if (run->kind == SNAPSHOT_ABSENT) {", "if (0) {",
     "what the balloon has is read from the file, where it is not", "control control/snapshot_diff_by_descent"),
    ("diff-file-without-rights", DIFF, "share_hash_page(&f->hash, SHARE_RIGHTS - 1, page)", "share_hash_page(&f->hash, 0, page)",
     "no page of a file is as a guest has it", "control control/snapshot_diff_by_descent"),
    ("since-loses-what-the-vmm-wrote", DIRTY, "written_take(&vm->stage2.written, all);", ";",
     "pages that came and went are as they were in the base", "control control/snapshot_since_with_slices"),
    ("since-takes-the-log-alone", DIRTY, "for (struct dirty_reader *to = vm->dirty_readers; to; to = to->next)",
     "for (struct dirty_reader *to = vm->dirty_readers; to; to = NULL)",
     "what one reader took from the log the others do not get", "control control/snapshot_since_beside_fingerprints"),
    ("since-failure-forgets", SINCE, "vm_dirty_put_back(s->vm, &since->log, since->taken);", ";",
     "what a save that failed took is in no file", "control control/snapshot_since_refused"),
    ("snapshot-twins-joined", WRITER, "(!size || last->at + last->size == at)", "true",
     "pages behind a copy are read from what follows the original", "unit snapshot_twins"),
    ("snapshot-twins-never-end", WRITER, "memcmp(there, page, sizeof(there)) == 0", "true",
     "a page behind a copy is taken for another page of the original", "unit snapshot_twins"),
    ("snapshot-twins-forgotten", WRITER, "flush(w); /* runs ascend */\n\tend_twins(w);", "flush(w);",
     "a copy before pages that the guest does not have gets a run behind theirs", "unit snapshot_twins"),
    ("snapshot-twins-in-pieces", WRITER, "t.pages >= SNAPSHOT_CHUNK", "t.pages >= 1",
     "the file is cut into runs that cannot be mapped", "unit snapshot_twins"),
]
