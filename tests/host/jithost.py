"""Test hosts: Debian with a real systemd in a container, several of them on a network of their own.

	with Lab() as lab:
	    web1 = lab.host("web1")
	    hub = lab.host("hub")
	    lab.boot()
	    web1.run("systemctl", "is-system-running")
	    term = web1.login("alice")            # pexpect, a real ssh login with a terminal
	    term.sendline("sudo id -u")

A host costs an overlay on tmpfs over the shared root of jitbuild.  Everything that a lab makes (processes, mounts,
network namespaces, cgroups) is written to its record in /run/pam-jit-test before it is made, and a later lab takes away
what one that died has left, by that record alone.
"""

import atexit
import json
import os
import secrets
import select
import shlex
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import jitbuild

RUN = Path("/run/pam-jit-test")
BOOT_SECONDS = 60
NETWORK = "192.0.2.{}"  # TEST-NET-1: exists inside the lab's own namespaces only
CLEAN_ENV = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM": "xterm", "LANG": "C.UTF-8"}


class HostError(Exception):
    """A host did not do what the test needs; the words say what."""


class Failed(HostError):
    """A command ended with another status than 0."""

    def __init__(self, argv, code, out, err):
        super().__init__(f"{shlex.join(argv)}: exit {code}\n{out}{err}")
        self.code, self.out, self.err = code, out, err


def start_time(pid):
    """Field 22 of /proc/PID/stat, which together with the pid names a process for good; None when none runs."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rsplit(")", 1)[1].split()
    except (OSError, IndexError):
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def quiet(*argv):
    return subprocess.run([str(a) for a in argv], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL, check=False).returncode


def must(*argv):
    done = subprocess.run([str(a) for a in argv], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                          stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        raise HostError(f"{shlex.join(map(str, argv))}: {done.stdout.strip()}")
    return done.stdout


def cgroup_mounts():
    """Where a container needs a cgroup of its own: the unified hierarchy, and systemd's on a host with both."""
    found = {}
    for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines():
        left, right = line.split(" - ")
        kind, _, options = right.split(" ", 2)
        if kind == "cgroup2" or (kind == "cgroup" and "name=systemd" in options.split(",")):
            found.setdefault("unified" if kind == "cgroup2" else "systemd", Path(left.split()[4]))
    return list(found.values())


class Record:
    """What was made, to be taken away in the opposite order by whoever comes to it."""

    def __init__(self, folder):
        self.folder = folder

    def add(self, **what):
        with open(self.folder / "record", "a", encoding="utf-8") as f:
            f.write(json.dumps(what) + "\n")

    def entries(self):
        try:
            lines = (self.folder / "record").read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return []
        return [json.loads(line) for line in lines if line.endswith("}")]

    def undo(self):
        entries = self.entries()
        for e in entries:
            if "cgroup" in e and os.path.exists(f"{e['cgroup']}/cgroup.kill"):
                Path(e["cgroup"], "cgroup.kill").write_text("1", encoding="ascii")
            if "pidfile" in e:
                self.kill(Path(e["pidfile"]))
        for e in reversed(entries):
            if "mount" in e:
                if os.path.ismount(e["mount"]):
                    quiet("umount", e["mount"]) == 0 or quiet("umount", "-l", e["mount"])
            elif "netns" in e:
                if os.path.exists(f"/run/netns/{e['netns']}"):
                    quiet("ip", "netns", "delete", e["netns"])
            elif "cgroup" in e:
                self.remove_cgroup(e["cgroup"])
        shutil.rmtree(self.folder, ignore_errors=True)

    @staticmethod
    def kill(pidfile):
        try:
            pid, started = map(int, pidfile.read_text(encoding="ascii").split())
        except (OSError, ValueError):
            return
        if start_time(pid) != started:
            return
        try:
            fd = os.pidfd_open(pid)
            if start_time(pid) == started:
                signal.pidfd_send_signal(fd, signal.SIGKILL)
                select.select([fd], [], [], 10)
            os.close(fd)
        except ProcessLookupError:
            pass

    @staticmethod
    def remove_cgroup(top):
        for folder, _, _ in os.walk(top, topdown=False):
            for _ in range(100):
                try:
                    os.rmdir(folder)
                    break
                except FileNotFoundError:
                    break
                except OSError:  # the last process is still being reaped
                    time.sleep(0.02)


def sweep():
    """Takes away what dead labs have left.  A kept one (./demo shell) stays until it is ended by name."""
    if not RUN.is_dir():
        return
    for folder in RUN.iterdir():
        try:
            owner = json.loads((folder / "owner").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if not owner.get("keep") and start_time(owner["pid"]) != owner["start"]:
            Record(folder).undo()


class Lab:
    """Hosts and the network between them."""

    def __init__(self, keep=None):
        sweep()
        me = os.getpid()
        self.name = keep or f"{me}-{secrets.token_hex(2)}"
        self.folder = RUN / self.name
        self.folder.mkdir(parents=True, exist_ok=False)
        self.record = Record(self.folder)
        self.owner(keep=False)
        self.hosts = {}
        self.cgroups = []
        self.switch = f"jt{self.name}"
        self.closed = False
        atexit.register(self.close)
        self.make_switch()

    def owner(self, keep):
        text = json.dumps({"pid": os.getpid(), "start": start_time(os.getpid()), "keep": keep})
        (self.folder / "owner").write_text(text, encoding="utf-8")

    def keep(self):
        """From now on the lab outlives this process."""
        hosts = {h.name: {"leader": h.leader, "address": h.address, "root": str(h.root)} for h in self.hosts.values()}
        (self.folder / "hosts").write_text(json.dumps(hosts), encoding="utf-8")
        self.owner(keep=True)
        atexit.unregister(self.close)
        self.closed = True

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def close(self):
        if not self.closed:
            self.closed = True
            atexit.unregister(self.close)
            self.record.undo()

    def make_switch(self):
        self.record.add(netns=self.switch)
        must("ip", "netns", "add", self.switch)
        must("ip", "-n", self.switch, "link", "add", "br0", "type", "bridge")
        must("ip", "-n", self.switch, "link", "set", "br0", "up")

    def host(self, name, suite="bookworm"):
        h = Host(self, name, NETWORK.format(10 + len(self.hosts)), suite)
        self.hosts[name] = h
        return h

    def boot(self, *names):
        """Starts the hosts (all that are not up), at the same time, and returns when all of them run."""
        hosts = [self.hosts[n] for n in names] if names else [h for h in self.hosts.values() if not h.leader]
        table = "127.0.0.1 localhost\n" + "".join(f"{h.address} {h.name}\n" for h in self.hosts.values())
        for h in self.hosts.values():
            if h.prepared:
                (h.root / "etc/hosts").write_text(table, encoding="ascii")
        for h in hosts:
            h.prepare()
            (h.root / "etc/hosts").write_text(table, encoding="ascii")
        for h in hosts:
            h.start()
        for h in hosts:
            h.wait()


class Host:
    """One container.  Its files are below `root` also from outside, as long as the lab lives."""

    def __init__(self, lab, name, address, suite, folder=None):
        self.lab, self.name, self.address, self.suite = lab, name, address, suite
        self.folder = folder or lab.folder / name
        self.root = self.folder / "root"
        self.netns = f"{lab.switch}-{name}" if lab else None
        self.leader = self.process = self.ready = None
        self.prepared = False
        self.cgroups = []
        self.terminals = []

    # -- coming up ---------------------------------------------------------------------------------------------

    def prepare(self):
        if self.prepared:
            return
        base = jitbuild.base_root(self.suite)
        layer = self.folder / "layer"
        for d in (self.root, layer):
            d.mkdir(parents=True)
        self.lab.record.add(mount=str(layer))
        must("mount", "-t", "tmpfs", "-o", "size=2G,mode=0755", "jit-test", layer)
        (layer / "upper").mkdir()
        (layer / "work").mkdir()
        self.lab.record.add(mount=str(self.root))
        must("mount", "-t", "overlay", "-o", f"lowerdir={base},upperdir={layer}/upper,workdir={layer}/work", "jit-test",
             self.root)
        (self.root / "etc/machine-id").write_text(secrets.token_hex(16) + "\n", encoding="ascii")
        (self.root / "etc/hostname").write_text(self.name + "\n", encoding="ascii")
        self.make_link()
        for mount in cgroup_mounts():
            mine = mount / "pam-jit-test" / self.lab.name / self.name
            for d in (mine.parent.parent, mine.parent, mine):
                if not d.is_dir():
                    if d != mine.parent.parent:
                        self.lab.record.add(cgroup=str(d))
                    d.mkdir(exist_ok=True)
            self.cgroups.append(mine)
        self.prepared = True

    def make_link(self):
        switch = self.lab.switch
        self.lab.record.add(netns=self.netns)
        must("ip", "netns", "add", self.netns)
        port = f"p{len(self.lab.hosts)}-{secrets.token_hex(2)}"
        must("ip", "-n", self.netns, "link", "add", "host0", "type", "veth", "peer", "name", port, "netns", switch)
        must("ip", "-n", switch, "link", "set", port, "master", "br0", "up")
        must("ip", "-n", self.netns, "addr", "add", f"{self.address}/24", "dev", "host0")
        for dev in ("lo", "host0"):
            must("ip", "-n", self.netns, "link", "set", dev, "up")

    def start(self):
        notify = self.folder / "notify"
        notify.unlink(missing_ok=True)
        self.ready = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self.ready.bind(str(notify))
        pidfile = self.folder / "pid"
        self.lab.record.add(pidfile=str(pidfile))
        enter = [str(c / "cgroup.procs") for c in self.cgroups]

        def child():
            pid = str(os.getpid())
            for procs in enter:
                with open(procs, "w", encoding="ascii") as f:
                    f.write(pid)
            pidfile.write_text(f"{pid} {start_time(pid)}", encoding="ascii")

        argv = ["systemd-nspawn", "--quiet", "--settings=no", "--register=no", "--keep-unit", "--boot",
                f"--directory={self.root}", f"--machine={self.name}", f"--hostname={self.name}",
                f"--network-namespace-path=/run/netns/{self.netns}", "--link-journal=no", "--resolv-conf=off",
                "--timezone=off", "--notify-ready=yes", "--console=read-only"]
        env = {**CLEAN_ENV, "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1", "NOTIFY_SOCKET": str(notify)}
        with open(self.folder / "console", "ab") as log:
            # The child's few lines between fork and exec only write files; there are no threads here.
            self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env,
                                            start_new_session=True, preexec_fn=child)

    def wait(self):
        """Until systemd in the host has reached its target (its own READY=1, passed on by nspawn)."""
        end = time.monotonic() + BOOT_SECONDS
        ready = False
        while not ready:
            self.ready.settimeout(min(1.0, max(0.01, end - time.monotonic())))
            try:
                words = self.ready.recv(4096).decode(errors="replace").splitlines()
            except TimeoutError:
                if self.process.poll() is not None or time.monotonic() > end:
                    raise HostError(f"{self.name} did not boot:\n{self.console()[-3000:]}") from None
                continue
            for w in words:
                if w.startswith("X_NSPAWN_LEADER_PID="):
                    self.leader = int(w.split("=")[1])
                ready = ready or w == "READY=1"
        self.ready.close()
        state = self.run("systemctl", "is-system-running", "--wait", check=False).stdout.strip()
        if state != "running":
            raise HostError(f"{self.name} is {state}:\n" + self.run("systemctl", "--failed", "--no-legend", check=False).stdout)

    def console(self):
        return (self.folder / "console").read_text(encoding="utf-8", errors="replace")

    # -- going down --------------------------------------------------------------------------------------------

    def stop(self):
        """Power off as if the cord were pulled.  The disk stays: start() and wait() bring the host up again."""
        for t in self.terminals:
            t.close(force=True)
        self.terminals.clear()
        if self.process:
            for c in self.cgroups:
                if (c / "cgroup.kill").exists():
                    (c / "cgroup.kill").write_text("1", encoding="ascii")
            self.process.kill()
            self.process.wait()
        self.process = self.leader = None

    def reboot(self):
        self.stop()
        self.start()
        self.wait()

    # -- commands ----------------------------------------------------------------------------------------------

    def enter(self, *argv):
        """An argv for the outside that runs ARGV as the host's root, in all its namespaces but not in its cgroups."""
        env = [f"{k}={v}" for k, v in CLEAN_ENV.items()]
        return ["nsenter", "--target", str(self.leader), "--all", "--wdns=/", "--", "env", "-i", *env, "HOME=/root",
                *map(str, argv)]

    def run(self, *argv, input=None, check=True, timeout=60):
        """As root, without a terminal.  A CompletedProcess with text; Failed when CHECK and the status is not 0."""
        if len(argv) == 1 and " " in str(argv[0]):
            argv = ("sh", "-c", argv[0])
        where = {"stdin": subprocess.DEVNULL} if input is None else {"input": input}
        done = subprocess.run(self.enter(*argv), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              errors="surrogateescape", timeout=timeout, check=False, **where)
        if check and done.returncode:
            raise Failed([self.name, *map(str, argv)], done.returncode, done.stdout, done.stderr)
        return done

    def ssh_argv(self, user, *argv, tty=False, options=()):
        return self.enter("ssh", "-tt" if tty else "-T", "-i", "/etc/jit-test/login_key", *options, f"{user}@127.0.0.1",
                          *map(str, argv))

    def ssh(self, user, *argv, input=None, check=True, timeout=60):
        """A command as USER in a real login session without a terminal (argv words are quoted for the remote shell)."""
        words = [argv[0]] if len(argv) == 1 else [shlex.join(map(str, argv))]
        where = {"stdin": subprocess.DEVNULL} if input is None else {"input": input}
        done = subprocess.run(self.ssh_argv(user, *words), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              errors="surrogateescape", timeout=timeout, check=False, **where)
        if check and done.returncode:
            raise Failed([f"{user}@{self.name}", *map(str, argv)], done.returncode, done.stdout, done.stderr)
        return done

    def login(self, user, columns=110, rows=40, timeout=20, prompt=True):
        """A real ssh login of USER with a terminal: a pexpect child standing at the shell's prompt.

        `child.prompt` is the prompt as a regular expression."""
        import pexpect
        argv = self.ssh_argv(user, tty=True)
        child = pexpect.spawn(argv[0], argv[1:], dimensions=(rows, columns), timeout=timeout, encoding="utf-8",
                              codec_errors="replace", env=CLEAN_ENV)
        child.prompt = rf"{user}@{self.name}:[^\r\n]*[$#] "
        child.delaybeforesend = None
        self.terminals.append(child)
        if prompt:
            child.expect(child.prompt)
        return child

    # -- files and packages ------------------------------------------------------------------------------------

    def put(self, path, text, mode=0o644, owner=None):
        """Writes a file of the host, aside and renamed; OWNER "user:group" by the host's own names."""
        to = self.root / path.lstrip("/")
        if not to.parent.is_dir():
            self.run("mkdir", "-p", os.path.dirname(path))
        # Through the host's own root: /run and other mounts of the host are not seen from outside.
        self.run("sh", "-c", 'umask 077 && cat >"$1.new" && chmod "$2" "$1.new" && '
                 '{ [ -z "$3" ] || chown "$3" "$1.new"; } && mv "$1.new" "$1"', "put", path, f"{mode:o}", owner or "",
                 input=text)

    def read(self, path):
        return self.run("cat", path).stdout

    def install(self, *names, debs=None):
        """Installs packages of this tree (all of them by default) with dpkg, as an administrator would."""
        files = [d for d in (debs or jitbuild.debs()) if not names or d.name.split("_")[0] in names]
        self.run("mkdir", "-p", "/var/tmp/debs")
        for f in files:
            with open(f, "rb") as src:
                subprocess.run(self.enter("sh", "-c", f"cat >/var/tmp/debs/{f.name}"), stdin=src, check=True)
        return self.run("env", "DEBIAN_FRONTEND=noninteractive", "dpkg", "-i", *[f"/var/tmp/debs/{f.name}" for f in files],
                        timeout=120).stdout

    def journal(self, *match):
        return self.run("journalctl", "--no-pager", "-o", "short-monotonic", *match).stdout
