/* SPDX-License-Identifier: MIT */
/* A block in a guest: it becomes the last segment of the image, which `gnomon run` gets as an unnamed file. */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../host_kind.h"
#include "check.h"

#define ERROR_BYTES 8192
#define OPTIONS     32

static uint8_t output[OUTPUT_BYTES];
static char errors[ERROR_BYTES];

static int fail(const char *what)
{
	const int error = errno;

	fprintf(stderr, "insn-check: %s: %s\n", what, strerror(error));
	return -error;
}

/* The image, with room for the block at a page of its own behind it. Kept open: only the block is written anew. */
static int image_open(const struct side *side, off_t *ret_block_at)
{
	static int fd = -1;
	static off_t block_at;
	static char buffer[1 << 20];
	int from;
	ssize_t len;

	if (fd < 0) {
		from = open(side->image, O_RDONLY | O_CLOEXEC);
		if (from < 0)
			return fail(side->image);
		len = read(from, buffer, sizeof(buffer));
		close(from);
		fd = memfd_create("insn-image", 0);
		if (len < 0 || fd < 0 || write(fd, buffer, len) != len)
			return fail(side->image);
		block_at = (len + PAGE_BYTES - 1) & ~(off_t)(PAGE_BYTES - 1);
	}
	*ret_block_at = block_at;
	return fd;
}

static int image_write(const struct side *side, const struct block *b)
{
	off_t block_at = 0;
	int fd = image_open(side, &block_at);
	Elf64_Ehdr eh;
	Elf64_Phdr ph;

	if (fd < 0)
		return fd;
	if (pread(fd, &eh, sizeof(eh), 0) != sizeof(eh))
		return fail(side->image);
	for (unsigned i = 0; i < eh.e_phnum; i++) {
		const off_t at = eh.e_phoff + i * sizeof(ph);

		if (pread(fd, &ph, sizeof(ph), at) != sizeof(ph))
			return fail(side->image);
		if (ph.p_paddr != BLOCK_PHYS)
			continue;
		ph.p_offset = block_at;
		ph.p_filesz = ph.p_memsz = b->size;
		if (pwrite(fd, &ph, sizeof(ph), at) != sizeof(ph) ||
		    pwrite(fd, b, b->size, block_at) != (ssize_t)b->size)
			return fail("image");
		return fd;
	}
	fprintf(stderr, "insn-check: %s has no segment for the block\n", side->image);
	return -ENOEXEC;
}

/* CPU time that nothing but a case that hangs will take: some fifty times as much as is usual. */
static unsigned cpu_seconds(const struct block *b)
{
	return (20 + b->count / 50) * (on_tcg() ? 6 : 1);
}

static void exec_gnomon(const struct side *side, const struct block *b, int image, int out, int err)
{
	const struct rlimit limit = {cpu_seconds(b), cpu_seconds(b) + 5};
	char path[32];
	const char *argv[OPTIONS + 10] = {side->gnomon, "run", "--paging", side->name};
	unsigned n = 4;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", image);
	for (unsigned i = 0; side->options && side->options[i] && i < OPTIONS; i++)
		argv[n++] = side->options[i];
	argv[n] = path;
	setrlimit(RLIMIT_CPU, &limit);
	dup2(out, STDOUT_FILENO);
	dup2(err, STDERR_FILENO);
	execv(side->gnomon, (char *const *)(uintptr_t)argv);
	perror(side->gnomon);
	_exit(CHECK_FAILED);
}

/* Takes what comes at both pipes, as much as there is room for, until both are closed. */
static void drain(int out, int err, size_t *ret_out, size_t *ret_err)
{
	struct pollfd p[2] = {{.fd = out, .events = POLLIN}, {.fd = err, .events = POLLIN}};
	size_t len[2] = {0, 0};
	const size_t room[2] = {sizeof(output), sizeof(errors) - 1};
	uint8_t *const to[2] = {output, (uint8_t *)errors};
	static uint8_t surplus[4096];

	while (p[0].fd >= 0 || p[1].fd >= 0) {
		if (poll(p, 2, -1) < 0 && errno != EINTR)
			break;
		for (unsigned i = 0; i < 2; i++) {
			const bool full = len[i] == room[i];
			ssize_t n;

			if (p[i].fd < 0 || !p[i].revents)
				continue;
			n = read(p[i].fd, full ? surplus : to[i] + len[i], full ? sizeof(surplus) : room[i] - len[i]);
			if (n > 0)
				len[i] += full ? 0 : n;
			else if (n == 0 || errno != EINTR)
				p[i].fd = -1;
		}
	}
	*ret_out = len[0];
	*ret_err = len[1];
}

/* gnomon's own sentence, or what the guest has printed behind the hashes. */
static void describe_end(int status, size_t out_len, struct run *run)
{
	const char *line = strstr(errors, "gnomon: "), *astray = memmem(output, out_len, "insn: ", 6);

	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU)
		snprintf(run->why, sizeof(run->why), "the case did not end");
	else if (WIFSIGNALED(status))
		snprintf(run->why, sizeof(run->why), "gnomon ended by signal %d: %.100s", WTERMSIG(status), errors);
	else if (astray)
		snprintf(run->why, sizeof(run->why), "%.*s", (int)(output + out_len - (const uint8_t *)astray), astray);
	else if (line)
		snprintf(run->why, sizeof(run->why), "%s", line + strlen("gnomon: "));
	else
		snprintf(run->why, sizeof(run->why), "gnomon ended with status %d: %.150s", WEXITSTATUS(status),
		         errors);
	run->why[strcspn(run->why, "\n")] = 0;
	if (astray)
		run->output_len = (const uint8_t *)astray - output;
}

int guest_run(const struct side *side, const struct block *b, struct run *ret_run)
{
	int image = image_write(side, b), out[2], err[2], status;
	size_t err_len;
	pid_t pid;

	if (image < 0)
		return image;
	if (pipe2(out, O_CLOEXEC) < 0)
		return fail("pipe");
	if (pipe2(err, O_CLOEXEC) < 0)
		return fail("pipe");
	fflush(NULL);
	pid = fork();
	if (pid == 0)
		exec_gnomon(side, b, image, out[1], err[1]);
	close(out[1]);
	close(err[1]);
	if (pid < 0)
		return fail("fork");
	drain(out[0], err[0], &ret_run->output_len, &err_len);
	errors[err_len] = 0;
	close(out[0]);
	close(err[0]);
	if (waitpid(pid, &status, 0) < 0)
		return fail("waitpid");
	ret_run->output = output;
	ret_run->ended = WIFEXITED(status) && WEXITSTATUS(status) == 0;
	if (!ret_run->ended)
		describe_end(status, ret_run->output_len, ret_run);
	return 0;
}
