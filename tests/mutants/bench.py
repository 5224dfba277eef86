# SPDX-License-Identifier: MIT
"""Bugs of the benchmark's method. As in shadow_cpu.py each names the check that must find it."""

TURNS, VM, REPORT, ARENA = ("vmm/bench/workload/miss_turns.c", "vmm/bench/workload/miss_vm.c",
                            "vmm/bench/workload/miss_report.c", "guest/cost/arena.c")
LAP, UNIT = "guest command/bench_miss", "unit bench_miss"

MUTANTS = [
    ("miss-other-lines", ARENA, "table(2 + t)[i] = (PHYS + (t * ENTRIES + i) * CHASE_PAGE) | USED;",
     "table(2 + t)[i] = (PHYS + (t * ENTRIES + (i ^ 1)) * CHASE_PAGE) | USED;",
     "a guest chases through other lines than the process", LAP),
    ("miss-block-not-told", VM, "*guests = m->block;", ";", "a guest does another block than it was told", LAP),
    ("miss-guest-stays", ARENA, "arena_run(&block);", "block.tsc = 1;", "a guest does not chase at all", LAP),
    ("miss-lap-not-compared", TURNS, "run->line[who][size] = b.line;", "run->line[who][size] = b.line + who;",
     "environments come to different lines", LAP),
    ("miss-ratio-of-medians", REPORT, "report_set_ratio(t, \"ratio\", &ratio);",
     "report_set_number(t, \"ratio\", ns.p99);", "something else is given for the ratio", UNIT),
    ("miss-one-interval", REPORT, "widest = fmax(widest, (ratio.ci_high", "widest = fmin(widest, (ratio.ci_high",
     "a wide interval counts for nothing", UNIT),
]
