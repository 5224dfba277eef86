/* SPDX-License-Identifier: MIT */
/* What gnomon model writes and reads beside its tables: a trace is whole, or the file is as it was. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "process_look.h"
#include "run_gnomon.h"

#define SMALL "--pattern", "uniform", "--ws", "1M", "--accesses", "3000", "--designs", "radix4"

static struct run r;
static char dir[] = "/tmp/gnomon-model-XXXXXX", in[64], out[64];
static pid_t server;

static void begin(void)
{
	cr_assert(mkdtemp(dir));
	snprintf(in, sizeof(in), "%s/in", dir);
	snprintf(out, sizeof(out), "%s/out", dir);
}

static void end(void)
{
	r.surroundings = NULL;
	run_abandon(&r);
	if (server > 0) {
		kill(server, SIGKILL);
		waitpid(server, NULL, 0);
	}
	unlink(in);
	unlink(out);
	rmdir(dir);
}

TestSuite(model_files, .init = begin, .fini = end);

static void write_text(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	cr_assert(f && fputs(text, f) >= 0 && fclose(f) == 0);
}

static void expect_text(const char *path, const char *text)
{
	char got[64] = "";
	FILE *f = fopen(path, "r");

	cr_assert(f);
	got[fread(got, 1, sizeof(got) - 1, f)] = 0;
	fclose(f);
	cr_expect_str_eq(got, text);
}

static int entries(void)
{
	DIR *d = opendir(dir);
	int n = -2; /* . and .. */

	cr_assert(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

/* Refused or cut: no trace where none was, and the old file where one was. */
Test(model_files, failed_input_leaves_no_trace)
{
	static const char *const wrong[] = {" L 1000,8\nwords\n", " L 1000,8\n L 20", ""};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		write_text(in, wrong[i]);
		run_gnomon(&r, "model", "--trace", in, "--write-trace", out);
		cr_expect_eq(r.status, 2);
		cr_expect_eq(access(out, F_OK), -1);
		write_text(out, "old");
		run_gnomon(&r, "model", "--trace", in, "--write-trace", out);
		cr_expect_eq(r.status, 2);
		expect_text(out, "old");
		cr_expect_eq(entries(), 2);
		unlink(out);
	}
}

Test(model_files, interrupted_leaves_no_trace)
{
	write_text(out, "old");
	run_start(&r, (const char *const[]){"model", "--pattern", "uniform", "--ws", "1M", "--accesses",
	                                    "1000000000000", "--warm", "0", "--write-trace", out, NULL});
	await_cpu_time(r.pid, AT_WORK_MS);
	kill(r.pid, SIGINT);
	run_finish(&r);
	cr_expect_eq(r.status, 130);
	cr_expect(strstr(r.err, "no whole trace"), "%s", r.err);
	expect_text(out, "old");
	cr_expect_eq(entries(), 1);
}

/* A link stays one, and rights stay. */
Test(model_files, whole_trace_replaces)
{
	struct stat st;

	write_text(in, "old");
	cr_assert_eq(chmod(in, 0600), 0);
	cr_assert_eq(symlink("in", out), 0);
	run_gnomon(&r, "model", SMALL, "--write-trace", out);
	expect_status(&r, 0);
	cr_assert_eq(lstat(out, &st), 0);
	cr_expect(S_ISLNK(st.st_mode));
	cr_assert_eq(stat(in, &st), 0);
	cr_expect_eq(st.st_mode & 0777, 0600);
	run_gnomon(&r, "model", "--trace", in, "--designs", "radix4");
	expect_status(&r, 0);
	cr_expect_eq(entries(), 2);
}

static void *take(const char *path, size_t *ret_len)
{
	static char bytes[1 << 16];
	FILE *f = fopen(path, "r");

	cr_assert(f);
	*ret_len = fread(bytes, 1, sizeof(bytes), f);
	fclose(f);
	return bytes;
}

/* ^C ends a wait for a FIFO's reader; with one the trace is as in a file, and of a wrong one the mark of the end is not. */
Test(model_files, fifo)
{
	static const char end_mark[] = "\0\0\0\0\0\0\0\x80";
	const char *bytes;
	size_t len;

	cr_assert_eq(mkfifo(out, 0600), 0);
	run_start(&r, (const char *const[]){"model", SMALL, "--write-trace", out, NULL});
	await_heed(r.pid, SIGINT);
	usleep(100000);
	kill(r.pid, SIGINT);
	run_finish(&r);
	cr_expect_eq(r.status, 130);
	cr_expect(strstr(r.err, "nobody read it"), "%s", r.err);
	run_start(&r, (const char *const[]){"model", SMALL, "--warm", "0", "--write-trace", out, NULL});
	bytes = take(out, &len);
	run_finish(&r);
	expect_status(&r, 0);
	cr_expect_eq(len, 16 + 3000 * 8 + 16);
	cr_expect(memcmp(bytes + len - 16, end_mark, 8) == 0);
	write_text(in, " L 1000,8\nwords\n");
	run_start(&r, (const char *const[]){"model", "--trace", in, "--write-trace", out, NULL});
	bytes = take(out, &len);
	run_finish(&r);
	cr_expect_eq(r.status, 2);
	cr_expect_eq(memmem(bytes, len, end_mark, 8), NULL);
}

/* One file is one output, by whatever name, and no input. */
Test(model_files, same_file_refused)
{
	char command[512], dotted[80];

	snprintf(dotted, sizeof(dotted), "%s/./out", dir);
	write_text(in, "tlb1 = 4k 3 3\nmemory.cycles = 10\n");
	run_gnomon(&r, "model", SMALL, "--write-trace", out, "--json", dotted);
	expect_refusal(&r, 2, "is the file of --write-trace");
	run_gnomon(&r, "model", SMALL, "--write-trace", in, "--shape", in);
	expect_refusal(&r, 2, "is what shall be read");
	run_gnomon(&r, "model", SMALL, "--json", in, "--shape", in);
	expect_refusal(&r, 2, "is what shall be read");
	run_gnomon(&r, "model", SMALL, "--write-trace", "-");
	expect_refusal(&r, 2, "--write-trace: a file is expected");
	run_gnomon(&r, "model", SMALL, "--write-trace", "/dev/stdout");
	expect_refusal(&r, 2, "is where the tables go");
	snprintf(command, sizeof(command), "%s model --pattern uniform --ws 1M --write-trace %s >%s 2>/dev/null",
	         build_path("gnomon"), out, out);
	cr_expect_eq(system(command), 2 << 8);
	run_gnomon(&r, "model", "--list", "words");
	expect_refusal(&r, 2, "unexpected argument 'words'");
}

Test(model_files, all_of_a_trace_warm)
{
	write_text(in, " L 1000,8\n L 2000,8\n");
	run_gnomon(&r, "model", "--trace", in, "--warm", "2");
	expect_refusal(&r, 2, "no more than 2 accesses: all were warm");
	run_gnomon(&r, "model", "--trace", in, "--warm", "1");
	expect_status(&r, 0);
}

/* Programs under a sanitizer have terabytes of shadow memory. */
static void need_a_limit_of_address_space(void)
{
#ifdef __has_feature
#if __has_feature(address_sanitizer)
	cr_skip_test("the address space of a program under AddressSanitizer cannot be limited");
#endif
#endif
}

static void little_address_space(void)
{
	const struct rlimit limit = {1ull << 30, 1ull << 30};

	setrlimit(RLIMIT_AS, &limit);
}

/* Tables get what room there is; those that need more are told why. */
Test(model_files, little_address_space)
{
	need_a_limit_of_address_space();
	r.surroundings = little_address_space;
	run_gnomon(&r, "model", "--pattern", "uniform", "--ws", "64M", "--accesses", "3000");
	expect_status(&r, 0);
	run_gnomon(&r, "model", "--pattern", "uniform", "--ws", "1T", "--accesses", "3000", "--pages", "2m",
	           "--designs", "flat:18+18");
	cr_expect_eq(r.status, 1);
	cr_expect(strstr(r.out, "the tables would exceed the") && strstr(r.out, "ulimit -v"), "%s", r.out);
}

static void too_little_address_space(void)
{
	const struct rlimit limit = {64 << 20, 64 << 20};

	setrlimit(RLIMIT_AS, &limit);
}

Test(model_files, too_little_address_space)
{
	need_a_limit_of_address_space();
	r.surroundings = too_little_address_space;
	run_gnomon(&r, "model", "--pattern", "uniform", "--ws", "1M", "--accesses", "3000");
	expect_refusal(&r, 1, "64 MiB of address space are too little (ulimit -v)");
}

/* Tells `lines` as the tables of a guest, to one client. */
static void serve(const char *lines)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", in);
	cr_assert(fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 && listen(fd, 1) == 0);
	server = fork();
	if (server == 0) {
		const int client = accept(fd, NULL, NULL);
		char asked[1024];

		dprintf(client, "{\"QMP\": {\"version\": {}, \"capabilities\": []}}\r\n");
		if (read(client, asked, sizeof(asked)) > 0)
			dprintf(client, "{\"return\": {}}\r\n");
		if (read(client, asked, sizeof(asked)) > 0)
			dprintf(client, "{\"return\": [%s]}\r\n", lines);
		while (read(client, asked, sizeof(asked)) > 0)
			;
		_exit(0);
	}
	close(fd);
}

#define ROOT                                                                                                           \
	"\"vCPU 0: root 0000000000001000\", "                                                                          \
	"\"0000000000400000-00000000005fffff -> 0000000000400000 urwx 2M\", "                                          \
	"\"0000000000600000-0000000000607fff -> 0000000000600000 urwx 4K\""

Test(model_files, guest_told_in_part)
{
	serve(ROOT ", \"more was left out\"");
	run_gnomon(&r, "model", "--from", in, "--accesses", "3000", "--designs", "radix4");
	cr_expect_eq(r.status, 0, "%s", r.err);
	cr_expect(strstr(r.err, "only a part of the guest is modelled"), "%s", r.err);
	cr_expect(strstr(r.out, "\nguest (part) "), "%s", r.out);
}

/* The first vCPU's, and no word of those. */
Test(model_files, guest_told_whole)
{
	serve(ROOT ", \"vCPU 1: root 0000000000002000\", "
	           "\"0000000000800000-0000000000ffffff -> 0000000000800000 urwx 2M\"");
	run_gnomon(&r, "model", "--from", in, "--accesses", "3000", "--designs", "radix4");
	expect_status(&r, 0);
	cr_expect(strstr(r.out, "\nguest  ") && strstr(r.out, " 2.03 "), "%s", r.out);
}
