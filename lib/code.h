/* The code of Match=yes: three digits that stand on the requester's terminal and that whoever approves must have been told.  It
 * opens nothing by itself, a thousand guesses find it: it makes two people talk before one of them says yes. */
#pragma once
#include <stdbool.h>

#define CODE_LEN 3 /* "417", "007" */
typedef char jit_code[CODE_LEN + 1];

/* A new code from getrandom(2), each as likely as any other.  0 or -errno with CODE untouched. */
int code_new(jit_code code);
/* Exactly three ASCII digits? */
bool code_valid(const char *text);
/* As a person types it, with blanks around it.  0, or -EINVAL with CODE untouched. */
int code_parse(const char *text, jit_code code);
/* False unless both are codes; takes the same time wherever they differ. */
bool code_equal(const char *a, const char *b);
