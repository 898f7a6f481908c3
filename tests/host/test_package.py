"""The packages on a real host: installed, without configuration, with a broken one, upgraded, removed, purged.

The tests are one life of a host, in this order; whatever happens, people can log in and root is asked nothing.
"""

import json
import re
import time

import jithost
import pexpect
import pytest
import scene
from answers import Desk

PAM = ("sudo", "sudo-i", "su", "su-l", "sshd")


def pam_files(host):
    return {name: host.run("cat", f"/etc/pam.d/{name}", check=False).stdout for name in PAM}


def can_be_used(host):
    """Logins and root's own doors are open."""
    assert host.ssh("carol", "echo", "in").stdout == "in\n"
    assert host.run("sudo", "-n", "id", "-u").stdout == "0\n"
    assert host.run("su", "bob", "-c", "id -un").stdout == "bob\n"


def at_the_console(host):
    """root comes in by getty and login, with a password, and is held by no gate there: not by sudo's, not by su's."""
    argv = host.enter("systemd-run", "--quiet", "--collect", "--pty", "agetty", "--noclear", "-", "xterm")
    console = pexpect.spawn(argv[0], argv[1:], timeout=20, encoding="utf-8", env=jithost.CLEAN_ENV)
    console.delaybeforesend = None
    host.terminals.append(console)
    console.expect("web1 login: ")
    console.sendline("root")
    console.expect("assword: ")
    console.sendline("root-pw")
    console.expect("root@web1:~# ")
    for line, said in (("ps -o comm= -p $PPID", "login"), ("sudo -n id -u", "0"), ("sudo -u bob id -un", "bob"), ("sudo -i id -u", "0"),
                       ("su bob -c 'id -un'", "bob"), ("su - bob -c 'id -un'", "bob")):
        console.sendline(f"{line}; echo done=$?")
        console.expect(r"done=\d+\r")
        assert console.after == "done=0\r" and console.before.splitlines()[-1] == said, (line, console.before)
        console.expect("root@web1:~# ")
    console.sendline("exit")
    console.expect(pexpect.EOF)


@pytest.fixture(scope="module")
def host(bare):
    bare.before = pam_files(bare)
    bare.run("chpasswd", input="root:root-pw\n")
    bare.install("pam-jit")
    return bare


def active(host, *units):
    return host.run("systemctl", "is-active", *units, check=False).stdout.split()


def test_installing_gates_nothing(host):
    assert active(host, "jitd.service", "jitd.socket", "run-jit-inbox.mount") == ["active"] * 3
    assert pam_files(host) == host.before
    assert host.ssh("alice", "sudo", "-n", "id", "-u").stdout == "0\n"
    can_be_used(host)


def test_folders_and_accounts(host):
    modes = host.run("stat", "-c", "%a %U:%G %n", "/run/jit/gate.sock", "/run/jit/inbox", "/var/lib/jit/outbox",
                     "/var/lib/jit/ledger", "/var/lib/jit/host_key").stdout.splitlines()
    assert modes == ["600 root:root /run/jit/gate.sock", "1770 root:jit-courier /run/jit/inbox",
                     "750 root:jit-courier /var/lib/jit/outbox", "700 root:root /var/lib/jit/ledger",
                     "600 root:root /var/lib/jit/host_key"]
    options = host.run("findmnt", "-n", "-o", "OPTIONS", "/run/jit/inbox").stdout
    for word in ("nosuid", "nodev", "noexec", "size=8192k", "nr_inodes=512"):
        assert word in options
    for user in ("jit-courier", "jit-verify", "jit-check"):
        assert "nologin" in host.run("getent", "passwd", user).stdout


def test_jitd_is_confined(host):
    pid = host.run("systemctl", "show", "-P", "MainPID", "jitd").stdout.strip()
    assert host.run("nsenter", "-t", pid, "-n", "ip", "-br", "link").stdout.split()[0] == "lo"
    status = host.read(f"/proc/{pid}/status")
    assert re.search(r"^NoNewPrivs:\s+1$", status, re.M) and re.search(r"^Seccomp:\s+2$", status, re.M)
    bounding = int(re.search(r"^CapBnd:\s+(\w+)$", status, re.M).group(1), 16)
    for name, bit in {"CAP_SYS_ADMIN": 21, "CAP_NET_ADMIN": 12, "CAP_SYS_MODULE": 16, "CAP_SYS_RAWIO": 17}.items():
        assert not bounding & 1 << bit, name


def test_a_dry_run_changes_nothing(host):
    said = host.run("jitctl", "pam", "enable", "sudo", "--dry-run").stdout
    assert "pam_jit.so" in said
    assert pam_files(host) == host.before


def test_without_configuration_sudo_says_what_to_do(host):
    host.run("jitctl", "pam", "enable", "sudo", "sudo-i", "su")
    done = host.ssh("alice", "sudo", "-n", "id", "-u", check=False)
    assert done.returncode == 1 and done.stdout == ""
    assert re.search(r"jit", done.stderr), done.stderr
    can_be_used(host)
    at_the_console(host)


def test_with_a_broken_configuration_sudo_says_so(host):
    host.put("/etc/jit/rules.d/10-broken.conf", "[Rule broken]\nDecision=perhaps\nColour=red\n")
    check = host.run("jitctl", "config", "check", check=False)
    assert check.returncode == 6
    for place in ("10-broken.conf:2", "10-broken.conf:3"):
        assert place in check.stdout + check.stderr
    host.run("systemctl", "restart", "jitd")
    done = host.ssh("alice", "sudo", "-n", "id", "-u", check=False)
    assert done.returncode == 1 and done.stdout == ""
    assert "config" in done.stderr, done.stderr
    can_be_used(host)
    at_the_console(host)
    host.run("rm", "/etc/jit/rules.d/10-broken.conf")


def test_enabling_and_disabling_leaves_the_files_as_they_were(host):
    host.run("jitctl", "pam", "enable", *PAM)
    gated = pam_files(host)
    # su-l includes su, and is gated once by it.
    assert all(("pam_jit.so" in text) == (name != "su-l") for name, text in gated.items())
    host.run("jitctl", "pam", "enable", *PAM)
    assert pam_files(host) == gated, "twice is not twice as much"
    host.run("jitctl", "pam", "disable", "--all")
    assert pam_files(host) == host.before


def test_an_upgrade_keeps_the_gate_closed_and_whoever_waits_waiting(host):
    host.put("/etc/jit/people.d/people.conf", scene.PEOPLE)
    host.put("/etc/jit/approvers", scene.signers(host, "decision@pam-jit"))
    host.put("/etc/jit/jitd.conf.d/10-site.conf", scene.SITE.format(work="20s", warn="5s"))
    host.put("/etc/jit/rules.d/50-nginx.conf", scene.RULE.format(work="20s", warn="5s"))
    host.run("systemctl", "reload", "jitd")
    host.run("jitctl", "pam", "enable", "sudo")
    term = host.login("alice")
    term.sendline("sudo systemctl restart nginx")
    request = term.expect(r"\w{4}-\w{4}") == 0 and term.after
    pid = host.run("systemctl", "show", "-P", "MainPID", "jitd").stdout
    inbox = host.run("findmnt", "-n", "-o", "ID", "/run/jit/inbox").stdout
    host.install("pam-jit")
    assert host.run("systemctl", "show", "-P", "MainPID", "jitd").stdout != pid, "jitd was not restarted"
    now = host.run("findmnt", "-n", "-o", "ID", "/run/jit/inbox").stdout
    assert now == inbox, ("the inbox was unmounted", host.run("cat", "/proc/self/mountinfo").stdout)
    assert "pam_jit.so" in pam_files(host)["sudo"]
    assert request in host.run("jitctl", "list", "--all").stdout
    term.sendintr()
    term.expect(term.prompt)
    host.run("jitctl", "cancel", request)


def test_sudo_i_is_asked_where_sudo_is(host):
    """Only sudo was named: a root shell beside it would be an open door."""
    assert re.search(r"gates +sudo sudo-i; open: su su-l sshd\n", host.run("jitctl", "status").stdout)
    term = host.login("alice")
    term.sendline("sudo -i id -u")
    term.expect(r"\w{4}-\w{4}")
    request = term.after
    term.sendintr()
    term.expect(term.prompt)
    host.run("jitctl", "cancel", request)


def test_a_grant_that_outlives_the_package_ends_in_time(host):
    """And not before: the removal itself may run under one."""
    desk = Desk(host)
    host.run("mkdir -p /root/keys && cp /home/bob/.ssh/id_ed25519 /root/keys/bob")
    term, document = desk.ask("sleep 300")
    desk.answer(document)
    for _ in range(100):
        if host.run("pgrep", "-x", "sleep", check=False).returncode == 0:
            break
        time.sleep(0.1)
    (grant,) = host.run("sh", "-c", "cat /run/jit/grants/*").stdout.splitlines()
    deadline = json.loads(grant)["deadline"] / 1e6
    host.run("dpkg", "--remove", "pam-jit")
    units = host.run("systemctl", "list-units", "--no-legend", "--plain", "jit*.timer").stdout.split()
    assert units and units[0].startswith("jit-end-"), units
    host.run("systemctl", "daemon-reload")
    assert host.run("pgrep", "-x", "sleep", check=False).returncode == 0, "ended at once"
    term.expect(r"status=(\d+)\r", timeout=60)
    late = time.clock_gettime(time.CLOCK_BOOTTIME) - deadline
    assert 0 <= late < 3, late
    # It takes itself away, and leaves nothing failed.
    for _ in range(50):
        left = host.run("systemctl", "list-units", "--state=active,failed", "--no-legend", "--plain", "jit*").stdout
        if left.split()[:1] == ["jit.slice"] and left.count("\n") == 1:
            break
        time.sleep(0.1)
    else:
        raise AssertionError(left)
    host.install("pam-jit")


def test_removal_opens_the_gates_and_keeps_the_ledger(host):
    host.run("jitctl", "pam", "enable", "sudo", "su")
    host.run("dpkg", "--remove", "pam-jit")
    assert pam_files(host) == host.before
    assert host.ssh("alice", "sudo", "-n", "id", "-u").stdout == "0\n"
    assert host.run("ls", "/var/lib/jit/ledger").stdout
    assert host.run("systemctl", "list-units", "--no-legend", "--state=active,failed", "jit*").stdout.strip() == ""
    can_be_used(host)


def test_it_comes_back_with_its_ledger_and_rules(host):
    host.install("pam-jit")
    assert "systemctl" in host.run("jitctl", "audit").stdout
    host.run("jitctl", "audit", "verify")
    assert "in force" in host.run("jitctl", "status").stdout


def test_purge_takes_the_rest(host):
    host.run("jitctl", "pam", "enable", *PAM)
    host.run("dpkg", "--purge", "pam-jit")
    assert pam_files(host) == host.before
    assert host.run("ls /var/lib/jit /run/jit 2>&1 | grep -v 'No such'", check=False).stdout == ""
    assert host.ssh("alice", "sudo", "-n", "id", "-u").stdout == "0\n"
    assert host.run("systemctl", "is-system-running").stdout == "running\n"
    can_be_used(host)
