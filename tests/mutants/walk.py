# SPDX-License-Identifier: MIT
"""Bugs of `walk` and `query-tables`, which show translations. As in shadow_cpu.py each names the check that must find it."""

TRACE, RULE, ANSWER = "vmm/walk/trace.c", "vmm/walk/rule.c", "vmm/machine/walk.c"
UNIT = "unit walk_trace"

MUTANTS = [
    ("walk-sets-accessed", TRACE, "access, false, &t.walk", "access, true, &t.walk", "to look at a walk sets A and D", UNIT),
    ("walk-memory-everywhere", TRACE, "t.has_memory = path.mapped;", "t.has_memory = true;",
     "memory that was taken away is told to be there", UNIT),
    ("walk-rule-of-leaf", RULE, "level > w->level; level--)", "level > WALK_LEVELS; level--)",
     "the leaf is blamed for what an entry above it denies", UNIT),
    ("walk-as-kernel", ANSWER, '? strcmp(wanted->privilege, "user") == 0', "? false",
     "a program's access is judged as the kernel's", "walk nested"),
    ("walk-other-wp", "vmm/vm/peek.c", ".wp = c->cr0 & CR0_WP", ".wp = true", "CR0.WP is taken to be set", "walk shadow"),
    ("tables-fold-other-flags", "vmm/pgtable/fold.c",
     "fmt->get_attrs(n->step.entry, level) == fmt->get_attrs(run->step.entry, level)", "true",
     "pages of different rights are shown as one run", "unit pgtable_dump"),
    ("walk-data-unchecked", "vmm/monitor/walk.c", "if (path.mapped) check(&l, path.to, 0);", "",
     "the third stage's entries for the data are not told", "monitor monitor/tells_a_walk"),
]
