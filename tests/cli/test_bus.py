"""What a requester or an operator does over the bus."""
import base64
import json
import re

import pytest

from fakehub import document, stamp

MIN = 60_000_000


def request(state="pending", doc=None, **changes):
    o = {"id": "K7QF-2M9X", "state": state, "document": json.loads(doc or document()), "digest": "12" * 32, "decisions": [],
         "need": "1 of sre", "uses": [], "user": "alice", "target": "root", "service": "sudo",
         "command": "systemctl restart nginx"}
    if state == "pending":
        o.update(missing="1 of sre (bob, carol)", answer_by=123456, answer_left=4 * MIN)
    if state == "granted":
        o.update(claim_by=123456, claim_left=12 * MIN)
    if state == "running":
        o.update(deadline=123456, left=29 * MIN, real_deadline=stamp(29 * 60))
    o.update(changes)
    return o


YES = {"person": "bob", "principal": "bob@example.com", "verdict": "approve", "strength": "hw-key", "time": stamp(-10 * 86400),
       "note": "go on"}
NO = {"person": "carol", "principal": "carol", "verdict": "deny", "strength": "key", "time": stamp(-10 * 86400)}


def test_list(cli, jitd):
    jitd.answer("List", [request(), request("running", id="AAAA-0001", decisions=[YES]),
                         request("denied", id="AAAA-0002", decisions=[NO])])
    r = cli("list")
    assert r.code == 0
    assert r.out.splitlines() == [
        "ID         STATE    WHO           COMMAND                  ASKED      NOW",
        "K7QF-2M9X  pending  alice → root  systemctl restart nginx  2 min ago  1 of sre (bob, carol) to answer in 4 min",
        "AAAA-0001  running  alice → root  systemctl restart nginx  2 min ago  ends in 29 min",
        "AAAA-0002  denied   alice → root  systemctl restart nginx  2 min ago  by carol",
    ]
    assert jitd.call() == ["List", "false"]
    cli("list", "--all")
    assert jitd.call() == ["List", "true"]


def test_list_narrow(cli, jitd):
    jitd.answer("List", [request(doc=document(argv=["sh", "-c", "x" * 500]))])
    for width in (24, 40, 60, 80, 132):
        lines = cli("list", COLUMNS=str(width)).out.splitlines()
        assert len(lines) == 2 and "K7QF-2M9X" in lines[1]
        assert all(len(line) <= max(width, 33) for line in lines), (width, lines)
    assert "..." in cli("list", COLUMNS="80").out


def test_list_empty(cli, jitd):
    jitd.answer("List", [])
    assert cli("list").out == "No requests of yours.\n"
    assert cli("list", "--json").out == "[]\n"


def test_json_is_what_jitd_said(cli, jitd):
    said = [request(decisions=[YES])]
    jitd.answer("List", said)
    assert cli("list", "--json").json() == said
    assert cli("--json", "list").json() == said
    jitd.answer("Show", said[0])
    assert cli("show", "K7QF-2M9X", "-j").json() == said[0]


def test_show(cli, jitd):
    jitd.answer("Show", request("running", decisions=[YES], uses=[{"pid": 77, "tty": "pts/3", "open": True}]))
    r = cli("show", "k7qf2m9x")
    assert jitd.call() == ["Show", "K7QF-2M9X"]
    assert r.code == 0
    for line in ("K7QF-2M9X is running: ends in 29 min", "who        alice (uid 1000) on pts/3 from 10.0.0.7",
                 "what       systemctl restart nginx", "sudo says  /usr/bin/systemctl restart nginx", "as         root, by sudo",
                 "where      web1, in /home/alice", "why        INC-17 nginx hangs", "for        30 min",
                 "need       1 of sre", "sre: bob, carol", "host       load 0.42", "context    failed-units: 0",
                 'answers    bob (bob@example.com) approved 10 d ago, with hw-key: "go on"', "uses       process 77 on pts/3",
                 "digest     " + "12" * 32):
        assert line in r.out, (line, r.out)


def test_show_marks(cli, jitd):
    jitd.answer("Show", request(doc=document(marks=["target-unknown", "odd\x1b[2J"], target="unknown")))
    r = cli.terminal("show", "K7QF-2M9X")
    assert "\x1b[1;31mTARGET UNKNOWN" in r.out
    assert 'marked "odd\\x1b[2J"' in r.out
    assert "\x1b[2J" not in r.out


EVIL = {
    "newline": "a\nK7QF-2M9X granted",
    "escape": "\x1b]0;title\x07\x1b[2J",
    "bidi": "rm \u202e/ fr-",
    "zero width": "a\u200bb\u2066c",
    "c1": "\x9b2J",
    "carriage return": "harmless\rrm -rf /",
}


@pytest.mark.parametrize("evil", EVIL.values(), ids=EVIL.keys())
@pytest.mark.parametrize("field", ["reason", "tty", "remote", "user", "target", "cwd", "command", "binary", "rule", "need"])
def test_escapes(cli, jitd, evil, field):
    doc = document(**{field: evil})
    jitd.answer("List", [request(doc=doc, missing=evil, command=evil, outcome=evil)])
    jitd.answer("Show", request(doc=doc, missing=evil, outcome=evil, decisions=[{**YES, "note": evil, "person": evil}]))
    for words in (["list"], ["show", "K7QF-2M9X"], ["wait", "K7QF-2M9X", "--timeout", "0"]):
        for args in (words, [*words, "--json"]):
            r = cli(*args)
            assert r.code == (7 if "wait" in args else 0)
            for c in r.out + r.err:
                assert c == "\n" or (ord(c) >= 0x20 and ord(c) != 0x7f and not 0x80 <= ord(c) < 0xa0), repr(c)
                assert c not in "\u202e\u200b\u2066", repr(c)


def test_argv(cli, jitd):
    argv = ["sh", "-c", "echo a\nb", {"base64": base64.b64encode(b"\xff\xfe\x1b").decode()}, "with 'quote' and $x", ""]
    jitd.answer("Show", request(doc=document(argv=argv, command=None)))
    out = cli("show", "K7QF-2M9X").out
    what = next(line for line in out.splitlines() if line.startswith("  what"))
    assert "echo a\\nb" in what and "\\xff\\xfe\\x1b" in what
    assert "\x1b" not in out


def test_long_argument(cli, jitd):
    jitd.answer("Show", request(doc=document(argv=["x", "y" * 30000], command=None)))
    out = cli("show", "K7QF-2M9X").out
    assert re.search(r"y\.\.\.\(\+2\d{4} bytes\)", out)
    assert max(map(len, out.splitlines())) < 2100


def test_wrap_on_terminal(cli, jitd):
    jitd.answer("Show", request(doc=document(reason="word " * 60)))
    out = cli.terminal("show", "K7QF-2M9X", columns=60).out
    plain = re.sub(r"\x1b\[[0-9;]*m", "", out)
    assert max(map(len, plain.splitlines()[1:])) <= 60
    assert re.search(r"^ {13}word word", plain, re.M)


def test_colours(cli, jitd):
    jitd.answer("List", [request()])
    assert "\x1b[" in cli.terminal("list").out
    assert "\x1b[" not in cli.terminal("list", NO_COLOR="1").out
    assert "\x1b[" not in cli.terminal("list", TERM="dumb").out
    assert "\x1b[" not in cli("list").out
    assert "->" in cli("list", LC_ALL="C").out


@pytest.mark.parametrize("name,code", [("NotFound", 5), ("NotPermitted", 1), ("Refused", 1), ("Misconfigured", 6), ("Misused", 2),
                                       ("Busy", 1), ("Failed", 1)])
def test_errors(cli, jitd, name, code):
    jitd.refuse("Show", name, "no such thing \x1b[2J")
    r = cli("show", "K7QF-2M9X")
    assert (r.code, r.out) == (code, "")
    assert r.err == "jitctl: no such thing \\x1b[2J\n"
    r = cli("show", "K7QF-2M9X", "--json")
    assert r.code == code and json.loads(r.err)["error"]["message"].startswith("no such thing")


def test_unreachable(cli, bus):
    for words in (["list"], ["show", "K7QF-2M9X"], ["request", "ls"], ["cancel", "K7QF-2M9X"], ["status"]):
        r = cli(*words)
        assert r.code == 4, r
        assert "jitd cannot be reached" in r.err


def test_no_bus(cli):
    r = cli("list")
    assert r.code == 4 and "cannot connect to the system bus" in r.err


@pytest.mark.parametrize("text", ["", "[", "[1,2", "{}", "null", "[[]]", "[" * 5000, '[{"id":1,"state":[]}]', '[{"document":7}]',
                                  '[{"id":"K7QF-2M9X","state":"pending","document":{"argv":[{"base64":"%%"}],"user":{}}}]'])
def test_garbage(cli, jitd, text):
    jitd.answer("List", text)
    assert cli("list").code in (0, 4)
    jitd.answer("Show", text.strip("[]") or "x")
    assert cli("show", "K7QF-2M9X").code in (0, 4)
    assert cli("wait", "K7QF-2M9X", "--timeout", "1s").code in (4, 7)


def test_usage(cli):
    for words in ([], ["nonsense"], ["show"], ["show", "x"], ["show", "K7QF-2M9X", "more"], ["list", "x"], ["list", "--nonsense"],
                  ["wait", "K7QF-2M9X", "--timeout"], ["wait", "K7QF-2M9X", "--timeout", "soon"], ["audit", "nonsense"],
                  ["pam"], ["pam", "enable"], ["pam", "disable"], ["request"],
                  ["config"], ["--nonsense"], ["help", "nonsense"], ["revoke"]):
        r = cli(*words)
        assert r.code == 2, (words, r)
        assert r.err.startswith("jitctl: ") and r.out == "", (words, r)


def test_request(cli, jitd):
    jitd.answer("Request", "K7QF-2M9X")
    jitd.answer("Show", request())
    r = cli("request", "-u", "postgres", "--reason", "why\nnot", "--for", "1h 30min", "--", "psql", "-c", "select 1")
    assert r.code == 0
    assert r.out == "K7QF-2M9X requested, needs 1 of sre; jitctl wait K7QF-2M9X tells when it is answered\n"
    method, text = jitd.call()
    asked = json.loads(text)
    assert asked.pop("cwd")
    assert method == "Request" and asked == {"service": "sudo", "target": "postgres", "argv": ["psql", "-c", "select 1"],
                                             "reason": "why\nnot", "for": 5400_000_000}


def test_request_keeps_the_commands_options(cli, jitd):
    jitd.answer("Request", "K7QF-2M9X")
    jitd.answer("Show", request())
    cli("request", "ls", "-u", "--json", "--")
    assert json.loads(jitd.call()[1])["argv"] == ["ls", "-u", "--json", "--"]


def test_request_bytes(cli, jitd):
    jitd.answer("Request", "K7QF-2M9X")
    jitd.answer("Show", request())
    cli("request", "printf", b"\xff\n", "ü")
    argv = json.loads(jitd.call()[1])["argv"]
    assert argv == ["printf", {"base64": base64.b64encode(b"\xff\n").decode()}, "ü"]


def test_request_json(cli, jitd):
    jitd.answer("Request", "K7QF-2M9X")
    jitd.answer("Show", request())
    assert cli("request", "--json", "ls").json()["id"] == "K7QF-2M9X"


def test_request_wait(cli, jitd):
    jitd.answer("Request", "K7QF-2M9X")
    jitd.answer("Show", request())
    p = cli.start("request", "--wait", "ls")
    assert [jitd.call()[0] for _ in range(3)] == ["Request", "Show", "Show"]
    jitd.answer("Show", request("granted", decisions=[YES]))
    jitd.emit("K7QF-2M9X", "granted")
    out, err = p.communicate(timeout=20)
    assert (p.returncode, err) == (0, "")
    assert out.splitlines()[-1] == "K7QF-2M9X granted, approved by bob: use it in 12 min" or "approved by bob" in out


@pytest.mark.parametrize("state,outcome,code", [("granted", None, 0), ("running", None, 0), ("denied", "denied by carol", 1),
                                                ("expired", "nobody answered", 3), ("withdrawn", "withdrawn by alice", 1),
                                                ("ended", "its time is up", 3), ("ended", "done", 0),
                                                ("ended", "revoked by root", 1)])
def test_wait(cli, jitd, state, outcome, code):
    jitd.answer("Show", request())
    p = cli.start("wait", "K7QF-2M9X", "--json")
    assert jitd.call() == ["Show", "K7QF-2M9X"]
    jitd.emit("AAAA-0001", state)  # another's
    jitd.answer("Show", request(state, outcome=outcome))
    jitd.emit("K7QF-2M9X", state)
    out, err = p.communicate(timeout=8)  # well before it would look again by itself
    assert (p.returncode, err) == (code, "")
    assert json.loads(out)["state"] == state


def test_wait_gives_up(cli, jitd):
    jitd.answer("Show", request())
    r = cli("wait", "K7QF-2M9X", "--timeout", "1s")
    assert r.code == 7 and "still pending" in r.err


def test_wait_over_a_restart(cli, jitd):
    jitd.answer("Show", request())
    p = cli.start("wait", "K7QF-2M9X")
    jitd.call()
    jitd.stop()
    jitd.answer("Show", request("denied", decisions=[NO]))
    jitd.start()
    out, _ = p.communicate(timeout=25)
    assert p.returncode == 1 and "denied: by carol" in out


def test_cancel_revoke(cli, jitd):
    assert cli("cancel", "K7QF-2M9X").out == "K7QF-2M9X withdrawn\n"
    assert jitd.call() == ["Cancel", "K7QF-2M9X"]
    assert cli("revoke", "K7QF-2M9X", "--note", "enough").out == "K7QF-2M9X revoked\n"
    assert jitd.call() == ["Revoke", "K7QF-2M9X", "enough"]
    assert cli("revoke", "K7QF-2M9X", "--json").json() == {"id": "K7QF-2M9X", "result": "revoked"}
    assert jitd.call() == ["Revoke", "K7QF-2M9X", ""]


STATUS = {"version": "0.1.0", "pid": 42, "since": stamp(-10 * 86400), "host": "web1", "pending": 1, "grants": 2, "systemd": "connected",
          "rules": {"state": "in force", "digest": "ab" * 32, "loaded": stamp(-10 * 86400), "count": 3, "errors": []},
          "ledger": {"seq": 214, "head": "cd" * 32, "state": "whole"}}


def test_status(cli, jitd, tmp_path):
    jitd.answer("Status", STATUS)
    courier = tmp_path / "status.json"
    courier.write_text(json.dumps({"hub": "https://hub:8443", "state": "reachable", "since": stamp(-7200), "pending": 0,
                                   "last_delivery": stamp(-120)}))
    r = cli("status", "--courier", str(courier))
    assert r.code == 0
    assert re.search(r"jitd +running since .*\(10 d ago\), version 0.1.0, pid 42", r.out)
    assert re.search(r"rules +3 in force", r.out)
    assert re.search(r"requests +1 pending, 2 granted", r.out)
    assert re.search(r"ledger +whole when jitd started, 214 records, head cdcdcdcdcdcdcdcd\n", r.out)
    assert re.search(r"hub +reachable since .*\(2 h ago\): https://hub:8443", r.out)
    assert re.search(r"delivered .*\(2 min ago\)", r.out)
    assert cli("status", "--json", "--courier", str(courier)).json()["jitd"] == STATUS


def test_status_troubles(cli, jitd, tmp_path):
    bad = dict(STATUS, rules={"state": "none", "errors": ["/etc/jit/rules.d/a.conf:3: unknown key 'X'"]},
               ledger={"seq": 1, "head": "00", "state": "0000000000000001.jsonl:2: prev is not the digest"})
    jitd.answer("Status", bad)
    courier = tmp_path / "status.json"
    courier.write_text(json.dumps({"hub": "https://hub", "state": "unreachable", "since": stamp(-60), "error": "refused\x1b[1m",
                                   "pending": 3}))
    out = cli("status", "--courier", str(courier)).out
    for words in ("none in force", "a.conf:3: unknown key", "BROKEN", "unreachable since", "refused\\x1b[1m", "3 still to be"):
        assert words in out
    courier.write_text("{")
    assert cli("status", "--courier", str(courier)).code == 0
    assert "not running, or not enrolled" in cli("status", "--courier", str(tmp_path / "none")).out


def test_status_of_a_full_disk(cli, jitd, tmp_path):
    """The chain is whole, and nothing can be added to it."""
    jitd.answer("Status", dict(STATUS, ledger=dict(STATUS["ledger"], failed="write: No space left on device\x1b[1m")))
    out = cli("status", "--courier", str(tmp_path / "none")).out
    assert re.search(r"ledger +whole when jitd started, .*\n +the last record could not be written, and what needs one is refused:"
                     r"\s+write: No\s+space\s+left\s+on\s+device\\x1b\[1m", out), out


def test_explain(cli, jitd):
    jitd.answer("Explain", {"decision": "approve", "rule": "web", "need": "1 of sre",
                            "passed_over": [{"rule": "db", "why": "user is alice, not bob"}]})
    r = cli("explain", "--user", "alice", "--", "ls", "-l")
    assert r.out == "approve by rule web, needs 1 of sre\n             db does not match: user is alice, not bob\n"
    asked = json.loads(jitd.call()[1])
    assert asked["argv"] == ["ls", "-l"] and asked["binary"].endswith("/ls") and asked["user"] == "alice"
    cli("explain", "--groups", "ops,dba", "ls")
    assert json.loads(jitd.call()[1])["groups"] == ["ops", "dba"]
    r = cli("explain", "--user", "nosuchuser", "ls")
    assert "groups" not in json.loads(jitd.call()[1])
    assert r.code == 0 and "there is no user nosuchuser here" in r.err and "approve by rule web" in r.out
    assert "never asked" in cli("explain", "--user", "root", "ls").err
    assert "never asked" in cli("explain", "--user", "root", "--service", "su").err
    assert cli("explain", "--user", "root", "--service", "sshd").err == ""
    assert cli("explain", "--user", "nosuchuser", "--groups", "a", "ls").err == ""


def test_completion(cli, jitd):
    jitd.answer("List", [request()])
    assert cli("complete", "sh").out == "show\n"
    assert "verify\n" in cli("complete", "audit", "").out
    assert cli("complete", "approve", "--sc").out == "--scope\n"
    assert cli("complete", "approve", "--scope", "s").out == "session\nservice\n"
    assert cli("complete", "show", "K").out == "K7QF-2M9X\n"
    assert cli("complete", "pam", "enable", "su").out == "sudo\nsudo-i\nsu\nsu-l\n"
    assert cli("complete").code == 0 and cli("complete", "nonsense", "--x", "").code == 0


def test_explain_a_request_of_ones_own(cli, jitd):
    now = {"decision": "deny", "rule": "night", "passed_over": []}
    jitd.answer("Explain", {"request": request(), "now": now, "reloaded": True})
    r = cli("explain", "K7QF-2M9X")
    assert r.code == 0 and "By the rules of now, which have been read again since:\ndeny by rule night\n" in r.out, r
    assert json.loads(jitd.call()[1]) == {"id": "K7QF-2M9X"}
    jitd.answer("Explain", {"now": now})
    assert cli("explain", "K7QF-2M9X").code == 1


TELL = "K7QF-2M9X: tell whoever approves this code: 417\n"


def test_code_is_told_to_the_requester(cli, jitd):
    jitd.answer("Request", "K7QF-2M9X")
    jitd.answer("Show", request(code="417", doc=document(match=True)))
    r = cli("request", "true")
    assert r.code == 0 and r.out.endswith(TELL), r
    assert cli("request", "--json", "true").json()["code"] == "417"
    out = cli("show", "K7QF-2M9X").out
    assert re.search(r"code +417: tell it whoever approves", out) and "the three digits" in out
    assert cli("show", "--json", "K7QF-2M9X").json()["code"] == "417"
    r = cli("wait", "--timeout", "1s", "K7QF-2M9X")
    assert r.code == 7 and r.out == TELL, r
    r = cli("wait", "--json", "--timeout", "1s", "K7QF-2M9X")
    assert r.code == 7 and r.out == "" and TELL.strip() in json.loads(r.err.splitlines()[0])["warning"]["message"]


def test_code_is_told_once_in_a_wait(cli, jitd):
    jitd.answer("Request", "K7QF-2M9X")
    jitd.answer("Show", request(code="417"))
    p = cli.start("request", "--wait", "true")
    while jitd.call()[0] != "Show":
        pass
    assert "requested" in p.stdout.readline()
    assert p.stdout.readline() == TELL
    jitd.answer("Show", request("granted", code=None))
    jitd.emit("K7QF-2M9X", "granted")
    out, _ = p.communicate(timeout=20)
    assert p.returncode == 0 and "417" not in out


def test_no_code_no_word(cli, jitd):
    jitd.answer("Request", "K7QF-2M9X")
    jitd.answer("Show", request())
    for words in (["request", "true"], ["show", "K7QF-2M9X"], ["wait", "--timeout", "1s", "K7QF-2M9X"]):
        assert "code" not in cli(*words).out
