# SPDX-License-Identifier: MIT
"""Bugs in what the VMM and the monitor do for enclaves: each names the check that must find it, as in enclave.py.

Not here, since no test can tell them from the tree:
 - buffers are cleared at CREATE and at DESTROY, registers at EXIT and at ENTER: either alone is enough;
 - REMOVE without enclave_vm_forget(): the host takes the frame back, and KVM forgets for that, too. Without the host
   removed-page-in-kvm shows it (enclave.py);
 - what is lent is whole pages of RAM: reclaim looks at that, too;
 - memory that is locked up to the last page of the limit: who may not raise his limit on locked memory cannot try
   (memlock/enough_to_begin_with);
 - a page that is lent while other CPUs run, in nested mode: who stores after the copy and then again is killed for it.
"""
PAGES = "vmm/platform/enclave_pages.c"
PORT = "vmm/platform/enclave.c"
CALL = "vmm/platform/enclave_call.c"
LEND = "vmm/vm/lend.c"
RECLAIM = "vmm/vm/reclaim.c"
SERVE = "vmm/monitor/serve.c"
SECURE = "vmm/monitor/secure.c"
MONITOR = "vmm/monitor/monitor.c"
PROCESS = "vmm/monitor/process.c"
SANDBOX = "vmm/monitor/sandbox.c"
ENCLAVE_VM = "vmm/monitor/enclave_vm.c"

MUTANTS = [
    # Memory that goes to an enclave.
    ("lent-not-taken", LEND, "lent.content = ret_content; r = vm_reclaim_locked(vm, &slice, 1);",
     "lent.content = ret_content;\n	r = 0;\n	lent_copy(&vm->stage2.lent, stage2_ptr(&vm->stage2, slice.gpa, size), size);",
     "the guest keeps what it gave to an enclave", "enclave attack/read_*"),
    # Two stop the other CPU, the shootdown and the host, whose KVM drops what it has of memory that is withdrawn: one
    # mutant takes both away.
    ("lent-under-others", RECLAIM,
     "return vm->paging->shootdown(vm, slice, n); } /* --- memory --- */ "
     "static uint64_t surrender(void *ctx, maddr_t maddr, uint64_t size) { struct vm *vm = ctx; "
     "int r = guest_mem_surrender(&vm->mem, maddr, size);",
     "if (!vm->stage2.lent.content)\n		return vm->paging->shootdown(vm, slice, n);\n"
     "	lent_copy(&vm->stage2.lent, guest_mem_ptr(&vm->mem, slice->maddr, slice->size), slice->size);\n	return 0;\n"
     "}\n\nstatic uint64_t surrender(void *ctx, maddr_t maddr, uint64_t size)\n{\n	struct vm *vm = ctx;\n"
     "	int r = vm->stage2.lent.content ? 0 : guest_mem_surrender(&vm->mem, maddr, size);",
     "the other CPUs go on in a page that went to an enclave", "enclave attack/hammer_*"),
    ("lent-while-taken", LEND, "vm->stage2.lent.content = NULL; if (r == 0) lent_set(",
     "vm->stage2.lent.content = NULL;\n	r = r == -EALREADY ? 0 : r;\n	if (r == 0)\n		lent_set(",
     "the guest gives an enclave what the host took, and gets it back from it", "enclave enclave_run/page_that_was_taken_*"),
    # Two stop a page that is given already: it is lent, and it is in no table that leads to memory.
    ("lent-to-two", LEND,
     "if (lent_to(&vm->stage2.lent, gpa, size)) return end(vm, -EPERM); vm->stage2.lent.content = ret_content; "
     "r = vm_reclaim_locked(vm, &slice, 1); vm->stage2.lent.content = NULL;",
     "vm->stage2.lent.content = ret_content;\n	r = vm_reclaim_locked(vm, &slice, 1);\n"
     "	vm->stage2.lent.content = NULL;\n	r = r == -EALREADY ? 0 : r;",
     "a page belongs to two enclaves, or twice to one", "enclave attack/pages_*"),
    ("lent-twice", LEND, "if (lent_to(&vm->stage2.lent, gpa, size)) return end(vm, -EPERM);", "",
     "a marshalling buffer, which the kernel writes, becomes a page of an enclave", "enclave attack/pages_*"),
    # No table leads anywhere but to RAM, so what is no memory cannot be given. Part of a page can be rounded.
    ("lent-rounded", PAGES, "vm_lend(vm, gpa_init(q->gpa), nr * PAGE_SIZE,",
     "vm_lend(vm, gpa_init(q->gpa & PAGE_MASK), nr * PAGE_SIZE,", "an enclave takes more than it was given",
     "enclave attack/pages_*"),
    ("lent-not-copied", RECLAIM, "lent_copy(&vm->stage2.lent, guest_mem_ptr(&vm->mem, slice->maddr, slice->size), slice->size);", ";",
     "an enclave's page is not what the guest gave", "enclave attack/runs_*"),
    ("lent-not-noted", LEND, "lent_set(&vm->stage2.lent, gpa, size, to);", ";",
     "the control socket returns an enclave's page to the guest", "enclave enclave_run/slices_*"),
    ("lent-reclaimed", RECLAIM, "if (!lent_to(&vm->stage2.lent, slice[i].gpa, slice[i].size)) continue;", "continue;",
     "reclaim and release reach an enclave's pages", "enclave enclave_run/slices_*"),
    ("lent-ballooned", "vmm/platform/balloon.c", "if (vm_lent_to(p->vm, at, size))", "if (0)",
     "the balloon is asked for an enclave's page", "enclave attack/balloon_*"),
    ("lent-after-reset", RECLAIM, "lent_forget(&vm->stage2.lent);", ";", "after a reset pages still belong to an enclave",
     "enclave enclave_run/slices_*"),
    ("lent-for-ever", LEND, "lent_set(&vm->stage2.lent, gpa, size, 0); if (content)", "if (content)",
     "a page that came back cannot be given again", "enclave attack/pages_*"),
    ("shared-twice", LEND, "r = lent_to(&vm->stage2.lent, gpa, size) ? -EPERM : make_fresh(vm, gpa, size);",
     "r = make_fresh(vm, gpa, size);", "two enclaves have one buffer", "enclave attack/pages_*"),
    ("buffer-stays-shared", PAGES, "r = VM_PATIENTLY(vm, vm_unshare(vm, p->buffer, p->buffer_size));", "r = 0;",
     "the guest's page stays a buffer after DESTROY", "enclave attack/zero_*"),
    ("buffer-not-cleared", MONITOR,
     "return fallocate(m->buffers_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at, GNOMON_ENCLAVE_BUFFER_MAX) < 0 "
     "? -errno : 0;",
     "(void)at;\n	return 0;", "an enclave finds what another's buffer held", "enclave attack/zero_*"),
    ("buffer-of-another", PAGES, "#define BUFFER_AT(id) ((uint64_t)(id)*GNOMON_ENCLAVE_BUFFER_MAX)",
     "#define BUFFER_AT(id) ((uint64_t)(id) * 0)", "the guest sees another enclave's buffer",
     "enclave attack/two_cpus_*"),
    ("destroy-keeps-pages", PAGES,
     "n += give_back_run(e, q->id, n, PAGE_2M / PAGE_SIZE);", "n++;",
     "the guest never gets its pages back", "enclave attack/zero_*"),
    ("destroy-takes-all-for-a-run", PAGES, "&& p->gpa[n + nr] == gpa + nr * PAGE_SIZE)", "&& p->gpa[n + nr] != NO_PAGE)",
     "pages that are not in a row come back as if they were", "enclave attack/zero_*"),
    ("returned-with-content", PAGES, "give_back(e->vm, p->gpa[n], nr * PAGE_SIZE, NULL);",
     "give_back(e->vm, p->gpa[n], nr * PAGE_SIZE, e->content);", "the guest finds in its page what was added last",
     "enclave attack/zero_*"),
    ("remove-gives-all", PAGES, "nr = nr < most ? nr : most;", "(void)most;",
     "REMOVE of a page gives back those behind it", "enclave attack/zero_*"),
    ("half-created", PAGES, "(void)platform_enclave_ask(e, slot, MONITOR_DESTROY, q);", ";",
     "a CREATE that failed for its buffer leaves an enclave", "enclave attack/errors_*"),
    ("refused-page-lost", PAGES, "give_back(vm, q->gpa, nr * PAGE_SIZE, e->content);",
     "give_back(vm, q->gpa, nr * PAGE_SIZE, NULL);",
     "an ADD that comes after another CPU's INIT takes the page's content", "enclave attack/seal_*"),
    # The page that comes and goes may be a table of the guest's.
    ("shared-unseen", LEND, "? -EPERM : make_fresh(vm, gpa, size);", "? -EPERM : 0;",
     "the shadow of a table lives on where a buffer is now", "enclave attack/share_table_*"),
    ("table-in-buffer", "vmm/walk/guest_walk.c", "if (lent_to(&s2->lent, gfn_to_gpa(table), PAGE_SIZE)) return NULL;",
     "", "an enclave changes a table past its shadow", "enclave attack/unshare_table_shadow"),
    ("answer-unseen", PORT, "if (to) vm->paging->written(vm, at, sizeof(*to));", ";",
     "an answer in a table changes the table and not its shadow", "enclave attack/other_options"),
    # The port.
    ("request-read-twice", PAGES, "platform_enclave_request(e, slot, q);\n	memcpy(monitor_content",
     "BUG_ON(stage2_read(&vm->stage2, e->errands[slot].at, &e->errands[slot].request, sizeof(*q)) < 0);\n"
     "	platform_enclave_request(e, slot, q);\n	memcpy(monitor_content",
     "a request changes between check and use", "enclave attack/fetch_*"),
    ("version-not-looked-at", PORT, "if (errand->request.version != GNOMON_ENCLAVE_VERSION)", "if (0)",
     "a request of any version is served", "enclave attack/version_*"),
    ("request-not-aligned", CALL, "if (at % size) {", "if (0) {",
     "a request may cross a page", "enclave attack/misaligned_*"),
    ("identifier-of-the-monitor", PORT, "if (!q->id || q->id > GNOMON_ENCLAVE_MAX)", "if (0)",
     "a lying monitor has the VMM write outside its lists", "enclave enclave_monitor/impossible_identifiers"),
    ("request-outside-memory", CALL, "if (r < 0) { vm_kill(vcpu, \"its request", "if (0) {\n		vm_kill(vcpu, \"its request",
     "a request from nowhere is served", "enclave attack/request_*"),
    ("expected-dropped", SERVE, "q->flags & GNOMON_ENCLAVE_EXPECT ? q->expected : NULL", "NULL",
     "INIT does not hear what the kernel expects", "enclave attack/calls_*"),
    ("flags-not-looked-at", "vmm/monitor/serve.c", "&& q->flags & ~(uint64_t)GNOMON_ENCLAVE_EXPECT)", "&& 0)",
     "flags of a later version count as none", "enclave attack/calls_*"),
    ("walks-of-any-version", "vmm/platform/enclave_walks.c", "if (errand->walks.version != GNOMON_ENCLAVE_VERSION)", "if (0)",
     "a request for walks of any version is served", "enclave attack/version_walks_*"),
    ("walks-unbounded", "vmm/monitor/walks.c", "if (bytes / PAGE_SIZE > GNOMON_ENCLAVE_WALKS_MAX)", "if (0)",
     "a count of walks keeps the monitor from everybody for a second", "monitor monitor/bounds_walks"),
    ("said-again", CALL, "if (atomic_exchange(&e->given_up, true)) return;",
     "if (atomic_load(&e->given_up))\n		return;",
     "each call says that the monitor does not answer", "enclave enclave_monitor/stopped_at_the_end"),
    ("seccomp-not-asked-for", MONITOR, "int r = sandbox_check();", "int r = 0;",
     "without seccomp two processes complain, of memory and of an operation", "monitor wall/without_seccomp"),
    # Whoever wants the vCPU gets it.
    ("hurry-without-kick", PORT, "if (e->monitor) monitor_kick(e->monitor, vcpu->id);", ";",
     "a loop in an enclave holds up stop and interrupts", "enclave enclave_run/loop_nested"),
    ("wanted-before-enter", PORT, "if (vcpu_is_wanted(vcpu)) /*", "if (0) /*",
     "an interrupt from before ENTER waits for the enclave", "enclave attack/pending_*"),
    ("kick-not-forgotten", PORT, "monitor_ready(e->monitor, vcpu->id);", ";",
     "after one interrupt no enclave runs any more", "enclave attack/two_cpus_*"),
    # Reset, and the end of either process.
    ("reset-keeps-enclaves", SERVE, "count(m, reply); return reset(m);",
     "count(m, reply);\n		return 0 ? reset(m) : GNOMON_ENCLAVE_OK;", "enclaves outlive a reset",
     "enclave enclave_run/loop_nested"),
    ("reset-not-told", PORT, "if (platform_enclave_call(e, e->own_slot, MONITOR_RESET, &reply)) {",
     "reply.status = 0;\n	if (0) {", "the monitor hears of no reset", "enclave enclave_run/loop_nested"),
    ("errand-after-reset", "vmm/vm/vcpu.c", "atomic_store(&vcpu->errand, NULL);", ";",
     "the next boot gets a call of the last one's", "enclave enclave_run/resets_between_calls"),
    ("death-without-end", PORT, "if (e->vm) vm_end(e->vm, VM_HOST_FAILED, STATUS_HOST_FAILURE);", ";",
     "a run goes on without its monitor", "enclave enclave_monitor/killed_while_idle"),
    ("death-before-the-start", PORT, "if (vm && e->dead)", "if (0)", "a run begins whose monitor is dead already",
     "enclave enclave_monitor/killed_at_the_start"),
    ("death-not-noticed", MONITOR, "if (atomic_load(&m->dead) && atomic_load(&s->turn)",
     "if (0 && atomic_load(&s->turn)", "a call waits for a monitor that is dead", "monitor monitor/is_killed"),
    ("request-over-request", MONITOR, "int r = await_turn(m, s, &p, q->op); if (r < 0) return r;",
     ";", "a reset takes the answer to an earlier question for its own",
     "monitor patience/reset_after_a_question"),
    ("reply-of-another", MONITOR, "if (reply.sequence != q.sequence || reply.op != q.op)", "if (0)",
     "a reply is taken for that of another request", "monitor patience/another_requests_reply"),
    ("reset-given-up", MONITOR, "if (op == MONITOR_QUERY || (m->config.ended", "if (op < MONITOR_NR_OPS || (m->config.ended",
     "a reset that takes long ends the run", "monitor patience/old_when_it_ends"),
    ("reset-for-ever", MONITOR, "return op == MONITOR_RESET ? m->config.reset_ms : 0;", "return 0;",
     "a reset waits for ever for a monitor that was stopped", "monitor patience/reset_with_a_limit"),
    ("stopped-time-counts", MONITOR, "p->waited + (since < LOOK_MS ? since : LOOK_MS);", "p->waited + since;",
     "a run that was stopped together with its monitor ends afterwards", "monitor patience/stopped_time_does_not_count"),
    ("reset-failed-unsaid", "vmm/vm/reset.c", "r = vm_has_ended(vm) ? -ECANCELED : vm_release_all(vm);",
     "r = vm_release_all(vm);", "a reset that failed is answered as if it had not",
     "enclave enclave_monitor/killed_in_a_reset"),
    ("walk-without-enclaves", "vmm/machine/walk.c", "if (reply && add_enclaves(reply, &a, err) < 0) {",
     "if (reply && add_enclaves(reply, &a, err) < 0 && 0) {", "an enclave that is not known is told as none",
     "enclave enclave_monitor/stopped"),
    # The wall.
    ("monitor-dumpable", SANDBOX, "if (prctl(PR_SET_DUMPABLE, 0) < 0)", "if (0)",
     "a process of the same user reads the monitor's memory", "monitor wall/without_capabilities"),
    ("monitor-unfiltered", PROCESS, "return sandbox_monitor();", "return 0;", "the monitor may call anything",
     "monitor wall/monitor_is_filtered"),
    ("monitor-types", SANDBOX, "SCMP_SYS(ioctl), 1, &kvm);", "SCMP_SYS(ioctl), 0, &kvm);",
     "a monitor that was taken over types into the user's terminal", "monitor wall/monitor_is_confined"),
    ("monitor-signals", SANDBOX, "SCMP_SYS(tgkill), 1, &ours);", "SCMP_SYS(tgkill), 0, &ours);",
     "a monitor that was taken over ends the user's processes", "monitor wall/monitor_is_confined"),
    ("monitor-keeps-descriptors", PROCESS, "if (close_range(3, ~0u, 0) < 0)", "if (0)",
     "the monitor holds the VMM's files open", "monitor wall/monitor_keeps_no_descriptor"),
    ("vmm-unfiltered", PORT, ".wall = true,", "",
     "the VMM, as root, reaches the monitor", "enclave enclave_monitor/both_are_filtered"),
    ("vmm-without-domain", SANDBOX, "if (enter_domain(LANDLOCK_ACCESS_FS_MAKE_BLOCK) < 0)", "if (0)",
     "the VMM, as root, reads /proc/PID/mem of the monitor", "monitor wall/root"),
    ("monitor-has-files", SANDBOX, "return enter_domain((LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1);", "return 0;",
     "the monitor keeps its rights to files", "monitor wall/monitor_has_no_files"),
    ("monitor-swapped", PROCESS, "c->shared->locked = lock_memory(c->memory);",
     "(void)lock_memory;\n	c->shared->locked = true;", "the monitor says that it is locked, and is not", "monitor wall/monitor_is_locked"),
    ("discard-keeps", SECURE, "MADV_DONTNEED_LOCKED) == 0 ||", "MADV_DONTNEED) == 0 ||",
     "what was erased stays in memory", "monitor wall/monitor_gives_memory_back"),
    ("small-run-huge", SECURE, "round_up(maddr_raw(at), PAGE_2M), to", "maddr_raw(at) & ~(PAGE_2M - 1), to",
     "the neighbours of a large enclave come as huge pages", "unit secure"),
    ("huge-for-ever", SECURE, "backing_advise(BACKING_4K, at_frame(memory, at), size);", ";",
     "a small enclave where a large one was takes 2 MiB", "unit secure"),
    ("segments-stay", ENCLAVE_VM, "if (c->begins)", "if (0)",
     "a call finds the segments of the one before", "monitor enclave_vm/segments_begin_anew"),
    ("told-again", SERVE, "m->told = true;", ";", "a guest floods the log by INIT", "monitor monitor/no_descriptors"),
    ("seal-stays", SERVE, "enclave_unseal(m->all, q->id);", ";",
     "an enclave is ready for which the host has no VM", "monitor monitor/no_descriptors"),
    ("vmm-may-read", SANDBOX, "SCMP_SYS(process_vm_readv), SCMP_SYS(process_vm_writev),",
     "SCMP_SYS(process_vm_writev),", "the VMM, as root, reads the monitor's memory", "monitor wall/root"),
    ("vmm-may-trace", SANDBOX, "SCMP_SYS(ptrace),", "", "the VMM, as root, traces the monitor",
     "monitor wall/root"),
    ("vmm-may-take-files", SANDBOX, "SCMP_SYS(pidfd_getfd),", "", "the VMM, as root, has the monitor's VMs",
     "monitor wall/root"),
    ("message-read-twice", SERVE, "run(m, q.id, slot, &reply);", "run(m, slot->request.id, slot, &reply);",
     "a message changes between check and use", "monitor monitor/message_changes"),
    ("refused-for-ever", "vmm/kvm/refusal.c", "return *refused >= REFUSALS_MAX;", "return false;",
     "a vCPU that KVM never runs is tried for ever", "monitor vcpu/is_refused_for_ever"),
    ("sealed-untried", ENCLAVE_VM, "return try_run(vm);", "(void)try_run(vm);\n	return 0;",
     "INIT succeeds though KVM cannot run the enclave", "monitor enclave_vm/no_threads"),
    # An enclave's vCPU.
    ("flags-of-the-enclave", ENCLAVE_VM, "(c->rflags & RFLAGS_USER) |", "c->rflags |",
     "an enclave chooses flags that no program has", "monitor enclave_vm/keeps_a_programs_flags"),
    ("key-of-anyone", "vmm/enclave/report.c",
     "BUG_ON(crypto_generichash_update(&h, e->measurement, sizeof(e->measurement)) != 0);", ";",
     "all enclaves have one key", "unit enclave_report"),
    ("any-fault-is-a-call", ENCLAVE_VM,
     "(f->vector == VEC_PF && f->rip == arrival && vm->run->s.regs.sregs.cr2 == arrival)",
     "f->vector == VEC_PF", "a page fault is taken for a call", "monitor enclave_vm/faults"),
    ("reading-is-a-call", ENCLAVE_VM, "f->rip == arrival && vm->run", "vm->run",
     "an enclave that reads the stub makes a call", "monitor enclave_vm/faults"),
    ("report-anywhere", SERVE, "if (!ask || va % 8)", "if (va % 8)",
     "an enclave that wants its report where it has no memory ends the monitor", "enclave attack/code_*"),
    ("no-fs-base", ENCLAVE_VM, "s->fs.base = vm->base;", ";", "code with a stack protector faults",
     "monitor enclave_vm/has_an_fs_base"),
]
