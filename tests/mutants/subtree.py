# SPDX-License-Identifier: MIT
"""Bugs of the guest kernel in what its processes share. Each names the check that must find it."""

SUBTREE, COW, MMAP, SPACE = "guest/subtree.c", "guest/cow.c", "guest/mmap.c", "guest/space.c"
OFFER = "guest/offer.c"
CHECK, TABLES = "selftest, audit", "guest sharing/*"

MUTANTS = [
    ("fork-count-not-raised", SUBTREE, "count_raise(gpa_init(e & PTE_ADDR));", ";",
     "the end of one process frees the tables of the other", CHECK),
    ("fork-parent-keeps-its-right", SUBTREE, "*link = e;", ";", "the child sees what its parent writes", CHECK),
    ("unshare-forgets-the-sibling", SUBTREE,
     "w[i] = (e & ~PTE_W) | (level == 1 || e & PTE_PS ? PTE_COW : 0);", "(void)e;",
     "a table that was copied still lets writes through to what both have", CHECK),
    ("unshare-count-not-raised", SUBTREE, "count_raise(target);", ";",
     "what two copies of a table link is freed by the first that goes", CHECK),
    ("unshare-leaks-the-table", SUBTREE, "count_drop(gpa_init(*link & PTE_ADDR));", ";",
     "a table that nobody has is never freed", CHECK),
    ("unshare-keeps-links-from-below", SUBTREE, "if (skip >= 0)", "if (0)",
     "a copied path ends in the others' tables", CHECK),
    ("unshare-copies-always", SUBTREE, "if (count_others(gpa_init(*link & PTE_ADDR)))", "if (1)",
     "a table without others is copied, and lost", CHECK),
    ("cow-writes-through", COW, "if (count_others(frame))", "if (0)", "a page with others is written", CHECK),
    ("cow-leaks-the-page", COW, "count_drop(frame);", ";", "a page that nobody has is never freed", CHECK),
    ("mprotect-writes-through", MMAP, "rights ^= PTE_W | PTE_COW;", "(void)e;",
     "mprotect lets a program write a page that others have", CHECK),
    ("munmap-frees-what-others-have", MMAP, "if (count_drop(gpa_init(old & PTE_ADDR))) continue;", "",
     "the others' page is given to somebody else", CHECK),
    ("munmap-changes-a-shared-table", MMAP, "*ret_r = pt_own(va, *ret_size == PAGE_2M ? 2 : 1);", ";",
     "the kernel writes a table that others have", CHECK),
    ("first-touch-changes-a-shared-table", MMAP, "|| pt_own(va, 1) < 0", "", "likewise, at a first touch", CHECK),
    ("exit-frees-what-others-have", SPACE, "|| e & PTE_ENCLAVE || count_drop(frame)", "|| e & PTE_ENCLAVE",
     "the end of a process takes the others' pages", CHECK),
    ("walks-into-a-shared-page", "guest/syscall.c", "e = cow_write((uint64_t)w, &size, &r);",
     "e = pt_leaf((uint64_t)w, &size); r = 0;", "the VMM's answer is in the other process's memory, too", CHECK),
    ("kernel-cannot-write-a-shared-page", "guest/trap.c", "in_access(f->rip) && cow_fault(cr2)", "0",
     "the kernel fails where the program itself could write", CHECK),
    ("offer-count-not-raised", OFFER, "count_raise(table);", ";", "what is offered goes with who offers it", CHECK),
    ("offer-stays-writable", OFFER, "*e &= ~PTE_W;", ";", "others see what is written after the offer", CHECK),
    ("offer-taken-with-write", OFFER, "(PT_LINK & ~PTE_W)", "PT_LINK", "whoever takes an offer writes for all", CHECK),
    ("offer-leaks", OFFER, "pt_free_unlinked(table, p->offered_level - 1);", "(void)table;",
     "an offer that nobody took is never freed", CHECK),
    ("fork-takes-the-offer-along", "guest/proc.c", "p->offered = gpa_init(0);", ";",
     "a child that ends ends its parent's offer", CHECK),
    ("fork-copies-at-once", "guest/proc.c", "how == FORK_COPY && copy_tables(space) < 0", "copy_tables(space) < 0",
     "a fork takes time and tables in proportion to the size", TABLES),
    ("role-without-write", "vmm/shadow/role.c", "role.w &= !!(e.raw & PTE_W);", "",
     "a write passes a link that has no W", CHECK),
]
