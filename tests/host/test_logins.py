"""su and ssh: who is asked, who gets in, what ends with the grant."""

import json
import subprocess
import time

import pytest

from answers import Desk

ID = r"([0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4})"
RULES = """\
[Rule su]
Service=su su-l
User=alice
Target=root
Decision=approve
Need=1 of sre
Scope=session
For=6s
AtEnd=warn 2s, terminate 1s

[Rule ssh-dave]
Service=sshd
User=dave
Decision=approve
Need=1 of sre
Scope=session
For=6s
Join=user
AtEnd=warn no, terminate 1s

[Rule ssh-erin]
Service=sshd
User=erin
Decision=deny
Message=erin works elsewhere

[Rule ssh]
Service=sshd
Decision=allow
"""


@pytest.fixture(scope="module")
def desk(lab):
    host = lab.host("web1")
    lab.boot()
    d = Desk(host)
    d.set_up(rules=RULES, conf="[Host]\nDefault=deny\nMaxPerMinute=1000\nHold=20s\n")
    host.run("jitctl", "pam", "enable", "su", "su-l", "sshd")
    host.run("sh", "-c", "echo root:root-pw | chpasswd")
    return d


@pytest.fixture(autouse=True)
def calm(desk):
    yield
    desk.clear()


def wait_for(condition, seconds=10):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


INFO = ("-o", "LogLevel=INFO")  # at ERROR ssh hides what a server says before the login


def pending(desk, seconds=10):
    end = time.monotonic() + seconds
    while True:
        names = desk.host.run("sh", "-c", "ls /var/lib/jit/outbox | grep ^request", check=False).stdout.split()
        if names:
            return desk.document(names[0][8:-5])
        assert time.monotonic() < end, "no request"
        time.sleep(0.05)


@pytest.mark.parametrize("how", ["su -c 'id -u'", "su - -c 'id -u'"])
def test_su(desk, how):
    term = desk.host.login("alice")
    term.sendline(how + "; echo status=$?")
    term.expect("Password: ")
    term.sendline("root-pw")
    term.expect(ID)
    document = pending(desk)
    d = json.loads(document)
    assert d["user"] == "alice" and d["target"] == "root" and d["service"].startswith("su")
    desk.answer(document)
    term.expect(r"\n0\r")
    term.expect("status=0")
    wait_for(lambda: desk.state(d["id"]) == "ended")


def test_a_root_shell_by_su_ends_with_its_time(desk):
    """bash as root ignores TERM: it gets HUP, the terminal is sane afterwards, alice's own shell is not touched."""
    term = desk.host.login("alice")
    term.sendline("su -")
    term.expect("Password: ")
    term.sendline("root-pw")
    term.expect(ID)
    document = pending(desk)
    desk.answer(document)
    term.expect("root@web1")
    term.sendline("nohup sleep 300 >/dev/null 2>&1 & echo here")
    term.expect("here")
    term.expect("ends in")
    term.expect(term.prompt, timeout=15)
    term.sendline("id -un; stty -a | grep -o ' echo '; echo status=$?")
    term.expect("alice")
    term.expect("status=0")
    end = time.monotonic() + 5
    while desk.host.run("pgrep", "-x", "sleep", check=False).stdout:
        assert time.monotonic() < end
        time.sleep(0.1)


def test_su_denied(desk):
    term = desk.host.login("alice")
    term.sendline("su -c 'id -u'; echo status=$?")
    term.expect("Password: ")
    term.sendline("root-pw")
    term.expect(ID)
    desk.answer(pending(desk), verdict="deny", note="not tonight")
    term.expect("not tonight")
    term.expect("status=1")


def test_ssh_allowed_and_denied(desk):
    assert desk.host.ssh("alice", "echo in").stdout == "in\n"
    done = subprocess.run(desk.host.ssh_argv("erin", "echo in", options=INFO), stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, check=False, timeout=30)
    assert done.returncode == 255 and done.stdout == "" and "erin works elsewhere" in done.stderr


def test_ssh_waits_and_is_let_in_and_ended(desk):
    host = desk.host
    argv = host.ssh_argv("dave", "echo in; exec sleep 300")
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as p:
        document = pending(desk)
        d = json.loads(document)
        assert d["user"] == "dave" and d["service"] == "sshd" and d["remote"] == "127.0.0.1"
        desk.answer(document)
        assert p.stdout.readline() == "in\n"
        start = time.monotonic()
        p.wait(timeout=20)
        assert time.monotonic() - start < 12
    assert host.run("pgrep", "-u", "dave", "-x", "sleep", check=False).stdout == ""


def test_ssh_requested_then_connected_again(desk):
    """The wait is bounded by Hold=: the next connection uses what was approved meanwhile."""
    host = desk.host
    argv = host.ssh_argv("dave", "echo in", options=INFO)
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as p:
        document = pending(desk)
        out, err = p.communicate(timeout=40)
        assert p.returncode == 255 and out == "" and json.loads(document)["id"] in err, err
    desk.answer(document)
    assert host.ssh("dave", "echo in").stdout == "in\n"


def test_keyboard_interactive(desk):
    """The account phase runs in a child of the process that opens the session."""
    host = desk.host
    host.put("/etc/ssh/sshd_config.d/kbd.conf",
             "KbdInteractiveAuthentication yes\nMatch User carol,dave\nAuthenticationMethods keyboard-interactive\n")
    host.run("systemctl", "reload", "ssh")
    try:
        term = host.login("carol", prompt=False)
        term.expect("assword:")
        term.sendline("carol-pw")
        term.expect(term.prompt)
        term = host.login("dave", prompt=False)
        term.expect("assword:")
        term.sendline("dave-pw")
        term.expect("Press Enter to look again")
        desk.answer(pending(desk))
        term.sendline("")
        term.expect(term.prompt)
    finally:
        host.run("rm", "/etc/ssh/sshd_config.d/kbd.conf")
        host.run("systemctl", "reload", "ssh")
