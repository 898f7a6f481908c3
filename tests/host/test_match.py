"""Match=yes: three digits on the requester's terminal, without which no approval counts, and which never leave the host before
an approver says them.  Real sudo, su and sshd on web1; bob and carol at the real hub."""

import json
import re
import subprocess

import pytest

import scene
from test_story import ID, answer, clear, requests, status, wait_for

TELL = rf"({ID}): tell whoever approves this code: (\d\d\d)\r"
ASK = "Code on alice's terminal: "
RULE = """\
[Rule one]
Service=sudo
User=alice
Command=/usr/bin/touch /run/match*
Decision=approve
Need=1 of sre
Match=yes
For={work}

[Rule two]
Service=sudo
User=alice
Command=/usr/bin/touch /run/two
Decision=approve
Need=2 of sre
Match=yes
For={work}

[Rule plain]
Service=sudo
User=alice
Decision=approve
Need=1 of sre
For={work}

[Rule su]
Service=su
User=alice
Decision=approve
Need=1 of sre
Match=yes
For={work}

[Rule ssh-dave]
Service=sshd
User=dave
Decision=approve
Need=1 of sre
Match=yes
Join=user
For={work}

[Rule ssh]
Service=sshd
Decision=allow
"""
SUDO = "sudo touch /run/match"


@pytest.fixture(scope="module")
def made(lab):
    _, web, hub = scene.make(lab, rule=RULE, services=("sudo", "su", "sshd"))
    web.run("sh", "-c", "echo root:root-pw | chpasswd; usermod -aG jit-operators carol")
    web.run("systemctl", "restart", "jitd")  # it looks the group up at its start
    return web, hub


@pytest.fixture
def web(made):
    clear(made[0])
    yield made[0]
    clear(made[0])


@pytest.fixture
def hub(made):
    return made[1]


def ask(web, command=SUDO, user="alice"):
    """(terminal, id, code)"""
    term = web.login(user)
    term.sendline(command)
    term.expect(TELL)
    return term, term.match.group(1), term.match.group(2)


def another(code, n=1):
    return f"{(int(code) + n) % 1000:03}"


def approve(hub, request, code, exit_code=0, user="bob"):
    """At the terminal, as soon as the request has come: reads, types the code, types yes.  What was said."""
    term = hub.login(user)
    term.sendline(f"jitctl inbox --wait --timeout 20s; jitctl approve {request}; echo status=$?")
    term.expect_exact(ASK)
    said = term.before
    term.sendline(code)
    term.expect("type yes: ")
    term.sendline("yes")
    term.expect(r"status=(\d+)\r", timeout=60)
    assert int(term.match.group(1)) == exit_code, term.before
    return plain(said), plain(term.before)


def plain(text):
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def at_hub(hub, user, *words):
    return hub.run("su", "-", user, "-c", " ".join(words), check=False)


def digest(hub, request, user="bob"):
    wait_for(lambda: request in at_hub(hub, user, "jitctl inbox").stdout, what="the request's coming")
    return next(r["digest"] for r in json.loads(at_hub(hub, user, "jitctl inbox --json").stdout) if r["id"] == request)


def refusals(web, request):
    lines = web.run("jitctl", "audit", "--json", "--id", request, "--event", "refused").stdout.splitlines()
    return [json.loads(line)["text"] for line in lines]


# ---- at the terminals ----

def test_the_right_code(web, hub):
    term, request, code = ask(web)
    read, said = approve(hub, request, code)
    assert "the three digits that stand on the requester's terminal" in read and not re.search(rf"\b{code}\b", read)
    assert "applied on web1" in said
    assert status(term)[0] == 0


def test_the_wrong_code_then_the_right_one(web, hub):
    """A wrong code is told at once, each time, and is no answer: bob may try again, and alice goes on waiting.  (The very same
    decision again within a second would be the same to the hub.)"""
    term, request, code = ask(web)
    for n in (1, 2, 3):
        _, said = approve(hub, request, another(code, n), exit_code=1)
        assert f"refused by web1: the code is wrong: it is not what stands on the requester's terminal (try {n} of 8)" in said
    assert len(refusals(web, request)) == 3 and not any(code in text for text in refusals(web, request))
    assert [r["state"] for r in requests(web) if r["id"] == request] == ["pending"]
    _, said = approve(hub, request, code)
    assert "applied on web1" in said
    assert status(term)[0] == 0
    story = web.run("jitctl", "audit", "--id", request).stdout
    assert "refused at the inbox: bob: the code is wrong" in story and not re.search(rf"\b{code}\b", story), story
    web.run("jitctl", "audit", "verify", "--signatures")


def test_the_code_of_another_request(web, hub):
    one, first, code = ask(web, "sudo touch /run/match1")
    while True:
        two, second, other = ask(web, "sudo touch /run/match2")
        if other != code:
            break
        web.run("jitctl", "cancel", second)
    _, said = approve(hub, first, other, exit_code=1)
    assert "the code is wrong" in said
    approve(hub, second, other)
    assert status(two)[0] == 0
    approve(hub, first, code)
    assert status(one)[0] == 0


def test_no_code(web, hub):
    """Programs are told that one is wanted; an approval without one, of a client that does not know of codes, is refused."""
    term, request, code = ask(web)
    hexes = digest(hub, request)
    done = at_hub(hub, "bob", f"jitctl approve {request} --yes --digest {hexes}")
    assert done.returncode == 2 and f"{request} wants the code that stands on the requester's terminal: --code" in done.stderr
    doc = json.dumps({"v": 1, "request": request, "digest": hexes, "host": "web1", "verdict": "approve", "approver": "bob",
                      "time": "2026-01-01T00:00:00Z"})
    hub.put("/home/bob/message", doc, owner="bob:bob")
    hub.run("su", "-", "bob", "-c", "rm -f message.sig; ssh-keygen -q -Y sign -n decision@pam-jit -f .ssh/id_ed25519 message")
    envelope = json.dumps({"v": 1, "type": "decision", "document": doc, "signature": hub.read("/home/bob/message.sig")})
    web.run("setpriv", "--reuid=jit-courier", "--regid=jit-courier", "--clear-groups", "sh", "-c",
            "umask 077; cat >/run/jit/inbox/.tmp-x && mv /run/jit/inbox/.tmp-x /run/jit/inbox/decision-999999.json", input=envelope)
    wait_for(lambda: refusals(web, request), what="the refusal")
    assert refusals(web, request) == ["bob: an approval must bear the code that stands on the requester's terminal (try 1 of 8)"]
    done = at_hub(hub, "bob", f"jitctl approve {request} --yes --digest {hexes} --code {code}")
    assert done.returncode == 0 and "applied on web1" in done.stdout, done
    assert status(term)[0] == 0


def test_a_denial_needs_none(web, hub):
    term, request, _ = ask(web)
    answer(hub, "deny", request)
    code, text = status(term)
    assert code == 1 and "denied by bob" in text


def test_tries_are_bounded(web, hub):
    """Who guesses has eight tries; then even the right code is too late, from this approver."""
    term, request, code = ask(web)
    hexes = digest(hub, request)
    for n in range(1, 9):
        done = at_hub(hub, "bob", f"jitctl approve {request} --yes --digest {hexes} --code {another(code, n)}")
        assert done.returncode == 1 and f"(try {n} of 8)" in done.stdout, done
    done = at_hub(hub, "bob", f"jitctl approve {request} --yes --digest {hexes} --code {code}")
    assert done.returncode == 1 and "more than 8 tries by this approver" in done.stdout, done
    approve(hub, request, code, user="carol")
    assert status(term)[0] == 0


def test_two_people_one_code(web, hub):
    term, request, code = ask(web, "sudo touch /run/two")
    hexes = digest(hub, request)
    done = at_hub(hub, "bob", f"jitctl approve {request} --yes --digest {hexes} --code {code} --timeout 5s")
    assert done.returncode == 0, done
    term.expect("bob agreed; more are needed")
    done = at_hub(hub, "bob", f"jitctl approve {request} --yes --digest {hexes} --code {another(code)}")
    assert done.returncode == 1 and "bob has answered already" in done.stdout, done
    approve(hub, request, another(code), exit_code=1, user="carol")
    approve(hub, request, code, user="carol")
    assert status(term)[0] == 0


# ---- where the code stands ----

def test_again_the_same_code(web, hub):
    """After Ctrl-C, after a restart of jitd, ahead and then run."""
    term, request, code = ask(web)
    term.sendintr()
    term.expect(term.prompt)
    web.run("systemctl", "restart", "jitd")
    for _ in range(2):
        term.sendline(SUDO)
        term.expect(rf"{request}: still waiting for 1 of sre")
        term.expect(TELL)
        assert term.match.groups() == (request, code)
        term.sendintr()
        term.expect(term.prompt)
    term.sendline(f"jitctl wait --timeout 1s {request}")
    term.expect(rf"tell whoever approves this code: \S*{code}")
    term.expect("still pending")
    term.sendline(SUDO)
    term.expect(TELL)
    approve(hub, request, code)
    assert status(term)[0] == 0


def test_ahead(web, hub):
    done = web.ssh("alice", "jitctl", "request", "touch", "/run/match")
    request, code = re.search(rf"({ID}): tell whoever approves this code: (\d\d\d)\n", done.stdout).groups()
    other = web.login("alice")
    other.sendline(SUDO)
    other.expect(TELL)  # another session, another request
    assert other.match.group(1) != request
    other.sendintr()
    other.expect(other.prompt)
    with subprocess.Popen(web.ssh_argv("alice", f"jitctl wait --json {request}"), stdin=subprocess.DEVNULL, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE) as p:
        line = p.stderr.readline()
        assert f"{request}: tell whoever approves this code: {code}" in json.loads(line)["warning"]["message"]
        approve(hub, request, code)
        out, _ = p.communicate(timeout=20)
        assert p.returncode == 0 and json.loads(out)["state"] == "granted" and "code" not in json.loads(out)


def test_for_the_requester_and_root_only(web):
    _, request, code = ask(web)
    for who in ("alice", "root"):
        run = web.run if who == "root" else lambda *words: web.ssh("alice", *words)
        assert json.loads(run("jitctl", "show", "--json", request).stdout)["code"] == code
        assert re.search(rf"code +{code}: tell it whoever approves", run("jitctl", "show", request).stdout)
        assert any(r.get("code") == code for r in json.loads(run("jitctl", "list", "--json").stdout)) or who == "root"
    # carol is an operator: she sees everything else.
    shown = json.loads(web.ssh("carol", "jitctl", "show", "--json", request).stdout)
    assert shown["document"]["match"] is True and "code" not in shown
    for words in (["show", request], ["show", "--json", request], ["list", "--all", "--json"], ["wait", "--timeout", "1s", request],
                  ["explain", request], ["explain", "--json", request]):
        done = web.ssh("carol", "jitctl", *words, check=False)
        assert done.returncode in (0, 7) and not re.search(rf"\b{code}\b|this code", done.stdout + done.stderr), done
    # Anybody else sees nothing.
    assert web.ssh("bob", "jitctl", "show", request, check=False).returncode == 5
    # root reads it in the ledger, and audit passes it on to nobody.
    assert json.loads(web.run("grep", "-h", request, "-r", "/var/lib/jit/ledger").stdout.splitlines()[0])["terms"]["code"] == code
    for words in ([], ["--json"], ["--json", "--story"]):
        assert '"code"' not in web.run("jitctl", "audit", *words, "--id", request).stdout


def test_without_a_terminal_it_is_in_the_one_line(web, hub):
    """A pipeline's job log has it."""
    argv = web.ssh_argv("alice", "sudo -n touch /run/match")
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as p:
        line = p.stderr.readline()
        m = re.fullmatch(rf"pam-jit: ({ID}): asking 1 of sre \(bob, carol\) to agree: touch /run/match as root on web1; "
                         rf"({ID}): tell whoever approves this code: (\d\d\d)\n", line)
        assert m, line
        approve(hub, m.group(1), m.group(3))
        out, err = p.communicate(timeout=20)
        assert p.returncode == 0 and out == "" and "approved by bob" in err, err


def test_su(web, hub):
    term = web.login("alice")
    term.sendline("su -c 'id -u'")
    term.expect("Password: ")
    term.sendline("root-pw")
    term.expect(TELL)
    approve(hub, *term.match.groups())
    code, text = status(term)
    assert code == 0 and "\n0\r" in text


def test_sshd_tells_it_in_the_refusal(web, hub):
    """Nothing can be shown before the end of Hold=: connect again."""
    web.put("/etc/jit/jitd.conf.d/20-hold.conf", "[Host]\nHold=2s\n")
    web.run("systemctl", "reload", "jitd")
    try:
        argv = web.ssh_argv("dave", "echo in", options=("-o", "LogLevel=INFO"))
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=40)
        m = re.search(rf"({ID}): tell whoever approves this code: (\d\d\d)", done.stderr)
        assert done.returncode == 255 and done.stdout == "" and m, done.stderr
        hexes = digest(hub, m.group(1))
        done = at_hub(hub, "bob", f"jitctl approve {m.group(1)} --yes --digest {hexes} --code {m.group(2)} --timeout 5s")
        assert done.returncode == 0, done
        assert web.ssh("dave", "echo in").stdout == "in\n"
    finally:
        web.run("rm", "/etc/jit/jitd.conf.d/20-hold.conf")
        web.run("systemctl", "reload", "jitd")


def test_without_match_no_code(web, hub):
    term = web.login("alice")
    term.sendline("sudo touch /run/other")
    term.expect(ID)
    request = term.match.group(0)
    said = answer(hub, "approve", request)
    code, text = status(term)
    assert code == 0 and "code" not in text and "code" not in said


# ---- where it does not stand ----

def holding(host, code, *places):
    """Files below PLACES that hold CODE as a number of its own."""
    done = host.run("grep", "-raE", rf"(^|[^0-9A-Za-z.:-]){code}($|[^0-9A-Za-z.:-])", "-l", *places, check=False)
    return done.stdout.split()


def test_it_never_leaves_the_host_before_an_approver_says_it(web, hub):
    """Not in what lies for the courier, in nothing that the courier's user can read, in no journal, nowhere at the hub.  Three
    digits may stand anywhere by chance: so of three requests at least one must not be found."""
    asked = [ask(web, f"sudo touch /run/match{i}") for i in range(3)]
    for _, request, _ in asked:
        digest(hub, request)
    found = {"outbox": 0, "courier": 0, "journal of web1": 0, "hub": 0, "journal of hub": 0, "document": 0}
    for _, request, code in asked:
        document = json.loads(json.loads(web.read(f"/var/lib/jit/outbox/request-{request}.json"))["document"])
        assert document["match"] is True and "code" not in document
        found["document"] += bool(re.search(rf"(?<![0-9A-Za-z.:-]){code}(?![0-9A-Za-z.:-])", json.dumps(document)))
        found["outbox"] += bool(holding(web, code, "/var/lib/jit/outbox"))
        readable = web.run("setpriv", "--reuid=jit-courier", "--regid=jit-courier", "--init-groups", "grep", "-raE",
                           rf"(^|[^0-9A-Za-z.:-]){code}($|[^0-9A-Za-z.:-])", "-l", "/var/lib/jit", "/run/jit", "/run/jit-courier",
                           "/var/lib/jit-courier", check=False).stdout.split()
        found["courier"] += bool(readable)
        found["hub"] += bool(holding(hub, code, "/var/lib/jit-hub"))
        for name, host in (("web1", web), ("hub", hub)):
            text = host.run("journalctl", "-o", "cat", "--no-pager").stdout
            found[f"journal of {name}"] += bool(re.search(rf"(?<![0-9A-Za-z.:-]){code}(?![0-9A-Za-z.:-])", text))
    assert all(n < 3 for n in found.values()), found
    # The search can find: the ledger has each of them.
    assert all(holding(web, code, "/var/lib/jit/ledger") for _, _, code in asked)
    # Afterwards the approver's own decision has it, and no word of the host does.
    term, request, code = asked[0]
    approve(hub, request, code)
    assert status(term)[0] == 0
    receipts = next(r["receipts"] for r in json.loads(at_hub(hub, "bob", "jitctl inbox --all --json").stdout) if r["id"] == request)
    assert {json.loads(e["document"])["event"] for e in receipts} >= {"granted", "applied"}
    assert not any(re.search(rf"code|\b{code}\b", json.loads(e["document"])["text"]) for e in receipts)
