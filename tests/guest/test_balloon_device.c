/* SPDX-License-Identifier: MIT */
/* The balloon's device as guests meet it: its registers, resets, guests without a driver, guests that do wrong. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "balloon_run.h"

/* After a reset the guest has all its memory again, and its driver can be talked to as before. */
Test(balloon, survives_a_reset)
{
	run_start(&vm, (const char *const[]){"run", "--memory", "64M", "--timeout", "100", "--control", vm_socket,
	                                     kernel, "--", "idle", NULL});
	run_until(&vm, "serving the balloon");
	vm_resize("32M");
	run_gnomon(&client, "ctl", vm_socket, "system_reset");
	expect_status(&client, 0);
	run_until(&vm, "serving the balloon\nidle: serving the balloon");
	vm_resize("16M");
	vm_quit();
}

/* A guest without a driver: the tool says so at once. */
Test(balloon, no_driver)
{
	struct limit limit = {0};

	run_start(&vm, (const char *const[]){"run", "--timeout", "100", "--control", vm_socket, kernel, "--", "crash",
	                                     "spin", NULL});
	do { /* until there is a socket, and it listens */
		cr_assert_not(limit_over(&limit), "%s", client.err);
		run_gnomon(&client, "balloon", "--size", "1M", "--wait", vm_socket);
	} while (strstr(client.err, "cannot connect"));
	cr_assert_eq(client.status, 1, "%s%s", client.out, client.err);
	cr_assert(strstr(client.err, "drives no balloon"), "%s", client.err);
	vm_quit();
}

Test(balloon, registers)
{
	run_gnomon(&vm, "run", "--timeout", "60", guest_path("virtio-registers"));
	expect_status(&vm, 0);
	run_gnomon(&vm, "run", "--timeout", "60", "--paging", "shadow", guest_path("virtio-registers"));
	expect_status(&vm, 0);
}

/* A bad queue stops the device, not the guest. */
Test(balloon, bad_queue)
{
	static const char *const modes[] = {"nested", "shadow"};

	for (int i = 0; i < 2; i++) {
		run_gnomon(&vm, "run", "--timeout", "60", "--paging", modes[i], guest_path("virtio-bad-queue"));
		cr_assert_eq(vm.status, 0, "%s: %d %s", modes[i], vm.status, vm.err);
		cr_assert(strstr(vm.err, "gnomon: virtio balloon: a queue was made ready with size 0;"), "%s", vm.err);
	}
}

/* Pages that are not the guest's to give, each beside one that is: the device says why and does neither. */
Test(balloon, bad_page)
{
	static const struct {
		const char *name, *words;
	} bad[] = {{"image", "in the guest's own image"}, {"loader", "in the loader's first MiB"},
	           {"device", "outside memory"},          {"beyond", "outside memory"},
	           {"nowhere", "outside memory"},         {"twice", "stands twice in a request"}};
	static const char *const modes[] = {"nested", "shadow"};
	char guest[64], words[128];

	for (size_t i = 0; i < 2 * sizeof(bad) / sizeof(*bad); i++) {
		snprintf(guest, sizeof(guest), "virtio-bad-page-%s", bad[i / 2].name);
		snprintf(words, sizeof(words), "%s; the device stands still", bad[i / 2].words);
		run_gnomon(&vm, "run", "--timeout", "60", "--paging", modes[i % 2], guest_path(guest));
		cr_assert_eq(vm.status, 0, "%s in %s mode: %d %s", guest, modes[i % 2], vm.status, vm.err);
		cr_assert_eq(strncmp(vm.err, "gnomon: virtio balloon: a page ", 31), 0, "%s", vm.err);
		cr_assert(strstr(vm.err, words), "'%s' is not in: %s", words, vm.err);
	}
}

/* A guest that says it gave what it did not: what counts is what the host has, and who waits for the rest is told the
 * truth. */
Test(balloon, lying_guest)
{
	static const char *const modes[] = {"nested", "shadow"};

	for (int i = 0; i < 2; i++) {
		run_start(&vm, (const char *const[]){"run", "--paging", modes[i], "--timeout", "100", "--control",
		                                     vm_socket, guest_path("virtio-lie"), NULL});
		run_until(&vm, "lying\n");
		vm_resize_in_vain("32M");
		cr_assert(strstr(client.err, " s the guest has 64.0 MiB and is asked to have 32.0 MiB"), "%s",
		          client.err);
		run_gnomon(&client, "balloon", "--json", vm_socket);
		expect_status(&client, 0);
		cr_assert_eq(number_behind(client.out, "\"actual\": "), 64 * MIB - 4096, "%s", client.out);
		vm_quit();
	}
}

Test(balloon, straddling_access)
{
	run_gnomon(&vm, "run", "--timeout", "60", guest_path("virtio-straddling-access"));
	expect_killed(&vm, "read 8 bytes at guest physical 0xd00001fc");
	run_gnomon(&vm, "run", "--timeout", "60", "--paging", "shadow", guest_path("virtio-straddling-access"));
	expect_killed(&vm, "");
}
