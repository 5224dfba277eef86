# SPDX-License-Identifier: MIT
"""Bugs in what an enclave may do and what may be done to it: each names the check that must find it.

Name, file, what is replaced, by what, what it means, the check. Blanks in a text stand for any white space.
"""
BUILD = "vmm/enclave/build.c"
RUN = "vmm/enclave/run.c"
VIEW = "vmm/enclave/view.c"
STAGE = "vmm/enclave/stage.c"
STATE = "vmm/enclave/state.c"
MEASURE = "vmm/enclave/measure.c"
REPORT = "vmm/enclave/report.c"
IMAGE = "include/gnomon/enclave_image.h"

MUTANTS = [
    # Who may call what when.
    ("enclave-added-to-after-init", STATE, "[GNOMON_ENCLAVE_ADD] = { ABSENT, OK, SEALED,",
     "[GNOMON_ENCLAVE_ADD] = { ABSENT, OK, OK,", "a sealed enclave gets another page", "unit enclave"),
    ("enclave-entered-twice", STATE, "{ ABSENT, UNSEALED, OK, BUSY, BUSY, BUSY },",
     "{ ABSENT, UNSEALED, OK, OK, BUSY, BUSY },", "two CPUs run one enclave", "unit enclave"),
    ("enclave-entered-unsealed", STATE, "{ ABSENT, UNSEALED, OK, BUSY, BUSY, BUSY },",
     "{ ABSENT, OK, OK, BUSY, BUSY, BUSY },", "an enclave runs that is still being built", "unit enclave"),
    ("enclave-resumed-at-will", STATE, "{ ABSENT, UNSEALED, NOT_LEFT, BUSY, OK, OK },",
     "{ ABSENT, UNSEALED, OK, BUSY, OK, OK },", "an enclave that was left for good is resumed", "unit enclave"),
    ("enclave-measured-after-init", STATE, "[GNOMON_ENCLAVE_EXTEND] = { ABSENT, OK, SEALED,",
     "[GNOMON_ENCLAVE_EXTEND] = { ABSENT, OK, OK,", "the measurement goes on after INIT", "unit enclave"),
    ("enclave-removed-from-while-it-runs", STATE, "[GNOMON_ENCLAVE_REMOVE] = { ABSENT, OK, OK, BUSY,",
     "[GNOMON_ENCLAVE_REMOVE] = { ABSENT, OK, OK, OK,", "a running enclave loses a page", "unit enclave"),
    ("enclave-destroyed-while-it-runs", STATE, "[GNOMON_ENCLAVE_DESTROY] = { ABSENT, OK, OK, BUSY,",
     "[GNOMON_ENCLAVE_DESTROY] = { ABSENT, OK, OK, OK,", "a running enclave's frames are given away", "unit enclave"),
    ("enclave-identifier-not-looked-at", STATE, "if (!id || id > GNOMON_ENCLAVE_MAX)", "if (id > 1000)",
     "an identifier leads outside the list", "unit enclave"),
    # What an enclave is built from.
    ("enclave-anywhere", BUILD, "if (!is_range(c->base, c->size))", "if (0)", "an enclave lies in the upper half",
     "unit enclave"),
    ("enclave-under-its-buffer", BUILD, "(c->buffer + c->buffer_size <= c->base || c->base + c->size <= c->buffer)", "1",
     "the buffer, which the guest writes, covers pages of the enclave", "unit enclave"),
    ("enclave-page-added-twice", BUILD,
     "if (enclave_page_at(*ret_enclave, b->va)[i].added)", "if (0)", "a page is replaced", "unit enclave"),
    ("enclave-page-elsewhere", BUILD, "if (!in_enclave(e, b->va) || *ret_nr > (e->create.size - (b->va - e->create.base)) / PAGE_SIZE)",
     "if (b->va % PAGE_SIZE)",
     "a page is added outside the enclave", "unit enclave"),
    ("enclave-page-written-and-run", BUILD, "default: return false;",
     "default:\n		*ret = PT_R | PT_W | PT_X;\n		return true;", "a page can be written and executed",
     "unit enclave"),
    ("enclave-entered-in-data", BUILD, "if (!entry->added || !(entry->rights & PT_X))", "if (!entry->added)",
     "the entry lies in a page that cannot be executed", "unit enclave"),
    ("enclave-expected-by-nobody", BUILD,
     "if (expected && sodium_memcmp(expected, measurement, sizeof(measurement)) != 0)", "if (0)",
     "INIT takes any measurement", "unit enclave"),
    ("enclave-frame-not-erased", "vmm/enclave/memory.c",
     "if (!discard(all, at, PAGE_SIZE)) sodium", "if (0)\n\t\tsodium", "a page goes back with its content",
     "unit enclave"),
    ("enclave-run-not-erased", "vmm/enclave/memory.c", "(n < e->nr_pages ? e->page[n].added : n - e->nr_pages < e->tables_used)",
     "(n < e->nr_pages && e->page[n].added)", "tables go back with their content", "unit enclave"),
    ("enclave-run-kept", "vmm/enclave/memory.c", "const bool gone = discard(all, e->memory, enclave_run_size(e));",
     "const bool gone = true;", "an enclave's memory is kept, with its content", "unit enclave"),
    ("enclave-frame-not-released", "vmm/enclave/memory.c", "enclave_stage_release(&e->all->stage, e->memory, enclave_run_size(e));", ";",
     "a frame keeps its owner", "unit enclave"),
    ("enclave-runs-overlap", "vmm/enclave/memory.c", "if (!e) {", "if (1) {", "two enclaves have the same frames",
     "unit enclave"),
    # The third stage and what is composed from it.
    ("stage-two-owners", STAGE, "if (enclave_stage_lookup(s3, maddr_add(at, i * PAGE_SIZE), &there))", "if (0)", "a frame changes its owner",
     "unit enclave_stage"),
    ("view-writes-everything", VIEW, "return map(e, va, (*n - first) * PAGE_SIZE, enclave_frame_of(e, va), rights | PT_U);",
     "return map(e, va, (*n - first) * PAGE_SIZE, enclave_frame_of(e, va), rights | PT_U | PT_W);", "code can be written", "unit enclave"),
    ("view-keeps-removed", VIEW, "BUG_ON(pt_zap(&e->view, va, PAGE_SIZE, &g) < 0);", ";",
     "a page that was removed can be reached", "unit enclave"),
    ("view-shows-stub", "vmm/monitor/enclave_vm.c", "stub_page_of(stub, STUB_GDT), PT_R | PT_W}",
     "stub_page_of(stub, STUB_GDT), PT_R | PT_W | PT_U}", "the enclave writes its descriptor table",
     "monitor enclave_vm/*"),
    # In and out.
    ("entered-anywhere", RUN, "if (entry != e->create.entry)", "if (0)", "the kernel chooses where it is entered",
     "unit enclave"),
    ("ticket-not-looked-at", RUN, "if (ticket != e->ticket)", "if (0)", "any ticket resumes", "unit enclave"),
    ("ticket-used-again", RUN, "e->ticket = 0;", ";", "a ticket is left after its RESUME", "unit enclave"),
    ("fault-tells-address", RUN, "ret_left->address = address & PAGE_MASK;", "ret_left->address = address;",
     "the kernel learns where in the page", "unit enclave"),
    ("interrupt-tells-registers", RUN, "GNOMON_ENCLAVE_AEX, GNOMON_ENCLAVE_INTERRUPTED, ret_left); if (!e) "
     "return GNOMON_ENCLAVE_NOT_RUNNING;",
     "GNOMON_ENCLAVE_AEX, GNOMON_ENCLAVE_INTERRUPTED, ret_left);\n\n	if (!e)\n"
     "		return GNOMON_ENCLAVE_NOT_RUNNING;\n"
     "	memcpy(ret_left->args, &e->context.gpr[RCX], sizeof(ret_left->args));",
     "the kernel reads registers of an enclave that it interrupted", "enclave attack/two_cpus_*"),
    ("result-of-an-interrupt", RUN, "if (e->state == ENCLAVE_CALLED_OUT)", "if (1)",
     "the kernel changes a register of an interrupted enclave", "unit enclave"),
    # Measurement and reports.
    ("measured-without-content", MEASURE, "if (content) add(&h, content, PAGE_SIZE);", ";",
     "a changed byte does not change the measurement", "unit enclave_measure"),
    ("measured-without-rights", MEASURE, "add_number(&h, abi_rights(rights));", ";",
     "a changed right does not change the measurement", "unit enclave_measure"),
    ("measured-without-address", MEASURE, "add_number(&h, va);", ";",
     "a page at another address does not change the measurement", "unit enclave_measure"),
    ("measured-when-sealed-forgotten", BUILD, "while (enclave_measure_due(e)) ;", "", "INIT seals pages that nobody hashed",
     "unit enclave_measure"),
    ("measured-forgets-the-oldest", MEASURE,
     "if (e->nr_due == ENCLAVE_DUE_MAX) (void)enclave_measure_due(e);",
     "if (e->nr_due == ENCLAVE_DUE_MAX)\n\t\te->first_due++, e->nr_due--;",
     "with many pages due the hash of the first is never made", "unit enclave_measure"),
    ("report-not-verified", REPORT,
     "if (crypto_sign_verify_detached(report->signature, (const uint8_t *)report, SIGNED, expected->public_key) != 0)",
     "if (0)", "a forged report is accepted", "unit enclave_report"),
    ("report-of-anyone", REPORT,
     "if (expected->measurement && sodium_memcmp(report->measurement, expected->measurement, ENCLAVE_HASH) != 0)",
     "if (0)", "another enclave's report is accepted", "unit enclave_report"),
    ("report-replayed", REPORT,
     "if (expected->nonce && sodium_memcmp(report->nonce, expected->nonce, sizeof(report->nonce)) != 0)", "if (0)",
     "an old report is accepted", "unit enclave_report"),
    # What a file becomes.
    ("enclave-file-read-behind-its-end", IMAGE, "p->offset > size - p->filesz", "p->offset > size",
     "a hostile file has the host's memory measured", "unit enclave_image"),
    ("enclave-file-wraps", IMAGE, "p->memsz > GNOMON_ENCLAVE_HIGHEST - p->vaddr",
     "p->vaddr + p->memsz > GNOMON_ENCLAVE_HIGHEST", "a segment wraps around", "unit enclave_image"),
    ("enclave-file-shares-pages", IMAGE, "if (im->nr && s->first < im->segment[im->nr - 1].end)", "if (0)",
     "two segments have one page", "unit enclave_image"),
    ("enclave-file-without-guard", IMAGE, "end = ret_image->segment[ret_image->nr - 1].end + page;",
     "end = ret_image->segment[ret_image->nr - 1].end;", "no absent page below the stack", "unit enclave_image"),
    # Walks that are counted.
    ("check-cache-forgets", "vmm/model/walk_check.c",
     "memmove(cache->frame + 1, cache->frame, i * sizeof(*cache->frame));",
     "if (!hit) memmove(cache->frame + 1, cache->frame, i * sizeof(*cache->frame));",
     "a hit drops another frame from the cache", "unit walk_check"),
    ("second-stage-not-checked", "vmm/model/walk_check.c", "k->w->reading == WALK_CHECK_EVERY &&", "0 &&",
     "accesses of the second stage go unchecked", "unit walk_check"),
    ("count-leaves-frames", "vmm/monitor/walks.c",
     "enclave_stage_release(c->stage, maddr_init(s->table[i].address), PAGE_SIZE);", ";",
     "frames of a counted second stage stay the enclave's", "monitor monitor/counts_walks"),
    # Between the two processes.
    ("kick-before-run-lost", "vmm/monitor/serve.c", "stop = atomic_load(&slot->kick) ?", "stop = 0 ?",
     "a kick that comes before the enclave runs is lost", "monitor monitor/kicked_before_it_runs"),
    ("removed-page-in-kvm", "vmm/monitor/enclave_vm.c", "r = set_slot(vm, none);", "return 0;\n	r = set_slot(vm, none);",
     "KVM goes on using what it took from the view", "monitor enclave_vm/loses_a_page"),
    ("monitor-outlives-vmm", "vmm/monitor/process.c", "prctl(PR_SET_PDEATHSIG, SIGKILL) < 0", "0",
     "the monitor stays when the VMM is killed", "monitor monitor/goes_with_the_vmm"),
]
