/* SPDX-License-Identifier: MIT */
#include "cmd/run_options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/args.h"
#include "cmd/files.h"
#include "cmd/options.h"
#include "machine/restore.h"
#include "paging/nested.h"
#include "paging/switch.h"
#include "shadow/shadow.h"
#include "virtio/balloon.h"

#define ENCLAVE_MEMORY_MAX (64ull << 30)
#define SHADOW_MEMORY_MAX  (256ull << 20)

static const char help[] =
    "Usage: gnomon run [OPTION...] IMAGE [-- PROGRAM [ARG...]]\n"
    "       gnomon run [OPTION...] --restore FILE\n"
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
    "  --enclave-memory SIZE  secure memory for enclaves, outside guest RAM; none by default (docs/enclave.md)\n"
    "  --enclave-levels N levels of the enclaves' own table: 1, 2 (default) or 4\n"
    "  --enclave-monitor KIND  who has the secure memory: process (default), or thread, which is not safe and only\n"
    "                     shows what the wall between two processes costs\n"
    "  --enclave-key FILE write the public key of the enclaves' reports to FILE, in hexadecimal\n"
    "  --restore FILE     go on from a snapshot (`gnomon snapshot`), with its memory, CPUs and, unless --paging says\n"
    "                     another, its paging mode\n"
    "  --lazy             with --restore: map FILE, which may not change, and check it while the guest runs\n"
    "  --stats FILE       write every counter to FILE as JSON at the end\n"
    "  --control PATH     serve QMP clients at a UNIX socket (`gnomon ctl --help`)\n"
    "  --share            let `gnomon dedup` merge memory with that of other users' guests, too (docs/sharing.md)\n"
    "  --timeout SECONDS  kill a guest that has not ended by then\n"
    "  --shadow-opt LIST  optimisations of shadow paging: names, all (default) or none\n"
    "  --list-shadow-opts describe the optimisations\n"
    "  --shadow-memory SIZE  limit of the memory for shadow tables (default 32M)\n"
    "  --audit            at each trap compare the whole shadow with the guest's tables, and after each call of an\n"
    "                     enclave the enclaves' tables\n"
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

/* Those of enclaves. 0: go on; otherwise -EINVAL, logged. */
static int parse_enclave_option(int opt, const char *arg, struct run_options *o)
{
	long v;
	int r = 0;

	switch (opt) {
	case 'E':
		if (parse_size(arg, &o->enclaves.memory) < 0 || !o->enclaves.memory || o->enclaves.memory % PAGE_SIZE ||
		    o->enclaves.memory > ENCLAVE_MEMORY_MAX) {
			log_error("--enclave-memory: '%s' is not a multiple of 4 KiB up to 64G", arg);
			r = -EINVAL;
		}
		return r;
	case 'L':
		r = parse_count("--enclave-levels", arg, 1, 4, &v);
		if (r == 0 && v == 3) {
			log_error("--enclave-levels: '%s' is none of 1, 2, 4", arg);
			r = -EINVAL;
		}
		if (r == 0)
			o->enclaves.levels = (int)v;
		return r;
	case 'K':
		if (strcmp(arg, "process") != 0 && strcmp(arg, "thread") != 0) {
			log_error("--enclave-monitor: '%s' is none of process, thread", arg);
			return -EINVAL;
		}
		o->enclaves.kind = strcmp(arg, "thread") == 0 ? MONITOR_THREAD : MONITOR_PROCESS;
		return 0;
	case 'k':
		o->enclave_key = arg;
		return 0;
	default:
		return -EINVAL; /* option_next() logged it */
	}
}

/* Those of a restore, and --share. 0: go on; otherwise -EINVAL, logged. */
static int parse_restore_option(int opt, const char *arg, struct run_options *o)
{
	switch (opt) {
	case 'S':
		o->share = true;
		return 0;
	case 'z':
		o->lazy = true;
		return 0;
	case 'R':
		o->restore = true;
		if (strlen(arg) >= sizeof(o->image)) {
			log_error("--restore: the path is too long");
			return -EINVAL;
		}
		strcpy(o->image, arg);
		return 0;
	default:
		return parse_enclave_option(opt, arg, o);
	}
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
		return parse_restore_option(opt, arg, o);
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

/* Opens the snapshot, and settles the rest by it. As run_options_parse(). */
static int end_of_restore(int argc, char **argv, struct run_options *o)
{
	char why[SNAPSHOT_WHY_MAX];

	if (optind != argc) {
		log_error("run: --restore takes no image: '%s'", argv[optind]);
		return -EINVAL;
	}
	if (snapshot_open(o->image, &o->snapshot, why) < 0) {
		log_error("--restore: %s: %s", o->image, why);
		return -EINVAL;
	}
	if (restore_check(&o->snapshot, why) < 0)
		log_error("--restore: %s: %s", o->image, why);
	else if (run_options_settle(o) == 0) {
		o->bootargs = strdup("");
		if (o->bootargs)
			return 0;
		log_errno(ENOMEM, "command line");
	}
	snapshot_close(&o->snapshot);
	return -EINVAL;
}

int run_options_parse(int argc, char **argv, struct run_options *o)
{
	static const struct option options[] = {
	    {"paging", required_argument, NULL, 'p'},
	    {"memory", required_argument, NULL, 'm'},
	    {"cpus", required_argument, NULL, 'c'},
	    {"backing", required_argument, NULL, 'b'},
	    {"stats", required_argument, NULL, 's'},
	    {"timeout", required_argument, NULL, 't'},
	    {"enclave-memory", required_argument, NULL, 'E'},
	    {"enclave-levels", required_argument, NULL, 'L'},
	    {"enclave-monitor", required_argument, NULL, 'K'},
	    {"enclave-key", required_argument, NULL, 'k'},
	    {"control", required_argument, NULL, 'C'},
	    {"share", no_argument, NULL, 'S'},
	    {"balloon", required_argument, NULL, 'B'},
	    {"restore", required_argument, NULL, 'R'},
	    {"lazy", no_argument, NULL, 'z'},
	    {"dry-run", no_argument, NULL, 'd'},
	    {"shadow-opt", required_argument, NULL, 'o'},
	    {"shadow-memory", required_argument, NULL, 'M'},
	    {"list-shadow-opts", no_argument, NULL, 'l'},
	    {"audit", no_argument, NULL, 'a'},
	    {"help", no_argument, NULL, 'h'},
	    {0},
	};
	int opt;

	*o = (struct run_options){
	    .vm = {.backing = BACKING_4K,
	           .paging_config = {.shadow_opts = SHADOW_OPT_ALL, .shadow_memory = SHADOW_MEMORY_DEFAULT}}};
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
	if (o->restore)
		return end_of_restore(argc, argv, o);
	if (optind == argc) {
		log_error("run: no image given (try `gnomon run --help`)");
		return -EINVAL;
	}
	if (image_file(argv[optind++], o->image) < 0 || check_after_image(argv + optind) < 0 ||
	    run_options_settle(o) < 0)
		return -EINVAL;
	if (optind < argc && strcmp(argv[optind], "--") == 0)
		optind++;
	o->bootargs = join_words(argv + optind);
	return o->bootargs ? 0 : log_errno(ENOMEM, "command line");
}
