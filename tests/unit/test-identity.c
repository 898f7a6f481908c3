/* What runs a file, and whether it is still what people approved. */
#include "tests/unit/unit.h"

#include "helper/identity.h"
#include "helper/shebang.h"

static void shebangs(void **state)
{
	static char long_line[300] = "#!/usr/bin/x ", cut[300] = "#!/", spaces[300] = "#!";
	const struct {
		const char *head;
		size_t len; /* 0: as long as the text */
		const char *interpreter, *argument;
		bool shell;
	} rows[] = {
		{ "#!/bin/sh\nid\n", 0, "/bin/sh", "", false },
		{ "#! \t/bin/sh  -e  -u \t\nid", 0, "/bin/sh", "-e  -u", false },
		{ "#!/bin/sh", 0, "/bin/sh", "", false },
		{ "#!/bin/sh\t-e", 0, "/bin/sh", "-e", false },
		{ "#!/bin/sh\r\n", 0, "/bin/sh\r", "", false },
		{ "#!bin/sh\n", 0, "bin/sh", "", false },
		{ "#!/bin/sh\0-x\nid", 15, "/bin/sh", "", false },
		{ "#!\nid", 0, "", "", true },
		{ "#!  \t\n", 0, "", "", true },
		{ "#!", 0, "", "", true },
		{ "# !/bin/sh\n", 0, "", "", true },
		{ "echo\n", 0, "", "", true },
		{ "", 0, "", "", true },
		{ "\177ELF\2\1\1\0", 8, "", "", false },
		{ "MZ\0", 3, "", "", false },
		{ long_line, 299, "/usr/bin/x", NULL, false },
		{ cut, 299, "", "", true },
		{ spaces, 299, "", "", true },
	};
	struct shebang s;

	memset(long_line + 13, 'a', 299 - 13);
	memset(cut + 3, 'a', 299 - 3);
	memset(spaces + 2, ' ', 299 - 2);
	for (size_t i = 0; i < ELEMENTS(rows); i++) {
		shebang_parse(rows[i].head, rows[i].len ? rows[i].len : strlen(rows[i].head), &s);
		check_case(!strcmp(s.interpreter, rows[i].interpreter), "row %zu: %s", i, s.interpreter);
		check_case(!rows[i].argument || !strcmp(s.argument, rows[i].argument), "row %zu: %s", i, s.argument);
		check_case(s.shell == rows[i].shell, "row %zu", i);
	}
}

static void env_lines(void **state)
{
	static const struct {
		const char *argument, *name; /* NULL: cannot be told */
	} rows[] = {
		{ "python3", "python3" }, { "perl5.36", "perl5.36" }, { "-S python3 -u", "python3" }, { "-Spython3", "python3" },
		{ "-S\t python3\t-u", "python3" }, { "", NULL }, { "-S", NULL }, { "-S ", NULL }, { "python3 -u", NULL },
		{ "-i python3", NULL }, { "-S -i python3", NULL }, { "-S PATH=/tmp python3", NULL }, { "A=b", NULL },
		{ "-S \"python3\"", NULL }, { "-S ${X}", NULL }, { "./x", NULL }, { "-vS python3", NULL }, { "-", NULL },
		{ "python3\\", NULL }, { "-S python3\"x\"", NULL },
	};
	char name[SHEBANG_HEAD];

	for (size_t i = 0; i < ELEMENTS(rows); i++) {
		bool told = shebang_env(rows[i].argument, name);

		check_case(told == (rows[i].name != NULL), "%s", rows[i].argument);
		check_case(!told || !strcmp(name, rows[i].name), "%s: %s", rows[i].argument, name);
	}
}

#define ALICE 1000

/* One letter of a digest stands for all of it; "-": none, "x": nothing known of the file. */
struct row_file {
	const char *path, *sha;
	uint64_t ino, ctime;
	uint32_t uid, mode;
	int error;
};

static char names[2][IDENTITY_FILES][64];

static struct identity make(unsigned side, const struct row_file *rows)
{
	struct identity id = { 0 };

	for (; id.n < 3 && rows[id.n].path; id.n++) {
		const struct row_file *r = &rows[id.n];
		struct identity_file *f = &id.file[id.n];

		snprintf(names[side][id.n], sizeof(names[0][0]), "%s", r->path);
		f->path = names[side][id.n];
		f->error = r->error;
		f->known = r->sha[0] != 'x';
		if (r->sha[0] != '-' && f->known)
			memset(f->sha256, r->sha[0], SHA256_HEX);
		f->dev = 8;
		f->ino = r->ino;
		f->size = 100;
		f->ctime = f->mtime = r->ctime;
		f->uid = r->uid;
		f->mode = r->mode;
	}
	return id;
}

static void compared(void **state)
{
	static const struct {
		const char *name;
		struct row_file then[3], now[3];
		enum identity_verdict verdict;
		unsigned file;
		const char *words; /* of them */
		bool same;         /* as identity_same() has it */
	} rows[] = {
		{ "untouched", { { "/a", "1", 5, 7, 0, 0755, 0 } }, { { "/a", "1", 5, 7, 0, 0755, 0 } }, IDENTITY_SAME, 0, NULL, true },
		{ "touched", { { "/a", "1", 5, 7, ALICE, 0755, 0 } }, { { "/a", "1", 5, 8, ALICE, 0755, 0 } }, IDENTITY_SAME, 0, NULL, true },
		{ "written", { { "/a", "1", 5, 7, 0, 0755, 0 } }, { { "/a", "2", 5, 8, 0, 0755, 0 } }, IDENTITY_CHANGED, 0,
			"SHA-256 was 1111111111111111..., now it is 2222222222222222...", false },
		{ "swapped", { { "/a", "1", 5, 7, 0, 0755, 0 } }, { { "/a", "2", 6, 8, 0, 0755, 0 } }, IDENTITY_CHANGED, 0, "/a was", false },
		{ "reinstalled", { { "/a", "1", 5, 7, 0, 0755, 0 } }, { { "/a", "1", 6, 8, 0, 0755, 0 } }, IDENTITY_REPLACED, 0,
			"same bytes", true },
		{ "own copy", { { "/a", "1", 5, 7, 0, 0755, 0 } }, { { "/a", "1", 6, 8, ALICE, 0755, 0 } }, IDENTITY_CHANGED, 0,
			"can be written", true },
		{ "anybody's copy", { { "/a", "1", 5, 7, 0, 0755, 0 } }, { { "/a", "1", 6, 8, 0, 0757, 0 } }, IDENTITY_CHANGED, 0,
			"can be written", true },
		{ "group's copy", { { "/a", "1", 5, 7, 0, 0755, 0 } }, { { "/a", "1", 6, 8, 0, 0775, 0 } }, IDENTITY_CHANGED, 0,
			"can be written", true },
		{ "gone", { { "/a", "1", 5, 7, 0, 0755, 0 } }, { { "/a", "x", 0, 0, 0, 0, -ENOENT } }, IDENTITY_CHANGED, 0,
			"No such file", false },
		{ "grown too large", { { "/a", "1", 5, 7, 0, 0755, 0 } }, { { "/a", "-", 5, 8, 0, 0755, -EFBIG } }, IDENTITY_CHANGED, 0,
			"too large", false },
		{ "cannot be read", { { "/a", "1", 5, 7, 0, 0755, 0 } }, { { "/a", "-", 5, 7, 0, 0755, -EIO } }, IDENTITY_UNKNOWN, 0,
			"cannot be read now", false },
		{ "not in time", { { "/a", "1", 5, 7, 0, 0755, 0 } }, { { "/a", "-", 5, 7, 0, 0755, -ETIME } }, IDENTITY_UNKNOWN, 0,
			"cannot be read now", false },
		{ "large, untouched", { { "/a", "-", 5, 7, 0, 0755, -EFBIG } }, { { "/a", "-", 5, 7, 0, 0755, -EFBIG } }, IDENTITY_SAME,
			0, NULL, true },
		{ "large, untouched, now in time", { { "/a", "-", 5, 7, 0, 0755, -ETIME } }, { { "/a", "3", 5, 7, 0, 0755, 0 } },
			IDENTITY_SAME, 0, NULL, false },
		{ "large, touched", { { "/a", "-", 5, 7, 0, 0755, -EFBIG } }, { { "/a", "-", 5, 8, 0, 0755, -EFBIG } }, IDENTITY_CHANGED,
			0, "times", false },
		{ "large, swapped", { { "/a", "-", 5, 7, 0, 0755, -EFBIG } }, { { "/a", "-", 6, 7, 0, 0755, -EFBIG } }, IDENTITY_CHANGED,
			0, "inode", false },
		{ "never known", { { "/a", "x", 0, 0, 0, 0, -EACCES } }, { { "/a", "x", 0, 0, 0, 0, -EACCES } }, IDENTITY_SAME, 0, NULL,
			true },
		{ "known only now", { { "/a", "x", 0, 0, 0, 0, -EACCES } }, { { "/a", "1", 5, 7, 0, 0755, 0 } }, IDENTITY_CHANGED, 0,
			"could not be read when", false },
		{ "nothing was read", { { 0 } }, { { "/a", "1", 5, 7, 0, 0755, 0 } }, IDENTITY_CHANGED, 0, "could not be read when", false },
		{ "nothing, still", { { 0 } }, { { 0 } }, IDENTITY_SAME, 0, NULL, true },
		{ "nothing is read now", { { "/a", "1", 5, 7, 0, 0755, 0 } }, { { 0 } }, IDENTITY_UNKNOWN, 0, "could not be read", false },
		{ "script", { { "/a", "1", 5, 7, 0, 0755, 0 }, { "/sh", "2", 6, 7, 0, 0755, 0 } },
			{ { "/a", "1", 5, 7, 0, 0755, 0 }, { "/sh", "2", 6, 7, 0, 0755, 0 } }, IDENTITY_SAME, 0, NULL, true },
		{ "interpreter", { { "/a", "1", 5, 7, 0, 0755, 0 }, { "/sh", "2", 6, 7, 0, 0755, 0 } },
			{ { "/a", "1", 5, 7, 0, 0755, 0 }, { "/sh", "3", 6, 7, 0, 0755, 0 } }, IDENTITY_CHANGED, 1, "/sh was changed", false },
		{ "another interpreter", { { "/a", "1", 5, 7, 0, 0755, 0 }, { "/sh", "2", 6, 7, 0, 0755, 0 } },
			{ { "/a", "1", 5, 7, 0, 0755, 0 }, { "/zsh", "2", 6, 7, 0, 0755, 0 } }, IDENTITY_CHANGED, 1,
			"/zsh runs it instead of /sh", false },
		{ "one more", { { "/a", "1", 5, 7, 0, 0755, 0 } }, { { "/a", "1", 5, 7, 0, 0755, 0 }, { "/sh", "2", 6, 7, 0, 0755, 0 } },
			IDENTITY_CHANGED, 1, "/sh runs it now", false },
		{ "one less", { { "/a", "1", 5, 7, 0, 0755, 0 }, { "/sh", "2", 6, 7, 0, 0755, 0 } }, { { "/a", "1", 5, 7, 0, 0755, 0 } },
			IDENTITY_CHANGED, 1, "/sh does not run it", false },
		{ "reinstalled, and another changed", { { "/a", "1", 5, 7, 0, 0755, 0 }, { "/sh", "2", 6, 7, 0, 0755, 0 } },
			{ { "/a", "1", 9, 7, 0, 0755, 0 }, { "/sh", "3", 6, 7, 0, 0755, 0 } }, IDENTITY_CHANGED, 1, "/sh was changed", false },
		{ "interpreter reinstalled", { { "/a", "1", 5, 7, 0, 0755, 0 }, { "/sh", "2", 6, 7, 0, 0755, 0 } },
			{ { "/a", "1", 5, 7, 0, 0755, 0 }, { "/sh", "2", 9, 7, 0, 0755, 0 } }, IDENTITY_REPLACED, 1, "/sh was replaced", true },
	};

	for (size_t i = 0; i < ELEMENTS(rows); i++) {
		struct identity then = make(0, rows[i].then), now = make(1, rows[i].now);
		unsigned file = 0;
		struct why w = { "" };

		check_case(identity_compare(&then, &now, ALICE, &file, &w) == rows[i].verdict, "%s: %s", rows[i].name, w.text);
		check_case(file == rows[i].file, "%s: file %u", rows[i].name, file);
		check_case(rows[i].words ? strstr(w.text, rows[i].words) != NULL : !w.text[0], "%s: %s", rows[i].name, w.text);
		check_case(identity_same(&then, &now) == rows[i].same, "%s", rows[i].name);
	}
}

/* env may look its program up elsewhere than before. */
static void untold(void **state)
{
	static const struct row_file rows[3] = { { "/a", "1", 5, 7, 0, 0755, 0 } };
	struct identity then = make(0, rows), now = make(1, rows);
	unsigned file = 9;
	struct why w = { "" };

	then.untold = true;
	assert_int_equal(identity_compare(&then, &now, ALICE, &file, &w), IDENTITY_CHANGED);
	assert_int_equal(file, 0);
	assert_false(identity_same(&then, &now));
	now.untold = true;
	assert_int_equal(identity_compare(&then, &now, ALICE, &file, &w), IDENTITY_SAME);
}

static void written_and_read(void **state)
{
	static const struct row_file rows[3] = { { "/a\xff", "1", 5, UINT64_C(1800000000123456789), ALICE, 0755, 0 },
		{ "/b", "-", 6, 7, 0, 04755, -EFBIG }, { "/c", "x", 0, 0, 0, 0, -EACCES } };
	struct identity id = make(0, rows), again = { 0 };
	CLEAN(json_put_p) struct json_object *o = NULL;

	id.untold = true;
	o = identity_json(&id);
	assert_non_null(o);
	assert_int_equal(identity_parse(o, &again), 0);
	assert_int_equal(again.n, 3);
	assert_true(again.untold);
	for (unsigned i = 0; i < 3; i++) {
		struct identity_file *a = &id.file[i], *b = &again.file[i];

		assert_string_equal(a->path, b->path);
		assert_string_equal(a->sha256, b->sha256);
		assert_int_equal(a->error, b->error);
		assert_int_equal(a->known, b->known);
		if (a->known) {
			assert_true(a->dev == b->dev && a->ino == b->ino && a->size == b->size && a->mtime == b->mtime);
			assert_true(a->ctime == b->ctime && a->mode == b->mode && a->uid == b->uid);
		}
	}
	identity_done(&again);
	assert_int_equal(again.n, 0);
}

static void not_read(void **state)
{
#define SHA "1111111111111111111111111111111111111111111111111111111111111111"
	static const char *const bad[] = {
		"{}", "{\"files\":{}}", "{\"files\":[1]}", "{\"files\":[{}]}", "{\"files\":[{\"path\":\"/a\"}]}",
		"{\"files\":[{\"path\":\"\",\"errno\":2}]}", "{\"files\":[{\"path\":7,\"errno\":2}]}",
		"{\"files\":[{\"path\":\"/a\",\"sha256\":\"11\"}]}", "{\"files\":[{\"path\":\"/a\",\"sha256\":\"X" SHA "\"}]}",
		"{\"files\":[{\"path\":\"/a\",\"errno\":5000}]}", "{\"files\":[{\"path\":\"/a\",\"errno\":\"2\"}]}",
		"{\"files\":[{\"path\":\"/a\",\"sha256\":\"" SHA "\",\"dev\":1}]}",
		"{\"files\":[{\"path\":\"/a\",\"errno\":2},{\"path\":\"/a\",\"errno\":2},{\"path\":\"/a\",\"errno\":2},"
			"{\"path\":\"/a\",\"errno\":2},{\"path\":\"/a\",\"errno\":2},{\"path\":\"/a\",\"errno\":2},"
			"{\"path\":\"/a\",\"errno\":2},{\"path\":\"/a\",\"errno\":2},{\"path\":\"/a\",\"errno\":2}]}",
	};
	struct identity id = { 0 };

	for (size_t i = 0; i < ELEMENTS(bad); i++) {
		CLEAN(json_put_p) struct json_object *o = NULL;

		check_case(json_parse(bad[i], strlen(bad[i]), &o, NULL) == 0, "%s", bad[i]);
		check_case(identity_parse(o, &id) == -EINVAL, "%s", bad[i]);
		assert_int_equal(id.n, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shebangs), cmocka_unit_test(env_lines), cmocka_unit_test(compared), cmocka_unit_test(untold),
		cmocka_unit_test(written_and_read), cmocka_unit_test(not_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
