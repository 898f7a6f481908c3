/* Loading: files in, a policy or every mistake out.  What is shipped is loaded as well. */
#include "tests/unit/site.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lib/cleanup.h"
#include "lib/clock.h"
#include "lib/digest.h"
#include "lib/file.h"
#include "lib/policy.h"

#define DENY "[Host]\nDefault=deny\n"
#define ALLOW_A "[Rule a]\nDecision=allow\n"
#define ASK "[Rule a]\nDecision=approve\nNeed=1 of sre\n"

static int load(struct policy **p, struct conf_errors *e)
{
	char dir[512];

	snprintf(dir, sizeof(dir), "%s", site_path(""));
	dir[strlen(dir) - 1] = '\0';
	return policy_load(dir, getuid(), p, e);
}

static struct policy *load_or_fail(void)
{
	CLEAN(conf_errors_done) struct conf_errors e = { 0 };
	struct policy *p = NULL;

	if (load(&p, &e) != 0)
		fail_msg("%s", e.n ? e.list[0] : "out of memory");
	assert_int_equal(e.n, 0);
	return p;
}

static void begin(const char *host, const char *rules)
{
	site_begin();
	site_write("people.d/p.conf", site_people);
	site_write("approvers", site_approvers);
	if (host)
		site_write("jitd.conf", host);
	if (rules)
		site_write("rules.d/r.conf", rules);
}

/* Each line of MISTAKES, in order. */
static const struct {
	const char *host, *rules, *mistakes;
} sites[] = {
	/* Sections and keys. */
	{ DENY "[Hots]\nX=1\n", "", "jitd.conf:3: unknown section [Hots]: jitd.conf has [Host] and [Default], rules.d has [Rule NAME]\n" },
	{ DENY ASK, "", "jitd.conf:3: [Rule] belongs into a file in rules.d\n" },
	{ DENY, "[Host]\nHold=1min\n[Default]\nNeed=1 of sre\n",
		"rules.d/r.conf:1: [Host] belongs into jitd.conf\nrules.d/r.conf:3: [Default] belongs into jitd.conf\n" },
	{ "[Host x]\nDefault=deny\n[Host]\nDefault=deny\n", "", "jitd.conf:1: [Host x]: there is only one, write [Host]\n" },
	{ DENY "Need=1 of sre\n", "",
		"jitd.conf:3: unknown key 'Need' in [Host]; known: Host Label Default Hold Origin SshdExecutable SecurePath"
		" MaxPendingPerUser MaxPending CheckWithin MaxPerMinute\n" },
	{ DENY "[Default]\nUser=x\n", "",
		"jitd.conf:4: unknown key 'User' in [Default]; known: Check Inform Escalate Recheck Need Scope For AtMost AnswerBy ClaimBy Reason ReasonHint"
		" Match AtEnd Unmapped Join\n" },
	{ DENY, ASK "comand=/bin/x\n",
		"rules.d/r.conf:4: unknown key 'comand' in [Rule]; known: Service User Target Command Cwd Tty Remote Host Label Hours Decision Message Check Inform Escalate Recheck Need"
		" Scope For AtMost AnswerBy ClaimBy Reason ReasonHint Match AtEnd Unmapped Join\n" },

	/* Rules. */
	{ DENY, "[Rule]\nDecision=deny\n", "rules.d/r.conf:1: [Rule] needs a name of letters, digits, '.', '_', '-'\n" },
	{ DENY, "[Rule a b]\nDecision=deny\n", "rules.d/r.conf:1: [Rule a b] needs a name of letters, digits, '.', '_', '-'\n" },
	{ DENY, "[Rule Default]\nDecision=deny\n",
		"rules.d/r.conf:1: no rule may be named Default: that is what stands for no rule\n" },
	{ DENY, ALLOW_A ALLOW_A, "rules.d/r.conf:3: there is a [Rule a] already (SITE/rules.d/r.conf:1): rename one\n" },
	{ DENY, ALLOW_A ALLOW_A "Command=ls\nUsr=x\n[Rule Default]\nDecision=maybe\n",
		"rules.d/r.conf:3: there is a [Rule a] already (SITE/rules.d/r.conf:1): rename one\n"
		"rules.d/r.conf:5: Command=: 'ls' is not an absolute path: a command is matched by its resolved path (leave"
		" Command= out to match every command)\n"
		"rules.d/r.conf:6: unknown key 'Usr' in [Rule]; known: Service User Target Command Cwd Tty Remote Host Label Hours Decision"
		" Message Check Inform Escalate Recheck Need Scope For AtMost AnswerBy ClaimBy Reason ReasonHint Match AtEnd Unmapped Join\n"
		"rules.d/r.conf:7: no rule may be named Default: that is what stands for no rule\n"
		"rules.d/r.conf:8: Decision=: 'maybe' is none of allow, deny, approve\n" },
	{ DENY, "[Rule a]\nUser=x\n", "rules.d/r.conf:1: [Rule a] has no Decision=: allow, deny or approve\n" },
	{ DENY, "[Rule a]\nDecision=Allow\n", "rules.d/r.conf:2: Decision=: 'Allow' is none of allow, deny, approve\n" },
	{ DENY, "[Rule a]\nDecision=\n", "rules.d/r.conf:2: Decision= has no value: leave the line out to have the default\n" },
	{ DENY, "[Rule a]\nDecision=allow\nDecision=deny\n",
		"rules.d/r.conf:3: Decision= stands in this section for the second time (first in line 2): remove one\n" },
	{ DENY, "[Rule a]\nDecision=approve\n",
		"rules.d/r.conf:1: [Rule a] has no Need=: say who approves, like Need=1 of sre\n" },
	{ DENY, ALLOW_A "Need=1 of sre\n",
		"rules.d/r.conf:3: Need= in a rule whose Decision= is allow: nobody is asked; remove one of them\n" },
	{ DENY, "[Rule a]\nNeed=1 of sre\nDecision=deny\n",
		"rules.d/r.conf:2: Need= in a rule whose Decision= is deny: nobody is asked; remove one of them\n" },

	/* Keys without effect. */
	{ DENY, ALLOW_A "Match=yes\nReasonHint=the ticket\nReason=required\nMessage=hello\n",
		"rules.d/r.conf:5: Reason= in a rule whose Decision= is allow: nobody is asked; remove one of them\n"
		"rules.d/r.conf:4: ReasonHint= in a rule whose Decision= is allow: nobody is asked; remove one of them\n"
		"rules.d/r.conf:3: Match= in a rule whose Decision= is allow: nobody is asked; remove one of them\n"
		"rules.d/r.conf:6: Message= in a rule whose Decision= is allow: nobody is told; remove one of them\n" },
	{ DENY, "[Rule a]\nFor=1h\nScope=service\nDecision=deny\nMessage=no\nAtMost=2h\nAnswerBy=1h\nClaimBy=1h\nAtEnd=drain\n"
		"Unmapped=yes\nJoin=user\n",
		"rules.d/r.conf:3: Scope= in a rule whose Decision= is deny: nobody is asked; remove one of them\n"
		"rules.d/r.conf:2: For= in a rule whose Decision= is deny: nobody is asked; remove one of them\n"
		"rules.d/r.conf:6: AtMost= in a rule whose Decision= is deny: nobody is asked; remove one of them\n"
		"rules.d/r.conf:7: AnswerBy= in a rule whose Decision= is deny: nobody is asked; remove one of them\n"
		"rules.d/r.conf:8: ClaimBy= in a rule whose Decision= is deny: nobody is asked; remove one of them\n"
		"rules.d/r.conf:9: AtEnd= in a rule whose Decision= is deny: nobody is asked; remove one of them\n"
		"rules.d/r.conf:10: Unmapped= in a rule whose Decision= is deny: nobody is asked; remove one of them\n"
		"rules.d/r.conf:11: Join= in a rule whose Decision= is deny: nobody is asked; remove one of them\n" },
	{ DENY, ALLOW_A "ReasonHint=the ticket\n",
		"rules.d/r.conf:3: ReasonHint= in a rule whose Decision= is allow: nobody is asked; remove one of them\n" },
	{ DENY, ASK "Message=no\n",
		"rules.d/r.conf:4: Message= in a rule whose Decision= is approve: nobody is told; remove one of them\n" },
	{ DENY, ALLOW_A "Escalate=1 of sre unless load<8\nNeed=1 of sre\nReason=required\nMessage=no\n",
		"rules.d/r.conf:4: Need= in a rule whose Decision= is allow: nobody is asked; remove one of them\n"
		"rules.d/r.conf:6: Message= in a rule whose Decision= is allow: nobody is told; remove one of them\n" },

	/* What a rule matches. */
	{ DENY, ALLOW_A "Service=su/x\n", "rules.d/r.conf:3: Service=: 'su/x' is not a name (a '!' in front negates it)\n" },
	{ DENY, ALLOW_A "User=%\n", "rules.d/r.conf:3: User=: '%' is neither a user nor a %group (a '!' in front negates it)\n" },
	{ DENY, ALLOW_A "User=!!x\n", "rules.d/r.conf:3: User=: '!!x' is neither a user nor a %group (a '!' in front negates it)\n" },
	{ DENY, ALLOW_A "User=*\n", "rules.d/r.conf:3: User=: '*' is neither a user nor a %group (a '!' in front negates it)\n" },
	{ DENY, ALLOW_A "Target=%x\n", "rules.d/r.conf:3: Target=: '%x' is not a name (a '!' in front negates it)\n" },
	{ DENY, ALLOW_A "User=\n", "rules.d/r.conf:3: User= is empty: leave it out to match everything\n" },
	{ DENY, ALLOW_A "Command=\n", "rules.d/r.conf:3: Command= is empty: leave it out to match everything\n" },
	{ DENY, ALLOW_A "User=x\nUser=\n", "rules.d/r.conf:4: User= is empty: leave it out to match everything\n" },
	{ DENY, ALLOW_A "Command=ls\n",
		"rules.d/r.conf:3: Command=: 'ls' is not an absolute path: a command is matched by its resolved path (leave"
		" Command= out to match every command)\n" },
	{ DENY, ALLOW_A "Command=*\n",
		"rules.d/r.conf:3: Command=: '*' is not an absolute path: a command is matched by its resolved path (leave"
		" Command= out to match every command)\n" },
	{ DENY, ALLOW_A "Command=/bin//ls\n",
		"rules.d/r.conf:3: Command=: '/bin//ls' is never a resolved path: write it without '//', '.' and '..'\n" },
	{ DENY, ALLOW_A "Command=/bin/../ls\n",
		"rules.d/r.conf:3: Command=: '/bin/../ls' is never a resolved path: write it without '//', '.' and '..'\n" },
	{ DENY, ALLOW_A "Command=/bin/ls |\n",
		"rules.d/r.conf:3: Command=: there is no command on one side of a '|' (write \\| for the sign itself)\n" },
	{ DENY, ALLOW_A "Command=| /bin/ls\n",
		"rules.d/r.conf:3: Command=: there is no command on one side of a '|' (write \\| for the sign itself)\n" },

	/* Who must approve. */
	{ DENY, "[Rule a]\nDecision=approve\nNeed=0 of sre\n", "rules.d/r.conf:3: Need=: the count is 0: it must be 1 to 16\n" },
	{ DENY, "[Rule a]\nDecision=approve\nNeed=1 of ser or 1 of nope\n",
		"rules.d/r.conf:3: Need= names the team 'ser', and there is no [Team ser] in people.d\n"
		"rules.d/r.conf:3: Need= names the team 'nope', and there is no [Team nope] in people.d\n" },
	{ DENY, "[Rule a]\nDecision=approve\nNeed=3 of sre\n",
		"rules.d/r.conf:3: Need= wants 3 of team 'sre', of whom only 2 have a key in the approvers file\n" },
	{ DENY, "[Rule a]\nDecision=approve\nNeed=1 of sre or 1 of nobody-home\n",
		"rules.d/r.conf:3: Need= wants 1 of team 'nobody-home', of whom only 0 have a key in the approvers file\n" },
	{ DENY, "[Rule a]\nDecision=approve\nNeed=2 of sre, 1 of sre with key\n",
		"rules.d/r.conf:3: Need= can never be met: nobody counts twice, and its teams have too few different people with"
		" a key for it in the approvers file\n" },
	/* By strength: bob has a security key, carol a plain one, dora a passkey. */
	{ DENY, "[Rule a]\nDecision=approve\nNeed=2 of sre with hw-key\n",
		"rules.d/r.conf:3: Need= wants 2 of team 'sre' with hw-key, of whom only 1 have such a key in the approvers file\n" },
	{ DENY, "[Rule a]\nDecision=approve\nNeed=1 of nobody-home with key or 3 of sre with key\n",
		"rules.d/r.conf:3: Need= wants 1 of team 'nobody-home' with key, of whom only 0 have such a key in the approvers file\n"
		"rules.d/r.conf:3: Need= wants 3 of team 'sre' with key, of whom only 2 have such a key in the approvers file\n" },
	{ DENY, "[Rule a]\nDecision=approve\nNeed=1 of sre with hw-key, 2 of sre\n",
		"rules.d/r.conf:3: Need= can never be met: nobody counts twice, and its teams have too few different people with"
		" a key for it in the approvers file\n" },
	{ DENY "[Default]\nNeed=2 of sre with hw-key\n", "",
		"jitd.conf:4: Need= wants 2 of team 'sre' with hw-key, of whom only 1 have such a key in the approvers file\n" },

	/* Terms. */
	{ DENY, ASK "For=5h\n", "rules.d/r.conf:4: For= is longer than AtMost= (4h, when not said): lower it, or raise AtMost=\n" },
	{ DENY, ASK "AtMost=10min\n", "rules.d/r.conf:4: For= is longer than AtMost=: lower it, or raise AtMost=\n" },
	{ DENY, ASK "AtMost=10min\nFor=11min\n", "rules.d/r.conf:5: For= is longer than AtMost=: lower it, or raise AtMost=\n" },
	{ DENY, ASK "For=0\nAnswerBy=0s\nClaimBy=0\nAtMost=0\n",
		"rules.d/r.conf:4: For=: nothing can be done in no time: write a span such as 10min\n"
		"rules.d/r.conf:5: AnswerBy=: nothing can be done in no time: write a span such as 10min\n"
		"rules.d/r.conf:6: ClaimBy=: nothing can be done in no time: write a span such as 10min\n"
		"rules.d/r.conf:7: AtMost=: nothing can be done in no time: write a span such as 10min\n" },
	{ DENY, ASK "Scope=host\n", "rules.d/r.conf:4: Scope=: 'host' is none of command, session, service\n" },
	{ DENY, ASK "Unmapped=true\n", "rules.d/r.conf:4: Unmapped=: 'true' is neither yes nor no\n" },
	{ DENY, ASK "Join=tty\n", "rules.d/r.conf:4: Join=: 'tty' is neither session nor user\n" },
	{ DENY, ASK "Reason=maybe\n", "rules.d/r.conf:4: Reason=: 'maybe' is none of optional, none, required, required PATTERN\n" },
	{ DENY, ASK "Reason=optional ^x\n", "rules.d/r.conf:4: Reason=: a pattern stands only after required\n" },
	{ DENY, ASK "Reason=required (x\n",
		"rules.d/r.conf:4: Reason=: the pattern '(x' is no extended regular expression: Unmatched ( or \\(\n" },
	{ DENY, ASK "Reason=required (a)\\1\n", "rules.d/r.conf:4: Reason=: the pattern refers back with \\1: that is not taken\n" },
	{ DENY, ASK "Reason=required ((a{1,99}){1,99}){1,99}\n",
		"rules.d/r.conf:4: Reason=: the pattern's {…} multiply to 10000 or more: use + or *\n" },
	{ DENY, ASK "Reason=required\nReasonHint=\n", "rules.d/r.conf:5: ReasonHint= has no value: leave the line out to have the default\n" },
	{ DENY, ASK "ReasonHint=the ticket\n",
		"rules.d/r.conf:4: ReasonHint= explains a reason that nobody has to give: add Reason=required, or leave it out\n" },
	{ DENY, ASK "Reason=none\nReasonHint=the ticket\n",
		"rules.d/r.conf:5: ReasonHint= explains a reason that nobody has to give: add Reason=required, or leave it out\n" },
	{ DENY, ASK "Reason=must\nReasonHint=the ticket\n",
		"rules.d/r.conf:4: Reason=: 'must' is none of optional, none, required, required PATTERN\n" },
	{ DENY, ASK "Match=code\n", "rules.d/r.conf:4: Match=: 'code' is neither yes nor no\n" },
	{ DENY, ASK "AtEnd=warn 5min\n",
		"rules.d/r.conf:4: AtEnd=: after the warning stands what happens: \"warn 5min, terminate\" or \"warn 5min, drain\"\n" },
	{ DENY, ASK "AtEnd=warn, drain\n", "rules.d/r.conf:4: AtEnd=: warn what? write \"warn 5min\" or \"warn no\"\n" },
	{ DENY, ASK "AtEnd=drain, warn 5min\n",
		"rules.d/r.conf:4: AtEnd=: 'drain' is not understood: before the ',' stands \"warn SPAN\" or \"warn no\"\n" },
	{ DENY, ASK "AtEnd=warn 5min, drain, terminate\n",
		"rules.d/r.conf:4: AtEnd=: 'drain, terminate' is not understood: write it like \"warn 5min, terminate 5s\" or"
		" \"warn no, drain\"\n" },
	{ DENY, ASK "AtEnd=kill\n",
		"rules.d/r.conf:4: AtEnd=: 'kill' is not understood: write it like \"warn 5min, terminate 5s\" or \"warn no, drain\"\n" },
	{ DENY, ASK "AtEnd=drain 5s\n",
		"rules.d/r.conf:4: AtEnd=: 'drain 5s' is not understood: write it like \"warn 5min, terminate 5s\" or \"warn no,"
		" drain\"\n" },
	{ DENY, ASK "AtEnd=terminate 1h\n", "rules.d/r.conf:4: AtEnd=: the grace after the end is 5 min at most\n" },
	{ DENY, ASK "AtEnd=terminate 0s\n",
		"rules.d/r.conf:4: AtEnd=: nothing can be done in no time: write a span such as 10min\n" },
	{ DENY, ASK "For=1h\nFor=2h\nScope=\n",
		"rules.d/r.conf:5: For= stands in this section for the second time (first in line 4): remove one\n"
		"rules.d/r.conf:6: Scope= has no value: leave the line out to have the default\n" },

	/* The host. */
	{ "[Host]\nDefault=maybe\n", "", "jitd.conf:2: Default=: 'maybe' is none of allow, deny, approve\n" },
	{ "[Host]\nDefault=deny\nHost=a b\n", "",
		"jitd.conf:3: Host=: 'a b' is not a host's name: at most 64 letters, digits, '.', '-'\n" },
	{ "[Host]\nDefault=deny\nOrigin=https://hub.example.com/\n", "",
		"jitd.conf:3: Origin=: 'https://hub.example.com/' is not an origin: https://HOST[:PORT] in small letters, with no"
		" slash at the end\n" },
	{ "[Host]\nDefault=deny\nOrigin=http://hub.example.com\n", "",
		"jitd.conf:3: Origin=: 'http://hub.example.com' is not an origin: https://HOST[:PORT] in small letters, with no"
		" slash at the end\n" },
	{ "[Host]\nDefault=deny\nSshdExecutable=sshd\n", "", "jitd.conf:3: SshdExecutable=: 'sshd' is not an absolute path\n" },
	{ "[Host]\nDefault=deny\nSecurePath=/bin:.\n", "", "jitd.conf:3: SecurePath=: '.' is not an absolute path\n" },
	{ "[Host]\nDefault=deny\nHold=2h\n", "",
		"jitd.conf:3: Hold=: a call is held for an hour at most: its terminal and sudo's lock are held with it\n" },
	{ "[Host]\nDefault=deny\nMaxPending=0\n", "", "jitd.conf:3: MaxPending=: '0' is not a number from 1 to 100000\n" },
	{ "[Host]\nDefault=deny\nMaxPending=-1\n", "", "jitd.conf:3: MaxPending=: '-1' is not a number from 1 to 100000\n" },
	{ "[Host]\nDefault=deny\nMaxPending=4\nMaxPendingPerUser=5\n", "",
		"jitd.conf:4: MaxPendingPerUser= is more than MaxPending=\n" },
	{ "[Host]\nDefault=deny\nDefault=allow\n", "",
		"jitd.conf:3: Default= stands in this section for the second time (first in line 2): remove one\n" },

	/* Default=approve, said or not, asks somebody. */
	{ "[Host]\nDefault=approve\n", "",
		"jitd.conf:2: Default=approve asks whom? add Need= to [Default] in jitd.conf, like Need=1 of sre, or say"
		" Default=deny in [Host]\n" },
	{ "[Host]\nHold=1min\n[Default]\nScope=service\n", "",
		"jitd.conf:3: Default=approve asks whom? add Need= to [Default] in jitd.conf, like Need=1 of sre, or say"
		" Default=deny in [Host]\n" },
	{ "[Default]\nNeed=1 of nope\n", "",
		"jitd.conf:2: Need= names the team 'nope', and there is no [Team nope] in people.d\n" },
	{ "[Default]\nNeed=1 of sre\nFor=8h\n", "",
		"jitd.conf:3: For= is longer than AtMost= (4h, when not said): lower it, or raise AtMost=\n" },

	/* Where and when. */
	{ "[Host]\nDefault=deny\nLabel=prod !x\n", "[Rule a]\nDecision=deny\nCwd=srv\nCwd=/srv/\nCwd=/a/../b\nTty=/dev/pts/0\nTty=!\n"
		"Remote=10.0.0.1/8\nRemote=a.example\nHost=!\nLabel=%x\nHours=Mon\nHours=Mon Mars/Olympus\nHours=Mon UTC |\n"
		"Hours=\nHours=8-20 UTC\nHours=| Mon UTC\n",
		"jitd.conf:3: Label=: '!x' is not a label: write it like prod or dmz-2\n"
		"rules.d/r.conf:3: Cwd=: 'srv' is not an absolute path (a '!' in front negates it)\n"
		"rules.d/r.conf:4: Cwd=: '/srv/' is never a folder's path: write it without '//', '.', '..' and '/' at the end\n"
		"rules.d/r.conf:5: Cwd=: '/a/../b' is never a folder's path: write it without '//', '.', '..' and '/' at the end\n"
		"rules.d/r.conf:6: Tty=: '/dev/pts/0' is not a terminal: write it like pts/*, tty1 or none\n"
		"rules.d/r.conf:7: Tty=: '!' is not a terminal: write it like pts/*, tty1 or none\n"
		"rules.d/r.conf:8: Remote=: '10.0.0.1/8' has bits behind its prefix: is the address or the length meant?\n"
		"rules.d/r.conf:9: Remote=: 'a.example' is no network: write it like 10.0.0.0/8 or 2001:db8::/32 (a '!' in front"
		" negates it)\n"
		"rules.d/r.conf:10: Host=: a '!' negates what stands behind it, without a blank between\n"
		"rules.d/r.conf:11: Label=: '%x' is not a name (a '!' in front negates it)\n"
		"rules.d/r.conf:12: Hours=: days and times are those of a time zone: write them like"
		" \"Mon..Fri 08:00-20:00 Europe/Berlin\" or \"Sat..Sun UTC\"\n"
		"rules.d/r.conf:13: Hours=: there is no time zone 'Mars/Olympus' in /usr/share/zoneinfo (No such file or directory;"
		" package tzdata): write it like Europe/Berlin or UTC\n"
		"rules.d/r.conf:14: Hours=: there is nothing on one side of a '|'\n"
		"rules.d/r.conf:16: Hours=: '8-20' is no time of day: write it like 08:00-20:00\n"
		"rules.d/r.conf:17: Hours=: there is nothing on one side of a '|'\n" },
	{ DENY, "[Rule a]\nDecision=deny\nHours=Mon UTC\nHours=\n", "rules.d/r.conf:4: Hours= is empty: leave it out to match"
		" everything\n" },

	/* Every mistake is told. */
	{ "[Host]\nHold=x\nDefault=deny\n", "[Rule a]\nUser=*\nNeed=1 of nope\n[Rule b]\nDecision=deny\nX=1\nbad\n",
		"jitd.conf:2: Hold=: 'x' is not a span of time such as 90s, 30min or '1h 30min'\n"
		"rules.d/r.conf:2: User=: '*' is neither a user nor a %group (a '!' in front negates it)\n"
		"rules.d/r.conf:3: Need= names the team 'nope', and there is no [Team nope] in people.d\n"
		"rules.d/r.conf:1: [Rule a] has no Decision=: allow, deny or approve\n"
		"rules.d/r.conf:6: unknown key 'X' in [Rule]; known: Service User Target Command Cwd Tty Remote Host Label Hours"
		" Decision Message Check Inform Escalate Recheck Need Scope For AtMost AnswerBy ClaimBy Reason ReasonHint Match AtEnd Unmapped Join\n"
		"rules.d/r.conf:7: neither [Section] nor Key=value nor a comment ('#')\n" },
};

/* The words of a mistake with the site's own path taken out. */
static void neutral(char *text, const char *site)
{
	char *at;

	while ((at = strstr(text, site))) {
		memcpy(at, "SITE", 4);
		memmove(at + 4, at + strlen(site), strlen(at + strlen(site)) + 1);
	}
}

static void mistakes(void **state)
{
	for (size_t i = 0; i < ELEMENTS(sites); i++) {
		CLEAN(conf_errors_done) struct conf_errors e = { 0 };
		struct policy *p = NULL;
		char got[8192] = "", site[64];

		begin(sites[i].host, sites[i].rules);
		snprintf(site, sizeof(site), "%s", site_path(""));
		site[strlen(site) - 1] = '\0';
		assert_int_equal(load(&p, &e), -EINVAL);
		assert_null(p);
		for (size_t k = 0; k < e.n; k++)
			snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s\n", site_error(&e, k));
		neutral(got, site);
		if (strcmp(got, sites[i].mistakes) != 0)
			fail_msg("%s---\n%s--- wanted\n%s--- got\n%s", sites[i].host, sites[i].rules, sites[i].mistakes, got);
		site_end();
	}
}

static void long_pattern(void **state)
{
	CLEAN(conf_errors_done) struct conf_errors e = { 0 };
	struct policy *p = NULL;
	char text[1024] = ASK "Reason=required ";
	size_t len = strlen(text);

	memset(text + len, 'x', 257);
	begin(DENY, text);
	assert_int_equal(load(&p, &e), -EINVAL);
	assert_int_equal(e.n, 1);
	assert_string_equal(site_error(&e, 0), "rules.d/r.conf:4: Reason=: the pattern is longer than 256 bytes");
	text[len + 256] = '\0';
	site_write("rules.d/r.conf", text);
	policy_free(load_or_fail());
	site_end();
}

static void nothing_configured(void **state)
{
	CLEAN(conf_errors_done) struct conf_errors e = { 0 };
	struct policy *p = NULL;

	begin(NULL, NULL);
	assert_int_equal(load(&p, &e), -EINVAL);
	assert_int_equal(e.n, 1);
	assert_non_null(strstr(e.list[0], "there is no configuration, so nothing can be decided: write jitd.conf and a rule in"
		" rules.d (jitd.conf(5) has examples), then jitctl config check"));
	site_end();
}

/* Bad people are bad rules: nothing is said of teams then but what is wrong with people. */
static void bad_people(void **state)
{
	CLEAN(conf_errors_done) struct conf_errors e = { 0 };
	struct policy *p = NULL;

	begin(DENY, ASK);
	site_write("people.d/p.conf", "[Team sre]\nMember=bob\n");
	site_write("approvers", "");
	assert_int_equal(load(&p, &e), -EINVAL);
	assert_int_equal(e.n, 1);
	assert_string_equal(site_error(&e, 0), "people.d/p.conf:1: [Team sre]: there is no [Person bob]");
	site_end();
}

static void untrusted(void **state)
{
	static const char *const names[] = { "jitd.conf", "rules.d/r.conf", "people.d/p.conf", "approvers", "rules.d", "people.d" };

	for (size_t i = 0; i < ELEMENTS(names); i++) {
		CLEAN(conf_errors_done) struct conf_errors e = { 0 };
		struct policy *p = NULL;

		begin(DENY, ASK);
		assert_int_equal(chmod(site_path(names[i]), 0777), 0);
		assert_int_equal(load(&p, &e), -EINVAL);
		assert_true(e.n >= 1);
		if (strncmp(site_error(&e, 0), names[i], strlen(names[i])) != 0)
			fail_msg("%s: %s", names[i], e.list[0]);
		site_end();
	}
}

static void defaults(void **state)
{
	char host[HOST_NAME_MAX + 1] = "";
	struct policy *p;
	const struct rule *r;

	begin("[Default]\nNeed=1 of sre\n", ASK);
	p = load_or_fail();
	gethostname(host, sizeof(host) - 1);
	assert_string_equal(p->host, host);
	assert_int_equal(p->default_decision, DECISION_APPROVE);
	assert_int_equal(p->hold_usec, 2 * USEC_PER_MIN);
	assert_int_equal(p->max_pending_user, 8);
	assert_int_equal(p->max_pending, 1000);
	assert_null(p->origins);
	assert_string_equal(p->sshd_exe[0], "/usr/sbin/sshd");
	assert_string_equal(p->secure_path[5], "/bin");
	assert_null(p->secure_path[6]);
	for (int i = 0; i < 2; i++) {
		r = i ? &p->fallback : &p->rule[0];
		assert_string_equal(r->name, i ? "Default" : "a");
		assert_int_equal(r->line, 1);
		assert_int_equal(r->decision, DECISION_APPROVE);
		assert_int_equal(r->need.n, 1);
		assert_int_equal(r->scope, SCOPE_COMMAND);
		assert_int_equal(r->work_usec, 30 * USEC_PER_MIN);
		assert_int_equal(r->at_most_usec, 4 * USEC_PER_HOUR);
		assert_int_equal(r->answer_by_usec, 10 * USEC_PER_MIN);
		assert_int_equal(r->claim_by_usec, 15 * USEC_PER_MIN);
		assert_int_equal(r->reason, REASON_OPTIONAL);
		assert_null(r->reason_pattern);
		assert_int_equal(r->at_end, AT_END_TERMINATE);
		assert_int_equal(r->warn_usec, 5 * USEC_PER_MIN);
		assert_int_equal(r->grace_usec, 5 * USEC_PER_SEC);
		assert_false(r->unmapped);
		assert_false(r->join_user);
		assert_true(!r->service && !r->user && !r->target && !r->command && !r->message);
	}
	policy_free(p);
	site_end();
}

static void at_ends(void **state)
{
	static const struct {
		const char *text;
		enum at_end at_end;
		uint64_t warn, grace; /* seconds */
	} cases[] = {
		{ "warn 5min, terminate 5s", AT_END_TERMINATE, 300, 5 },
		{ "warn 1h 30min , terminate 10s grace", AT_END_TERMINATE, 5400, 10 },
		{ "warn 60,terminate", AT_END_TERMINATE, 60, 5 },
		{ "warn no, terminate 1min", AT_END_TERMINATE, 0, 60 },
		{ "warn 2min, drain", AT_END_DRAIN, 120, 5 },
		{ "warn no, drain", AT_END_DRAIN, 0, 5 },
		{ "terminate", AT_END_TERMINATE, 300, 5 },
		{ "terminate 30s", AT_END_TERMINATE, 300, 30 },
		{ "drain", AT_END_DRAIN, 300, 5 },
	};

	for (size_t i = 0; i < ELEMENTS(cases); i++) {
		char text[256];
		struct policy *p;

		snprintf(text, sizeof(text), ASK "AtEnd=%s\n", cases[i].text);
		begin(DENY, text);
		p = load_or_fail();
		assert_int_equal(p->rule[0].at_end, cases[i].at_end);
		assert_int_equal(p->rule[0].warn_usec, cases[i].warn * USEC_PER_SEC);
		assert_int_equal(p->rule[0].grace_usec, cases[i].grace * USEC_PER_SEC);
		policy_free(p);
		site_end();
	}
}

/* The order of files, lists that grow and are cleared, later values of the host that win. */
static void order(void **state)
{
	struct policy *p;

	begin("[Host]\nDefault=deny\nHold=1min\nOrigin=https://a.example\n[Host]\nHold=90s\nOrigin=https://b.example:8443\n",
		"[Rule two]\nDecision=allow\nUser=x y\nUser=z\n");
	site_write("jitd.conf.d/10.conf", "[Host]\nDefault=allow\nSshdExecutable=/opt/sshd\n");
	site_write("jitd.conf.d/20.conf", "[Host]\nSecurePath=/bin /sbin:/opt\nOrigin=\nOrigin=https://c.example http://localhost:8080\n");
	site_write("rules.d/a.conf", "[Rule one]\nDecision=deny\nUser=x\nUser=\nUser=q\nMessage=no: ask \"bob\" = me\n");
	site_write("rules.d/z.conf", "[Rule three]\nDecision=allow\nCommand=/bin/a x\\ y * | /bin/b | /c/\\|\nCommand=sudoedit /e\n");
	p = load_or_fail();
	assert_int_equal(p->default_decision, DECISION_ALLOW);
	assert_int_equal(p->hold_usec, 90 * USEC_PER_SEC);
	assert_int_equal(conf_list_len(p->origins), 2);
	assert_string_equal(p->origins[0], "https://c.example");
	assert_string_equal(p->sshd_exe[0], "/opt/sshd");
	assert_null(p->sshd_exe[1]);
	assert_int_equal(conf_list_len(p->secure_path), 3);
	assert_int_equal(p->n_rules, 3);
	assert_string_equal(p->rule[0].name, "one");
	assert_int_equal(conf_list_len(p->rule[0].user), 1);
	assert_string_equal(p->rule[0].user[0], "q");
	assert_string_equal(p->rule[0].message, "no: ask \"bob\" = me");
	assert_string_equal(p->rule[1].name, "two");
	assert_int_equal(conf_list_len(p->rule[1].user), 3);
	assert_int_equal(p->rule[1].line, 1);
	assert_non_null(strstr(p->rule[1].file, "/rules.d/r.conf"));
	assert_int_equal(conf_list_len(p->rule[2].command), 4);
	assert_string_equal(p->rule[2].command[0], "/bin/a x\\ y *");
	assert_string_equal(p->rule[2].command[2], "/c/\\|");
	assert_string_equal(p->rule[2].command[3], "sudoedit /e");
	policy_free(p);
	site_end();
}

/* Large teams: more people than may vote. */
static void large_team(void **state)
{
	CLEAN(free_p) char *people = malloc(65536);
	size_t len = 0;

	for (int i = 0; i < 200; i++)
		len += (size_t)sprintf(people + len, "[Person p%d]\nPrincipal=p%d%s\n", i, i, i == 150 ? " bob" : "");
	len += (size_t)sprintf(people + len, "[Team all]\nMember=");
	for (int i = 0; i < 200; i++)
		len += (size_t)sprintf(people + len, "p%d ", i);
	begin(DENY, "[Rule a]\nDecision=approve\nNeed=1 of all\n");
	site_write("people.d/p.conf", people);
	site_write("approvers", SIGNER("bob", KEY_BOB));
	policy_free(load_or_fail()); /* the only one with a key stands far behind */
	site_end();
}

/* What `sha256sum FILE…` prints, digested; one byte more changes it. */
static void digest(void **state)
{
	static const char *const names[] = { "people.d/p.conf", "approvers", "jitd.conf", "rules.d/r.conf" };
	const char *const texts[] = { site_people, site_approvers, DENY, ALLOW_A };
	char list[1024] = "", hex[SHA256_HEX + 1];
	struct policy *p;

	for (size_t i = 0; i < ELEMENTS(names); i++) {
		assert_int_equal(sha256_hex(texts[i], strlen(texts[i]), hex), 0);
		sprintf(list + strlen(list), "%s  %s\n", hex, names[i]);
	}
	assert_int_equal(sha256_hex(list, strlen(list), hex), 0);
	begin(DENY, ALLOW_A);
	p = load_or_fail();
	assert_string_equal(p->digest, hex);
	policy_free(p);
	site_write("rules.d/r.conf", ALLOW_A "#");
	p = load_or_fail();
	assert_string_not_equal(p->digest, hex);
	policy_free(p);
	site_end();
}

/* Writes what policy_show() printed back as files, section by section. */
static void write_shown(const char *shown)
{
	CLEAN(free_p) char *host = calloc(1, strlen(shown) + 1), *rules = calloc(1, strlen(shown) + 1);
	CLEAN(free_p) char *people = calloc(1, strlen(shown) + 1), *copy = strdup(shown);
	char *into = host, *save = NULL;

	for (char *line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		if (line[0] == '[')
			into = strncmp(line, "[Rule ", 6) == 0 ? rules :
				strncmp(line, "[Person ", 8) == 0 || strncmp(line, "[Team ", 6) == 0 ? people : host;
		if (line[0] == '#')
			continue;
		strcat(into, line);
		strcat(into, "\n");
	}
	site_write("jitd.conf", host);
	site_write("rules.d/r.conf", rules);
	site_write("people.d/p.conf", people);
}

/* The same text but for the comments, which name places. */
static void same_shown(const char *a, const char *b)
{
	CLEAN(free_p) char *x = strdup(a), *y = strdup(b);
	char *save_x = NULL, *save_y = NULL, *line_x = strtok_r(x, "\n", &save_x), *line_y = strtok_r(y, "\n", &save_y);

	while (line_x && line_y) {
		if (line_x[0] != '#' || line_y[0] != '#')
			assert_string_equal(line_x, line_y);
		line_x = strtok_r(NULL, "\n", &save_x);
		line_y = strtok_r(NULL, "\n", &save_y);
	}
	assert_true(!line_x && !line_y);
}

static void shows(void **state)
{
	CLEAN(free_p) char *first = NULL, *second = NULL;
	struct policy *p;

	begin("[Host]\nHost=web1\nOrigin=https://hub.example.com\nHold=90s\n[Default]\nNeed=1 of sre or 1 of security with hw-key\n"
	      "Reason=required ^[A-Z]{3}\nReasonHint=the  ticket, such as INC-1\nAtEnd=warn no, drain\n",
		"[Rule a]\nUser=%dba !x\nCommand=/bin/a b\\ c * | /bin/d\nDecision=approve\nNeed=2 of sre, 1 of security\n"
		"For=90min\nUnmapped=yes\nJoin=user\nScope=service\nMatch=yes\n"
		"[Rule b]\nTarget=vault\nDecision=deny\nMessage=not here\n"
		"[Rule d]\nCwd=/a\\ b/* !/c\nTty=none pts/*\nRemote=10.0.0.0/8 !::1\nHost=web*\nLabel=!prod\n"
		"Hours=Mon..Fri,Sun 08:00-20:00 Europe/Berlin | !Sat UTC\nHours=22:00-06:00 UTC\nDecision=deny\n"
		"[Rule c]\nDecision=allow\n");
	p = load_or_fail();
	first = policy_show(p);
	policy_free(p);
	assert_non_null(strstr(first, "[Host]\nHost=web1\nDefault=approve\nHold=1 min 30 s\nOrigin=https://hub.example.com\n"));
	assert_non_null(strstr(first, "/rules.d/r.conf:11\n[Rule b]\nTarget=vault\nDecision=deny\nMessage=not here\n"));
	assert_non_null(strstr(first, "Command=/bin/a b\\ c * | /bin/d\n"));
	assert_non_null(strstr(first, "Reason=required ^[A-Z]{3}\nReasonHint=the  ticket, such as INC-1\nMatch=no\nAtEnd=warn no, drain\n"));
	assert_non_null(strstr(first, "Match=yes\n"));
	assert_non_null(strstr(first, "Cwd=/a\\ b/* !/c\nTty=none pts/*\nRemote=10.0.0.0/8 !::1\nHost=web*\nLabel=!prod\n"
		"Hours=Mon..Fri,Sun 08:00-20:00 Europe/Berlin | !Sat UTC | 22:00-06:00 UTC\n"));
	write_shown(first);
	p = load_or_fail();
	second = policy_show(p);
	policy_free(p);
	same_shown(first, second);
	site_end();
}

/* What is shipped. */

static char *shipped(const char *name)
{
	char path[PATH_MAX], *text = NULL;
	size_t len;

	snprintf(path, sizeof(path), "%s/%s", CONF_SOURCES, name);
	assert_int_equal(file_read_untrusted(AT_FDCWD, path, 65536, &text, &len), 0);
	return text;
}

/* jitd.conf shows every key of its sections with its default. */
static void shipped_jitd_conf(void **state)
{
	CLEAN(free_p) char *text = shipped("jitd.conf");
	struct policy_key_doc k;
	struct policy *p;
	size_t n = 0;

	for (size_t i = 0; policy_key_doc(i, &k); i++) {
		char line[512];

		if (strcmp(k.sections, "Rule") == 0)
			continue;
		snprintf(line, sizeof(line), "\n#%s=%s\n", k.key, k.fallback ? k.fallback : "");
		if (!strstr(text, line))
			fail_msg("conf/jitd.conf has no line '%.*s'", (int)strlen(line) - 2, line + 1);
		n++;
	}
	for (char *c = text; (c = strstr(c, "\n#")); c++)
		n -= c[2] != ' ' && c[2] != '\n';
	assert_int_equal(n, 0); /* and no other key */
	begin(text, NULL);
	site_write("jitd.conf.d/x.conf", "[Default]\nNeed=1 of sre\n");
	p = load_or_fail();
	policy_free(p);
	site_end();
}

static void shipped_examples(void **state)
{
	CLEAN(free_p) char *rules = shipped("examples/rules.conf"), *people = shipped("examples/people.conf");
	CLEAN(free_p) char *approvers = shipped("examples/approvers");
	struct policy *p;

	begin(DENY, rules);
	site_write("people.d/p.conf", people);
	site_write("approvers", approvers);
	p = load_or_fail();
	assert_true(p->n_rules >= 6);
	assert_int_equal(p->people.n_persons, 4);
	assert_int_equal(p->people.approvers.n, 4);
	policy_free(p);
	site_end();
}

static void every_key_is_documented(void **state)
{
	struct policy_key_doc k;
	size_t i;

	for (i = 0; policy_key_doc(i, &k); i++) {
		assert_true(strlen(k.text) > 10);
		assert_true(strchr(".:,", k.text[strlen(k.text) - 1]) || strchr(k.text, ':'));
	}
	assert_true(i > 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mistakes),
		cmocka_unit_test(long_pattern),
		cmocka_unit_test(nothing_configured),
		cmocka_unit_test(bad_people),
		cmocka_unit_test(untrusted),
		cmocka_unit_test(defaults),
		cmocka_unit_test(at_ends),
		cmocka_unit_test(order),
		cmocka_unit_test(large_team),
		cmocka_unit_test(digest),
		cmocka_unit_test(shows),
		cmocka_unit_test(shipped_jitd_conf),
		cmocka_unit_test(shipped_examples),
		cmocka_unit_test(every_key_is_documented),
	};

	return cmocka_run_group_tests_name("policy-load", tests, NULL, NULL);
}
