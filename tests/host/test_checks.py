"""Checks of rules with real sudo: each kind tripping, informing and raising the need; programs of the site that misbehave."""

import json
import re
import subprocess
import sys
import time

import pytest

from answers import CONF, Desk

PORT = 8087

RULES = """\
[Rule {name}]
Service=sudo
User=alice bob
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
# The same, where it raises the need and is shown to those who are asked.
RAISING = [(RULE.add(f"Escalate=2 of sre unless {check}", f"Inform={check}"), check) for check, _ in TRIPS if "hangs" not in check]
ALLOW_HOLDS = RULE.add("Check=load<1000 disk:/var>1K failed-units<5 unit:broken.service=failed file:/etc/freeze=present users<100 up>1s "
                       "incident=yes user:alice=present exec:/usr/local/lib/site/yes", decision="allow")
ALLOW_TRIPS = RULE.add("Check=file:/etc/freeze=absent", decision="allow")
ALLOW_RAISED = RULE.add("Escalate=1 of sre unless file:/etc/freeze=absent", decision="allow")
RAISED = RULE.add("Escalate=2 of sre unless load<1000 file:/etc/freeze=absent", "Inform=memory>1000T load<1000")
CALM = RULE.add("Escalate=2 of sre unless load<1000")
WHO = RULE.add("Check=exec:/usr/local/lib/site/who")
DAEMON = RULE.add("Check=exec:/usr/local/lib/site/daemon", decision="allow")
HTTP_OPEN = RULE.add(f"Check=http://127.0.0.1:{PORT}/open")
HTTP_FROZEN = RULE.add(f"Check=http://127.0.0.1:{PORT}/frozen")
ONCE = RULE.add("Check=file:/etc/freeze=absent")
AGAIN = RULE.add("Check=file:/etc/freeze=absent", "Recheck=yes")
RAISED_AGAIN = RULE.add("Escalate=2 of sre unless file:/etc/freeze=absent", "Recheck=yes")
SERVICE_AGAIN = RULE.add("Check=file:/etc/freeze=absent", "Recheck=yes", "Scope=service")
MOMENT = RULE.add("Check=exec:/usr/local/lib/site/moment", "Recheck=yes")
TICKET = RULE.add("Check=exec:/usr/local/lib/site/ticket")
BOB = RULE.add("Check=load<0")
HTTP_SLOW = RULE.add(f"Check=load<1000 http://127.0.0.1:{PORT}/slow")
HTTP_RAISED = RULE.add(f"Escalate=2 of sre unless http://127.0.0.1:{PORT}/frozen", f"Inform=http://127.0.0.1:{PORT}/open")
BOMB = RULE.add("Check=exec:/usr/local/lib/site/bomb")
MEANWHILE = RULE.add("Check=file:/etc/freeze=absent exec:/usr/local/lib/site/meanwhile", decision="allow")
LAST = RULE.add("Check=file:/etc/freeze=absent", "Inform=exec:/usr/local/lib/site/endless")
WRITES = RULE.add("Check=exec:/usr/local/lib/site/writes")
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
    "writes": ("for d in /dev/shm /dev/mqueue /run/lock /run/jit /run/jit/inbox /var/lib/jit /var/log /usr/local/lib/open /tmp /var/tmp; do"
               " touch $d/by-check-$$ && printf '%s ' $d; done 2>/dev/null; echo; exit 1"),
    "meanwhile": "until [ -e /etc/freeze ]; do sleep 0.05; done",
    "endless": "exec sleep 1000",
    "who": 'id -un; env | sort >&2; exit 1',
    "moment": 'echo "$JIT_MOMENT"; [ "$JIT_MOMENT" = ask ]',
    "ticket": 'case $JIT_REASON in INC-*) ;; *) echo "no ticket: $JIT_REASON"; exit 1;; esac',
    "bomb": "b() { b | b & }; b; exec sleep 1000",
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


def explain(web, rule, *options):
    return web.run("jitctl", "explain", "--user", "alice", *options, "--", "/usr/bin/true", rule)


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
    if check.startswith("user"):
        web.login("alice")
    told = json.loads(explain(web, rule, "--json").stdout)
    assert told["rule"] == rule and told["outcome"] == "deny" and re.search(words, told["refused_by"]), told
    assert json.loads(web.run("jitctl", "list", "--all", "--json").stdout) == [], "nobody is asked"
    assert children(web) == []


@pytest.mark.parametrize(("rule", "check"), RAISING, ids=[c for _, c in RAISING])
def test_raises_and_informs(web, desk, rule, check):
    _, document, _ = request_of(web, desk, rule)
    assert document["need"] == "2 of sre"
    failed = [c for c in document["checks"] if not c["holds"]]
    assert [(c["effect"], c.get("need")) for c in failed] == [("inform", None), ("escalate", "2 of sre")], document["checks"]
    assert failed[0]["text"] == failed[1]["text"] and failed[0]["text"], failed


def request_of(web, desk, rule):
    """(terminal, document) of a call that is asked about."""
    term, text = desk.ask(f"true {rule}")
    return term, json.loads(text), text


def results(document):
    return {c["check"]: c for c in document["checks"]}


def test_allow_when_all_holds(web):
    done = sudo(web, ALLOW_HOLDS, check=True)
    assert done.stdout == "" and done.stderr == ""
    record = [r for r in records(web, "allowed") if r["rule"] == ALLOW_HOLDS][-1]
    assert len(record["checks"]) == 10 and all(c["holds"] and c["text"] for c in record["checks"])


def test_allow_refused(web):
    done = sudo(web, ALLOW_TRIPS)
    assert done.returncode == 1
    assert f"refused by the check file:/etc/freeze=absent: /etc/freeze is there (rule '{ALLOW_TRIPS}')" in done.stderr
    web.run("mv", "/etc/freeze", "/etc/thawed")
    try:
        sudo(web, ALLOW_TRIPS, check=True)
    finally:
        web.run("mv", "/etc/thawed", "/etc/freeze")


def test_allow_escalated_to_approve(web, desk):
    term, document, text = request_of(web, desk, ALLOW_RAISED)
    assert document["need"] == "1 of sre"
    desk.answer(text)
    term.expect("status=0\r")
    web.run("mv", "/etc/freeze", "/etc/thawed")
    try:
        done = sudo(web, ALLOW_RAISED, check=True)
        assert done.stderr == ""
    finally:
        web.run("mv", "/etc/thawed", "/etc/freeze")


def test_escalated_and_informed(web, desk):
    """A sick host takes two people; both the checks and what was only looked at are in what they sign, and on their screen."""
    term, document, text = request_of(web, desk, RAISED)
    assert document["need"] == "2 of sre"
    found = results(document)
    assert list(found) == ["memory>1000T", "load<1000", "file:/etc/freeze=absent"]
    assert found["memory>1000T"]["effect"] == "inform" and not found["memory>1000T"]["holds"]
    assert found["file:/etc/freeze=absent"] == {"check": "file:/etc/freeze=absent", "effect": "escalate", "need": "2 of sre",
                                                "by": "host", "holds": False, "text": "/etc/freeze is there"}
    shown = web.run("jitctl", "show", document["id"]).stdout
    assert re.search(r"FAILS file:/etc/freeze=absent: /etc/freeze is there", shown), shown
    desk.answer(text, "bob")
    term.expect("more are needed")
    desk.answer(text, "carol")
    term.expect("status=0\r")


def test_not_escalated_on_a_calm_host(web, desk):
    term, document, text = request_of(web, desk, CALM)
    assert document["need"] == "1 of sre" and results(document)["load<1000"]["holds"]
    desk.answer(text)
    term.expect("status=0\r")


def test_explain(web):
    """What the host would say now, to root with everything, to the user without the site's own programs."""
    text = explain(web, RAISED).stdout
    assert f"approve by rule {RAISED}, needs 1 of sre\n" in text
    assert re.search(r"holds load<1000: load is [\d.]+ \(else 2 of sre as well\)\n", text), text
    assert "FAILS file:/etc/freeze=absent: /etc/freeze is there (so 2 of sre as well)\n" in text
    assert re.search(r"FAILS memory>1000T: .* \(only to be known\)\n", text), text
    assert "it would ask 2 of sre (bob, carol, erin)\n" in text, text
    web.login("alice")
    assert "it would pass\n" in explain(web, ALLOW_HOLDS).stdout
    assert re.search(r"it would be refused by the check file:/etc/freeze=absent: /etc/freeze is there\n",
                     explain(web, ALLOW_TRIPS).stdout)
    told = json.loads(explain(web, CALM, "--json").stdout)
    assert told["outcome"] == "approve" and told["outcome_need"] == "1 of sre" and told["checks"][0]["holds"]
    mine = web.ssh("alice", f"jitctl explain -- /usr/bin/true {WHO}").stdout
    assert "exec:/usr/local/lib/site/who: only looked at for root and the group jit-operators (must hold)\n" in mine, mine
    assert "it would ask 1 of sre (bob, carol, erin), if what was not looked at holds\n" in mine, mine
    assert "refused by the check exec:/usr/local/lib/site/ticket: exit status 1: no ticket: \n" in explain(web, TICKET).stdout
    assert "it would ask 1 of sre" in explain(web, TICKET, "--reason", "INC-7").stdout
    own = web.run("jitctl", "explain", "--confdir", "/etc/jit", "--user", "alice", "--", "/usr/bin/true", RAISED).stdout
    assert "file:/etc/freeze=absent (else 2 of sre as well)\n" in own and "\n  now" not in own, own


def test_program_sees_facts_and_nothing_else(web):
    done = web.ssh("alice", f"JIT_REASON='INC-7 $(id)' sudo true {WHO}", check=False)
    assert "exec:/usr/local/lib/site/who: exit status 1: jit-check …" in done.stderr, done.stderr
    web.put("/usr/local/lib/site/who", "#!/bin/sh\nenv | grep -v ^JIT_ | cut -d= -f1 | sort | tr '\\n' ' '; exit 1\n", 0o755)
    assert re.search(r"exit status 1: LANG PATH PWD", sudo(web, WHO).stderr)
    web.put("/usr/local/lib/site/who", "#!/bin/sh\necho \"$JIT_MOMENT/$JIT_RULE/$JIT_HOST/$JIT_SERVICE/$JIT_USER/$JIT_TARGET/"
            "$JIT_COMMAND/$JIT_COMMAND_LINE/$JIT_CWD/$JIT_TTY/$JIT_REASON\"; exit 1\n", 0o755)
    done = web.ssh("alice", f"JIT_REASON=INC-7 sudo true {WHO}", check=False)
    assert f"ask/{WHO}/web1/sudo/alice/root//usr/bin/true/true {WHO}//home/alice/none/INC-7" in done.stderr, done.stderr


def test_daemon_does_not_outlive_its_check(web):
    sudo(web, DAEMON, check=True)
    assert children(web) == []
    assert web.run("pgrep", "-f", "sleep 424[23]", check=False).stdout == ""


def test_program_can_write_nothing_of_the_host(web):
    assert web.run("stat", "-c", "%a", "/dev/shm").stdout == "1777\n"
    done = sudo(web, WRITES)
    assert re.search(r"exit status 1: /tmp /var/tmp +\(rule", done.stderr), done.stderr
    assert web.run("sh", "-c", "ls /tmp /var/tmp /dev/shm | grep by-check", check=False).stdout == ""


def test_fork_bomb(web):
    """It has its number of processes, and then its end; beside it others are looked at."""
    main = web.run("systemctl", "show", "-P", "MainPID", "jitd.service").stdout
    bomb = subprocess.Popen(web.ssh_argv("alice", f"sudo true {BOMB}"), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                            stderr=subprocess.PIPE, text=True)
    most, other = 0, None
    while bomb.poll() is None:
        most = max(most, len(web.run("pgrep", "-u", "jit-check", check=False).stdout.split()))
        if most > 1:
            other = other or sudo(web, BOB, user="bob").stderr
    assert "no result in 2 s" in bomb.communicate(timeout=60)[1]
    assert 1 < most <= 64 and "load<0: load is" in other, (most, other)
    assert children(web) == [] and web.run("systemctl", "show", "-P", "MainPID", "jitd.service").stdout == main


def test_progress_while_it_takes_long(web):
    term = web.login("alice")
    term.sendline(f"sudo true {SLOW}; echo status=$?")
    term.expect("looking at the state of web1 first")
    term.expect("status=0\r")


def test_leaving_leaves_nothing(web):
    term = web.login("alice")
    rule = next(rule for rule, check, _ in TRIPPING if check.endswith("hangs"))
    term.sendline(f"sudo true {rule}")
    term.expect("looking at the state")
    term.sendintr()
    term.expect(term.prompt)
    end = time.monotonic() + 10
    while children(web):
        assert time.monotonic() < end, children(web)
        time.sleep(0.05)


SERVER = """
import http.server, sys, time
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/slow":
            time.sleep(20)
        self.send_response(503 if self.path == "/frozen" else 200)
        self.end_headers()
        self.wfile.write((self.path[1:] + " it is\\n").encode())
    def log_message(self, *args):
        pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


@pytest.fixture
def site(web):
    """A server on the host's loopback, and a courier without a hub."""
    server = subprocess.Popen(["ip", "netns", "exec", web.netns, sys.executable, "-c", SERVER, str(PORT)])
    web.run("systemctl", "start", "jit-courier.service")
    end = time.monotonic() + 10
    while web.run("bash", "-c", f": </dev/tcp/127.0.0.1/{PORT}", check=False).returncode:
        assert time.monotonic() < end
        time.sleep(0.05)
    yield server
    web.run("systemctl", "stop", "jit-courier.service")
    server.kill()
    server.wait()


def questions(web):
    return web.run("sh", "-c", "ls /var/lib/jit/outbox | grep question", check=False).stdout.split()


def test_http_holds(web, desk, site):
    term, document, text = request_of(web, desk, HTTP_OPEN)
    assert results(document)[f"http://127.0.0.1:{PORT}/open"] == {
        "check": f"http://127.0.0.1:{PORT}/open", "effect": "refuse", "by": "courier", "holds": True, "text": "answer 200: open it is"}
    assert questions(web) == []
    desk.answer(text)
    term.expect("status=0\r")


def test_http_refuses_and_raises(web, desk, site):
    done = sudo(web, HTTP_FROZEN)
    assert f"refused by the check http://127.0.0.1:{PORT}/frozen: answer 503: frozen it is (rule '{HTTP_FROZEN}')" in done.stderr
    _, document, _ = request_of(web, desk, HTTP_RAISED)
    assert document["need"] == "2 of sre"


def test_http_too_slow(web, site):
    done = sudo(web, HTTP_SLOW)
    assert re.search(r"/slow: cannot be asked: (no answer in 2 s|.*timed out)", done.stderr), done.stderr
    assert questions(web) == []


def test_no_courier(web):
    done = sudo(web, HTTP_OPEN)
    assert "cannot be asked: no answer in 2 s (does jit-courier run?)" in done.stderr, done.stderr
    assert questions(web) == []


def test_lying_courier(web, desk):
    """A courier's yes only lets people be asked; what it makes up about other questions counts for nothing."""
    def check(question, status=200, text="yes", **more):
        return json.dumps({"v": 1, "type": "check", "document": json.dumps(
            {"v": 1, "question": question, "status": status, "text": text, **more})})

    desk.mark = len(desk.ledger())
    term = web.login("alice")
    term.sendline(f"sudo true {HTTP_OPEN}; echo status=$?")
    end = time.monotonic() + 10
    while not (names := questions(web)):
        assert time.monotonic() < end
    qid = names[0][len("question-"):-len(".json")]
    desk.deliver(check("0" * 32))
    desk.deliver(check(qid[:-1]))
    desk.deliver(check(qid, text="all is well\x1b[2J\nsecond"))
    term.expect("[0-9A-Z]{4}-[0-9A-Z]{4}: asking 1 of sre")
    desk.deliver(check(qid, 503, "no"))
    document = json.loads(desk.document(json.loads(web.run("jitctl", "list", "--all", "--json").stdout)[0]["id"]))
    assert results(document)[f"http://127.0.0.1:{PORT}/open"]["text"] == "answer 200: all is well\\x1b[2J"
    refused = desk.refusals()
    assert any("no question of this id is open" in r for r in refused) and any("lacks v, question" in r for r in refused), refused


def test_many_at_once_take_turns(web):
    """One user's hanging checks do not keep another user's from being looked at."""
    rule = next(rule for rule, check, _ in TRIPPING if check.endswith("hangs"))
    many = [subprocess.Popen(web.ssh_argv("alice", f"sudo true {rule}"), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                             stderr=subprocess.PIPE, text=True) for _ in range(8)]
    end = time.monotonic() + 10
    while not children(web):
        assert time.monotonic() < end
    begun = time.monotonic()
    done = sudo(web, BOB, user="bob")
    assert "load<0: load is" in done.stderr, done.stderr
    assert time.monotonic() - begun < 4, "it waited for alice's"
    words = [p.communicate(timeout=60)[1] for p in many]
    assert all("no result in 2 s" in w or "could not be looked at" in w for w in words), words
    assert children(web) == []


# ---- Recheck=yes: the moment of execution ----

def granted(web, desk, rule, *who):
    """A grant that nobody uses yet: the terminal leaves, then people agree."""
    term, document, text = request_of(web, desk, rule)
    term.sendintr()
    term.expect("status=")
    for name in who or ("bob",):
        desk.answer(text, name)
    assert desk.state(document["id"]) == "granted"
    term.expect(term.prompt)
    return term, document["id"]


@pytest.fixture
def thawed(web):
    """No change freeze, until a test makes one."""
    web.run("rm", "-f", "/etc/freeze")
    yield
    web.put("/etc/freeze", "")


@pytest.mark.parametrize("rule", [MEANWHILE, LAST])
def test_freeze_while_a_program_runs(web, thawed, rule):
    """Built-in checks are read when the programs have ended, or were stopped: what began to hold or fail meanwhile counts."""
    asked = subprocess.Popen(web.ssh_argv("alice", f"sudo true {rule}"), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                             stderr=subprocess.PIPE, text=True)
    end = time.monotonic() + 10
    while not web.run("pgrep", "-u", "jit-check", check=False).stdout:
        assert time.monotonic() < end and asked.poll() is None
    web.put("/etc/freeze", "")
    words = asked.communicate(timeout=60)[1]
    assert "file:/etc/freeze=absent: /etc/freeze is there" in words, words


def test_recheck_refuses_after_approval(web, desk, thawed):
    """A freeze between approval and use; when it is over the same approval serves."""
    term, request = granted(web, desk, AGAIN)
    web.put("/etc/freeze", "")
    term.sendline(f"sudo true {AGAIN}; echo status=$?")
    term.expect(f"{request}: approved by bob, but refused by the check file:/etc/freeze=absent: /etc/freeze is there, so nothing is run")
    term.expect("the approval stays: run the command again")
    term.expect("status=1\r")
    assert desk.state(request) == "granted"
    refused = desk.events(request, "refused")[-1]
    assert refused["by"] == "check" and not refused["checks"][0]["holds"]
    web.run("rm", "/etc/freeze")
    term.sendline(f"sudo true {AGAIN}; echo status=$?")
    term.expect("status=0\r")


def test_recheck_of_who_waits(web, desk, thawed):
    """Also whoever stands at the prompt when people agree is looked at once more."""
    term, _, text = request_of(web, desk, AGAIN)
    web.put("/etc/freeze", "")
    desk.answer(text)
    term.expect("but refused by the check file:/etc/freeze=absent")
    term.expect("status=1\r")


def test_recheck_raises(web, desk, thawed):
    """One person agreed while all was well; the host is sick by now, and one is not enough."""
    term, request = granted(web, desk, RAISED_AGAIN)
    web.put("/etc/freeze", "")
    term.sendline(f"sudo true {RAISED_AGAIN}; echo status=$?")
    term.expect(f"{request}: approved by bob, but by now it takes 2 of sre \\(file:/etc/freeze=absent: /etc/freeze is there\\)")
    term.expect(f"jitctl cancel {request}")
    term.expect("status=1\r")
    assert desk.state(request) == "granted"
    web.run("jitctl", "cancel", request)
    term, request = granted(web, desk, RAISED_AGAIN, "bob", "carol")
    term.sendline(f"sudo true {RAISED_AGAIN}; echo status=$?")
    term.expect("status=0\r")


def test_recheck_of_each_use(web, desk, thawed):
    """A grant for a service is looked at with each use; what runs already is left alone."""
    term, request = granted(web, desk, SERVICE_AGAIN)
    for _ in range(2):
        term.sendline(f"sudo true {SERVICE_AGAIN}; echo status=$?")
        term.expect("status=0\r")
    web.put("/etc/freeze", "")
    term.sendline(f"sudo true {SERVICE_AGAIN}; echo status=$?")
    term.expect("but refused by the check file:/etc/freeze=absent")
    term.expect("status=1\r")
    assert desk.state(request) == "running"
    web.run("rm", "/etc/freeze")
    term.sendline(f"sudo true {SERVICE_AGAIN}; echo status=$?")
    term.expect("status=0\r")


def test_without_recheck_nothing_is_looked_at_again(web, desk, thawed):
    term, request = granted(web, desk, ONCE)
    web.put("/etc/freeze", "")
    term.sendline(f"sudo true {ONCE}; echo status=$?")
    term.expect("status=0\r")


def test_recheck_tells_the_moment(web, desk):
    term, request = granted(web, desk, MOMENT)
    term.sendline(f"sudo true {MOMENT}; echo status=$?")
    term.expect("exit status 1: execute")
    term.expect("status=1\r")


def test_recheck_over_a_reload(web, desk, thawed):
    """A rule that is no more says nothing: what was to be looked at again is not known."""
    term, request = granted(web, desk, AGAIN)
    web.put("/etc/jit/rules.d/50-test.conf", RULE.text.replace(f"[Rule {AGAIN}]", "[Rule other]"))
    web.run("systemctl", "reload", "jitd.service")
    try:
        term.sendline(f"sudo true {AGAIN}; echo status=$?")
        term.expect("asking 1 of sre")  # another rule decides it now, so the grant does not serve
    finally:
        web.put("/etc/jit/rules.d/50-test.conf", RULE.text)
        web.run("systemctl", "reload", "jitd.service")


def test_recheck_when_the_rule_is_gone(web, desk, thawed):
    """Whoever waits when people agree is looked at by the rule of now; there is none."""
    term, _, text = request_of(web, desk, AGAIN)
    web.put("/etc/jit/rules.d/50-test.conf", RULE.text.replace(f"[Rule {AGAIN}]", "[Rule other]"))
    web.run("systemctl", "reload", "jitd.service")
    try:
        desk.answer(text)
        term.expect(f"the rule '{AGAIN}' is no more")
        term.expect("status=1\r")
    finally:
        web.put("/etc/jit/rules.d/50-test.conf", RULE.text)
        web.run("systemctl", "reload", "jitd.service")


def test_recheck_after_a_restart(web, desk, thawed):
    """The terms are in the ledger."""
    term, request = granted(web, desk, AGAIN)
    web.put("/etc/freeze", "")
    web.run("systemctl", "restart", "jitd.service")
    term.sendline(f"sudo true {AGAIN}; echo status=$?")
    term.expect("but refused by the check file:/etc/freeze=absent")
    term.expect("status=1\r")
