"""What the test hosts are made of: a Debian root to boot, and the packages of this tree to install in it.

Both are kept outside the tree, below /var/cache/pam-jit-test (PAM_JIT_TEST_CACHE), under a name that is the digest of
what they were made from, so that ./check and ./demo build each of them once.
"""

import fcntl
import functools
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

TREE = Path(__file__).resolve().parents[2]
CACHE = Path(os.environ.get("PAM_JIT_TEST_CACHE", "/var/cache/pam-jit-test"))

USERS = ("alice", "bob", "carol", "dave", "erin")
PACKAGES = (
    "systemd systemd-sysv dbus libpam-systemd sudo openssh-server openssh-client procps iproute2 util-linux less nginx "
    "adduser ca-certificates libcurl4 libjson-c5 libmicrohttpd12 libsqlite3-0 libssl3 libpam-runtime "
    "python3-minimal openssl bash-completion"
).split()
MASKED = (
    "systemd-timesyncd.service apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer fstrim.timer dpkg-db-backup.timer "
    "systemd-update-utmp.service systemd-update-utmp-runlevel.service getty.target console-getty.service"
).split()
RECIPE = 3  # counts changes of customize() below


def say(words):
    print(f"-- {words}", file=sys.stderr, flush=True)


@contextmanager
def locked(name):
    """One builder at a time, over all processes."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / f"{name}.lock", "w", encoding="ascii") as f:
        fcntl.flock(f, fcntl.LOCK_EX)
        yield


def prune(pattern, keep):
    """Leaves the KEEP entries that were used last."""
    found = sorted(CACHE.glob(pattern), key=lambda p: p.stat().st_mtime, reverse=True)
    for old in found[keep:]:
        shutil.rmtree(old, ignore_errors=True)


def customize(root):
    """What every test host has: the accounts, ssh keys between them, no timers that wake in the middle of a test."""

    def chroot(*argv):
        subprocess.run(["chroot", root, *argv], check=True, stdout=subprocess.DEVNULL)

    def put(path, text, mode=0o644):
        p = root / path
        p.parent.mkdir(parents=True, exist_ok=True)
        p.write_text(text, encoding="utf-8")
        p.chmod(mode)

    for user in USERS:
        chroot("useradd", "-m", "-s", "/bin/bash", user)
    subprocess.run(["chroot", root, "chpasswd"], check=True, text=True,
                   input="".join(f"{user}:{user}-pw\n" for user in USERS))
    # One key opens every account from inside the host: real logins with a terminal, for the tests.
    put("etc/jit-test/.keep", "")
    chroot("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test login", "-f", "/etc/jit-test/login_key")
    login = (root / "etc/jit-test/login_key.pub").read_text(encoding="ascii")
    for user in USERS:
        put(f"home/{user}/.ssh/authorized_keys", login, 0o600)
        # The key with which this person answers requests.
        chroot("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", f"{user}@laptop", "-f", f"/home/{user}/.ssh/id_ed25519")
        put(f"home/{user}/.hushlogin", "")
        put(f"home/{user}/.bashrc", "PS1='\\u@\\h:\\w\\$ '\n[ -f /etc/bash_completion ] && . /etc/bash_completion\n")
        put(f"home/{user}/.bash_profile", ". ~/.bashrc\n")
        chroot("chown", "-R", f"{user}:{user}", f"/home/{user}")
    put("etc/inputrc", "set enable-bracketed-paste off\nset bell-style none\n")
    put("etc/ssh/sshd_config.d/test.conf", "UseDNS no\nPrintLastLog no\nMaxStartups 100:30:200\n")
    put("etc/ssh/ssh_config.d/test.conf", "StrictHostKeyChecking no\nUserKnownHostsFile /dev/null\nLogLevel ERROR\n")
    put("etc/sudoers.d/test", "alice ALL=(ALL:ALL) NOPASSWD: ALL\ndave ALL=(ALL:ALL) ALL\n", 0o440)
    put("etc/systemd/system.conf.d/test.conf", "[Manager]\nDefaultTimeoutStopSec=10s\n")
    put("etc/systemd/journald.conf.d/test.conf",
        "[Journal]\nStorage=volatile\nRateLimitIntervalSec=0\nRuntimeMaxUse=64M\n")
    for unit in MASKED:
        link = root / "etc/systemd/system" / unit
        link.unlink(missing_ok=True)
        link.symlink_to("/dev/null")
    (root / "etc/machine-id").write_text("", encoding="ascii")
    (root / "etc/resolv.conf").unlink(missing_ok=True)
    put("etc/resolv.conf", "")


@functools.cache
def base_root(suite="bookworm"):
    """A directory with a bootable Debian, built when there is none for this recipe.  Not to be written to."""
    what = "\n".join([suite, str(RECIPE), *USERS, *PACKAGES, *MASKED])
    digest = hashlib.sha256(what.encode()).hexdigest()[:12]
    with locked("root"):
        root = CACHE / f"root-{suite}-{digest}"
        if not root.is_dir():
            say(f"building a Debian root in {root} (about a minute, once)")
            new = root.with_name(f"new-{digest}")
            shutil.rmtree(new, ignore_errors=True)
            done = subprocess.run(
                ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={','.join(PACKAGES)}", suite, new],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
            if done.returncode:
                raise SystemExit(f"mmdebstrap failed:\n{done.stdout[-4000:]}")
            customize(new)
            new.rename(root)
        os.utime(root)
        prune(f"root-{suite}-*", 3)
        return root


def tree_files():
    """Paths of the tree's sources, relative to it: what git tracks or would add, or all of an unpacked tarball."""
    if (TREE / ".git").exists():
        out = subprocess.run(["git", "-C", TREE, "ls-files", "-z", "-co", "--exclude-standard"], check=True,
                             capture_output=True).stdout
        names = [os.fsdecode(n) for n in out.split(b"\0") if n]
    else:
        names = [str(p.relative_to(TREE)) for p in TREE.rglob("*") if p.is_file() or p.is_symlink()]
    return sorted(n for n in set(names) if (TREE / n).exists() and not n.startswith((".git/", "build/")))


def export(to, files=None):
    """A copy of the sources."""
    for name in files or tree_files():
        path = to / name
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(TREE / name, path, follow_symlinks=False)


def in_package(name):
    """Does a file of the tree have a part in the packages?"""
    if name.startswith("tests/"):
        return name.endswith(".mk")
    return not name.startswith((".ci/", ".")) and name not in ("check", "demo")


@functools.cache
def debs(jobs=2):
    """The packages of this tree as it stands (when first asked for), a list of paths.  Built without the tests, which ./check runs by itself."""
    given = os.environ.get("PAM_JIT_TEST_DEBS")  # a folder of packages built elsewhere
    if given:
        return sorted(p for p in Path(given).glob("*.deb") if "-dbgsym_" not in p.name)
    files = tree_files()
    digest = hashlib.sha256()
    for name in filter(in_package, files):
        digest.update(name.encode() + b"\0" + hashlib.sha256((TREE / name).read_bytes()).digest())
    store = CACHE / f"debs-{digest.hexdigest()[:16]}"
    with locked("debs"):
        if not store.is_dir():
            say("building the packages")
            with tempfile.TemporaryDirectory(prefix="pam-jit-build.") as tmp:
                src = Path(tmp, "pam-jit")
                export(src, files)
                env = dict(os.environ, DEB_BUILD_OPTIONS=f"nocheck parallel={jobs}", LC_ALL="C.UTF-8")
                with open(CACHE / "build.log", "w", encoding="utf-8") as log:
                    done = subprocess.run(["dpkg-buildpackage", "-us", "-uc", "-b"], cwd=src, env=env, check=False,
                                          stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
                if done.returncode:
                    tail = (CACHE / "build.log").read_text(encoding="utf-8", errors="replace")[-4000:]
                    raise SystemExit(f"dpkg-buildpackage failed, {CACHE}/build.log ends:\n{tail}")
                new = store.with_name("new-debs")
                shutil.rmtree(new, ignore_errors=True)
                new.mkdir()
                for f in Path(tmp).glob("*.*"):
                    if f.suffix in (".deb", ".changes", ".buildinfo"):
                        shutil.copy2(f, new)
                new.rename(store)
        os.utime(store)
        prune("debs-*", 4)
    return sorted(p for p in store.glob("*.deb") if "-dbgsym_" not in p.name)


def main(argv):
    match argv:
        case ["root"]:
            print(base_root())
        case ["debs"]:
            print("\n".join(map(str, debs())))
        case ["files"]:
            print("\n".join(tree_files()))
        case ["export", to]:
            export(Path(to))
        case _:
            raise SystemExit("usage: jitbuild.py root|debs|files|export DIR")


if __name__ == "__main__":
    main(sys.argv[1:])
