/* SPDX-License-Identifier: MIT */
/* gnomon run: boot an image, be its console, end with its exit status. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/hex.h"
#include "base/outfile.h"
#include "base/output.h"
#include "base/process.h"
#include "boot/boot.h"
#include "cmd/cmd.h"
#include "cmd/run_options.h"
#include "machine/auto.h"
#include "machine/restore.h"
#include "machine/socket.h"
#include "machine/stats.h"
#include "dev/serial.h"
#include "platform/platform.h"
#include "vm/vcpu.h"
#include "vm/vm.h"

/* Waits for the end of the run, a signal or the time limit; a signal or the limit ends the run. True: the limit. */
static bool wait_for_end(struct vm *vm, int signal_fd, long timeout)
{
	struct signalfd_siginfo taken;
	struct pollfd fds[] = {{.fd = vm->end_fd, .events = POLLIN}, {.fd = signal_fd, .events = POLLIN}};
	int n;

	do {
		n = poll(fds, 2, timeout ? (int)(timeout * 1000) : -1);
	} while (n < 0 && errno == EINTR);
	if (fds[0].revents)
		return false;
	if (n == 0) {
		log_error("guest killed: it has not ended within %ld s", timeout);
		vm_end(vm, VM_KILLED, STATUS_KILLED);
	} else {
		/* This one ends the guest; the next also what still waits for a reader. */
		(void)!read(signal_fd, &taken, sizeof(taken));
		vm_end(vm, VM_STOPPED, STATUS_INTERRUPTED);
	}
	return n == 0;
}

/* For whoever checks reports while the guest runs, and later. -EIO, logged. */
static int write_key(const struct run_options *o, const struct platform_enclaves *enclaves, int signal_fd)
{
	const uint8_t *key = o->enclave_key ? platform_enclaves_key(enclaves) : NULL;
	char text[HEX_TEXT(PLATFORM_ENCLAVES_KEY) + 1];

	if (!key)
		return 0;
	hex_write(text, key, PLATFORM_ENCLAVES_KEY);
	strcat(text, "\n");
	return outfile_write("--enclave-key", o->enclave_key, text, strlen(text), signal_fd) < 0 ? -EIO : 0;
}

/*
 * Starts the guest, with its control socket if there shall be one, and waits for the end. True: the time limit. An earlier
 * key is replaced only when nothing but the start can fail any more.
 */
static int run_guest(const struct machine_parts *parts, const struct boot_state *boot, const struct run_options *o,
                     const struct platform_enclaves *enclaves, int signal_fd, bool *ret_limit)
{
	struct vm *vm = parts->vm;
	struct paging_auto paging = {0};
	struct control_socket control;
	int r = control_open(&control, o->control, parts);

	if (r < 0)
		return r;
	r = write_key(o, enclaves, signal_fd);
	if (r == 0)
		r = o->restore ? restore_start(&o->snapshot, vm) : vm_start(vm, boot);
	if (r == 0)
		r = control_serve(&control);
	if (r == 0 && o->paging_auto)
		r = paging_auto_start(&paging, vm, o->dry_run, control_paging_changed, &control);
	if (r < 0)
		vm_end(vm, VM_HOST_FAILED, STATUS_HOST_FAILURE);
	else
		*ret_limit = wait_for_end(vm, signal_fd, o->timeout);
	paging_auto_stop(&paging);
	control_close(&control);
	vm_join(vm); /* the devices stand on the caller's stack */
	return r;
}

/* Of boot_load()'s: not the image's fault. */
static bool is_host_failure(int r)
{
	return r == -EIO || r == -ENOMEM || r == -EMFILE || r == -ENFILE;
}

/* About the socket's path, or a snapshot that cannot be used. */
static bool is_users_mistake(int r)
{
	return r == -EEXIST || r == -EADDRINUSE || r == -ENAMETOOLONG || r == -EBADMSG || r == -ENOTSUP || r == -EINVAL;
}

/* Fills guest memory from the image or the snapshot. -errno, logged. */
static int load(struct vm *vm, struct run_options *o, const struct boot_params *params, struct boot_state *ret_boot,
                struct restore_lazy *ret_lazy)
{
	if (!o->restore)
		return boot_load(params, &vm->mem, ret_boot);
	*ret_boot = restore_boot_state(&o->snapshot);
	return o->lazy ? restore_memory_lazily(&o->snapshot, o->image, vm, ret_lazy)
	               : restore_memory(&o->snapshot, o->image, vm);
}

/* The exit status; -EINVAL, logged, when nothing ran because the image, the words or the socket cannot be used. */
static int run_vm(struct vm *vm, struct run_options *o, struct platform_enclaves *enclaves, int signal_fd,
                  struct restore_lazy *lazy)
{
	struct serial console;
	struct platform platform;
	const struct machine_parts parts = {.vm = vm,
	                                    .console = &console,
	                                    .platform = &platform,
	                                    .restored = o->restore,
	                                    .share = o->share,
	                                    .boot = {.image = o->restore ? o->snapshot.shape.guest : o->image,
	                                             .bootargs = o->bootargs,
	                                             .cpus = o->vm.cpus,
	                                             .tsc_hz = vm_tsc_hz(vm)}};
	struct boot_state boot;
	bool limit = false;
	int r = load(vm, o, &parts.boot, &boot, lazy);

	if (r < 0)
		return is_host_failure(r) ? STATUS_HOST_FAILURE : -EINVAL;
	serial_init(&console, STDOUT_FILENO, vm->end_fd, &vm->vcpu[0]->counters);
	bus_attach(&vm->pio, &console.bus);
	if (vm_create_paging(vm) < 0 || platform_init(&platform, vm, &boot, o->balloon) < 0)
		return STATUS_HOST_FAILURE;
	platform_enclaves_attach(enclaves, vm);
	r = o->restore ? restore_machine(&o->snapshot, o->image, vm, &console, &platform) : 0;
	if (r == 0)
		r = run_guest(&parts, &boot, o, enclaves, signal_fd, &limit);
	platform_destroy(&platform);
	if (r < 0)
		return is_users_mistake(r) ? -EINVAL : STATUS_HOST_FAILURE;
	for (int i = 0; limit && i < vm->nr_vcpus; i++)
		if (vm->vcpu[i]->live)
			vcpu_print(vm->vcpu[i]);
	if (vm->end == VM_STOPPED) {
		fprintf(stderr, "gnomon: interrupted; counters that are not zero:\n");
		stats_print(vm, stderr);
	}
	return console.error ? output_lost(vm->status) : vm->status;
}

/* Also of a run that the host made fail on its way to the start. The exit status. */
static int write_stats(struct vm *vm, const char *path, int status, int signal_fd)
{
	vm_end(vm, VM_HOST_FAILED, status); /* its vCPUs may still wait for the start */
	vm_join(vm);
	vm->paging->finish(vm);
	return stats_write_json(vm, path, signal_fd) < 0 ? output_lost(status) : status;
}

/* With the enclaves' monitor, if there is one. The exit status. */
static int run_with(struct run_options *o, struct platform_enclaves *enclaves, int signal_fd)
{
	struct restore_lazy lazy = {0};
	int status = STATUS_HOST_FAILURE;
	struct vm vm;

	if (vm_create(&vm, &o->vm) < 0)
		return status;
	status = run_vm(&vm, o, enclaves, signal_fd, &lazy);
	vm_end(&vm, VM_HOST_FAILED, STATUS_HOST_FAILURE); /* if it has not ended: its checker may not go on */
	status = restore_lazy_end(&lazy, signal_fd, status);
	if (status < 0)
		status = STATUS_USAGE; /* the earlier statistics stay */
	else if (o->stats)
		status = write_stats(&vm, o->stats, status, signal_fd);
	platform_enclaves_detach(enclaves);
	vm_destroy(&vm);
	return status;
}

static int run(struct run_options *o, int signal_fd)
{
	struct platform_enclaves *enclaves;
	int status = STATUS_HOST_FAILURE;

	if (platform_enclaves_start(&o->enclaves, &enclaves) == 0) { /* before there are threads */
		status = run_with(o, enclaves, signal_fd);
		platform_enclaves_stop(enclaves);
	}
	return status;
}

/* False, logged: an output takes the place of another file of the run. */
static bool check_places(const struct run_options *o)
{
	const struct {
		const char *option, *path;
	} out[] = {{"--stats", o->stats}, {"--enclave-key", o->enclave_key}, {"--control", o->control}};

	for (size_t i = 0; i < sizeof(out) / sizeof(*out); i++) {
		if (!out[i].path)
			continue;
		if (outfile_same(out[i].path, o->image)) {
			log_error("%s: %s is the guest image", out[i].option, out[i].path);
			return false;
		}
		for (size_t j = 0; j < i; j++) {
			if (!out[j].path || !outfile_same(out[i].path, out[j].path))
				continue;
			log_error("%s: %s is the file of %s", out[i].option, out[i].path, out[j].option);
			return false;
		}
	}
	return true;
}

/* False, logged: an output cannot be written. */
static bool check_outputs(const struct run_options *o, int *ret_status)
{
	*ret_status = check_places(o) ? STATUS_HOST_FAILURE : STATUS_USAGE;
	return *ret_status == STATUS_HOST_FAILURE && (!o->stats || outfile_check("--stats", o->stats) == 0) &&
	       (!o->enclave_key || outfile_check("--enclave-key", o->enclave_key) == 0);
}

int cmd_run(int argc, char **argv)
{
	struct run_options o;
	int r = run_options_parse(argc, argv, &o), status = STATUS_HOST_FAILURE, signal_fd;

	if (r)
		return r > 0 ? 0 : STATUS_USAGE;
	signal_fd = process_catch_end(); /* from here on files are made */
	if (signal_fd >= 0) {
		output_give_up_on(signal_fd);
		if (check_outputs(&o, &status))
			status = run(&o, signal_fd);
		output_give_up_on(-1);
		close(signal_fd);
	}
	if (o.restore)
		snapshot_close(&o.snapshot);
	free(o.bootargs);
	return status;
}
