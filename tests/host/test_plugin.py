"""sudo's approval plugin on real sudo: what is asked is what runs, once, and a host without the plugin is no locked host.

The tests are one life of a host, in this order: by PAM, by the plugin alone, by both, removed.
"""

import json
import re
import time

import pytest

from answers import Desk

ID = r"([0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4})"
NEVER = """\
[Rule never]
Service=sudo
User=alice
Command=/usr/bin/touch /run/never
Decision=deny
Message=not that one

"""
RULES = """\
[Rule as-bob]
Service=sudo sudo-i
User=alice
Target=bob
Command=/usr/bin/id *
Decision=allow

[Rule at-home]
Service=sudo
User=alice
Target=root
Cwd=/home/alice
Command=/usr/bin/pwd
Decision=allow

[Rule one]
Service=sudo sudo-i
User=alice
Decision=approve
Need=1 of sre
For=30s
AtEnd=warn no, terminate 1s

[Rule with-a-password]
Service=sudo
User=dave
Decision=approve
Need=1 of sre
For=30s
"""


@pytest.fixture(scope="module")
def desk(lab):
    host = lab.host("web1")
    lab.boot()
    d = Desk(host)
    d.set_up(rules=NEVER + RULES, conf="[Host]\nDefault=deny\nMaxPerMinute=1000\nHold=20s\n")
    host.put("/home/alice/tool", "#!/bin/sh\necho tool \"$@\"\n", 0o755, "alice:alice")
    return d


@pytest.fixture(autouse=True)
def calm(desk):
    desk.asked = count(desk, "requested")
    yield
    sudoers(desk, "")
    desk.clear()


def sudoers(desk, text):
    desk.host.put("/etc/sudoers.d/zz-test", text, 0o440)


def count(desk, event):
    return sum(e["event"] == event for e in desk.ledger())


def asked(desk):
    """Requests made in this test."""
    return count(desk, "requested") - desk.asked


def conf(host):
    return [line.split("#")[0].split() for line in host.read("/etc/sudo.conf").splitlines() if line.split("#")[0].strip()]


def pam(host, service):
    return [line.split()[0] for line in host.read(f"/etc/pam.d/{service}").splitlines() if "pam_jit.so" in line]


def approved(desk, line, how="approve"):
    """Types LINE and answers its request: (status, what was printed, the request document)."""
    term = desk.host.login("alice")
    term.sendline(f"{line}; echo status=$?")
    term.expect(ID)
    rid = term.match.group(1)
    term.expect("cancel " + re.escape(rid))
    document = desk.document(rid)
    desk.answer(document, verdict=how)
    term.expect(r"status=(\d+)\r")
    return int(term.match.group(1)), term.before, json.loads(document)


# ---- the package ----


def test_installing_changes_nothing(desk):
    host = desk.host
    before = host.read("/etc/sudo.conf")
    host.install("pam-jit-sudo")
    assert host.read("/etc/sudo.conf") == before and pam(host, "sudo") == ["account", "session"]
    status, _, d = approved(desk, "sudo -u '#1001' whoami")
    assert status == 0 and d["target"] == "unknown" and d["marks"] == ["target-unknown"]


def test_enabling(desk):
    host = desk.host
    before = host.read("/etc/sudo.conf")
    dry = host.run("jitctl", "sudo", "enable", "--dry-run").stdout
    assert "+Plugin sudo_jit /usr/libexec/sudo/sudo_jit.so" in dry and host.read("/etc/sudo.conf") == before
    host.run("jitctl", "sudo", "enable")
    assert ["Plugin", "sudo_jit", "/usr/libexec/sudo/sudo_jit.so"] in conf(host)
    assert pam(host, "sudo") == pam(host, "sudo-i") == ["session"]
    assert "pam-jit approval plugin version" in host.ssh("alice", "sudo", "-V").stdout


# ---- the plugin alone: exact ----


@pytest.mark.parametrize("line, expected, printed", [
    ("sudo touch /run/one", {"argv": ["touch", "/run/one"], "target": "root", "binary": "/usr/bin/touch", "marks": []}, ""),
    ("sudo -u#1001 /usr/bin/whoami", {"argv": ["/usr/bin/whoami"], "target": "bob", "marks": []}, "bob"),
    ("sudo -p -urvalice whoami", {"argv": ["whoami"], "target": "root", "marks": []}, "root"),
    ("sudo --us=bob whoami", {"argv": ["whoami"], "target": "bob", "marks": []}, "bob"),
    ("sudo -nu bob whoami", {"argv": ["whoami"], "target": "bob", "marks": []}, "bob"),
    ("sudo printf '%s.' 'a  b' $'c\\nd' ''", {"argv": ["printf", "%s.", "a  b", "c\nd", ""], "marks": []}, "a  b.c\r\nd.."),
    ("sudo ./tool 'x y'", {"argv": ["./tool", "x y"], "binary": "/home/alice/tool", "marks": ["script", "writable"]}, "tool x y"),
    ("sudo -i whoami", {"argv": ["/bin/bash", "-c", "whoami"], "binary": "/bin/bash", "marks": ["login-shell"],
                        "service": "sudo-i"}, "root"),
    ("sudo -s whoami", {"argv": ["/bin/bash", "-c", "whoami"], "marks": ["shell"], "service": "sudo"}, "root"),
    ("SUDO_EDITOR=/bin/true sudoedit /etc/hosts", {"argv": ["sudoedit", "/etc/hosts"], "binary": "sudoedit",
                                                   "marks": ["edit"]}, "unchanged"),
    ("sudo -g adm whoami", {"argv": ["whoami"], "target": "alice", "marks": ["group"]}, "alice"),
    ("sudo A=b whoami", {"argv": ["whoami"], "target": "root", "marks": ["environment"]}, "root"),
])
def test_what_is_asked_is_what_runs(desk, line, expected, printed):
    status, out, d = approved(desk, line)
    assert status == 0 and printed in out, out
    assert {k: d.get(k) for k in expected} == expected
    assert asked(desk) == 1


@pytest.mark.parametrize("options", ["-b", "--ba", "-nbu root", "-ib", "-b -u bob"])
def test_the_background_is_refused_also_where_a_rule_allows_it(desk, options):
    done = desk.host.ssh("alice", f"sudo {options} /usr/bin/id -u", check=False)
    assert done.returncode == 1 and done.stdout == ""
    assert "write the & behind the command instead" in done.stderr and asked(desk) == 0


@pytest.mark.parametrize("defaults", ["use_pty", "!use_pty"])
def test_runas_default(desk, defaults):
    sudoers(desk, f"Defaults runas_default=carol\nDefaults {defaults}\n")
    status, out, d = approved(desk, "sudo whoami")
    assert status == 0 and "carol" in out and d["target"] == "carol" and d["marks"] == []
    assert asked(desk) == 1


def test_chroot_and_directory_by_sudoers_and_by_option(desk):
    sudoers(desk, "Defaults runcwd=*\nDefaults runchroot=*\n")
    status, out, d = approved(desk, "sudo -D /srv pwd")
    assert status == 0 and "/srv" in out and d["cwd"] == "/srv" and d["marks"] == ["directory"]
    status, out, d = approved(desk, "sudo -R / whoami")
    assert status == 0 and d["marks"] == ["chroot"]
    sudoers(desk, "Defaults runcwd=/srv\n")
    status, out, d = approved(desk, "sudo pwd")
    assert status == 0 and "/srv" in out and d["cwd"] == "/srv" and d["marks"] == [], "its rule is for another directory"


@pytest.mark.parametrize("line", ["sudo -u bob id -un", "sudo --us=bob id -un", "sudo -u '#1001' -p -uroot id -un",
                                  "sudo -nu bob id -un"])
def test_a_rule_allows_what_is_certain(desk, line):
    before = count(desk, "allowed")
    done = desk.host.ssh("alice", line, check=False)
    assert done.stdout == "bob\n" and done.stderr == "" and asked(desk) == 0
    assert count(desk, "allowed") == before + 1


@pytest.mark.parametrize("options, marks", [("A=b", ["environment"]), ("-E", ["environment"]),
                                            ("--preserve-e=A", ["environment"]), ("-g adm", ["group"]),
                                            ("-D /tmp", ["directory"]), ("-R /", ["chroot"]), ("-T 60", ["options"])])
def test_no_rule_allows_odd_surroundings(desk, options, marks):
    """People are asked for what the rule would have let through."""
    sudoers(desk, "Defaults runcwd=*\nDefaults runchroot=*\nDefaults user_command_timeouts\n")
    status, out, d = approved(desk, f"sudo -u bob {options} id -un")
    assert status == 0 and d["marks"] == marks and d["target"] == "bob"


def test_runs_in_the_grant_and_ends_with_it(desk):
    for defaults in ("use_pty", "!use_pty"):
        sudoers(desk, f"Defaults {defaults}\n")
        term = desk.host.login("alice")
        term.sendline("sudo sh -c 'cat /proc/self/cgroup; exec sleep 300'; echo status=$?")
        term.expect(ID)
        rid = term.match.group(1)
        term.expect("cancel " + rid)
        desk.answer(desk.document(rid))
        term.expect(f"jit-{rid.replace('-', '')}" + r"\.slice")
        desk.host.run("jitctl", "revoke", rid)
        term.expect(r"status=(\d+)\r")
        assert term.match.group(1) != "0"
    assert desk.host.run("pgrep", "-x", "sleep", check=False).stdout == ""


def test_a_login_shell_is_in_the_grant(desk):
    term = desk.host.login("alice")
    term.sendline("sudo -i")
    term.expect(ID)
    rid = term.match.group(1)
    term.expect("cancel " + rid)
    desk.answer(desk.document(rid))
    term.expect("root@web1:[^#]*# ")
    term.sendline("cat /proc/self/cgroup")
    term.expect(f"jit-{rid.replace('-', '')}" + r"\.slice")
    term.sendline("exit")
    term.expect(term.prompt)
    assert asked(desk) == 1


def test_a_rule_lets_a_login_shell_through(desk):
    done = desk.host.ssh("alice", "sudo -iu bob id -un", check=False)
    assert done.returncode == 1, "a shell is not the command of the rule"
    assert asked(desk) == 1


def test_denied_by_a_person_and_by_a_rule(desk):
    status, out, _ = approved(desk, "sudo touch /run/two", how="deny")
    assert status == 1 and "denied by bob" in out
    done = desk.host.ssh("alice", "sudo touch /run/never", check=False)
    assert done.returncode == 1 and "not that one" in done.stderr and done.stdout == ""
    assert desk.host.run("ls /run/two /run/never", check=False).stdout == ""


def test_what_runs_nothing_asks_nobody(desk):
    for line in ("sudo -l", "sudo -v", "sudo -l id", "sudo -V", "sudo -k", "sudo -K"):
        assert desk.host.ssh("alice", line, check=False).returncode == 0, line
    assert desk.host.run("sudo", "-u", "bob", "id", "-un").stdout == "bob\n", "root is asked nothing"
    assert asked(desk) == 0


def test_without_a_terminal(desk):
    done = desk.host.ssh("alice", "sudo touch /run/one", check=False, timeout=60)
    lines = done.stderr.splitlines()
    assert done.returncode == 1 and done.stdout == "" and len(lines) == 2, done
    assert re.match(f"pam-jit: {ID}: asking 1 of sre", lines[0]) and "run the same command again" in lines[1]


def test_ctrl_c_keeps_the_request_and_the_same_call_joins_it(desk):
    term = desk.host.login("alice")
    term.sendline("sudo touch /run/joined; echo status=$?")
    term.expect(ID)
    rid = term.match.group(1)
    term.expect("cancel " + rid)
    term.sendintr()
    term.expect("not waiting any longer")
    term.expect(term.prompt)
    assert desk.state(rid) == "pending"
    term.sendline("sudo touch /run/joined; echo status=$?")
    term.expect("still waiting")
    desk.answer(desk.document(rid))
    term.expect("status=0")
    assert asked(desk) == 1


def test_other_sudos_of_the_terminal_do_not_wait_behind_it(desk):
    """In the account phase sudo holds the lock of its timestamp; by now it has let go of it."""
    sudoers(desk, "dave ALL=(ALL:ALL) ALL\n")
    term = desk.host.login("dave")
    term.sendline("sudo -v")
    term.expect("assword")
    term.sendline("dave-pw")
    term.expect(term.prompt)
    term.sendline("sudo touch /run/one &")
    term.expect(ID)
    rid = term.match.group(1)
    term.expect("cancel " + rid)
    term.sendline("sudo -n -l >/dev/null; echo status=$?")
    term.expect("status=0")
    assert desk.state(rid) == "pending"
    desk.answer(desk.document(rid))
    term.expect("approved by bob")


def test_asked_ahead(desk):
    """What `jitctl request` asks for is what the plugin then runs."""
    term = desk.host.login("alice")
    term.sendline("jitctl request -- touch /run/ahead")
    term.expect(ID)
    rid = term.match.group(1)
    term.expect(term.prompt)
    desk.answer(desk.document(rid))
    term.sendline("sudo touch /run/ahead; echo status=$?")
    term.expect("status=0")
    assert asked(desk) == 1


def test_jitd_is_away_and_comes_back(desk):
    host = desk.host
    host.run("systemctl", "stop", "jitd.socket", "jitd.service")
    try:
        done = host.ssh("alice", "sudo touch /run/one", check=False)
        assert done.returncode == 1 and "jitd cannot be reached" in done.stderr
        assert host.run("sudo", "id", "-u").stdout == "0\n"
    finally:
        host.run("systemctl", "start", "jitd.socket", "jitd.service")
    term = host.login("alice")
    term.sendline("sudo touch /run/one; echo status=$?")
    term.expect(ID)
    rid = term.match.group(1)
    term.expect("cancel " + rid)
    host.run("systemctl", "restart", "jitd.service")
    desk.answer(desk.document(rid))
    term.expect(r"status=(\d+)")
    assert term.match.group(1) == "0" and asked(desk) == 1


def test_intercepted_commands_are_judged_and_wake_nobody(desk):
    sudoers(desk, "Defaults intercept\n")
    status, out, _ = approved(desk, "sudo sh -c 'whoami; touch /run/never; echo after'")
    assert "root" in out and "not that one" in out and "after" in out, out
    assert asked(desk) == 1
    assert desk.host.run("ls /run/never", check=False).returncode != 0


def test_sudo_conf_with_an_option(desk):
    """Nobody knows what it was meant to say."""
    host = desk.host
    before = host.read("/etc/sudo.conf")
    host.put("/etc/sudo.conf", before.replace("sudo_jit.so ", "sudo_jit.so debug "))
    try:
        done = host.ssh("alice", "sudo touch /run/one", check=False)
        assert done.returncode == 1 and "takes no options" in done.stderr
    finally:
        host.put("/etc/sudo.conf", before)


def test_an_upgrade_keeps_it(desk):
    before = desk.host.read("/etc/sudo.conf")
    desk.host.install("pam-jit", "pam-jit-sudo")
    assert desk.host.read("/etc/sudo.conf") == before
    assert desk.host.ssh("alice", "sudo -u bob id -un").stdout == "bob\n"


# ---- behind PAM's account phase: no second request ----


@pytest.fixture
def both(desk):
    host = desk.host
    host.run("jitctl", "sudo", "disable")
    text = host.read("/etc/sudo.conf")
    host.put("/etc/sudo.conf", text + "Plugin sudo_jit sudo_jit.so\n")
    # A command that PAM cannot make out might be the one that is denied, and so is.
    host.put("/etc/jit/rules.d/50-test.conf", RULES)
    host.run("systemctl", "reload", "jitd.service")
    assert pam(host, "sudo") == pam(host, "sudo-i") == ["account", "session"]
    yield
    host.put("/etc/sudo.conf", text)
    host.put("/etc/jit/rules.d/50-test.conf", NEVER + RULES)
    host.run("systemctl", "reload", "jitd.service")


@pytest.mark.parametrize("line, printed", [("sudo touch /run/one", ""), ("sudo -i whoami", "root"), ("sudo -s whoami", "root"),
                                           ("sudo --us=bob whoami", "bob"), ("sudo -u '#1001' whoami", "bob"),
                                           ("sudo ./tool x", "tool x"), ("sudo -p -urvalice whoami", "root")])
def test_both_ask_once(desk, both, line, printed):
    for defaults in ("use_pty", "!use_pty"):
        sudoers(desk, f"Defaults {defaults}\n")
        status, out, d = approved(desk, line)
        assert status == 0 and printed in out and out.count("approved by bob") == 1, out
        desk.clear()
    assert asked(desk) == 2
    assert "refused" not in [e["event"] for e in desk.events(d["id"])]


def test_both_record_an_allow_once(desk, both):
    before = count(desk, "allowed")
    assert desk.host.ssh("alice", "sudo -u bob id -un").stdout == "bob\n"
    assert count(desk, "allowed") == before + 1 and asked(desk) == 0


def test_both_refuse_what_differs(desk, both):
    """PAM took the target for root, as the command line reads; sudo takes carol."""
    sudoers(desk, "Defaults runas_default=carol\n")
    status, out, d = approved(desk, "sudo whoami")
    assert d["target"] == "root" and status == 1 and "as carol" in out and "carol\r" not in out.replace("as carol", "")
    assert asked(desk) == 1 and any("another command than was approved" in t for t in desk.refusals())


def test_both_refuse_a_rule_for_another(desk, both):
    """A rule let it through as root; nobody is asked for what the session would refuse."""
    sudoers(desk, "Defaults runas_default=carol\n")
    done = desk.host.ssh("alice", "sudo pwd", check=False)
    assert done.returncode == 1 and done.stdout == "" and "would run it as carol" in done.stderr, done
    assert asked(desk) == 0


def test_both_ask_late_when_only_the_plugin_knows(desk, both):
    """A rule allows it at home, and sudoers runs it elsewhere: now people are asked, for the first time."""
    sudoers(desk, "Defaults runcwd=/srv\n")
    status, out, d = approved(desk, "sudo pwd")
    assert status == 0 and "/srv" in out and d["cwd"] == "/srv" and asked(desk) == 1


def test_both_with_jitd_restarted_in_the_wait(desk, both):
    term = desk.host.login("alice")
    term.sendline("sudo touch /run/one; echo status=$?")
    term.expect(ID)
    rid = term.match.group(1)
    term.expect("cancel " + rid)
    desk.host.run("systemctl", "restart", "jitd.service")
    desk.answer(desk.document(rid))
    term.expect(r"status=(\d+)")
    assert term.match.group(1) == "0" and asked(desk) == 1


# ---- gone ----


def works(host):
    assert host.run("sudo", "-u", "bob", "id", "-un").stdout == "bob\n"
    assert host.ssh("alice", "sudo", "-l").returncode == 0


def test_removal_that_cannot_take_the_line_out_does_not_happen(desk):
    host = desk.host
    host.run("jitctl", "sudo", "enable")
    host.run("mv", "/etc/sudo.conf", "/etc/elsewhere.conf")
    host.run("ln", "-s", "elsewhere.conf", "/etc/sudo.conf")
    done = host.run("dpkg", "--remove", "pam-jit-sudo", check=False)
    assert done.returncode != 0 and "could not be taken out" in done.stderr
    works(host)
    host.run("rm", "/etc/sudo.conf")
    host.run("mv", "/etc/elsewhere.conf", "/etc/sudo.conf")


@pytest.mark.parametrize("how", ["--remove", "--purge"])
@pytest.mark.parametrize("by_hand", [False, True])
def test_removal_leaves_a_sudo_that_works(desk, how, by_hand):
    host = desk.host
    host.install("pam-jit-sudo")
    before = host.read("/etc/sudo.conf")
    host.run("jitctl", "sudo", "enable")
    if by_hand:
        host.run("sed", "-i", "s|^Plugin.*|Plugin\tsudo_jit sudo_jit.so|", "/etc/sudo.conf")
    host.run("dpkg", how, "pam-jit-sudo")
    assert conf(host) == [line.split() for line in before.splitlines() if line and not line.startswith("#")
                          and "sudo_jit" not in line]
    assert pam(host, "sudo") == pam(host, "sudo-i") == ["account", "session"], "still gated, by PAM"
    works(host)
    status, _, _ = approved(desk, "sudo touch /run/one")
    assert status == 0 and asked(desk) == 1


def test_all_of_it_removed(desk):
    host = desk.host
    host.install("pam-jit-sudo")
    host.run("jitctl", "sudo", "enable")
    desk.asked = 0
    host.run("dpkg", "--remove", "pam-jit", "pam-jit-sudo")
    assert conf(host) == [] and pam(host, "sudo") == pam(host, "sudo-i") == []
    works(host)
    assert host.ssh("alice", "sudo", "-n", "id", "-u").stdout == "0\n"
    host.install("pam-jit")  # for those who look at the ledger behind us
    deadline = time.monotonic() + 10
    while host.run("jitctl", "status", check=False).returncode:
        assert time.monotonic() < deadline
        time.sleep(0.1)
