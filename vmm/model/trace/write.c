/* SPDX-License-Identifier: MIT */
#include "model/trace/write.h"

#include <endian.h>

#include "model/trace/source.h"

static void write_word(FILE *to, uint64_t word)
{
	word = htole64(word);
	fwrite(&word, sizeof(word), 1, to);
}

void trace_write_head(struct trace_writer *w)
{
	const struct trace_head head = {.magic = TRACE_MAGIC, .version = htole32(TRACE_VERSION)};

	fwrite(&head, sizeof(head), 1, w->to);
}

void trace_write(struct trace_writer *w, const uint64_t *va, size_t nr)
{
	for (size_t i = 0; i < nr; i++)
		write_word(w->to, va[i]);
	w->nr += nr;
}

void trace_write_end(struct trace_writer *w)
{
	write_word(w->to, TRACE_END);
	write_word(w->to, w->nr);
}
