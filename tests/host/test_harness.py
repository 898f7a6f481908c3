"""The test bed itself: what is not true here would make every other test worthless."""

import os
import subprocess
import sys
from pathlib import Path

import jithost


def test_a_login_is_a_real_session(bare):
    term = bare.login("alice")
    term.sendline("cat /proc/self/cgroup /proc/self/loginuid; tty")
    term.expect(r"/user.slice/user-1000.slice/session-\w+\.scope\r\n1000/dev/pts/\d+")


def test_sudo_and_systemd_are_real(bare):
    assert bare.ssh("alice", "sudo", "-n", "id", "-u").stdout == "0\n"
    assert bare.run("systemctl", "is-system-running").stdout == "running\n"
    assert bare.run("systemctl", "is-active", "nginx").stdout == "active\n"


def test_hosts_reach_each_other_and_nothing_else(lab, bare):
    other = lab.hosts.get("hub") or lab.host("hub")
    lab.boot()
    assert bare.run("ssh", "-i", "/etc/jit-test/login_key", "bob@hub", "hostname").stdout == "hub\n"
    assert other.run("ip", "route", "show", "default").stdout == ""


def test_a_killed_run_is_swept_up(lab):
    """A lab whose process was killed leaves nothing after the next lab has begun."""
    code = ("import os, jithost\nlab = jithost.Lab()\nhost = lab.host('x')\nlab.boot()\n"
            "print(lab.folder, host.leader, flush=True)\nos.kill(os.getpid(), 9)\n")
    done = subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parent, stdout=subprocess.PIPE, text=True,
                          check=False)
    folder, leader = done.stdout.split()
    assert Path(folder).exists() and jithost.start_time(int(leader))
    jithost.sweep()
    assert not Path(folder).exists()
    assert jithost.start_time(int(leader)) is None
    assert not any(folder in line for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines())
    assert not [n for n in os.listdir("/run/netns") if Path(folder).name in n]
    assert lab.folder.exists(), "a living lab was swept"
