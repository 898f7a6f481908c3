"""jitctl pam enable, disable: on copies of Debian's own files, below --root."""
import json
import os
import pathlib
import re
import shutil
import subprocess

import pytest

from clitest import JITCTL, Result

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
        assert r.code == 0, r
        # su-l includes su, and sudo-i goes with sudo.
        assert ("Keep this root shell open" in r.out) == (service not in ("sudo-i", "su-l")), r
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
    assert r.code == 0 and r.out == "sudo: gated already\nsudo-i: gated already\nsshd: gated already\n"
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


def test_sudo_i_goes_with_sudo(cli, root):
    """Whoever closes sudo does not mean to leave `sudo -i` open."""
    before = files(root)
    r = cli("pam", "enable", "sudo", "--dry-run", "--root", str(root))
    assert r.out.count("\n+account    requisite    pam_jit.so") == 2 and "sudo-i: would be gated" in r.out
    assert files(root) == before
    r = cli("pam", "enable", "sudo", "--root", str(root))
    assert r.code == 0 and "\nsudo-i: gated from now on" in r.out
    assert (root / "etc/pam.d/sudo-i").read_text().count("pam_jit.so") == 2
    r = cli("pam", "disable", "sudo", "--root", str(root))
    assert r.code == 0 and r.out == "sudo: no longer gated\nsudo-i: no longer gated\n"
    assert files(root) == before
    # By its own name it is alone.
    cli("pam", "enable", "sudo-i", "--root", str(root))
    assert b"pam_jit" not in (root / "etc/pam.d/sudo").read_bytes()
    r = cli("pam", "disable", "sudo-i", "--root", str(root))
    assert r.out == "sudo-i: no longer gated\n" and files(root) == before


def test_sudo_i_that_stays_open_is_told(cli, root):
    (root / "etc/pam.d/sudo-i").write_text("@include nowhere\n")
    r = cli("pam", "enable", "sudo", "--root", str(root))
    assert r.code == 1 and "sudo-i is left alone" in r.err and "sudo -i stays open" in r.err
    assert "sudo: gated from now on" in r.out
    (root / "etc/pam.d/sudo-i").unlink()
    r = cli("pam", "enable", "sudo", "--root", str(root))
    assert r.code == 5 and "sudo -i stays open" in r.err
    assert cli("pam", "disable", "sudo", "--root", str(root)).code == 0


def gates(cli, root):
    r = cli("status", "--root", str(root), "--courier", str(root / "none"))
    return re.search(r"^ *gates +(.*)$", r.out, re.M).group(1)


def test_status_says_what_is_gated(cli, root):
    pam = root / "etc/pam.d"
    assert gates(cli, root) == "none; open: sudo sudo-i su su-l sshd"
    cli("pam", "enable", "sudo", "--root", str(root))
    assert gates(cli, root) == "sudo sudo-i; open: su su-l sshd"
    cli("pam", "enable", "su", "--root", str(root))
    assert gates(cli, root) == "sudo sudo-i su su-l; open: sshd"
    cli("pam", "disable", "sudo-i", "--root", str(root))
    assert gates(cli, root) == "sudo su su-l; open: sudo-i sshd"
    # A line for sessions alone asks nobody; somebody's own for the account does.
    (pam / "sudo").write_text((pam / "sudo").read_text().replace("account    requisite    pam_jit.so", "#"))
    (pam / "sshd").write_text("account required /lib/security/pam_jit.so\n" + (pam / "sshd").read_text())
    (pam / "su").write_text("@include nowhere\n")
    (pam / "su-l").unlink()
    assert gates(cli, root) == "sshd; open: sudo sudo-i; cannot be told: su"
    (root / "etc/sudo.conf").write_text("Plugin sudo_jit sudo_jit.so\n")
    assert gates(cli, root) == "sudo sudo-i by sudo's plugin; sshd; cannot be told: su"
    r = cli("status", "--json", "--root", str(root))
    assert r.json()["gates"] == {"sudo": "plugin", "sudo-i": "plugin", "su": "unknown", "sshd": "pam"}


@pytest.fixture
def on_host(cli, root):
    """jitctl whose own /etc/pam.d is ROOT's: without --root, so that it asks jitd."""
    script = ('mount --bind "$0/etc/pam.d" /etc/pam.d && '
              'mount --bind "$0/usr/lib/x86_64-linux-gnu/security" /usr/lib/x86_64-linux-gnu/security && exec "$@"')
    enter = ["unshare", "--mount", "sh", "-c", script, str(root)]
    if subprocess.run([*enter, "true"], check=False, stderr=subprocess.DEVNULL).returncode:
        pytest.skip("no mounts of one's own here")

    def run(*words):
        p = subprocess.run([*enter, str(JITCTL), *words], env=cli.env, text=True, capture_output=True, timeout=30, check=False)
        assert "Sanitizer" not in p.stderr, p.stderr
        # On a terminal both are one: nothing is changed before it is told.
        return Result(p.returncode, p.stdout, p.stderr)
    return run


IN_FORCE = {"rules": {"state": "in force"}}


def test_warns_when_no_rules_are_in_force(on_host, jitd, root):
    jitd.answer("Status", {"rules": {"state": "none"}})
    r = on_host("pam", "enable", "sudo", "sshd")
    assert r.code == 0 and b"pam_jit" in (root / "etc/pam.d/sshd").read_bytes()
    assert r.err == ("jitctl: jitd has no rules in force: every sudo on this host, but root's own, and every ssh login, root's "
                     "too, will be refused until there are (jitctl config check)\n")
    jitd.answer("Status", IN_FORCE)
    assert on_host("pam", "enable", "su").err == ""


def test_warns_before_anything_is_changed(on_host, jitd, root):
    """Where nothing can be changed, it was said all the same."""
    jitd.answer("Status", {"rules": {"state": "none"}})
    (root / "etc/pam.d/su").write_text("@include nowhere\n")
    r = on_host("pam", "enable", "su")
    assert r.code == 1 and re.search("every su on this host.*\n.*left alone", r.err)


@pytest.mark.parametrize("answer, words", [
    ({"decision": "approve", "rule": "Default", "need": "1 of sre"}, "will be asked for: rule Default, needs 1 of sre; to let them in"),
    ({"decision": "deny", "rule": "no\x1b[2J"}, "will be refused: rule no\\x1b[2J; to let them in"),
    ({}, "will be refused: rule ?"), ("[", "cannot be told"), ({"decision": "allow", "rule": "ops"}, None)])
def test_warns_of_roots_own_logins(on_host, jitd, answer, words):
    jitd.answer("Status", IN_FORCE)
    jitd.answer("Explain", answer)
    r = on_host("pam", "enable", "sshd", "--dry-run")
    assert r.code == 0 and (words in r.err if words else r.err == ""), r
    assert jitd.call()[0] == "Status"
    name, asked = jitd.call()
    asked = json.loads(asked)
    assert name == "Explain" and (asked["service"], asked["user"], asked["target"]) == ("sshd", "root", "root")


def test_warns_of_roots_logins_when_jitd_does_not_tell(on_host, jitd):
    jitd.answer("Status", IN_FORCE)
    jitd.refuse("Explain", "Failed", "no")
    assert "cannot be told: no" in on_host("pam", "enable", "sshd").err


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
    assert [(o["service"], o["result"]) for o in r.lines()] == [("sudo", "enabled"), ("sudo-i", "enabled"), ("su", "enabled"),
                                                                   ("su-l", "covered")]


def test_warns_when_jitd_cannot_be_asked(on_host):
    assert re.search("jitd cannot be asked: every su on this host, but root's own, will be refused until it runs",
                     on_host("pam", "enable", "su").err)


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
