/* Tables: see screen.h. */
#include "config.h"
#include <string.h>
#include "cli/screen.h"
#include "lib/cleanup.h"
#include "lib/text.h"

#define GAP 2
#define FLEXIBLE_MIN 12

void table_row(struct table *t)
{
	if (t->rows == t->room) {
		size_t room = t->room ? 2 * t->room : 16;
		struct cell *grown = reallocarray(t->cell, room * t->columns, sizeof(*grown));

		if (!grown) {
			t->failed = true;
			return;
		}
		t->cell = grown;
		t->room = room;
	}
	memset(&t->cell[t->rows * t->columns], 0, t->columns * sizeof(*t->cell));
	t->rows++;
}

void table_set(struct table *t, size_t column, enum style s, const char *text)
{
	struct cell *c;

	if (t->failed || t->rows == 0 || column >= t->columns)
		return;
	c = &t->cell[(t->rows - 1) * t->columns + column];
	free(c->text);
	c->text = strdup(text ? text : "");
	c->style = s;
	t->failed = !c->text;
}

static const char *cell_text(const struct table *t, size_t row, size_t column)
{
	const char *text = t->cell[row * t->columns + column].text;

	return text ? text : "";
}

static void natural_widths(const struct table *t, size_t *width)
{
	for (size_t i = 0; i < t->columns; i++) {
		bool empty = true;

		width[i] = strlen(t->column[i].title);
		for (size_t r = 0; r < t->rows; r++) {
			size_t w = text_columns(cell_text(t, r, i));

			empty = empty && w == 0;
			width[i] = w > width[i] ? w : width[i];
		}
		if (empty)
			width[i] = 0; /* a column with nothing in it is left out */
	}
}

static size_t total(const struct table *t, const size_t *width)
{
	size_t sum = 0;

	for (size_t i = 0; i < t->columns; i++)
		sum += width[i] ? width[i] + (sum ? GAP : 0) : 0;
	return sum;
}

/* Takes what is too much from the flexible columns, the widest first. */
static void squeeze(const struct table *t, size_t *width, size_t room)
{
	while (total(t, width) > room) {
		size_t widest = t->columns, over = total(t, width) - room, take;

		for (size_t i = 0; i < t->columns; i++)
			if (t->column[i].flexible && width[i] > FLEXIBLE_MIN &&
				(widest == t->columns || width[i] > width[widest]))
				widest = i;
		if (widest == t->columns)
			return;
		take = width[widest] - FLEXIBLE_MIN;
		/* Halving keeps two long columns in balance. */
		take = take > 16 ? take / 2 : take;
		width[widest] -= take < over ? take : over;
	}
}

static void fit(const struct table *t, size_t *width, size_t room)
{
	size_t natural[TABLE_COLUMNS] = {0};

	natural_widths(t, natural);
	for (;;) {
		size_t out = t->columns;

		memcpy(width, natural, sizeof(natural));
		if (room == 0)
			return;
		squeeze(t, width, room);
		if (total(t, width) <= room)
			return;
		for (size_t i = 0; i < t->columns; i++)
			if (natural[i] && t->column[i].rank > 0 &&
				(out == t->columns || t->column[i].rank > t->column[out].rank))
				out = i;
		if (out == t->columns)
			return;
		natural[out] = 0;
	}
}

static void print_cell(const char *text, enum style s, size_t width, bool last)
{
	CLEAN(free_p) char *cut = screen_cut(text, width);
	size_t used = cut ? text_columns(cut) : 0;

	printf("%s%s%s", s == PLAIN ? "" : paint(s), cut ? cut : "", s == PLAIN ? "" : paint(PLAIN));
	if (!last)
		printf("%*s", (int)(width - used + GAP), "");
}

void table_print(struct table *t)
{
	size_t width[TABLE_COLUMNS] = {0}, last = 0;

	if (t->columns > TABLE_COLUMNS || t->rows == 0)
		return;
	fit(t, width, screen_width());
	for (size_t i = 0; i < t->columns; i++)
		last = width[i] ? i : last;
	for (size_t i = 0; i < t->columns; i++)
		if (width[i])
			print_cell(t->column[i].title, DIM, width[i], i == last);
	printf("\n");
	for (size_t r = 0; r < t->rows; r++) {
		for (size_t i = 0; i < t->columns; i++)
			if (width[i])
				print_cell(cell_text(t, r, i), t->cell[r * t->columns + i].style, width[i], i == last);
		printf("\n");
	}
}

void table_done(struct table *t)
{
	for (size_t i = 0; t->cell && i < t->rows * t->columns; i++)
		free(t->cell[i].text);
	free(t->cell);
	*t = (struct table){.column = t->column, .columns = t->columns};
}
