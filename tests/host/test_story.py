"""The main story with real sudo on two hosts, and how each of its other ends looks."""

import io
import json
import re
import time

import pytest

ID = r"[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}"
SUDO = "sudo systemctl restart nginx"
QUICK = """\
[Rule hurried]
Service=sudo
User=alice
Command=/usr/bin/touch /run/hurried
Decision=approve
Need=1 of sre
AnswerBy=3s

[Rule brief]
Service=sudo
User=alice
Command=/usr/bin/sleep 601
Decision=approve
Need=1 of sre
Scope=service
For=8s
AtEnd=warn no, terminate 2s
"""


@pytest.fixture(scope="module")
def set_up(stage):
    stage[0].put("/etc/jit/rules.d/40-quick.conf", QUICK)
    stage[0].run("systemctl", "reload", "jitd.service")
    return stage[0]


@pytest.fixture
def web(set_up):
    """web1 with nothing pending and nothing granted."""
    host = set_up
    clear(host)
    yield host
    host.run("systemctl", "start", "jitd.socket", "jitd.service", "jit-courier.service")
    clear(host)


@pytest.fixture
def hub(stage):
    yield stage[1]
    stage[1].run("systemctl", "start", "jit-hub.service")


def requests(host):
    return json.loads(host.run("jitctl", "list", "--all", "--json").stdout)


def clear(host):
    host.run("systemctl", "start", "jitd.socket", "jitd.service")
    for r in requests(host):
        if r["state"] == "pending":
            host.run("jitctl", "cancel", r["id"])
        elif r["state"] in ("granted", "running"):
            host.run("jitctl", "revoke", r["id"])


def ask(web, user="alice", command=SUDO):
    """Types COMMAND; (terminal, id of the request)."""
    term = web.login(user)
    term.sendline(command)
    term.expect(ID)
    return term, term.match.group(0)


def answer(hub, verdict, request, user="bob", code=0):
    """Bob reads the request and types yes, as soon as it has reached him."""
    term = hub.login(user)
    inbox = "" if "revoke" in verdict else "jitctl inbox --wait --timeout 20s; "  # only what is pending stands there
    term.sendline(f"{inbox}jitctl {verdict} {request}; echo status=$?")
    term.expect("type yes: ")
    term.sendline("yes")
    term.expect(r"status=(\d+)\r")
    assert int(term.match.group(1)) == code, term.before
    return term.before


def status(term):
    """Of the last command, once the prompt is there; with what was on the screen before it."""
    term.expect(term.prompt)
    text = term.before
    term.sendline("echo status=$?")
    term.expect(r"status=(\d+)\r")
    code = int(term.match.group(1))
    term.expect(term.prompt)
    return code, text


def plain(text):
    """Without the colours of a terminal."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def main_pid(web):
    return web.run("systemctl", "show", "-P", "MainPID", "nginx").stdout.strip()


def wait_for(condition, seconds=10, what="it"):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"{what} did not happen within {seconds} s"
        time.sleep(0.05)


def told(web, request, *events):
    """The records of a request, those of EVENTS only where any are named."""
    lines = web.run("jitctl", "audit", "--json", "--id", request).stdout.splitlines()
    return [r for r in map(json.loads, lines) if not events or r["event"] in events]


def waited(web, request):
    """What `jitctl wait` says of it to alice: (exit status, words)."""
    done = web.ssh("alice", "jitctl", "wait", "--timeout", "1s", request, check=False)
    return done.returncode, done.stdout + done.stderr


def gone(web, request):
    state = next(r["state"] for r in requests(web) if r["id"] == request)
    return state not in ("pending", "granted", "running")


def test_the_story(web, hub):
    before = main_pid(web)
    term, request = ask(web)
    said = answer(hub, "approve", request)
    assert re.search(r"applied", said) and "web1" in said
    code, text = status(term)
    assert code == 0 and "bob" in text
    assert main_pid(web) != before
    # the second one passes without asking
    before = main_pid(web)
    term.sendline(SUDO)
    code, text = status(term)
    assert code == 0 and not re.search("waiting|asked", text)
    assert main_pid(web) != before
    # at the deadline what still runs is ended, and the next one asks
    term.sendline("sudo sleep 600")
    term.expect(term.prompt, timeout=30)
    wait_for(lambda: gone(web, request), 5, "the end of the grant")
    term.sendline(SUDO)
    term.expect(ID)
    assert term.match.group(0) != request
    term.sendintr()
    term.expect(term.prompt)
    lines = web.run("jitctl", "audit", "--json", "--id", request).stdout.splitlines()
    told = [json.loads(line)["event"] for line in lines]
    once = ["requested", "decided", "granted", "opened", "warned", "expired"]
    assert [e for e in told if e in once] == once and "used" in told, told
    web.run("jitctl", "audit", "verify", "--signatures")
    # The heads in the receipts that bob got stand in the chain.
    heads = {json.loads(e["document"])["head"] for r in json.loads(hub.run("su", "-", "bob", "-c", "jitctl inbox --all --json").stdout)
             for e in r["receipts"] if r["id"] == request}
    assert heads
    web.run("jitctl", "audit", "verify", *(word for head in heads for word in ("--witness", head)))


def test_denied(web, hub):
    before = main_pid(web)
    term, request = ask(web)
    said = answer(hub, "deny --note 'not on a Friday'", request)
    assert "denied on web1: denied by bob: not on a Friday" in plain(said)
    code, text = status(term)
    assert code == 1 and "pam-jit: denied by bob: not on a Friday" in text, text
    assert main_pid(web) == before
    code, text = waited(web, request)
    assert code == 1 and "denied: by bob: not on a Friday" in text, text
    assert [r["event"] for r in told(web, request)] == ["requested", "decided", "denied"]
    decided, denied = told(web, request, "decided", "denied")
    assert (decided["verdict"], decided["person"], decided["note"]) == ("deny", "bob", "not on a Friday")
    assert (denied["by"], denied["person"], denied["text"]) == ("person", "bob", "not on a Friday")


def test_nobody_answered_in_time(web, hub):
    term, request = ask(web, command="sudo touch /run/hurried")
    code, text = status(term)
    assert code == 1 and "pam-jit: nobody answered in time" in text, text
    assert web.run("test", "-e", "/run/hurried", check=False).returncode != 0
    code, text = waited(web, request)
    assert code == 3 and "expired: nobody answered in time" in text, text
    assert [r["event"] for r in told(web, request)] == ["requested", "expired"]
    assert told(web, request, "expired")[0]["cause"] == "nobody answered in time"
    # and the approver who comes late is told so
    bob = hub.login("bob")
    bob.sendline(f"jitctl approve {request}; echo status=$?")
    bob.expect(r"status=(\d+)\r")
    assert bob.match.group(1) in ("1", "3") and "no longer pending" in bob.before, bob.before


def test_ctrl_c_and_back(web, hub):
    """Who leaves finds what was approved meanwhile."""
    term, request = ask(web)
    term.sendintr()
    code, text = status(term)
    assert code == 1 and "pam-jit: not waiting any longer (interrupt)" in text, text
    assert f"the request {request} stays; run the command again when it is approved" in text
    assert f"jitctl cancel {request}" in text
    code, text = waited(web, request)
    assert code == 7 and "still pending" in text, text
    wait_for(lambda: f"refused: pending, request {request}" in web.journal("-t", "sudo"), what="the record in the journal")
    answer(hub, "approve", request)
    assert waited(web, request)[0] == 0
    before = main_pid(web)
    term.sendline(SUDO)
    code, text = status(term)
    assert code == 0 and "approved by bob" in text, text
    assert main_pid(web) != before
    # one request, asked once, used by the process that came back
    assert [r["event"] for r in told(web, request, "requested", "decided", "granted", "opened")] == \
        ["requested", "decided", "granted", "opened"]


def test_hub_away(web, hub):
    """The request waits on the host, and goes on when the hub is back."""
    hub.run("systemctl", "stop", "jit-hub.service")
    term, request = ask(web)
    wait_for(lambda: "unreachable" in web.run("jitctl", "status", check=False).stdout, 20, "'unreachable' in the status")
    bob = hub.login("bob")
    bob.sendline("jitctl inbox; echo status=$?")
    bob.expect(r"status=(\d+)\r")
    assert bob.match.group(1) == "4" and "hub:8443" in bob.before, bob.before
    assert [r["event"] for r in told(web, request)] == ["requested"]
    term.expect(rf"{request}: not delivered yet: the hub cannot be reached since \d\d:\d\d\r")
    assert re.search(r"outbox +1 still to be delivered", plain(web.run("jitctl", "status").stdout))
    hub.run("systemctl", "start", "jit-hub.service")
    term.expect(rf"{request}: delivered now; still waiting for 1 of sre", timeout=60)
    assert "not delivered" not in term.before, term.before  # once
    answer(hub, "approve", request)
    code, text = status(term)
    assert code == 0 and "approved by bob" in text, text
    assert [r["event"] for r in told(web, request)][:4] == ["requested", "decided", "granted", "opened"]


def test_courier_stopped(web, hub):
    """Said while she waits, and at the end of Hold=, without a terminal too."""
    web.run("systemctl", "stop", "jit-courier.service")
    web.put("/etc/jit/jitd.conf.d/20-hold.conf", "[Host]\nHold=9s\n")
    web.run("systemctl", "reload", "jitd.service")
    try:
        term, request = ask(web)
        said = "not delivered yet: the courier is not running"
        term.expect_exact(f"{request}: {said}")
        code, text = status(term)
        assert code == 1 and f"{request} is requested, {said}; run the same command again" in text, text
        done = web.ssh("alice", *SUDO.split(), check=False)
        assert done.returncode == 1 and re.search(f"{ID} is requested, {said};", done.stderr), done.stderr
        web.run("systemctl", "start", "jit-courier.service")
        term.sendline(SUDO)
        term.expect(rf"{request}: still waiting")
        code, text = status(term)
        assert code == 1 and f"{request} is requested and waits for an answer" in text and "delivered" not in text, text
        assert "outbox" not in web.run("jitctl", "status").stdout
        web.run("systemctl", "stop", "jit-courier.service")
        term.sendline(SUDO)
        term.expect_exact(f"{request}: delivered, but no answer can come now: the courier is not running")
    finally:
        web.run("rm", "/etc/jit/jitd.conf.d/20-hold.conf")
        web.run("systemctl", "reload", "jitd.service")
        web.run("systemctl", "start", "jit-courier.service")


def test_jitd_away(web):
    web.run("systemctl", "stop", "jitd.socket", "jitd.service")
    done = web.ssh("alice", "sudo", "-n", "id", "-u", check=False)
    assert done.returncode == 1 and done.stdout == ""
    assert "pam-jit: jitd cannot be reached at /run/jit/gate.sock" in done.stderr, done.stderr
    assert "systemctl status jitd" in done.stderr
    # there is no ledger without jitd
    wait_for(lambda: "jitd cannot be reached" in web.journal("-t", "sudo"), what="the record in the journal")


def test_jitd_killed_in_mid_wait(web, hub):
    term, request = ask(web)
    pid = jitd_pid(web)
    web.run("kill", "-KILL", pid)
    term.expect("jitd went away; waiting for it to come back")
    wait_for(lambda: web.run("systemctl", "is-active", "jitd", check=False).stdout == "active\n", 10, "jitd's restart")
    answer(hub, "approve", request)
    code, text = status(term)
    assert code == 0 and "approved by bob" in text, text
    assert [r["event"] for r in told(web, request)][:4] == ["requested", "decided", "granted", "opened"]
    web.run("jitctl", "audit", "verify")


def jitd_pid(web):
    return web.run("systemctl", "show", "-P", "MainPID", "jitd").stdout.strip()


def test_jitd_hung_at_the_deadline(web, hub):
    """Stopped, not dead: systemd's timer ends the grant; who asks meanwhile is refused in time; what jitd finds it says."""
    term, request = ask(web, command="sudo sleep 601; echo ended=$?")
    answer(hub, "approve", request)
    wait_for(lambda: web.run("pgrep", "-x", "sleep", check=False).stdout, 5, "sleep")
    deadline = told(web, request, "opened")[0]["deadline"] / 1e6
    pid = jitd_pid(web)
    web.run("kill", "-STOP", pid)
    try:
        done = web.ssh("alice", "sudo", "-n", "id", "-u", check=False)
        assert done.returncode == 1 and "jitd has stopped answering" in done.stderr and done.stdout == "", done.stderr
        wait_for(lambda: not web.run("pgrep", "-x", "sleep", check=False).stdout, 25, "the end of sleep")
        assert float(web.read("/proc/uptime").split()[0]) < deadline + 9  # the last resort, the scope itself, would come at 12
        term.expect(r"ended=(\d+)\r")
        assert term.match.group(1) != "0"
        assert told(web, request)[-1]["event"] == "opened"  # nobody has said it yet
        # So late that jitd can tell: within 2 s it takes its own clock for slow.
        wait_for(lambda: float(web.read("/proc/uptime").split()[0]) > deadline + 2.5, 10, "a deadline long past")
    finally:
        web.run("kill", "-CONT", pid)  # before the watchdog (30 s) ends it: it is the same jitd that goes on
    wait_for(lambda: gone(web, request), 5, "the record of the end")
    assert jitd_pid(web) == pid
    ends = told(web, request, "expired")
    assert len(ends) == 1 and re.search("ended by the timer|while jitd was held up", ends[0]["cause"]), ends
    web.run("jitctl", "audit", "verify")
    term.sendline("sudo sleep 601")
    term.expect(ID)
    assert term.match.group(0) != request


def test_jitd_away_at_the_deadline(web, hub):
    """The timer ends the grant by itself."""
    term, request = ask(web, command="sudo sleep 601; true")
    answer(hub, "approve", request)
    wait_for(lambda: web.run("pgrep", "-x", "sleep", check=False).stdout, 5, "sleep")
    web.run("systemctl", "stop", "jitd.socket", "jitd.service")
    wait_for(lambda: not web.run("pgrep", "-x", "sleep", check=False).stdout, 30, "the end of sleep")
    web.run("systemctl", "start", "jitd.socket", "jitd.service")
    wait_for(lambda: gone(web, request), 5, "the record of the end")
    web.run("jitctl", "audit", "verify")


def test_a_reload_of_systemd_moves_no_deadline(web, hub):
    term, request = ask(web)
    answer(hub, "approve", request)
    assert status(term)[0] == 0
    start = time.monotonic()
    term.sendline("sudo sleep 600")
    time.sleep(8)
    web.run("systemctl", "daemon-reload")
    web.run("systemctl", "stop", "jitd.socket", "jitd.service")
    term.expect(term.prompt, timeout=30)
    assert time.monotonic() - start < 25


def under_a_grant(web, hub):
    """(terminal, id): alice's `sleep 600` runs, and would for most of the grant."""
    term, request = ask(web, command="sudo sleep 600")
    term.logfile_read = io.StringIO()
    answer(hub, "approve", request)
    wait_for(lambda: web.run("pgrep", "-x", "sleep", check=False).stdout, 5, "sleep")
    return term, request


def shown(term, words):
    """On the screen: before the prompt or behind it, jitd does not hold the end up until a terminal has taken it."""
    if words not in term.logfile_read.getvalue():
        term.expect_exact(words)


def test_revoked_at_the_host(web, hub):
    term, request = under_a_grant(web, hub)
    web.run("jitctl", "revoke", request, "--note", "wrong host")
    code, text = status(term)
    assert code != 0, text
    shown(term, f"pam-jit: {request}: revoked by root: wrong host; what still runs is ended")
    assert gone(web, request) and not web.run("pgrep", "-x", "sleep", check=False).stdout
    revoked, = told(web, request, "revoked")
    assert (revoked["by"], revoked["text"]) == ("root", "wrong host") and "signature" not in revoked


def test_revoked_by_the_approver_through_the_hub(web, hub):
    """Signed like a decision, and kept like one."""
    term, request = under_a_grant(web, hub)
    said = answer(hub, "revoke --at-hub --note 'enough of that'", request)
    assert "revoked on web1: revoked by bob: enough of that: what still ran is ended" in plain(said), said
    code, text = status(term)
    assert code == 143, text
    shown(term, f"pam-jit: {request}: revoked by bob: enough of that; what still runs is ended")
    assert gone(web, request) and not web.run("pgrep", "-x", "sleep", check=False).stdout
    code, text = waited(web, request)
    assert code == 1 and "revoked by bob: enough of that" in text, text
    revoked, = told(web, request, "revoked")
    assert (revoked["by"], revoked["text"], revoked["strength"]) == ("bob", "enough of that", "key")
    assert json.loads(revoked["document"])["verdict"] == "revoke" and "BEGIN SSH SIGNATURE" in revoked["signature"]
    assert "revoked by bob, signed with key: enough of that" in web.run("jitctl", "audit", "--id", request).stdout
    good = json.loads(web.run("jitctl", "audit", "verify", "--signatures", "--json").stdout)["signatures"]
    assert good == sum("signature" in json.loads(line) for line in web.run("jitctl", "audit", "--json").stdout.splitlines())
    # a restart changes none of it,
    web.run("systemctl", "restart", "jitd.service")
    code, text = waited(web, request)
    assert code == 1 and "revoked by bob: enough of that" in text, text
    # and it asks again
    term.sendline("sudo sleep 600")
    term.expect(ID)
    assert term.match.group(0) != request
