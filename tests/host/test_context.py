"""What a request tells about the host and the past: with real packages, users, units and requests."""

import json
import re
import time

import pytest

from answers import CONF, Desk

RULES = """\
[Rule site]
Service=sudo
User=alice
Command=/usr/local/bin/* | /usr/local/bin/* *
Decision=approve
Need=1 of sre
Reason=optional
For=30s

[Rule tools]
Service=sudo
User=alice
Decision=approve
Need=1 of sre
Reason=required ^(INC|CHG)-[0-9]+
For=30s
"""


@pytest.fixture(scope="module")
def desk(bare):
    d = Desk(bare)
    d.set_up(conf=CONF, rules=RULES)
    bare.put("/usr/local/bin/site-tool", "#!/bin/sh\nexit 0\n", 0o755)
    return d


@pytest.fixture(autouse=True)
def clean(desk):
    desk.clear()
    yield
    desk.clear()


def asked_text(desk, command, reason="INC-1 test"):
    """The document of a request for COMMAND that is made ahead, without waiting for it."""
    out = desk.host.ssh("alice", "jitctl", "request", "--json", "--reason", reason, "--", *command.split()).stdout
    return desk.document(json.loads(out)["id"])


def asked(desk, command, **how):
    return json.loads(asked_text(desk, command, **how))


def context(desk, command, **how):
    return asked(desk, command, **how)["context"]


def test_shipped(desk):
    package = context(desk, "/usr/bin/touch /run/x")["package"]
    version = desk.host.run("dpkg-query", "-W", "-f${Version}", "coreutils").stdout
    assert package == {"state": "shipped", "name": "coreutils", "version": version}


def test_alternative(desk):
    """Not the link, but the file that it leads to."""
    desk.host.run("ln", "-sf", "/usr/bin/touch", "/usr/local/bin/linked")
    assert context(desk, "/usr/local/bin/linked")["package"]["name"] == "coreutils"


def test_changed(desk):
    host = desk.host
    host.run("cp", "-p", "/usr/bin/uptime", "/root/uptime")
    try:
        assert context(desk, "uptime")["package"]["state"] == "shipped"
        host.run("sh", "-c", "printf x >>/usr/bin/uptime")
        doc = asked(desk, "uptime")
        assert doc["context"]["package"]["state"] == "changed"
        assert doc["context"]["package"]["name"].startswith("procps")
        shown = host.run("jitctl", "show", doc["id"]).stdout
        assert re.search(r"^  package +procps \S+: THE FILE HAS CHANGED since it was installed$", shown, re.M), shown
    finally:
        host.run("mv", "/root/uptime", "/usr/bin/uptime")


def test_conffile(desk):
    """A script below /etc is listed elsewhere than among the md5sums."""
    found = desk.host.run("sh", "-c", "dpkg-query -W -f'${Conffiles}\\n' | grep -o '^ /etc/init.d/[^ ]*' | head -n 1").stdout
    path = found.strip()
    before = desk.host.read(path)
    assert context(desk, path)["package"]["state"] == "shipped"
    try:
        desk.host.put(path, before + "# mine\n", 0o755)
        assert context(desk, path)["package"]["state"] == "changed"
    finally:
        desk.host.put(path, before, 0o755)


def test_diverted(desk):
    """A file that the administrator has put in the place of a package's is of no package; where it went, it still is."""
    host = desk.host
    host.run("dpkg-divert", "--local", "--rename", "--divert", "/usr/bin/free.real", "--add", "/usr/bin/free")
    try:
        host.put("/usr/bin/free", "#!/bin/sh\nexec /usr/bin/free.real\n", 0o755)
        assert context(desk, "free")["package"] == {"state": "none"}
        real = context(desk, "/usr/bin/free.real")["package"]
        assert (real["state"], real["name"]) == ("shipped", "procps")
    finally:
        host.run("rm", "-f", "/usr/bin/free")
        host.run("dpkg-divert", "--local", "--rename", "--remove", "/usr/bin/free")


def test_no_package(desk):
    doc = asked(desk, "/usr/local/bin/site-tool")
    assert doc["context"]["package"] == {"state": "none"}
    assert "none: the file is of no package" in desk.host.run("jitctl", "show", doc["id"]).stdout


def test_users(desk):
    bob = desk.host.login("bob")
    alice = desk.host.login("alice")
    users = context(desk, "/usr/bin/touch /run/users")["users"]
    by_name = {u["name"]: u for u in users}
    assert users[-1]["name"] == "alice" and users[-1]["requester"]
    assert by_name["alice"]["sessions"] >= 1
    assert by_name["bob"] == {**by_name["bob"], "sessions": 1, "from": "127.0.0.1"} and "requester" not in by_name["bob"]
    assert re.fullmatch(r"pts/\d+", by_name["bob"]["tty"]) and by_name["bob"]["age"] < 60
    for t in (bob, alice):
        t.close(force=True)
    wait_for(lambda: "bob" not in desk.host.run("loginctl", "list-sessions", "--no-legend").stdout)
    assert "bob" not in [u["name"] for u in context(desk, "/usr/bin/touch /run/users2")["users"]]


def test_failed_units(desk):
    host = desk.host
    assert context(desk, "/usr/bin/touch /run/u0")["failed_units"] == {"count": 0, "names": []}
    host.run("systemd-run", "--unit=jit-broken", "--wait", "false", check=False)
    try:
        doc = asked(desk, "/usr/bin/touch /run/u1")
        assert doc["context"]["failed_units"] == {"count": 1, "names": ["jit-broken.service"]}
        assert re.search(r"^  units +1 FAILED: jit-broken.service$", host.run("jitctl", "show", doc["id"]).stdout, re.M)
    finally:
        host.run("systemctl", "reset-failed", "jit-broken.service")


def test_last_and_similar(desk):
    text = asked_text(desk, "/usr/bin/touch /run/last")
    first = json.loads(text)
    desk.answer(text, verdict="deny", note="not now")
    doc = asked(desk, "/usr/bin/touch /run/last", reason="CHG-9 INC-2 again")
    c = doc["context"]
    assert c["ticket"] == "CHG-9"
    assert c["last"][0]["id"] == first["id"] and c["last"][0]["command"] == "/usr/bin/touch /run/last"
    assert c["last"][0]["outcome"] == "denied by bob: not now" and c["last"][0]["age"] < 60
    assert c["similar"] == {"total": 1, "approved": 0, "denied": 1, "unanswered": 0, "pending": 0,
                            "last": {"by": "bob", "verdict": "denied", "age": c["similar"]["last"]["age"]}}
    hidden = context(desk, "/usr/local/bin/site-tool --password=secret")
    assert hidden["last"][0]["command"] == "/usr/bin/touch ..." and hidden["last"][0]["outcome"] == "pending"
    assert hidden["similar"]["total"] == 0


def wait_for(condition, seconds=15):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_gathered_while_a_reason_is_asked_for(desk):
    """The host is looked at while the user types, and what is late by then is waited for no longer."""
    host = desk.host
    host.run("mv", "/usr/bin/dpkg-query", "/usr/bin/dpkg-query.real")
    try:
        host.put("/usr/bin/dpkg-query", "#!/bin/sh\n: >/run/jit/began\nexec sleep 600\n", 0o755)
        term = host.login("alice")
        term.sendline("sudo touch /run/early")
        term.expect("Reason: ")
        wait_for(lambda: host.run("test", "-e", "/run/jit/began", check=False).returncode == 0)
        wait_for(lambda: host.run("pgrep", "-cf", "sleep 600", check=False).stdout.strip() == "0")
        assert "request-" not in host.run("ls", "/var/lib/jit/outbox").stdout
        term.sendline("INC-5 early")
        term.expect(r"([0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4})")
        c = json.loads(desk.document(term.match.group(1)))["context"]
        assert c["late"] == ["package"] and c["ticket"] == "INC-5" and "users" in c
    finally:
        host.run("mv", "/usr/bin/dpkg-query.real", "/usr/bin/dpkg-query")
        host.run("rm", "-f", "/run/jit/began")


def test_slow_tool(desk):
    """A tool that hangs costs a second and the one thing that it was asked."""
    host = desk.host
    host.run("mv", "/usr/bin/dpkg-query", "/usr/bin/dpkg-query.real")
    try:
        host.put("/usr/bin/dpkg-query", "#!/bin/sh\nexec sleep 600\n", 0o755)
        begun = time.monotonic()
        c = context(desk, "/usr/bin/touch /run/slow")
        seconds = time.monotonic() - begun
        assert "package" not in c and c["late"] == ["package"] and "failed_units" in c and "users" in c
        assert seconds < 5  # login and all
        assert host.run("pgrep", "-cf", "sleep 600", check=False).stdout.strip() == "0"
    finally:
        host.run("mv", "/usr/bin/dpkg-query.real", "/usr/bin/dpkg-query")


def test_writable(desk):
    """What others than root can change is marked, also through a folder or a link; the requester's people see it in red."""
    host = desk.host
    host.put("/home/alice/tool", "#!/bin/sh\nexit 0\n", 0o755, "root:root")
    host.run("ln", "-sf", "/home/alice/tool", "/usr/local/bin/hers")
    host.ssh("alice", "printf '#!/bin/sh\nexit 0\n' >/tmp/hers && chmod 755 /tmp/hers")  # jitd has another /tmp
    for command in ("/home/alice/tool", "/usr/local/bin/hers", "/tmp/hers"):
        doc = asked(desk, command)
        assert "writable" in doc["marks"], doc
        assert "WRITABLE: somebody other than root" in host.run("jitctl", "show", doc["id"]).stdout
    assert "writable" not in asked(desk, "/usr/local/bin/site-tool")["marks"]
    assert "writable" not in asked(desk, "/usr/bin/touch /run/w")["marks"]
