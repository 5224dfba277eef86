# SPDX-License-Identifier: MIT
"""Bugs of the page-table designs. As in shadow_cpu.py each names the check that must find it."""

PAIR, SHADOW = "vmm/model/design/pair.c", "vmm/model/design/shadow.c"
UNIT, HASHED, RANDOM = "unit model_design", "unit model_design_hashed", "unit model_design_random"
UNMAP = "unit model_design_unmap"

MUTANTS = [
    ("model-kept-walk-stays", PAIR, "if (kept->changes != changes)",
     "if (!kept->changes)", "a host's walk is kept when its table was resized", UNIT),
    ("model-kept-walk-by-first", PAIR, "kept->address[i], gpa, kept->where[i]", "kept->address[i], gpa, kept->where[0]",
     "the references of a host's walk that is kept have all the root's level", RANDOM),
    ("model-hole-unseen", PAIR, "model_mix(slice ^ b->seed) % 1000 < b->per_mille", "b->per_mille > 1000",
     "a balloon's holes split no page of the host", UNIT),
    ("model-larger-page-in-tlb", PAIR, "if (guest.page_shift < walk->page_shift)",
     "if (guest.page_shift > walk->page_shift)", "a TLB may keep the larger page of two dimensions", RANDOM),
    ("model-third-stage-blind", "vmm/model/design/enclave.c", "e->reading == WALK_CHECK_EVERY",
     "e->reading != WALK_CHECK_EVERY", "the two readings of the third stage are exchanged", UNIT),
    ("model-agile-enters-by-host", SHADOW, "ref->of < s->nested", "ref->of <= s->nested",
     "the switch to the guest's tables costs a walk of the host's", UNIT),
    ("model-cuckoo-looks-ahead", "vmm/model/design/cuckoo.c", "i < c->moved[way] ?", "i <= c->moved[way] ?",
     "a page that has not moved yet is looked for in the bigger array", HASHED),
    ("model-inverted-drops-chain", "vmm/model/design/inverted.c", "*link = old->next;", "*link = 0;",
     "to replace a page loses those behind it", HASHED),
    ("model-replaced-counts-twice", "vmm/model/design/linear.c", "h->usage.pages += !*leaf_at(l, slot, vpn);",
     "h->usage.pages++;", "a page that is mapped again counts as two", HASHED),
    ("model-leaf-of-wrong-size", "vmm/model/design/radix.c", "walk->page_shift = step->entry_shift;",
     "walk->page_shift = PAGE_SHIFT;", "large pages fill the TLB as small ones", RANDOM),
    ("model-tombstone-ends-probe", "vmm/model/design/linear.c", "l->tag[slot] = TOMBSTONE; l->tombs++;", "l->tag[slot] = 0; l->used--;",
     "what lies behind an unmapped page is not found any more", UNMAP),
    ("model-chain-loses-rest", "vmm/model/design/chain.c", "*e = unused ? *unused : (struct chained){0};",
     "*e = (struct chained){0};", "to unmap a chain's first page loses those behind it", UNMAP),
    ("model-shadow-keeps-page", SHADOW, "if (walk.mapped) r = walker_unmap(s->composed, at,", "if (0) r = walker_unmap(s->composed, at,",
     "the composed table keeps a page that the guest has unmapped", UNMAP),
    ("model-unmapped-in-tlb", "vmm/model/mmu/mmu.c", "assoc_remove(&mmu->tlb[i], mmu_key(va + at, shift, shift));", ";",
     "a TLB still has a page that was unmapped", "unit model_run"),
]
