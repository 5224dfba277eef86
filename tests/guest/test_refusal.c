/* SPDX-License-Identifier: MIT */
/* What cannot be run as asked: each gives one line and the right status, and no guest runs. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../unit/elf_builder.h"
#include "huge_pool.h"
#include "run_gnomon.h"

static struct run r;
static char dir[] = "/tmp/gnomon-refusal-XXXXXX";
static char path[64];

static void make_dir(void)
{
	cr_assert_not_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/image", dir);
}

static void make_dir_with_kvm(void)
{
	need_kvm();
	make_dir();
}

static void remove_dir(void)
{
	unlink(path);
	rmdir(dir);
}

/* Bad images: the VM is there, so KVM must be. */
TestSuite(image, .init = make_dir_with_kvm, .fini = remove_dir);

static void write_file(const void *bytes, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, bytes, len), (ssize_t)len);
	close(fd);
}

static void image_refused(const struct image *m, size_t len, const char *words)
{
	write_file(m, len);
	run_gnomon(&r, "run", path);
	expect_refusal(&r, 2, words);
}

/* The good one runs (and halts, its code being HLT), so that the others are refused for what was spoilt. */
Test(image, good)
{
	struct image m = image_good();

	write_file(&m, sizeof(m));
	run_gnomon(&r, "run", path);
	expect_killed(&r, "halted with interrupts off");
}

Test(image, missing)
{
	run_gnomon(&r, "run", "/nonexistent/image");
	expect_refusal(&r, 2, "/nonexistent/image: No such file");
}

Test(image, empty)
{
	struct image m = image_good();

	image_refused(&m, 0, "is empty");
}

Test(image, truncated)
{
	struct image m = image_good();

	image_refused(&m, 10, "is truncated");
	image_refused(&m, sizeof(m.eh) + 1, "program headers outside");
	image_refused(&m, sizeof(m) - 1, "is truncated");
}

Test(image, text_file)
{
	write_file("#!/bin/sh\necho this is no image, however long it may be made to be by more and more words\n", 90);
	run_gnomon(&r, "run", path);
	expect_refusal(&r, 2, "is not an ELF file");
}

Test(image, wrong_machine)
{
	struct image m = image_good();

	m.eh.e_machine = EM_AARCH64;
	image_refused(&m, sizeof(m), "another machine than x86-64");
}

Test(image, class_32_bit)
{
	struct image m = image_good();

	m.eh.e_ident[EI_CLASS] = ELFCLASS32;
	image_refused(&m, sizeof(m), "32-bit ELF file");
}

/* With the default 64 MiB; the same image is good when there is more memory. */
Test(image, segment_outside_memory)
{
	struct image m = image_good();

	m.ph[1].p_paddr = 64 << 20;
	image_refused(&m, sizeof(m), "segment outside the guest's memory");
	run_gnomon(&r, "run", "--memory", "128M", path);
	expect_killed(&r, "halted with interrupts off");
}

Test(image, segments_overlap)
{
	struct image m = image_good();

	m.ph[1].p_paddr = 0x100080;
	image_refused(&m, sizeof(m), "overlapping segments");
}

Test(image, segment_wraps)
{
	struct image m = image_good();

	m.ph[1].p_paddr = -(uint64_t)PAGE_SIZE;
	image_refused(&m, sizeof(m), "wraps around");
}

Test(image, file_size_exceeds_memory_size)
{
	struct image m = image_good();

	m.ph[1].p_memsz = 1;
	image_refused(&m, sizeof(m), "file size exceeds its memory size");
}

Test(image, directory)
{
	run_gnomon(&r, "run", "/tmp");
	expect_refusal(&r, 2, "/tmp");
}

/* Nobody writes to it: reading would wait for ever. */
Test(image, fifo)
{
	cr_assert_eq(mkfifo(path, 0600), 0);
	run_gnomon(&r, "run", path);
	expect_refusal(&r, 2, path);
}

Test(image, endless_device)
{
	run_gnomon(&r, "run", "/dev/zero");
	expect_refusal(&r, 2, "/dev/zero");
}

/* The device tree holds 64 KiB: a command line beyond that is said, not cut. */
Test(image, command_line_too_long)
{
	static char words[100000];

	memset(words, 'w', sizeof(words) - 1);
	run_gnomon(&r, "run", guest_path("exit-status-0"), "--", words);
	expect_refusal(&r, 2, "command line is too long");
}

/* Wrong options: found before anything is opened. */
Test(options, wrong)
{
	static const struct {
		const char *args[7], *words;
	} wrong[] = {
	    {{"run"}, "no image"},
	    {{"run", "--"}, "no image"},
	    {{"run", "--memory", "0", "x"}, "multiple of 2 MiB"},
	    {{"run", "--memory", "1M", "x"}, "multiple of 2 MiB"},
	    {{"run", "--memory", "3M", "x"}, "multiple of 2 MiB"},
	    {{"run", "--memory", "1000T", "x"}, "more than this host's"},
	    {{"run", "--memory", "99999999999T", "x"}, "not a size"},
	    {{"run", "--memory", "-2M", "x"}, "not a size"},
	    {{"run", "--cpus", "0", "x"}, "from 1 to 64"},
	    {{"run", "--cpus", "65", "x"}, "from 1 to 64"},
	    {{"run", "--cpus", "10000", "x"}, "from 1 to 64"},
	    {{"run", "--cpus", "two", "x"}, "from 1 to 64"},
	    {{"run", "--timeout", "0", "x"}, "--timeout"},
	    {{"run", "--paging", "sideways", "x"}, "'sideways' is not a paging mode"},
	    {{"run", "--backing", "paper", "x"}, "--backing: 'paper' is none of 4k, thp, hugetlb2m, hugetlb1g"},
	    {{"run", "--backing", "hugetlb1g", "--memory", "64M", "x"},
	     "--memory: 64 MiB is not a multiple of 1 GiB, as --backing hugetlb1g needs"},
	    {{"run", "--memory", "1026M", "--backing", "hugetlb1g", "x"},
	     "--memory: 1026 MiB is not a multiple of 1 GiB"},
	    {{"run", "--backing", "hugetlb1g", "--balloon", "free-page-reporting", "x"},
	     "--balloon: free-page-reporting has no effect with --backing hugetlb1g"},
	    {{"run", "--balloon", "hot-air", "x"}, "--balloon: 'hot-air' is not a list"},
	    {{"run", "--balloon", "deflate-on-oom,", "x"}, "--balloon: 'deflate-on-oom,' is not a list"},
	    {{"run", "--memory", "010M", "x"}, "not a size"},
	    {{"run", "--memory"}, "gnomon: run: option '--memory' requires an argument (try `gnomon run --help`)"},
	    {{"run", "--audit=no", "x"}, "gnomon: run: option '--audit=no' doesn't allow an argument"},
	    {{"run", "--s", "x"}, "gnomon: run: option '--s' is ambiguous"},
	    {{"run", "-v", "x"}, "gnomon: run: unrecognized option '-v' (try `gnomon run --help`)"},
	    {{"run", "--audit", "-vx", "x"}, "gnomon: run: unrecognized option '-v'"},
	    {{"run", "x", "--memory", "64M"}, "option '--memory' follows the image"},
	    {{"run", "x", "program", "-v"}, "option '-v' follows the image"},
	    {{"run", "x", "-h", "--", "y"}, "option '-h' follows the image"},
	    {{"bench", "--csv", "-", "-x"}, "gnomon: bench: unrecognized option '-x'"},
	    {{"ctl", "/nonexistent", "--timeout", "0"}, "--timeout: '0' is not a number"},
	    {{"frobnicate"}, "no command 'frobnicate'"},
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		run_args(&r, wrong[i].args);
		expect_refusal(&r, 2, wrong[i].words);
	}
}

/* Each command says in its own name which option it does not know, and where the others are told. */
Test(options, unknown)
{
	static const char *const commands[] = {"run", "host", "bench", "ctl", "balloon", "top"};
	char words[128];

	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++) {
		snprintf(words, sizeof(words),
		         "gnomon: %s: unrecognized option '--frobnicate' (try `gnomon %s --help`)", commands[i],
		         commands[i]);
		run_gnomon(&r, commands[i], "--frobnicate", "x");
		expect_refusal(&r, 2, words);
		run_gnomon(&r, commands[i], "x", "--frobnicate");
		cr_assert_eq(r.status, 2, "%s: %d", commands[i], r.status);
		run_gnomon(&r, commands[i], "-h");
		expect_status(&r, 0);
		cr_expect(strncmp(r.out, "Usage: gnomon ", 14) == 0, "%s", r.out);
	}
}

/* Options may follow words, as the manual says, whatever the environment wants of getopt(3). */
Test(options, behind_words)
{
	static const char *const commands[] = {"host", "bench", "ctl", "balloon", "top", "compare"};
	char words[128];

	for (int posix = 0; posix < 2; posix++) {
		if (posix)
			setenv("POSIXLY_CORRECT", "1", 1);
		for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++) {
			snprintf(words, sizeof(words), "gnomon: %s: unrecognized option '--frobnicate'", commands[i]);
			run_gnomon(&r, commands[i], "x", "--frobnicate");
			expect_refusal(&r, 2, words);
		}
		run_gnomon(&r, "enclave", "measure", "x", "--frobnicate");
		expect_refusal(&r, 2, "gnomon: enclave measure: unrecognized option '--frobnicate'");
	}
}

/* Behind "--" all words are the guest's, whatever they look like. */
Test(options, words_for_the_guest)
{
	need_kvm();
	run_gnomon(&r, "run", guest_path("exit-status-7"), "--", "--memory", "-h", "--");
	expect_status(&r, 7);
	run_gnomon(&r, "run", guest_path("exit-status-7"), "program", "word", "--", "-v");
	expect_status(&r, 7);
}

/* Without a command the usage is shown, as an error; asked for, it is an answer. */
Test(options, help)
{
	run_gnomon(&r, NULL);
	cr_assert_eq(r.status, 2);
	cr_assert(strstr(r.err, "Usage: gnomon"));
	cr_assert_str_eq(r.out, "");
	run_gnomon(&r, "--help");
	expect_status(&r, 0);
	cr_assert(strstr(r.out, "Usage: gnomon"));
	run_gnomon(&r, "run", "--help");
	expect_status(&r, 0);
	cr_assert(strstr(r.out, "--memory SIZE"));
}

/* No KVM: status 1, and one line that names the device. */
TestSuite(device, .init = make_dir, .fini = remove_dir);

Test(device, missing)
{
	setenv("GNOMON_KVM_DEVICE", "/nonexistent", 1);
	run_gnomon(&r, "run", guest_path("exit-status-0"));
	expect_refusal(&r, 1, "cannot open /nonexistent (");
}

Test(device, foreign)
{
	setenv("GNOMON_KVM_DEVICE", "/dev/null", 1);
	run_gnomon(&r, "run", guest_path("exit-status-0"));
	expect_refusal(&r, 1, "/dev/null does not answer as KVM does: Inappropriate ioctl for device");
}

/* The device is there, but not for this user; the message says how to fix it. */
Test(device, no_permission)
{
	if (getuid() != 0)
		cr_skip_test("only root can become another user");
	cr_assert_eq(chmod(dir, 0755), 0);
	write_file("", 0);
	setenv("GNOMON_KVM_DEVICE", path, 1);
	r.uid = NOBODY;
	run_gnomon(&r, "run", guest_path("exit-status-0"));
	expect_refusal(&r, 1, "Permission denied");
	cr_assert(strstr(r.err, path) && strstr(r.err, "group `kvm`"), "%s", r.err);
}

/* The host's pool of huge pages is too small: said at the start, not by a SIGBUS later. */
Test(image, hugetlb_pool)
{
	long available;

	huge_pool_lock(PAGE_2M);
	available = huge_pool_available(PAGE_2M);
	run_gnomon(&r, "run", "--backing", "hugetlb2m", guest_path("exit-status-7"));
	if (available < 32) {
		expect_refusal(&r, 1, "does not give 64 MiB of hugetlb2m memory");
		cr_assert(strstr(r.err, "sudo tee /sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages"), "%s",
		          r.err);
	} else {
		expect_status(&r, 7);
	}
}

/* Likewise of 1 GiB pages, of which a host seldom has one; or it has no such pages at all. */
Test(image, hugetlb1g_pool)
{
	const unsigned long long all = (unsigned long long)sysconf(_SC_PHYS_PAGES) * PAGE_SIZE / PAGE_1G;
	char memory[24];

	if (!all)
		cr_skip_test("the host has less than 1 GiB of memory");
	snprintf(memory, sizeof(memory), "%lluG", all); /* the host's own part is not in any pool */
	run_gnomon(&r, "run", "--backing", "hugetlb1g", "--memory", memory, guest_path("exit-status-7"));
	expect_refusal(&r, 1, "of hugetlb1g memory: ");
	cr_assert(strstr(r.err, "sudo tee /sys/kernel/mm/hugepages/hugepages-1048576kB/nr_hugepages") ||
	              strstr(r.err, "it offers no pages of 1 GiB"),
	          "%s", r.err);
}
