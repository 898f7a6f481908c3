"""jitctl pam enable, disable: on copies of Debian's own files, below --root."""
import os
import pathlib
import re
import shutil
import subprocess

import pytest

SAMPLES = pathlib.Path(__file__).parent / "pam.d"
SERVICES = ["sudo", "sudo-i", "su", "su-l", "sshd"]
BACKUP = ".pam-jit-backup"


@pytest.fixture(params=["debian12", "debian13"])
def root(request, tmp_path):
    root = tmp_path / "root"
    shutil.copytree(SAMPLES / request.param, root / "etc/pam.d")
    module = root / "usr/lib/x86_64-linux-gnu/security/pam_jit.so"
    module.parent.mkdir(parents=True)
    module.touch()
    return root


def files(root):
    return {p.name: (p.read_bytes(), p.stat().st_mode, p.stat().st_uid, p.stat().st_gid)
            for p in (root / "etc/pam.d").iterdir()}


def test_round_trip(cli, root):
    (root / "etc/pam.d/sudo").chmod(0o640)
    if os.geteuid() == 0:
        os.chown(root / "etc/pam.d/sudo", 1, 2)
    before = files(root)
    for service in SERVICES:
        r = cli("pam", "enable", service, "--root", str(root))
        assert r.code == 0 and "Keep this root shell open" in r.out or service == "su-l", r
    after = files(root)
    assert after["sudo"][1:] == before["sudo"][1:]
    for name in SERVICES:
        if name != "su-l":
            assert b"pam_jit.so" in after[name][0]
            assert after[name + BACKUP] == before[name]
    r = cli("pam", "disable", "--all", "--root", str(root))
    assert r.code == 0
    assert files(root) == before


def test_idempotent(cli, root):
    cli("pam", "enable", "sudo", "sshd", "--root", str(root))
    once = files(root)
    r = cli("pam", "enable", "sudo", "sshd", "--root", str(root))
    assert r.code == 0 and r.out == "sudo: gated already\nsshd: gated already\n"
    assert files(root) == once
    cli("pam", "disable", "sudo", "--root", str(root))
    r = cli("pam", "disable", "sudo", "--root", str(root))
    assert r.code == 0 and r.out == "sudo: has no lines of jitctl\n"


def test_dry_run(cli, root):
    before = files(root)
    r = cli("pam", "enable", "sudo", "su-l", "su", "--dry-run", "--root", str(root))
    assert r.code == 0 and files(root) == before
    assert "su-l: gated already, by way of su, which it includes" in r.out
    diff = r.out[r.out.index("---"):r.out.index("sudo: would be gated")]
    assert diff.count("\n+account    requisite    pam_jit.so") == 1
    # It is a diff that patch(1) takes, and what it makes is what enable makes.
    if shutil.which("patch"):
        subprocess.run(["patch", "-s", str(root / "etc/pam.d/sudo")], input=diff.encode(), check=True)
        patched = (root / "etc/pam.d/sudo").read_bytes()
        (root / "etc/pam.d/sudo").write_bytes(before["sudo"][0])
        cli("pam", "enable", "sudo", "--root", str(root))
        assert (root / "etc/pam.d/sudo").read_bytes() == patched


def test_su_and_su_l(cli, root):
    """su-l includes su: one gate, not two."""
    r = cli("pam", "enable", "su-l", "su", "--root", str(root))
    assert r.code == 0
    assert b"pam_jit" not in (root / "etc/pam.d/su-l").read_bytes()
    cli("pam", "disable", "su", "--root", str(root))
    assert cli("pam", "enable", "su-l", "--root", str(root)).code == 0
    assert b"pam_jit" in (root / "etc/pam.d/su-l").read_bytes()
    r = cli("pam", "enable", "su", "--root", str(root))
    assert r.code == 1 and "su-l includes it" in r.err


def test_module_must_be_there(cli, root):
    before = files(root)
    (root / "usr/lib/x86_64-linux-gnu/security/pam_jit.so").unlink()
    r = cli("pam", "enable", "sudo", "--root", str(root))
    assert r.code == 6 and files(root) == before
    # Taking out works without it.
    assert cli("pam", "disable", "--all", "--root", str(root)).code == 0


def test_refuses_what_it_does_not_know(cli, root):
    pam = root / "etc/pam.d"
    for text, words in (("", "no account lines"), ("account required\n", "no module"),
                        ("session sufficient pam_x.so\n@include common-account\n@include common-session\n", "could skip"),
                        ("account required pam_jit.so\n@include common-session\n", "not added by jitctl"),
                        ("@include nowhere\n", "cannot be read"), ("account required x \\\n y\n", "backslash")):
        (pam / "sudo").write_text(text)
        before = files(root)
        r = cli("pam", "enable", "sudo", "--root", str(root))
        assert r.code == 1 and words in r.err and "left alone" in r.err, r
        assert files(root) == before
    (pam / "sudo").unlink()
    assert cli("pam", "enable", "sudo", "--root", str(root)).code == 5
    (pam / "sudo").symlink_to("su")
    r = cli("pam", "enable", "sudo", "--root", str(root))
    assert r.code == 1 and "symbolic link" in r.err
    assert cli("pam", "enable", "login", "--root", str(root)).code == 2


def test_changes_between_stay(cli, root):
    """What an administrator did meanwhile survives disable; the backup then stays, too."""
    sudo = root / "etc/pam.d/sudo"
    cli("pam", "enable", "sudo", "--root", str(root))
    before = (root / f"etc/pam.d/sudo{BACKUP}").read_text()
    sudo.write_text(sudo.read_text() + "# mine\n")
    cli("pam", "disable", "sudo", "--root", str(root))
    assert sudo.read_text() == before + "# mine\n"
    assert (root / f"etc/pam.d/sudo{BACKUP}").read_text() == before
    # A backup is made once.
    cli("pam", "enable", "sudo", "--root", str(root))
    assert (root / f"etc/pam.d/sudo{BACKUP}").read_text() == before


def test_a_foreign_line_stays_and_is_told(cli, root):
    """prerm must know that a service still names the module."""
    sudo = root / "etc/pam.d/sudo"
    cli("pam", "enable", "su", "--root", str(root))
    sudo.write_text("account required pam_jit.so\n" + sudo.read_text())
    r = cli("pam", "disable", "--all", "--root", str(root))
    assert r.code == 1 and "was not added by jitctl" in r.err
    assert b"pam_jit" not in (root / "etc/pam.d/su").read_bytes()


def test_missing_services_are_no_error_for_all(cli, root):
    for name in ("sudo", "sudo-i"):
        (root / "etc/pam.d" / name).unlink()
    assert cli("pam", "disable", "--all", "--root", str(root)).code == 0


def test_json(cli, root):
    r = cli("pam", "enable", "sudo", "su-l", "su", "--json", "--root", str(root))
    assert [(o["service"], o["result"]) for o in r.lines()] == [("sudo", "enabled"), ("su", "enabled"), ("su-l", "covered")]


def test_warns_when_jitd_cannot_be_asked(cli):
    """Without --root the running jitd is asked; the files of this machine are not touched by a dry run."""
    if not pathlib.Path("/etc/pam.d/su").exists():
        pytest.skip("no su here")
    r = cli("pam", "enable", "su", "--dry-run")
    assert r.code in (0, 6)
    if r.code == 0:
        assert re.search("jitd cannot be asked", r.err)


def test_interactive(cli, root):
    before = files(root)
    r = cli("pam", "enable", "sudo", "--interactive", "--root", str(root))
    assert r.code == 2 and "--interactive is for sshd" in r.err and files(root) == before
    r = cli("pam", "enable", "sshd", "--root", str(root))
    assert r.code == 0 and "AuthenticationMethods" not in r.out
    r = cli("pam", "enable", "sudo", "sshd", "--interactive", "--root", str(root))
    assert r.code == 0 and "sshd: gated from now on" in r.out
    assert "AuthenticationMethods publickey,keyboard-interactive" in r.out
    assert "after=publickey" in (root / "etc/pam.d/sshd").read_text() and "after=" not in (root / "etc/pam.d/sudo").read_text()
    r = cli("pam", "enable", "sshd", "--interactive", "--root", str(root))
    assert r.code == 0 and r.out == "sshd: gated already\n"
    assert cli("pam", "disable", "--all", "--root", str(root)).code == 0
    assert files(root) == before
