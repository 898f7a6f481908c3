"""What jitd and jit-expire do to a real systemd and logind, without jitd: helper/units by its probe, and the end of a
grant by systemd's timer alone, with the bus, without it, and without the grant's file."""

import json
import os
import subprocess
import time
from pathlib import Path

import jitbuild
import pytest

ID = "K7QF-2M9X"
UNIT = "K7QF2M9X"
STUBBORN = 'trap "" TERM HUP; while :; do sleep 1000; done'
EXPIRED = f"/run/jit/notes/{ID}"
PROBE_UNIT = "[Service]\nExecStart=\nExecStart=/bin/sh /run/jit/mark.sh\n"
MARK = """awk '{printf "%.0f\\n", $1 * 1000000}' /proc/uptime >>/run/jit/mark\n"""


@pytest.fixture(scope="module")
def host(lab):
    made = lab.host("web1")
    lab.boot()
    made.install("pam-jit")
    made.run("systemctl", "stop", "jitd.socket", "jitd.service")
    made.run("mkdir", "-p", "-m", "700", "/run/jit/grants", "/run/jit/notes")
    return made


@pytest.fixture(scope="module")
def probe(tmp_path_factory):
    """units-probe, from JIT_BUILD or built here."""
    build = os.environ.get("JIT_BUILD")
    if not build:
        src, build = tmp_path_factory.mktemp("src"), tmp_path_factory.mktemp("build")
        jitbuild.export(src)
        subprocess.run(["autoreconf", "-fi"], cwd=src, check=True, stderr=subprocess.DEVNULL)
        subprocess.run([src / "configure", "-q", "--disable-hub"], cwd=build, check=True)
    subprocess.run(["make", "-s", "tests/host/units-probe"], cwd=build, check=True)
    return Path(build) / "tests/host/units-probe"


def boot_usec(host):
    return int(float(host.read("/proc/uptime").split()[0]) * 1000000)


class Grant:
    """A slice with a process that only SIGKILL ends, a file, and the timer that jitd would have armed."""

    def __init__(self, host):
        self.host = host
        host.run("rm", "-rf", EXPIRED, *[f"/run/jit/grants/{ID}{s}" for s in ("", ".drained")])
        self.transient(f"jit-{UNIT}.slice", "0")
        host.run("systemd-run", "--quiet", f"--slice=jit-{UNIT}.slice", f"--unit=jit-{UNIT}-run.service", "--collect",
                 "-p", "TimeoutStopSec=1s", "-p", "SendSIGHUP=yes", "bash", "-c", STUBBORN)
        assert self.procs()

    def transient(self, name, properties):
        self.host.run("sh", "-c", "busctl call org.freedesktop.systemd1 /org/freedesktop/systemd1 "
                      f"org.freedesktop.systemd1.Manager StartTransientUnit 'ssa(sv)a(sa(sv))' {name} fail {properties} 0")

    def procs(self):
        done = self.host.run("sh", "-c", f"cat /sys/fs/cgroup/jit.slice/jit-{UNIT}.slice/*/cgroup.procs", check=False)
        return done.stdout.split()

    def file(self, seconds, at_end="terminate", pids=(), sessions=()):
        self.deadline = boot_usec(self.host) + int(seconds * 1000000)
        text = json.dumps({"v": 1, "id": ID, "boot": self.host.read("/proc/sys/kernel/random/boot_id").strip().replace("-", ""),
                           "deadline": self.deadline, "grace": 500000, "at_end": at_end, "pids": list(pids),
                           "sessions": list(sessions)})
        self.host.put(f"/run/jit/grants/{ID}", text, mode=0o600)

    def timer(self, seconds, suffix=""):
        base = int(self.host.run("busctl", "get-property", "org.freedesktop.systemd1", "/org/freedesktop/systemd1",
                                 "org.freedesktop.systemd1.Manager", "UserspaceTimestampMonotonic").stdout.split()[1])
        at = boot_usec(self.host) + int(seconds * 1000000) - base
        self.transient(f"jit-expire@{UNIT}{suffix}.timer",
                       f"3 RemainAfterElapse b false AccuracyUSec t 1000 TimersMonotonic 'a(st)' 1 OnStartupSec {at}")

    def note(self, seconds=10):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            done = self.host.run("cat", EXPIRED, check=False)
            if done.returncode == 0:
                return json.loads(done.stdout)
            time.sleep(0.1)
        pytest.fail("jit-expire left no note:\n" + self.host.run("journalctl", "-n", "20", "-t", "jit-expire").stdout)

    def settled(self):
        """No timer and no service of the grant is under way any more."""
        for _ in range(50):
            units = self.host.run("systemctl", "list-units", "--plain", "--no-legend", "--state=active,activating,deactivating",
                                  f"jit-expire@{UNIT}*").stdout
            if not units:
                return
            time.sleep(0.1)
        pytest.fail(units)

    def end(self):
        self.host.run("sh", "-c", f"systemctl stop 'jit-expire@{UNIT}*.timer'; systemctl kill -s KILL jit-{UNIT}.slice; "
                      f"systemctl stop jit-{UNIT}.slice", check=False)


@pytest.fixture
def grant(host):
    made = Grant(host)
    yield made
    made.end()


def test_units(host, probe):
    with open(probe, "rb") as f:
        subprocess.run(host.enter("sh", "-c", "cat >/root/units-probe && chmod 755 /root/units-probe"), stdin=f, check=True)
    host.put("/run/jit/mark.sh", MARK)
    host.put("/etc/systemd/system/jit-expire@.service.d/probe.conf", PROBE_UNIT)
    try:
        host.run("systemctl", "daemon-reload")
        done = host.run("/root/units-probe", "/run/jit/mark", timeout=120, check=False)
    finally:
        host.run("rm", "-r", "/etc/systemd/system/jit-expire@.service.d")
        host.run("systemctl", "daemon-reload")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("all right\n")


def test_the_timer_ends_everything(host, grant):
    host.run("systemd-run", "--quiet", "--collect", "--unit=login", "su", "-l", "bob", "-c", "sleep 1000")
    for _ in range(50):
        sessions = [s.split()[0] for s in host.run("loginctl", "--no-legend", "list-sessions").stdout.splitlines() if " bob " in s]
        if sessions:
            break
        time.sleep(0.1)
    pid = int(host.run("sh", "-c", "setsid sleep 1000 >/dev/null 2>&1 & echo $!").stdout)
    start = int(host.read(f"/proc/{pid}/stat").rsplit(")", 1)[1].split()[19])
    grant.file(1, pids=[{"pid": pid, "start": start}], sessions=sessions)
    grant.timer(1, "-3")
    note = grant.note()
    assert (note["action"], note["grant"], note["via"]) == ("terminate", "read", "bus")
    assert note["signalled"] == [pid] and note["left"] == [] and note["killed"] > 0
    assert note["at"] >= grant.deadline
    assert not grant.procs()
    assert host.run("test", "-e", f"/proc/{pid}", check=False).returncode
    assert not [s for s in host.run("loginctl", "--no-legend", "list-sessions").stdout.splitlines() if s.split()[0] in sessions]
    assert host.run("ls", "/run/jit/grants").stdout == ""
    grant.settled()


def test_without_the_bus(host, grant):
    grant.file(1.5)
    grant.timer(1.5)
    host.run("systemctl", "stop", "dbus.socket", "dbus.service")
    try:
        note = grant.note()
    finally:
        host.run("systemctl", "start", "dbus.socket")
        host.run("systemctl", "restart", "systemd-logind")
    assert (note["via"], note["left"]) == ("private", [])
    assert not grant.procs()


def test_drain_kills_nothing(host, grant):
    grant.file(1, at_end="drain")
    grant.timer(1)
    assert grant.note()["action"] == "drain"
    grant.settled()
    host.run("rm", EXPIRED)
    host.run("systemctl", "start", f"jit-expire@{UNIT}-1.service")
    assert grant.procs()
    assert host.run("ls", "/run/jit/grants").stdout == f"{ID}.drained\n"
    assert host.run("ls", "/run/jit/notes").stdout == ""


def test_a_lost_file_ends_the_grant(host, grant):
    grant.timer(0.5)
    note = grant.note()
    assert (note["grant"], note["left"]) == ("missing", [])
    assert not grant.procs()


def test_too_early_does_nothing(host, grant):
    grant.file(60)
    host.run("systemctl", "start", f"jit-expire@{UNIT}.service")
    assert grant.procs()
    assert host.run("ls", "/run/jit/grants").stdout == f"{ID}\n"
    assert host.run("ls", "/run/jit/notes").stdout == ""
