"""jitd is killed (SIGKILL) before and after every record of a request's life, with sudo waiting.  After the restart no
grant is lost, doubled or raised from the dead, the sudo that waits goes on by itself, and the chain verifies."""

import json
import subprocess
import time

import pytest

import jithost
from answers import Desk

RULES = """\
[Rule many]
Service=sudo
User=alice
Command=/usr/bin/touch /run/many*
Decision=approve
Need=1 of sre
Scope=service
For=20s
AtEnd=warn no, terminate 1s

[Rule one]
Service=sudo
User=alice
Decision=approve
Need=1 of sre
For=8s
AtEnd=warn 3s, terminate 1s
"""


@pytest.fixture(scope="module")
def desk(lab, tmp_path_factory):
    host = lab.host("web1")
    lab.boot()
    d = Desk(host)
    d.set_up(rules=RULES)
    so = tmp_path_factory.mktemp("fault") / "crash.so"
    subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-o", so, jithost.jitbuild.TREE / "tests/fault/crash.c", "-ldl"], check=True)
    subprocess.run(host.enter("sh", "-c", "cat >/usr/lib/jit-test-crash.so"), stdin=open(so, "rb"), check=True)
    host.put("/etc/systemd/system/jitd.service.d/crash.conf", "[Service]\nEnvironment=LD_PRELOAD=/usr/lib/jit-test-crash.so\n")
    host.run("systemctl", "daemon-reload")
    host.run("systemctl", "restart", "jitd")
    return d


def pid(desk):
    return desk.host.run("systemctl", "show", "-P", "MainPID", "jitd").stdout.strip()


def killed(desk, before, seconds=20):
    """Waits until jitd has died of the order and is back."""
    end = time.monotonic() + seconds
    while desk.host.run("test", "-e", "/run/jit/fault", check=False).returncode == 0 or pid(desk) in (before, "0"):
        assert time.monotonic() < end, "jitd did not die as ordered"
        time.sleep(0.02)
    while desk.host.run("systemctl", "is-active", "jitd", check=False).stdout != "active\n":
        assert time.monotonic() < end, "jitd did not come back"
        time.sleep(0.02)


def order(desk, event, when):
    desk.host.put("/run/jit/fault", f"{event} {when}\n")
    return pid(desk)


def wait_state(desk, rid, states, seconds=30):
    end = time.monotonic() + seconds
    while desk.state(rid) not in states:
        assert time.monotonic() < end, desk.state(rid)
        time.sleep(0.05)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("event", ["requested", "decided", "granted", "opened", "warned", "closed", "expired"])
def test_killed_at(desk, event, when):
    host = desk.host
    desk.clear()
    host.run("rm", "-f", "/run/one")
    mark = len(desk.ledger())
    old = order(desk, event, when)
    term = host.login("alice")
    work = "touch /run/one; exec sleep 60" if event in ("warned", "expired") else "echo x >>/run/one"
    term.sendline(f"sudo sh -c '{work}'; echo status=$?")
    if event == "requested":
        killed(desk, old)
    # The request as it is pending now, whatever happened to the first attempt.
    end = time.monotonic() + 20
    document = None
    while document is None:
        names = host.run("sh", "-c", "ls /var/lib/jit/outbox | grep ^request", check=False).stdout.split()
        if names:
            document = desk.document(names[0][8:-5])
        assert time.monotonic() < end, "no request in the outbox"
    rid = json.loads(document)["id"]
    desk.answer(document)
    if event != "requested":
        killed(desk, old)
    term.expect(r"status=(\d+)", timeout=40)
    desk.settled()
    wait_state(desk, rid, ("ended",))
    if event in ("warned", "expired"):
        assert term.match.group(1) != "0"  # ended at the deadline
        assert host.run("pgrep", "-x", "sleep", check=False).stdout == ""
    else:
        assert term.match.group(1) == "0"
        assert host.read("/run/one") == "x\n"  # ran once
    story = [e["event"] for e in desk.ledger()[mark:] if e.get("id") == rid]
    for once in ("requested", "decided", "granted", "opened"):
        assert story.count(once) == 1, story
    assert story.count("expired") == 1, story
    assert story.index("requested") < story.index("decided") < story.index("granted") < story.index("opened")
    assert sum(e["event"] == "requested" for e in desk.ledger()[mark:]) == 1
    host.run("jitctl", "audit", "verify")
    # and what ended stays ended
    term.expect(term.prompt)
    term.sendline("sudo true")
    # Not the words about the end of the first one, which may come only now.
    term.expect(r"([0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}): asking")
    assert term.match.group(1) != rid


def asked_now(desk):
    """(terminal, document): a request of alice's, pending."""
    desk.clear()
    return desk.ask("touch /run/many1")


@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_at_denied(desk, when):
    """The no stands, whether or not its record was written before the kill."""
    term, document = asked_now(desk)
    rid = json.loads(document)["id"]
    old = order(desk, "denied", when)
    desk.answer(document, verdict="deny")
    killed(desk, old)
    term.expect(r"status=(\d+)", timeout=40)
    assert term.match.group(1) == "1"
    assert not desk.events(rid, "granted")
    wait_state(desk, rid, ("denied",))
    desk.host.run("jitctl", "audit", "verify")


@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_at_withdrawn(desk, when):
    term, document = asked_now(desk)
    rid = json.loads(document)["id"]
    old = order(desk, "withdrawn", when)
    desk.host.run("jitctl", "cancel", rid, check=False)
    killed(desk, old)
    if when == "before":  # nothing was said: it can be said again
        assert desk.state(rid) == "pending"
        desk.host.run("jitctl", "cancel", rid)
    wait_state(desk, rid, ("withdrawn",))
    desk.answer(document)
    assert not desk.events(rid, "granted")
    term.sendintr()
    desk.host.run("jitctl", "audit", "verify")


@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_at_used(desk, when):
    """The second use of a service grant: it goes on by itself, and asks nobody."""
    term, document = asked_now(desk)
    rid = json.loads(document)["id"]
    desk.answer(document)
    term.expect("status=0")
    term.expect(term.prompt)
    desk.host.run("rm", "-f", "/run/many2")
    old = order(desk, "used", when)
    term.sendline("sudo touch /run/many2; echo status=$?")
    killed(desk, old)
    term.expect(r"status=(\d+)\r", timeout=40)
    assert term.match.group(1) == "0"
    desk.host.run("test", "-e", "/run/many2")
    assert len(desk.events(rid, "opened")) == 1 and len(desk.events(rid, "used")) == 1
    desk.host.run("jitctl", "audit", "verify")


@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_at_revoked(desk, when):
    """After the record the grant is gone, whatever jitd had done of it; before, nothing was said."""
    term, document = asked_now(desk)
    rid = json.loads(document)["id"]
    desk.answer(document)
    term.expect("status=0")
    old = order(desk, "revoked", when)
    desk.host.run("jitctl", "revoke", rid, check=False)
    killed(desk, old)
    if when == "before":
        assert desk.state(rid) == "running"
        desk.host.run("jitctl", "revoke", rid)
    wait_state(desk, rid, ("ended",))
    assert len(desk.events(rid, "revoked")) == 1
    term.expect(term.prompt)
    term.sendline("sudo touch /run/many3")
    term.expect(r"[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}")
    assert term.match.group(0) != rid
    desk.host.run("jitctl", "audit", "verify")
