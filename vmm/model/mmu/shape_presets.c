/* SPDX-License-Identifier: MIT */
/*
 * Four real CPUs. What is headed below is the source of a line; "assumed" is what the sources do not say.
 *
 *   SOM       Intel 64 and IA-32 Architectures Optimization Reference Manual, 248966
 *   SOG       AMD's Software Optimization Guides: 56305 (family 17h, models 30h on), 58455 (Zen 5)
 *   HC 2024   "Next Generation Zen 5 Core", Cohen and Subramony, Hot Chips 2024
 *   WikiChip  its page on AMD's Zen 2
 *   C&C       chipsandcheese.com: on Neoverse N1 beside Zen 2
 *   CPUID     leaves 80000005 and 8000001D of an EPYC of family 26 model 2
 *   measured  `gnomon bench --only miss` on the same EPYC, 2026-11-29 (docs/model.md)
 *
 * SOM and SOG are quoted from memory: check a number before you quote it. The others were read on 2026-11-29.
 */
#include "model/mmu/shape.h"

static const char skylake[] =
    "name = Intel Skylake-SP\n"
    "ghz = 2.7                       # assumed: all cores busy\n"
    "tlb1 = 4k 64 4                  # SOM, TLB parameters of Skylake\n"
    "tlb1 = 2m 32 4                  # SOM, the same\n"
    "tlb1 = 1g 4 4                   # SOM, the same\n"
    "tlb2 = 4k+2m 1536 12            # SOM, the same\n"
    "tlb2 = 1g 16 4                  # SOM, the same\n"
    "tlb2.cycles = 7                 # assumed: as Haswell's\n"
    "pwc = guest+host+enclave 5 4 4     # assumed\n"
    "pwc = guest+host+enclave 4 4 4     # assumed\n"
    "pwc = guest+host+enclave 3 4 4     # assumed\n"
    "pwc = guest+host+enclave 2 32 4    # assumed\n"
    "nested = 32 4                   # assumed\n"
    "check = 32 4                    # assumed\n"
    "cache = 32K 8 4                 # SOM, cache parameters of Skylake\n"
    "cache = 1M 16 14                # SOM, the same, server\n"
    "cache = 22M 11 60               # SOM: 1.375 MiB for each core, 11 ways, 50 to 70 cycles; 16 cores\n"
    "memory.cycles = 240             # assumed: 89 ns\n"
    "walker.cache = 1                # SOM: walks read through the first-level cache\n";

static const char sapphire[] =
    "name = Intel Sapphire Rapids\n"
    "ghz = 3.0                       # assumed: all cores busy\n"
    "tlb1 = 4k 96 6                  # SOM, TLB parameters of Golden Cove\n"
    "tlb1 = 2m 32 4                  # SOM, the same\n"
    "tlb1 = 1g 8 8                   # SOM, the same\n"
    "tlb2 = 4k+2m+1g 2048 16         # SOM, the same; that 2m and 1g have a half of it each is left out\n"
    "tlb2.cycles = 7                 # assumed: as Skylake's\n"
    "pwc = guest+host+enclave 5 4 4     # assumed\n"
    "pwc = guest+host+enclave 4 4 4     # assumed\n"
    "pwc = guest+host+enclave 3 4 4     # assumed\n"
    "pwc = guest+host+enclave 2 64 4    # assumed\n"
    "nested = 64 4                   # assumed\n"
    "check = 64 4                    # assumed\n"
    "cache = 48K 12 5                # SOM, cache parameters of Golden Cove\n"
    "cache = 2M 16 14                # SOM, the same, server\n"
    "cache = 30M 15 100              # assumed: 1.875 MiB for each core, 15 ways, 33 ns; 16 cores\n"
    "memory.cycles = 330             # assumed: 110 ns\n"
    "walker.cache = 1                # SOM: walks read through the first-level cache\n";

static const char zen2[] =
    "name = AMD Zen 2\n"
    "ghz = 3.3                       # assumed: all cores busy\n"
    "tlb1 = 4k+2m+1g 64 64           # WikiChip, SOG 56305\n"
    "tlb2 = 4k+2m 2048 16            # SOG 56305; WikiChip has 12 ways, which do not divide 2048\n"
    "tlb2.cycles = 7                 # C&C\n"
    "pwc = guest+host+enclave 3+4+5 64 64 # C&C and SOG 56305: 64 entries of the page directory cache\n"
    "pwc = guest+host+enclave 2 512 16    # assumed: entries of directories are in tlb2 (WikiChip), as a quarter\n"
    "nested = 64 64                  # assumed\n"
    "check = 64 64                   # assumed\n"
    "cache = 32K 8 4                 # SOG 56305, WikiChip\n"
    "cache = 512K 8 12               # SOG 56305, WikiChip\n"
    "cache = 16M 16 39               # SOG 56305, WikiChip: of four cores\n"
    "memory.cycles = 300             # assumed: 91 ns\n"
    "walker.cache = 2                # assumed\n";

static const char zen5[] =
    "name = AMD Zen 5\n"
    "ghz = 4.1                       # measured: 0.98 ns for the 4 cycles of a hit\n"
    "tlb1 = 4k+2m+1g 96 96           # HC 2024, CPUID\n"
    "tlb2 = 4k+2m 4096 16            # HC 2024: 4096 entries, everything but 1g; ways: SOG 58455\n"
    "tlb2.cycles = 7                 # measured: 2.72 ns for a hit in place of 0.98 ns\n"
    "pwc = guest+host+enclave 3+4+5 64 64 # assumed: as Zen 2's\n"
    "pwc = guest+host+enclave 2 1024 16   # assumed: as Zen 2's, in a quarter of tlb2\n"
    "nested = 64 64                  # assumed\n"
    "check = 64 64                   # assumed\n"
    "cache = 48K 12 4                # HC 2024, CPUID; cycles: SOG 58455\n"
    "cache = 1M 16 14                # HC 2024, CPUID; cycles: measured, 5.2 ns with a hit of tlb2\n"
    "cache = 32M 16 50               # CPUID; cycles: SOG 58455, 46 and more\n"
    "memory.cycles = 500             # assumed: 122 ns\n"
    "walker.cache = 2                # assumed\n";

static const struct {
	const char *name, *text;
} presets[] = {{"skylake-sp", skylake}, {"sapphire-rapids", sapphire}, {"zen2", zen2}, {"zen5", zen5}};

#define NR_PRESETS (sizeof(presets) / sizeof(*presets))

const char *shape_preset_name(size_t i)
{
	return i < NR_PRESETS ? presets[i].name : NULL;
}

const char *shape_preset_text(size_t i)
{
	return i < NR_PRESETS ? presets[i].text : NULL;
}
