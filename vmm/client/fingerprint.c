/* SPDX-License-Identifier: MIT */
#include "client/fingerprint.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

int fingerprint_client_algorithm(struct fingerprint_client *f, const char *name)
{
	enum share_algorithm known;

	if (!share_algorithm_parse(name, &known)) {
		log_error("--hash: '%s' is none of the hashes: %s", name, SHARE_ALGORITHM_NAMES);
		return -EINVAL;
	}
	f->algorithm = name;
	return 0;
}

static json_t *arguments(const struct fingerprint_client *f)
{
	json_t *args = json_pack("{s:s}", "algorithm", f->algorithm);

	if (*f->key)
		json_object_set_new(args, "key", json_string(f->key));
	return args;
}

static int refuse(const char *what)
{
	log_error("the server's reply has no %s", what);
	return -EPROTO;
}

static int take_reply(struct fingerprint_client *f, const json_t *reply)
{
	const char *key = json_string_value(json_object_get(reply, "key"));
	const json_int_t version = json_integer_value(json_object_get(reply, "version"));
	const json_int_t pages = json_integer_value(json_object_get(reply, "pages"));

	if (!key || strlen(key) != sizeof(f->key) - 1)
		return refuse("key");
	if (version <= 0 || pages <= 0 || pages > 1ll << 36)
		return refuse("fingerprint");
	snprintf(f->key, sizeof(f->key), "%s", key);
	f->version = (uint64_t)version;
	f->pages = (uint64_t)pages;
	return 0;
}

/* A server works for milliseconds at least before it answers that there is more to do. */
#define UPDATE_REQUESTS 100000

int fingerprint_client_update(struct fingerprint_client *f, json_t **ret_reply)
{
	json_t *reply;
	int r;

	for (unsigned n = 0;; n++) {
		json_t *args = arguments(f);

		json_object_set_new(args, "stop", json_boolean(f->stop));
		r = connection_ask(&f->c, "fingerprint", args, &reply);
		if (r < 0)
			return r;
		f->requests++;
		if (json_is_true(json_object_get(reply, "done")))
			break;
		json_decref(reply);
		if (n == UPDATE_REQUESTS) {
			log_error("the server's fingerprint does not come to an end");
			return -EPROTO;
		}
	}
	r = take_reply(f, reply);
	if (r < 0)
		json_decref(reply);
	else
		*ret_reply = reply;
	return r;
}

static int take_hashes(const json_t *list, unsigned count, struct share_digest *ret_hashes)
{
	if (json_array_size(list) != count)
		return refuse("hashes");
	for (unsigned i = 0; i < count; i++) {
		const char *text = json_string_value(json_array_get(list, i));

		if (!text || !hex_read(text, strlen(text), ret_hashes[i].byte, SHARE_DIGEST))
			return refuse("hashes");
	}
	return 0;
}

int fingerprint_client_hashes(void *ctx, int level, uint64_t first, unsigned count, struct share_digest *ret_hashes)
{
	struct fingerprint_client *f = ctx;
	json_t *args = arguments(f), *reply;
	int r;

	json_object_update_new(args, json_pack("{s:I, s:i, s:I, s:i}", "version", (json_int_t)f->version, "level",
	                                       level, "first", (json_int_t)first, "count", (int)count));
	r = connection_ask(&f->c, "fingerprint-hashes", args, &reply);
	if (r < 0)
		return r;
	f->requests++;
	r = json_is_true(json_object_get(reply, "stale"))
	        ? -ESTALE
	        : take_hashes(json_object_get(reply, "hashes"), count, ret_hashes);
	json_decref(reply);
	return r;
}

#define TRIES   9
#define BACK_US 20000 /* at most, after the first; twice as long after each other */

bool fingerprint_client_stand_back(const char *command, unsigned *tries)
{
	uint32_t random = 0;

	if (++*tries >= TRIES) {
		log_error("%s: somebody else has one of the fingerprints brought up to date all the time", command);
		return false;
	}
	(void)!getrandom(&random, sizeof(random), GRND_NONBLOCK);
	usleep(random % (BACK_US << *tries));
	return true;
}
