"""What nobody does on purpose, and what somebody does on purpose: stopped processes, odd options, floods, a full disk."""

import json
import os
import subprocess
import time

import pytest

from answers import CONF, Desk

ID = r"[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}"
RULES = """\
[Rule postgres-allowed]
Service=sudo
User=bob
Target=postgres
Decision=allow

[Rule short]
Service=sudo
User=alice
Command=/usr/bin/touch /run/short *
Decision=approve
Need=1 of sre
For=3s
ClaimBy=4s
AtEnd=warn no, terminate 1s

[Rule login]
Service=sudo-i
User=alice
Decision=approve
Need=1 of sre
For=3s

[Rule drain]
Service=sudo
User=alice
Command=/usr/bin/sleep *
Decision=approve
Need=1 of sre
Scope=service
For=4s
AtEnd=warn no, drain

[Rule wide]
Service=sudo
User=alice
Command=/usr/bin/touch /run/wide*
Decision=approve
Need=1 of sre
Scope=service
For=30s

[Rule once]
Service=sudo
User=alice
Command=/usr/bin/touch /run/once*
Decision=approve
Need=1 of sre
Scope=session
For=30s

[Rule root-only]
Service=sudo
User=alice
Target=root
Decision=approve
Need=1 of sre
For=30s

[Rule bob]
Service=sudo
User=bob
Decision=deny
Message=ask carol
"""


@pytest.fixture(scope="module")
def desk(lab):
    host = lab.host("web1")
    lab.boot()
    d = Desk(host)
    d.set_up(rules=RULES)
    host.run("useradd", "-m", "postgres")
    return d


@pytest.fixture(autouse=True)
def calm(desk):
    yield
    desk.host.run("systemctl", "start", "jitd.socket", "jitd.service")
    desk.clear()


def outside(desk, program, *args, timeout=120):
    """Runs the test machine's python with PROGRAM among the host's processes; its gate is at GATE."""
    leader = str(desk.host.leader)
    env = {**os.environ, "GATE": f"/proc/{leader}/root/run/jit/gate.sock"}
    return subprocess.Popen(["nsenter", "--target", leader, "--pid", "--net", "--ipc", "/usr/bin/python3", "-c", program, *args],
                            env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def wait_for(condition, seconds=15, what="it"):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"{what} did not happen"
        time.sleep(0.05)


def sudo_pid(desk):
    """The only sudo there is."""
    return desk.host.run("pgrep", "-x", "sudo").stdout.strip()


# ---- stopped over the deadline ----

def deadline_passes(desk, rid, and_seconds=0.0):
    """Returns when the boot clock has passed the deadline that the ledger names."""
    deadline = desk.events(rid, "opened")[0]["deadline"] / 1e6 + and_seconds
    wait_for(lambda: float(desk.host.read("/proc/uptime").split()[0]) > deadline, what="the deadline")


def asked_and_stopped(desk, how, command):
    """(terminal, terminal that stopped it, document): alice's own sudo, stopped in the wait by alice."""
    term, document = desk.ask(command)
    if how == "Ctrl-Z":
        term.send("\x1a")
        term.expect(r"\^Z")
        return term, term, document
    other = desk.host.login("alice")
    other.sendline(f"kill -STOP {sudo_pid(desk)}; echo stop=$?")
    other.expect("stop=0\r")
    term.expect("Stopped")
    return term, other, document


@pytest.mark.parametrize("meanwhile", ["nothing", "restart", "dead"])
@pytest.mark.parametrize("how", ["Ctrl-Z", "kill -STOP"])
def test_stopped_in_the_wait_over_the_deadline(desk, how, meanwhile):
    """Stopped by its own user, approved, the work time passes, continued: the command does not run.

    sudo puts Ctrl-Z off until PAM is through with it, and stops then, with the command not begun."""
    host = desk.host
    host.run("rm", "-f", "/run/late")
    term, other, document = asked_and_stopped(desk, how, "touch /run/short /run/late")
    rid = json.loads(document)["id"]
    desk.answer(document)
    wait_for(lambda: desk.events(rid, "opened"), what="the grant")
    if how == "Ctrl-Z":
        term.expect("Stopped")
    if meanwhile == "restart":
        host.run("systemctl", "restart", "jitd")
    if meanwhile == "dead":
        host.run("systemctl", "stop", "jitd.socket", "jitd.service")
    deadline_passes(desk, rid)
    wait_for(lambda: not host.run("pgrep", "-x", "sudo", check=False).stdout, what="the end of sudo")
    term.sendline("fg; echo back=$?")
    term.expect(r"back=(\d+)\r")
    assert term.match.group(1) != "0"
    assert host.run("test", "-e", "/run/late", check=False).returncode != 0
    if meanwhile == "dead":
        host.run("systemctl", "start", "jitd.socket", "jitd.service")
    wait_for(lambda: desk.state(rid) == "ended", what="the record of the end")
    assert [e["event"] for e in desk.events(rid)].count("expired") == 1


@pytest.mark.parametrize("jitd", ["there", "away"])
def test_stopped_in_the_wait_is_not_what_may_finish(desk, jitd):
    """AtEnd=drain is for what has begun."""
    host = desk.host
    term, other, document = asked_and_stopped(desk, "Ctrl-Z", "sleep 30")
    rid = json.loads(document)["id"]
    desk.answer(document)
    term.expect("Stopped")
    wait_for(lambda: desk.events(rid, "opened"), what="the grant")
    if jitd == "away":
        host.run("systemctl", "stop", "jitd.socket", "jitd.service")
    deadline_passes(desk, rid)
    wait_for(lambda: not host.run("pgrep", "-x", "sudo", check=False).stdout, what="the end of sudo")
    assert host.run("pgrep", "-x", "sleep", check=False).stdout == ""


def test_stopped_in_the_wait_and_nothing_ends_it(desk):
    """The module alone: no jitd, no timer, no scope.  `sudo -i` is put under its grant only as its session opens."""
    host = desk.host
    host.run("rm", "-f", "/run/late")
    term, other, document = asked_and_stopped(desk, "kill -STOP", "-i touch /run/short /run/late")
    rid = json.loads(document)["id"]
    pid = sudo_pid(desk)
    desk.answer(document)
    wait_for(lambda: desk.events(rid, "opened"), what="the grant")
    host.run("systemctl", "stop", "jitd.socket", "jitd.service", "jit-expire@*.timer")
    deadline_passes(desk, rid)
    assert host.run("ps", "-o", "state=", "-p", pid).stdout == "T\n"
    term.sendline("fg; echo back=$?")
    term.expect(f"the time of grant {rid} is over")
    term.expect(r"back=(\d+)\r")
    assert term.match.group(1) != "0"
    assert host.run("test", "-e", "/run/late", check=False).returncode != 0


# ---- the target ----

@pytest.mark.parametrize("options", ["-p -urvalice", "-nu root", "--us=root", "-p x -u", "-u#0", "-u '#0'", "-iu root",
                                     "-g root", "-R / -u postgres", "-D / -u postgres", "-T 5 -u postgres",
                                     "-u postgres -u root", "FOO=bar -u postgres", "-E -u postgres", "-C 9 -u postgres"])
def test_an_odd_line_never_passes_as_the_allowed_target(desk, options):
    """bob may become postgres without asking.  Nothing that is not exactly `-u postgres` does that."""
    done = desk.host.ssh("bob", f"sudo {options} id -u </dev/null", check=False)
    assert done.returncode != 0 and done.stdout == "", (done.stdout, done.stderr)


def test_the_allowed_target_passes(desk):
    uid = desk.host.run("id", "-u", "postgres").stdout
    assert desk.host.ssh("bob", "sudo -u postgres id -u").stdout == uid
    assert desk.host.ssh("bob", "sudo --user=postgres -n id -u").stdout == uid


def test_runas_default_does_not_pass_as_root(desk):
    """The line says nothing, the claim is root, the truth is another account: the session is ended before the command."""
    host = desk.host
    host.put("/etc/sudoers.d/runas", "Defaults:alice runas_default=postgres\n", 0o440)
    try:
        term, document = desk.ask("sh -c 'id -u >/tmp/whoami'")
        assert json.loads(document)["target"] == "root"
        desk.answer(document)
        term.expect(r"status=(\d+)")
        assert term.match.group(1) != "0"
        assert host.run("test", "-s", "/tmp/whoami", check=False).returncode != 0
    finally:
        host.run("rm", "-f", "/etc/sudoers.d/runas", "/tmp/whoami")


def test_runas_default_does_not_pass_an_allow(desk):
    host = desk.host
    host.put("/etc/jit/rules.d/10-root.conf", "[Rule carol]\nService=sudo\nUser=carol\nTarget=root\nDecision=allow\n")
    host.put("/etc/sudoers.d/runas", "carol ALL=(ALL) NOPASSWD: ALL\nDefaults:carol runas_default=postgres\n", 0o440)
    try:
        host.run("systemctl", "reload", "jitd")
        done = host.ssh("carol", "sudo id -u", check=False)
        assert done.returncode != 0 and done.stdout == "", (done.stdout, done.stderr)
        assert host.ssh("carol", "sudo -u root id -u").stdout == "0\n"
    finally:
        host.run("rm", "-f", "/etc/sudoers.d/runas", "/etc/jit/rules.d/10-root.conf")
        host.run("systemctl", "reload", "jitd")


# ---- what needs nobody ----

def test_listing_wakes_nobody(desk):
    mark = len(desk.ledger())
    assert "NOPASSWD" in desk.host.ssh("bob", "sudo -l").stdout
    assert desk.host.ssh("bob", "sudo -l /usr/bin/id").stdout == "/usr/bin/id\n"
    assert desk.host.ssh("bob", "sudo -l /usr/bin/id -u root").stdout == "/usr/bin/id -u root\n"
    desk.host.ssh("bob", "sudo -v")
    assert len(desk.ledger()) == mark


LIST = """\
sudo list
sudo list x
sudo ./list
sudo ./list x
sudo ./bin/../list x
exec -a list sudo list x
exec -a list sudo ./list x
sudo -s ./list x
sudo -i /home/bob/list x
sudo -i list x
PATH=/tmp/list:$PATH; sudo list x
PATH=.:$PATH; sudo list
PATH=.:$PATH; sudo list x
PATH=:$PATH; sudo list x
PATH=bin:$PATH; sudo list x
SHELL=list sudo -s
SHELL=list sudo -s x
SHELL=./list sudo -s x
PATH=.:$PATH SHELL=list sudo -s x
SUDO_COMMAND=list sudo ./list x
sudo SUDO_COMMAND=list ./list x
sudo -D /home/bob list x
sudo -D /home/bob -R / list x"""


@pytest.mark.parametrize("secure", ["", "Defaults:bob !secure_path, !ignore_dot, runcwd=*, runchroot=*\n"])
def test_nothing_that_runs_is_taken_for_a_listing(desk, secure):
    """Denied by the rule, or not found by sudo; wherever a program of that name lies and however it is called."""
    host = desk.host
    marker = "#!/bin/sh\ntouch /run/list-ran\n"
    for path in ("/home/bob/list", "/home/bob/bin/list", "/tmp/list/list"):
        host.run("mkdir", "-p", os.path.dirname(path))
        host.put(path, marker, 0o755)
    host.put("/etc/sudoers.d/list", "Defaults:bob setenv\n" + secure, 0o440)
    try:
        for installed in (False, True):
            if installed:
                host.put("/usr/local/bin/list", marker, 0o755)
            for line in LIST.splitlines():
                done = host.ssh("bob", f"cd /home/bob; {line}", check=False)
                assert done.returncode != 0, (line, done.stdout, done.stderr)
                assert any(words in done.stderr for words in ("pam-jit: denied", "list: command not found",
                                                              "not permitted to use the -")), (line, done.stderr)
                assert installed is False or "not found" not in done.stderr or secure, (line, done.stderr)
                assert host.run("test", "-e", "/run/list-ran", check=False).returncode == 1, line
    finally:
        host.run("rm", "-rf", "/etc/sudoers.d/list", "/usr/local/bin/list", "/tmp/list", "/run/list-ran")


# ---- sudo -b ----

@pytest.mark.parametrize("options", ["-b", "-nb", "--background", "-ib", "--backg -i", "-niu root -b", "-inbu root"])
def test_the_background_is_refused_before_anybody_is_asked(desk, options):
    mark = len(desk.ledger())
    done = desk.host.ssh("alice", f"sudo {options} touch /run/background", check=False)
    assert done.returncode == 1 and "write the & behind the command instead" in done.stderr, done.stderr
    assert {e["event"] for e in desk.ledger()[mark:]} <= {"refused"} # the same again and again is counted
    assert any("sudo -b" in e["text"] for e in desk.ledger() if e["event"] == "refused")
    assert desk.host.run("test", "-e", "/run/background", check=False).returncode == 1


def test_the_background_of_what_a_rule_allows(desk):
    host = desk.host
    host.ssh("bob", "sudo -b -u postgres touch /home/postgres/background")
    wait_for(lambda: host.run("test", "-e", "/home/postgres/background", check=False).returncode == 0)
    done = host.ssh("bob", "sudo -b touch /run/background", check=False)
    assert done.returncode == 1 and "ask carol" in done.stderr and "&" not in done.stderr


def test_denied_says_why(desk):
    done = desk.host.ssh("bob", "sudo id", check=False)
    assert done.returncode == 1 and "ask carol" in done.stderr and done.stdout == ""


def test_root_is_not_held(desk):
    desk.host.run("systemctl", "stop", "jitd.socket", "jitd.service")
    assert desk.host.run("sudo", "id", "-u").stdout == "0\n"
    assert desk.host.run("sudo", "-u", "postgres", "id", "-un").stdout == "postgres\n"


# ---- the clocks ----

def test_approved_too_late_to_be_claimed(desk):
    """alice has left; the approval keeps for ClaimBy, then it is gone."""
    term, document = desk.ask("touch /run/short /run/x")
    rid = json.loads(document)["id"]
    term.sendintr()
    term.expect("status=")
    desk.answer(document)
    wait_for(lambda: desk.state(rid) == "granted", what="the grant")
    wait_for(lambda: desk.state(rid) == "expired", 15, "the end of the claim")
    _, again = desk.ask("touch /run/short /run/x")
    assert json.loads(again)["id"] != rid


def test_approved_after_leaving_is_claimed(desk):
    term, document = desk.ask("touch /run/short /run/y")
    term.sendintr()
    term.expect("status=")
    desk.answer(document)
    term.sendline("sudo touch /run/short /run/y; echo status=$?")
    term.expect(r"status=\$")
    term.expect(r"status=(\d+)")
    assert term.match.group(1) == "0"


# ---- words ----

@pytest.mark.parametrize("argument", ["a\nb", "\x1b[2J\x1b[31m", "\u202eevil", "\udcff\udcfe", "\u200b", "'\"$(x)`", "", " "])
def test_words_are_shown_escaped_and_signed_whole(desk, argument):
    quoted = "'" + argument.replace("'", "'\\''") + "'"
    host = desk.host
    script = f"setsid -f sudo true {quoted} >/dev/null 2>&1"
    host.put("/tmp/words.sh", "", 0o755)
    subprocess.run(host.enter("sh", "-c", "cat >/tmp/words.sh"), input=os.fsencode(script), check=True)
    host.ssh("alice", "sh /tmp/words.sh")
    wait_for(lambda: host.run("sh", "-c", "ls /var/lib/jit/outbox | grep ^request", check=False).stdout, what="the request")
    rid = host.run("sh", "-c", "ls /var/lib/jit/outbox | grep ^request").stdout.strip()[8:-5]
    document = json.loads(desk.document(rid))
    word = document["argv"][1]
    if isinstance(word, dict):
        import base64
        assert base64.b64decode(word["base64"]) == os.fsencode(argument)
    else:
        assert word == argument
    for view in (("list", "--all"), ("show", rid), ("audit", "--id", rid)):
        shown = host.run("jitctl", *view).stdout
        assert not any(c in shown for c in "\x1b\u202e\u200b\x07") and "\udcff" not in shown, shown
    desk.answer(desk.document(rid))
    wait_for(lambda: desk.state(rid) == "ended", what="the end")


def test_a_line_too_long_is_refused_not_cut(desk):
    done = desk.host.ssh("alice", "sudo true $(seq -s ' ' 20000)", check=False)
    assert done.returncode == 1 and "KiB" in done.stderr, done.stderr


# ---- the gate under a flood ----

FLOOD = r'''
import os, socket, sys
def gate():
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    s.connect(os.environ["GATE"])
    return s
held = []
for i in range(1000):
    held.append(gate())
for i in range(1000):
    s = gate()
    try:
        s.send([os.urandom(200), b"v=1\0type=account\0", b"v=1\0type=verdict\0result=allow\0", b"v=2\0type=account\0",
                b"v=1\0type=open\0service=sudo\0user=root\0", b"v=1\0v=1\0", b"type=account\0", b"x" * 65000][i % 8])
    except OSError:
        pass
    held.append(s) if i % 10 == 0 else s.close()
print("flooded", flush=True)
sys.stdin.read()
'''


def test_garbage_and_half_open_clients(desk):
    """A thousand of each, and a request goes through among them."""
    restarts = desk.host.run("systemctl", "show", "-P", "NRestarts", "jitd").stdout
    flood = outside(desk, FLOOD)
    try:
        assert flood.stdout.readline() == "flooded\n"
        term, document = desk.ask("true")
        desk.answer(document)
        term.expect("status=0")
        assert desk.host.run("systemctl", "show", "-P", "NRestarts", "jitd").stdout == restarts
    finally:
        flood.stdin.close()
        flood.wait(timeout=20)


# ---- the inbox under a flood ----

def test_an_inbox_full_of_junk(desk):
    """Files, folders, links, fifos, sockets, swapped files, until the tmpfs is full: the request lives."""
    host = desk.host
    term, document = desk.ask("true")
    rid = json.loads(document)["id"]
    as_courier = ["setpriv", "--reuid=jit-courier", "--regid=jit-courier", "--clear-groups"]
    host.run(*as_courier, "sh", "-c", "cd /run/jit/inbox; for i in $(seq 300); do echo junk >junk-$i; done; mkfifo a-fifo; "
             "ln -s /etc/shadow a-link; ln -s /dev/zero zero; mkdir -p a-folder/deeper; ln -s loop loop; "
             "head -c 200000 /dev/zero >big; : >empty; touch -- '-rf' 'new\nline' '\033[2J'; true", check=False)
    host.run(*as_courier, "sh", "-c", "cd /run/jit/inbox; for i in $(seq 20000); do echo junk >flood-$i; done; true",
             check=False, timeout=120)
    swap = host.run(*as_courier, "sh", "-c", "cd /run/jit/inbox; for i in $(seq 300); do echo x >.s; mv .s swapped; "
                    "ln -sf /etc/shadow swapped; done; true", check=False)
    assert swap.returncode == 0
    host.run("sh", "-c", "cd /run/jit/inbox; rm -rf a-folder", check=False)
    wait_for(lambda: host.run("sh", "-c", "ls /run/jit/inbox | wc -l").stdout.strip() == "0", 60, "an empty inbox")
    assert desk.state(rid) == "pending"
    desk.answer(document)
    term.expect("status=0")
    recorded = [e for e in desk.ledger() if e["event"] == "refused" and e["where"] == "inbox"]
    assert recorded and len(recorded) < 200  # counted, not written one by one


# ---- the disk ----

@pytest.fixture
def small_disk(desk):
    """The ledger on a file system of its own."""
    host = desk.host
    host.run("systemctl", "stop", "jitd.socket", "jitd.service")
    host.run("mount", "-t", "tmpfs", "-o", "size=6m,mode=0700", "small", "/var/lib/jit/ledger")
    host.run("systemctl", "start", "jitd.socket", "jitd.service")
    yield host
    host.run("systemctl", "stop", "jitd.socket", "jitd.service")
    host.run("umount", "/var/lib/jit/ledger")
    host.run("systemctl", "start", "jitd.socket", "jitd.service")


def test_disk_full(desk, small_disk):
    host = small_disk
    term, document = desk.ask("touch /run/one")
    rid = json.loads(document)["id"]
    host.run("rm", "-f", "/run/one")
    host.run("sh", "-c", "dd if=/dev/zero of=/var/lib/jit/ledger/fill bs=4k 2>/dev/null; true")
    # Denials still find room, in the last page and then in the reserve;
    for _ in range(12):
        assert "ask carol" in host.ssh("bob", "sudo id", check=False).stderr
    # nothing new is asked for,
    done = host.ssh("alice", "sudo touch /run/two", check=False)
    assert done.returncode == 1 and "No space left" in done.stderr, done.stderr
    # and nothing is granted,
    desk.answer(document)
    term.expect("No space left")
    term.expect(r"status=(\d+)")
    assert term.match.group(1) != "0"
    assert desk.state(rid) == "pending" and host.run("test", "-e", "/run/one", check=False).returncode != 0
    # until there is room again: then what was said counts.
    host.run("rm", "/var/lib/jit/ledger/fill")
    wait_for(lambda: desk.state(rid) == "granted", 30, "the grant")
    term.sendline("sudo touch /run/one; echo status=$?")
    term.expect(r"status=\$")
    term.expect(r"status=(\d+)")
    assert term.match.group(1) == "0"
    host.run("jitctl", "audit", "verify")


def test_read_only_disk(desk, small_disk):
    host = small_disk
    host.run("systemctl", "stop", "jitd.service")
    host.run("mount", "-o", "remount,ro", "/var/lib/jit/ledger")
    host.run("systemctl", "start", "jitd.service")
    done = host.ssh("alice", "sudo touch /run/two", check=False)
    assert done.returncode == 1 and "Read-only" in done.stderr, done.stderr
    assert host.run("test", "-e", "/run/two", check=False).returncode != 0
    assert "Read-only" in host.run("jitctl", "status").stdout
    # It comes back by itself.
    host.run("mount", "-o", "remount,rw", "/var/lib/jit/ledger")
    wait_for(lambda: "whole" in host.run("busctl", "call", "org.pamjit.Jit1", "/org/pamjit/Jit1", "org.pamjit.Jit1", "Status",
                                         check=False).stdout, 40, "the ledger")
    term, document = desk.ask("touch /run/two")
    desk.answer(document)
    term.expect("status=0")


def test_a_broken_chain_grants_nothing(desk, small_disk):
    host = small_disk
    term, document = desk.ask("true")
    desk.answer(document)
    term.expect("status=0")
    host.run("systemctl", "stop", "jitd.socket", "jitd.service")
    host.run("sh", "-c", "sed -i '2s/alice/mallo/' /var/lib/jit/ledger/*.jsonl")
    host.run("systemctl", "start", "jitd.socket", "jitd.service")
    done = host.run("jitctl", "audit", "verify", check=False)
    assert done.returncode == 8
    done = host.ssh("alice", "sudo true", check=False)
    assert done.returncode == 1 and "ledger" in done.stderr, done.stderr


# ---- configuration ----

@pytest.mark.parametrize("breakage", ["Decision=perhaps", "Nonsense=1", "[Rule"])
def test_bad_rules_leave_the_old_ones(desk, breakage):
    host = desk.host
    host.put("/etc/jit/rules.d/90-bad.conf", f"[Rule bad]\n{breakage}\n")
    try:
        assert host.run("systemctl", "reload", "jitd", check=False).returncode != 0
        assert "90-bad.conf:" in host.run("journalctl", "--no-pager", "-n", "20", "-u", "jitd").stdout
        done = host.ssh("bob", "sudo id", check=False)
        assert "ask carol" in done.stderr  # the old rules
        host.run("systemctl", "restart", "jitd")
        done = host.ssh("bob", "sudo id", check=False)
        assert done.returncode == 1 and "90-bad.conf:" in done.stderr and "jitctl config check" in done.stderr, done.stderr
        assert host.run("sudo", "id", "-u").stdout == "0\n"
    finally:
        host.run("rm", "-f", "/etc/jit/rules.d/90-bad.conf")
        host.run("systemctl", "reload", "jitd")
    assert "ask carol" in host.ssh("bob", "sudo id", check=False).stderr


def test_no_configuration_at_all(desk):
    host = desk.host
    host.run("sh", "-c", "mv /etc/jit /etc/jit.away && mkdir /etc/jit && systemctl restart jitd")
    try:
        done = host.ssh("bob", "sudo id", check=False)
        assert done.returncode == 1 and "no rules are in force" in done.stderr and done.stdout == "", done.stderr
        assert host.run("sudo", "id", "-u").stdout == "0\n"
    finally:
        host.run("sh", "-c", "rm -r /etc/jit && mv /etc/jit.away /etc/jit && systemctl restart jitd")


def test_a_wide_grant_opens_nothing_of_another_rule(desk):
    """Scope=service serves what its own rule decides, no more; and only in the session that asked."""
    term, document = desk.ask("touch /run/wide1")
    desk.answer(document)
    term.expect("status=0")
    term.expect(term.prompt)
    term.sendline("sudo touch /run/wide2; echo status=$?")
    term.expect(r"status=\$")
    term.expect("status=0")  # nobody was asked
    term.sendline("sudo touch /run/other")
    term.expect("asking 1 of sre")
    term.sendintr()
    elsewhere, again = desk.ask("touch /run/wide3")  # another login of the same person
    assert json.loads(again)["id"] != json.loads(document)["id"]
    elsewhere.sendintr()


@pytest.mark.parametrize("odd", ["LD_PRELOAD=/home/alice/x.so", "-D /tmp", "-E"])
def test_a_wide_grant_covers_nothing_odd(desk, odd):
    """LD_PRELOAD= makes another program of any: nobody agreed to that when they agreed to the rule's commands."""
    term, document = desk.ask("touch /run/wide1")
    assert json.loads(document)["covers"] == ["/usr/bin/touch /run/wide*"]
    assert "/usr/bin/touch /run/wide*" in desk.host.run("jitctl", "show", json.loads(document)["id"]).stdout
    desk.answer(document)
    term.expect("status=0")
    term.expect(term.prompt)
    # It uses nothing that was granted: it asks for itself.
    term.sendline(f"sudo {odd} touch /run/wide2")
    term.expect(f"({ID}): asking 1 of sre")
    rid = term.match.group(1)
    assert rid != json.loads(document)["id"] and "environment" in json.loads(desk.document(rid))["marks"]
    term.sendintr()
    term.expect(term.prompt)
    # It joins what waits in the same words, and nothing else.
    term.sendline(f"sudo {odd} touch /run/wide2")
    term.expect(f"({ID}): still waiting")
    assert term.match.group(1) == rid
    term.sendintr()
    term.expect(term.prompt)
    term.sendline(f"sudo {odd} touch /run/wide3")
    term.expect(f"({ID}): asking 1 of sre")
    term.sendintr()


def test_who_rides_with_a_wide_request_is_told(desk):
    term, document = joined(desk, "/run/wide1", "/run/wide2")
    term.expect("this command goes with that one")
    term.sendintr()


def test_the_ledger_says_what_ran_under_a_wide_grant(desk):
    term, document = desk.ask("touch /run/wide1")
    rid = json.loads(document)["id"]
    desk.answer(document)
    term.expect("status=0")
    term.sendline("sudo touch /run/wide2; echo status=$?")
    term.expect(r"status=\$")
    term.expect("status=0")
    assert [e["command"] for e in desk.events(rid) if e["event"] in ("opened", "used")] == ["touch /run/wide1", "touch /run/wide2"]
    assert "used again" in desk.host.run("jitctl", "audit", "--id", rid).stdout
    assert "touch /run/wide2" in desk.host.run("jitctl", "audit", "--id", rid).stdout


def joined(desk, first, second):
    """FIRST asks, SECOND of the same session joins its request: (terminal, document)."""
    term = desk.host.login("alice")
    desk.host.run("rm", "-f", first, second)
    term.sendline(f"sudo touch {first} & sleep 1; sudo touch {second}; echo status=$?")
    term.expect(f"cancel ({ID})")
    document = desk.document(term.match.group(1))
    term.expect("still waiting")
    return term, document


def test_who_joined_a_wide_request_has_no_part_in_a_narrow_grant(desk):
    """The approver narrows to the words that they have read: what joined under other words does not run."""
    term, document = joined(desk, "/run/wide1", "/run/wide2")
    desk.answer(document, scope="command")
    term.expect("approved for another command")
    term.expect("status=1")
    wait_for(lambda: desk.host.run("test", "-e", "/run/wide1", check=False).returncode == 0, what="the first command")
    assert desk.host.run("test", "-e", "/run/wide2", check=False).returncode != 0


def test_scope_session_is_for_the_words_that_were_read(desk):
    term, document = desk.ask("touch /run/once1")
    term.sendintr()
    term.expect("status=")
    desk.answer(document)
    term.sendline("sudo touch /run/once2; echo status=$?")
    term.expect("asking 1 of sre")
    term.sendintr()
    term.expect("status=1")
    term.sendline("sudo touch /run/once1; echo status=$?")
    term.expect("approved by bob")
    term.expect("status=0")


def test_a_unit_that_is_named_like_a_session_is_none(desk):
    """Below user@.service people name their scopes themselves."""
    host = desk.host
    term, document = desk.ask("touch /run/wide1")
    desk.answer(document)
    term.expect("status=0")
    session = json.loads(document)["session"]
    host.run("rm", "-f", "/run/wide2")
    other = host.login("alice")
    other.sendline(f"systemd-run --user --scope -q --unit=session-{session}.scope sudo touch /run/wide2; echo status=$?")
    other.expect("asking 1 of sre")
    other.sendintr()
    other.expect(r"status=\d")
    assert host.run("test", "-e", "/run/wide2", check=False).returncode != 0


def test_the_bus_is_not_one_persons(desk):
    """A hundred slow questions of one user keep nobody else waiting."""
    host = desk.host
    host.run("sh", "-c", "truncate -s 250M /home/alice/large; chmod 755 /home/alice /home/alice/large")
    call = "busctl --timeout=60 call org.pamjit.Jit1 /org/pamjit/Jit1 org.pamjit.Jit1 Request s"
    text = json.dumps({"service": "sudo", "target": "root", "argv": ["/home/alice/large"]})
    host.put("/tmp/flood.sh", f"for i in $(seq 100); do {call} '{text}' 2>&1 & done | sort | uniq -c; wait\n")
    flood = subprocess.Popen(host.ssh_argv("alice", "sh /tmp/flood.sh"), stdout=subprocess.PIPE, text=True)
    try:
        for _ in range(5):
            done = host.ssh("bob", "sudo id", check=False)
            assert "ask carol" in done.stderr, done.stderr
    finally:
        said = flood.communicate(timeout=60)[0]
        host.run("rm", "/home/alice/large")
    assert "more than 8 calls of yours" in said, said


@pytest.mark.parametrize("jitd", ["there", "away"])
def test_drain_lets_what_runs_finish(desk, jitd):
    """At the deadline nothing new passes, and the running command comes to its own end."""
    host = desk.host
    term, document = desk.ask("sleep 9")
    rid = json.loads(document)["id"]
    desk.answer(document)
    wait_for(lambda: desk.state(rid) == "running", what="the use")
    if jitd == "away":
        host.run("systemctl", "stop", "jitd.socket", "jitd.service")
        time.sleep(6)  # over the deadline: the timer alone meets it
        host.run("systemctl", "start", "jitd.socket", "jitd.service")
    wait_for(lambda: desk.state(rid) == "ended", 10, "the end of the grant")
    assert host.run("pgrep", "-x", "sleep").stdout
    other, again = desk.ask("sleep 1")
    assert json.loads(again)["id"] != rid
    other.sendintr()
    term.expect("status=0", timeout=15)


def test_requests_in_a_loop_are_bounded(desk):
    """Made and withdrawn again and again, each would stay in the ledger for good."""
    host = desk.host
    host.put("/etc/jit/jitd.conf", CONF.replace("MaxPerMinute=1000", "MaxPerMinute=5"))
    host.run("systemctl", "reload", "jitd")
    try:
        term = host.login("alice")
        term.sendline("for i in $(seq 12); do id=$(jitctl request true $i) && jitctl cancel ${id%% *}; done; echo end=$?")
        term.expect("as many as may be", timeout=60)
        term.expect(r"end=\d", timeout=60)
    finally:
        host.put("/etc/jit/jitd.conf", CONF)
        host.run("systemctl", "reload", "jitd")


def test_two_requests_at_once(desk):
    """Two terminals, two commands, two requests, each answered for itself."""
    first, one = desk.ask("touch /run/first")
    second, two = desk.ask("touch /run/second")
    assert json.loads(one)["id"] != json.loads(two)["id"]
    desk.answer(two)
    second.expect("status=0")
    desk.answer(one, verdict="deny")
    first.expect("denied by bob")
    first.expect("status=1")


def test_the_default_is_written_down(desk):
    assert "Default=deny" in CONF and "Default=deny" in desk.host.run("jitctl", "config", "show").stdout
