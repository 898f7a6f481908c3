"""jitctl sudo enable, disable: on copies of Debian's own files, below --root."""
import json

import pytest

from test_pam import BACKUP, files, root  # noqa: F401  (a fixture)

CONF = "#\n# Default /etc/sudo.conf file\n#Plugin sudoers_policy sudoers.so\n#Set group_source static"  # no last newline
PLUGIN = ["Plugin", "sudo_jit", "/usr/libexec/sudo/sudo_jit.so"]


@pytest.fixture
def host(root):  # noqa: F811
    plugin = root / "usr/libexec/sudo/sudo_jit.so"
    plugin.parent.mkdir(parents=True)
    plugin.touch()
    conf = root / "etc/sudo.conf"
    conf.write_text(CONF)
    conf.chmod(0o640)
    return root


def lines(host, service):
    return [line.split()[0] for line in (host / "etc/pam.d" / service).read_text().splitlines() if "pam_jit.so" in line]


def active(host):
    try:
        text = (host / "etc/sudo.conf").read_text()
    except FileNotFoundError:
        return []
    return [line.split("#")[0].split() for line in text.splitlines() if line.split("#")[0].strip()]


def test_round_trip(cli, host):
    before = files(host)
    r = cli("sudo", "enable", "--root", str(host))
    assert r.code == 0, r
    assert "sudo.conf: names the plugin from now on" in r.out and "Undo: jitctl sudo disable" in r.out
    assert active(host) == [PLUGIN]
    assert (host / "etc/sudo.conf").stat().st_mode & 0o777 == 0o640
    assert lines(host, "sudo") == lines(host, "sudo-i") == ["session"]
    once = files(host), (host / "etc/sudo.conf").read_text()
    r = cli("sudo", "enable", "--root", str(host))
    assert r.code == 0 and r.out.splitlines()[:3] == ["sudo.conf: names the plugin already",
                                                      "sudo: gated already, by sudo's plugin",
                                                      "sudo-i: gated already, by sudo's plugin"]
    assert (files(host), (host / "etc/sudo.conf").read_text()) == once
    # pam enable does not put back what the plugin does.
    r = cli("pam", "enable", "sudo", "--root", str(host))
    assert r.code == 0 and lines(host, "sudo") == ["session"]
    r = cli("sudo", "disable", "--root", str(host))
    assert r.code == 0, r
    assert (host / "etc/sudo.conf").read_text() == CONF
    assert not (host / f"etc/sudo.conf{BACKUP}").exists()
    # It stays gated, by PAM.
    assert lines(host, "sudo") == lines(host, "sudo-i") == ["account", "session"]
    cli("pam", "disable", "--all", "--root", str(host))
    assert files(host) == before


def test_behind_pam(cli, host):
    """A host that PAM gates already: only sudo and sudo-i change, and change back."""
    cli("pam", "enable", "sudo", "su", "sshd", "--root", str(host))
    gated = files(host)
    assert cli("sudo", "enable", "--root", str(host)).code == 0
    assert lines(host, "sudo") == lines(host, "sudo-i") == ["session"]
    assert lines(host, "su") == ["account", "session"] and len(lines(host, "sshd")) == 3
    assert cli("sudo", "disable", "--root", str(host)).code == 0
    assert files(host) == gated


def test_dry_run(cli, host):
    before = files(host)
    r = cli("sudo", "enable", "--dry-run", "--root", str(host))
    assert r.code == 0 and files(host) == before and (host / "etc/sudo.conf").read_text() == CONF
    assert "+Plugin sudo_jit /usr/libexec/sudo/sudo_jit.so" in r.out and "sudo.conf: would name the plugin" in r.out
    assert "+session    required     pam_jit.so" in r.out and "+account" not in r.out
    assert [json.loads(line)["result"] for line in cli("sudo", "enable", "-n", "-j", "--root", str(host)).out.splitlines()] == \
        ["enabled"] * 3


def test_without_the_plugin_nothing_is_changed(cli, host):
    """Such a line would keep sudo from starting, for root too."""
    (host / "usr/libexec/sudo/sudo_jit.so").unlink()
    before = files(host)
    r = cli("sudo", "enable", "--root", str(host))
    assert r.code == 6 and "pam-jit-sudo" in r.err and files(host) == before
    assert (host / "etc/sudo.conf").read_text() == CONF


def test_no_sudo_conf(cli, host):
    (host / "etc/sudo.conf").unlink()
    assert cli("sudo", "disable", "--root", str(host)).code == 0
    assert cli("sudo", "enable", "--root", str(host)).code == 0
    assert active(host) == [PLUGIN]
    assert (host / "etc/sudo.conf").stat().st_mode & 0o777 == 0o644
    assert cli("sudo", "disable", "--root", str(host)).code == 0
    assert not (host / "etc/sudo.conf").exists()


@pytest.mark.parametrize("line", ["Plugin sudo_jit sudo_jit.so", "\tplugin  sudo_jit /usr/libexec/sudo/sudo_jit.so x",
                                  "Plugin sudo_jit sudo_jit.so#mine"])
def test_a_line_of_somebody_else_goes_too(cli, host, line):
    """Whoever wrote it: when the plugin is gone, it locks everybody out."""
    (host / "etc/sudo.conf").write_text(f"{line}\n{CONF}\nSet disable_coredump true\n")
    r = cli("sudo", "enable", "--root", str(host))
    assert r.code == 0 and "names the plugin already" in r.out
    assert cli("sudo", "disable", "--root", str(host)).code == 0
    assert (host / "etc/sudo.conf").read_text() == f"{CONF}\nSet disable_coredump true\n"


@pytest.mark.parametrize("line", ["#Plugin sudo_jit sudo_jit.so", "Plugin sudo_jitter x.so", "Plugins sudo_jit x.so",
                                  "Debug sudo_jit.so /var/log/x all@debug"])
def test_other_lines_stay(cli, host, line):
    text = f"{line}\n"
    (host / "etc/sudo.conf").write_text(text)
    assert cli("sudo", "enable", "--root", str(host)).code == 0
    assert PLUGIN in active(host)
    assert cli("sudo", "disable", "--root", str(host)).code == 0
    assert (host / "etc/sudo.conf").read_text() == text


@pytest.mark.parametrize("how", ["link", "backslash", "nul"])
def test_what_cannot_be_edited_is_left_alone(cli, host, how):
    conf = host / "etc/sudo.conf"
    if how == "link":
        conf.rename(host / "etc/elsewhere")
        conf.symlink_to("elsewhere")
    else:
        conf.write_bytes(b"Plugin \\\n sudo_jit sudo_jit.so\n" if how == "backslash" else b"a\0b\n")
    before = files(host), conf.read_bytes()
    for verb in ("enable", "disable"):
        r = cli("sudo", verb, "--root", str(host))
        assert r.code == 1 and "is left alone" in r.err, r
    assert (files(host), conf.read_bytes()) == before


def test_all_gates_are_opened(cli, host):
    before = files(host)
    cli("sudo", "enable", "--root", str(host))
    r = cli("pam", "disable", "--all", "--root", str(host))
    assert r.code == 0 and r.err == "" and "sudo.conf: no longer names the plugin" in r.out
    assert files(host) == before and (host / "etc/sudo.conf").read_text() == CONF


def test_pam_disable_says_that_the_plugin_still_asks(cli, host):
    cli("sudo", "enable", "--root", str(host))
    r = cli("pam", "disable", "sudo", "--root", str(host))
    assert r.code == 0 and "jitctl sudo disable" in r.err
