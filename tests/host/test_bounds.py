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
bob ALL=(ALL:ALL) NOPASSWD: /usr/bin/true one, /usr/bin/systemctl restart *
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
