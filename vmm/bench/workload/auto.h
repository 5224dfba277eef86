/* SPDX-License-Identifier: MIT */
/*
 * Workload `auto`: what `--paging auto` makes of a guest whose behaviour changes (guest/user/phases.c), against either
 * mode alone.
 *
 * A turn is one guest. A forked driver starts it with a control socket, hears of each change of its mode, and passes on
 * the line that it prints. Times are ticks of the TSC, which driver and guest share: so a change has its place in a
 * phase. The guest's line comes word by word: so the driver knows what CPU time each phase took, and what the VMM
 * counted meanwhile. CPU time counts where others keep the CPUs busy, and a ratio of times on the clock says little.
 *
 *   auto.c         the workload
 *   auto_driver.c  the forked driver
 *   auto_line.c    reads what the driver prints
 *   auto_phase.c   which mode ran when
 *   auto_report.c  the table
 */
#ifndef GNOMON_BENCH_WORKLOAD_AUTO_H
#define GNOMON_BENCH_WORKLOAD_AUTO_H

#include "bench/workload/counts.h"
#include "bench/workload/workload.h"

extern const struct workload auto_workload;

enum auto_phase { AUTO_INIT, AUTO_STEADY, AUTO_AGAIN, AUTO_NR_PHASES };
enum auto_paging { AUTO_NESTED, AUTO_SHADOW, AUTO_AUTO, AUTO_NR_PAGINGS };

/* As the guest's line and the table call them. */
extern const char *const auto_phase_name[AUTO_NR_PHASES];
/* As --paging calls them. */
extern const char *const auto_paging_name[AUTO_NR_PAGINGS];

#define AUTO_NR_BACKINGS 2
#define AUTO_NR_CASES    (AUTO_NR_BACKINGS * AUTO_NR_PAGINGS) /* by backing, within each by paging */
#define AUTO_MAX_CHANGES 64
#define AUTO_BAR         1.10 /* auto to the better mode */

/* `gnomon run --backing`'s arguments. */
extern const char *const auto_backing[AUTO_NR_BACKINGS];

struct auto_change {
	uint64_t ago; /* TSC ticks before the end of the last phase */
	bool shadow;  /* where it led to */
};

/* One run. */
struct auto_sample {
	uint64_t tsc[AUTO_NR_PHASES];
	uint64_t cpu_ns[AUTO_NR_PHASES]; /* CPU time of all threads of the VMM, KVM's work included */
	bool counted;                    /* the two below are known */
	uint64_t exits[AUTO_NR_PHASES], shadow_events[AUTO_NR_PHASES];
	size_t nr_changes;
	struct auto_change change[AUTO_MAX_CHANGES]; /* as they came */
};

struct auto_results {
	const struct bench_plan *plan;
	double tsc_mhz;
	struct auto_sample *sample[AUTO_NR_CASES]; /* one of each round */
	bench_reason na[AUTO_NR_CASES];
};

/* What the driver is asked for. */
struct auto_drive {
	const char *paging, *backing;
	const char *image;  /* guest kernel */
	const char *socket; /* path of the control socket, which the guest makes */
	const char *init, *steady, *again;
};

/* For turn_call(), with a struct auto_drive: prints the guest's line, those of CPU times, exits and shadow events, and
 * one for each change. */
int auto_drive(const void *drive);

/* The whole output of the driver. -EBADMSG: it is not that, or there are too many changes. */
int must_check auto_output_parse(const char *text, size_t len, struct auto_sample *ret_sample);

/* What happened in a phase of a run. */
struct auto_story {
	unsigned changes;
	double in_shadow; /* share of the phase's time, 0 to 1 */
	char words[96];   /* "nested, shadow from 1.2 s"; without times where tsc_mhz is 0 */
};

/* The run began in the mode `starts_in_shadow`. */
void auto_tell(const struct auto_sample *s, enum auto_phase phase, bool starts_in_shadow, double tsc_mhz,
               struct auto_story *ret_story);

/* The table of a struct auto_results: a row for each backing, phase and --paging. -ENOMEM. */
int must_check auto_report(const void *results, struct report **ret_table);

/* What the table means, and which bars are met. Nothing if nothing was measured. */
void auto_explain(const void *results, FILE *to);

/* True when anything was measured. */
bool auto_any(const void *results);

#endif
