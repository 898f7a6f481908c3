"""Checks of rules with real sudo: each kind tripping, informing and raising the need; programs of the site that misbehave."""

import json
import re

import pytest

from answers import CONF, Desk

RULES = """\
[Rule {name}]
Service=sudo
User=alice
Target=root
Command=/usr/bin/true {name}
{keys}
"""


class Rules:
    """A rule for each case, told apart by the argument of its command; all in one file, read once."""

    def __init__(self):
        self.text, self.n = "", 0

    def add(self, *keys, decision="approve", need="1 of sre"):
        self.n += 1
        name = f"c{self.n}"
        keys = [f"Decision={decision}", *([f"Need={need}"] if decision == "approve" else []), *keys]
        self.text += RULES.format(name=name, keys="\n".join(keys)) + "\n"
        return name


RULE = Rules()

# Check=, and the words of its refusal.
TRIPS = [
    ("load<0", r"load<0: load is \d+\.\d\d"),
    ("load-per-core<0", r"load-per-core<0: load is \d+\.\d\d on \d+ cores"),
    ("memory>1000T", r"memory>1000T: [\d.]+[MG] of [\d.]+[MG] available \(\d+%\)"),
    ("memory>100%", r"memory>100%: "),
    ("disk:/var>1000T", r"disk:/var>1000T: /var has .* free \(\d+%\)"),
    ("disk:/nope>1%", r"disk:/nope>1%: cannot be read: /nope: No such file or directory"),
    ("failed-units=0", r"failed-units=0: 1 failed unit: broken\.service"),
    ("unit:broken.service=active", r"unit:broken\.service=active: broken\.service is failed"),
    ("unit:nope.service=inactive", r"unit:nope\.service=inactive: cannot be read: there is no such unit"),
    ("file:/etc/freeze=absent", r"file:/etc/freeze=absent: /etc/freeze is there"),
    ("file:/run/old.ok<1h", r"file:/run/old\.ok<1h: /run/old\.ok is 2 h\b.* old"),
    ("file:/run/no.ok<1h", r"file:/run/no\.ok<1h: /run/no\.ok is not there"),
    ("users<1", r"users<1: \d users? logged in"),
    ("user:alice=absent", r"user:alice=absent: alice is logged in"),
    ("user:nobody-here=absent", r"user:nobody-here=absent: cannot be read: there is no such account"),
    ("up>360d", r"up>360d: up for "),
    ("incident=no", r"incident=no: an incident is open: INC-7: db1 is down"),
    ("exec:/usr/local/lib/site/no reason", r"exec:/usr/local/lib/site/no reason: exit status 3: no, alice, not reason now"),
    ("exec:/usr/local/lib/site/missing", r"exec:/usr/local/lib/site/missing: cannot be run: .*No such file or directory"),
    ("exec:/usr/local/lib/site/foreign", r"cannot be run: .*foreign is not root's \(chown root "),
    ("exec:/usr/local/lib/site/writable", r"cannot be run: .*writable is writable by others than root \(chmod go-w "),
    ("exec:/usr/local/lib/open/yes", r"cannot be run: /usr/local/lib/open is writable by others than root"),
    ("exec:/usr/local/lib/site/hangs", r"exec:/usr/local/lib/site/hangs: cannot be run: no result in 2 s"),
    ("exec:/usr/local/lib/site/dies", r"cannot be run: it ended by signal 9"),
    ("exec:/usr/local/lib/site/junk", r"exec:/usr/local/lib/site/junk: exit status 1: \\x00\\xff\\x1b\[31m"),
    ("exec:/usr/local/lib/site/floods", r"exec:/usr/local/lib/site/floods: exit status 1: yyyyyyyy"),
    ("load<1000 exec:/usr/local/lib/site/no x", r"the check exec:/usr/local/lib/site/no x: "),
]
TRIPPING = [(RULE.add(f"Check={check}"), check, words) for check, words in TRIPS]
ALLOW_HOLDS = RULE.add("Check=load<1000 disk:/var>1K failed-units<5 unit:broken.service=failed file:/etc/freeze=present users<100 up>1s "
                       "incident=yes user:alice=present exec:/usr/local/lib/site/yes", decision="allow")
ALLOW_TRIPS = RULE.add("Check=file:/etc/freeze=absent", decision="allow")
ALLOW_RAISED = RULE.add("Escalate=1 of sre unless file:/etc/freeze=absent", decision="allow")
RAISED = RULE.add("Escalate=2 of sre unless load<1000 file:/etc/freeze=absent", "Inform=memory>1000T load<1000")
CALM = RULE.add("Escalate=2 of sre unless load<1000")
WHO = RULE.add("Check=exec:/usr/local/lib/site/who")
DAEMON = RULE.add("Check=exec:/usr/local/lib/site/daemon", decision="allow")
SLOW = RULE.add("Check=exec:/usr/local/lib/site/slow", decision="allow")

PROGRAMS = {
    "yes": "exit 0",
    "no": 'echo "no, $JIT_USER, not $1 now"; echo second line; exit 3',
    "hangs": "trap '' TERM HUP; sleep 1000 & while :; do sleep 1000; done",
    "daemon": "setsid sleep 4242 >/dev/null 2>&1 & setsid setsid sleep 4243 & exit 0",
    "dies": "kill -9 $$",
    "junk": r"printf '\000\377\033[31mred\033[0m\nmore'; exit 1",
    "floods": "yes | tr -d '\\n' | head -c 3000000; exit 1",
    "slow": "sleep 1.5",
    "who": 'id -un; env | sort >&2; exit 1',
    "foreign": "exit 0",
    "writable": "exit 0",
}


@pytest.fixture(scope="module")
def desk(bare):
    desk = Desk(bare)
    for name, text in PROGRAMS.items():
        bare.put(f"/usr/local/lib/site/{name}", f"#!/bin/sh\n{text}\n", 0o755)
    bare.run("chown", "alice", "/usr/local/lib/site/foreign")
    bare.run("chmod", "o+w", "/usr/local/lib/site/writable")
    bare.put("/usr/local/lib/open/yes", "#!/bin/sh\n", 0o755)
    bare.run("chmod", "1777", "/usr/local/lib/open")
    bare.put("/etc/systemd/system/broken.service", "[Service]\nType=oneshot\nExecStart=/bin/false\n")
    bare.run("systemctl", "daemon-reload")
    bare.run("systemctl", "start", "broken.service", check=False)
    bare.put("/etc/freeze", "")
    bare.put("/run/old.ok", "")
    bare.run("touch", "-d", "2 hours ago", "/run/old.ok")
    desk.set_up(conf=CONF + "CheckWithin=2s\n", rules=RULE.text)
    bare.put("/etc/jit/incident", "INC-7: db1 is down\nsecond line\n")
    return desk


@pytest.fixture
def web(desk):
    yield desk.host
    desk.clear()


def sudo(web, rule, user="alice", check=False, **how):
    return web.ssh(user, f"sudo true {rule}", check=check, **how)


def records(web, event):
    lines = web.run("jitctl", "audit", "--json").stdout.splitlines()
    return [r for r in map(json.loads, lines) if r["event"] == event]


def children(web):
    """Processes of jit-check's user, and what is left of its control groups."""
    done = web.run("pgrep", "-u", "jit-check", check=False).stdout.split()
    groups = web.run("sh", "-c", "ls -d /sys/fs/cgroup/system.slice/jitd.service/jit-check-* 2>/dev/null", check=False).stdout.split()
    return done + groups


@pytest.mark.parametrize(("rule", "check", "words"), TRIPPING, ids=[c for _, c, _ in TRIPPING])
def test_trips(web, rule, check, words):
    done = sudo(web, rule)
    assert done.returncode == 1 and done.stdout == ""
    assert re.search(rf"refused by .*{words}.* \(rule '{rule}'\)", done.stderr), done.stderr
    record = [r for r in records(web, "denied") if r["rule"] == rule][-1]
    assert record["by"] == "check" and re.search(words, record["text"])
    failed = [c for c in record["checks"] if not c["holds"]]
    assert failed and failed[0]["effect"] == "refuse" and failed[0]["by"] == "host"
    assert json.loads(web.run("jitctl", "list", "--all", "--json").stdout) == [], "nobody is asked"
    assert children(web) == []
