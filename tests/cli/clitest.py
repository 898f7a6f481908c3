"""jitctl against fakes: a private bus with a fake jitd, a fake hub, keys of ssh-keygen's own making.

The programs under test are in $JIT_BUILD (or the folder this is run from)."""
import json
import os
import pathlib
import pty
import re
import select
import signal
import subprocess
import time

BUILD = pathlib.Path(os.environ.get("JIT_BUILD", os.getcwd()))
JITCTL = BUILD / "jitctl"
FAKE_JITD = BUILD / "tests/cli/fake-jitd"

BUS_CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><listen>unix:path={path}</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy>
</busconfig>
"""


class Result:
    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    def json(self):
        return json.loads(self.out)

    def lines(self):
        return [json.loads(line) for line in self.out.splitlines()]

    def __repr__(self):
        return f"exit {self.code}\n--- stdout\n{self.out}\n--- stderr\n{self.err}"


class Cli:
    """A person at a shell: their home, their bus, jitctl."""

    def __init__(self, tmp):
        self.home = tmp / "home"
        self.home.mkdir()
        self.run_dir = tmp / "run"
        self.run_dir.mkdir(mode=0o700)
        self.env = {
            "PATH": "/usr/bin:/bin",
            "HOME": str(self.home),
            "XDG_RUNTIME_DIR": str(self.run_dir),
            "LC_ALL": "C.UTF-8",
            "TZ": "UTC",
            "DBUS_SYSTEM_BUS_ADDRESS": "unix:path=/nonexistent/bus",
        }
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS"):
            if name in os.environ:
                self.env[name] = os.environ[name]

    def __call__(self, *words, timeout=30, **env):
        p = subprocess.run([str(JITCTL), *words], env={**self.env, **env}, stdin=subprocess.DEVNULL,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=timeout, check=False)
        assert p.returncode >= 0, f"died of signal {-p.returncode}: {p.stderr.decode(errors='replace')}"
        assert b"Sanitizer" not in p.stderr, p.stderr.decode(errors="replace")
        return Result(p.returncode, p.stdout.decode(), p.stderr.decode())

    def start(self, *words, **env):
        return subprocess.Popen([str(JITCTL), *words], env={**self.env, **env}, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def terminal(self, *words, say=(), columns=80, timeout=30, **env):
        """Runs it on a terminal of its own; SAY is (pattern, what is then typed)..."""
        pid, fd = pty.fork()
        if pid == 0:
            env = {**self.env, "TERM": "xterm", **env}
            os.execve(JITCTL, [str(JITCTL), *words], env)
        import fcntl
        import struct
        import termios
        fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        os.kill(pid, signal.SIGWINCH)
        seen, say, end, at = "", list(say), time.monotonic() + timeout, 0
        while True:
            if say:
                m = re.compile(say[0][0]).search(seen, at)
                if m:
                    at = m.end()
                    os.write(fd, say.pop(0)[1].encode())
                    continue
            left = end - time.monotonic()
            if left <= 0:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
                raise AssertionError(f"still running, said:\n{seen}")
            if not select.select([fd], [], [], left)[0]:
                continue
            try:
                got = os.read(fd, 65536)
            except OSError:
                break
            if not got:
                break
            seen += got.decode(errors="replace").replace("\r\n", "\n")
        os.close(fd)
        status = os.waitpid(pid, 0)[1]
        assert not say, f"never came to {say[0][0]}:\n{seen}"
        assert os.WIFEXITED(status), seen
        return Result(os.WEXITSTATUS(status), seen, "")


class Jitd:
    """The fake jitd: what it is to answer, and what it was asked."""

    def __init__(self, tmp, address):
        self.dir = tmp / "jitd"
        self.dir.mkdir()
        self.address = address
        self.process = None
        self.start()

    def start(self):
        self.process = subprocess.Popen([str(FAKE_JITD), str(self.dir)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True, env={**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": self.address})
        assert self.process.stdout.readline() == "ready\n"

    def stop(self):
        self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()

    def answer(self, method, value):
        text = value if isinstance(value, str) else json.dumps(value)
        aside = self.dir / ".new"
        aside.write_text(text)
        aside.rename(self.dir / method)

    def refuse(self, method, name, message):
        (self.dir / f"{method}.error").write_text(f"org.pamjit.Jit1.Error.{name}\n{message}")

    def emit(self, id, state):
        self.process.stdin.write(f"emit {id} {state}\n")
        self.process.stdin.flush()

    def call(self):
        """The next call: its method and arguments."""
        line = self.process.stdout.readline()
        assert line.startswith("call "), line
        return line[5:].rstrip("\n").split("\t")
