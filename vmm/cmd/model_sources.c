/* SPDX-License-Identifier: MIT */
#include "cmd/model_sources.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../guest/arena.h"
#include "bench/workload/apps_build.h"
#include "cmd/model_from.h"

#define GOLDEN 0x9e3779b97f4a7c15

/* Where the addresses begin: within the reach of Sv39. What is above bit 38 costs no design anything. */
#define BASE (1ull << 30)

/* ---- workloads that work in memory: the arena at its place, as in the benchmark ---- */

static int open_arena(const struct model_options *o, enum arena_app app, uint64_t bytes, struct model_input *in)
{
	const uint64_t pages = bytes / CHASE_PAGE;
	uint64_t random = (uint64_t)o->seed * 2 + 1;
	/* The page that the first block of the benchmark begins at (bench/workload/miss_turns.c). */
	const uint64_t from = chase_random(&random) % pages;
	int r;

	in->memory = mmap((void *)ARENA_AT, bytes, PROT_READ | PROT_WRITE,
	                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
	if (in->memory == MAP_FAILED) {
		in->memory = NULL;
		return log_errno(errno, "no memory for a working set of %llu MiB", (unsigned long long)(bytes >> 20));
	}
	in->bytes = bytes;
	if (app)
		app_build(app, in->memory, bytes, (uint64_t)o->seed);
	else
		arena_build(ARENA_4K, pages, 0, (uint64_t)o->seed);
	r = model_source_arena(app, in->memory, bytes, BASE, app ? (from + 1) * GOLDEN : from, &in->source);
	return r < 0 ? log_errno(-r, "model") : 0;
}

/* ---- traces ---- */

/* As read(2), until there is a signal. */
static ssize_t read_trace(void *ctx, void *buf, size_t size)
{
	const struct model_input *in = ctx;
	struct pollfd fds[] = {{.fd = in->fd, .events = POLLIN}, {.fd = in->give_up_fd, .events = POLLIN}};
	ssize_t n;

	do {
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			return -errno;
		if (fds[1].revents)
			return -EINTR;
		n = fds[0].revents ? read(in->fd, buf, size) : -1;
	} while (n < 0 && (!fds[0].revents || errno == EINTR || errno == EAGAIN));
	return n < 0 ? -errno : n;
}

static int open_trace(const struct model_options *o, struct model_input *in)
{
	const bool is_stdin = strcmp(o->trace, "-") == 0;
	struct stat st;

	/* A FIFO is opened without its writer, or it could not be given up. */
	in->fd = is_stdin ? dup(STDIN_FILENO) : open(o->trace, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (in->fd < 0 || (fstat(in->fd, &st) == 0 && S_ISDIR(st.st_mode))) {
		log_errno(in->fd < 0 ? errno : EISDIR, "--trace: %s", o->trace);
		return -EINVAL; /* the user's fault, as with a shape */
	}
	in->trace = (struct trace_input){is_stdin ? "standard input" : o->trace, read_trace, in};
	return model_source_trace(&in->trace, &in->source);
}

/* ---- a guest ---- */

static int open_guest(const struct model_options *o, struct model_input *in)
{
	int r = model_from(o->from, &in->range, &in->nr_ranges, &in->cut);

	if (r < 0)
		return r;
	r = model_source_ranges(in->range, in->nr_ranges, (uint64_t)o->seed, &in->source);
	return r < 0 ? log_errno(-r, "model") : 0;
}

/* ---- any ---- */

int model_input_open(const struct model_options *o, size_t n, uint64_t bytes, int give_up_fd,
                     struct model_input *ret_input)
{
	int r;

	*ret_input = (struct model_input){.fd = -1, .give_up_fd = give_up_fd};
	if (o->trace)
		return open_trace(o, ret_input);
	if (o->from)
		return open_guest(o, ret_input);
	if (n >= MODEL_CHASE)
		return open_arena(o, n == MODEL_CHASE ? ARENA_NO_APP : (enum arena_app)(n - MODEL_APPS + 1), bytes,
		                  ret_input);
	r = model_source_generate((enum model_pattern)n, BASE, bytes, (uint64_t)o->seed, &ret_input->source);
	return r < 0 ? log_errno(-r, "model") : 0;
}

void model_input_close(struct model_input *in)
{
	model_source_destroy(in->source);
	in->source = NULL;
	free(in->range);
	in->range = NULL;
	if (in->memory)
		munmap(in->memory, in->bytes);
	in->memory = NULL;
	if (in->fd >= 0)
		close(in->fd);
	in->fd = -1;
}
