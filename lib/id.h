/* Request ids: 40 random bits in Crockford's base 32, shown as K7QF-2M9X.  A grant bears the id of its request. */
#pragma once
#include <stdbool.h>

#define ID_LEN 9      /* "K7QF-2M9X" */
#define ID_UNIT_LEN 8 /* "K7QF2M9X": in unit names the id stands without its dash, which would nest slices */

typedef char jit_id[ID_LEN + 1];

/* A new id from getrandom(2).  0 or -errno. */
int id_new(jit_id id);
/* Reads an id as a person types it: any case, dash optional, O for 0, I and L for 1.  0, or -EINVAL with ID untouched. */
int id_parse(const char *text, jit_id id);
/* True only for the exact canonical form. */
bool id_valid(const char *text);
void id_unit(const jit_id id, char unit[static ID_UNIT_LEN + 1]);
