# SPDX-License-Identifier: MIT
"""Bugs of what walks cost, and of traces. As in shadow_cpu.py each names the check that must find it."""

ASSOC, FULL, LINES = "vmm/model/mmu/assoc.c", "vmm/model/mmu/full.c", "vmm/model/mmu/lines.h"
WALK, MMU = "vmm/model/mmu/mmu_walk.c", "vmm/model/mmu/mmu.c"
LACKEY, BINARY, GENERATE, RUN = ("vmm/model/trace/lackey.c", "vmm/model/trace/binary.c", "vmm/model/trace/generate.c",
                                 "vmm/model/run.c")
COSTS, TRACES, RUNS = "unit model_mmu", "unit model_trace", "unit model_run"

MUTANTS = [
    ("model-lru-is-fifo", ASSOC, "*used = order_make_newest(*used, way);",
     "*used = order_make_newest(*used, order_oldest(*used, a->shape.ways));",
     "what is used is replaced all the same", COSTS),
    ("model-many-ways-fifo", FULL, "if (at != f->newest) {", "if (at > FULL_MAX_WAYS) {",
     "what is used is replaced all the same, in a set of many ways", COSTS),
    ("model-removed-stays-newest", FULL, "put_last(f, at);", "put_first(f, at);",
     "the place of a removed key is taken last", COSTS),
    ("model-lines-forget-last", LINES, "i < l->stride; i += 4", "i < (l->stride + 1) / 2; i += 4",
     "a cache has half of its ways", COSTS),
    ("model-leaf-in-walk-cache", WALK, "if (end != leaf)", "if (end <= leaf)",
     "a page-walk cache fills with entries that map pages", COSTS),
    ("model-nested-tlb-per-4k", WALK, "const int shift = ref->shift ? ref->shift : 12;", "const int shift = 12;",
     "the nested TLB has no large pages", COSTS),
    ("model-host-cache-not-used", WALK, "cached = last_cached(w, first, leaf, MODEL_HOST);", "cached = -1;",
     "the host's walks are never shortened", COSTS),
    ("model-walker-reads-l1", WALK, "ref->address, w->mmu->shape.walker_cache,", "ref->address, 0,",
     "the walker reads from a cache that it does not see", COSTS),
    ("model-tlb-keeps-whole-page", MMU, "if (fits > shift) {", "if (fits >= 0 && shift < 0) {",
     "a large page goes into the first TLB that has a part of it", COSTS),
    ("trace-second-page-lost", LACKEY, "va / PAGE != (va + size - 1) / PAGE ? va + size - 1 : 0", "0",
     "of an access to two pages one is not translated", TRACES),
    ("trace-cr-stays", LACKEY, "if (end > line && end[-1] == '\\r')", "if (0)",
     "a trace with CR LF is refused", TRACES),
    ("trace-cut-is-taken", BINARY, 'return r < 0 ? r : refuse(t, "the trace is cut short: its end is not there");',
     "return r < 0 ? r : (*ret_nr = n, 0);", "a trace that is cut short counts as whole", TRACES),
    ("trace-zipf-flat", GENERATE, "return exp(-EXPONENT * log1p(rank));", "return exp(-EXPONENT * log(2 + rank));",
     "zipf has other weights", TRACES),
    ("model-warm-counts", RUN, "if (i == run->warm && run->warm)", "if (i == run->warm && run->warm > 1)",
     "accesses that fill the caches count", RUNS),
    ("model-two-cpus", "vmm/cmd/model_options.c", "if (o->preset && o->shape_file) {", "if (0) {",
     "of a preset and a file the one that comes last is taken without a word", "guest model_command/shape_of_a_file"),
]
