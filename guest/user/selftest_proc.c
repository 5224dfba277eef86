/* SPDX-License-Identifier: MIT */
/* Processes and CPUs. */
#include "selftest.h"

#define TURNS  4
#define ADDS   10000
#define ROUNDS 4

static struct shared *shared(void)
{
	static struct shared *s;

	if (!s)
		s = (struct shared *)mmap(sizeof(*s), MMAP_SHARED);
	memset(s, 0, sizeof(*s));
	return s;
}

static bool start_child(const char *name, struct shared *s, uint64_t number, int64_t on)
{
	char args[64];
	int64_t id;

	format(args, sizeof(args), "selftest %s 0x%x %u", name, (uint64_t)s, number);
	id = spawn(args, on);
	return id > 0 ? true : fail("spawn gave %d", id);
}

static bool await_children(int n)
{
	for (; n; n--) {
		int64_t r = wait();

		if (r < 0 || (r & 0xff) != 0)
			return fail("a child ended with %d", r < 0 ? r : r & 0xff);
	}
	EXPECT_EQ(wait(), -ECHILD);
	return true;
}

/* Writes its letter and yields to the other one, TURNS times. */
static int child_turns(struct shared *s, uint64_t number)
{
	for (int i = 0; i < TURNS; i++) {
		s->log[s->log_len++] = 'A' + number;
		yield();
	}
	return 0;
}

static bool yield_takes_turns(void)
{
	struct shared *s = shared();

	if (!start_child("turns", s, 0, SPAWN_HERE) || !start_child("turns", s, 1, SPAWN_HERE) || !await_children(2))
		return false;
	return same(s->log, "ABABABAB") ? true : fail("the order was %s", s->log);
}

/* Private memory and private data, kept over the other one's turns. */
static int child_private(struct shared *s, uint64_t number)
{
	static volatile uint64_t data = 1;
	volatile uint64_t *p = (uint64_t *)mmap(PAGE_BYTES, 0);

	if (data != 1 || *p != 0)
		return 1;
	data = *p = 1000 + number;
	for (int i = 0; i < TURNS; i++)
		yield();
	s->va[number] = (uint64_t)p;
	s->value[number] = *p;
	s->frame[number] = pte(p, 1) & PTE_ADDR;
	yield();
	return data == 1000 + number ? 0 : 2;
}

static bool own_address_spaces(void)
{
	struct shared *s = shared();

	if (!start_child("private", s, 0, SPAWN_HERE) || !start_child("private", s, 1, SPAWN_HERE) ||
	    !await_children(2))
		return false;
	EXPECT_EQ(s->va[0], s->va[1]);
	EXPECT_EQ(s->value[0], 1000);
	EXPECT_EQ(s->value[1], 1001);
	EXPECT(s->frame[0] != s->frame[1]);
	return true;
}

static bool exit_status(void)
{
	int64_t id = spawn("crash exit 42", SPAWN_HERE);

	EXPECT_EQ(wait(), id << 8 | 42);
	EXPECT_EQ(wait(), -ECHILD);
	return true;
}

static bool ended_processes_leave_nothing(void)
{
	uint64_t before;

	for (int i = 0; i < 3; i++) {
		before = free_pages();
		spawn("crash exit 0", SPAWN_HERE);
		wait();
	}
	EXPECT_EQ(free_pages(), before);
	return true;
}

/* All processes wait for each other, then all add to one word. */
static int child_add(struct shared *s, uint64_t number)
{
	__atomic_fetch_or(&s->cpus, 1ull << cpu(), __ATOMIC_SEQ_CST);
	__atomic_fetch_add(&s->arrived, 1, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(&s->arrived, __ATOMIC_SEQ_CST) != number)
		__asm__ volatile("pause");
	for (int i = 0; i < ADDS; i++)
		__atomic_fetch_add(&s->counter, 1, __ATOMIC_SEQ_CST);
	return 0;
}

static bool on_every_cpu(const char *name, struct shared *s)
{
	int n = cpus();

	for (int i = 0; i < n; i++)
		if (!start_child(name, s, n, i))
			return false;
	return await_children(n);
}

/* Twice: the first time CPUs are started, the second time they are woken. */
static bool every_cpu_adds(void)
{
	for (int round = 0; round < 2; round++) {
		struct shared *s = shared();
		uint64_t n = cpus();

		if (!on_every_cpu("add", s))
			return false;
		EXPECT_EQ(s->counter, n * ADDS);
		EXPECT_EQ(s->cpus, (1ull << n) - 1);
	}
	return true;
}

static int child_map(struct shared *s, uint64_t number)
{
	for (uint64_t i = 1; i <= ROUNDS; i++) {
		volatile uint64_t *p = (uint64_t *)mmap(4 * PAGE_BYTES, 0);

		for (int page = 0; page < 4; page++) {
			if (p[page * 512] != 0)
				return 1;
			p[page * 512] = (uint64_t)cpu() << 32 | i;
		}
		for (int page = 0; page < 4; page++)
			if (p[page * 512] != ((uint64_t)cpu() << 32 | i))
				return 2;
		if (munmap(p, 4 * PAGE_BYTES) != 0 || !faults(do_read, (uint64_t)p, VEC_PF, PFEC_U))
			return 3;
	}
	return 0;
}

static bool every_cpu_maps(void)
{
	return on_every_cpu("map", shared());
}

int selftest_child(const char *name, struct shared *s, uint64_t number)
{
	static const struct {
		const char *name;
		int (*run)(struct shared *s, uint64_t number);
	} children[] = {{"turns", child_turns}, {"private", child_private}, {"add", child_add}, {"map", child_map}};

	for (unsigned i = 0; i < sizeof(children) / sizeof(*children); i++)
		if (same(name, children[i].name))
			return children[i].run(s, number);
	return 2;
}

const struct test process_tests[] = {
    {"process-exit-status", exit_status},
    {"process-own-address-spaces", own_address_spaces},
    {"process-yield-takes-turns", yield_takes_turns},
    {"process-leaves-nothing", ended_processes_leave_nothing},
    {"smp-every-cpu-adds", every_cpu_adds},
    {"smp-every-cpu-maps", every_cpu_maps},
    {0},
};
