/* SPDX-License-Identifier: MIT */
#include "surroundings.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <ftw.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

char dir[64], vm_socket[96];

static struct run vm;

const struct command every_command[] = {
    {{"--help"}, "Usage: gnomon COMMAND"},
    {{"--version"}, "gnomon "},
    {{"run", "--help"}, "Usage: gnomon run"},
    {{"run", "--list-shadow-opts"}, "root-cache"},
    {{"run", "KERNEL", "--", "hello"}, "hello from"},
    {{"run", "--paging", "shadow", "KERNEL", "--", "hello"}, "hello from"},
    {{"run", "--stats", "/dev/stdout", "IMAGE"}, "\"counters\""},
    {{"host"}, "second stage"},
    {{"host", "--json"}, "\"ready\""},
    {{"bench", "--help"}, "Usage: gnomon bench"},
    {{"bench", "--only", "startup", "--runs", "1"}, "first character"},
    {{"bench", "--only", "startup", "--runs", "1", "--json", "-"}, "\"tables\""},
    {{"bench", "--only", "startup", "--runs", "1", "--csv", "-"}, "program,"},
    {{"ctl", "--help"}, "Usage: gnomon ctl"},
    {{"ctl", "SOCKET", "query-status"}, "\"running\""},
    {{"balloon", "--help"}, "Usage: gnomon balloon"},
    {{"balloon", "SOCKET"}, "guest memory"},
    {{"balloon", "--json", "SOCKET"}, "\"actual\""},
    {{"balloon", "--size", "1M", "--wait", "SOCKET"}, "guest memory"},
    {{"top", "--help"}, "Usage: gnomon top"},
    {{"top", "--count", "1", "SOCKET"}, "\"gnomon\""},
    {{"enclave", "--help"}, "Usage: gnomon enclave"},
    {{"enclave", "measure", "--help"}, "Usage: gnomon enclave measure"},
    {{"enclave", "verify", "--help"}, "Usage: gnomon enclave verify"},
    {{"enclave", "list", "--help"}, "Usage: gnomon enclave list"},
    {{"compare", "--help"}, "Usage: gnomon compare"},
    {{"model", "--designs", "radix4"}, "radix4"},
    {{"walk", "SOCKET", "0x1000"}, "A read of 0x1000"},
    {{"tables", "SOCKET"}, "vCPU 0"},
    {{"fingerprint", "SOCKET"}, "blake2b"},
    {{"dedup", "--help"}, "Usage: gnomon dedup"},
    {{"diff", "--help"}, "Usage: gnomon diff"},
    {{"snapshot", "--help"}, "Usage: gnomon snapshot"},
};
const int nr_commands = sizeof(every_command) / sizeof(*every_command);

const char *const *command_args(const struct command *c)
{
	static const char *args[RUN_ARGS];
	int n = 0;

	for (; c->args[n]; n++) {
		args[n] = c->args[n];
		if (strcmp(args[n], "SOCKET") == 0)
			args[n] = vm_socket;
		else if (strcmp(args[n], "KERNEL") == 0)
			args[n] = kernel_path();
		else if (strcmp(args[n], "IMAGE") == 0)
			args[n] = guest_path("exit-status-0");
	}
	args[n] = NULL;
	return args;
}

const char *kernel_path(void)
{
	static char path[4096];

	snprintf(path, sizeof(path), "%s", build_path("guest/kernel.elf"));
	return path;
}

void need_no_sanitizer(void)
{
#ifdef __has_feature
#if __has_feature(address_sanitizer)
	cr_skip_test("built with a sanitizer");
#endif
#endif
}

void dir_make(void)
{
	strcpy(dir, "/tmp/gnomon-host-XXXXXX");
	cr_assert(mkdtemp(dir));
	chmod(dir, 0755); /* also for other users */
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

void dir_remove(void)
{
	if (*dir)
		nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

const char *in_dir(const char *name)
{
	static char path[4][256];
	static int turn;
	char *p = path[turn++ % 4];

	snprintf(p, sizeof(path[0]), "%s/%s", dir, name);
	return p;
}

void vm_start_idle(void)
{
	need_kvm();
	dir_make();
	snprintf(vm_socket, sizeof(vm_socket), "%s/socket", dir);
	run_start(&vm, (const char *const[]){"run", "--timeout", "600", "--control", vm_socket, kernel_path(), "--",
	                                     "idle", NULL});
	run_until(&vm, "serving the balloon");
}

void vm_quit(void)
{
	static struct run tool;

	if (!vm.pid)
		return;
	run_gnomon(&tool, "ctl", vm_socket, "quit");
	run_finish(&vm);
	dir_remove();
}

void expect_line(const struct run *r, int status, const char *words)
{
	const char *end = strchr(r->err, '\n');

	cr_assert_eq(r->status, status, "status %d, not %d\nstdout: %.500s\nstderr: %.2000s", r->status, status, r->out,
	             r->err);
	cr_assert(end && !end[1] && strncmp(r->err, "gnomon: ", 8) == 0, "not one line: %.2000s", r->err);
	cr_assert(strstr(r->err, words), "'%s' is not in: %s", words, r->err);
}

const char *content(const char *path)
{
	static char text[1 << 20];
	FILE *f = fopen(path, "r");

	cr_assert(f, "there is no %s", path);
	text[fread(text, 1, sizeof(text) - 1, f)] = 0;
	fclose(f);
	return text;
}

void expect_whole(const char *path)
{
	json_t *root = json_load_file(path, 0, NULL);

	cr_assert(root, "not JSON: %.300s", content(path));
	json_decref(root);
}

void stdout_to(const char *path, int flags)
{
	const int fd = open(path, flags, 0666);

	if (fd < 0 || dup2(fd, STDOUT_FILENO) < 0)
		_exit(254);
	close(fd);
}

void fill_pipe(int fd)
{
	const int flags = fcntl(fd, F_GETFL);
	static const char full[4096];

	fcntl(fd, F_SETFL, flags | O_NONBLOCK);
	while (write(fd, full, sizeof(full)) > 0 || write(fd, full, 1) > 0)
		;
	fcntl(fd, F_SETFL, flags);
}

void without_signal_queue(void)
{
	if (setrlimit(RLIMIT_SIGPENDING, &(struct rlimit){0, 0}) < 0)
		_exit(254);
}
