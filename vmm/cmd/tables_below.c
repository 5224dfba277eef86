/* SPDX-License-Identifier: MIT */
/* What guest physical memory lies on: the other dimension of a guest's tree, and a snapshot's memory (view/below.h). */
#include <ctype.h>
#include <string.h>

#include "cmd/reply.h"
#include "cmd/tables.h"

#define MAX_KINDS 8
#define MAX_WORD  12

struct sums {
	char word[MAX_KINDS][MAX_WORD];
	uint64_t bytes[MAX_KINDS];
	int nr;
};

/* Letters and digits: fit for a page, too, whatever the server says. */
static void copy_word(char ret_word[MAX_WORD], const char *word)
{
	snprintf(ret_word, MAX_WORD, "%s", word);
	for (char *c = ret_word; *c; c++)
		if (!isalnum((unsigned char)*c))
			*c = '?';
}

static void add(struct sums *s, const char *word, uint64_t bytes)
{
	char plain[MAX_WORD];
	int i;

	copy_word(plain, word);
	for (i = 0; i < s->nr && strcmp(s->word[i], plain) != 0;)
		i++;
	if (i == MAX_KINDS)
		return;
	if (i == s->nr)
		strcpy(s->word[s->nr++], plain);
	s->bytes[i] += bytes;
}

static void add_all(struct sums *s, const json_t *below)
{
	const char *word;
	json_t *bytes;

	json_object_foreach ((json_t *)(uintptr_t)below, word, bytes)
		add(s, word, (uint64_t)json_integer_value(bytes));
}

static void put(const struct sums *s, FILE *to)
{
	for (int i = 0; i < s->nr; i++)
		fprintf(to, "%s%s %llu KiB", i ? ", " : "", s->word[i], (unsigned long long)s->bytes[i] / 1024);
}

void tables_put_below(const json_t *below, uint64_t bytes, FILE *to)
{
	struct sums s = {0};

	add_all(&s, below);
	if (s.nr == 1 && s.bytes[0] == bytes)
		fputs(s.word[0], to);
	else
		put(&s, to);
}

void tables_put_below_sum(const struct table_tree *t, FILE *to)
{
	struct sums pages = {0}, tables = {0};

	for (size_t i = 0; i < t->nr; i++)
		add_all(t->node[i].leaf ? &pages : &tables, t->node[i].below);
	if (pages.nr) {
		fputs("below    pages lie on ", to);
		put(&pages, to);
		fputs(tables.nr ? "; tables on " : "", to);
		put(&tables, to);
		fputc('\n', to);
	}
}

void tables_put_memory(const json_t *memory, FILE *to)
{
	struct sums s = {0};
	json_t *range;
	size_t i;

	json_array_foreach (memory, i, range) {
		uint64_t first = 0, last = 0;
		char word[MAX_WORD];

		copy_word(word, reply_text(range, "held").text);
		if (!tables_address(range, "first", &first) || !tables_address(range, "last", &last) || last < first)
			continue;
		add(&s, word, last - first + 1);
		fprintf(to, "[%016llx-%016llx] %s\n", (unsigned long long)first, (unsigned long long)last, word);
	}
	fputs(json_array_size(memory) ? "memory   " : "memory   none there", to);
	put(&s, to);
	fputs("\nThis is what the file has of guest memory. A snapshot has no tables of a second stage.\n", to);
}
