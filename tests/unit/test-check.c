/* Checks: what may be written, and what holds of which reading.  Tables. */
#include "tests/unit/unit.h"

#include "lib/check.h"
#include "lib/clock.h"

/* Text in, text out; or the words of the mistake. */
static const struct {
	const char *text, *again, *mistake;
} texts[] = {
	{ "load<8", "load<8", NULL },
	{ "load<=0.5", "load<=0.5", NULL },
	{ "load-per-core<1.25", "load-per-core<1.25", NULL },
	{ "memory>500M", "memory>500M", NULL },
	{ "memory>=10%", "memory>=10%", NULL },
	{ "memory>1.5G", "memory>1.5G", NULL },
	{ "disk:/var>10%", "disk:/var>10%", NULL },
	{ "disk:/>1G", "disk:/>1G", NULL },
	{ "failed-units=0", "failed-units=0", NULL },
	{ "failed-units<3", "failed-units<3", NULL },
	{ "failed-units!=1", "failed-units!=1", NULL },
	{ "unit:nginx.service=active", "unit:nginx.service=active", NULL },
	{ "unit:backup@daily.service!=active", "unit:backup@daily.service!=active", NULL },
	{ "file:/etc/freeze=absent", "file:/etc/freeze=absent", NULL },
	{ "file:/etc/a=b<c=present", "file:/etc/a=b<c=present", NULL },
	{ "file:/srv/my\\ flag=present", "file:/srv/my\\ flag=present", NULL },
	{ "file:/run/backup.ok<1h", "file:/run/backup.ok<1h", NULL },
	{ "file:/run/backup.ok>1h30min", "file:/run/backup.ok>1h30min", NULL },
	{ "users<5", "users<5", NULL },
	{ "user:bob=absent", "user:bob=absent", NULL },
	{ "up>10min", "up>10min", NULL },
	{ "incident=no", "incident=no", NULL },
	{ "incident!=yes", "incident!=yes", NULL },
	{ "exec:/usr/local/bin/ok", "exec:/usr/local/bin/ok", NULL },
	{ "exec:  /usr/local/bin/ok   -x  a\\ b \\| c|d \\load<8", "exec:/usr/local/bin/ok -x a\\ b \\| c|d \\load<8", NULL },
	{ "http://gate/open", "http://gate/open", NULL },
	{ "https://gate.example.com:8443/open?host=web1", "https://gate.example.com:8443/open?host=web1", NULL },

	{ "", NULL, "'' is no check; there are: load load-per-core memory disk failed-units unit file users user up incident exec http https" },
	{ "lod<8", NULL, "'lod' is no check; there are: load load-per-core memory disk failed-units unit file users user up incident exec http https" },
	{ "load", NULL, "'load' compares with nothing: behind it stands <, >, = or != and 8 or 1.5" },
	{ "load<", NULL, "'load<': '' is nothing that load can be: write 8 or 1.5" },
	{ "load<8 up>1h", NULL, "'load<8 up>1h' is more than one check" },
	{ "load=8", NULL, "'load=8': load is compared with < or >: it is never exactly 8" },
	{ "load<8x", NULL, "'load<8x': '8x' is nothing that load can be: write 8 or 1.5" },
	{ "load<1.2345", NULL, "'load<1.2345': '1.2345' is nothing that load can be: write 8 or 1.5" },
	{ "load<-1", NULL, "'load<-1': '-1' is nothing that load can be: write 8 or 1.5" },
	{ "load<99999999999999999999", NULL, "'load<99999999999999999999': '99999999999999999999' is nothing that load can be: write 8 or 1.5" },
	{ "load:/x<8", NULL, "'load:/x<8': load stands alone, without ':/x'" },
	{ "memory>500", NULL, "'memory>500': '500' has no unit: write it like 500M, 2G or 10%" },
	{ "disk:/var>10", NULL, "'disk:/var>10': '10' has no unit: write it like 500M, 2G or 10%" },
	{ "disk:/var>0.5", NULL, "'disk:/var>0.5': '0.5' has no unit: write it like 500M, 2G or 10%" },
	{ "disk:/var>0", "disk:/var>0", NULL },
#define FOLDERS "/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	{ "disk:" FOLDERS FOLDERS ">10", NULL, "'disk:" FOLDERS "/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...': '10' has no unit: write it like 500M, 2G or 10%" },
	{ "up>10", NULL, "'up>10': '10' has no unit: write it like 10min or 2h" },
	{ "up>0", "up>0", NULL },
	{ "file:/x<1", NULL, "'file:/x<1': '1' has no unit: write it like 10min or 2h" },
	{ "file:/x<.", NULL, "'file:/x<.': '.' is nothing that file can be: write present, absent, or an age such as <1h" },
	{ "memory>5MB", NULL, "'memory>5MB': '5MB' is nothing that memory can be: write 500M, 2G or 10%" },
	{ "memory>101%", NULL, "'memory>101%': '101%' is nothing that memory can be: write 500M, 2G or 10%" },
	{ "memory>1.5%", NULL, "'memory>1.5%': '1.5%' is nothing that memory can be: write 500M, 2G or 10%" },
	{ "memory>99999999999T", NULL, "'memory>99999999999T': '99999999999T' is nothing that memory can be: write 500M, 2G or 10%" },
	{ "disk>10%", NULL, "'disk>10%': disk needs to know of what: write it like disk:…" },
	{ "disk:>10%", NULL, "'disk:>10%': disk needs to know of what: write it like disk:…" },
	{ "disk:var>10%", NULL, "'disk:var>10%': 'var' is not an absolute path without '//', '.' and '..'" },
	{ "file:/etc/../x=absent", NULL, "'file:/etc/../x=absent': '/etc/../x' is not an absolute path without '//', '.' and '..'" },
	{ "file:/tmp/freeze=absent", NULL, "'file:/tmp/freeze=absent': '/tmp/freeze' lies in a folder of which jitd sees its own: put it elsewhere" },
	{ "file:/etc/freeze=there", NULL, "'file:/etc/freeze=there': 'there' is nothing that file can be: write present, absent, or an age such as <1h" },
	{ "file:/etc/freeze<absent", NULL, "'file:/etc/freeze<absent': before 'absent' stands = or !=, not '<'" },
	{ "file:/etc/freeze=1h", NULL, "'file:/etc/freeze=1h': file is compared with < or >: it is never exactly 1h" },
	{ "unit:nginx=active", NULL, "'unit:nginx=active': 'nginx' is not the name of a unit: write it like nginx.service" },
	{ "unit:.service=active", NULL, "'unit:.service=active': '.service' is not the name of a unit: write it like nginx.service" },
	{ "unit:nginx.service=running", NULL, "'unit:nginx.service=running': 'running' is nothing that unit can be: write active, inactive or failed" },
	{ "user:=absent", NULL, "'user:=absent': user needs to know of what: write it like user:…" },
	{ "user:a/b=absent", NULL, "'user:a/b=absent': 'a/b' is not the name of an account" },
	{ "users=-1", NULL, "'users=-1': '-1' is nothing that users can be: write 3" },
	{ "up>never", NULL, "'up>never': 'never' is nothing that up can be: write 10min or 2h" },
	{ "incident=maybe", NULL, "'incident=maybe': 'maybe' is nothing that incident can be: write yes or no" },
	{ "incident=", NULL, "'incident=': '' is nothing that incident can be: write yes or no" },
	{ "exec:", NULL, "exec: what? write it like exec:/usr/local/lib/site/may-restart" },
	{ "exec:ok", NULL, "'ok' is not an absolute path without '//', '.' and '..'" },
	{ "exec:/bin/ok load<8", NULL, "'load<8' behind exec: would be an argument of the program: write it in front of exec: or in a "
		"line of its own (\\load<8 when the program wants it)" },
	{ "exec:/bin/ok a | b", NULL, "a lone '|' behind exec: (\\| when the program wants the sign itself)" },
	{ "http:gate", NULL, "'http:gate' is no URL: write it like https://status.example.com/open" },
	{ "http:a=b", NULL, "'http:a=b' is no URL: write it like https://status.example.com/open" },
	{ "https:", NULL, "'https:' is no URL: write it like https://status.example.com/open" },
	{ "https://", NULL, "'https://' names no host" },
	{ "https:///x", NULL, "'https:///x' names no host" },
	{ "https://me:pw@gate/", NULL, "'https://me:pw@gate/' holds a name or a password: anybody who reads the ledger would read it" },
	{ "https://gate/#x", NULL, "'https://gate/#x' is no URL as it is sent: write blanks and other signs as %20, and no '#'" },
	{ "ftp://gate/", NULL, "'ftp' is no check; there are: load load-per-core memory disk failed-units unit file users user up incident exec http https" },
};

static void test_texts(void **state)
{
	for (size_t i = 0; i < ELEMENTS(texts); i++) {
		CLEAN(check_done) struct check c = { 0 }, twice = { 0 };
		struct why w = { "" };
		int r = check_parse(texts[i].text, &c, &w);

		if (!texts[i].again) {
			check_case(r == -EINVAL, "%s: taken", texts[i].text);
			check_case(strcmp(w.text, texts[i].mistake) == 0, "%s: %s", texts[i].text, w.text);
			check_case(!c.text && !c.argument && !c.argv, "%s: something stays", texts[i].text);
			continue;
		}
		check_case(r == 0, "%s: %s", texts[i].text, w.text);
		check_case(strcmp(c.text, texts[i].again) == 0, "%s: %s", texts[i].text, c.text);
		check_case(check_parse(c.text, &twice, &w) == 0, "%s again: %s", c.text, w.text);
		check_case(strcmp(c.text, twice.text) == 0, "%s: then %s", c.text, twice.text);
	}
}

static void test_program(void **state)
{
	static const char *const words[] = { "/bin/ok", "-x", "a b", "|", "c|d", "load<8", "\\", NULL };
	CLEAN(check_done) struct check c = { 0 };
	struct why w = { "" };

	assert_int_equal(check_parse("exec: /bin/ok -x a\\ b \\| c|d \\load<8 \\\\", &c, &w), 0);
	for (size_t i = 0; words[i]; i++)
		assert_string_equal(c.argv[i], words[i]);
	assert_null(c.argv[ELEMENTS(words) - 1]);
	assert_string_equal(c.text, "exec:/bin/ok -x a\\ b \\| c|d \\load<8 \\\\");
}

static void test_next(void **state)
{
	const char *at = "  load<8  file:/a\\ b=absent\texec:/bin/x y  z ", *word;
	static const char *const expected[] = { "load<8", "file:/a\\ b=absent", "exec:/bin/x y  z" };
	size_t len;

	for (size_t i = 0; i < ELEMENTS(expected); i++) {
		word = check_next(&at, &len);
		assert_non_null(word);
		assert_int_equal(len, strlen(expected[i]));
		assert_memory_equal(word, expected[i], len);
	}
	assert_null(check_next(&at, &len));
}

#define G UINT64_C(1073741824)
#define M UINT64_C(1048576)

static const struct {
	const char *text;
	struct check_reading reading;
	bool holds;
	const char *words;
} readings[] = {
	{ "load<8", { .number = 7999 }, true, "load is 7.99" },
	{ "load<8", { .number = 8000 }, false, "load is 8.00" },
	{ "load<=8", { .number = 8000 }, true, "load is 8.00" },
	{ "load>8", { .number = 9100 }, true, "load is 9.10" },
	{ "load<0.5", { .number = 490 }, true, "load is 0.49" },
	{ "load<8", { .error = "/proc/loadavg: Permission denied" }, false, "cannot be read: /proc/loadavg: Permission denied" },
	{ "load-per-core<1.5", { .number = 5900, .total = 4 }, true, "load is 5.90 on 4 cores" },
	{ "load-per-core<1.5", { .number = 6000, .total = 4 }, false, "load is 6.00 on 4 cores" },
	{ "load-per-core<1.5", { .number = 0, .total = 0 }, false, "load is 0.00 on 0 cores" },
	{ "memory>500M", { .number = 501 * M, .total = 2 * G }, true, "501M of 2.0G available (24%)" },
	{ "memory>500M", { .number = 500 * M, .total = 2 * G }, false, "500M of 2.0G available (24%)" },
	{ "memory>10%", { .number = 103, .total = 1000 }, true, "103B of 1000B available (10%)" },
	{ "memory>10%", { .number = 100, .total = 1000 }, false, "100B of 1000B available (10%)" },
	{ "memory>0%", { .number = 1, .total = 0 }, false, "1B of 0B available" },
	{ "disk:/var>10%", { .number = 9 * G, .total = 100 * G }, false, "/var has 9.0G of 100G free (9%)" },
	{ "disk:/var>1G", { .number = 9 * G, .total = 100 * G }, true, "/var has 9.0G of 100G free (9%)" },
	{ "disk:/var>1%", { .number = UINT64_MAX / 256, .total = UINT64_MAX / 128 }, true, "/var has 63P of 127P free (50%)" },
	{ "disk:/var>1%", { .number = UINT64_MAX, .total = UINT64_MAX }, false, "/var has 1.5E of 1.5E free (100%)" }, /* cannot be told */
	{ "disk:/nope>1%", { .error = "/nope: No such file or directory" }, false, "cannot be read: /nope: No such file or directory" },
	{ "failed-units=0", { .number = 0 }, true, "0 failed units" },
	{ "failed-units=0", { .number = 1, .text = "x.service" }, false, "1 failed unit: x.service" },
	{ "failed-units<3", { .number = 2, .text = "x.service, y.timer" }, true, "2 failed units: x.service, y.timer" },
	{ "failed-units=0", { .error = "systemd is away" }, false, "cannot be counted: systemd is away" },
	{ "unit:nginx.service=active", { .word = "active" }, true, "nginx.service is active" },
	{ "unit:nginx.service=active", { .word = "failed" }, false, "nginx.service is failed" },
	{ "unit:nginx.service!=active", { .word = "failed" }, true, "nginx.service is failed" },
	{ "unit:nginx.service!=active", { .error = "there is no such unit" }, false, "cannot be read: there is no such unit" },
	{ "unit:nginx.service=active", { .word = NULL }, false, "nginx.service is unknown" },
	{ "file:/f=absent", { .present = false }, true, "/f is not there" },
	{ "file:/f=absent", { .present = true }, false, "/f is there" },
	{ "file:/f!=absent", { .present = true }, true, "/f is there" },
	{ "file:/f=present", { .present = true }, true, "/f is there" },
	{ "file:/f=present", { .present = false }, false, "/f is not there" },
	{ "file:/f<1h", { .present = true, .number = 59 * USEC_PER_MIN }, true, "/f is 59 min old" },
	{ "file:/f<1h", { .present = true, .number = USEC_PER_HOUR }, false, "/f is 1 h old" },
	{ "file:/f<1h", { .present = false }, false, "/f is not there" },
	{ "file:/f>1h", { .present = false }, false, "/f is not there" },
	{ "file:/f>1h", { .present = true, .number = 2 * USEC_PER_HOUR }, true, "/f is 2 h old" },
	{ "users<5", { .number = 1 }, true, "1 user logged in" },
	{ "users<5", { .number = 5 }, false, "5 users logged in" },
	{ "user:bob=absent", { .present = true }, false, "bob is logged in" },
	{ "user:bob=absent", { .present = false }, true, "bob is not logged in" },
	{ "user:bob=present", { .present = true }, true, "bob is logged in" },
	{ "user:bob=absent", { .error = "there is no such account" }, false, "cannot be read: there is no such account" },
	{ "up>10min", { .number = 10 * USEC_PER_MIN }, false, "up for 10 min" },
	{ "up>10min", { .number = 11 * USEC_PER_MIN }, true, "up for 11 min" },
	{ "incident=no", { .present = false }, true, "no incident is open" },
	{ "incident=no", { .present = true, .text = "INC-7: db1 is down" }, false, "an incident is open: INC-7: db1 is down" },
	{ "incident=no", { .present = true }, false, "an incident is open" },
	{ "incident=yes", { .present = true }, true, "an incident is open" },
	{ "incident!=yes", { .present = true }, false, "an incident is open" },
	{ "incident=no", { .present = true, .text = "a\nb\x1b[31m" }, false, "an incident is open: a\\nb\\x1b[31m" },
	{ "exec:/x", { .number = 0 }, true, "exit status 0" },
	{ "exec:/x", { .number = 0, .text = "quiet night" }, true, "quiet night" },
	{ "exec:/x", { .number = 1, .text = "INC-7 is closed" }, false, "exit status 1: INC-7 is closed" },
	{ "exec:/x", { .number = 256 }, false, "exit status 256" },
	{ "exec:/x", { .error = "/x is not root's" }, false, "cannot be run: /x is not root's" },
	{ "https://g/", { .number = 200, .text = "open" }, true, "answer 200: open" },
	{ "https://g/", { .number = 299 }, true, "answer 299" },
	{ "https://g/", { .number = 199 }, false, "answer 199" },
	{ "https://g/", { .number = 302 }, false, "answer 302" },
	{ "https://g/", { .number = 503, .text = "frozen" }, false, "answer 503: frozen" },
	{ "http://g/", { .number = 0 }, false, "answer 0" },
	{ "http://g/", { .error = "no answer in 5 s" }, false, "cannot be asked: no answer in 5 s" },
};

static void test_readings(void **state)
{
	for (size_t i = 0; i < ELEMENTS(readings); i++) {
		CLEAN(check_done) struct check c = { 0 };
		struct why w = { "" };
		char text[512];

		check_case(check_parse(readings[i].text, &c, &w) == 0, "%s: %s", readings[i].text, w.text);
		check_case(check_judge(&c, &readings[i].reading, text, sizeof(text)) == readings[i].holds, "row %zu: %s: %s", i,
			readings[i].text, text);
		check_case(strcmp(text, readings[i].words) == 0, "row %zu: %s: %s", i, readings[i].text, text);
	}
}

/* What holds, its opposite does not; of an error neither. */
static void test_opposites(void **state)
{
	static const char *const pairs[][2] = { { "load<3", "load>=3" }, { "memory>2K", "memory<=2K" }, { "users=2", "users!=2" },
		{ "unit:a.service=active", "unit:a.service!=active" }, { "file:/f=present", "file:/f!=present" },
		{ "incident=no", "incident!=no" } };
	struct check_reading error = { .error = "x" };
	char text[512];

	for (size_t i = 0; i < ELEMENTS(pairs); i++) {
		CLEAN(check_done) struct check a = { 0 }, b = { 0 };

		assert_int_equal(check_parse(pairs[i][0], &a, NULL), 0);
		assert_int_equal(check_parse(pairs[i][1], &b, NULL), 0);
		for (uint64_t n = 0; n < 6000; n += 500) {
			struct check_reading r = { .number = n < 3000 ? n / 500 : n, .present = n & 1, .word = n & 4 ? "active" : "failed" };

			check_case(check_judge(&a, &r, text, sizeof(text)) != check_judge(&b, &r, text, sizeof(text)), "%s at %u",
				pairs[i][0], (unsigned)n);
		}
		assert_false(check_judge(&a, &error, text, sizeof(text)));
		assert_false(check_judge(&b, &error, text, sizeof(text)));
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_texts),    cmocka_unit_test(test_program),   cmocka_unit_test(test_next),
		cmocka_unit_test(test_readings), cmocka_unit_test(test_opposites),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
