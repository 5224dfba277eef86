# SPDX-License-Identifier: MIT
"""Bugs of `walk` and `query-tables`, which show translations. As in shadow_cpu.py each names the check that must find it."""

TRACE, RULE, ANSWER = "vmm/walk/trace.c", "vmm/walk/rule.c", "vmm/view/walk.c"
WALK, FILE = "vmm/walk/guest_walk.c", "vmm/view/file.c"
UNIT = "unit walk_trace"

MUTANTS = [
    ("walk-sets-accessed", WALK, "w.outcome == WALK_OK && set_ad &&", "w.outcome == WALK_OK &&", "to look at a walk sets A and D",
     "unit share"),
    ("walk-row-of-data", TRACE, ".row = row, .step = ret_path->step[i]", ".row = 0, .step = ret_path->step[i]",
     "what the second stage reads for an entry counts as read for the data", UNIT),
    ("walk-memory-everywhere", TRACE, "t.has_memory = path.mapped;", "t.has_memory = true;",
     "memory that was taken away is told to be there", UNIT),
    ("walk-rule-of-leaf", RULE, "level > w->level; level--)", "level > WALK_LEVELS; level--)",
     "the leaf is blamed for what an entry above it denies", UNIT),
    ("walk-as-kernel", ANSWER, '? strcmp(wanted->privilege, "user") == 0', "? false",
     "a program's access is judged as the kernel's", "walk nested"),
    ("walk-other-wp", WALK, "m->wp = cr0 & CR0_WP", "m->wp = true", "CR0.WP is taken to be set", "walk shadow"),
    ("tables-fold-other-flags", "vmm/pgtable/fold.c",
     "fmt->get_attrs(n->step.entry, level) == fmt->get_attrs(run->step.entry, level)", "true",
     "pages of different rights are shown as one run", "unit pgtable_dump"),
    ("walk-data-unchecked", "vmm/monitor/walk.c", "if (path.mapped) check(&l, path.to, 0);", "",
     "the third stage's entries for the data are not told", "monitor monitor/tells_a_walk"),
    ("file-zero-page-outside", FILE, "*ret_entry = pte_init(0); return true;", "return false;",
     "a table that is all zero in a snapshot is told to lie outside memory", "unit view_file"),
    ("file-stale-page", FILE, "f->gfn[at] == gfn", "f->gfn[at] != UINT64_MAX", "another page of a snapshot is read for a table",
     "unit view_file"),
    ("file-damage-unsaid", "vmm/view/file_tables.c", "return f->error ? control_fail", "return 0 ? control_fail",
     "what was read of a damaged snapshot is shown as its tables", "unit view_file"),
    ("below-hole-as-page", "vmm/view/below.c", "return path.mapped &&", "return", "a hole of the second stage is told as pages",
     "control control/views_below"),
    ("enclave-stage-of-one", "vmm/machine/enclaves.c", "sizes->owned += s->pages + s->tables;", "sizes->owned = s->pages;",
     "the frames of enclaves' tables count as nobody's", "unit machine_enclaves"),
]
