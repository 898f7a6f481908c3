"""The main story with real sudo on two hosts, and how each of its other ends looks."""

import json
import re
import time

import pytest

ID = r"[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}"
SUDO = "sudo systemctl restart nginx"


@pytest.fixture
def web(stage):
    """web1 with nothing pending and nothing granted."""
    host = stage[0]
    clear(host)
    yield host
    host.run("systemctl", "start", "jitd.socket", "jitd.service", "jit-courier.service")
    clear(host)


@pytest.fixture
def hub(stage):
    yield stage[1]
    stage[1].run("systemctl", "start", "jit-hub.service")


def requests(host):
    return json.loads(host.run("jitctl", "list", "--all", "--json").stdout)


def clear(host):
    host.run("systemctl", "start", "jitd.socket", "jitd.service")
    for r in requests(host):
        if r["state"] == "pending":
            host.run("jitctl", "cancel", r["id"])
        elif r["state"] in ("granted", "running"):
            host.run("jitctl", "revoke", r["id"])


def ask(web, user="alice", command=SUDO):
    """Types COMMAND; (terminal, id of the request)."""
    term = web.login(user)
    term.sendline(command)
    term.expect(ID)
    return term, term.match.group(0)


def answer(hub, verdict, request, user="bob", code=0):
    """Bob reads the request and types yes, as soon as it has reached him."""
    term = hub.login(user)
    term.sendline(f"jitctl inbox --wait --timeout 20s; jitctl {verdict} {request}; echo status=$?")
    term.expect("type yes: ")
    term.sendline("yes")
    term.expect(r"status=(\d+)\r")
    assert int(term.match.group(1)) == code, term.before
    return term.before


def status(term):
    """Of the last command, once the prompt is there; with what was on the screen before it."""
    term.expect(term.prompt)
    text = term.before
    term.sendline("echo status=$?")
    term.expect(r"status=(\d+)\r")
    code = int(term.match.group(1))
    term.expect(term.prompt)
    return code, text


def main_pid(web):
    return web.run("systemctl", "show", "-P", "MainPID", "nginx").stdout.strip()


def wait_for(condition, seconds=10, what="it"):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"{what} did not happen within {seconds} s"
        time.sleep(0.05)


def gone(web, request):
    state = next(r["state"] for r in requests(web) if r["id"] == request)
    return state not in ("pending", "granted", "running")


def test_the_story(web, hub):
    before = main_pid(web)
    term, request = ask(web)
    said = answer(hub, "approve", request)
    assert re.search(r"applied", said) and "web1" in said
    code, text = status(term)
    assert code == 0 and "bob" in text
    assert main_pid(web) != before
    # the second one passes without asking
    before = main_pid(web)
    term.sendline(SUDO)
    code, text = status(term)
    assert code == 0 and not re.search("waiting|asked", text)
    assert main_pid(web) != before
    # at the deadline what still runs is ended, and the next one asks
    term.sendline("sudo sleep 600")
    term.expect(term.prompt, timeout=30)
    wait_for(lambda: gone(web, request), 5, "the end of the grant")
    term.sendline(SUDO)
    term.expect(ID)
    assert term.match.group(0) != request
    term.sendintr()
    term.expect(term.prompt)
    lines = web.run("jitctl", "audit", "--json", "--id", request).stdout.splitlines()
    told = [json.loads(line)["event"] for line in lines]
    once = ["requested", "decided", "granted", "opened", "warned", "expired"]
    assert [e for e in told if e in once] == once and "used" in told, told
    web.run("jitctl", "audit", "verify", "--signatures")
    # The heads in the receipts that bob got stand in the chain.
    heads = {json.loads(e["document"])["head"] for r in json.loads(hub.run("su", "-", "bob", "-c", "jitctl inbox --all --json").stdout)
             for e in r["receipts"] if r["id"] == request}
    assert heads
    web.run("jitctl", "audit", "verify", *(word for head in heads for word in ("--witness", head)))


def test_denied(web, hub):
    before = main_pid(web)
    term, request = ask(web)
    answer(hub, "deny", request)
    code, text = status(term)
    assert code == 1 and "denied" in text and "bob" in text
    assert main_pid(web) == before


def test_ctrl_c_and_back(web, hub):
    """Who leaves finds what was approved meanwhile."""
    term, request = ask(web)
    term.sendintr()
    code, text = status(term)
    assert code != 0 and "jitctl cancel" in text
    answer(hub, "approve", request)
    before = main_pid(web)
    term.sendline(SUDO)
    code, text = status(term)
    assert code == 0, text
    assert main_pid(web) != before


def test_hub_away(web, hub):
    """The request waits on the host, and goes on when the hub is back."""
    hub.run("systemctl", "stop", "jit-hub.service")
    term, request = ask(web)
    wait_for(lambda: "unreachable" in web.run("jitctl", "status", check=False).stdout, 20, "'unreachable' in the status")
    hub.run("systemctl", "start", "jit-hub.service")
    answer(hub, "approve", request)
    assert status(term)[0] == 0


def test_jitd_away(web):
    web.run("systemctl", "stop", "jitd.socket", "jitd.service")
    done = web.ssh("alice", "sudo", "-n", "id", "-u", check=False)
    assert done.returncode == 1 and done.stdout == ""
    assert "jitd" in done.stderr


def test_jitd_killed_in_mid_wait(web, hub):
    term, request = ask(web)
    pid = web.run("systemctl", "show", "-P", "MainPID", "jitd").stdout.strip()
    web.run("kill", "-KILL", pid)
    wait_for(lambda: web.run("systemctl", "is-active", "jitd", check=False).stdout == "active\n", 10, "jitd's restart")
    answer(hub, "approve", request)
    assert status(term)[0] == 0
    web.run("jitctl", "audit", "verify")


def test_jitd_away_at_the_deadline(web, hub):
    """The timer ends the grant by itself."""
    term, request = ask(web, command="sudo sleep 600; true")
    answer(hub, "approve", request)
    wait_for(lambda: web.run("pgrep", "-x", "sleep", check=False).stdout, 5, "sleep")
    web.run("systemctl", "stop", "jitd.socket", "jitd.service")
    wait_for(lambda: not web.run("pgrep", "-x", "sleep", check=False).stdout, 30, "the end of sleep")
    web.run("systemctl", "start", "jitd.socket", "jitd.service")
    wait_for(lambda: gone(web, request), 5, "the record of the end")
    web.run("jitctl", "audit", "verify")


def test_a_reload_of_systemd_moves_no_deadline(web, hub):
    term, request = ask(web)
    answer(hub, "approve", request)
    assert status(term)[0] == 0
    start = time.monotonic()
    term.sendline("sudo sleep 600")
    time.sleep(8)
    web.run("systemctl", "daemon-reload")
    web.run("systemctl", "stop", "jitd.socket", "jitd.service")
    term.expect(term.prompt, timeout=30)
    assert time.monotonic() - start < 25


def test_revoked_by_the_approver(web, hub):
    term, request = ask(web)
    answer(hub, "approve", request)
    assert status(term)[0] == 0
    term.sendline("sudo sleep 600")
    wait_for(lambda: web.run("pgrep", "-x", "sleep", check=False).stdout, 5, "sleep")
    web.run("jitctl", "revoke", request)
    assert status(term)[0] != 0
    assert gone(web, request)
