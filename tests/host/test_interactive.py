"""sshd asks at the client's own terminal: keyboard-interactive after public key."""

import ast
import contextlib
import json
import signal
import subprocess
import time

import pexpect
import pytest

from answers import Desk
from jithost import CLEAN_ENV

LOOK = r"Press Enter to look again \(Ctrl-C leaves it pending\): "
RULES = """\
[Rule with-a-reason]
Service=sshd
User=carol
Decision=approve
Need=1 of sre
Reason=required ^INC-[0-9]+
Scope=session
For=8s
AtEnd=warn no, terminate 1s

[Rule people]
Service=sshd
User=alice dave
Decision=approve
Need=1 of sre
Scope=session
For=30s
AtEnd=warn no, terminate 1s

[Rule not-erin]
Service=sshd
User=erin
Decision=deny
Message=erin works elsewhere

[Rule rest]
Service=sshd
Decision=allow
"""
CONF = """\
[Host]
Default=deny
MaxPerMinute=1000
Hold=15s
SshdExecutable=/usr/sbin/sshd /usr/lib/openssh/sshd-session /usr/bin/python3 /usr/bin/python3.11 /usr/bin/python3.13
"""
# As pam_jit(8) says it.
SSHD = """\
KbdInteractiveAuthentication yes
LoginGraceTime 180
Match User *,!root
	AuthenticationMethods publickey,keyboard-interactive
"""
INFO = ("-o", "LogLevel=INFO")  # the tests' own setting is ERROR, which hides what a server says before the login
NO_KEY = ("-o", "PubkeyAuthentication=no")
KBD = ("-o", "PreferredAuthentications=publickey,keyboard-interactive")


@contextlib.contextmanager
def sshd_says(host, text):
    host.put("/etc/ssh/sshd_config.d/pam-jit.conf", text)
    host.run("sshd", "-t")
    host.run("systemctl", "restart", "ssh")  # a reload is over before sshd listens again; sessions outlive both
    yield
    host.put("/etc/ssh/sshd_config.d/pam-jit.conf", SSHD)
    host.run("systemctl", "restart", "ssh")


@pytest.fixture(scope="module")
def desk(lab):
    host = lab.host("web1")
    lab.boot()
    d = Desk(host)
    d.set_up(rules=RULES, conf=CONF)
    host.run("jitctl", "pam", "enable", "sshd", "--interactive")
    with sshd_says(host, SSHD):
        pass
    host.run("sh", "-c", "mkdir -p -m 700 /root/.ssh; cp /home/alice/.ssh/authorized_keys /root/.ssh/; "
             "rm -f /home/alice/.hushlogin")
    return d


@pytest.fixture(autouse=True)
def calm(desk):
    desk.mark = len(desk.ledger())
    yield
    desk.clear()


def heed_interrupts():
    """What a job in the background has inherited would make Ctrl-C an Enter."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def client(desk, user, *command, options=INFO, address="127.0.0.1"):
    """A real ssh client on a terminal of its own."""
    argv = desk.host.ssh_argv(user, *command, tty=True, options=options)
    argv = [a.replace("@127.0.0.1", f"@{address}") for a in argv]
    term = pexpect.spawn(argv[0], argv[1:], dimensions=(40, 160), timeout=20, encoding="utf-8", codec_errors="replace",
                         env=CLEAN_ENV, preexec_fn=heed_interrupts)
    term.prompt = rf"{user}@web1:[^\r\n]*\$ "
    term.delaybeforesend = None
    desk.host.terminals.append(term)
    return term


def ended(term):
    """All that the client still said, and its status."""
    text = ""
    while term.expect([pexpect.EOF, r"[^\n]*\n"]):
        text += term.after
    term.close()
    return text + (term.before or ""), term.exitstatus


def requested(desk, user=None):
    """The requests of this test, oldest first."""
    return [e for e in desk.ledger()[desk.mark:] if e["event"] == "requested" and user in (None, e["user"])]


def pending(desk, user, n=1):
    end = time.monotonic() + 10
    while len(requested(desk, user)) < n:
        assert time.monotonic() < end, f"no request of {user}"
        time.sleep(0.05)
    return desk.document(requested(desk, user)[-1]["id"])


def wait_for(condition, seconds=15):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def quiet_ssh(desk, user, *command, options=INFO):
    """A client without a terminal: it answers every question at once, with nothing."""
    return subprocess.Popen(desk.host.ssh_argv(user, *command, options=options), stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)


# -- the story -----------------------------------------------------------------------------------------------------


def test_reason_look_approved(desk):
    term = client(desk, "carol")
    term.expect("a reason is required")
    term.expect("Reason: ")
    term.sendline("because")
    term.expect("Reason: ")  # not what the rule wants
    term.sendline("INC-7")
    term.expect(r"asking 1 of sre \(")
    term.expect(LOOK)
    document = pending(desk, "carol")
    d = json.loads(document)
    assert d["reason"] == "INC-7" and d["service"] == "sshd" and d["remote"] == "127.0.0.1"
    term.sendline("")
    term.expect("not answered yet; still waiting for 1 of sre")
    term.expect(LOOK)
    desk.answer(document)
    assert desk.state(d["id"]) == "granted"  # nobody has pressed Enter: its time does not run
    term.sendline("")
    term.expect(term.prompt)
    term.sendline("id -un; echo session=$XDG_SESSION_ID")
    term.expect("carol")
    term.expect(r"session=c?\d")
    assert len(requested(desk)) == 1
    assert desk.state(d["id"]) == "running"
    ended(term)  # For=8s
    assert desk.state(d["id"]) == "ended"
    used = [e for e in desk.events(d["id"]) if e["event"] in ("opened", "used", "closed")]
    assert [e["event"] for e in used][:3] == ["opened", "closed", "used"]
    assert used[2]["pid"] == used[0]["ppid"]  # judged in a child of the process that has the session


def test_the_approval_is_told(desk):
    term = client(desk, "alice")
    term.expect(LOOK)
    desk.answer(pending(desk, "alice"))
    term.sendline("")
    term.expect("pam-jit: [0-9A-Z-]{9}: approved by bob, 30 s, ends")
    term.expect(term.prompt)


def test_denied(desk):
    term = client(desk, "alice")
    term.expect(LOOK)
    desk.answer(pending(desk, "alice"), verdict="deny", note="not tonight")
    term.sendline("")
    out, status = ended(term)
    assert "denied by bob: not tonight" in out and status == 255
    assert len(requested(desk)) == 1
    assert "Password" not in out and out.count("denied by bob") == 1


def test_denied_by_rule(desk):
    term = client(desk, "erin")
    out, status = ended(term)
    assert "erin works elsewhere" in out and status == 255 and not requested(desk)


def test_left_then_approved_then_connected_again(desk):
    """Approved while nobody is there: it keeps, and the next connection is let in without a word to anybody."""
    term = client(desk, "alice")
    term.expect(LOOK)
    term.sendcontrol("c")
    ended(term)
    document = pending(desk, "alice")
    desk.answer(document)
    assert desk.state(json.loads(document)["id"]) == "granted"
    term = client(desk, "alice")
    assert term.expect([term.prompt, LOOK]) == 0
    assert len(requested(desk)) == 1


def test_approved_while_looking_and_then_left(desk):
    """The approval came, the client never looked: nothing of it is used up."""
    term = client(desk, "alice")
    term.expect(LOOK)
    document = pending(desk, "alice")
    desk.answer(document)
    term.sendcontrol("c")
    ended(term)
    assert desk.state(json.loads(document)["id"]) == "granted"
    term = client(desk, "alice")
    assert term.expect([term.prompt, LOOK]) == 0
    assert len(requested(desk)) == 1


def test_left_and_joined_again(desk):
    term = client(desk, "alice")
    term.expect(LOOK)
    term.sendcontrol("c")
    ended(term)
    term = client(desk, "alice")
    term.expect("still waiting for 1 of sre")
    term.expect(LOOK)
    desk.answer(pending(desk, "alice"))
    term.sendline("")
    term.expect(term.prompt)
    assert len(requested(desk)) == 1


def test_hold_over(desk):
    """Hold= bounds all of it, however often she looks; the request stays."""
    term = client(desk, "alice")
    term.expect(LOOK)
    rid = json.loads(pending(desk, "alice"))["id"]
    end = time.monotonic() + 40
    while True:
        assert time.monotonic() < end
        term.sendline("")
        if term.expect([LOOK, "is requested, not delivered yet: the courier is not running; connect again when it is approved"]):
            break
    assert ended(term)[1] == 255 and desk.state(rid) == "pending"
    assert len(requested(desk)) == 1


def test_login_grace_time(desk):
    """sshd cuts without a word, in its log too.  Nothing is lost."""
    with sshd_says(desk.host, SSHD.replace("180", "4")):
        term = client(desk, "alice")
        term.expect(LOOK)
        wait_for(lambda: not desk.host.run("pgrep", "-f", "^sshd[^ ]*: alice", check=False).stdout, 30)
        term.sendline("")  # the client hears of it now
        assert ended(term)[1] == 255
        document = pending(desk, "alice")
        desk.answer(document)
    assert desk.state(json.loads(document)["id"]) == "granted"
    assert client(desk, "alice").expect([r"alice@web1:[^\r\n]*\$ ", LOOK]) == 0
    assert len(requested(desk)) == 1


def test_jitd_restarted_while_looking(desk):
    term = client(desk, "alice")
    term.expect(LOOK)
    document = pending(desk, "alice")
    desk.host.run("systemctl", "restart", "jitd.service")
    term.sendline("")
    term.expect("still waiting for 1 of sre")
    term.expect(LOOK)
    desk.answer(document)
    term.sendline("")
    term.expect(term.prompt)
    assert len(requested(desk)) == 1


# -- who is asked nothing ------------------------------------------------------------------------------------------


def test_allow_asks_nothing(desk):
    term = client(desk, "bob")
    assert term.expect([term.prompt, LOOK, "assword"]) == 0
    assert desk.host.ssh("bob", "echo in").stdout == "in\n"
    assert desk.host.ssh("root", "echo in").stdout == "in\n"  # by its key alone, see SSHD
    assert not requested(desk)


def test_no_terminal(desk):
    """It answers every question at once.  It is slowed down, not refused, and let in when approved; its output is its own."""
    with quiet_ssh(desk, "alice", "echo in") as p:
        document = pending(desk, "alice")
        time.sleep(3)
        desk.answer(document)
        out, err = p.communicate(timeout=30)
    assert (p.returncode, out) == (0, "in\n"), err
    assert len(requested(desk)) == 1


def test_no_terminal_no_reason(desk):
    with quiet_ssh(desk, "carol", "echo in") as p:
        out, err = p.communicate(timeout=30)
    assert p.returncode == 255 and out == "" and "a reason is required" in err and "JIT_REASON" not in err
    assert not requested(desk)


@pytest.mark.parametrize("program", ["scp", "scp -O", "sftp"])
def test_file_transfer(desk, program):
    host = desk.host
    where = {"scp": "alice@127.0.0.1:/etc/hostname /root/copy", "scp -O": "alice@127.0.0.1:/etc/hostname /root/copy",
             "sftp": "alice@127.0.0.1:/etc/hostname /root/copy"}[program]
    host.run("rm", "-f", "/root/copy")
    argv = host.enter(*program.split(), "-i", "/etc/jit-test/login_key", *where.split())
    term = pexpect.spawn(argv[0], argv[1:], timeout=20, encoding="utf-8", env=CLEAN_ENV)
    host.terminals.append(term)
    term.expect(LOOK)
    desk.answer(pending(desk, "alice"))
    term.sendline("")
    out, status = ended(term)
    assert status == 0, out
    assert host.read("/root/copy") == host.read("/etc/hostname")
    assert len(requested(desk)) == 1


@pytest.mark.parametrize("how", ["BatchMode=yes", "KbdInteractiveAuthentication=no"])
def test_a_client_that_cannot_be_asked(desk, how):
    """sshd refuses it before anybody is asked: such accounts keep their key alone (Match)."""
    with quiet_ssh(desk, "bob", "echo in", options=(*INFO, "-o", how)) as p:
        out, err = p.communicate(timeout=30)
    assert p.returncode == 255 and out == "" and "Permission denied (keyboard-interactive)" in err
    assert not requested(desk)


def test_key_alone_is_as_before(desk):
    """Where sshd is content with the key, nothing is asked and the login is held: let in when approved, told when not."""
    with sshd_says(desk.host, SSHD.replace("!root", "!root,!alice,!carol")):
        with quiet_ssh(desk, "alice", "echo in") as p:
            desk.answer(pending(desk, "alice"))
            assert p.communicate(timeout=30)[0] == "in\n"
        with quiet_ssh(desk, "alice", "echo in") as p:
            pending(desk, "alice", 2)
            out, err = p.communicate(timeout=40)
        assert p.returncode == 255 and out == "" and "connect again when it is approved" in err, err
        assert "Press Enter" not in err and "asking" not in err
        desk.answer(desk.document(requested(desk)[-1]["id"]))
        assert desk.host.ssh("alice", "echo in").stdout == "in\n"
        assert len(requested(desk)) == 2
        with quiet_ssh(desk, "carol", "echo in") as p:
            out, err = p.communicate(timeout=30)
        assert p.returncode == 255 and "a reason is required, of the form ^INC-[0-9]+; ask ahead with" in err


# -- configurations that must not open anything --------------------------------------------------------------------


def tries_passwords(desk, user, words, options):
    """What becomes of a client that types WORDS when it is asked for a password."""
    term = client(desk, user, options=options)
    for w in words:
        if term.expect([r"assword: ", LOOK, term.prompt, pexpect.EOF]) != 0:
            break
        term.sendline(w)
    return term


@pytest.mark.parametrize("text", [
    "KbdInteractiveAuthentication yes\n",
    "KbdInteractiveAuthentication yes\nAuthenticationMethods any\n",
    "KbdInteractiveAuthentication yes\nAuthenticationMethods keyboard-interactive\n",
    "KbdInteractiveAuthentication yes\nAuthenticationMethods keyboard-interactive,publickey\n",
    "KbdInteractiveAuthentication yes\nAuthenticationMethods publickey keyboard-interactive\n",
])
def test_without_a_key_nobody_is_authenticated(desk, text):
    """AuthenticationMethods forgotten or wrong: the auth line proves nothing, and the password is asked for as ever."""
    options = (*INFO, *KBD, *NO_KEY, "-o", "NumberOfPasswordPrompts=3")
    with sshd_says(desk.host, text):
        term = tries_passwords(desk, "alice", ["", "wrong", ""], options)
        out, status = ended(term)
        assert status == 255 and "Permission denied" in out, out
        assert not requested(desk)
        term = client(desk, "alice", options=options)  # and the password still does what it did
        term.expect("assword: ")
        term.sendline("alice-pw")
        term.expect(LOOK)
        desk.answer(pending(desk, "alice"))
        term.sendline("")
        if "interactive,publickey" in text:  # the wrong way round: asked too early, and the key is demanded all the same
            out, status = ended(term)
            assert status == 255 and "Permission denied (publickey)" in out, out
        else:
            term.expect(term.prompt)


def test_methods_with_a_password_stay_so(desk):
    """publickey,password: the key does not stand in for the password."""
    options = (*INFO, "-o", "PreferredAuthentications=publickey,password", "-o", "NumberOfPasswordPrompts=1")
    with sshd_says(desk.host, "KbdInteractiveAuthentication yes\nPasswordAuthentication yes\n"
                   "AuthenticationMethods publickey,password\n"):
        term = client(desk, "bob", options=options)
        term.expect("assword: ")
        term.sendline("wrong")
        out, status = ended(term)
        assert status == 255 and "Permission denied" in out
        term = client(desk, "bob", options=options)
        term.expect("assword: ")
        term.sendline("bob-pw")
        term.expect(term.prompt)


def test_a_key_that_is_not_hers(desk):
    """Another's key is no key: no keyboard-interactive follows."""
    argv = [a.replace("/etc/jit-test/login_key", "/root/keys/mallory") for a in
            desk.host.ssh_argv("alice", tty=True, options=INFO)]
    term = pexpect.spawn(argv[0], argv[1:], timeout=20, encoding="utf-8", env=CLEAN_ENV)
    desk.host.terminals.append(term)
    out, status = ended(term)
    assert status == 255 and "Permission denied (publickey)" in out and not requested(desk)


def test_key_password_and_approval(desk):
    """Without the auth line the password is asked for in the same conversation, and then the approval."""
    host = desk.host
    host.run("jitctl", "pam", "disable", "sshd")
    host.run("jitctl", "pam", "enable", "sshd")
    try:
        term = client(desk, "alice")
        term.expect("assword: ")
        term.sendline("alice-pw")
        term.expect(LOOK)
        desk.answer(pending(desk, "alice"))
        term.sendline("")
        term.expect(term.prompt)
        assert len(requested(desk)) == 1
        term = client(desk, "alice", options=(*INFO, "-o", "NumberOfPasswordPrompts=1"))
        term.expect("assword: ")
        term.sendline("wrong")
        assert ended(term)[1] == 255 and len(requested(desk)) == 1
    finally:
        host.run("jitctl", "pam", "enable", "sshd", "--interactive")


# -- several at once -----------------------------------------------------------------------------------------------


def test_two_people_at_once(desk):
    alice, dave = client(desk, "alice"), client(desk, "dave")
    alice.expect(LOOK)
    dave.expect(LOOK)
    desk.answer(pending(desk, "dave"))
    alice.sendline("")
    alice.expect("not answered yet")
    alice.expect(LOOK)
    dave.sendline("")
    dave.expect(dave.prompt)
    assert len(requested(desk, "alice")) == len(requested(desk, "dave")) == 1


def test_two_places_at_once(desk):
    """Two connections of one person from two addresses are two requests, and each gets its own answer."""
    here, there = client(desk, "alice"), client(desk, "alice", address=desk.host.address)
    here.expect(LOOK)
    there.expect(LOOK)
    assert len(requested(desk, "alice")) == 2
    ids = {json.loads(desk.document(e["id"]))["remote"]: e["id"] for e in requested(desk, "alice")}
    desk.answer(desk.document(ids[desk.host.address]))
    here.sendline("")
    here.expect("not answered yet")
    here.expect(LOOK)
    there.sendline("")
    there.expect(there.prompt)
    desk.answer(desk.document(ids["127.0.0.1"]), verdict="deny")
    here.sendline("")
    assert "denied by bob" in ended(here)[0]
    there.sendline("echo still=in")
    there.expect("\nstill=in")


def test_two_connections_one_request(desk):
    """From one place they are one request for one login: who looks first has it, the other is told."""
    first, second = client(desk, "alice"), client(desk, "alice")
    first.expect(LOOK)
    second.expect(LOOK)
    assert len(requested(desk)) == 1
    desk.answer(pending(desk, "alice"))
    second.sendline("")
    second.expect(second.prompt)
    first.sendline("")
    out, status = ended(first)
    assert status == 255 and "another one of yours took it; connect again" in out
    second.sendline("echo still=in")
    second.expect("\nstill=in")


GATE = """\
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
s.settimeout(20)
s.connect("/run/jit/gate.sock")
def send(**f):
    s.send(b"".join(f"{k.replace('_', '-')}={v}".encode() + b"\\0" for k, v in [("v", 1), *f.items()]))
def hear():
    got = s.recv(65536)
    return dict(f.split("=", 1) for f in got.decode().split("\\0")[:-1]) if got else None
who = dict(service="sshd", user="alice", tty="ssh")
"""


def speak(desk, text):
    """A process that jitd takes for sshd (SshdExecutable= of these tests)."""
    done = desk.host.run("python3", "-c", GATE + text, timeout=40)
    return ast.literal_eval(done.stdout)


def test_two_phases_are_one_request(desk):
    """Another process of the same connection asks again, and a third opens the session."""
    conn = "conn='127.0.0.1:22 127.0.0.1:60001', rhost='127.0.0.1'"
    host = desk.host
    first = subprocess.Popen(host.enter("python3", "-c", GATE + f"send(type='account', **who, {conn}, interactive='no')\n"
                             "m = hear()\nwhile m['type'] == 'progress': m = hear()\nprint(repr(m), flush=True)\n"
                             "sys.stdin.read()"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    desk.answer(pending(desk, "alice"))
    a = ast.literal_eval(first.stdout.readline())
    assert a["result"] == "allow"
    b = speak(desk, f"send(type='account', **who, {conn}, interactive='try')\nprint(repr(hear()))")
    assert b["result"] == "allow" and b["id"] == a["id"]
    c = speak(desk, f"send(type='open', **who, {conn})\nprint(repr(hear()))")
    assert c["result"] == "allow" and c["id"] == a["id"]
    # Another connection is not this one.
    d = speak(desk, "send(type='open', **who, conn='127.0.0.1:22 127.0.0.1:60002')\nprint(repr(hear()))")
    assert d["result"] == "refused"
    first.communicate("")
    assert len(requested(desk)) == 1


def test_the_protocol_of_looking(desk):
    """Never an `allow` while the question is out; `leave` is heard there; an answer without text ends the questions."""
    ask = "send(type='account', **who, rhost='127.0.0.1', interactive='try')\nout = [hear(), hear(), hear()]\n"
    out = speak(desk, ask + "send(type='leave', cause='client-gone')\nout.append(hear())\nprint(repr(out))")
    assert [m and m["type"] for m in out] == ["progress", "progress", "ask", None] and out[2]["what"] == "look"
    document = pending(desk, "alice")
    p = subprocess.Popen(desk.host.enter("python3", "-c", GATE + ask + "print('ready', flush=True)\nsys.stdin.readline()\n"
                         "s.settimeout(1)\ntry: out.append(hear())\nexcept TimeoutError: out.append('silence')\ns.settimeout(20)\n"
                         "send(type='answer')\nout.append(hear())\nprint(repr(out))"), stdin=subprocess.PIPE,
                         stdout=subprocess.PIPE, text=True)
    assert p.stdout.readline() == "ready\n"
    desk.answer(document)
    out = ast.literal_eval(p.communicate("\n")[0])
    assert out[3] == "silence" and out[4]["type"] == "verdict" and out[4]["result"] == "allow"
    assert len(requested(desk)) == 1
