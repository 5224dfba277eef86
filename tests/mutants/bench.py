# SPDX-License-Identifier: MIT
"""Bugs of the benchmark's method. As in shadow_cpu.py each names the check that must find it."""

TURNS, VM, REPORT, ARENA = ("vmm/bench/workload/miss_turns.c", "vmm/bench/workload/miss_vm.c",
                            "vmm/bench/workload/miss_series.c", "guest/cost/arena.c")
JUDGE, MATCH, RULE = "vmm/bench/compare/judge.c", "vmm/bench/compare/match.c", "vmm/bench/compare/rule.c"
APPS = "guest/arena_apps.c"
LAP, UNIT, COMPARED = "guest command/bench_miss", "unit bench_miss", "unit compare"

MUTANTS = [
    ("reference-short", "vmm/bench/workload/miss_reference.c", "loads = b->loads / 16", "loads = b->loads / 32",
     "the loop that the chase is compared with loads half as much", "unit bench_miss"),
    ("loads-judged", "vmm/bench/compare/rule.c", '{"miss", "load", NULL, .role = COMPARE_VALUE, .told = true},', "",
     "two runs on one host differ for compare", COMPARED),
    ("miss-other-lines", ARENA, "*entry(arena_page(stride, i), 1) = (PHYS + i * CHASE_PAGE) | USED;",
     "*entry(arena_page(stride, i), 1) = (PHYS + (i ^ 1) * CHASE_PAGE) | USED;",
     "a guest chases through other lines than the process", LAP),
    ("miss-block-not-told", VM, "*guests = m->block;", ";", "a guest does another block than it was told", LAP),
    ("miss-guest-stays", ARENA, "arena_run(&block);", "block.tsc = 1;", "a guest does not chase at all", LAP),
    ("miss-lap-not-compared", TURNS, "*ret_line = b.line;", "*ret_line = b.line + who;",
     "environments come to different lines", LAP),
    ("apps-other-memory", ARENA, "*entry(arena_page(stride, i), 1) = (PHYS + i * CHASE_PAGE) | USED;",
     "*entry(arena_page(stride, i), 1) = (PHYS + (i ^ 1) * CHASE_PAGE) | USED;",
     "a guest has another page where the process has its", "guest command/bench_apps"),
    ("apps-gups-reads-only", APPS, "*word ^= random;", "*word ^= 0;", "gups writes nothing new", "unit bench_apps"),
    ("apps-btree-below", APPS, "node->key[i] <= key", "node->key[i] < key", "a lookup ends at a neighbour",
     "unit bench_apps"),
    ("apps-scan-skips", APPS, "at = at + 1 < pages ? at + 1 : 0;", "at = at + 2 < pages ? at + 2 : 0;",
     "a scan leaves pages out", "unit bench_apps"),
    ("miss-ratio-of-medians", REPORT, "report_set_ratio(t, \"ratio\", &ratio);",
     "report_set_number(t, \"ratio\", ns.p99);", "something else is given for the ratio", UNIT),
    ("miss-one-interval", REPORT, "widest = fmax(widest, (ratio.ci_high", "widest = fmin(widest, (ratio.ci_high",
     "a wide interval counts for nothing", UNIT),
    ("miss-step-of-nothing", "vmm/bench/workload/miss_levels.c", "series[ring - 1].ns[who]", "series[ring].ns[who]",
     "a level of the walk costs nothing", UNIT),
    ("miss-clock-jumps", "vmm/bench/workload/miss_clock.h", "return us >= 0 && apart <= us / 50 + 2000;", "return true;",
     "a block that was timed across a host's move counts", UNIT),
    ("bootstrap-single-samples", "vmm/bench/bootstrap.c", "at = i % block == 0 ? random_below", "at = 1 ? random_below",
     "samples that are alike make an interval too narrow", "unit bootstrap"),
    ("compare-rates-like-times", RULE, "\"GiB/s\", .role = COMPARE_VALUE, .more_is_better = true",
     "\"GiB/s\", .role = COMPARE_VALUE", "a lower rate is better", COMPARED),
    ("compare-one-sided-overlap", JUDGE, "return a->low <= b->high && b->low <= a->high;", "return a->low <= b->high;",
     "a value that got worse beyond its interval is noise", COMPARED),
    ("compare-better-is-same", JUDGE, "if (fabs(other->change) <= threshold", "if (other->change <= threshold",
     "a large improvement is no change", COMPARED),
    ("compare-host-in-key", RULE, "{\"*\", \"second_stage\", NULL, .role = COMPARE_NOTE},", "",
     "results of ept=1 and ept=0 have no row in common", COMPARED),
    ("compare-any-double", MATCH, "if (a->file != b->file || strcmp(a->key, b->key) != 0)", "if (a)",
     "two rows that are alike are both taken", COMPARED),
    ("compare-half-an-interval", JUDGE, "!base->has_interval || !other->has_interval", "!base->has_interval",
     "a value without an interval counts as one from 0 to 0", COMPARED),
]
