/* SPDX-License-Identifier: MIT */
/* What the commands that look at tables show of a snapshot. */
#include <errno.h>
#include <gnomon/x86.h>
#include <string.h>

#include "base/plain.h"
#include "pgtable/dump.h"
#include "view/file.h"
#include "view/trees.h"
#include "view/walk.h"

#define MAX_PIECES 5000000
#define MAX_RANGES 100000
#define MAX_TABLES 1000000 /* for a dump, which nobody waits for in a guest */

#define MAXPHYADDR 52         /* of the architecture; the file may say anything */
#define FEATURE_1G (1u << 26) /* CPUID 8000_0001 EDX */

static int find_cpu(const struct view_file *f, int64_t number, const struct cpu_saved **ret_cpu,
                    struct control_error *err)
{
	const struct snapshot_state *state = &f->s.state;

	if (number < 0 || number >= state->nr_cpus)
		return control_fail(err, EINVAL, "%s: There is no vCPU %lld: this VM has %u, counted from 0", f->path,
		                    (long long)number, state->nr_cpus);
	if (state->cpu[number].power == CPU_WAITS)
		return control_fail(err, EINVAL, "%s: The guest has not started vCPU %lld", f->path, (long long)number);
	*ret_cpu = &state->cpu[number];
	return 0;
}

/* -errno with *err when a page of the file could not be read. */
static int check(const struct view_file *f, struct control_error *err)
{
	return f->error ? control_fail(err, -f->error, "%s: %s", f->path, f->why) : 0;
}

static struct pt_source guest_source(struct view_file *f, const struct cpu_saved *cpu)
{
	const struct walk_memory m = view_file_memory(f);

	return (struct pt_source){.fmt = cpu->state.cr4 & CR4_LA57 ? &pt_x86_64_la57 : &pt_x86_64,
	                          .root = cpu->state.cr3 & PTE_ADDR,
	                          .entry = m.entry,
	                          .ctx = m.ctx};
}

/* The guest's own name of the mode; the file may hold anything. */
static const char *mode_of(struct view_file *f)
{
	plain_string(f->s.shape.paging);
	return f->s.shape.paging;
}

json_t *view_file_walk(struct view_file *f, const struct control_walk *wanted, struct control_error *err)
{
	const struct walk_memory memory = view_file_memory(f);
	const struct snapshot_shape *shape = &f->s.shape;
	struct view_walk w = {
	    .cpu = (int)wanted->cpu,
	    .paging = mode_of(f),
	    .mode = {.gbpages = shape->features[SNAPSHOT_LX1_EDX] & FEATURE_1G,
	             .pml4_global_reserved = strcmp(shape->vendor, "GenuineIntel") != 0,
	             .maxphyaddr = shape->maxphyaddr < MAXPHYADDR ? (uint8_t)shape->maxphyaddr : MAXPHYADDR}};
	const struct cpu_saved *cpu;
	struct trace t;
	json_t *reply;
	uint64_t gva, end;

	if (view_parse_address("address", wanted->address, &gva, err) < 0 || find_cpu(f, wanted->cpu, &cpu, err) < 0 ||
	    view_walk_prepare(&w, wanted, &cpu->state, err) < 0)
		return NULL;
	w.gva = gva_init(gva);
	trace_walk_in(&memory, NULL, &w.mode, w.gva, w.access, &t);
	if (check(f, err) < 0)
		return NULL;
	reply = view_walk(&w, &t);
	json_object_set_new(reply, "snapshot", json_true());
	if (t.walk.outcome == WALK_OK)
		json_object_set_new(reply, "held", json_string(view_file_piece(f, gpa_raw(t.walk.gpa), &end)));
	json_object_set_new(reply, "known",
	                    json_string("A snapshot has neither the second stage's tables nor the shadow's. A restore "
	                                "makes them anew."));
	return reply;
}

/* RAM by what the file has of it, which stands for the second stage there: all of it, or what has the address. */
static json_t *held(struct view_file *f, const struct view_trees *v, bool *ret_cut)
{
	const uint64_t memory = f->s.shape.memory;
	json_t *list = json_array();
	const char *last = "";
	uint64_t first = 0, end;

	*ret_cut = false;
	for (uint64_t gpa = 0; gpa < UINT64_MAX - PAGE_SIZE; gpa = end) {
		const char *kind = view_file_piece(f, gpa, &end);
		const size_t nr = json_array_size(list);

		if (strcmp(kind, last) != 0 || !snapshot_is_ram(memory, gpa / PAGE_SIZE, 1))
			first = gpa;
		last = kind;
		if (!snapshot_is_ram(memory, gpa / PAGE_SIZE, 1) || (v->address && (v->at < first || v->at >= end)))
			continue;
		if (first < gpa && nr) { /* neighbours that are alike are one */
			json_object_set_new(json_array_get(list, nr - 1), "last", view_hex(end - 1));
			continue;
		}
		*ret_cut = nr == MAX_RANGES;
		if (*ret_cut)
			break;
		json_array_append_new(list, json_pack("{s:o, s:o, s:s}", "first", view_hex(first), "last",
		                                      view_hex(end - 1), "held", kind));
	}
	return list;
}

static int add_trees(struct view_file *f, struct view_trees *v, int64_t number, struct control_error *err)
{
	struct view_below below = {.piece = view_file_piece, .ctx = f, .pieces_left = MAX_PIECES};
	const struct cpu_saved *cpu;
	struct pt_source source;

	for (int64_t i = number < 0 ? 0 : number; i < (number < 0 ? f->s.state.nr_cpus : number + 1); i++) {
		if (number < 0 && f->s.state.cpu[i].power == CPU_WAITS)
			continue;
		if (find_cpu(f, i, &cpu, err) < 0)
			return -EINVAL;
		source = guest_source(f, cpu);
		view_trees_add(v, &source, (int)i, &below);
	}
	return check(f, err);
}

json_t *view_file_tables(struct view_file *f, const struct control_tables *wanted, struct control_error *err)
{
	const bool ranges = strcmp(wanted->stage, "stage2") == 0;
	struct view_trees v;
	json_t *reply, *memory = NULL;

	if (!ranges && strcmp(wanted->stage, "guest") != 0) {
		control_fail(err, ENOTSUP, "%s: A snapshot has no %s", f->path,
		             strcmp(wanted->stage, "shadow") == 0
		                 ? "shadow tables: shadow mode derives them from guest memory"
		                 : "enclaves: a guest that has some is not saved");
		return NULL;
	}
	if (view_trees_init(&v, wanted, err) < 0)
		return NULL;
	if (!ranges && add_trees(f, &v, wanted->cpu, err) < 0) {
		view_trees_drop(&v);
		return NULL;
	}
	if (ranges)
		memory = held(f, &v, &v.cut);
	reply = view_trees_reply(&v, wanted->stage, mode_of(f));
	json_object_set_new(reply, "snapshot", json_true());
	if (ranges)
		json_object_set_new(reply, "memory", memory);
	return reply;
}

struct dump {
	struct pt_source source;
	void (*emit)(void *ctx, const char *line);
	void *ctx;
};

static bool dump_entry(void *ctx, uint64_t at, pte_t *ret_entry)
{
	const struct pt_source *s = &((struct dump *)ctx)->source;

	return s->entry(s->ctx, at, ret_entry);
}

static void dump_line(void *ctx, const char *line)
{
	const struct dump *d = ctx;

	d->emit(d->ctx, line);
}

int view_file_dump(struct view_file *f, void (*emit)(void *ctx, const char *line), void *ctx, bool *ret_cut,
                   struct control_error *err)
{
	struct dump d = {.emit = emit, .ctx = ctx};
	struct pt_foreign dump = {.entry = dump_entry, .emit = dump_line, .ctx = &d, .tables_left = MAX_TABLES};
	const struct cpu_saved *cpu;

	if (find_cpu(f, 0, &cpu, err) < 0)
		return -EINVAL;
	d.source = guest_source(f, cpu);
	dump.fmt = d.source.fmt;
	pt_dump_foreign(&dump, d.source.root);
	*ret_cut = dump.cut;
	return check(f, err);
}

int view_file_ask(const char *path, json_t *(*look)(struct view_file *f, const void *wanted, struct control_error *err),
                  const void *wanted, json_t **ret_reply)
{
	struct control_error err = {0};
	struct view_file f;
	json_t *reply;
	int r = view_file_open(&f, path);

	if (r < 0)
		return r;
	reply = look(&f, wanted, &err);
	view_file_close(&f);
	if (!reply) {
		log_error("%s", err.desc);
		return -EIO;
	}
	*ret_reply = reply;
	return 0;
}
