/* SPDX-License-Identifier: MIT */
#include "snapshot/state.h"

#include <errno.h>
#include <gnomon/addr.h>
#include <stdio.h>
#include <stdlib.h>

#include "snapshot/codec.h"

enum { MARK_MACHINE = 0x4843414d, MARK_SERIAL = 0x49524553, MARK_BALLOON = 0x4c4c4142, MARK_CPU = 0x20555043 };

/* More than all parts but the balloon's map take. */
#define ROOM_BASE 65536

static void segment(struct codec *c, struct cpu_segment *s)
{
	codec_u64(c, &s->base);
	codec_u32(c, &s->limit);
	codec_u16(c, &s->selector);
	codec_u16(c, &s->attributes);
}

static void table(struct codec *c, struct cpu_table *t)
{
	codec_u64(c, &t->base);
	codec_u16(c, &t->limit);
}

static void msrs(struct codec *c, struct cpu_msrs *m)
{
	codec_u64(c, &m->star);
	codec_u64(c, &m->lstar);
	codec_u64(c, &m->cstar);
	codec_u64(c, &m->sfmask);
	codec_u64(c, &m->kernel_gs_base);
	codec_u64(c, &m->sysenter_cs);
	codec_u64(c, &m->sysenter_esp);
	codec_u64(c, &m->sysenter_eip);
	codec_u64(c, &m->tsc_aux);
	codec_u64(c, &m->pat);
}

static void cpu_state(struct codec *c, struct cpu_state *s)
{
	for (int i = 0; i < GPR_COUNT; i++)
		codec_u64(c, &s->gpr[i]);
	codec_u64(c, &s->rip);
	codec_u64(c, &s->rflags);
	for (int i = 0; i < SEG_COUNT; i++)
		segment(c, &s->seg[i]);
	table(c, &s->gdtr);
	table(c, &s->idtr);
	codec_u64(c, &s->cr0);
	codec_u64(c, &s->cr2);
	codec_u64(c, &s->cr3);
	codec_u64(c, &s->cr4);
	codec_u64(c, &s->cr8);
	codec_u64(c, &s->efer);
	codec_u64(c, &s->xcr0);
	for (int i = 0; i < 8; i++)
		codec_u64(c, &s->dr[i]);
	msrs(c, &s->msrs);
	codec_u8(c, &s->cpl);
	codec_bool(c, &s->interrupt_shadow);
	codec_bool(c, &s->halted);
}

static void cpu(struct codec *c, struct cpu_saved *s)
{
	codec_mark(c, MARK_CPU);
	codec_u8(c, &s->power);
	cpu_state(c, &s->state);
	for (int i = 0; i < 4; i++)
		codec_u64(c, &s->vectors[i]);
	codec_u64(c, &s->tsc);
	codec_u8(c, &s->fpu_kind);
	codec_bytes(c, s->fpu, sizeof(s->fpu));
	codec_u32(c, &s->nr_extra);
	c->failed |= s->nr_extra > CPU_EXTRA_MAX;
	for (uint32_t i = 0; !c->failed && i < s->nr_extra; i++) {
		codec_u32(c, &s->extra[i].index);
		codec_u64(c, &s->extra[i].value);
	}
}

static void serial(struct codec *c, struct serial_saved *s)
{
	codec_mark(c, MARK_SERIAL);
	codec_u8(c, &s->ier);
	codec_u8(c, &s->lcr);
	codec_u8(c, &s->mcr);
	codec_u8(c, &s->scr);
	codec_u16(c, &s->divisor);
}

static void queue(struct codec *c, struct virtq_saved *q)
{
	codec_u64(c, &q->desc);
	codec_u64(c, &q->driver);
	codec_u64(c, &q->device);
	codec_u16(c, &q->size);
	codec_u16(c, &q->last_avail);
	codec_u16(c, &q->used_idx);
	codec_u8(c, &q->ready);
}

static void transport(struct codec *c, struct virtio_mmio_saved *t)
{
	codec_u64(c, &t->features);
	codec_u64(c, &t->driver_features);
	codec_u32(c, &t->status);
	codec_u32(c, &t->interrupt_status);
	codec_u32(c, &t->generation);
	codec_u32(c, &t->device_features_sel);
	codec_u32(c, &t->driver_features_sel);
	codec_u32(c, &t->queue_sel);
	for (int i = 0; i < VIRTIO_MMIO_QUEUES; i++)
		queue(c, &t->queue[i]);
}

/* The map is there already, with room for nr_words. */
static void balloon(struct codec *c, struct balloon_saved *b)
{
	codec_mark(c, MARK_BALLOON);
	transport(c, &b->transport);
	codec_u64(c, &b->target_pages);
	codec_u32(c, &b->claimed_pages);
	codec_u8(c, &b->stats_wanted);
	codec_u8(c, &b->stats_taken);
	codec_u16(c, &b->stats_head);
	codec_u64(c, &b->stats.seq);
	codec_u32(c, &b->stats.valid);
	for (int i = 0; i < VIRTIO_BALLOON_S_NR; i++)
		codec_u64(c, &b->stats.value[i]);
	codec_bytes(c, b->in_map, b->nr_words * sizeof(*b->in_map));
}

static void state(struct codec *c, struct snapshot_state *s)
{
	codec_mark(c, MARK_MACHINE);
	codec_u64(c, &s->image);
	codec_u64(c, &s->image_end);
	codec_u32(c, &s->changes);
	codec_u64(c, &s->since_ms);
	codec_u64(c, &s->change_us);
	serial(c, &s->serial);
	balloon(c, &s->balloon);
	for (uint32_t i = 0; i < s->nr_cpus; i++)
		cpu(c, &s->cpu[i]);
}

int snapshot_state_write(const struct snapshot_state *s, uint8_t **ret_bytes, size_t *ret_size)
{
	const size_t room =
	    ROOM_BASE + s->balloon.nr_words * sizeof(*s->balloon.in_map) + s->nr_cpus * (sizeof(*s->cpu) + ROOM_BASE);
	struct snapshot_state copy = *s;
	uint8_t *bytes = malloc(room);
	struct codec c = {.at = bytes, .end = bytes + room, .writing = true};

	if (!bytes)
		return -ENOMEM;
	state(&c, &copy);
	BUG_ON(c.failed);
	*ret_bytes = bytes;
	*ret_size = c.at - bytes;
	return 0;
}

static int check(const struct snapshot_state *s, const struct codec *c, char *ret_why)
{
	if (c->failed || c->at != c->end) {
		snprintf(ret_why, SNAPSHOT_WHY_MAX, "its state is not that of such a machine");
		return -EBADMSG;
	}
	for (uint32_t i = 0; i < s->nr_cpus; i++) {
		const char *why = cpu_saved_check(&s->cpu[i]);

		if (!why)
			continue;
		snprintf(ret_why, SNAPSHOT_WHY_MAX, "its CPU %u %s", i, why);
		return -EBADMSG;
	}
	return 0;
}

int snapshot_state_read(uint8_t *bytes, size_t size, const struct snapshot_shape *shape,
                        struct snapshot_state *ret_state, char *ret_why)
{
	struct codec c = {.at = bytes, .end = bytes + size};
	struct snapshot_state s = {.nr_cpus = shape->cpus};
	int r;

	s.balloon.nr_words = balloon_map_words(shape->memory / PAGE_SIZE);
	if (s.balloon.nr_words * sizeof(*s.balloon.in_map) > size) {
		snprintf(ret_why, SNAPSHOT_WHY_MAX, "its state is not that of such a machine");
		return -EBADMSG;
	}
	s.cpu = calloc(s.nr_cpus, sizeof(*s.cpu));
	s.balloon.in_map = calloc(s.balloon.nr_words, sizeof(*s.balloon.in_map));
	if (s.cpu && s.balloon.in_map) {
		state(&c, &s);
		r = check(&s, &c, ret_why);
	} else {
		snprintf(ret_why, SNAPSHOT_WHY_MAX, "the host has no memory for it");
		r = -ENOMEM;
	}
	if (r < 0)
		snapshot_state_free(&s);
	else
		*ret_state = s;
	return r;
}

void snapshot_state_free(struct snapshot_state *s)
{
	free(s->cpu);
	free(s->balloon.in_map);
	*s = (struct snapshot_state){0};
}
