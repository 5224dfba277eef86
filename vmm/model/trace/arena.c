/* SPDX-License-Identifier: MIT */
/*
 * The benchmark's own workloads. The chase follows its ring. An application runs from an object that the compiler has
 * instrumented (guest/meson.build, arena-apps-traced): before each access it calls one of the functions below, as it would
 * call those of ThreadSanitizer, and they write the address down.
 */
#include <errno.h>
#include <stdlib.h>

#include "../guest/chase_core.h"
#include "model/trace/source.h"

/* Room for the accesses of one operation. The longest is a page of a scan, or a probe of the join past many slots. */
#define ROOM 65536

struct arena_source {
	struct model_source source;
	enum arena_app app;
	void *memory;
	uint64_t bytes, base, state;
	void **ring;
	uint64_t last_line; /* that was recorded */
	size_t nr, given;   /* recorded of the operation, and given of those */
	uint64_t va[ROOM];
};

/* The instrumented object has no argument for it. */
static _Thread_local struct arena_source *recorder;

/* The name that the object is compiled with in place of arena_app_run(). */
uint64_t arena_app_run_traced(enum arena_app app, void *base, uint64_t bytes, uint64_t *state, uint64_t n);

static void record(const void *at)
{
	struct arena_source *const s = recorder;
	const uint64_t offset = (uint64_t)((const char *)at - (const char *)s->memory);

	/* What is outside is the operation's own: its state. */
	if (offset >= s->bytes || offset / CHASE_LINE == s->last_line || s->nr == ROOM)
		return;
	s->last_line = offset / CHASE_LINE;
	s->va[s->nr++] = s->base + offset;
}

/* What gcc and clang call with -fsanitize=thread, by the names that they call it. */
void arena_begins(void) __asm__("__tsan_init");
void arena_enters(const void *caller) __asm__("__tsan_func_entry");
void arena_leaves(void) __asm__("__tsan_func_exit");
void arena_reads4(const void *at) __asm__("__tsan_read4");
void arena_reads8(const void *at) __asm__("__tsan_read8");
void arena_writes8(const void *at) __asm__("__tsan_write8");

void arena_begins(void)
{
}

void arena_enters(const void *caller)
{
}

void arena_leaves(void)
{
}

void arena_reads4(const void *at)
{
	record(at);
}

void arena_reads8(const void *at)
{
	record(at);
}

void arena_writes8(const void *at)
{
	record(at);
}

static void run_operation(struct arena_source *s)
{
	s->nr = s->given = 0;
	recorder = s;
	arena_app_run_traced(s->app, s->memory, s->bytes, &s->state, 1);
	recorder = NULL;
}

static int next_of_app(struct model_source *source, size_t max, uint64_t *ret_va, size_t *ret_nr)
{
	struct arena_source *const s = (struct arena_source *)source;

	for (size_t i = 0; i < max; i++) {
		while (s->given == s->nr)
			run_operation(s);
		ret_va[i] = s->va[s->given++];
	}
	*ret_nr = max;
	return 0;
}

static int next_of_chase(struct model_source *source, size_t max, uint64_t *ret_va, size_t *ret_nr)
{
	struct arena_source *const s = (struct arena_source *)source;

	for (size_t i = 0; i < max; i++) {
		ret_va[i] = s->base + (uint64_t)((char *)s->ring - (char *)s->memory);
		s->ring = *s->ring;
	}
	*ret_nr = max;
	return 0;
}

static void destroy(struct model_source *s)
{
	free(s);
}

int model_source_arena(enum arena_app app, void *memory, uint64_t bytes, uint64_t base, uint64_t state,
                       struct model_source **ret_source)
{
	static const struct model_source_ops chase = {next_of_chase, destroy}, apps = {next_of_app, destroy};
	struct arena_source *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->source.ops = app ? &apps : &chase;
	s->app = app;
	s->memory = memory;
	s->bytes = bytes;
	s->base = base;
	s->state = state;
	if (!app)
		s->ring = chase_sparse_line(memory, state, 0);
	s->last_line = UINT64_MAX;
	*ret_source = &s->source;
	return 0;
}
