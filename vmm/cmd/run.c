/* SPDX-License-Identifier: MIT */
/* gnomon run: boot an image, be its console, end with its exit status. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/outfile.h"
#include "base/output.h"
#include "base/process.h"
#include "boot/boot.h"
#include "cmd/args.h"
#include "cmd/cmd.h"
#include "machine/auto.h"
#include "machine/socket.h"
#include "cmd/files.h"
#include "cmd/options.h"
#include "machine/stats.h"
#include "dev/serial.h"
#include "platform/platform.h"
#include "paging/nested.h"
#include "paging/switch.h"
#include "shadow/shadow.h"
#include "vm/vcpu.h"
#include "vm/vm.h"

#define DEFAULT_MEMORY        (64ull << 20)
#define SHADOW_MEMORY_DEFAULT (32ull << 20)
#define SHADOW_MEMORY_MAX     (256ull << 20)

struct run_options {
	struct vm_config vm;
	char image[PATH_MAX];
	const char *stats;
	const char *control; /* path of the control socket; NULL: none */
	long timeout; /* seconds; 0: none */
	char *bootargs;
	uint64_t balloon; /* optional features that it offers */
	bool paging_auto, dry_run;
};

static const char help[] =
    "Usage: gnomon run [OPTION...] IMAGE [-- PROGRAM [ARG...]]\n"
    "Boots the ELF64 guest image IMAGE; PROGRAM and its arguments become the guest's command line.\n"
    "If there is no file kernel.elf, that name means the guest kernel that comes with Gnomon.\n"
    "\n"
    "  --paging MODE      how guest memory is translated: nested (default), shadow, or auto, which starts nested\n"
    "                     and changes the mode as the guest behaves (docs/paging.md)\n"
    "  --dry-run          with --paging auto: log what it would change, and stay nested\n"
    "  --memory SIZE      guest RAM, a multiple of 2 MiB (default 64M; hugetlb1g: 1 GiB, 1G)\n"
    "  --cpus N           virtual CPUs, 1 to 64 (default 1)\n"
    "  --backing KIND     host pages behind guest RAM: 4k (default), thp, hugetlb2m, hugetlb1g\n"
    "  --balloon LIST     what the balloon offers the guest beyond the usual, none by default:\n"
    "                     deflate-on-oom (the guest takes pages back when it has no others),\n"
    "                     free-page-reporting (the guest names what it frees, and the host takes it)\n"
    "  --stats FILE       write every counter to FILE as JSON at the end\n"
    "  --control PATH     serve QMP clients at a UNIX socket (`gnomon ctl --help`)\n"
    "  --timeout SECONDS  kill a guest that has not ended by then\n"
    "  --shadow-opt LIST  optimisations of shadow paging: names, all (default) or none\n"
    "  --list-shadow-opts describe the optimisations\n"
    "  --shadow-memory SIZE  limit of the memory for shadow tables (default 32M)\n"
    "  --audit            at each trap compare the whole shadow with the guest's tables\n"
    "  --help\n"
    "\n"
    "Exit status: 0-125 the guest's own; 126 the guest was killed for a mistake; 2 the options or the image\n"
    "cannot be used; 1 the host failed, or output was lost; 130 interrupted.\n"
    "GNOMON_KVM_DEVICE names another device than /dev/kvm.\n";

/* The words after IMAGE, one blank between them: what /chosen/bootargs carries. NULL without memory. */
static char *join_words(char **words)
{
	size_t len = 1;
	char *line, *p;

	for (char **w = words; *w; w++)
		len += strlen(*w) + 1;
	line = p = malloc(len);
	if (!line)
		return NULL;
	*p = 0;
	for (char **w = words; *w; w++)
		p += sprintf(p, "%s%s", w == words ? "" : " ", *w);
	return line;
}

/* Names with commas between them. -EINVAL, logged. */
static int parse_balloon(const char *list, uint64_t *ret_features)
{
	static const struct {
		const char *name;
		uint64_t feature;
	} known[] = {{"deflate-on-oom", VIRTIO_BALLOON_F_DEFLATE_ON_OOM},
		     {"free-page-reporting", VIRTIO_BALLOON_F_REPORTING}};
	uint64_t features = 0;

	for (const char *name = list;; name++) {
		const size_t len = strcspn(name, ",");
		size_t i = 0;

		while (i < sizeof(known) / sizeof(*known) &&
		       (strlen(known[i].name) != len || memcmp(known[i].name, name, len) != 0))
			i++;
		if (i == sizeof(known) / sizeof(*known)) {
			log_error("--balloon: '%s' is not a list of deflate-on-oom, free-page-reporting", list);
			return -EINVAL;
		}
		features |= known[i].feature;
		name += len;
		if (!*name)
			break;
	}
	*ret_features = features;
	return 0;
}

/* 0: go on; otherwise -EINVAL, logged. */
static int parse_option(int opt, const char *arg, struct run_options *o)
{
	long v;
	int r;

	switch (opt) {
	case 'p':
		o->paging_auto = strcmp(arg, "auto") == 0;
		o->vm.paging = o->paging_auto ? &paging_nested : paging_by_name(arg);
		if (o->vm.paging)
			return 0;
		log_error("--paging: '%s' is not a paging mode (nested, shadow, auto)", arg);
		return -EINVAL;
	case 'd':
		o->dry_run = true;
		return 0;
	case 'o':
		r = shadow_opt_parse(arg, &o->vm.paging_config.shadow_opts);
		if (r < 0)
			log_error("--shadow-opt: '%s' is not a list of optimisations (see --list-shadow-opts)", arg);
		return r;
	case 'M':
		r = parse_size(arg, &o->vm.paging_config.shadow_memory);
		if (r == 0 && (o->vm.paging_config.shadow_memory % PAGE_2M || !o->vm.paging_config.shadow_memory ||
			       o->vm.paging_config.shadow_memory > SHADOW_MEMORY_MAX))
			r = -EINVAL;
		if (r < 0)
			log_error("--shadow-memory: '%s' is not a multiple of 2 MiB up to 256M", arg);
		return r;
	case 'a':
		o->vm.paging_config.audit = true;
		return 0;
	case 'm':
		return parse_memory(arg, &o->vm.memory);
	case 'c':
		r = parse_count("--cpus", arg, 1, VM_MAX_CPUS, &v);
		if (r == 0)
			o->vm.cpus = v;
		return r;
	case 'b':
		r = backing_parse(arg, &o->vm.backing);
		if (r < 0)
			log_error("--backing: '%s' is none of " BACKING_NAMES, arg);
		return r;
	case 'B':
		return parse_balloon(arg, &o->balloon);
	case 's':
		o->stats = arg;
		return 0;
	case 'C':
		o->control = arg;
		return 0;
	case 't':
		return parse_count("--timeout", arg, 1, 1000000, &o->timeout);
	default:
		return -EINVAL; /* option_next() logged it */
	}
}

static void list_shadow_opts(void)
{
	for (int i = 0; i < SHADOW_OPTS; i++)
		printf("%-16s %s\n", shadow_opt_desc[i].name, shadow_opt_desc[i].what);
}

/* Up to "--", a word that looks like an option was not meant for the guest. -EINVAL, logged. */
static int check_after_image(char **words)
{
	for (; *words && strcmp(*words, "--") != 0; words++) {
		if (**words != '-')
			continue;
		log_error("run: option '%s' follows the image: put Gnomon's options before the image, and the guest's "
		          "program after -- (try `gnomon run --help`)",
		          *words);
		return -EINVAL;
	}
	return 0;
}

/* What is asked for goes together, or -EINVAL, logged. */
static int settle(struct run_options *o)
{
	const uint64_t page = backing_page(o->vm.backing);

	if (!o->vm.memory)
		o->vm.memory = page > DEFAULT_MEMORY ? page : DEFAULT_MEMORY;
	if (o->vm.memory % page) {
		log_error("--memory: %llu MiB is not a multiple of %s, as --backing %s needs",
		          (unsigned long long)(o->vm.memory >> 20), backing_page_words(o->vm.backing),
		          backing_name(o->vm.backing));
		return -EINVAL;
	}
	if (o->dry_run && !o->paging_auto) {
		log_error("--dry-run: it is for --paging auto");
		return -EINVAL;
	}
	if (page > PAGE_2M && o->balloon & VIRTIO_BALLOON_F_REPORTING) {
		log_error("--balloon: free-page-reporting has no effect with --backing %s: no guest reports whole "
		          "pages of %s",
		          backing_name(o->vm.backing), backing_page_words(o->vm.backing));
		return -EINVAL;
	}
	return 0;
}

/* 0: run; 1: help was shown; -EINVAL: logged. */
static int parse_options(int argc, char **argv, struct run_options *o)
{
	static const struct option options[] = {
		{"paging", required_argument, NULL, 'p'},  {"memory", required_argument, NULL, 'm'},
		{"cpus", required_argument, NULL, 'c'},	   {"backing", required_argument, NULL, 'b'},
		{"stats", required_argument, NULL, 's'},   {"timeout", required_argument, NULL, 't'},
		{"control", required_argument, NULL, 'C'}, {"balloon", required_argument, NULL, 'B'},
		{"dry-run", no_argument, NULL, 'd'}, {"shadow-opt", required_argument, NULL, 'o'}, {"shadow-memory", required_argument, NULL, 'M'},
		{"list-shadow-opts", no_argument, NULL, 'l'}, {"audit", no_argument, NULL, 'a'},
		{"help", no_argument, NULL, 'h'},	   {0},
	};
	int opt;

	while ((opt = option_next(argc, argv, options, true)) != OPTION_END) {
		if (opt == OPTION_HELP) {
			fputs(help, stdout);
			return 1;
		}
		if (opt == 'l') {
			list_shadow_opts();
			return 1;
		}
		if (parse_option(opt, optarg, o) < 0)
			return -EINVAL;
	}
	if (optind == argc) {
		log_error("run: no image given (try `gnomon run --help`)");
		return -EINVAL;
	}
	if (image_file(argv[optind++], o->image) < 0 || check_after_image(argv + optind) < 0 || settle(o) < 0)
		return -EINVAL;
	if (optind < argc && strcmp(argv[optind], "--") == 0)
		optind++;
	o->bootargs = join_words(argv + optind);
	return o->bootargs ? 0 : log_errno(ENOMEM, "command line");
}

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

/* Starts the guest, with its control socket if there shall be one, and waits for the end. True: the time limit. */
static int run_guest(struct vm *vm, const struct boot_params *params, const struct boot_state *boot,
		     const struct run_options *o, int signal_fd, bool *ret_limit)
{
	struct paging_auto paging = {0};
	struct control_socket control;
	int r = control_open(&control, o->control, vm, params);

	if (r < 0)
		return r;
	r = vm_start(vm, boot);
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

/* The exit status; -EINVAL, logged, when nothing ran because the image, the words or the socket cannot be used. */
static int run_vm(struct vm *vm, const struct run_options *o, int signal_fd)
{
	const struct boot_params params = {
		.image = o->image, .bootargs = o->bootargs, .cpus = o->vm.cpus, .tsc_hz = vm_tsc_hz(vm)};
	struct serial console;
	struct platform platform;
	struct boot_state boot;
	bool limit = false;
	int r;

	r = boot_load(&params, &vm->mem, &boot);
	if (r < 0)
		return is_host_failure(r) ? STATUS_HOST_FAILURE : -EINVAL;
	serial_init(&console, STDOUT_FILENO, vm->end_fd, &vm->vcpu[0]->counters);
	bus_attach(&vm->pio, &console.bus);
	if (vm_create_paging(vm) < 0 || platform_init(&platform, vm, &boot, o->balloon) < 0)
		return STATUS_HOST_FAILURE;
	r = run_guest(vm, &params, &boot, o, signal_fd, &limit);
	platform_destroy(&platform);
	if (r < 0)
		return r == -EEXIST || r == -EADDRINUSE || r == -ENAMETOOLONG ? -EINVAL : STATUS_HOST_FAILURE;
	for (int i = 0; limit && i < vm->nr_vcpus; i++)
		if (vm->vcpu[i]->started)
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

static int run(const struct run_options *o)
{
	const int signal_fd = process_catch_end();
	int status = STATUS_HOST_FAILURE;
	struct vm vm;

	if (signal_fd < 0)
		return status;
	output_give_up_on(signal_fd);
	if (vm_create(&vm, &o->vm) == 0) {
		status = run_vm(&vm, o, signal_fd);
		if (status < 0)
			status = STATUS_USAGE; /* the earlier statistics stay */
		else if (o->stats)
			status = write_stats(&vm, o->stats, status, signal_fd);
		vm_destroy(&vm);
	}
	output_give_up_on(-1);
	close(signal_fd);
	return status;
}

int cmd_run(int argc, char **argv)
{
	struct run_options o = {
	    .vm = {.cpus = 1,
	           .backing = BACKING_4K,
	           .paging = &paging_nested,
	           .paging_config = {.shadow_opts = SHADOW_OPT_ALL, .shadow_memory = SHADOW_MEMORY_DEFAULT}}};
	int r = parse_options(argc, argv, &o), status = STATUS_HOST_FAILURE;

	if (r)
		return r > 0 ? 0 : STATUS_USAGE;
	if (o.stats && outfile_same(o.stats, o.image)) {
		log_error("--stats: %s is the guest image", o.stats);
		status = STATUS_USAGE;
	} else if (!o.stats || outfile_check("--stats", o.stats) == 0) {
		status = run(&o);
	}
	free(o.bootargs);
	return status;
}
