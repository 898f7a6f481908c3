/* Judging: facts and rules in, a verdict out. */
#include "tests/unit/site.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "lib/cleanup.h"
#include "lib/json.h"
#include "lib/policy.h"

#define WORDS_MAX 16

/* Commands.  Words of a command are separated by '|' here, so that blanks can stand in them. */

static size_t split_command(const char *line, char *buf, const char **argv)
{
	size_t n = 0;

	strcpy(buf, line);
	argv[n++] = buf;
	for (char *c = buf; *c; c++)
		if (*c == '|') {
			*c = '\0';
			argv[n++] = c + 1;
		}
	argv[n] = NULL;
	return n;
}

static const struct {
	const char *pattern, *binary, *argv;
	bool matches;
} commands[] = {
	/* The program, by its resolved path and not by what was typed. */
	{ "/usr/bin/id", "/usr/bin/id", "id", true },
	{ "/usr/bin/id", "/usr/bin/id", "whatever", true },
	{ "/usr/bin/id", "/home/x/id", "/usr/bin/id", false },
	{ "/usr/bin/id", NULL, "/usr/bin/id", false },
	{ "/usr/bin/*", "/usr/bin/id", "id", true },
	{ "/usr/bin/*", "/usr/bin/x/id", "id", false },
	{ "/usr/*/id", "/usr/bin/id", "id", true },
	{ "/usr/*/id", "/usr/local/bin/id", "id", false },
	{ "/usr/*/id", "/usr/../id", "id", false },
	{ "/usr/bin/[a-i]d", "/usr/bin/id", "id", true },
	{ "/usr/bin/?d", "/usr/bin/id", "id", true },
	{ "/usr?bin/id", "/usr/bin/id", "id", false },
	{ "/usr/bin/*", "/usr/bin/.hidden", "x", false },
	{ "/opt/My\\ App/run", "/opt/My App/run", "run", true },
	{ "/opt/a\\*b", "/opt/a*b", "x", true },
	{ "/opt/a\\*b", "/opt/axb", "x", false },

	/* Where /usr is merged a file has two names. */
	{ "/usr/bin/id", "/bin/id", "id", true },
	{ "/bin/id", "/usr/bin/id", "id", true },
	{ "/usr/sbin/ip *", "/sbin/ip", "ip|a", true },
	{ "/bin/id", "/usr/local/bin/id", "id", false },
	{ "/usr/local/bin/id", "/local/bin/id", "id", false },
	{ "/usr/bin/id", "/usr/usr/bin/id", "id", false },
	{ "/usr/bin/id", "/binid", "id", false },
	{ "/usr/opt/id", "/opt/id", "id", false },

	/* Without a last "*" the number of arguments is part of it. */
	{ "/bin/ls", "/bin/ls", "ls|-l", false },
	{ "/bin/ls", "/bin/ls", "ls|", false },
	{ "/bin/ls -l", "/bin/ls", "ls", false },
	{ "/bin/ls -l", "/bin/ls", "ls|-l", true },
	{ "/bin/ls -l", "/bin/ls", "ls|-l|-a", false },
	{ "/bin/ls -l", "/bin/ls", "ls|-l|", false },
	{ "/bin/ls -l", "/bin/ls", "ls||-l", false },
	{ "/bin/ls *", "/bin/ls", "ls", true },
	{ "/bin/ls *", "/bin/ls", "ls|-l|/a/b|.", true },
	{ "/bin/ls *  ", "/bin/ls", "ls|-l", true },
	{ "/bin/ls -l *", "/bin/ls", "ls|-l", true },
	{ "/bin/ls -l *", "/bin/ls", "ls", false },
	{ "/bin/ls -l *", "/bin/ls", "ls|-l|x|y", true },
	{ "/bin/ls -l *", "/bin/ls", "ls|x|-l", false },
	{ "/bin/ls \\*", "/bin/ls", "ls|a", false },
	{ "/bin/ls \\*", "/bin/ls", "ls|*", true },
	{ "/bin/ls \\*", "/bin/ls", "ls", false },
	{ "/bin/ls ** x", "/bin/ls", "ls|a|x", true },

	/* A "*" that is not the last word is one argument, no more and no less; it may be empty. */
	{ "/bin/cp * /tmp", "/bin/cp", "cp|a|/tmp", true },
	{ "/bin/cp * /tmp", "/bin/cp", "cp||/tmp", true },
	{ "/bin/cp * /tmp", "/bin/cp", "cp|/tmp", false },
	{ "/bin/cp * /tmp", "/bin/cp", "cp|a|b|/tmp", false },

	/* No blank in an argument shifts a match. */
	{ "/bin/sh -c id", "/bin/sh", "sh|-c id", false },
	{ "/bin/sh -c id", "/bin/sh", "sh|-c|id ", false },
	{ "/bin/sh -c id", "/bin/sh", "sh|-c| id", false },
	{ "/bin/echo a\\ b", "/bin/echo", "echo|a b", true },
	{ "/bin/echo a\\ b", "/bin/echo", "echo|a|b", false },
	{ "/bin/echo a b", "/bin/echo", "echo|a b", false },
	{ "/bin/kill -9 1*", "/bin/kill", "kill|-9|1 2 3", true }, /* still one argument */
	{ "/bin/kill -9 1*", "/bin/kill", "kill|-9|1|2", false },
	{ "/bin/restart db*", "/bin/restart", "restart|db\n; rm", true }, /* and not a shell's */

	/* A wildcard stays within one name of a path, and off "." and "..". */
	{ "/bin/cat /var/log/*", "/bin/cat", "cat|/var/log/syslog", true },
	{ "/bin/cat /var/log/*", "/bin/cat", "cat|/var/log/../../etc/shadow", false },
	{ "/bin/cat /var/log/*", "/bin/cat", "cat|/var/log/apt/history", false },
	{ "/bin/chown -R bob /home/bob/*", "/bin/chown", "chown|-R|bob|/home/bob/..", false },
	{ "/bin/cat /srv/*/log", "/bin/cat", "cat|/srv/../log", false },
	{ "/bin/cat /srv/?/log", "/bin/cat", "cat|/srv///log", false },
	{ "/bin/cat /srv/[!a]/log", "/bin/cat", "cat|/srv///log", false },
	{ "/bin/systemctl restart postgresql*", "/bin/systemctl", "systemctl|restart|postgresql@15-main", true },
	{ "/bin/systemctl restart postgresql*", "/bin/systemctl", "systemctl|stop|postgresql", false },
	{ "/bin/systemctl is-active [a-z]*.service", "/bin/systemctl", "systemctl|is-active|-Hx.service", false },

	/* Bytes that are no text are bytes. */
	{ "/bin/x \xff*", "/bin/x", "x|\xff\xfe", true },
	{ "/bin/x a", "/bin/x", "x|a\xff", false },
	{ "sudoedit /etc/hosts", "sudoedit", "sudoedit|/etc/hosts", true },
	{ "sudoedit /etc/hosts", "sudoedit", "sudoedit|/etc/hosts|/etc/shadow", false },
};

static void command_table(void **state)
{
	for (size_t i = 0; i < ELEMENTS(commands); i++) {
		const char *argv[WORDS_MAX];
		char buf[256];
		size_t n = split_command(commands[i].argv, buf, argv);

		if (policy_command_match(commands[i].pattern, commands[i].binary, argv, n) != commands[i].matches)
			fail_msg("'%s' should %s %s, %s", commands[i].pattern, commands[i].matches ? "match" : "not match",
				commands[i].binary ? commands[i].binary : "(unknown)", commands[i].argv);
	}
	assert_false(policy_command_match("", "/bin/ls", NULL, 0));
	assert_true(policy_command_match("/bin/ls", "/bin/ls", NULL, 0));
	assert_true(policy_command_match("/bin/ls *", "/bin/ls", NULL, 0));
	assert_false(policy_command_match("/bin/ls x", "/bin/ls", NULL, 0));
}

/* Arguments as long as they can come, chosen to make a naive glob try everything. */
static void command_cost(void **state)
{
	CLEAN(free_p) char *text = malloc(32 * 1024 + 1);
	const char *argv[] = { "x", text, NULL };

	memset(text, 'a', 32 * 1024);
	text[32 * 1024] = '\0';
	assert_false(policy_command_match("/bin/x a*a*a*a*a*a*a*a*a*b", "/bin/x", argv, 2));
	assert_false(policy_command_match("/bin/x *a?*a?*a?*a?*a?*a?*[b]", "/bin/x", argv, 2));
}

/* Rules.  A policy is loaded from text, as a host loads it. */

static struct policy *rules(const char *host, const char *text)
{
	CLEAN(conf_errors_done) struct conf_errors e = { 0 };
	struct policy *p = NULL;
	char dir[512];

	snprintf(dir, sizeof(dir), "%s", site_begin());
	site_write("jitd.conf", host);
	site_write("people.d/p.conf", site_people);
	site_write("approvers", site_approvers);
	site_write("rules.d/r.conf", text);
	if (policy_load(dir, getuid(), &p, &e) != 0)
		fail_msg("%s", e.n ? e.list[0] : "out of memory");
	site_end();
	return p;
}

/* A call, in one line: "sudo alice root /usr/bin/id id|-u" is service user target binary argv; "-" is unknown; then may
 * follow "groups=a,b", "nogroups", "marked". */
struct call {
	struct facts facts;
	char buf[256], argv_buf[256], groups_buf[64];
	const char *argv[WORDS_MAX], *groups[8];
};

static const char *unless_dash(const char *word)
{
	return word && strcmp(word, "-") != 0 ? word : NULL;
}

static void read_call(const char *line, struct call *c)
{
	char *save = NULL, *inner = NULL, *word;

	memset(c, 0, sizeof(*c));
	strcpy(c->buf, line);
	c->facts.groups = c->groups;
	c->facts.service = unless_dash(strtok_r(c->buf, " ", &save));
	c->facts.user = unless_dash(strtok_r(NULL, " ", &save));
	c->facts.target = unless_dash(strtok_r(NULL, " ", &save));
	c->facts.binary = unless_dash(strtok_r(NULL, " ", &save));
	word = strtok_r(NULL, " ", &save);
	if (unless_dash(word)) {
		c->facts.argc = split_command(word, c->argv_buf, c->argv);
		c->facts.argv = c->argv;
	}
	while ((word = strtok_r(NULL, " ", &save))) {
		if (strcmp(word, "nogroups") == 0)
			c->facts.groups = NULL;
		else if (strcmp(word, "marked") == 0)
			c->facts.marked = true;
		else if (strncmp(word, "cwd=", 4) == 0)
			c->facts.cwd = word + 4;
		else if (strncmp(word, "tty=", 4) == 0)
			c->facts.tty = word + 4;
		else if (strncmp(word, "remote=", 7) == 0)
			c->facts.remote = word + 7;
		else if (strncmp(word, "host=", 5) == 0)
			c->facts.host = word + 5;
		else if (strncmp(word, "time=", 5) == 0)
			c->facts.real_usec = strtoull(word + 5, NULL, 10) * 1000000;
		else if (strncmp(word, "groups=", 7) == 0)
			for (size_t n = 0; (word = strtok_r(n ? NULL : word + 7, ",", &inner)); n++)
				c->groups[n] = word;
		else
			fail_msg("what is '%s'?", word);
	}
}

#define ALLOW "Decision=allow\n"
#define DENY "Decision=deny\n"
#define APPROVE "Decision=approve\nNeed=1 of sre\n"
#define R(name, keys) "[Rule " name "]\n" keys
#define HOST_DENY "[Host]\nDefault=deny\n"
#define HOST_ALLOW "[Host]\nDefault=allow\n"
#define HOST_APPROVE "[Default]\nNeed=1 of sre\n"

/* VERDICT: the decision and the rule that made it; "Default" is Default=.  "unknown" is a deny because the call could
 * not be judged, and behind it the rule that could not. */
static const struct {
	const char *host, *rules, *call, *verdict;
} decisions[] = {
	/* Nothing matches. */
	{ HOST_DENY, "", "sudo alice root /bin/id id", "deny Default" },
	{ HOST_ALLOW, "", "sudo alice root /bin/id id", "allow Default" },
	{ HOST_APPROVE, "", "sudo alice root /bin/id id", "approve Default" },
	{ HOST_APPROVE, "", "- - - - - nogroups marked", "approve Default" },

	/* The first match wins; a key that is left out matches everything. */
	{ HOST_DENY, R("a", ALLOW), "sudo alice root /bin/id id", "allow a" },
	{ HOST_DENY, R("a", "User=bob\n" ALLOW) R("b", DENY) R("c", ALLOW), "sudo alice root /bin/id id", "deny b" },
	{ HOST_DENY, R("a", "User=alice\n" APPROVE) R("b", "User=alice\n" ALLOW), "sudo alice root /bin/id id", "approve a" },

	/* Lists: one of them; of the negated none. */
	{ HOST_DENY, R("a", "Service=su sudo\n" ALLOW), "sudo alice root /bin/id id", "allow a" },
	{ HOST_DENY, R("a", "Service=su sudo\n" ALLOW), "sudo-i alice root /bin/bash bash", "deny Default" },
	{ HOST_DENY, R("a", "User=alice bob\n" ALLOW), "sudo bob root /bin/id id", "allow a" },
	{ HOST_DENY, R("a", "User=!bob\n" ALLOW), "sudo alice root /bin/id id", "allow a" },
	{ HOST_DENY, R("a", "User=!bob\n" ALLOW), "sudo bob root /bin/id id", "deny Default" },
	{ HOST_DENY, R("a", "User=!bob !carol\n" ALLOW), "sudo carol root /bin/id id", "deny Default" },
	{ HOST_DENY, R("a", "User=%dba !bob\n" ALLOW), "sudo bob root /bin/id id groups=dba", "deny Default" },
	{ HOST_DENY, R("a", "User=%dba !bob\n" ALLOW), "sudo carol root /bin/id id groups=x,dba", "allow a" },
	{ HOST_DENY, R("a", "User=%dba !bob\n" ALLOW), "sudo carol root /bin/id id groups=x", "deny Default" },
	{ HOST_DENY, R("a", "User=!%contractors\n" ALLOW), "sudo carol root /bin/id id groups=contractors", "deny Default" },
	{ HOST_DENY, R("a", "User=!%contractors\n" ALLOW), "sudo carol root /bin/id id groups=staff", "allow a" },
	{ HOST_DENY, R("a", "User=dba\n" ALLOW), "sudo carol root /bin/id id groups=dba", "deny Default" },
	{ HOST_DENY, R("a", "Target=!root\n" ALLOW), "sudo alice postgres /bin/id id", "allow a" },
	{ HOST_DENY, R("a", "Target=!root\n" ALLOW), "sudo alice root /bin/id id", "deny Default" },
	{ HOST_DENY, R("a", "Target=root\n" ALLOW), "sudo alice Root /bin/id id", "deny Default" },

	/* Commands: one of the alternatives. */
	{ HOST_DENY, R("a", "Command=/bin/id -u | /bin/id -g\n" ALLOW), "sudo alice root /bin/id id|-g", "allow a" },
	{ HOST_DENY, R("a", "Command=/bin/id -u | /bin/id -g\n" ALLOW), "sudo alice root /bin/id id|-u|-g", "deny Default" },
	{ HOST_DENY, R("a", "Command=/bin/id *\nCommand=/bin/ls\n" ALLOW), "sudo alice root /bin/ls ls", "allow a" },

	/* Every key must match. */
	{ HOST_DENY, R("a", "Service=sudo\nUser=alice\nTarget=root\nCommand=/bin/id\n" ALLOW), "sudo alice root /bin/id id",
		"allow a" },
	{ HOST_DENY, R("a", "Service=sudo\nUser=alice\nTarget=root\nCommand=/bin/id\n" ALLOW), "sudo alice bob /bin/id id",
		"deny Default" },

	/* An unknown fact: an allow does not match, whatever its keys. */
	{ HOST_DENY, R("a", ALLOW), "- alice root /bin/id id", "deny Default" },
	{ HOST_DENY, R("a", ALLOW), "sudo - root /bin/id id", "deny Default" },
	{ HOST_DENY, R("a", ALLOW), "sudo alice - /bin/id id", "deny Default" },
	{ HOST_DENY, R("a", ALLOW), "sudo alice unknown /bin/id id", "deny Default" },
	{ HOST_DENY, R("a", ALLOW), "sudo alice root - id", "deny Default" },
	{ HOST_DENY, R("a", ALLOW), "sudo alice root - -", "deny Default" },
	{ HOST_DENY, R("a", "Target=!postgres\n" ALLOW), "sudo alice - /bin/id id", "deny Default" },
	{ HOST_DENY, R("a", "User=%dba\n" ALLOW), "sudo alice root /bin/id id nogroups", "deny Default" },
	{ HOST_DENY, R("a", "User=!%dba\n" ALLOW), "sudo alice root /bin/id id nogroups", "deny Default" },
	{ HOST_ALLOW, "", "sudo alice - /bin/id id", "unknown" },
	{ HOST_APPROVE, R("a", ALLOW), "sudo alice - /bin/id id", "approve Default" },
	/* … but what no key asks for need not be known. */
	{ HOST_DENY, R("a", "User=alice\n" ALLOW), "sudo alice root /bin/id id nogroups", "allow a" },
	{ HOST_DENY, R("a", "User=alice %dba\n" ALLOW), "sudo alice root /bin/id id nogroups", "allow a" },
	{ HOST_DENY, R("a", "User=%dba !alice\n" ALLOW) R("b", ALLOW), "sudo alice root /bin/id id nogroups", "allow b" },
	/* A login has no command; that is known. */
	{ HOST_DENY, R("a", "Service=sshd\n" ALLOW), "sshd alice alice - -", "allow a" },
	{ HOST_DENY, R("a", "Command=/bin/id\n" ALLOW), "sshd alice alice - -", "deny Default" },
	{ HOST_ALLOW, R("a", "Command=/bin/id\n" DENY), "sshd alice alice - -", "allow Default" },
	/* Words for a shell are not a command that a key could be compared with. */
	{ HOST_DENY, R("a", "Service=su\n" ALLOW), "su alice root - su|-c|id", "allow a" },
	{ HOST_DENY, R("a", "Service=su\nCommand=/bin/id\n" ALLOW), "su alice root - su|-c|id", "deny Default" },
	{ HOST_ALLOW, R("a", "Command=/bin/rm *\n" DENY), "su alice root - su|-c|id", "deny a" },
	{ HOST_ALLOW, R("a", "Command=/bin/rm *\n" DENY), "su alice root - su|--comm=id", "deny a" },
	{ HOST_ALLOW, R("a", "Command=/bin/rm *\n" DENY), "su alice root - su|-|root|x", "deny a" },
	/* … but su without -c is a login. */
	{ HOST_ALLOW, R("a", "Command=/bin/rm *\n" DENY), "su alice root - su|-|root", "allow Default" },
	{ HOST_ALLOW, R("a", "Command=/bin/rm *\n" DENY), "su-l alice root - su|-l", "allow Default" },
	{ HOST_ALLOW, R("a", "Command=/bin/rm *\n" DENY), "sudo alice root - su|-l", "deny a" },

	/* A deny matches unless it is known not to. */
	{ HOST_APPROVE, R("a", "Target=vault\n" DENY), "sudo alice - /bin/id id", "deny a" },
	{ HOST_APPROVE, R("a", "Target=!vault\n" DENY), "sudo alice - /bin/id id", "deny a" },
	{ HOST_APPROVE, R("a", "User=%dba\n" DENY), "sudo alice root /bin/id id nogroups", "deny a" },
	{ HOST_APPROVE, R("a", "User=%dba\nTarget=vault\n" DENY), "sudo alice root /bin/id id nogroups", "approve Default" },
	{ HOST_APPROVE, R("a", "Command=/bin/rm *\n" DENY), "sudo alice root - id", "deny a" },
	{ HOST_APPROVE, R("a", "Service=su\n" DENY), "- alice root /bin/id id", "deny a" },

	/* A path that is not resolved is no name that a deny could foresee. */
	{ HOST_ALLOW, R("a", "Command=/bin/rm *\n" DENY), "sudo alice root /usr/bin/./rm rm", "deny a" },
	{ HOST_ALLOW, R("a", "Command=/bin/rm *\n" DENY), "sudo alice root /bin//rm rm", "deny a" },
	{ HOST_ALLOW, R("a", "Command=/bin/rm *\n" DENY), "sudo alice root /bin/x/../rm rm", "deny a" },
	{ HOST_ALLOW, R("a", "Command=/bin/rm *\n" DENY), "sudo alice root rm rm", "deny a" },
	{ HOST_ALLOW, R("a", "Command=/bin/rm *\n" DENY), "sudo alice root /bin/ls ls", "allow Default" },
	{ HOST_ALLOW, "", "sudo alice root /bin/../ls ls", "unknown" },
	{ HOST_DENY, R("a", ALLOW), "sudo alice root /bin/ ls", "deny Default" },
	{ HOST_DENY, R("a", ALLOW), "sudo alice root /bin/.../..x ls", "allow a" },
	{ HOST_DENY, R("a", ALLOW), "sudo alice root sudoedit sudoedit|/etc/motd", "allow a" },

	/* An approve does not match on an unknown user, group or command; nor on an unknown target, when it asks for one. */
	{ HOST_DENY, R("a", APPROVE), "sudo alice - /bin/id id", "approve a" },
	{ HOST_DENY, R("a", "Target=root\n" APPROVE), "sudo alice - /bin/id id", "deny Default" },
	{ HOST_DENY, R("a", "User=%dba\n" APPROVE), "sudo alice root /bin/id id nogroups", "deny Default" },
	{ HOST_DENY, R("a", "User=alice\n" APPROVE), "sudo - root /bin/id id", "deny Default" },
	{ HOST_DENY, R("a", "Command=/bin/id\n" APPROVE), "sudo alice root - id", "deny Default" },
	{ HOST_DENY, R("a", "Target=root\n" APPROVE) R("b", APPROVE), "sudo alice - /bin/id id", "unknown a" },

	/* What was passed over in doubt lets nothing later decide but a denial. */
	{ HOST_DENY, R("a", "User=%dba\n" APPROVE) R("b", ALLOW), "sudo alice root /bin/id id nogroups", "unknown a" },
	{ HOST_DENY, R("a", "User=%dba\n" APPROVE) R("b", ALLOW), "sudo alice root /bin/id id groups=x", "allow b" },
	{ HOST_ALLOW, R("a", "User=%dba\n" APPROVE), "sudo alice root /bin/id id nogroups", "unknown a" },
	{ HOST_DENY, R("a", "User=%dba\n" APPROVE) R("x", "User=%ops\n" APPROVE) R("b", ALLOW),
		"sudo alice root /bin/id id nogroups", "unknown a" },
	{ HOST_DENY, R("a", "User=%dba\n" APPROVE) R("b", "User=bob\n" ALLOW) R("c", APPROVE),
		"sudo alice root /bin/id id nogroups", "unknown a" },
	{ HOST_DENY, R("a", "User=%dba\nTarget=vault\n" APPROVE) R("b", ALLOW), "sudo alice root /bin/id id nogroups", "allow b" },
	/* An allow in doubt would only have opened what the next one opens. */
	{ HOST_DENY, R("a", "User=%dba\n" ALLOW) R("b", "User=alice\n" ALLOW), "sudo alice root /bin/id id nogroups", "allow b" },

	/* Where and when; what is unknown of it opens nothing. */
	{ HOST_DENY, R("a", "Cwd=/srv/*\n" ALLOW), "sudo alice root /bin/id id cwd=/srv/app", "allow a" },
	{ HOST_DENY, R("a", "Cwd=/srv/*\n" ALLOW), "sudo alice root /bin/id id cwd=/srv/app/sub", "deny Default" },
	{ HOST_DENY, R("a", "Cwd=/srv/*\n" ALLOW), "sudo alice root /bin/id id", "deny Default" },
	{ HOST_ALLOW, R("a", "Cwd=/srv/*\n" DENY), "sudo alice root /bin/id id", "deny a" },
	{ HOST_DENY, R("a", "Cwd=/srv/*\n" APPROVE) R("b", ALLOW), "sudo alice root /bin/id id cwd=../srv", "unknown a" },
	{ HOST_DENY, R("a", "Tty=pts/* none\n" ALLOW), "sudo alice root /bin/id id tty=none", "allow a" },
	{ HOST_DENY, R("a", "Tty=*\n" ALLOW), "sudo alice root /bin/id id tty=none", "deny Default" },
	{ HOST_DENY, R("a", "Tty=*\n" ALLOW), "sudo alice root /bin/id id tty=pts/3", "allow a" },
	{ HOST_DENY, R("a", "Tty=!none\n" ALLOW), "sudo alice root /bin/id id", "deny Default" },
	{ HOST_DENY, R("a", "Remote=10.0.0.0/8 !10.9.0.0/16\n" ALLOW), "sshd alice alice - - remote=10.1.2.3", "allow a" },
	{ HOST_DENY, R("a", "Remote=10.0.0.0/8 !10.9.0.0/16\n" ALLOW), "sshd alice alice - - remote=10.9.2.3", "deny Default" },
	{ HOST_ALLOW, R("a", "Remote=10.0.0.0/8\n" DENY), "sshd alice alice - - remote=pc.example", "deny a" },
	{ HOST_DENY, R("a", "Host=web*\n" ALLOW), "sudo alice root /bin/id id host=web7", "allow a" },
	{ "[Host]\nHost=web7\nDefault=deny\n", R("a", "Host=web*\n" ALLOW), "sudo alice root /bin/id id", "allow a" },
	{ "[Host]\nHost=db1\nDefault=deny\n", R("a", "Host=!web*\n" ALLOW), "sudo alice root /bin/id id", "allow a" },
	{ "[Host]\nLabel=prod dmz\nDefault=deny\n", R("a", "Label=prod\n" ALLOW), "sudo alice root /bin/id id", "allow a" },
	{ "[Host]\nLabel=test\nDefault=deny\n", R("a", "Label=prod\n" ALLOW), "sudo alice root /bin/id id", "deny Default" },
	{ HOST_DENY, R("a", "Label=!prod\n" ALLOW), "sudo alice root /bin/id id", "allow a" },
	/* 1780300800 is Monday, 2026-06-01, 08:00 UTC. */
	{ HOST_DENY, R("a", "Hours=Mon 08:00-09:00 UTC\n" ALLOW), "sudo alice root /bin/id id time=1780300800", "allow a" },
	{ HOST_DENY, R("a", "Hours=Mon 08:00-09:00 UTC\n" ALLOW), "sudo alice root /bin/id id time=1780304400", "deny Default" },
	{ HOST_DENY, R("a", "Hours=!Mon UTC | !Tue UTC\n" ALLOW), "sudo alice root /bin/id id time=1780300800", "deny Default" },
	{ HOST_DENY, R("a", "Hours=!Mon UTC\n" ALLOW), "sudo alice root /bin/id id", "deny Default" },
	{ HOST_ALLOW, R("a", "Hours=Sat..Sun Europe/Berlin\n" DENY), "sudo alice root /bin/id id", "deny a" },

	/* A marked call is looked at by somebody, or denied. */
	{ HOST_DENY, R("a", ALLOW), "sudo alice root /bin/id id marked", "deny Default" },
	{ HOST_DENY, R("a", ALLOW) R("b", APPROVE), "sudo alice root /bin/id id marked", "approve b" },
	{ HOST_ALLOW, "", "sudo alice root /bin/id id marked", "unknown" },
	{ HOST_ALLOW, R("a", "User=bob\n" DENY), "sudo alice root /bin/id id marked", "unknown" },
	{ HOST_APPROVE, R("a", DENY), "sudo alice root /bin/id id marked", "deny a" },
};

static const char *verdict_words(const struct policy *p, const struct verdict *v, char *buf, size_t size)
{
	if (v->unknown) {
		assert_int_equal(v->decision, DECISION_DENY);
		assert_null(v->rule);
		snprintf(buf, size, "unknown%s%s", v->doubt ? " " : "", v->doubt ? v->doubt->name : "");
		return buf;
	}
	assert_null(v->doubt);
	if (v->rule)
		assert_int_equal(v->rule->decision, v->decision);
	else
		assert_true(v->decision != DECISION_APPROVE);
	assert_true(v->rule != &p->fallback || v->decision == DECISION_APPROVE);
	snprintf(buf, size, "%s %s", decision_string(v->decision), v->rule ? v->rule->name : POLICY_FALLBACK);
	return buf;
}

static void decision_table(void **state)
{
	for (size_t i = 0; i < ELEMENTS(decisions); i++) {
		struct policy *p = rules(decisions[i].host, decisions[i].rules);
		struct verdict v;
		struct call c;
		char got[128];

		read_call(decisions[i].call, &c);
		policy_decide(p, &c.facts, &v);
		if (strcmp(verdict_words(p, &v, got, sizeof(got)), decisions[i].verdict) != 0)
			fail_msg("%s%sfor %s:\nwanted '%s', got '%s'", decisions[i].host, decisions[i].rules, decisions[i].call,
				decisions[i].verdict, got);
		policy_free(p);
	}
}

/* Why the one rule does not match. */
static const struct {
	const char *keys, *call, *words; /* "": it matches */
} mismatches[] = {
	{ "User=bob\n" ALLOW, "sudo bob root /bin/id id", "" },
	{ "User=bob\n" ALLOW, "sudo alice root /bin/id id", "user is alice, not bob" },
	{ "User=bob %dba !eve\n" ALLOW, "sudo alice root /bin/id id groups=x", "user is alice, not bob %dba !eve" },
	{ "User=%dba\n" ALLOW, "sudo alice root /bin/id id nogroups",
		"user cannot be compared with %dba: the user's groups are unknown" },
	{ "User=bob\n" ALLOW, "sudo - root /bin/id id", "user cannot be compared with bob: it is unknown" },
	{ "Service=su\n" ALLOW, "sudo alice root /bin/id id", "service is sudo, not su" },
	{ "Target=postgres\n" ALLOW, "sudo alice root /bin/id id", "target is root, not postgres" },
	{ "Target=postgres\n" ALLOW, "sudo alice - /bin/id id", "target cannot be compared with postgres: it is unknown"
		" (write -u NAME, and each option of sudo in full and apart)" },
	{ "Target=postgres\n" DENY, "sudo alice - /bin/id id", "" },
	{ "Command=/bin/ls -l | /bin/ps *\n" ALLOW, "sudo alice root /bin/id id",
		"command /bin/id with 0 arguments is not /bin/ls -l | /bin/ps *" },
	{ "Command=/bin/ls\n" ALLOW, "sudo alice root /bin/ls ls|-l", "command /bin/ls with 1 argument is not /bin/ls" },
	{ "Command=/bin/ls\n" ALLOW, "sshd alice alice - -", "there is no command, so not /bin/ls" },
	{ "Command=/bin/ls\n" ALLOW, "sudo alice root - ls", "command cannot be compared with /bin/ls: it is unknown" },
	{ "Command=/bin/ls\n" ALLOW, "sudo alice root /bin/../ls ls",
		"command cannot be compared with /bin/ls: its path is not resolved" },
	{ "Cwd=/srv /srv/*\n" ALLOW, "sudo alice root /bin/id id cwd=/etc", "folder is /etc, not /srv /srv/*" },
	{ "Cwd=/srv\n" ALLOW, "sudo alice root /bin/id id cwd=srv", "folder cannot be compared with /srv: srv is no resolved path" },
	{ "Tty=none\n" ALLOW, "sudo alice root /bin/id id tty=pts/1", "terminal is pts/1, not none" },
	{ "Tty=none\n" ALLOW, "sudo alice root /bin/id id", "terminal cannot be compared with none: it is unknown" },
	{ "Remote=10.0.0.0/8\n" ALLOW, "sshd alice alice - - remote=1.2.3.4", "remote address is 1.2.3.4, not 10.0.0.0/8" },
	{ "Remote=10.0.0.0/8\n" ALLOW, "sshd alice alice - - remote=pc",
		"remote address cannot be compared with 10.0.0.0/8: pc is no address" },
	{ "Host=web*\n" ALLOW, "sudo alice root /bin/id id host=db1", "host is db1, not web*" },
	{ "Label=prod\n" ALLOW, "sudo alice root /bin/id id", "the host is labelled nothing, not prod" },
	{ "Hours=Tue UTC | 10:00-11:00 UTC\n" ALLOW, "sudo alice root /bin/id id time=1780300800",
		"it is Mon 08:00 in UTC, not Tue UTC | 10:00-11:00 UTC" },
	{ "Hours=Tue UTC\n" ALLOW, "sudo alice root /bin/id id", "time cannot be compared with Tue UTC: it is unknown" },
	{ ALLOW, "sudo alice - /bin/id id", "the target is unknown"
		" (write -u NAME, and each option of sudo in full and apart)" },
	{ ALLOW, "sudo alice root - id", "the command is unknown" },
	{ ALLOW, "sudo alice root /bin/id id marked",
		"the call is marked as odd (sudo's -R -D -g -E or VAR=value, a cut or contradicting command line)" },
	/* What is known not to match is the better answer. */
	{ "User=%dba\nTarget=postgres\n" ALLOW, "sudo alice root /bin/id id nogroups", "target is root, not postgres" },
	{ "User=%dba\nCommand=/bin/ls\n" APPROVE, "sudo alice root /bin/ls ls nogroups",
		"user cannot be compared with %dba: the user's groups are unknown" },
};

static void mismatch_table(void **state)
{
	for (size_t i = 0; i < ELEMENTS(mismatches); i++) {
		char text[256];
		struct why w = { "" };
		struct policy *p;
		struct call c;
		bool differs;

		snprintf(text, sizeof(text), R("one", "%s"), mismatches[i].keys);
		p = rules(HOST_DENY, text);
		read_call(mismatches[i].call, &c);
		differs = policy_mismatch(p, &p->rule[0], &c.facts, &w);
		if (differs != (*mismatches[i].words != '\0') || strcmp(w.text, mismatches[i].words) != 0)
			fail_msg("%sfor %s:\nwanted '%s', got '%s'", mismatches[i].keys, mismatches[i].call, mismatches[i].words,
				w.text);
		assert_int_equal(policy_mismatch(p, &p->rule[0], &c.facts, NULL), differs);
		assert_false(policy_mismatch(p, &p->fallback, &c.facts, NULL));
		policy_free(p);
	}
}

static void unknown_words(void **state)
{
	struct policy *p = rules(HOST_ALLOW, R("a", "User=%dba\n" APPROVE));
	struct verdict v;
	struct why w = { "" };
	struct call c;

	read_call("sudo alice root /bin/id id nogroups", &c);
	policy_decide(p, &c.facts, &v);
	assert_true(policy_unknown_words(p, &c.facts, &v, &w));
	assert_string_equal(w.text,
		"could not be judged by rule a: user cannot be compared with %dba: the user's groups are unknown");
	read_call("sudo alice - /bin/id id", &c);
	policy_decide(p, &c.facts, &v);
	assert_true(policy_unknown_words(p, &c.facts, &v, &w));
	assert_string_equal(w.text, "could not be judged: the target is unknown (write -u NAME, and each option of sudo in full "
		"and apart)");
	read_call("sudo alice root /bin/id id", &c);
	policy_decide(p, &c.facts, &v);
	assert_false(policy_unknown_words(p, &c.facts, &v, &w));
	policy_free(p);
}

/* What is told of a judgement. */
static void explains(void **state)
{
	static const struct {
		const char *host, *rules, *call, *json;
	} cases[] = {
		{ HOST_DENY, R("a", "User=bob\n" ALLOW) R("b", APPROVE) R("c", DENY), "sudo alice root /bin/id id",
			"{\"decision\":\"approve\",\"rule\":\"b\",\"need\":\"1 of sre\",\"passed_over\":[{\"rule\":\"a\",\"why\":"
			"\"user is alice, not bob\"}]}" },
		{ HOST_DENY, "", "sudo alice root /bin/id id", "{\"decision\":\"deny\",\"rule\":\"Default\",\"passed_over\":[]}" },
		{ HOST_APPROVE, "", "sudo alice root /bin/id id",
			"{\"decision\":\"approve\",\"rule\":\"Default\",\"need\":\"1 of sre\",\"passed_over\":[]}" },
		{ HOST_DENY, R("a", APPROVE) "Reason=required ^INC\nReasonHint=the ticket\nMatch=yes\n", "sudo alice root /bin/id id",
			"{\"decision\":\"approve\",\"rule\":\"a\",\"need\":\"1 of sre\",\"reason\":\"a reason is required: the ticket\","
			"\"match\":true,\"passed_over\":[]}" },
		{ HOST_DENY, R("a", "User=%dba\n" APPROVE) R("b", ALLOW), "sudo alice root /bin/id id nogroups",
			"{\"decision\":\"deny\",\"rule\":\"Default\",\"unknown\":\"could not be judged by rule a: user cannot be compared"
			" with %dba: the user's groups are unknown\",\"passed_over\":[{\"rule\":\"a\",\"why\":\"user cannot be compared"
			" with %dba: the user's groups are unknown\"},{\"rule\":\"b\"}]}" },
	};

	for (size_t i = 0; i < ELEMENTS(cases); i++) {
		struct policy *p = rules(cases[i].host, cases[i].rules);
		CLEAN(json_put_p) struct json_object *o = NULL;
		struct call c;

		read_call(cases[i].call, &c);
		o = policy_explain(p, &c.facts);
		assert_string_equal(json_text(o), cases[i].json);
		policy_free(p);
	}
}

static void needs_groups(void **state)
{
	static const struct {
		const char *rules;
		bool needs;
	} cases[] = {
		{ "", false },
		{ R("a", ALLOW), false },
		{ R("a", "User=alice !bob\n" ALLOW), false },
		{ R("a", ALLOW) R("b", "User=alice %dba\n" DENY), true },
		{ R("a", "User=!%dba\n" ALLOW), true },
	};

	for (size_t i = 0; i < ELEMENTS(cases); i++) {
		struct policy *p = rules(HOST_DENY, cases[i].rules);

		assert_int_equal(policy_needs_groups(p), cases[i].needs);
		policy_free(p);
	}
}

static void finds_rules(void **state)
{
	struct policy *p = rules(HOST_APPROVE, R("a", ALLOW) R("b", DENY));

	assert_ptr_equal(policy_find_rule(p, "b"), &p->rule[1]);
	assert_ptr_equal(policy_find_rule(p, "Default"), &p->fallback);
	assert_null(policy_find_rule(p, "c"));
	policy_free(p);
	assert_null(policy_free(NULL));
}

static void reasons(void **state)
{
	static const struct {
		const char *key, *reason, *words; /* words NULL: good */
	} cases[] = {
		{ "optional", NULL, NULL },
		{ "optional", "x", NULL },
		{ "none", "x", NULL },
		{ "required", NULL, "a reason is required" },
		{ "required", " \t", "a reason is required" },
		{ "required", "because", NULL },
		{ "required ^(INC|CHG)-[0-9]+", NULL, "a reason is required, of the form ^(INC|CHG)-[0-9]+" },
		{ "required ^(INC|CHG)-[0-9]+", "INC-12 disk full", NULL },
		{ "required ^(INC|CHG)-[0-9]+", "see INC-12", "the reason must be of the form ^(INC|CHG)-[0-9]+" },
		{ "required ^[0-9]{4}$", "12345", "the reason must be of the form ^[0-9]{4}$" },
		{ "required ^[0-9]{4}$", "1234", NULL },
		{ "required\nReasonHint=what for", "", "a reason is required: what for" },
		{ "required\nReasonHint=what for", "this", NULL },
		{ "required ^INC-[0-9]\nReasonHint=the ticket, such as INC-1", NULL, "a reason is required: the ticket, such as INC-1" },
		{ "required ^INC-[0-9]\nReasonHint=the ticket, such as INC-1", "x",
			"the reason does not fit; wanted is: the ticket, such as INC-1" },
		{ "required ^INC-[0-9]\nReasonHint=\xe2\x80\xaeINC", "x", "the reason does not fit; wanted is: \\u{202E}INC" },
	};

	for (size_t i = 0; i < ELEMENTS(cases); i++) {
		struct why w = { "" };
		struct policy *p;
		char text[256];
		bool ok;

		snprintf(text, sizeof(text), R("a", APPROVE) "Reason=%s\n", cases[i].key);
		p = rules(HOST_DENY, text);
		ok = policy_reason_ok(&p->rule[0], cases[i].reason, &w);
		assert_int_equal(ok, cases[i].words == NULL);
		if (!ok)
			assert_string_equal(w.text, cases[i].words);
		policy_free(p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(command_table),
		cmocka_unit_test(command_cost),
		cmocka_unit_test(decision_table),
		cmocka_unit_test(mismatch_table),
		cmocka_unit_test(unknown_words),
		cmocka_unit_test(explains),
		cmocka_unit_test(needs_groups),
		cmocka_unit_test(finds_rules),
		cmocka_unit_test(reasons),
	};

	return cmocka_run_group_tests_name("policy", tests, NULL, NULL);
}
