/* How configuration files are read: text in, what the reader says of it out. */
#include "tests/unit/site.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lib/cleanup.h"
#include "lib/conf.h"

static char told[65536]; /* what the handler was told, one line each */

static void tell(const struct conf_line *l, struct conf_errors *e, void *userdata)
{
	size_t len = strlen(told);

	assert_ptr_equal(userdata, told);
	if (!l->key)
		snprintf(told + len, sizeof(told) - len, "%u:[%s%s%s]#%u\n", l->line, l->section, l->name ? "|" : "",
			l->name ? l->name : "", l->section_no);
	else
		snprintf(told + len, sizeof(told) - len, "%u:%s=%s\n", l->line, l->key, l->value);
}

struct reading {
	const char *what, *text, *told;
	const char *mistakes; /* one line each, in order */
};

static const struct reading readings[] = {
	{ "nothing", "", "", "" },
	{ "an empty section", "[A]\n", "1:[A]#1\n", "" },
	{ "a plain assignment", "[A]\nKey=value\n", "1:[A]#1\n2:Key=value\n", "" },
	{ "no newline at the end", "[A]\nKey=value", "1:[A]#1\n2:Key=value\n", "" },
	{ "blanks around everything", " \t[ A ] \n \tKey \t= value of\tit \n", "1:[A]#1\n2:Key=value of\tit\n", "" },
	{ "an empty value", "[A]\nKey=\n", "1:[A]#1\n2:Key=\n", "" },
	{ "'=' in the value", "[A]\nKey=a=b\n", "1:[A]#1\n2:Key=a=b\n", "" },
	{ "comments, at the beginning of a line only", "# x\n;y\n[A]\n  # z\nKey=a # b ; c\n", "3:[A]#1\n5:Key=a # b ; c\n", "" },
	{ "a name", "[Rule one]\n[Rule\ttwo ]\n", "1:[Rule|one]#1\n2:[Rule|two]#2\n", "" },
	{ "a name of two words is the handler's to refuse", "[Rule one two]\n", "1:[Rule|one two]#1\n", "" },
	{ "a backslash continues, the joint is a blank", "[A]\nKey=a\\\nb \\\n  c\nNext=d\n",
		"1:[A]#1\n2:Key=a b    c\n5:Next=d\n", "" },
	{ "comments between continued lines", "[A]\nKey=a \\\n# no\n; nor this\\\nb\n", "1:[A]#1\n2:Key=a  b\n", "" },
	{ "two backslashes are one that is kept", "[A]\nKey=a\\\\\nNext=b\n", "1:[A]#1\n2:Key=a\\\\\n3:Next=b\n", "" },
	{ "a backslash within is the handler's", "[A]\nKey=a\\ b\\*\n", "1:[A]#1\n2:Key=a\\ b\\*\n", "" },
	{ "UTF-8 is fine", "[A]\nKey=gr\xc3\xbc\xc3\x9f\n", "1:[A]#1\n2:Key=gr\xc3\xbc\xc3\x9f\n", "" },

	{ "an assignment before any section", "Key=value\n", "",
		"f:1: an assignment before the first [Section]\n" },
	{ "no '='", "[A]\njust words\n", "1:[A]#1\n", "f:2: neither [Section] nor Key=value nor a comment ('#')\n" },
	{ "no key", "[A]\n=x\n", "1:[A]#1\n", "f:2: what stands before '=' is not a key: one word of letters and digits\n" },
	{ "two keys", "[A]\nA B=x\n", "1:[A]#1\n", "f:2: what stands before '=' is not a key: one word of letters and digits\n" },
	{ "what stands below a broken header belongs nowhere", "[A]\n[B\nKey=1\n[C]\nKey=2\n", "1:[A]#1\n4:[C]#2\n5:Key=2\n",
		"f:2: a section begins with [Section] or [Section name] on a line of its own\n" },
	{ "words behind a header", "[A] x\n[B]]\n[]\n[ ]\n", "",
		"f:1: a section begins with [Section] or [Section name] on a line of its own\n"
		"f:2: a section begins with [Section] or [Section name] on a line of its own\n"
		"f:3: a section begins with [Section] or [Section name], Section being one word of letters\n"
		"f:4: a section begins with [Section] or [Section name], Section being one word of letters\n" },
	{ "an open bracket", "[", "", "f:1: a section begins with [Section] or [Section name] on a line of its own\n" },
	{ "blanks behind the last backslash", "[A]\nKey=a \\ \nNext=b\n", "1:[A]#1\n3:Next=b\n",
		"f:2: blanks follow the last backslash: remove them if the line is to go on, or the backslash\n" },
	{ "a file that ends in a continued line", "[A]\nKey=a\\", "1:[A]#1\n",
		"f:2: the file ends in the middle of a line that a backslash continues\n" },
	{ "DOS lines", "[A]\r\nKey=a\r\n", "",
		"f:1: the line ends in a carriage return: convert the file to Unix lines (sed -i 's/\\r$//')\n"
		"f:2: the line ends in a carriage return: convert the file to Unix lines (sed -i 's/\\r$//')\n" },
	{ "a control byte", "[A]\nKey=a\x1b[2J\nNext=b\n", "1:[A]#1\n3:Next=b\n",
		"f:2: a control byte: a configuration file is plain text\n" },
	{ "one in a comment, which a terminal would act on", "[A]\n# \x1b[2J\nKey=a\n", "1:[A]#1\n3:Key=a\n",
		"f:2: a control byte: a configuration file is plain text\n" },
	{ "one in a continued line takes all of that line", "[A]\nKey=a\\\n\x01\\\nb\nNext=c\n", "1:[A]#1\n5:Next=c\n",
		"f:3: a control byte: a configuration file is plain text\n" },
	{ "Latin-1", "[A]\nKey=gr\xfc\xdf\n", "1:[A]#1\n", "f:2: not valid UTF-8\n" },
	{ "every mistake is told, not only the first", "x\n[A]\ny\nKey=1\nz\n", "2:[A]#1\n4:Key=1\n",
		"f:1: neither [Section] nor Key=value nor a comment ('#')\n"
		"f:3: neither [Section] nor Key=value nor a comment ('#')\n"
		"f:5: neither [Section] nor Key=value nor a comment ('#')\n" },
};

static void expect_mistakes(const char *what, const struct conf_errors *e, const char *wanted)
{
	char got[65536] = "";

	for (size_t i = 0; i < e->n; i++) {
		size_t len = strlen(got);

		snprintf(got + len, sizeof(got) - len, "%s\n", site_error(e, i));
	}
	if (strcmp(got, wanted) != 0)
		fail_msg("%s:\n--- wanted\n%s--- got\n%s", what, wanted, got);
	assert_false(e->out_of_memory);
}

static void parses(void **state)
{
	for (size_t i = 0; i < ELEMENTS(readings); i++) {
		const struct reading *x = &readings[i];
		CLEAN(conf_errors_done) struct conf_errors e = { 0 };
		struct conf_reading r = { .handler = tell, .userdata = told };

		told[0] = '\0';
		conf_parse(&r, x->text, strlen(x->text), "f", &e);
		if (strcmp(told, x->told) != 0)
			fail_msg("%s:\n--- wanted\n%s--- got\n%s", x->what, x->told, told);
		expect_mistakes(x->what, &e, x->mistakes);
	}
}

static void nul_byte(void **state)
{
	static const char text[] = "[A]\nKey=a\0b\nNext=c\n";
	CLEAN(conf_errors_done) struct conf_errors e = { 0 };
	struct conf_reading r = { .handler = tell, .userdata = told };

	told[0] = '\0';
	conf_parse(&r, text, sizeof(text) - 1, "f", &e);
	assert_string_equal(told, "1:[A]#1\n3:Next=c\n");
	expect_mistakes("NUL", &e, "f:2: a control byte: a configuration file is plain text\n");
}

/* A line of CONF_LINE_MAX bytes is read, one byte more is not; continued or not. */
static void long_lines(void **state)
{
	for (int more = 0; more < 2; more++)
		for (int joined = 0; joined < 2; joined++) {
			CLEAN(conf_errors_done) struct conf_errors e = { 0 };
			CLEAN(free_p) char *text = NULL, *filler = malloc(CONF_LINE_MAX + 2);
			struct conf_reading r = { .handler = tell, .userdata = told };
			size_t n = (size_t)(CONF_LINE_MAX - 4 - 2 * joined + more);

			memset(filler, 'x', n);
			filler[n] = '\0';
			assert_true(asprintf(&text, "[A]\nKey=%s%s\nNext=1\n", joined ? "y\\\n" : "", filler) > 0);
			told[0] = '\0';
			conf_parse(&r, text, strlen(text), "f", &e);
			assert_int_equal(e.n, more);
			if (more)
				assert_string_equal(e.list[0], "f:2: longer than 8192 bytes");
			assert_int_equal(strstr(told, "Key=") != NULL, !more);
			assert_non_null(strstr(told, "Next=1"));
		}
}

/* So much is wrong that nobody reads all of it. */
static void mistakes_are_bounded(void **state)
{
	CLEAN(conf_errors_done) struct conf_errors e = { 0 };
	CLEAN(free_p) char *text = malloc(20000);
	struct conf_reading r = { .handler = tell, .userdata = told };

	for (size_t i = 0; i < 10000; i++)
		memcpy(text + 2 * i, "x\n", 2);
	conf_parse(&r, text, 20000, "f", &e);
	assert_int_equal(e.n, CONF_ERRORS_MAX);
	assert_string_equal(e.list[CONF_ERRORS_MAX - 1], "there are more mistakes than are shown here: mend these first");
}

static void read_site(const char *dir, uid_t owner, struct conf_errors *e)
{
	struct conf_reading r = { .handler = tell, .userdata = told, .owner = owner };

	told[0] = '\0';
	conf_read_dir(&r, site_path(dir), e);
}

/* strcmp order of names, only *.conf, sections counted through. */
static void folders(void **state)
{
	CLEAN(conf_errors_done) struct conf_errors e = { 0 };

	site_begin();
	site_write("d/20-b.conf", "[B]\n");
	site_write("d/10-a.conf", "[A]\n");
	site_write("d/B.conf", "[Upper]\n");
	site_write("d/README", "not read\n");
	site_write("d/.hidden.conf", "not read\n");
	site_write("d/x.conf.bak", "not read\n");
	site_write("d/.conf", "not read\n");
	read_site("d", getuid(), &e);
	expect_mistakes("folder", &e, "");
	assert_string_equal(told, "1:[A]#1\n1:[B]#2\n1:[Upper]#3\n");
	read_site("no-such-folder", getuid(), &e);
	expect_mistakes("missing folder", &e, "");
	site_end();
}

static void expect_refused(const char *dir, const char *words)
{
	CLEAN(conf_errors_done) struct conf_errors e = { 0 };

	read_site(dir, getuid(), &e);
	assert_string_equal(told, "");
	assert_int_equal(e.n, 1);
	if (!strstr(e.list[0], words))
		fail_msg("wanted '%s', got '%s'", words, e.list[0]);
}

/* What is root's is always trusted, so root gives the file away to see it refused. */
static void somebody_elses(const char *path)
{
	CLEAN(conf_errors_done) struct conf_errors e = { 0 };
	bool root = getuid() == 0;

	if (root)
		assert_int_equal(chown(path, 12345, (gid_t)-1), 0);
	read_site("d", root ? 0 : getuid() + 1, &e);
	assert_string_equal(told, "");
	assert_int_equal(e.n, 1);
	read_site("d", (uid_t)-1, &e); /* nobody asks whose */
	assert_string_equal(told, "1:[A]#1\n");
	assert_int_equal(e.n, 1);
	if (!root)
		return;
	assert_int_equal(chown(site_path("d"), 12345, (gid_t)-1), 0);
	expect_refused("d", "d: belongs to uid 12345: chown root ");
	assert_int_equal(chown(site_path("d"), 0, (gid_t)-1), 0);
}

static void untrusted_files(void **state)
{
	char path[512];

	site_begin();
	site_write("d/a.conf", "[A]\n");
	strcpy(path, site_path("d/a.conf"));
	assert_int_equal(chmod(path, 0664), 0);
	expect_refused("d", "d/a.conf: ");
	assert_int_equal(chmod(path, 0646), 0);
	expect_refused("d", "chmod go-w");
	assert_int_equal(chmod(path, 0644), 0);
	assert_int_equal(chmod(site_path("d"), 0775), 0);
	expect_refused("d", "d: others may write it (mode 0775): chmod go-w ");
	assert_int_equal(chmod(site_path("d"), 0755), 0);
	somebody_elses(path);
	site_write("d/a.conf", NULL);

	assert_int_equal(symlink("/dev/null", path), 0);
	expect_refused("d", "d/a.conf: ");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkdir(path, 0755), 0);
	expect_refused("d", "d/a.conf: ");
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(mkfifo(path, 0644), 0);
	expect_refused("d", "d/a.conf: ");
	assert_int_equal(unlink(path), 0);
	site_end();
}

static void files(void **state)
{
	CLEAN(conf_errors_done) struct conf_errors e = { 0 };
	struct conf_reading r = { .handler = tell, .userdata = told, .owner = getuid() };
	CLEAN(free_p) char *big = malloc(CONF_FILE_MAX + 1);

	site_begin();
	told[0] = '\0';
	conf_read_file(&r, site_path("none.conf"), false, &e);
	expect_mistakes("missing", &e, "");
	conf_read_file(&r, site_path("none.conf"), true, &e);
	assert_int_equal(e.n, 1);
	assert_non_null(strstr(e.list[0], "none.conf: "));
	memset(big, '\n', CONF_FILE_MAX + 1);
	site_write_bytes("big.conf", big, CONF_FILE_MAX + 1);
	conf_read_file(&r, site_path("big.conf"), true, &e);
	assert_int_equal(e.n, 2);
	assert_string_equal(site_error(&e, 1), "big.conf: larger than 1048576 bytes");
	site_write_bytes("big.conf", big, CONF_FILE_MAX);
	conf_read_file(&r, site_path("big.conf"), true, &e);
	assert_int_equal(e.n, 2);
	assert_string_equal(told, "");
	site_end();
}

static void witness(const char *path, const char *bytes, size_t len, void *userdata)
{
	size_t at = strlen(userdata);

	snprintf((char *)userdata + at, 4096 - at, "%s %zu %s|", strrchr(path, '/'), len, bytes);
}

/* The witness sees the very bytes, before anything is made of them. */
static void witnessed(void **state)
{
	CLEAN(conf_errors_done) struct conf_errors e = { 0 };
	char seen[4096] = "";
	struct conf_reading r = {
		.handler = tell, .userdata = told, .owner = getuid(), .witness = witness, .witness_data = seen,
	};

	site_begin();
	site_write("d/a.conf", "[A]\n");
	site_write("d/b.conf", "bad\n");
	conf_read_dir(&r, site_path("d"), &e);
	assert_string_equal(seen, "/a.conf 4 [A]\n|/b.conf 4 bad\n|");
	site_end();
}

static void lists(void **state)
{
	char **list = NULL;
	char many[CONF_WORDS_MAX * 2 + 1];

	assert_int_equal(conf_list_len(NULL), 0);
	assert_false(conf_list_has(NULL, "a"));
	assert_int_equal(conf_list_split(&list, "  "), 0);
	assert_null(list);
	assert_int_equal(conf_list_split(&list, " a\tbb "), 0);
	assert_int_equal(conf_list_add(&list, "ccc", 2), 0);
	assert_int_equal(conf_list_len(list), 3);
	assert_string_equal(list[2], "cc");
	assert_true(conf_list_has(list, "bb"));
	assert_false(conf_list_has(list, "b"));
	for (size_t i = 0; i < CONF_WORDS_MAX; i++)
		memcpy(many + 2 * i, "x ", 3);
	assert_int_equal(conf_list_split(&list, many), -E2BIG);
	assert_int_equal(conf_list_len(list), 3);
	list = conf_list_free(list);
	assert_int_equal(conf_list_split(&list, many), 0);
	assert_int_equal(conf_list_len(list), CONF_WORDS_MAX);
	list = conf_list_free(list);
	assert_null(list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parses),
		cmocka_unit_test(nul_byte),
		cmocka_unit_test(long_lines),
		cmocka_unit_test(mistakes_are_bounded),
		cmocka_unit_test(folders),
		cmocka_unit_test(untrusted_files),
		cmocka_unit_test(files),
		cmocka_unit_test(witnessed),
		cmocka_unit_test(lists),
	};

	return cmocka_run_group_tests_name("conf", tests, NULL, NULL);
}
