"""What was approved is what runs: programs, scripts and what runs them, swapped while their approval was waited for."""

import hashlib
import json
import re
import time

import pytest

from answers import Desk

ID = r"[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}"
RULES = """\
[Rule wide]
Service=sudo
User=alice
Command=/opt/wide/* | /usr/bin/true
Decision=approve
Need=1 of sre
Scope=service
For=30s

[Rule one]
Service=sudo
User=alice
Decision=approve
Need=1 of sre
For=30s
"""
GOOD, EVIL = "/run/good", "/run/evil"
SCRIPT = f"#!/bin/sh\ntouch {GOOD}\n"
REWRITTEN = f"#!/bin/sh\ntouch {EVIL}\n"


@pytest.fixture(scope="module")
def desk(lab):
    host = lab.host("web1")
    lab.boot()
    d = Desk(host)
    d.set_up(rules=RULES)
    return d


@pytest.fixture(autouse=True)
def calm(desk):
    desk.host.run("rm", "-rf", GOOD, EVIL, "/opt/it", "/opt/wide", "/tmp/it.sh", "/home/alice/it.sh", "/usr/local/bin/jit-sh")
    desk.host.run("mkdir", "-p", "/opt/it", "/opt/wide")
    yield
    desk.host.run("systemctl", "start", "jitd.socket", "jitd.service")
    desk.clear()


def there(desk, path):
    return desk.host.run("test", "-e", path, check=False).returncode == 0


def wait_for(condition, seconds=15, what="it"):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"{what} did not happen"
        time.sleep(0.05)


def status(term):
    """(status, what was on the screen) of the command that `ask` or `again` typed."""
    term.expect(r"status=(\d+)\r")
    return int(term.match.group(1)), re.sub(r"\r\n", "", term.before)


def again(term, command):
    term.expect(term.prompt)
    term.sendline(f"sudo {command}; echo status=$?")
    term.expect(r"status=\$")


def refused_record(desk, rid):
    return [e for e in desk.events(rid, "refused") if e["where"] == "use"]


def told(desk, rid, event):
    """The text of the receipt EVENT, which the approvers are sent as soon as it is signed."""
    wait_for(lambda: event in dict(receipts(desk, rid)), what=f"the receipt '{event}'")
    return dict(receipts(desk, rid))[event]


def receipts(desk, rid):
    out = desk.host.run("sh", "-c", f"cat /var/lib/jit/outbox/receipt-{rid}-*.json").stdout
    documents = [json.loads(json.loads(line)["document"]) for line in re.sub(r"}\s*{", "}\n{", out).splitlines()]
    return [(d["event"], d["text"]) for d in documents]


class Case:
    """A command, how its file comes to be, and what happens to it during the wait."""

    def __init__(self, name, command, before, change, words="was changed", passes=False):
        self.name, self.command, self.before, self.change, self.words = name, command, before, change, words
        self.passes = passes

    def __str__(self):
        return self.name


def put(path, text, owner="root:root", mode=0o755):
    return lambda host: host.put(path, text, mode, owner)


def sh(line):
    return lambda host: host.run("sh", "-c", line)


def both(*steps):
    return lambda host: [s(host) for s in steps]


def write(path, text):
    """The same file with other bytes, written by its owner."""
    return lambda host: host.run("su", "-s", "/bin/sh", "alice", "-c", f"cat >{path}", input=text)


def over(path, text, owner="root:root"):
    """A new file, renamed over PATH."""
    return both(put(path + ".new", text, owner), sh(f"mv -f {path}.new {path}"))


HOME = "/home/alice/it.sh"
CHANGES = [
    Case("binary renamed over", f"/opt/it/tool {GOOD}", sh("cp /usr/bin/touch /opt/it/tool"),
         sh("cp /usr/bin/mkdir /opt/it/new && mv /opt/it/new /opt/it/tool")),
    Case("binary written", f"/opt/it/tool {GOOD}", sh("cp /usr/bin/touch /opt/it/tool"), sh("cat /usr/bin/mkdir >/opt/it/tool")),
    Case("binary with times set back", f"/opt/it/tool {GOOD}", sh("cp /usr/bin/touch /opt/it/tool"),
         sh("touch -r /opt/it/tool /opt/it/t; cat /usr/bin/mkdir >/opt/it/tool; touch -r /opt/it/t /opt/it/tool")),
    Case("script written", HOME, put(HOME, SCRIPT, "alice:alice"), write(HOME, REWRITTEN)),
    Case("script renamed over", HOME, put(HOME, SCRIPT, "alice:alice"), over(HOME, REWRITTEN, "alice:alice")),
    Case("script of the same length", HOME, put(HOME, SCRIPT, "alice:alice"),
         sh(f"printf '#!/bin/sh\\ntouch {EVIL}\\n' | dd of={HOME} conv=notrunc 2>/dev/null")),
    Case("script in /tmp", "/tmp/it.sh", put("/tmp/it.sh", SCRIPT, "alice:alice"), write("/tmp/it.sh", REWRITTEN)),
    Case("script by a relative path", "./it.sh", put(HOME, SCRIPT, "alice:alice"), write(HOME, REWRITTEN)),
    Case("script without a line", HOME, put(HOME, f"touch {GOOD}\n", "alice:alice"), write(HOME, f"touch {EVIL}\n")),
    Case("script with another interpreter", HOME, put(HOME, SCRIPT, "alice:alice"),
         put(HOME, f"#!/bin/bash\ntouch {GOOD}\n", "alice:alice")),
    Case("interpreter swapped", "/opt/it/s", both(sh("cp /bin/sh /opt/it/sh"), put("/opt/it/s", f"#!/opt/it/sh\ntouch {GOOD}\n")),
         sh("cp /usr/bin/mkdir /opt/it/new && mv /opt/it/new /opt/it/sh"), "/opt/it/sh was changed"),
    Case("interpreter's interpreter swapped", "/opt/it/s",
         both(put("/opt/it/run", SCRIPT.replace("/bin/sh", "/opt/it/sh")), sh("cp /bin/sh /opt/it/sh"), put("/opt/it/s", "#!/opt/it/run\n")),
         sh("cp /bin/bash /opt/it/new && mv /opt/it/new /opt/it/sh"), "/opt/it/sh was changed"),
    Case("env's program swapped", "/opt/it/s",
         both(sh("cp /bin/sh /usr/local/bin/jit-sh"), put("/opt/it/s", f"#!/usr/bin/env jit-sh\ntouch {GOOD}\n")),
         sh("cp /bin/bash /opt/it/new && mv /opt/it/new /usr/local/bin/jit-sh"), "/usr/local/bin/jit-sh was changed"),
    Case("link retargeted", "/opt/it/l", both(put("/opt/it/a", SCRIPT), put("/opt/it/b", REWRITTEN), sh("ln -s a /opt/it/l")),
         sh("ln -sfn b /opt/it/l")),
    Case("folder retargeted", "/opt/it/d/s", both(sh("mkdir /opt/it/d1 /opt/it/d2; ln -s d1 /opt/it/d"), put("/opt/it/d1/s", SCRIPT),
         put("/opt/it/d2/s", REWRITTEN)), sh("ln -sfn d2 /opt/it/d")),
    Case("mounted over", "/opt/it/s", both(put("/opt/it/s", SCRIPT), put("/opt/evil", REWRITTEN)),
         sh("mount --bind /opt/evil /opt/it/s")),
    Case("gone", "/opt/it/s", put("/opt/it/s", SCRIPT), sh("rm /opt/it/s"), "is not what it was"),
    Case("a folder now", "/opt/it/s", put("/opt/it/s", SCRIPT), sh("rm /opt/it/s; mkdir /opt/it/s"), "is not what it was"),
    Case("own copy of the same bytes", HOME, put(HOME, SCRIPT, "alice:alice"), over(HOME, SCRIPT, "alice:alice"), "same bytes"),
    Case("too large for a digest, written", f"/opt/it/tool {GOOD}", sh("cp /usr/bin/touch /opt/it/tool; truncate -s 300M /opt/it/tool"),
         sh("printf x | dd of=/opt/it/tool bs=1 seek=299M conv=notrunc 2>/dev/null"), "has no digest, and its times"),
    Case("untouched", HOME, put(HOME, SCRIPT, "alice:alice"), sh("true"), passes=True),
    Case("touched", HOME, put(HOME, SCRIPT, "alice:alice"), sh(f"touch {HOME}; chmod 700 {HOME}"), passes=True),
    Case("written with the same bytes", HOME, put(HOME, SCRIPT, "alice:alice"), write(HOME, SCRIPT), passes=True),
    Case("reinstalled", "/opt/it/s", put("/opt/it/s", SCRIPT), over("/opt/it/s", SCRIPT), "by another file with the same bytes",
         passes=True),
    Case("too large for a digest", f"/opt/it/tool {GOOD}", sh("cp /usr/bin/touch /opt/it/tool; truncate -s 300M /opt/it/tool"),
         sh("true"), passes=True),
]


@pytest.mark.parametrize("case", CHANGES, ids=str)
def test_changed_during_the_wait(desk, case):
    host = desk.host
    case.before(host)
    term, document = desk.ask(case.command)
    rid = json.loads(document)["id"]
    case.change(host)
    try:
        desk.answer(document)
        code, text = status(term)
        if case.passes:
            assert code == 0 and there(desk, GOOD), text
            assert not refused_record(desk, rid)
            notes = [e.get("note", "") for e in desk.events(rid, "opened")]
            assert len(notes) == 1 and (case.words in notes[0] if case.name == "reinstalled" else not notes[0])
            return
        assert code == 1 and not there(desk, GOOD) and not there(desk, EVIL), text
        assert case.words in text and "approved by bob" in text and "nothing is run" in text and "ask again" in text, text
        record, = refused_record(desk, rid)
        assert case.words in record["text"] and record["approved"] != record["found"], record
        assert desk.state(rid) == "ended"
        assert [e["by"] for e in desk.events(rid, "revoked")] == ["jitd"] and not desk.events(rid, "opened")
        said = told(desk, rid, "revoked")
        assert case.words in said and "nothing was run" in said
        # Asked again, for what stands there now.
        if case.name not in ("gone", "a folder now"):
            again(term, case.command)
            term.expect("asking 1 of sre")
            term.sendintr()
            status(term)
    finally:
        host.run("umount", "/opt/it/s", check=False) if case.name == "mounted over" else None
    host.run("jitctl", "audit", "verify")


def digest(text):
    return hashlib.sha256(text.encode()).hexdigest()


def test_the_document_says_what_will_run(desk):
    """Program, interpreter, and the program that env finds, with their digests; shown to who answers."""
    host = desk.host
    text = f"#!/usr/bin/env jit-sh\ntouch {GOOD}\n"
    host.run("cp", "/bin/sh", "/usr/local/bin/jit-sh")
    host.put("/opt/it/s", text, 0o755)
    _, document = desk.ask("/opt/it/s")
    d = json.loads(document)
    assert d["binary"] == "/opt/it/s" and d["binary_sha256"] == digest(text) and d["marks"] == ["script"]
    assert [i["path"] for i in d["interpreters"]] == ["/usr/bin/env", "/usr/local/bin/jit-sh"]
    sums = [host.run("sha256sum", i["path"]).stdout.split()[0] for i in d["interpreters"]]
    assert [i["sha256"] for i in d["interpreters"]] == sums
    shown = host.run("jitctl", "show", d["id"]).stdout
    assert re.search(rf"run by +/usr/bin/env  sha256 {sums[0]}", shown) and re.search(rf"and by +/usr/local/bin/jit-sh  sha256 {sums[1]}", shown)
    # Device and inode stay on the host.
    call = desk.events(d["id"], "requested")[0]["call"]
    st = host.run("stat", "-c", "%i", "/opt/it/s").stdout.strip()
    assert str(call["file"]["files"][0]["ino"]) == st and '"ino"' not in document


def test_an_interpreter_that_cannot_be_told(desk):
    desk.host.put("/opt/it/s", "#!/usr/bin/env -S -i /bin/sh\n:\n", 0o755)
    term, document = desk.ask("/opt/it/s")
    d = json.loads(document)
    assert "interpreter-unknown" in d["marks"] and [i["path"] for i in d["interpreters"]] == ["/usr/bin/env"]
    assert "INTERPRETER UNKNOWN" in desk.host.run("jitctl", "show", d["id"]).stdout
    desk.answer(document)
    assert status(term)[0] == 0


def test_the_record_of_a_use_has_the_digest(desk):
    desk.host.put("/opt/it/s", SCRIPT, 0o755)
    term, document = desk.ask("/opt/it/s")
    desk.answer(document)
    assert status(term)[0] == 0
    record, = desk.events(json.loads(document)["id"], "opened")
    assert record["sha256"] == digest(SCRIPT)


# ---- approved and not used yet ----

def ahead(desk, command):
    """Asked for with jitctl request and approved: (terminal, id)."""
    term = desk.host.login("alice")
    term.sendline(f"jitctl request {command}; echo status=$?")
    term.expect(r"status=\$")
    term.expect(ID)
    rid = term.match.group(0)
    term.expect("status=0")
    desk.answer(desk.document(rid))
    wait_for(lambda: desk.state(rid) == "granted", what="the grant")
    return term, rid


@pytest.mark.parametrize("path", [HOME, "/tmp/it.sh"])
@pytest.mark.parametrize("jitd", ["there", "killed"])
def test_changed_before_it_is_claimed(desk, path, jitd):
    host = desk.host
    host.put(path, SCRIPT, 0o755, "alice:alice")
    term, rid = ahead(desk, path)
    if jitd == "killed":
        kill_jitd(desk)
    host.put(path, REWRITTEN, 0o755, "alice:alice")
    again(term, path)
    code, text = status(term)
    assert code == 1 and "was changed" in text and "ask again" in text, text
    assert not there(desk, EVIL) and desk.state(rid) == "ended" and len(refused_record(desk, rid)) == 1


@pytest.mark.parametrize("jitd", ["there", "killed"])
def test_unchanged_is_claimed(desk, jitd):
    desk.host.put(HOME, SCRIPT, 0o755, "alice:alice")
    term, rid = ahead(desk, HOME)
    if jitd == "killed":
        kill_jitd(desk)
    again(term, HOME)
    code, text = status(term)
    assert code == 0 and there(desk, GOOD) and "asking" not in text, text
    assert desk.events(rid, "opened")[0]["sha256"] == digest(SCRIPT)


def test_asked_ahead_again_for_what_stands_there_now(desk):
    """The grant for the old file does not stand for a new request; each serves its own file."""
    desk.host.put(HOME, SCRIPT, 0o755, "alice:alice")
    term, old = ahead(desk, HOME)
    desk.host.put(HOME, REWRITTEN, 0o755, "alice:alice")
    term.sendline(f"jitctl request {HOME}; echo status=$?")
    term.expect(r"status=\$")
    term.expect(ID)
    new = term.match.group(0)
    assert new != old
    term.expect("status=0")
    desk.answer(desk.document(new))
    wait_for(lambda: desk.state(new) == "granted", what="the grant")
    again(term, HOME)
    assert status(term)[0] == 0 and there(desk, EVIL)
    assert desk.state(old) == "granted"


# ---- in the middle of the look ----

def kill_jitd(desk):
    host = desk.host
    pid = host.run("systemctl", "show", "-P", "MainPID", "jitd").stdout.strip()
    host.run("kill", "-KILL", pid)
    wait_for(lambda: host.run("systemctl", "show", "-P", "MainPID,ActiveState", "jitd").stdout.split()[-1:] == ["active"] and
             host.run("systemctl", "show", "-P", "MainPID", "jitd").stdout.strip() not in ("0", pid), what="jitd's restart")


def stop_worker(desk):
    """The process that reads files answers nothing from now on; jitd replaces it after two seconds."""
    desk.host.run("pkill", "-STOP", "-f", "jit-worker files")


def test_client_leaves_in_the_middle(desk):
    """The approval is not spent, and is there for the next run."""
    desk.host.put(HOME, SCRIPT, 0o755, "alice:alice")
    term, document = desk.ask(HOME)
    rid = json.loads(document)["id"]
    stop_worker(desk)
    desk.answer(document)
    wait_for(lambda: desk.state(rid) == "granted", what="the grant")
    term.sendintr()
    status(term)
    assert desk.state(rid) == "granted" and not there(desk, GOOD)
    again(term, HOME)
    code, text = status(term)
    assert code == 0 and there(desk, GOOD) and "asking" not in text, text


def test_the_look_fails(desk):
    """Nothing is run, the approval stays."""
    desk.host.put(HOME, SCRIPT, 0o755, "alice:alice")
    term, document = desk.ask(HOME)
    rid = json.loads(document)["id"]
    stop_worker(desk)
    desk.answer(document)
    code, text = status(term)
    assert code == 1 and "could not be looked at again" in text and "the approval stays" in text, text
    assert not there(desk, GOOD) and desk.state(rid) == "granted"
    again(term, HOME)
    assert status(term)[0] == 0 and there(desk, GOOD)


@pytest.mark.parametrize("then", ["unchanged", "changed"])
def test_jitd_dies_in_the_middle(desk, then):
    """The module asks again."""
    desk.host.put(HOME, SCRIPT, 0o755, "alice:alice")
    term, document = desk.ask(HOME)
    rid = json.loads(document)["id"]
    stop_worker(desk)
    desk.answer(document)
    wait_for(lambda: desk.state(rid) == "granted", what="the grant")
    kill_jitd(desk)
    if then == "changed":
        desk.host.put(HOME, REWRITTEN, 0o755, "alice:alice")
    code, text = status(term)
    # Rewritten before or after the new look began: either way only the approved bytes may have run.
    assert not there(desk, EVIL), text
    assert (code == 0 and there(desk, GOOD)) or (then == "changed" and code == 1 and "was changed" in text), text


def test_revoked_in_the_middle(desk):
    desk.host.put(HOME, SCRIPT, 0o755, "alice:alice")
    term, document = desk.ask(HOME)
    rid = json.loads(document)["id"]
    stop_worker(desk)
    desk.answer(document)
    wait_for(lambda: desk.state(rid) == "granted", what="the grant")
    desk.host.run("jitctl", "revoke", rid)
    code, text = status(term)
    assert code == 1 and "revoked" in text and not there(desk, GOOD), text


def test_one_run_of_two_that_wait(desk):
    """Both are looked at, one is let go."""
    desk.host.put("/opt/it/s", f"#!/bin/sh\necho x >>{GOOD}\n", 0o755)
    term = desk.host.login("alice")
    term.sendline("sudo /opt/it/s & sleep 1; sudo /opt/it/s; echo status=$?")
    term.expect(f"cancel ({ID})")
    document = desk.document(term.match.group(1))
    term.expect("still waiting")
    desk.answer(document)
    term.expect(r"status=\d")
    wait_for(lambda: there(desk, GOOD), what="the run")
    assert desk.host.read(GOOD) == "x\n"
    assert len(desk.events(json.loads(document)["id"], "opened")) == 1


# ---- scope service: for a rule, not for a file ----

def test_scope_service_keeps_the_grant(desk):
    host = desk.host
    host.put("/opt/wide/a", SCRIPT, 0o755)
    host.put("/opt/wide/b", f"#!/bin/sh\ntouch {GOOD}\n", 0o755)
    term, document = desk.ask("/opt/wide/a")
    rid = json.loads(document)["id"]
    host.put("/opt/wide/a", REWRITTEN, 0o755)
    desk.answer(document)
    code, text = status(term)
    assert code == 1 and "was changed" in text and "the grant stays" in text and not there(desk, EVIL), text
    assert desk.state(rid) == "granted" and "the grant stays" in told(desk, rid, "refused")
    # Neither does a second try open the grant,
    again(term, "/opt/wide/a")
    assert status(term)[0] == 1 and not there(desk, EVIL)
    # but another program of the rule does,
    again(term, "/opt/wide/b")
    assert status(term)[0] == 0 and there(desk, GOOD)
    # and then the rule is what was approved, as pam-jit(7) says; no digest is taken on the way.
    again(term, "/opt/wide/a")
    assert status(term)[0] == 0 and there(desk, EVIL)
    assert "sha256" not in desk.events(rid, "used")[0]


def test_scope_service_unchanged(desk):
    desk.host.put("/opt/wide/a", SCRIPT, 0o755)
    term, document = desk.ask("/opt/wide/a")
    desk.answer(document)
    assert status(term)[0] == 0 and there(desk, GOOD)


# ---- what has no file ----

def test_nothing_to_look_at(desk):
    """sudoedit has no program of its own; a shell is one."""
    term, document = desk.ask("-s true")
    d = json.loads(document)
    assert d["binary"].endswith("sh") and len(d["binary_sha256"]) == 64 and "interpreters" not in d
    desk.answer(document)
    assert status(term)[0] == 0
    desk.host.put("/opt/it/file", "x\n")
    term.expect(term.prompt)
    term.sendline("SUDO_EDITOR=/bin/true sudo -e /opt/it/file; echo status=$?")
    term.expect(f"cancel ({ID})")
    document = desk.document(term.match.group(1))
    assert "binary_sha256" not in json.loads(document) and "no-digest" not in json.loads(document)["marks"]
    desk.answer(document)
    assert status(term)[0] == 0


def test_whoever_sees_another_tmp(desk):
    """The file is read where the caller sees it, not where jitd does."""
    host = desk.host
    host.put("/tmp/it.sh", SCRIPT, 0o755)
    host.run("mkdir", "-p", "/opt/it/tmp")
    host.put("/opt/it/tmp/it.sh", REWRITTEN, 0o755)
    host.run("systemd-run", "-q", "--unit=other-tmp", "--uid=alice", "-p", "BindPaths=/opt/it/tmp:/tmp", "sudo", "/tmp/it.sh")
    wait_for(lambda: host.run("sh", "-c", "ls /var/lib/jit/outbox | grep ^request", check=False).stdout, what="the request")
    rid = host.run("sh", "-c", "ls /var/lib/jit/outbox | grep ^request").stdout.strip()[8:-5]
    document = desk.document(rid)
    assert json.loads(document)["binary_sha256"] == digest(REWRITTEN)
    desk.answer(document)
    wait_for(lambda: there(desk, EVIL), what="the run")
    host.run("systemctl", "reset-failed", "other-tmp.service", check=False)
