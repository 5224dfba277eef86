/* SPDX-License-Identifier: MIT */
#include "bench/workload/nano.h"

static void explain_ours(const struct op_results *res, FILE *to)
{
	if (!bench_times_na(res->plan->host))
		fprintf(to,
		        "Cycles are ticks of the TSC, at %.1f MHz, and not the core's: the median block of a run, and "
		        "of that the\n"
		        "median of %d rounds. A floor is an OUT to the no-op port in the same run, at the operation's "
		        "own CPL.\n",
		        res->tsc_mhz, res->plan->rounds);
	fputs("Exits and shadow pages are counted, not timed: the difference of two runs, one with twice as many\n"
	      "operations. An exit is one to the VMM; what KVM does by itself is not counted.\n",
	      to);
	for (size_t i = 0; i < res->set->nr_cases; i++)
		if (op_case_of(res, i)->what)
			fprintf(to, "  %-13s %s\n", op_case_of(res, i)->row, op_case_of(res, i)->what);
}

static void explain_shadow(FILE *to)
{
	fputs("In shadow mode the guest's kernel runs at CPL 3, and its calls cost what they cost a process. An "
	      "exception is one\n"
	      "exit and IRETQ another. A read of CR2, a CR3 load and INVLPG are one each. demand-fill has a fourth: "
	      "the store runs\n"
	      "again before its shadow entry is there. With unsync the first store to a leaf table opens it, and "
	      "later ones are\n"
	      "plain stores until a flush, which compares the table. So ptemod makes no exit, and the 64 stores of "
	      "munmap make\n"
	      "one. So many changes cost the table's shadow, which the store beside them builds anew. Without unsync "
	      "each store\n"
	      "to a table is emulated.\n",
	      to);
}

static void explain_host(const struct host_info *h, FILE *to)
{
	if (h->second_stage == HOST_STAGE_SOFTWARE_PVM)
		fputs("On this host KVM emulates guest CPL 0 in nested mode, each instruction in about 1 us. "
		      "callret shows it,\n"
		      "and so does fork, whose kernel copies 4 pages of 512 words.\n",
		      to);
	else if (h->second_stage == HOST_STAGE_EPT || h->second_stage == HOST_STAGE_NPT)
		fputs("On this host the CPU itself delivers a nested guest's exceptions, and KVM does not see its "
		      "tables.\n",
		      to);
	bench_explain_host(h, to);
}

static void explain_theirs(FILE *to)
{
	fputs(
	    "What is headed 'theirs' is published: Adams & Agesen, ASPLOS 2006, on the first CPUs with VT-x, "
	    "without nested\n"
	    "paging; PVM, SOSP 2023. The authors measured it, on their machines, with their systems. Compare how "
	    "the columns\n"
	    "relate to each other, not their times. Their system calls are SYSCALL; here it is INT3, which guests "
	    "can use on\n"
	    "every host. Their native IN reaches a device; the software VMM emulated it, in about 214 cycles. PVM's "
	    "page\n"
	    "faults, forks and system calls are Linux's whole ones; here the kernel does nothing else. In fork-32 the "
	    "processes\n"
	    "take turns on one vCPU.\n",
	    to);
}

void nano_explain(const void *results, FILE *to)
{
	const struct op_results *res = results;

	if (!op_any(res))
		return;
	explain_ours(res, to);
	if (res->plan->where >> BENCH_SHADOW & 1)
		explain_shadow(to);
	explain_host(res->plan->host, to);
	explain_theirs(to);
}
