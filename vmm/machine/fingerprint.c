/* SPDX-License-Identifier: MIT */
#include "machine/fingerprint.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/hex.h"
#include "machine/machine.h"
#include "vm/reclaim.h"

#define ROUNDS_RUNNING 5    /* with the guest running, before it is paused all the same */
#define PAGES_PAUSED   1024 /* so few pages were due: the next round is short enough for a pause */
#define BACK_MS        5000 /* its client comes back to a round that is not done */

/* --- which there are --- */

static void forget(struct machine_fingerprint *p)
{
	fingerprint_destroy(p->f);
	*p = (struct machine_fingerprint){0};
}

void machine_fingerprints_end(struct machine *m)
{
	for (int i = 0; i < FINGERPRINTS; i++)
		forget(&m->fingerprints.all[i]);
	free(m->fingerprints.written);
	m->fingerprints.written = NULL;
	vm_dirty_end(m->vm, &m->fingerprints.log);
}

int machine_idle(void *machine)
{
	struct machine *m = machine;
	const int64_t now = clock_us();
	int64_t last = INT64_MIN;

	for (int i = 0; i < FINGERPRINTS; i++)
		if (m->fingerprints.all[i].f && m->fingerprints.all[i].asked_us > last)
			last = m->fingerprints.all[i].asked_us;
	if (last == INT64_MIN)
		return -1;
	if (now - last < FINGERPRINT_KEEP_MS * 1000ll)
		return (int)(FINGERPRINT_KEEP_MS - (now - last) / 1000);
	machine_fingerprints_end(m);
	return -1;
}

/* The algorithm and the key that a client names. -errno with *err. */
static int parse(struct machine_fingerprints *all, const struct control_fingerprint *which,
                 enum share_algorithm *ret_algorithm, uint8_t ret_key[SHARE_KEY], struct control_error *err)
{
	if (!share_algorithm_parse(which->algorithm, ret_algorithm))
		return control_fail(err, EINVAL, "algorithm must be one of %s", SHARE_ALGORITHM_NAMES);
	if (which->key && !hex_read(which->key, strlen(which->key), ret_key, SHARE_KEY))
		return control_fail(err, EINVAL, "key must be %d hex digits", 2 * SHARE_KEY);
	if (!all->has_key && getrandom(all->key, sizeof(all->key), 0) != sizeof(all->key))
		return control_fail(err, errno, "The host has no random numbers for a key");
	all->has_key = true;
	if (!which->key)
		memcpy(ret_key, all->key, SHARE_KEY);
	return 0;
}

static struct machine_fingerprint *find(struct machine_fingerprints *all, enum share_algorithm algorithm,
                                        const uint8_t *key)
{
	for (int i = 0; i < FINGERPRINTS; i++) {
		const struct fingerprint *f = all->all[i].f;

		if (f && f->hash.algorithm == algorithm && memcmp(f->hash.key, key, SHARE_KEY) == 0)
			return &all->all[i];
	}
	return NULL;
}

static bool is_waited_for(const struct machine_fingerprint *p, int64_t now_us)
{
	return p->f && p->f->under_way && now_us - p->asked_us < BACK_MS * 1000;
}

/* NULL: clients wait for all that there are. More of them would undo each other's work, and nobody's would be done. */
static struct machine_fingerprint *make_room(struct machine_fingerprints *all)
{
	struct machine_fingerprint *oldest = NULL;
	const int64_t now = clock_us();

	for (int i = 0; i < FINGERPRINTS; i++) {
		struct machine_fingerprint *p = &all->all[i];

		if (!is_waited_for(p, now) && (!oldest || (oldest->f && (!p->f || p->asked_us < oldest->asked_us))))
			oldest = p;
	}
	if (oldest)
		forget(oldest);
	return oldest;
}

/* The one that a client means, made if need be. NULL with *err. */
static struct machine_fingerprint *get(struct machine *m, const struct control_fingerprint *which,
                                       struct control_error *err)
{
	struct machine_fingerprints *all = &m->fingerprints;
	const uint64_t pages = vm_dirty_pages(m->vm);
	struct machine_fingerprint *p;
	enum share_algorithm algorithm;
	uint8_t key[SHARE_KEY];
	int r = 0;

	if (parse(all, which, &algorithm, key, err) < 0)
		return NULL;
	if (!all->written)
		all->written = calloc(vm_dirty_words(m->vm), sizeof(*all->written));
	p = find(all, algorithm, key);
	if (!p) {
		p = make_room(all);
		if (!p) {
			control_fail(err, EBUSY, "The VMM is at work on %d other fingerprints: try again later",
			             FINGERPRINTS);
			return NULL;
		}
		r = fingerprint_create(algorithm, key, pages * PAGE_SIZE, &p->f);
	}
	if (r < 0 || !all->written) {
		control_fail(err, ENOMEM, "The host has no memory for a fingerprint");
		return NULL;
	}
	p->asked_us = clock_us();
	return p;
}

/* --- rounds --- */

/* What was written since the last look is due for all of them. Where it is not known, everything is. */
static void begin(struct machine *m, struct machine_fingerprint *p)
{
	struct machine_fingerprints *all = &m->fingerprints;
	const bool knows = all->log.pages;
	int r;

	memset(all->written, 0, vm_dirty_words(m->vm) * sizeof(*all->written));
	r = knows ? vm_dirty_take(m->vm, &all->log, all->written) : vm_dirty_begin(m->vm, &all->log);
	for (int i = 0; i < FINGERPRINTS; i++)
		if (all->all[i].f)
			fingerprint_due(all->all[i].f, knows && r == 0 ? all->written : NULL);
	p->logged = r == 0;
	fingerprint_begin(p->f);
}

/* The end of a round: what it did counts. */
static void end(struct machine_fingerprint *p)
{
	const struct fingerprint_round *r = &p->f->round;

	p->sum.pages += r->pages;
	p->sum.absent += r->absent;
	p->sum.zero += r->zero;
	p->sum.hashed += r->hashed;
	p->sum.changed += r->changed;
	p->sum.nodes += r->nodes;
	p->rounds++;
}

/* Goes on with the round until `until_us`. 1: it is at its end; -EBUSY. */
static int work(struct machine *m, struct machine_fingerprint *p, int64_t until_us)
{
	bool done = false;
	int r = 0;

	while (r == 0 && !done && clock_us() < until_us) {
		r = vm_lock_reclaim(m->vm);
		if (r < 0)
			break;
		done = fingerprint_work(p->f, &m->vm->stage2, FINGERPRINT_PAGES);
		vm_unlock_reclaim(m->vm);
	}
	if (done)
		end(p);
	return r < 0 ? r : done;
}

/* The last round of an exact fingerprint. Nobody stores meanwhile: no vCPU, and under both locks no device. */
static int work_paused(struct machine *m, struct machine_fingerprint *p, int64_t *ret_us, struct control_error *err)
{
	const int64_t start = clock_us();
	int r = machine_pause(m, err);

	if (r < 0)
		return r;
	r = vm_lock_paging(m->vm);
	if (r == 0) {
		begin(m, p);
		while (!fingerprint_work(p->f, &m->vm->stage2, UINT64_MAX))
			;
		end(p);
		vm_unlock_paging(m->vm);
	}
	vm_resume(m->vm);
	*ret_us = clock_us() - start;
	return r < 0 ? control_fail(err, -r, "A vCPU is held up by a device: does anybody read the console?") : 0;
}

static json_t *digests(const struct share_digest *digest, int n)
{
	json_t *list = json_array();
	char text[HEX_TEXT(SHARE_DIGEST)];

	for (int i = 0; i < n; i++) {
		hex_write(text, digest[i].byte, SHARE_DIGEST);
		json_array_append_new(list, json_string(text));
	}
	return list;
}

static json_t *answer(struct machine_fingerprint *p, int64_t paused_us)
{
	const struct fingerprint *f = p->f;
	const struct share_digest root = share_tree_get(&f->tree, SHARE_LEVELS, 0);
	char key[HEX_TEXT(SHARE_KEY)], text[HEX_TEXT(SHARE_DIGEST)];
	json_t *reply;

	hex_write(key, f->hash.key, SHARE_KEY);
	hex_write(text, root.byte, SHARE_DIGEST);
	reply = json_pack("{s:b, s:s, s:s, s:s, s:I, s:I, s:b, s:b, s:I}", "done", true, "algorithm",
	                  share_algorithm_name(f->hash.algorithm), "key", key, "root", text, "version",
	                  (json_int_t)f->version, "pages", (json_int_t)f->pages, "logged", p->logged, "exact",
	                  paused_us >= 0, "paused-us", (json_int_t)(paused_us < 0 ? 0 : paused_us));
	json_object_set_new(reply, "round",
	                    json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "pages", (json_int_t)p->sum.pages,
	                              "absent", (json_int_t)p->sum.absent, "zero", (json_int_t)p->sum.zero, "hashed",
	                              (json_int_t)p->sum.hashed, "changed", (json_int_t)p->sum.changed, "nodes",
	                              (json_int_t)p->sum.nodes, "us", (json_int_t)p->us, "cpu-us",
	                              (json_int_t)p->cpu_us));
	json_object_set_new(reply, "absent", digests(f->hash.absent, SHARE_LEVELS + 1));
	json_object_set_new(reply, "zero", digests(f->hash.zero, SHARE_LEVELS + 1));
	p->sum = (struct fingerprint_round){0};
	p->us = p->cpu_us = p->rounds = 0;
	return reply;
}

/* The guest is paused for the next round: little was due in the last one, or it never gets less. */
static bool is_ready_to_pause(const struct machine_fingerprint *p)
{
	return p->rounds >= ROUNDS_RUNNING || (p->rounds && p->f->round.pages <= PAGES_PAUSED);
}

json_t *machine_fingerprint(void *machine, const struct control_fingerprint *which, bool stop,
                            struct control_error *err)
{
	struct machine *m = machine;
	struct machine_fingerprint *p = get(m, which, err);
	const int64_t start = clock_us(), cpu_start = clock_cpu_us();
	int64_t paused_us = -1;
	int r = 1;

	if (!p)
		return NULL;
	if (p->f->under_way || !stop || !is_ready_to_pause(p)) {
		if (!p->f->under_way)
			begin(m, p);
		r = work(m, p, start + FINGERPRINT_WORK_MS * 1000);
		if (r < 0) {
			control_fail(err, -r, "Guest memory is being reclaimed or released, or a vCPU is busy");
			return NULL;
		}
		r = r && !stop;
	} else if (work_paused(m, p, &paused_us, err) < 0) {
		return NULL;
	}
	p->us += clock_us() - start;
	p->cpu_us += clock_cpu_us() - cpu_start;
	return r ? answer(p, paused_us) : json_pack("{s:b}", "done", false);
}

json_t *machine_fingerprint_hashes(void *machine, const struct control_fingerprint *which,
                                   const struct control_hashes *hashes, struct control_error *err)
{
	struct machine *m = machine;
	struct machine_fingerprint *p;
	enum share_algorithm algorithm;
	struct share_digest *digest;
	uint8_t key[SHARE_KEY];
	json_t *list;

	if (parse(&m->fingerprints, which, &algorithm, key, err) < 0)
		return NULL;
	p = find(&m->fingerprints, algorithm, key); /* another had its place if there is none: it is not made anew */
	if (p)
		p->asked_us = clock_us();
	if (!p || p->f->under_way || p->f->version == 0 || p->f->version != hashes->version)
		return json_pack("{s:b}", "stale", true);
	digest = calloc(hashes->count, sizeof(*digest));
	if (!digest) {
		control_fail(err, ENOMEM, "The host has no memory for a fingerprint");
		return NULL;
	}
	for (unsigned i = 0; i < hashes->count; i++)
		digest[i] = share_tree_get(&p->f->tree, hashes->level, hashes->first + i);
	list = digests(digest, (int)hashes->count);
	free(digest);
	return json_pack("{s:b, s:o}", "stale", false, "hashes", list);
}
