/* SPDX-License-Identifier: MIT */
#include <endian.h>
#include <errno.h>
#include <string.h>

#include "model/trace/trace_parts.h"

static int refuse(const struct trace_source *t, const char *why)
{
	log_error("%s, offset %llu: %s", t->input->name, (unsigned long long)t->offset, why);
	return -EINVAL;
}

int binary_begin(struct trace_source *t)
{
	struct trace_head head;

	if (t->end < sizeof(head))
		return refuse(t, "the head of the trace is cut short");
	memcpy(&head, t->buffer, sizeof(head));
	if (memcmp(head.magic, TRACE_MAGIC, sizeof(head.magic)) != 0)
		return refuse(t, "this is neither a trace of Gnomon's nor of valgrind's lackey");
	t->offset = 8;
	if (le32toh(head.version) != TRACE_VERSION)
		return refuse(t, "the trace has a version that this Gnomon does not know");
	t->offset = 12;
	if (head.reserved)
		return refuse(t, "what is reserved is not 0");
	t->at = t->offset = sizeof(head);
	return 0;
}

/* 8 bytes; 1: there is nothing more. */
static int take_word(struct trace_source *t, uint64_t *ret_word)
{
	int r = 0;

	while (r == 0 && !t->eof && t->end - t->at < sizeof(*ret_word))
		r = trace_fill(t);
	if (r < 0)
		return r;
	if (t->end - t->at < sizeof(*ret_word))
		return t->end == t->at ? 1 : refuse(t, "the trace is cut short within an address");
	memcpy(ret_word, t->buffer + t->at, sizeof(*ret_word));
	*ret_word = le64toh(*ret_word);
	t->at += sizeof(*ret_word);
	t->offset += sizeof(*ret_word);
	return 0;
}

/* Behind the mark of the end: how many addresses there were, and nothing else. */
static int take_end(struct trace_source *t)
{
	uint64_t nr;
	int r = take_word(t, &nr);

	if (r)
		return r < 0 ? r : refuse(t, "the trace is cut short: its end does not tell how many addresses it has");
	if (nr != t->nr)
		return refuse(t, "the end tells another number of addresses than there are");
	while (r == 0 && !t->eof && t->end == t->at)
		r = trace_fill(t);
	if (r < 0 || t->end != t->at)
		return r < 0 ? r : refuse(t, "the trace goes on behind its end");
	t->ended = true;
	return t->nr ? 0 : refuse(t, "there is no access in the trace");
}

int binary_next(struct model_source *s, size_t max, uint64_t *ret_va, size_t *ret_nr)
{
	struct trace_source *t = (struct trace_source *)s;
	size_t n = 0;

	while (n < max && !t->ended) {
		uint64_t va;
		int r = take_word(t, &va);

		if (r)
			return r < 0 ? r : refuse(t, "the trace is cut short: its end is not there");
		if (va == TRACE_END) {
			r = take_end(t);
			if (r < 0)
				return r;
			continue;
		}
		if (!trace_is_canonical(va)) {
			t->offset -= sizeof(va);
			return refuse(t, "the address is not canonical");
		}
		ret_va[n++] = va;
		t->nr++;
	}
	*ret_nr = n;
	return 0;
}
