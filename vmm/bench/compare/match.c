/* SPDX-License-Identifier: MIT */
/* Which rows of the files are one row. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/compare/compare_parts.h"

/* A row of a file. Rows with the same key are one row of the comparison. */
struct found {
	char *key;
	size_t file, row;
};

struct column {
	const char *name, *unit;
	const struct compare_rule *rule;
};

/* One table in all files. */
struct match {
	struct comparison *c;
	const struct compare_table *table[COMPARE_MAX_FILES]; /* NULL: the file lacks it */
	struct column *key, *value;
	size_t nr_keys, nr_values;
	struct found *found;
	size_t nr_found;
};

static struct column column_of(const struct compare_table *t, size_t i)
{
	const json_t *column = json_array_get(t->list, i);
	struct column c = {.name = json_string_value(json_object_get(column, "name")),
	                   .unit = json_string_value(json_object_get(column, "unit"))};
	char low[128];

	snprintf(low, sizeof(low), "%.100s_ci_low", c.name);
	c.rule = compare_rule_of(t->name, c.name, c.unit, json_object_get(t->columns, low));
	return c;
}

static bool has_fraction(const struct compare_table *t, const char *name)
{
	for (size_t i = 0; i < json_array_size(t->rows); i++) {
		const double v = json_number_value(json_object_get(json_array_get(t->rows, i), name));

		if (v != floor(v))
			return true;
	}
	return false;
}

/* All files have the column, and it has texts and whole numbers: a fraction was measured, whatever its column. */
static bool identifies(const struct match *m, const char *name)
{
	for (size_t f = 0; f < m->c->nr_files; f++)
		if (m->table[f] && (!json_object_get(m->table[f]->columns, name) || has_fraction(m->table[f], name)))
			return false;
	return true;
}

static bool earlier_has(const struct match *m, size_t file, const char *name)
{
	for (size_t f = 0; f < file; f++)
		if (m->table[f] && json_object_get(m->table[f]->columns, name))
			return true;
	return false;
}

/* -EINVAL, logged: the column's numbers are not those of an earlier file, which has it in another unit. */
static int check_unit(const struct match *m, size_t file, const struct column *column)
{
	for (size_t f = 0; f < file; f++) {
		const json_t *other = m->table[f] ? json_object_get(m->table[f]->columns, column->name) : NULL;
		const char *unit = json_string_value(json_object_get(other, "unit"));

		if (!other || strcmp(unit ? unit : "", column->unit ? column->unit : "") == 0)
			continue;
		log_error("column %s of table %s is in another unit: %s in %s, and %s in %s", column->name,
		          m->table[f]->name, unit ? unit : "none", m->c->file[f]->name,
		          column->unit ? column->unit : "none", m->c->file[file]->name);
		return -EINVAL;
	}
	return 0;
}

/* Keys are the base's that identify rows in all files; values are those of any file. -ENOMEM; -EINVAL, logged. */
static int find_columns(struct match *m)
{
	size_t room = 0;

	for (size_t f = 0; f < m->c->nr_files; f++)
		room += m->table[f] ? json_array_size(m->table[f]->list) : 0;
	m->key = calloc(room + 1, sizeof(*m->key));
	m->value = calloc(room + 1, sizeof(*m->value));
	if (!m->key || !m->value)
		return -ENOMEM;
	for (size_t f = 0; f < m->c->nr_files; f++) {
		for (size_t i = 0; m->table[f] && i < json_array_size(m->table[f]->list); i++) {
			const struct column column = column_of(m->table[f], i);

			if (check_unit(m, f, &column) < 0)
				return -EINVAL;
			if (column.rule->role == COMPARE_NOTE || earlier_has(m, f, column.name))
				continue;
			if (column.rule->role == COMPARE_VALUE)
				m->value[m->nr_values++] = column;
			else if (identifies(m, column.name))
				m->key[m->nr_keys++] = column;
		}
	}
	return 0;
}

/* The identifying cells as JSON, so that no two keys look alike; 64 and 64.0 are one. NULL: no memory. */
static char *key_of(const struct match *m, const json_t *row)
{
	json_t *key = json_array();
	char *text;

	for (size_t i = 0; i < m->nr_keys; i++) {
		const json_t *cell = json_object_get(row, m->key[i].name);

		json_array_append_new(key,
		                      json_is_number(cell) ? json_real(json_number_value(cell)) : json_deep_copy(cell));
	}
	text = json_dumps(key, JSON_COMPACT);
	json_decref(key);
	return text;
}

static int find_rows(struct match *m)
{
	size_t room = 0;

	for (size_t f = 0; f < m->c->nr_files; f++)
		room += m->table[f] ? json_array_size(m->table[f]->rows) : 0;
	m->found = calloc(room + 1, sizeof(*m->found));
	if (!m->found)
		return -ENOMEM;
	for (size_t f = 0; f < m->c->nr_files; f++) {
		for (size_t i = 0; m->table[f] && i < json_array_size(m->table[f]->rows); i++) {
			char *key = key_of(m, json_array_get(m->table[f]->rows, i));

			if (!key)
				return -ENOMEM;
			m->found[m->nr_found++] = (struct found){key, f, i};
		}
	}
	return 0;
}

static int by_key(const void *a, const void *b)
{
	const struct found *x = a, *y = b;
	const int order = strcmp(x->key, y->key);

	if (order)
		return order;
	return x->file != y->file ? (x->file > y->file) - (x->file < y->file) : (x->row > y->row) - (x->row < y->row);
}

/* As in the files: the base's rows, then those that the base lacks. */
static int by_place(const void *a, const void *b)
{
	const struct found *x = *(const struct found *const *)a, *y = *(const struct found *const *)b;

	return x->file != y->file ? (x->file > y->file) - (x->file < y->file) : (x->row > y->row) - (x->row < y->row);
}

/* "pages 64, 4k, nested". NULL: no memory. */
static char *row_words(const struct match *m, const json_t *row)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return NULL;
	for (size_t i = 0; i < m->nr_keys; i++) {
		const json_t *cell = json_object_get(row, m->key[i].name);

		fputs(i ? ", " : "", f);
		if (json_is_string(cell))
			fputs(json_string_value(cell), f);
		else if (json_is_number(cell))
			fprintf(f, "%s %.15g", m->key[i].name, json_number_value(cell));
		else
			fprintf(f, "%s n/a", m->key[i].name);
	}
	if (fclose(f) == 0)
		return text;
	free(text);
	return NULL;
}

static int add_item(struct comparison *c, const struct compare_item *item)
{
	if (c->nr_items == c->room_items) {
		const size_t room = c->room_items ? 2 * c->room_items : 64;
		struct compare_item *more = reallocarray(c->item, room, sizeof(*more));

		if (!more)
			return -ENOMEM;
		c->item = more;
		c->room_items = room;
	}
	c->item[c->nr_items++] = *item;
	return 0;
}

/* The values of the row that is `first` and what follows it with the same key. */
static int add_values(struct match *m, const struct found *first)
{
	struct comparison *c = m->c;
	int r = 0;

	for (size_t v = 0; r == 0 && v < m->nr_values; v++) {
		struct compare_item item = {.table = m->table[0]->name,
		                            .value = m->value[v].name,
		                            .unit = m->value[v].unit,
		                            .row = c->nr_rows - 1,
		                            .rule = m->value[v].rule,
		                            .cell = calloc(c->nr_files, sizeof(*item.cell))};
		const struct found *f = first;

		if (!item.cell)
			return -ENOMEM;
		for (; f < m->found + m->nr_found && strcmp(f->key, first->key) == 0; f++)
			item.cell[f->file] = compare_cell_of(
			    m->table[f->file], json_array_get(m->table[f->file]->rows, f->row), item.value);
		r = add_item(c, &item);
		if (r < 0)
			free(item.cell);
	}
	return r;
}

static int add_row(struct match *m, const struct found *first)
{
	struct comparison *c = m->c;
	char *words = row_words(m, json_array_get(m->table[first->file]->rows, first->row));

	if (words && c->nr_rows == c->room_rows) {
		const size_t room = c->room_rows ? 2 * c->room_rows : 64;
		char **more = reallocarray(c->row, room, sizeof(*more));

		if (more) {
			c->row = more;
			c->room_rows = room;
		}
	}
	if (!words || c->nr_rows == c->room_rows) {
		free(words);
		return -ENOMEM;
	}
	c->row[c->nr_rows++] = words;
	return add_values(m, first);
}

/* -EINVAL, logged: a file has two rows with the same key. */
static int check_double(const struct match *m)
{
	for (size_t i = 1; i < m->nr_found; i++) {
		const struct found *a = &m->found[i - 1], *b = &m->found[i];
		char *words;

		if (a->file != b->file || strcmp(a->key, b->key) != 0)
			continue;
		words = row_words(m, json_array_get(m->table[a->file]->rows, a->row));
		log_error("%s: rows %zu and %zu of table %s cannot be told apart: both are '%.200s'",
		          m->c->file[a->file]->name, a->row + 1, b->row + 1, m->table[0]->name, words ? words : "");
		free(words);
		return -EINVAL;
	}
	return 0;
}

/* Groups the rows by their keys. */
static int add_rows(struct match *m)
{
	const struct found **first = calloc(m->nr_found + 1, sizeof(const struct found *));
	size_t nr = 0;
	int r = first ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < m->nr_found; i++) {
		if (i == 0 || strcmp(m->found[i].key, m->found[i - 1].key) != 0)
			first[nr++] = &m->found[i];
		else if (first[nr - 1]->file == 0)
			m->c->common[m->found[i].file]++;
	}
	if (r == 0)
		qsort(first, nr, sizeof(*first), by_place);
	for (size_t i = 0; r == 0 && i < nr; i++)
		r = add_row(m, first[i]);
	free(first);
	return r;
}

static int match_table(struct comparison *c, const struct compare_table *base)
{
	struct match m = {.c = c, .table = {base}};
	int r;

	for (size_t f = 1; f < c->nr_files; f++)
		m.table[f] = compare_find_table(c->file[f], base->name);
	r = find_columns(&m);
	if (r == 0)
		r = find_rows(&m);
	if (r == 0) {
		qsort(m.found, m.nr_found, sizeof(*m.found), by_key);
		r = check_double(&m);
	}
	if (r == 0)
		r = add_rows(&m);
	for (size_t i = 0; i < m.nr_found; i++)
		free(m.found[i].key);
	free(m.found);
	free(m.key);
	free(m.value);
	return r;
}

int compare_match(struct comparison *c)
{
	int r = 0;

	for (size_t t = 0; r == 0 && t < c->file[0]->nr_tables; t++)
		r = match_table(c, &c->file[0]->table[t]);
	if (r == -ENOMEM)
		log_errno(ENOMEM, "the comparison");
	for (size_t f = 1; r == 0 && f < c->nr_files; f++) {
		if (c->common[f])
			continue;
		log_error("%s has no row in common with %s: other workloads or sizes were measured", c->file[f]->name,
		          c->file[0]->name);
		r = -EINVAL;
	}
	return r;
}
