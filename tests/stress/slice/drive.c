/* SPDX-License-Identifier: MIT */
/*
 * drive GNOMON GUEST PAGING CPUS ACCESSES ROUNDS PROBES [RUN-OPTION...]
 * Makes the vCPUs visit pages ACCESSES times undisturbed and ACCESSES times while the slice is reclaimed and released
 * without a pause, in ROUNDS rounds that take turns; then starts PROBES more guests, whose vCPU 0 reaches for the slice
 * when it goes. Checks everything that slice.h promises; times are reported and never judged. Status 77 without KVM.
 */
#include "drive.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MOST_RECLAIMS 1000000

struct result {
	uint64_t turns, reclaims;
	double *us; /* what each took, from the command to its answer */
	struct reclaim_counts first, all;
	struct slice_mailbox mailbox;
};

/* --- the slice goes and comes --- */

static void expect_counts(const struct reclaim_counts *c, uint64_t n, unsigned cpus)
{
	if (c->splits != n || c->kept != n * SLICE_KEPT || c->removed != n * SLICE_LEN || c->shootdowns != n ||
	    c->surrendered != n * SLICE_BYTES || c->acks < n || c->acks > n * cpus || c->violations)
		fail(
		    "%llu reclaims: %llu splits, %llu kept, %llu removed, %llu shootdowns, %llu acknowledgements, %llu "
		    "bytes surrendered, %llu violations",
		    (unsigned long long)n, (unsigned long long)c->splits, (unsigned long long)c->kept,
		    (unsigned long long)c->removed, (unsigned long long)c->shootdowns, (unsigned long long)c->acks,
		    (unsigned long long)c->surrendered, (unsigned long long)c->violations);
}

static void command(struct target *t, const char *name)
{
	if (!target_command(t, name))
		fail("the run ended");
}

static void turn(struct target *t, const struct job *job, struct result *r)
{
	target_set(t, MAILBOX(turn), ++r->turns);
	for (unsigned i = 0; i < job->cpus; i++)
		if (!target_wait(t, MAILBOX(cpu[i].touched), r->turns))
			fail("vCPU %u does not see its turn", i);
}

/* With "both" as the mode: the guest goes on in the other one. */
static void change_mode(struct target *t, const struct job *job)
{
	static bool shadow;

	if (strcmp(job->paging, "both") != 0)
		return;
	shadow = !shadow;
	command(t, shadow ? "shadow" : "nested");
}

static void take_and_return(struct target *t, const struct job *job, struct result *r)
{
	double begin;

	turn(t, job, r);
	if (target_populated(t) != SLICE_LEN)
		fail("the host holds %d pages of the slice that all wrote to", target_populated(t));
	begin = now_us();
	command(t, "reclaim");
	if (r->reclaims < MOST_RECLAIMS)
		r->us[r->reclaims] = now_us() - begin;
	r->reclaims++;
	if (target_populated(t) != 0)
		fail("after the answer the host still holds %d pages of the slice", target_populated(t));
	if (r->reclaims == 1) {
		r->first = target_counts(t);
		expect_counts(&r->first, 1, job->cpus);
		if (r->first.acks != job->cpus)
			fail("%u vCPUs run, %llu acknowledged", job->cpus, (unsigned long long)r->first.acks);
	}
	change_mode(t, job);
	command(t, "release");
	change_mode(t, job);
}

/* The same, but that the slice stays: what the host's scheduler makes of all this. */
static void leave_alone(struct target *t, const struct job *job, struct result *r)
{
	turn(t, job, r);
	command(t, "query-status");
	command(t, "query-status");
}

static bool all_done(const struct target *t, unsigned cpus, uint64_t phase)
{
	for (unsigned i = 0; i < cpus; i++)
		if (target_word(t, MAILBOX(cpu[i].phase_done)) < phase)
			return false;
	return true;
}

static void run_phase(struct target *t, const struct job *job, uint64_t phase, enum slice_kind kind, struct result *r)
{
	target_set(t, MAILBOX(kind), kind);
	target_set(t, MAILBOX(quota), job->accesses / job->rounds / job->cpus);
	target_set(t, MAILBOX(phase), phase);
	while (!all_done(t, job->cpus, phase)) {
		if (kind == SLICE_BUSY)
			take_and_return(t, job, r);
		else
			leave_alone(t, job, r);
	}
}

/* --- what is left in memory --- */

static void check_words(const struct target *t, unsigned cpus, const struct slice_mailbox *m)
{
	static uint8_t block[SLICE_PAGES][SLICE_PAGE];
	uint64_t visits[SLICE_CPUS] = {0}, shared = 0, sum = 0;

	for (unsigned page = 0; page < SLICE_PAGES; page++) {
		if (page >= SLICE_FIRST && page < SLICE_FIRST + SLICE_LEN)
			continue;
		if (!target_read(t, SLICE_BLOCK + page * SLICE_PAGE, block[page], SLICE_PAGE))
			fail("the run ended");
		for (unsigned cpu = 0; cpu < cpus; cpu++) {
			uint64_t word;

			memcpy(&word, block[page] + cpu * SLICE_WORDS, sizeof(word));
			if (word != slice_stamp(word, page, cpu))
				fail("page %u holds 0x%llx for vCPU %u", page, (unsigned long long)word, cpu);
			visits[cpu] += (uint32_t)word;
		}
		memcpy(&sum, block[page] + SLICE_SHARED, sizeof(sum));
		shared += sum;
	}
	sum = 0;
	for (unsigned cpu = 0; cpu < cpus; cpu++) {
		if (visits[cpu] != m->cpu[cpu].visits)
			fail("vCPU %u made %llu visits, its words say %llu", cpu,
			     (unsigned long long)m->cpu[cpu].visits, (unsigned long long)visits[cpu]);
		sum += visits[cpu];
	}
	if (shared != sum)
		fail("%llu visits were made, the words that all count in say %llu", (unsigned long long)sum,
		     (unsigned long long)shared);
}

static void check_all(struct target *t, const struct job *job, struct result *r)
{
	char err[OUTPUT];
	int status;

	if (!target_read(t, SLICE_MAILBOX, &r->mailbox, sizeof(r->mailbox)))
		fail("the run ended");
	check_words(t, job->cpus, &r->mailbox);
	r->all = target_counts(t);
	expect_counts(&r->all, r->reclaims, job->cpus);
	if (r->all.released != r->reclaims * SLICE_LEN || r->all.collapses != r->reclaims)
		fail("%llu releases: %llu pages released, %llu collapses", (unsigned long long)r->reclaims,
		     (unsigned long long)r->all.released, (unsigned long long)r->all.collapses);
	command(t, "quit");
	status = target_end(t, err);
	if (status || *err)
		fail("status %d\n%s", status, err);
}

/* --- report --- */

static int compare(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double ticks_per_us(void)
{
	const struct timespec pause = {.tv_nsec = 50000000};
	const double begin = now_us();
	const uint64_t tsc = __builtin_ia32_rdtsc();

	nanosleep(&pause, NULL);
	return (__builtin_ia32_rdtsc() - tsc) / (now_us() - begin);
}

static uint64_t turns(const struct slice_stalls *s)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < SLICE_BUCKETS; i++)
		n += s->turns[i];
	return n;
}

/* The middle of the bucket that holds the median. */
static double median_turn(const struct slice_stalls *s)
{
	const uint64_t half = turns(s) / 2;
	unsigned at = 0;

	for (uint64_t n = s->turns[0]; n <= half && at < SLICE_BUCKETS - 1; n += s->turns[at])
		at++;
	return (4.5 + at % 4) * (double)(1ull << at / 4) / 4;
}

static void report(const struct job *job, struct result *r)
{
	const struct slice_mailbox *m = &r->mailbox;
	const double tpu = ticks_per_us(), floor = m->floor_ticks;
	const uint64_t timed = r->reclaims < MOST_RECLAIMS ? r->reclaims : MOST_RECLAIMS;
	uint64_t accesses = 0;

	for (unsigned i = 0; i < job->cpus; i++)
		accesses += m->cpu[i].visits;
	qsort(r->us, timed, sizeof(*r->us), compare);
	printf("slice paging=%s cpus=%u accesses=%llu with reclaims, as many without; lost=0 torn=0 faults=0\n",
	       job->paging, job->cpus, (unsigned long long)accesses / 2);
	printf("first reclaim: splits=%llu kept=%llu removed=%llu shootdowns=%llu acks=%llu\n",
	       (unsigned long long)r->first.splits, (unsigned long long)r->first.kept,
	       (unsigned long long)r->first.removed, (unsigned long long)r->first.shootdowns,
	       (unsigned long long)r->first.acks);
	printf("all reclaims:  %llu, splits=%llu shootdowns=%llu acks=%llu (%.3f of the vCPUs) collapses=%llu "
	       "violations=%llu\n",
	       (unsigned long long)r->reclaims, (unsigned long long)r->all.splits,
	       (unsigned long long)r->all.shootdowns, (unsigned long long)r->all.acks,
	       (double)r->all.acks / r->all.shootdowns / job->cpus, (unsigned long long)r->all.collapses,
	       (unsigned long long)r->all.violations);
	printf("from command to answer: median %.0f us, 99 of 100 within %.0f us, longest %.0f us\n", r->us[timed / 2],
	       r->us[timed * 99 / 100], r->us[timed - 1]);
	printf("floor: %.1f us (CPL 0), %.1f us (CPL 3); below, floors are those of CPL 0\n", floor / tpu,
	       m->user_floor_ticks / tpu);
	printf("turns are from a touch of the slice to the next, in between a reclaim and a release, or nothing\n"
	       "vCPU  phase         longest stall: us    floors  of a turn, median: us    floors  gaps over a floor  "
	       "turns\n");
	for (unsigned i = 0; i < 2 * job->cpus; i++) {
		const struct slice_stalls *s = &m->cpu[i / 2].stalls[i % 2];
		const double ticks = median_turn(s);

		printf("%4u  %-12s %18.0f %9.1f %22.1f %9.2f %18llu %6llu\n", i / 2,
		       i % 2 == SLICE_BUSY ? "reclaiming" : "undisturbed", s->longest / tpu, s->longest / floor,
		       ticks / tpu, ticks / floor, (unsigned long long)s->floors, (unsigned long long)turns(s));
	}
}

static void report_probes(const struct job *job)
{
	uint64_t before = 0;
	unsigned looked = 0;

	for (unsigned i = 0; i < job->probes; i++) {
		const struct probe_result p = probe_run(job);

		if (p.landed)
			fail("probe %u: %llu accesses landed in the slice after the answer", i,
			     (unsigned long long)p.landed);
		before += p.before;
		looked += p.looked;
	}
	printf("probes: %u guests killed for their first access after; %llu accesses before, 0 after the answer "
	       "(%u ended before it could be looked at)\n",
	       job->probes, (unsigned long long)before, job->probes - looked);
}

/* --- arguments --- */

static void need_kvm(void)
{
	const char *device = getenv("GNOMON_KVM_DEVICE"), *must = getenv("GNOMON_MUST_HAVE_KVM");
	int fd = open(device ? device : "/dev/kvm", O_RDWR | O_CLOEXEC);

	if (fd < 0) {
		puts("no /dev/kvm");
		exit(must && strcmp(must, "1") == 0 ? 1 : 77);
	}
	close(fd);
}

int main(int argc, char **argv)
{
	struct result r = {.us = calloc(MOST_RECLAIMS, sizeof(double))};
	struct target t;
	struct job job;

	if (argc < 8 || argc - 8 >= OPTIONS || !r.us)
		fail("usage: drive GNOMON GUEST PAGING CPUS ACCESSES ROUNDS PROBES [RUN-OPTION...]");
	job = (struct job){.gnomon = argv[1],
	                   .guest = argv[2],
	                   .paging = argv[3],
	                   .cpus = strtoul(argv[4], NULL, 10),
	                   .accesses = strtoull(argv[5], NULL, 10),
	                   .rounds = strtoul(argv[6], NULL, 10),
	                   .probes = strtoul(argv[7], NULL, 10)};
	for (int i = 8; i < argc; i++)
		job.options[i - 8] = argv[i];
	if (job.cpus < 1 || job.cpus > SLICE_CPUS || !job.rounds || job.accesses % (job.rounds * job.cpus))
		fail("CPUS is 1 to %d, and ACCESSES a multiple of CPUS * ROUNDS", SLICE_CPUS);
	need_kvm();
	target_start(&t, &job);
	for (unsigned i = 0; i < job.rounds; i++) {
		run_phase(&t, &job, 2 * i + 1, SLICE_QUIET, &r);
		run_phase(&t, &job, 2 * i + 2, SLICE_BUSY, &r);
	}
	check_all(&t, &job, &r);
	report(&job, &r);
	if (job.probes)
		report_probes(&job);
	free(r.us);
	return 0;
}
