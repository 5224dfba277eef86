# SPDX-License-Identifier: MIT
"""Bugs in the fingerprints of guest memory: each names the check that must find it, as in enclave.py."""

DIGEST, FINGERPRINT, DESCENT = "vmm/share/digest.c", "vmm/share/fingerprint.c", "vmm/share/descent.c"
MERGE, DEDUP, PLAN = "vmm/share/merge.c", "vmm/share/dedup.c", "vmm/share/dedup_plan.c"
DIRTY, STAGE2, WRITTEN = "vmm/vm/dirty.c", "vmm/stage2/stage2.c", "vmm/stage2/written.c"

MUTANTS = [
    # What a hash is of.
    ("fingerprint-without-rights", DIGEST, "PAGE | rights", "PAGE",
     "a page that lost a right has the hash that it had", "unit share"),
    ("fingerprint-without-level", DIGEST, "(uint8_t)(NODE | level)", "NODE",
     "nodes of two levels with the same children are the same", "unit share"),
    ("fingerprint-absent-is-zero", FINGERPRINT, "return f->hash.absent[0];", "return share_hash_zero(&f->hash, 7);",
     "a page that was taken passes for one of zeroes", "unit share"),
    ("fingerprint-all-untouched", FINGERPRINT, "memset(touched, 0xff, sizeof(touched));", "memset(touched, 0, sizeof(touched));",
     "pages that hold something pass for untouched ones", "unit share"),
    ("fingerprint-node-not-stale", "vmm/share/tree.c", "if (level < SHARE_LEVELS)", "if (level < 2)",
     "a change does not reach the root", "unit share"),
    # What is hashed again.
    ("fingerprint-first-word-alone-noted", WRITTEN, "while (page < end) {", "if (page < end) {",
     "of a range that the VMM wrote only the first word of bits is noted", "unit share"),
    ("fingerprint-slice-unnoted", STAGE2, "written_note(&s2->written, gpa, size);", "written_note(&s2->written, gpa, 0);",
     "what is taken from the guest stays in its fingerprint", "unit share"),
    ("fingerprint-walk-unnoted", "vmm/walk/guest_walk.c", "written_note(&s2->written, gfn_to_gpa(w->table[level]), PAGE_SIZE);",
     ";", "A and D that the VMM sets in a guest's table are not seen", "unit share"),
    ("fingerprint-short-cut-unnoted", "vmm/shadow/fast.c", "written_note(&sh->s2->written, gfn_to_gpa(page->gfn), PAGE_SIZE);",
     ";", "A and D that shadow mode's short cut sets are not seen", "control control/fingerprint_shadow"),
    ("fingerprint-log-of-first-pages", DIRTY, "w < words; w++", "w < words / 64; w++",
     "of KVM's log only the beginning is looked at", "control control/fingerprint_nested"),
    ("fingerprint-log-not-on", "vmm/vm/vm.c", "present && vm->logs_writes ? KVM_MEM_LOG_DIRTY_PAGES : 0", "0",
     "KVM does not log, and nobody notices", "control control/fingerprint_nested"),
    # What is a file's in memory.
    ("merged-bytes-outlive-a-reset", "vmm/mem/guest_mem.c", "if (mem->mapped_file) r = map_anonymous(mem, m->host, m->size); else if",
     "if", "a guest that was merged finds the store's bytes in memory that must be zero", "unit guest_mem"),
    ("merged-bytes-come-back", "vmm/mem/guest_mem.c", "if (mem->mapped_file) return drop_mapped(mem, p, size); /* Private memory",
     "/* Private memory", "what was a file's and is dropped has the file's bytes again", "unit guest_mem"),
    # The comparison.
    ("diff-skips-the-last-child", DESCENT, "i < count; i++", "i + (count > 1) < count; i++",
     "the last page of 2 MiB is never compared", "unit share"),
    ("diff-goes-below-what-is-equal", DESCENT, "if (share_digest_equal(&a[i], &b[i])) continue;",
     "if (level < 3 && share_digest_equal(&a[i], &b[i])) continue;",
     "the descent compares everything", "unit share"),
    # What is merged.
    ("merge-without-compare", MERGE, "memcmp(r->host[i + n], store + (i + n) * PAGE_SIZE, PAGE_SIZE) != 0", "false",
     "whoever fills a store writes the guest's memory", "unit merge"),
    ("merge-compares-the-first-byte", MERGE, "store + (i + n) * PAGE_SIZE, PAGE_SIZE) != 0", "store + (i + n) * PAGE_SIZE, 1) != 0",
     "pages that begin alike are merged", "unit merge"),
    ("merge-of-an-enclave", MERGE, "lent_to(&m->s2->lent, gpa, PAGE_SIZE) ? NULL : stage2_ptr(m->s2, gpa, PAGE_SIZE)",
     "stage2_ptr(m->s2, gpa, PAGE_SIZE)", "what an enclave shares is merged", "unit merge"),
    ("merge-cuts-huge-pages", MERGE, "size < merge_unit(m->mem)", "size < PAGE_SIZE",
     "a huge page is cut for a part of it", "unit merge"),
    ("merge-drops-what-is-not-zero", MERGE, "if (!page_is_zero(r->host[i + n]))", "if (!r->host[i + n])",
     "pages in a hole of the store lose what they hold", "unit merge"),
    ("merge-place-off-by-a-page", MERGE, "m->store, offset + i * PAGE_SIZE", "m->store, offset",
     "the place of a page in the store is that of the range's first", "unit merge"),
    ("merge-store-unsealed", "vmm/machine/dedup.c", "(seals < 0 || !(seals & F_SEAL_WRITE))", "false",
     "a store that somebody can still write becomes guest memory", "control control/dedup_stores_that_are_refused"),
    ("merge-store-can-shrink", "vmm/machine/dedup.c", "(seals & SEALS_OF_SIZE) != SEALS_OF_SIZE", "false",
     "a store that becomes shorter takes guest memory with it", "control control/dedup_stores_that_are_refused"),
    ("merge-with-anybody", "vmm/machine/dedup.c", "users && !m->share", "false",
     "guests of other users take part without --share", "control control/dedup_stores_that_are_refused"),
    ("merge-behind-the-store", "vmm/machine/dedup.c", "range[i].offset + range[i].size > (uint64_t)st.st_size", "false",
     "ranges may end behind the store", "control control/dedup_ranges_that_are_refused"),
    ("merge-while-it-runs", "vmm/machine/dedup.c",
     "do e = step(p, what, m); while (e == 0 && p->i < p->n && clock_us() - begun < DEDUP_PAUSE_MS * 1000); "
     "vm_unlock_paging(machine->vm); vm_resume(machine->vm);",
     "vm_resume(machine->vm); do e = step(p, what, m); while (e == 0 && p->i < p->n && clock_us() - begun < 5000); "
     "vm_unlock_paging(machine->vm);",
     "what the guest writes between comparison and merge is lost", "control control/dedup_writes_between_nested"),
    ("dedup-zero-is-a-group", DEDUP, "if (share_digest_equal(d, &f->hash->zero[level]))", "if (false)",
     "pages of zeroes are put into a store", "unit dedup"),
    ("dedup-goes-below-what-is-equal", DEDUP, "(nr > 1 || members == 1)", "(nr > 0 || members == 1)",
     "the descent asks for everything", "unit dedup"),
    ("dedup-merges-again", PLAN, "!is_settled(b, first, g, i + n)", "(is_settled(b, first, g, i + n), true)",
     "what was merged is merged once more each time", "unit dedup"),
    ("dedup-merges-what-changes", PLAN, "!was || share_digest_equal(&was->digest, &p->piece[i].digest)", "was || !was",
     "what is written all the time is copied to the store for nobody", "unit dedup"),
    ("dedup-joins-across-stores", PLAN, "last->offset + last->pages == range[i].offset", "true",
     "ranges are joined whose places in the store are apart", "unit dedup"),
    ("session-keeps-descriptors", "vmm/control/qmp.c", "if (session->has_store) close(session->store);", ";",
     "a client that goes leaves its store open", "unit qmp"),
]
