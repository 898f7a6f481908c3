"""Why: the reason that a rule wants, asked for where a person can answer; and that nobody is paged twice for the same."""

import json
import re

import pytest

from answers import CONF, Desk

ID = r"([0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4})"
RULES = """\
[Rule ticket]
Service=sudo
Command=/usr/bin/touch /run/ticket*
Decision=approve
Need=1 of sre
Reason=required ^INC-[0-9]+
ReasonHint=the ticket and what for, such as INC-1234 disk full
For=30s

[Rule some]
Service=sudo
Command=/usr/bin/touch /run/some*
Decision=approve
Need=1 of sre
Reason=required
For=30s

[Rule none]
Service=sudo
Command=/usr/bin/touch /run/none*
Decision=approve
Need=1 of sre
Reason=none
For=30s

[Rule su]
Service=su
User=alice
Decision=approve
Need=1 of sre
Reason=required ^INC-[0-9]+
ReasonHint=the ticket
For=30s

[Rule plain]
Service=sudo
Decision=approve
Need=1 of sre
For=30s
"""
HINT = "the ticket and what for, such as INC-1234 disk full"
WANTED = f"a reason is required: {HINT}"
UNFIT = f"the reason does not fit; wanted is: {HINT}"
TOUCH = "sudo touch /run/ticket; echo status=$?"


@pytest.fixture(scope="module")
def desk(lab):
    host = lab.host("web1")
    lab.boot()
    d = Desk(host)
    d.set_up(rules=RULES)
    host.run("jitctl", "pam", "enable", "su")
    host.run("sh", "-c", "echo root:root-pw | chpasswd")
    return d


@pytest.fixture(autouse=True)
def calm(desk):
    yield
    desk.clear()


def outbox(desk):
    """Every request that lies there for the courier, each with the identity of its file."""
    return desk.host.run("sh", "-c", "cd /var/lib/jit/outbox && stat -c '%n %i %y %s' request-* 2>/dev/null | sort",
                         check=False).stdout


def requested(desk):
    return [e for e in desk.ledger() if e["event"] == "requested"]


def reason_of(desk, rid):
    return json.loads(desk.document(rid)).get("reason")


def asked(term):
    """The id of the request that TERM waits for."""
    term.expect(ID + ": asking")
    rid = term.match.group(1)
    term.expect("cancel " + rid)
    return rid


def left(term):
    term.sendintr()
    term.expect(r"status=(\d+)\r")
    return term.match.group(1)


# ---- asked for on a terminal ----

def test_asked_until_it_fits(desk):
    term = desk.host.login("alice")
    term.sendline(TOUCH)
    term.expect_exact(WANTED + ". Reason: ")
    term.sendline("because")
    term.expect_exact(UNFIT + ". Reason: ")
    term.sendline("")
    term.expect_exact(WANTED + ". Reason: ")
    term.sendline("  INC-7 disk full ")
    rid = asked(term)
    assert reason_of(desk, rid) == "INC-7 disk full"
    assert left(term) == "1"


def test_not_asked_for_ever(desk):
    n = len(requested(desk))
    term = desk.host.login("alice")
    term.sendline(TOUCH)
    for _ in range(3):
        term.expect_exact(". Reason: ")
        term.sendline("because")
    term.expect_exact(UNFIT)
    term.expect("set JIT_REASON in the environment")
    term.expect("status=1")
    assert len(requested(desk)) == n


def test_broken_off(desk):
    """Ctrl-C at the question: nothing was asked of anybody."""
    n = len(requested(desk))
    term = desk.host.login("alice")
    term.sendline(TOUCH)
    term.expect_exact(". Reason: ")
    assert left(term) == "1"
    assert len(requested(desk)) == n and outbox(desk) == ""


def test_asked_in_su(desk):
    term = desk.host.login("alice")
    term.sendline("su -c 'id -u'; echo status=$?")
    term.expect("Password: ")
    term.sendline("root-pw")
    term.expect_exact("a reason is required: the ticket. Reason: ")
    term.sendline("INC-8 by su")
    rid = asked(term)
    assert reason_of(desk, rid) == "INC-8 by su"
    desk.answer(desk.document(rid))
    term.expect(r"\n0\r")
    term.expect("status=0")


# ---- not asked where the answer would come from elsewhere ----

@pytest.mark.parametrize("options", ["-S", "-A", "-n", "-nS"])
def test_not_asked_with(desk, options):
    """What would feed prompts from elsewhere gets none: the command's own input is whole."""
    n = len(requested(desk))
    term = desk.host.login("alice")
    term.sendline(f"(printf 'INC-9 a\\nINC-9 b\\n') | (SUDO_ASKPASS=/bin/echo sudo {options} touch /run/ticket; echo status=$?; "
                  "wc -l | sed s/^/lines=/)")
    term.expect_exact(WANTED)
    term.expect("set JIT_REASON in the environment")
    term.expect("status=1")
    term.expect("lines=2")
    assert "Reason: " not in term.before and len(requested(desk)) == n


def test_not_asked_without_a_terminal(desk):
    done = desk.host.ssh("alice", "sudo touch /run/ticket", input="INC-9 from a pipe\n", check=False)
    assert done.returncode == 1 and done.stdout == ""
    assert WANTED + "; set JIT_REASON in the environment, or ask ahead with jitctl request --reason" in done.stderr
    assert "Reason: " not in done.stderr


# ---- JIT_REASON ----

def run_with(desk, reason, command="sudo touch /run/ticket"):
    """`JIT_REASON=… sudo` on a terminal; REASON as the shell reads it."""
    term = desk.host.login("alice")
    term.sendline(f"JIT_REASON={reason} {command}; echo status=$?")
    return term


@pytest.mark.parametrize("reason,kept", [
    ("'INC-1 plain'", "INC-1 plain"),
    (r"$'\t INC-1 blanks \n'", "INC-1 blanks"),
    (r"$'INC-1 f\xc3\xbcr alle'", "INC-1 für alle"),
    (r"$'INC-1 caf\xe9'", r"INC-1 caf\xe9"),
    (r"$'INC-1 \e[2J\e]0;x\a\u202e'", "INC-1 \x1b[2J\x1b]0;x\x07\u202e"),
    (r"$'INC-1\nsecond line'", "INC-1\nsecond line"),
    ("INC-1$(printf %0600d 0)", "INC-1" + "0" * 495 + "...(cut)"),
    (r"INC-1$(printf '\303\274%.0s' $(seq 600))", "INC-1" + "ü" * 247 + "...(cut)"),
    (r"INC-1$(printf '\377%.0s' $(seq 3000))", ("INC-1" + r"\xff" * 200)[:500] + "...(cut)"),
])
def test_reason_from_the_environment(desk, reason, kept):
    """It stands in the document as text, bounded, and no screen of an approver gets its control bytes."""
    term = run_with(desk, reason)
    rid = asked(term)
    assert reason_of(desk, rid) == kept
    shown = desk.host.run("jitctl", "show", rid).stdout
    assert not re.search(r"[^\n\x20-\x7e\u00a0-\u2000\u2190]", shown), shown
    line = re.search(r"why +(.*)", shown).group(1)
    assert line.startswith("INC-1")
    # jitctl's own check of a document: an approver can read the request.
    assert json.loads(desk.host.run("jitctl", "show", "--json", rid).stdout)["document"]["reason"] == kept
    assert left(term) == "1"


@pytest.mark.parametrize("reason", ["''", r"$' \t\n'", "because", r"$'\nx INC-1'", r"$'\xff INC-1'"])
def test_reason_that_does_not_fit(desk, reason):
    """It is asked for instead."""
    term = run_with(desk, reason)
    term.expect_exact(". Reason: ")
    term.sendline("INC-3 typed")
    assert reason_of(desk, asked(term)) == "INC-3 typed"
    assert left(term) == "1"


def test_reason_is_a_claim_of_the_callers_environment(desk):
    """A reason that sudo is told on its command line is sudo's business, not the caller's word."""
    term = desk.host.login("alice")
    term.sendline("sudo JIT_REASON=INC-4 touch /run/ticket; echo status=$?")
    term.expect_exact(". Reason: ")
    assert left(term) == "1"


def test_any_reason_will_do(desk):
    term = desk.host.login("alice")
    term.sendline("sudo touch /run/some; echo status=$?")
    term.expect_exact("a reason is required. Reason: ")
    term.sendline("because")
    assert reason_of(desk, asked(term)) == "because"
    assert left(term) == "1"


def test_no_reason_is_taken(desk):
    term = run_with(desk, "INC-5", "sudo touch /run/none")
    assert reason_of(desk, asked(term)) is None
    assert left(term) == "1"


def test_optional_is_not_asked_for(desk):
    term = run_with(desk, "'if you like'", "sudo touch /run/plain")
    assert reason_of(desk, asked(term)) == "if you like"
    assert left(term) == "1"
    desk.clear()
    term.sendline("sudo touch /run/plain; echo status=$?")
    assert reason_of(desk, asked(term)) is None
    assert left(term) == "1"


# ---- ahead ----

def ahead(desk, *words, check=True):
    return desk.host.ssh("alice", "jitctl", "request", *words, "--", "touch", "/run/ticket", check=check)


def test_ahead(desk):
    done = ahead(desk, check=False)
    assert done.returncode == 1 and done.stderr == f"jitctl: {WANTED}; give one with --reason\n"
    done = ahead(desk, "--reason", "because", check=False)
    assert done.returncode == 1 and done.stderr == f"jitctl: {UNFIT}; give one with --reason\n"
    rid = ahead(desk, "--reason", "INC-6 ahead").stdout.split()[0]
    assert reason_of(desk, rid) == "INC-6 ahead"
    assert outbox(desk).count("request-") == 1


def test_explained(desk):
    out = desk.host.run("jitctl", "explain", "--user", "alice", "--", "touch", "/run/ticket").stdout
    assert "approve by rule ticket, needs 1 of sre" in out and WANTED in out.replace("\n             ", " "), out


# ---- nobody is paged twice ----

def test_left_and_run_again_pages_nobody(desk):
    """Ctrl-C and the same again, five times: the outbox, which is all that a hub ever hears, does not change by a byte."""
    term = desk.host.login("alice")
    term.sendline("sudo touch /run/plain; echo status=$?")
    rid = asked(term)
    before, n = outbox(desk), len(requested(desk))
    assert left(term) == "1"
    for _ in range(5):
        term.sendline("sudo touch /run/plain; echo status=$?")
        term.expect(rid + ": still waiting for 1 of sre")
        term.expect("cancel " + rid)
        assert left(term) == "1"
    assert outbox(desk) == before and len(requested(desk)) == n
    assert desk.host.run("sh", "-c", f"ls /var/lib/jit/outbox | grep -c ^receipt-{rid}", check=False).stdout == "0\n"
    assert [e["event"] for e in desk.events(rid)] == ["requested"]
    desk.answer(desk.document(rid))
    term.sendline("sudo touch /run/plain; echo status=$?")
    term.expect("status=0")


def test_the_same_from_two_processes_is_one(desk):
    term = desk.host.login("alice")
    term.sendline("(sudo touch /run/plain; echo one=$?) & (sleep 1; sudo touch /run/plain; echo two=$?) & wait")
    rid = asked(term)
    before = outbox(desk)
    term.expect(rid + ": still waiting for")
    assert outbox(desk) == before
    desk.answer(desk.document(rid), verdict="deny")
    term.expect("(one|two)=1")
    term.expect("(one|two)=1")


def test_asked_ahead_and_then_run_is_one(desk):
    term = desk.host.login("alice")
    term.sendline("jitctl request touch /run/plain && sudo touch /run/plain; echo status=$?")
    term.expect(ID + r"\S* requested")
    rid = term.match.group(1)
    term.expect(rid + ": still waiting for")
    assert outbox(desk).count("request-") == 1
    assert left(term) == "1"


def test_other_words_are_another_request(desk):
    term = desk.host.login("alice")
    term.sendline("sudo touch /run/plain; echo status=$?")
    one = asked(term)
    left(term)
    term.sendline("sudo touch /run/plain2; echo status=$?")
    assert asked(term) != one
    left(term)


def test_pending_requests_of_a_user_are_bounded(desk):
    """Two may be pending: a third is refused with words that help, for this user only, and without asking for its reason."""
    host = desk.host
    host.put("/etc/jit/jitd.conf", CONF + "MaxPendingPerUser=2\n")
    host.run("systemctl", "reload", "jitd")
    try:
        term = host.login("alice")
        ids = []
        for i in (1, 2):
            term.sendline(f"sudo touch /run/plain{i}; echo status=$?")
            ids.append(asked(term))
            left(term)
        before = outbox(desk)
        words = "alice already has 2 requests pending, which is as many as may be; cancel some (jitctl list, jitctl cancel ID)"
        term.sendline("sudo touch /run/plain3; echo status=$?")
        term.expect_exact("pam-jit: " + words[:60])
        term.expect("status=1")
        term.sendline(TOUCH)
        assert term.expect([re.escape("pam-jit: " + words[:60]), "Reason: "]) == 0
        term.expect("status=1")
        done = host.ssh("alice", "jitctl", "request", "touch", "/run/plain4", check=False)
        assert done.returncode == 1 and done.stderr == f"jitctl: {words}\n"
        assert outbox(desk) == before
        # What is pending can still be joined.
        term.sendline("sudo touch /run/plain1; echo status=$?")
        term.expect(ids[0] + ": still waiting for")
        left(term)
        # Another user has their own.
        other = host.login("bob")
        other.sendline("sudo touch /run/plain5; echo status=$?")
        asked(other)
        left(other)
        # One less, one more.
        term.sendline(f"jitctl cancel {ids[1]}; sudo touch /run/plain3; echo status=$?")
        asked(term)
        left(term)
    finally:
        host.put("/etc/jit/jitd.conf", CONF)
        host.run("systemctl", "reload", "jitd")
