/* SPDX-License-Identifier: MIT */
/*
 * The commands by which memory is merged, of a real guest. What is protected here: no client and no other guest's process
 * changes what this guest has in its memory, whatever it sends.
 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control_run.h"

#define MIB   (1 << 20)
#define BLOCK 0x2000000 /* 32 MiB: the guest has nothing there */
#define PAGE  4096
#define TAKES 5000

static int make_store(int seals)
{
	const int fd = memfd_create("store", MFD_ALLOW_SEALING);

	cr_assert(fd >= 0);
	cr_assert_eq(ftruncate(fd, 2 * MIB), 0);
	cr_assert_eq(fcntl(fd, F_ADD_SEALS, seals), 0);
	return fd;
}

/* Sends the command with the descriptor, unless that is negative. The answer, an error or not, is the caller's. */
static json_t *answer_with(const char *command, json_t *args, int fd)
{
	char *text = json_dumps(json_pack("{s:s, s:o}", "execute", command, "arguments", args), JSON_COMPACT);
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control = {.head = {.cmsg_len = CMSG_LEN(sizeof(fd)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS}};
	struct iovec out = {.iov_base = text, .iov_len = strlen(text)};
	struct msghdr message = {.msg_iov = &out, .msg_iovlen = 1};
	json_t *reply;

	if (fd >= 0) {
		memcpy(CMSG_DATA(&control.head), &fd, sizeof(fd));
		message.msg_control = &control;
		message.msg_controllen = sizeof(control.room);
	}
	cr_assert_eq(sendmsg(client.fd, &message, MSG_NOSIGNAL), (ssize_t)out.iov_len);
	cr_assert_eq(connection_reply(&client, &reply), 0);
	free(text);
	return reply;
}

static void expect_error(json_t *reply, const char *words)
{
	const char *desc = json_string_value(json_object_get(json_object_get(reply, "error"), "desc"));

	cr_expect(desc && strstr(desc, words), "%s, not: %s", desc ? desc : "no error", words);
	json_decref(reply);
}

static void store(int fd)
{
	json_t *reply = answer_with("dedup-store", json_pack("{s:b}", "users", 0), fd);

	cr_assert(json_object_get(reply, "return"), "%s", json_dumps(reply, 0));
	json_decref(reply);
}

static json_t *range(uint64_t gpa, uint64_t size, uint64_t offset)
{
	return json_pack("{s:[{s:I, s:I, s:I}]}", "ranges", "gpa", (json_int_t)gpa, "size", (json_int_t)size, "offset",
	                 (json_int_t)offset);
}

static json_int_t of(json_t *reply, const char *what)
{
	const json_int_t v = json_integer_value(json_object_get(reply, what));

	json_decref(reply);
	return v;
}

/* A store that could change, shrink or go away is not taken, nor what is none. */
Test(control, dedup_stores_that_are_refused)
{
	int pipe_fd[2], fd;

	start("nested", "1", "spin", "spinning\n");
	expect_error(answer_with("dedup-store", json_object(), -1), "No file descriptor supplied");
	cr_assert_eq(pipe(pipe_fd), 0);
	expect_error(answer_with("dedup-store", json_object(), pipe_fd[0]), "no file in memory");
	fd = open("/proc/self/maps", O_RDONLY);
	expect_error(answer_with("dedup-store", json_object(), fd), "no file in memory");
	close(fd);
	fd = make_store(F_SEAL_GROW);
	expect_error(answer_with("dedup-store", json_object(), fd), "not sealed against growing and shrinking");
	close(fd);
	fd = make_store(F_SEAL_GROW | F_SEAL_SHRINK);
	expect_error(answer_with("dedup-store", json_pack("{s:b}", "users", 1), fd), "without --share");
	expect_error(answer_with("dedup-take", range(BLOCK, PAGE, 0), -1), "There is no store");
	store(fd);
	expect_error(answer_with("dedup-take", range(BLOCK, PAGE, 0), -1), "somebody could still write it");
	cr_assert_eq(fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE), 0);
	expect_error(answer_with("dedup-take", range(BLOCK, PAGE, 0), -1), "somebody could still write it");
	close(fd);
	quit();
}

/* Ranges outside the store and outside memory, and in other units. */
Test(control, dedup_ranges_that_are_refused)
{
	const int fd = make_store(F_SEAL_GROW | F_SEAL_SHRINK);
	static const uint64_t bad[][3] = {
	    {BLOCK, PAGE, 2 * MIB}, {BLOCK, 2 * MIB, PAGE}, {64 * MIB, PAGE, 0},
	    {1, PAGE, 0},           {BLOCK, 0, 0},          {BLOCK, 100, 0},
	    {BLOCK, PAGE, 100},     {1ull << 62, PAGE, 0},  {PAGE, 0x7ffffffffffff000, 0}};

	start("nested", "1", "spin", "spinning\n");
	store(fd);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		json_t *reply = answer_with("dedup-give", range(bad[i][0], bad[i][1], bad[i][2]), -1);

		cr_expect(json_object_get(reply, "error"), "%zu", i);
		json_decref(reply);
	}
	expect_error(answer_with("dedup-places", json_pack("{s:i, s:I}", "gpa", 0, "size", 1ll << 40), -1), "at most");
	expect_error(answer_with("dedup-give", json_pack("{s:[{s:i, s:i}]}", "ranges", "gpa", BLOCK, "size", PAGE), -1),
	             "'offset' is missing");
	close(fd);
	quit();
}

/* A store whose content is not the guest's, as a hostile guest's process may fill it: nothing of it gets in. */
static void wrong_content(const char *mode)
{
	const int fd = make_store(F_SEAL_GROW | F_SEAL_SHRINK);
	char page[PAGE];
	json_t *reply;

	start(mode, "1", "spin", "spinning\n");
	memset(page, 0x5a, sizeof(page));
	for (int i = 0; i < 512; i++)
		cr_assert_eq(pwrite(fd, page, PAGE, (off_t)i * PAGE), PAGE);
	cr_assert_eq(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), 0);
	store(fd);
	reply = ask("dedup-take", range(BLOCK, 2 * MIB, 0));
	cr_expect_eq(json_integer_value(json_object_get(reply, "merged")), 0);
	cr_expect_eq(of(reply, "differ"), 512);
	/* The guest's own image, its tables and its stack. */
	cr_expect_eq(of(ask("dedup-take", range(0, 2 * MIB, 0)), "merged"), 0);
	cr_expect_eq(of(ask("dedup-give", range(BLOCK, 0x1000, 0)), "given"), 0); /* zero: nothing to write */
	expect_error(answer_with("dedup-give", range(0x100000, 0x1000, 0), -1), "sealed already");
	close(fd);
	quit();
}

Test(control, dedup_wrong_content_nested)
{
	wrong_content("nested");
}

Test(control, dedup_wrong_content_shadow)
{
	wrong_content("shadow");
}

/* A guest is merged with itself, runs on, and a second client has no store by the first one's. */
static void with_itself(const char *mode)
{
	const int fd = make_store(F_SEAL_GROW | F_SEAL_SHRINK);
	struct connection other;
	json_t *runs, *reply;
	bool in_store = false;
	json_int_t given;

	start(mode, "1", "spin", "spinning\n");
	store(fd);
	given = of(ask("dedup-give", range(0, 2 * MIB, 0)), "given");
	cr_expect_gt(given, 0);
	cr_assert_eq(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), 0);
	cr_expect_eq(of(ask("dedup-take", range(0, 2 * MIB, 0)), "differ"), 0);
	runs = ask("dedup-places", json_pack("{s:i, s:i}", "gpa", 0, "size", 2 * MIB));
	for (size_t i = 0; i < json_array_size(runs); i++)
		in_store |= json_integer_value(json_array_get(json_array_get(runs, i), 2)) > 0;
	cr_expect(in_store);
	json_decref(runs);
	cr_assert_eq(connection_open(&other, path, ANSWER_MS), 0);
	cr_assert_eq(connection_execute(&other, "dedup-take", range(0, PAGE, 0), &reply), 0);
	expect_error(reply, "There is no store");
	connection_close(&other);
	tell("system_reset"); /* writes the image anew, over the merged pages */
	close(fd);
	quit();
}

Test(control, dedup_with_itself_nested)
{
	with_itself("nested");
}

Test(control, dedup_with_itself_shadow)
{
	with_itself("shadow");
}

/* A client that goes away with its descriptors, in the middle of a command or before one took them. */
Test(control, dedup_client_goes_away)
{
	const int fd = make_store(F_SEAL_GROW | F_SEAL_SHRINK);

	start("nested", "1", "spin", "spinning\n");
	for (int i = 0; i < 50; i++) {
		struct connection other;
		json_t *reply;

		cr_assert_eq(connection_open(&other, path, ANSWER_MS), 0);
		cr_assert_eq(connection_ask_with(&other, i % 2 ? "dedup-store" : "query-status", NULL, fd, &reply), 0);
		json_decref(reply);
		if (i % 3 == 0)
			cr_assert_eq(connection_say(&other, "{\"execute\":\"dedup-ta", 19), 0);
		connection_close(&other);
	}
	close(fd);
	quit();
}

/* The guest says it after each million of writes, each of which looks at a page: two times from now on. */
static void look_at_every_page(void)
{
	run_until(&run, "right\n");
	for (int i = 0; i < 2; i++) {
		run.out_len = 0;
		run.out[0] = 0;
		run_until(&run, "right\n");
	}
}

/*
 * A guest writes into 64 pages all the time while these are merged, again and again, whenever one is equal to the store. A
 * write between the comparison and the merge would be lost, and the guest would notice and end.
 */
static void writes_between(const char *mode)
{
	const int fd = make_store(F_SEAL_GROW | F_SEAL_SHRINK);
	const uint64_t hot = 0x1000000, size = 64 * PAGE;
	json_int_t merged = 0;

	start(mode, "1", "merge-writes", "right\n");
	store(fd);
	json_decref(ask("dedup-give", range(hot, size, 0)));
	cr_assert_eq(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), 0);
	for (int i = 0; i < TAKES; i++)
		merged += of(ask("dedup-take", range(hot, size, 0)), "merged");
	look_at_every_page();
	cr_expect_gt(merged, 0);
	cr_log_info("%s: %lld times a page was merged", mode, (long long)merged);
	close(fd);
	quit();
}

Test(control, dedup_writes_between_nested)
{
	writes_between("nested");
}

Test(control, dedup_writes_between_shadow)
{
	writes_between("shadow");
}
