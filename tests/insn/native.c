/* SPDX-License-Identifier: MIT */
/*
 * The program in a process of the host, where the CPU itself judges. Exceptions come as signals, whose context holds
 * the vector, the error code and CR2. While cases run FS and GS are theirs: nothing of the C library is called.
 */
#include <asm/prctl.h>
#include <errno.h>
#include <gnomon/x86.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include "check.h"

#define HAS_ERROR_CODE                                                                                                 \
	(1u << VEC_DF | 1u << VEC_TS | 1u << VEC_NP | 1u << VEC_SS | 1u << VEC_GP | 1u << VEC_PF | 1u << VEC_AC)
#define PROGRAM_FLAGS   (RFLAGS_FIXED | RFLAGS_IF)
#define SIGNAL_STACK    (256 << 10) /* a frame holds all vector registers */
#define CPU_SECONDS     120         /* for a block, which takes one: some case does not end */
#define HWCAP2_FSGSBASE (1 << 1)
#define ASTRAY          3
#define PAGE_SIZE       4096

/* The child writes, the parent reads. */
struct native_output {
	uint64_t used;
	uint64_t astray_vector, astray_rip;
	uint8_t bytes[OUTPUT_BYTES];
};

extern char resume[], service_end[], asks_xgetbv[], no_xgetbv[], __executable_start[], etext[];
extern const struct insn_case *current;
extern uint64_t saved_rsp;

void native_signal(int signal, siginfo_t *info, void *context);
void native_trap(int signal, siginfo_t *info, void *context);

static struct native_output *output;

static long raw_syscall(long number, long a, long b)
{
	__asm__ volatile("syscall" : "+a"(number) : "D"(a), "S"(b) : "rcx", "r11", "memory");
	return number;
}

static void set_bases(void)
{
	raw_syscall(SYS_arch_prctl, ARCH_SET_FS, FS_BASE);
	raw_syscall(SYS_arch_prctl, ARCH_SET_GS, (long)GS_BASE);
}

static const int gpr_of[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                               REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};

static void serve(greg_t *g)
{
	const uint64_t from = g[REG_RDI], len = g[REG_RSI];

	switch (g[REG_RAX]) {
	case SERVICE_ENTER:
		for (int i = 0; i < 16; i++)
			g[gpr_of[i]] = (greg_t)current->gpr[i];
		g[REG_EFL] = (greg_t)current->rflags;
		g[REG_RIP] = (greg_t)current->rip;
		break;
	case SERVICE_BASES:
		set_bases();
		break;
	case SERVICE_PRINT:
		for (uint64_t i = 0; i < len && output->used < OUTPUT_BYTES; i++)
			output->bytes[output->used++] = *(const uint8_t *)(from + i);
		break;
	case SERVICE_END:
		raw_syscall(SYS_exit_group, 0, 0);
		break;
	case SERVICE_FALL:
		raw_syscall(SYS_exit_group, ASTRAY, 0);
		break;
	default: /* there are no tables under test */
		break;
	}
}

/*
 * P in the error code follows from the guest's tables: Linux has no page there for supervisors, sets P for all of the
 * upper half, and fills what it has promised only when it is touched.
 */
static uint64_t error_code(const greg_t *g)
{
	const uint64_t vector = g[REG_TRAPNO], error = g[REG_ERR];

	if (vector >= 32 || !(HAS_ERROR_CODE >> vector & 1))
		return 0;
	if (vector != VEC_PF)
		return error;
	return (error & ~(uint64_t)PFEC_P) | (guest_maps(g[REG_CR2]) ? PFEC_P : 0);
}

void native_trap(int signal, siginfo_t *info, void *context)
{
	greg_t *g = ((ucontext_t *)context)->uc_mcontext.gregs;
	const uint64_t rip = g[REG_RIP];

	if (g[REG_TRAPNO] == VEC_BP && rip == (uint64_t)service_end) {
		serve(g);
		return;
	}
	if (rip == (uint64_t)asks_xgetbv) {
		g[REG_RIP] = (greg_t)no_xgetbv;
		return;
	}
	if (rip >= (uint64_t)__executable_start && rip < (uint64_t)etext) {
		output->astray_vector = g[REG_TRAPNO];
		output->astray_rip = rip - (uint64_t)__executable_start;
		raw_syscall(SYS_exit_group, ASTRAY, 0);
	}
	for (int i = 0; i < 16; i++)
		trapped.gpr[i] = g[gpr_of[i]];
	trapped.rflags = g[REG_EFL];
	trapped.rip = rip;
	trapped.cs = USER_CS;
	trapped.ss = USER_DS;
	trapped.vector = g[REG_TRAPNO];
	trapped.error = error_code(g);
	trapped.cr2 = trapped.vector == VEC_PF ? g[REG_CR2] : 0;
	g[REG_RIP] = (greg_t)resume;
	g[REG_RSP] = (greg_t)saved_rsp;
	g[REG_EFL] = PROGRAM_FLAGS;
}

static void *map_at(uint64_t at, size_t len, int prot, int fd, off_t offset)
{
	const int flags = MAP_FIXED_NOREPLACE | (fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED | MAP_POPULATE);
	void *p = mmap((void *)at, len, prot, flags, fd, offset);

	if (p == (void *)at)
		return p;
	fprintf(stderr, "insn-check: cannot map 0x%llx: %s\n", (unsigned long long)at, strerror(errno));
	_exit(CHECK_FAILED);
}

static void map_pages(const struct block *b)
{
	static const uint64_t windows[] = {WINDOW_LOW, WINDOW_HIGH};
	static const int prot[] = {
	    [PAGE_RW] = PROT_READ | PROT_WRITE, [PAGE_RO] = PROT_READ, [PAGE_SUPERVISOR] = PROT_NONE};
	const char *pages = (const char *)b + b->pages_at;
	int fd = memfd_create("insn", MFD_CLOEXEC);

	if (fd < 0 || write(fd, pages, TEST_PAGES * PAGE_SIZE) != TEST_PAGES * PAGE_SIZE) {
		perror("insn-check: memfd");
		_exit(CHECK_FAILED);
	}
	for (unsigned w = 0; w < 2; w++)
		for (unsigned i = 0; i < TEST_PAGES; i++)
			if (page_kinds[i] != PAGE_HOLE)
				map_at(windows[w] + i * PAGE_SIZE, PAGE_SIZE, prot[page_kinds[i]], fd, i * PAGE_SIZE);
}

static void map_code(uint64_t at, const void *from)
{
	void *p = map_at(at, PAGE_SIZE, PROT_READ | PROT_WRITE, -1, 0);

	memcpy(p, from, PAGE_SIZE);
	mprotect(p, PAGE_SIZE, PROT_READ | PROT_EXEC);
}

static void take_signals(void)
{
	static const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP};
	static uint8_t stack[SIGNAL_STACK];
	const stack_t alternate = {.ss_sp = stack, .ss_size = sizeof(stack)};
	struct sigaction action = {.sa_sigaction = native_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK};

	sigfillset(&action.sa_mask);
	if (sigaltstack(&alternate, NULL) < 0)
		_exit(CHECK_FAILED);
	for (unsigned i = 0; i < sizeof(signals) / sizeof(*signals); i++)
		sigaction(signals[i], &action, NULL);
}

static void run_child(const struct block *b)
{
	const char *code = (const char *)b + b->code_at;
	const uint64_t fsgsbase = getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE ? 1 : 0;
	const struct rlimit limit = {CPU_SECONDS, CPU_SECONDS}, no_core = {0, 0};

	map_pages(b);
	for (unsigned i = 0; i < b->code_pages; i++)
		map_code(CODE_VA + i / 2 * CODE_PAIR + i % 2 * PAGE_SIZE, code + i * PAGE_SIZE);
	map_code(LANDING_VA, (const char *)b + b->landing_at);
	setrlimit(RLIMIT_CPU, &limit);
	setrlimit(RLIMIT_CORE, &no_core);
	take_signals();
	set_bases();
	insn_loop(b, fsgsbase);
}

static void describe_end(int status, struct run *run)
{
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU)
		snprintf(run->why, sizeof(run->why), "the case did not end");
	else if (WIFSIGNALED(status))
		snprintf(run->why, sizeof(run->why), "the process ended by signal %d", WTERMSIG(status));
	else if (output->astray_rip)
		snprintf(run->why, sizeof(run->why), "exception %llu in the program itself, at offset 0x%llx",
		         (unsigned long long)output->astray_vector, (unsigned long long)output->astray_rip);
	else
		snprintf(run->why, sizeof(run->why), "the process ended with status %d", WEXITSTATUS(status));
}

int native_run(const struct side *side, const struct block *b, struct run *ret_run)
{
	int status;
	pid_t pid;

	if (!output) {
		output = mmap(NULL, sizeof(*output), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
		if (output == MAP_FAILED)
			return -errno;
	}
	output->used = output->astray_rip = 0;
	fflush(NULL);
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0)
		run_child(b);
	if (waitpid(pid, &status, 0) < 0)
		return -errno;
	if (WIFEXITED(status) && WEXITSTATUS(status) == CHECK_FAILED)
		return -EIO;
	ret_run->ended = WIFEXITED(status) && WEXITSTATUS(status) == 0;
	if (!ret_run->ended)
		describe_end(status, ret_run);
	ret_run->output = output->bytes;
	ret_run->output_len = output->used;
	return 0;
}
