"""What one user without any right can do to the others: hold them up, fill the ledger, wake the people on call."""

import re
import subprocess
import time

import pytest

from answers import CONF, Desk

FIRST_WORD = 5  # seconds: GATE_FIRST_WAIT_USEC
RULES = """\
[Rule alice-may]
Service=sudo
User=alice
Command=/usr/bin/id
Decision=allow

[Rule alice-asks]
Service=sudo
User=alice
Decision=approve
Need=1 of sre
For=30s

[Rule bob-asks]
Service=sudo
User=bob carol
Decision=approve
Need=1 of sre
For=30s

[Rule dave-asks]
Service=sudo
User=dave
Command=/home/dave/* | /home/dave/* own
Decision=approve
Need=1 of sre
For=30s

[Rule dave-no]
Service=sudo
User=dave
Decision=deny
Message=not you
"""
SUDOERS = """\
alice ALL=(ALL:ALL) NOPASSWD: ALL
dave ALL=(ALL:ALL) NOPASSWD: ALL
bob ALL=(root) NOPASSWD: /usr/bin/true one, /usr/bin/systemctl restart *
"""


@pytest.fixture(scope="module")
def desk(lab):
    host = lab.host("web1")
    lab.boot()
    d = Desk(host)
    d.set_up(conf=CONF + "MaxPendingPerUser=100\n", rules=RULES)
    host.put("/etc/sudoers.d/test", SUDOERS, 0o440)
    return d


def timed(what):
    begin = time.monotonic()
    what()
    return time.monotonic() - begin


# ---- slow files ----

@pytest.fixture
def large_files(desk):
    """Forty sudos of dave's, each of a file as large as is read at all, all waiting for their digests."""
    host = desk.host
    desk.mark = len(desk.ledger())
    host.run("sh", "-c", "chmod 755 /home/dave; for i in $(seq 40); do truncate -s 256M /home/dave/$i; done; chmod 755 /home/dave/*")
    script = "for i in $(seq 40); do sudo -n /home/dave/$i & done; wait"
    crowd = subprocess.Popen(host.ssh_argv("dave", script), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True)
    end = time.monotonic() + 20
    while sudos(host) < 40:
        assert time.monotonic() < end
        time.sleep(0.1)
    yield crowd
    host.run("pkill", "-u", "dave", "-x", "sh", check=False)
    host.run("pkill", "-x", "sudo", check=False)
    crowd.communicate(timeout=30)
    host.run("sh", "-c", "rm -f /home/dave/[0-9]*")
    desk.clear()


def sudos(host):
    return len(host.run("pgrep", "-x", "sudo", check=False).stdout.split())


def test_large_files_of_one_keep_nobody_waiting(desk, large_files):
    host = desk.host
    for _ in range(3):
        assert timed(lambda: host.ssh("alice", "sudo -n id")) < FIRST_WORD - 1
    term = host.login("alice")

    def asked():
        term.sendline("sudo touch /run/one")
        term.expect("asking 1 of sre")
    assert timed(asked) < FIRST_WORD - 1
    term.sendintr()
    assert sudos(host) >= 30 and requested(desk) < 30, "dave's files were read too fast to be in anybody's way"
    assert {"names", "files"} <= set(re.findall(r"jit-worker (\w+)", host.run("ps", "-eo", "args").stdout))


def requested(desk):
    return sum(e["event"] == "requested" and e["user"] == "dave" for e in desk.ledger()[desk.mark:])


def test_who_waits_for_his_own_files_hears_of_it(desk, large_files):
    """Behind forty files of their own, a sudo takes longer than the module would wait for a first word."""
    term = desk.host.login("dave")
    term.sendline("sudo /home/dave/1 own")
    term.expect("looking at the command", timeout=FIRST_WORD)
    found = term.expect(["asking 1 of sre", "cannot be reached", "stopped answering"], timeout=60)
    assert found == 0
    term.sendintr()


def test_nobody_is_refused_for_a_queue_of_his_own(desk, large_files):
    """All forty are asked for in the end: queued, not refused."""
    end = time.monotonic() + 110
    while requested(desk) < 40:
        assert time.monotonic() < end and sudos(desk.host) >= 40
        time.sleep(0.5)


# ---- what sudo would refuse anyway ----

def paged(desk):
    return [e for e in desk.ledger()[desk.mark:] if e["event"] == "requested"]


def refusals(desk):
    return [f'{e["text"]} ({e.get("name")})' for e in desk.ledger()[desk.mark:] if e["event"] == "refused"]


@pytest.fixture
def ahead(desk):
    desk.clear()
    desk.host.run("systemctl", "restart", "jitd.service")  # refusals are told once a minute
    desk.mark = len(desk.ledger())
    yield desk
    assert "jit-sudo-" not in desk.host.run("systemctl", "list-units", "--all", "--no-legend").stdout
    desk.clear()


@pytest.mark.parametrize("words", ["/usr/bin/id", "/usr/bin/true two", "true", "systemctl stop nginx", "-u daemon true one"])
def test_what_sudoers_does_not_allow_pages_nobody(ahead, words):
    """bob may `true one` and restart what he likes, as root, and nothing else."""
    done = ahead.host.ssh("bob", f"jitctl request {words}", check=False)
    assert done.returncode == 1 and not paged(ahead)
    assert "sudoers does not let bob run this as " in done.stderr and "nobody was asked" in done.stderr, done.stderr
    assert len(refusals(ahead)) == 1 and "sudoers does not let bob run what was asked for ahead (/usr/bin/" in refusals(ahead)[0]


@pytest.mark.parametrize("words", ["true one", "/usr/bin/true one", "systemctl restart nginx"])
def test_what_sudoers_allows_is_asked(ahead, words):
    done = ahead.host.ssh("bob", f"jitctl request {words}")
    assert re.search(r"[0-9A-Z]{4}-[0-9A-Z]{4}", done.stdout) and len(paged(ahead)) == 1, done


def test_an_account_that_is_none_is_told_before_sudo_is_asked(ahead):
    done = ahead.host.ssh("carol", "jitctl request -u nobodyy true one", check=False)
    assert done.returncode == 1 and "there is no account nobodyy on this host" in done.stderr, done.stderr
    assert not paged(ahead) and not refusals(ahead)


@pytest.mark.parametrize("line", ["sudo -nu root true", "sudo --shel true", "sudo -u '#0' true"])
def test_a_target_that_is_unknown_is_told_with_a_remedy(ahead, line):
    host = ahead.host
    host.put("/etc/jit/rules.d/00-target.conf", "[Rule by-target]\nService=sudo\nUser=alice\nTarget=root\n"
             "Decision=approve\nNeed=1 of sre\nFor=5s\n")
    host.run("systemctl", "reload", "jitd")
    try:
        done = host.ssh("alice", line, check=False, timeout=15)
        assert done.returncode == 1 and "write -u NAME, and each option of sudo in full and apart" in done.stderr, done.stderr
    finally:
        host.run("rm", "/etc/jit/rules.d/00-target.conf")
        host.run("systemctl", "reload", "jitd")


def test_a_hub_that_cannot_start_says_why_in_its_status(ahead):
    host = ahead.host
    host.install("pam-jit-hub")
    host.put("/etc/jit-hub/hub.key", "secret", 0o600)
    host.put("/etc/jit-hub/hub.pem", "public")
    host.put("/etc/jit-hub/hub.conf", "[Hub]\nCertificate=/etc/jit-hub/hub.pem\nPrivateKey=/etc/jit-hub/hub.key\n")
    host.run("systemctl", "restart", "jit-hub.service", check=False)
    try:
        status = host.run("systemctl", "status", "-l", "jit-hub.service", check=False).stdout
        assert "Status: \"/etc/jit-hub/hub.key: " in status, status
        assert "hub.key: " in host.run("journalctl", "-u", "jit-hub.service", "-p", "err", "-o", "cat").stdout
    finally:
        host.run("systemctl", "stop", "jit-hub.service", "jit-hub.socket", check=False)


@pytest.fixture
def other_sudo(ahead):
    """Puts a script where sudo is."""
    host = ahead.host
    host.run("mv", "/usr/bin/sudo", "/usr/bin/sudo.away")
    yield lambda script: host.put("/usr/bin/sudo", f"#!/bin/sh\n{script}\n", 0o755)
    host.run("mv", "/usr/bin/sudo.away", "/usr/bin/sudo")


@pytest.mark.parametrize("argument", ["%h $HOME ${HOME} $$ %%", "a b\n;|", "-U", "--", "\u00e9", "'\"\\\\x41", "", "x" * 5000, "@:+!-"])
def test_arguments_reach_sudo_as_they_are(ahead, other_sudo, argument):
    """systemd would expand some of them."""
    host = ahead.host
    other_sudo("printf '%s\\0' \"$@\" >/run/asked; env >/run/asked.env")
    host.ssh("carol", "jitctl", "request", "-u", "daemon", "--", "echo", argument)
    asked = host.read("/run/asked").split("\0")[:-1]
    assert asked == ["-n", "-l", "-U", "carol", "-u", "daemon", "--", "/usr/bin/echo", argument]
    assert len(paged(ahead)) == 1
    names = {line.split("=")[0] for line in host.read("/run/asked.env").splitlines()}
    assert names <= {"PATH", "LC_ALL", "LANG", "PWD", "INVOCATION_ID", "SYSTEMD_EXEC_PID", "JOURNAL_STREAM"}, names


def test_hosts_by_address_are_known_to_sudo(ahead):
    """Not so in jitd's own sandbox, which has no network."""
    host = ahead.host
    address = host.run("sh", "-c", "ip -4 -o addr show scope global | sed 's|/.*||; s|.* ||'").stdout.strip()
    host.put("/etc/sudoers.d/odd", f"carol {address} = (ALL) NOPASSWD: /usr/bin/echo\n", 0o440)
    try:
        host.ssh("carol", "jitctl request echo")
    finally:
        host.run("rm", "/etc/sudoers.d/odd")


@pytest.mark.parametrize("sudo,words", [(None, "could not be run"), ("exec sleep 100", "not done in 4 s"),
                                        ("kill -SEGV $$", "failed"),
                                        ("echo cannot think today >&2; exit 1", "cannot think today"), ("exit 3", "failed")])
def test_sudo_that_cannot_be_asked(ahead, other_sudo, sudo, words):
    if sudo:
        other_sudo(sudo)
    done = ahead.host.ssh("bob", "jitctl request true one", check=False)
    assert done.returncode == 1 and not paged(ahead)
    assert "sudo cannot be asked whether bob may run this" in done.stderr and "nobody was asked" in done.stderr
    assert re.search(words, done.stderr), done.stderr
    assert "sudo cannot be asked what bob may run" in refusals(ahead)[0]


def test_asking_ahead_in_a_loop_starts_no_end_of_services(ahead):
    host = ahead.host
    host.put("/etc/jit/jitd.conf", CONF.replace("MaxPerMinute=1000", "MaxPerMinute=5"))
    host.run("systemctl", "reload", "jitd")
    try:
        said = host.ssh("bob", "for i in $(seq 12); do jitctl request id $i 2>&1; done", check=False).stdout
    finally:
        host.put("/etc/jit/jitd.conf", CONF + "MaxPendingPerUser=100\n")
        host.run("systemctl", "reload", "jitd")
    assert said.count("sudoers does not let bob") == 5 and said.count("as many as may be") == 7, said
    assert len(refusals(ahead)) == 2


# ---- denials ----

def test_denials_in_a_loop_do_not_fill_the_ledger(desk):
    """Each is refused with its words; the ledger has the first few whole and the number of the rest."""
    host = desk.host
    desk.mark = len(desk.ledger())
    script = "for i in $(seq 300); do sudo -n /usr/bin/touch $i 2>&1; done | sort | uniq -c"
    assert "300 pam-jit: denied by the rule 'dave-no': not you" in " ".join(host.ssh("dave", script, timeout=200).stdout.split())
    assert len(desk.ledger()) - desk.mark < 40
    host.run("systemctl", "restart", "jitd.service")
    denied = [e for e in desk.ledger()[desk.mark:] if e["event"] == "denied"]
    assert sum(e.get("count", 1) for e in denied) == 300
    assert all(e["user"] == "dave" and e["rule"] == "dave-no" and e["by"] == "rule" for e in denied)
    assert all("call" in e for e in denied if "count" not in e) and len(denied) < 40
    assert re.search(r"dave is denied by rule dave-no, \d+ times more", host.run("jitctl", "audit").stdout)
    replay = host.run("jitctl", "rules", "replay").stdout
    assert re.search(r"\d\d\d more cannot be judged", replay), replay
