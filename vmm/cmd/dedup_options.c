/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cmd/dedup.h"
#include "cmd/options.h"

static const char help[] =
    "Usage: gnomon dedup [OPTION...] SOCKET SOCKET...\n"
    "Finds equal memory in the running guests behind these control sockets and keeps it once. It compares the guests'\n"
    "fingerprints by descent, has each guest compare byte by byte while it stands still for milliseconds, and puts "
    "one\n"
    "page in the place of all that are equal. A guest that writes to such a page gets its own copy.\n"
    "\n"
    "  --hash NAME  blake2b (default); xxh3: faster, if nobody hostile writes in the guests\n"
    "  --with KIND  what merges: gnomon (default); ksm: the host's kernel, which is told what the fingerprints found\n"
    "               equal\n"
    "  --json       print one JSON object\n"
    "  --help\n"
    "\n"
    "Guests of different users take part only if they were started with --share (docs/sharing.md).\n"
    "\n"
    "Exit status: 0; 1 a guest does not answer, ended or takes no part, the others were merged; 2 the arguments "
    "cannot\n"
    "be used.\n";

static int parse_with(const char *kind, struct dedup *d)
{
	d->ksm = strcmp(kind, "ksm") == 0;
	if (d->ksm || strcmp(kind, "gnomon") == 0)
		return 0;
	log_error("--with: '%s' is none of gnomon, ksm", kind);
	return -EINVAL;
}

static int parse_hash(const char *name, struct dedup *d)
{
	struct fingerprint_client f;
	const int r = fingerprint_client_algorithm(&f, name);

	d->algorithm = name;
	return r;
}

int dedup_parse(int argc, char **argv, struct dedup *d)
{
	static const struct option options[] = {{"hash", required_argument, NULL, 'a'},
	                                        {"with", required_argument, NULL, 'w'},
	                                        {"json", no_argument, NULL, 'j'},
	                                        {"help", no_argument, NULL, 'h'},
	                                        {0}};
	int opt, r = 0;

	while (r == 0 && (opt = option_next(argc, argv, options, false)) != OPTION_END) {
		if (opt == 'a')
			r = parse_hash(optarg, d);
		else if (opt == 'w')
			r = parse_with(optarg, d);
		else if (opt == 'j')
			d->json = true;
		else
			r = opt == OPTION_HELP ? 1 : -EINVAL;
	}
	if (r == 1)
		fputs(help, stdout);
	if (r == 0 && (argc - optind < 2 || argc - optind > DEDUP_GUESTS)) {
		log_error("dedup: 2 to %d sockets are expected (try `gnomon dedup --help`)", DEDUP_GUESTS);
		r = -EINVAL;
	}
	return r;
}
