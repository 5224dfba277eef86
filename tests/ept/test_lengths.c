/* SPDX-License-Identifier: MIT */
/*
 * The walk counter counts right: walks whose length is known by construction, of a process and of a guest (lengths.c).
 * Runs in the machine of tools/ept-host, as root. TAP.
 *
 * usage: test_lengths GNOMON LENGTHS.ELF
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/mman.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gnomon/addr.h>

#include "bench/workload/walks_counter.h"
#include "lengths.h"

#define PAGE      4096ull
#define BLOCK     (512 * PAGE)
#define TOLERANCE 24 /* denied walks of the kernel's own, and of a machine that is interrupted */
#define POOL_2M   "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages"
#define POOL_1G   "/sys/kernel/mm/hugepages/hugepages-1048576kB/nr_hugepages"
#define NOWHERE   0x600000000000 /* nothing below the PML4 */
#define LONELY    0x500000000000 /* where one page is mapped, and nothing else of its 512 GiB */

enum { ONE_D, TWO_D };

static struct walk_counts counts;
static const char *gnomon, *image;
static int tests, failures;
static sigjmp_buf after_fault;

static void say_walks(enum walk_end end)
{
	for (int d = 0; d < 2; d++)
		for (int n = 0; n <= WALK_MAX_READS; n++)
			if (counts.walks[end][d][n])
				printf("# %d-D, %d reads: %lu\n", d + 1, n, (unsigned long)counts.walks[end][d][n]);
}

static bool file_says(const char *path, const char *word)
{
	char text[16] = "";
	const int fd = open(path, O_RDONLY);
	const ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	close(fd);
	return n > 0 && strncmp(text, word, strlen(word)) == 0;
}

/* All walks of that end have `reads` reads, but for `others` of another length. */
static void expect(const char *name, enum walk_end end, int dimensions, int reads, unsigned others)
{
	uint64_t all = 0, right = counts.walks[end][dimensions][reads];
	bool good;

	for (int d = 0; d < 2; d++)
		for (int n = 0; n <= WALK_MAX_READS; n++)
			all += counts.walks[end][d][n];
	good = right >= LENGTHS_TOUCHES - others && all - right <= others && right <= LENGTHS_TOUCHES + others;
	printf("%s %d - %s: %d reads\n", good ? "ok" : "not ok", ++tests, name, reads);
	if (!good) {
		failures++;
		say_walks(end);
	}
	fflush(stdout);
}

static void check(bool good, const char *name)
{
	printf("%s %d - %s\n", good ? "ok" : "not ok", ++tests, name);
	failures += !good;
}

static void skip(const char *name, const char *why)
{
	printf("ok %d - %s # SKIP %s\n", ++tests, name, why);
}

static void touch(volatile const char *p)
{
	for (int i = 0; i < LENGTHS_TOUCHES; i++)
		(void)p[i * PAGE];
}

/* The TLB holds 4 KiB of it at a time, and so of any large page. */
static void process_pool(const char *name, int huge_flag, size_t size, int reads)
{
	char *p =
	    mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | huge_flag, -1, 0);

	if (p == MAP_FAILED) {
		check(false, name);
		return;
	}
	p[0] = 1;
	mprotect(p, size, PROT_READ); /* and with it the TLB is empty of it */
	walk_start(p, size);
	touch(p);
	walk_stop();
	walks_counter_read(&counts);
	munmap(p, size);
	expect(name, WALK_WANTED, ONE_D, reads, 0);
}

static char *map_block(int advice)
{
	char *p = mmap(NULL, 2 * BLOCK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	p += -(uintptr_t)p & (BLOCK - 1);
	madvise(p, BLOCK, advice);
	memset(p, 1, BLOCK);
	mprotect(p, BLOCK, PROT_READ); /* and with it the TLB is empty of these */
	return p;
}

static void process(const char *name, int advice, int reads)
{
	char *p = map_block(advice);

	walk_start(p, BLOCK);
	touch(p);
	walk_stop();
	walks_counter_read(&counts);
	expect(name, WALK_WANTED, ONE_D, reads, 0);
}

/* Each load crosses from one page into the next: two walks before the CPU uses either. */
static void process_crossing(void)
{
	char *p = map_block(MADV_NOHUGEPAGE);
	uint64_t word;

	walk_start(p, BLOCK);
	for (int i = 1; i < LENGTHS_TOUCHES; i += 2)
		__asm__ volatile("movq (%1), %0" : "=r"(word) : "r"(p + i * PAGE - 4) : "memory");
	walk_stop();
	walks_counter_read(&counts);
	expect("process, loads that cross two pages", WALK_WANTED, ONE_D, 4, 0);
}

/* The first store to each page that was read before sets its dirty bit, once. */
static void process_dirty(void)
{
	const int fd = memfd_create("dirty", 0);
	char *p = fd < 0 || ftruncate(fd, BLOCK) < 0 ? MAP_FAILED
	                                             : mmap(NULL, BLOCK, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	uint64_t writes[2];

	if (p == MAP_FAILED) {
		skip("dirty bits", "no memfd");
		return;
	}
	madvise(p, BLOCK, MADV_POPULATE_READ);
	for (int round = 0; round < 2; round++) {
		walk_start(p, BLOCK);
		for (int i = 0; i < LENGTHS_TOUCHES; i++)
			((volatile char *)p)[i * PAGE] = 1;
		walk_stop();
		walks_counter_read(&counts);
		writes[round] = counts.writes[WALK_PTE];
	}
	close(fd);
	check(writes[0] >= LENGTHS_TOUCHES && writes[1] < LENGTHS_TOUCHES / 2, "process, first stores set dirty bits");
}

static void on_fault(int sig) __attribute__((noreturn));
static void on_fault(int sig)
{
	siglongjmp(after_fault, sig);
}

/* Page faults of a process at an address of which nothing is mapped from some level down. */
static void process_denied(const char *name, uintptr_t at, int reads)
{
	volatile int i;

	signal(SIGSEGV, on_fault);
	walk_start((void *)at, PAGE);
	for (i = 0; i < LENGTHS_TOUCHES; i++)
		if (sigsetjmp(after_fault, 1) == 0)
			(void)*(volatile char *)at;
	walk_stop();
	signal(SIGSEGV, SIG_DFL);
	walks_counter_read(&counts);
	expect(name, WALK_DENIED, ONE_D, reads, TOLERANCE);
}

static void processes_denied(void)
{
	char *page = mmap((void *)LONELY, PAGE, PROT_READ | PROT_WRITE,
	                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	process_denied("process, nothing below the PML4", NOWHERE, 1);
	if (page != (char *)LONELY) {
		check(false, "a page for refusals by its tables");
		return;
	}
	*page = 1;
	process_denied("process, nothing below the PDPT", LONELY + PAGE_1G, 2);
	process_denied("process, nothing below the PD", LONELY + PAGE_2M, 3);
	process_denied("process, no page in the PT", LONELY + PAGE, 4);
}

/* KVM's second stage has no part in these. */
static void processes(void)
{
	process("process, 4 KiB pages", MADV_NOHUGEPAGE, 4);
	process("process, 2 MiB page", MADV_HUGEPAGE, 3);
	process_pool("process, page of the 2 MiB pool", MAP_HUGE_2MB, PAGE_2M, 3);
	process_pool("process, page of the 1 GiB pool", MAP_HUGE_1GB, PAGE_1G, 2);
	process_crossing();
	process_dirty();
	processes_denied();
}

static int run(const char *backing, const char *word)
{
	const pid_t pid = fork();
	int status;

	if (pid == 0) {
		execl(gnomon, gnomon, "run", "--memory", strcmp(backing, "hugetlb1g") == 0 ? "1G" : "16M", "--backing",
		      backing, "--timeout", "120", image, "--", word, (char *)NULL);
		_exit(127);
	}
	return pid < 0 || waitpid(pid, &status, 0) < 0 ? -1 : status;
}

static void guest(const char *backing, const char *word, enum walk_end end, int dimensions, int reads, unsigned others)
{
	char name[64];

	snprintf(name, sizeof(name), "guest, %s on %s", word, backing);
	if (run(backing, word) != 0) {
		printf("not ok %d - %s: the guest failed\n", ++tests, name);
		failures++;
		return;
	}
	walks_counter_read(&counts);
	expect(name, end, dimensions, reads, others);
}

/* (Lg + 1)(Lh + 1) - 1, and Lg where KVM composes one table. */
static int length(bool ept, int guest_levels, int host_levels)
{
	return ept                          ? (guest_levels + 1) * (host_levels + 1) - 1
	       : guest_levels < host_levels ? host_levels
	                                    : guest_levels;
}

static void guests(bool ept, const char *backing, int host_levels)
{
	guest(backing, "4k", WALK_WANTED, ept, length(ept, 4, host_levels), 0);
	guest(backing, "2m", WALK_WANTED, ept, length(ept, 3, host_levels), 0);
	/*
	 * KVM's own shadow has 4 KiB leaves where a guest's page holds its tables, too (Linux 6.1,
	 * is_self_change_mapping).
	 */
	guest(backing, "1g", WALK_WANTED, ept, ept ? length(ept, 2, host_levels) : 4, 0);
}

/* What the guest's tables refuse ends before the walk for the data. */
static void guests_denied(bool ept)
{
	char word[16];

	for (int level = 1; level <= 4; level++) {
		snprintf(word, sizeof(word), "absent %d", level);
		if (ept)
			guest("4k", word, WALK_DENIED, TWO_D, (5 - level) * 5, 0);
	}
	if (ept) {
		guest("hugetlb1g", "absent 1", WALK_DENIED, TWO_D, 4 * 3, 0);
		guest("4k", "fresh", WALK_DENIED, TWO_D, 24, 2); /* of the second stage, at its last table */
		guest("4k", "fresh", WALK_WANTED, TWO_D, 24, 0);
		check(counts.exits[48] >= LENGTHS_TOUCHES, "an exit each");
	}
}

/* Takes pages for a pool; false: not as many as were asked for. */
static bool make_pool(const char *pool, const char *pages)
{
	const int fd = open(pool, O_WRONLY);
	const bool written = fd >= 0 && write(fd, pages, strlen(pages)) == (ssize_t)strlen(pages);

	close(fd);
	return written && file_says(pool, pages);
}

int main(int argc, char **argv)
{
	const bool ept = file_says("/sys/module/kvm_intel/parameters/ept", "Y");

	if (argc != 3 || ioperm(WALK_PORT, 4, 1) < 0) {
		printf("Bail out! usage: test_lengths GNOMON IMAGE, as root in tools/ept-host\n");
		return 1;
	}
	gnomon = argv[1];
	image = argv[2];
	if (strcmp(getenv("GNOMON_WALK_COUNTER") ?: "1", "0") == 0) {
		printf("1..0 # SKIP this Bochs is not the one that the counter knows\n");
		return 0;
	}
	walks_counter_read(&counts);
	if (counts.magic != WALK_MAGIC || counts.size != sizeof(counts)) {
		printf("Bail out! no walk counter here\n");
		return 1;
	}
	/* What is not there is no reason to be green: the machine needs 3 GiB. */
	check(make_pool(POOL_1G, "1"), "a page of 1 GiB");
	check(make_pool(POOL_2M, "12"), "pages of 2 MiB");
	if (ept)
		processes();
	guests(ept, "4k", 4);
	guests(ept, "thp", 3);
	guests(ept, "hugetlb2m", 3);
	if (ept) /* a GiB takes seconds to clear, and to KVM's own shadow it was as 2 MiB */
		guests(ept, "hugetlb1g", 2);
	guests_denied(ept);
	printf("1..%d\n", tests);
	return failures != 0;
}
