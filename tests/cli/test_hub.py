"""What an approver does, against a hub that may lie."""
import http.server
import json
import os
import re
import threading

import pytest

import fakehub
from fakehub import digest, document, stamp, verify

ID = "K7QF-2M9X"


def yes(cli, text, verb="approve", *words, **env):
    return cli(verb, ID, "--yes", "--digest", digest(text), *words, **env)


def test_inbox(cli, hub):
    hub.add()
    hub.add(document(id="AAAA-0001", user="eve", reason=None), decisions=[{"approver": "carol", "verdict": "approve",
                                                                           "time": stamp(-60)}])
    hub.add(document(id="AAAA-0002"), state="settled")
    r = cli("inbox")
    assert r.code == 0, r
    assert [line.rstrip() for line in r.out.splitlines()] == [
        "ID         HOST  WHO           COMMAND                  REASON              ASKED      ANSWER BY  ANSWERS",
        "K7QF-2M9X  web1  alice → root  systemctl restart nginx  INC-17 nginx hangs  2 min ago  in 4 min",
        "AAAA-0001  web1  eve → root    systemctl restart nginx                      2 min ago  in 4 min   carol: approve",
    ]
    assert [o["id"] for o in cli("inbox", "--json").json()] == [ID, "AAAA-0001"]
    assert hub.logins == 1  # the token is kept


def test_inbox_alarms(cli, hub):
    """What deserves a look has a column, and takes none where nothing does."""
    hub.add()
    hub.add(document(id="AAAA-0001", marks=["script", "writable", "odd\x1b[2J"], context={"package": {"state": "changed"}},
                     checks=[{"check": "load<8", "holds": False}, {"check": "up>1h", "holds": True}, 7]))
    out = cli("inbox").out.splitlines()
    assert "  LOOK AT  " in out[0]
    assert "  writable, marked, file changed, 2 checks fail  " in out[2] and "script" not in out[2]


def test_what_a_wide_scope_covers_is_shown(cli, hub):
    hub.add(document(id="AAAA-0001", scope="service", covers=[]))
    hub.add(document(id="AAAA-0002", scope="service", covers=["/usr/bin/psql *", "/usr/bin/\x1b[2Jx"], covers_more=3))
    out = cli("inbox").out
    assert "any command" in out.splitlines()[1] and "any command" not in out.splitlines()[2]
    shown = cli("approve", "AAAA-0001").out
    assert "ANY COMMAND, not only this one" in shown
    shown = cli("approve", "AAAA-0002").out
    assert "covers     /usr/bin/psql *" in shown and "\\x1b[2Jx" in shown and "and 3 more" in shown
    hub.add(document(id="AAAA-0003", scope="service", covers=[7]))
    assert cli("approve", "AAAA-0003").code == 8


def test_inbox_empty(cli, hub):
    assert cli("inbox").out == "Nothing waits for bob.\n"
    assert cli("inbox", "--wait", "--timeout", "1s").code == 7


def test_inbox_all_tells_what_became_of_it(cli, hub):
    hub.add(state="settled", receipts=[hub.receipt("granted"), hub.receipt("applied")])
    hub.add(document(id="AAAA-0001"), state="settled",
            receipts=[hub.receipt("applied", request="AAAA-0001", key=fakehub.keygen(hub.dir / "other"))])
    out = cli("inbox", "--all").out
    assert re.search(r"K7QF-2M9X .* applied", out) and re.search(r"AAAA-0001 .* unverified: applied", out)


def test_inbox_lies(cli, hub):
    hub.add(document(), id="AAAA-0001")
    hub.add(document(), host="web2")
    hub.add(document(v=2))
    hub.requests.append({"id": "x\x1b[2J", "host": None, "n": 9, "state": "pending"})
    r = cli("inbox")
    assert r.code == 0 and r.out.count("unreadable") == 4 and "\x1b" not in r.out
    assert all("unreadable" in o for o in cli("inbox", "--json").json())


@pytest.mark.parametrize("evil", ["a\nb", "\x1b]0;t\x07", "\u202e", "\x9b2J", "\r", "x" * 5000])
def test_inbox_escapes(cli, hub, evil):
    hub.add(document(reason=evil, user="u" + evil, target="t" + evil, argv=["x", evil], tty=evil))
    for words in (["inbox"], ["inbox", "--json"]):
        out = cli(*words).out
        assert all(c == "\n" or c == "→" or 0x20 <= ord(c) < 0x7f for c in out)
        assert "--json" in words or max(map(len, out.splitlines())) < 1000


def test_approve_on_a_terminal(cli, hub):
    text = hub.add(document(marks=["script"]), decisions=[{"approver": "carol", "verdict": "approve", "time": stamp(-300)}])
    hub.after_post = [("received", ""), ("granted", "by bob and carol"), ("applied", "")]
    r = cli.terminal("approve", ID, "--note", "go on", "--for", "10min", say=[("type yes: ", "yes\n")], NO_COLOR="1")
    assert r.code == 0, r
    kind, body = hub.posted[0]
    decision = body["envelope"]["document"]
    # The very bytes of both stand on the screen.
    assert text in r.out and decision in r.out
    said = json.loads(decision)
    time = said.pop("time")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", time)
    assert kind == "decisions" and body["host"] == "web1" and body["envelope"]["type"] == "decision"
    assert said == {"v": 1, "request": ID, "digest": digest(text), "host": "web1", "verdict": "approve", "approver": "bob",
                    "for": 600, "note": "go on"}
    assert verify(hub.dir, hub.bob, "bob", "decision@pam-jit", decision, body["envelope"]["signature"])
    for words in ("alice (uid 1000)", "systemctl restart nginx", "INC-17 nginx hangs", "1 of sre", "sre: bob, carol",
                  "carol: approve, 5 min ago", "SCRIPT: ", digest(text), "in 4 min", "load 0.42", "taken by web1",
                  "granted on web1: by bob and carol", "applied on web1: command running", "first seen"):
        assert words in r.out.replace("\n             ", " "), words


@pytest.mark.parametrize("word", ["y", "no", "", "YES", "yes please"])
def test_only_yes_is_yes(cli, hub, word):
    hub.add()
    r = cli.terminal("approve", ID, say=[("type yes: ", word + "\n")])
    assert r.code == 1 and "nothing was sent" in r.out and not hub.posted


def test_no_terminal_no_question(cli, hub):
    text = hub.add()
    r = cli("approve", ID)
    assert r.code == 2 and not hub.posted and digest(text) in r.err


def test_yes_needs_the_digest(cli, hub):
    text = hub.add()
    assert cli("approve", ID, "--yes").code == 2
    assert cli("approve", ID, "--yes", "--digest", digest(text)[:15]).code == 2
    assert cli("approve", ID, "--yes", "--digest", "x" * 64).code == 2
    assert cli("approve", ID, "--json").code == 2
    assert cli("approve", ID, "--yes", "--digest", "0" * 16).code == 8
    assert not hub.posted
    assert cli("approve", ID, "--yes", "--digest", digest(text)[:16].upper(), "--no-wait").code == 0
    assert len(hub.posted) == 1


def test_hub_swaps_the_request(cli, hub):
    """bob read one request; the hub gives another under the same id."""
    text = document()
    hub.add(document(argv=["bash"], command="/bin/bash"))
    r = yes(cli, text)
    assert r.code == 8 and not hub.posted and "digest" in r.err


LIES = {
    "other id": lambda hub: hub.add(document(id="AAAA-0001"), id=ID),
    "other host": lambda hub: hub.add(document(host="web2"), host="web1"),
    "no envelope": lambda hub: hub.add(envelope=None),
    "not a request": lambda hub: hub.add(envelope=hub.receipt("granted")),
    "not json": lambda hub: hub.add(envelope={"v": 1, "type": "request", "document": "{"}),
    "trailing": lambda hub: hub.add(envelope={"v": 1, "type": "request", "document": document() + "{}"}),
    "doubled key": lambda hub: hub.add(envelope={"v": 1, "type": "request",
                                                 "document": document()[:-1] + ',"user":"mallory"}'}),
    "version": lambda hub: hub.add(document(v=2)),
    "no nonce": lambda hub: hub.add(document(nonce=None)),
    "argv of numbers": lambda hub: hub.add(document(argv=[1, 2])),
    "no marks": lambda hub: hub.add(document(marks=None)),
    "nobody needed": lambda hub: hub.add(document(need="0 of sre")),
    "bad scope": lambda hub: hub.add(document(scope="world")),
    "for ever": lambda hub: hub.add(document(**{"for": 2 ** 40})),
    "no time": lambda hub: hub.add(document(answer_by="tomorrow")),
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES.keys())
def test_lies(cli, hub, lie):
    lie(hub)
    r = cli("approve", ID, "--yes", "--digest", "0" * 16)
    assert r.code == 8 and "cannot be trusted" in r.err and not hub.posted, r


def test_hub_gives_another_request(cli, hub):
    other = document(id="AAAA-0001")
    hub.add(other)
    hub.override["GET", f"/v1/requests/{ID}"] = (200, hub.requests[0])
    r = cli("approve", ID, "--yes", "--digest", digest(other))
    assert r.code == 8 and "instead of" in r.err and not hub.posted
    hub.override["GET", f"/v1/requests/{ID}"] = (200, [])
    assert yes(cli, other).code == 4


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"requests":7}', b"[" * 10000, b'{"a":"\\ud800"}'])
def test_garbage(cli, hub, body):
    hub.add()
    hub.override["GET", "/v1/requests"] = (200, body)
    hub.override["GET", f"/v1/requests/{ID}"] = (200, body)
    assert cli("inbox").code == 4
    assert cli("approve", ID, "--yes", "--digest", "0" * 16).code in (4, 8)
    assert not hub.posted


def test_huge(cli, hub):
    hub.override["GET", "/v1/requests"] = (200, b'{"requests":[' + b'"x",' * (5 * 1024 * 1024) + b'"x"]}')
    r = cli("inbox")
    assert r.code == 4 and "16 MiB" in r.err


def test_hub_errors(cli, hub):
    for status, code in ((403, 1), (404, 5), (409, 1), (429, 1), (500, 4), (503, 4), (302, 4)):
        hub.override["GET", "/v1/requests"] = (status, {"error": {"code": "x", "message": "words \x1b[2J"}})
        r = cli("inbox")
        assert r.code == code and "\x1b" not in r.err, (status, r)
        hub.override["GET", "/v1/requests"] = (status, b"<html>")
        assert cli("inbox").code == code


def test_gone_hub(cli, hub):
    hub.close()
    r = cli("inbox")
    assert r.code == 4 and "cannot be reached" in r.err


def test_login(cli, hub):
    assert cli("inbox").code == 0
    token = next((cli.run_dir / "pam-jit").iterdir())
    assert token.stat().st_mode & 0o777 == 0o600 and (cli.run_dir / "pam-jit").stat().st_mode & 0o777 == 0o700
    cli("inbox")
    assert hub.logins == 1
    hub.token = "another"  # the hub forgot it
    assert cli("inbox").code == 0 and hub.logins == 2
    kept = json.loads(token.read_text())
    kept["expires"] = stamp(-5)
    token.write_text(json.dumps(kept))
    cli("inbox")
    assert hub.logins == 3
    # A directory that others can enter is not used.
    (cli.run_dir / "pam-jit").chmod(0o755)
    cli("inbox")
    cli("inbox")
    assert hub.logins == 5


def test_login_refused(cli, hub):
    conf = cli.home / ".config/jit/jitctl.conf"
    conf.write_text(conf.read_text().replace(str(hub.bob), str(fakehub.keygen(hub.dir / "stranger"))))
    r = cli("inbox")
    assert r.code == 1 and "does not verify" in r.err
    # The hub that answers 401 for ever is asked twice, not for ever.
    conf.write_text(conf.read_text().replace(str(hub.dir / "stranger"), str(hub.bob)))
    hub.override["GET", "/v1/requests"] = (401, {})
    assert cli("inbox").code == 1 and hub.logins == 2


@pytest.mark.parametrize("challenge", ["", "x", "a b" * 20, "y" * 600, "\x1b" * 32, None, 7])
def test_challenge_that_is_none(cli, hub, challenge):
    hub.override["POST", "/v1/login/challenge"] = (200, {"challenge": challenge})
    r = cli("inbox")
    assert r.code == 4 and ("POST", "/v1/login") not in hub.seen


def test_login_signs_in_its_own_namespace(cli, hub):
    """A challenge that looks like a decision is no decision."""
    text = json.dumps({"v": 1, "request": ID, "verdict": "approve"}, separators=(",", ":"))
    seen = []
    hub.override["POST", "/v1/login/challenge"] = (200, {"challenge": text})
    hub.override["POST", "/v1/login"] = lambda q, body: (seen.append(json.loads(body)), (403, {}))[1]
    assert cli("inbox").code == 1
    assert not verify(hub.dir, hub.bob, "bob", "decision@pam-jit", text, seen[0]["signature"])
    assert verify(hub.dir, hub.bob, "bob", "login@pam-jit", text, seen[0]["signature"])


def test_narrow_only(cli, hub):
    text = hub.add()
    for words in (["--for", "31min"], ["--scope", "session"], ["--scope", "service"], ["--scope", "x"], ["--for", "soon"],
                  ["--for", "0"], ["--note", b"\xff"], ["--host", "../x"], ["--timeout", "soon"]):
        assert yes(cli, text, "approve", *words).code == 2, words
    assert not hub.posted
    hub.requests.clear()
    text = hub.add(document(scope="service"))
    assert yes(cli, text, "approve", "--scope", "command", "--no-wait").code == 0
    assert json.loads(hub.posted[0][1]["envelope"]["document"])["scope"] == "command"


def test_deny(cli, hub):
    text = hub.add()
    hub.after_post = [("denied", "by bob: no", "bob")]
    r = yes(cli, text, "deny", "--note", "no")
    assert r.code == 0 and "denied on web1: by bob: no" in r.out
    said = json.loads(hub.posted[0][1]["envelope"]["document"])
    assert said["verdict"] == "deny" and said["note"] == "no" and "for" not in said


def test_revoke_at_hub(cli, hub):
    text = hub.add(state="settled")
    hub.after_post = [("revoked", "by bob")]
    r = cli("revoke", "--at-hub", ID, "--yes", "--digest", digest(text), "--note", "enough")
    assert r.code == 0, r
    kind, body = hub.posted[0]
    said = json.loads(body["envelope"]["document"])
    assert kind == "revocations" and body["envelope"]["type"] == "revoke" and said["verdict"] == "revoke"
    assert verify(hub.dir, hub.bob, "bob", "decision@pam-jit", body["envelope"]["document"], body["envelope"]["signature"])


OUTCOMES = [
    ([("refused", "the requester cannot approve", "bob")], 1, "refused by web1: the requester cannot approve"),
    ([("refused", "not listed", "carol"), ("granted", ""), ("applied", "")], 0, "applied on web1"),
    ([("granted", ""), ("applied", "")], 0, "applied on web1: command running"),
    ([("denied", "by carol")], 1, "denied on web1: by carol"),
    ([("expired", "")], 3, "expired on web1"),
    ([("unclaimed", "")], 3, "never used on web1"),
    ([("withdrawn", "by alice")], 1, "withdrawn on web1: by alice"),
    ([("received", "one more is needed")], 0, "others must still answer"),
    ([], 7, ""),
]


@pytest.mark.parametrize("receipts,code,words", OUTCOMES)
def test_outcomes(cli, hub, receipts, code, words):
    text = hub.add()
    hub.after_post = receipts
    r = yes(cli, text, "approve", "--timeout", "2s")
    assert r.code == code and words in r.out, r
    if code == 7:
        assert "no verified receipt" in r.err


def test_receipts_that_overtook_each_other(cli, hub):
    text = hub.add()
    taken = hub.receipt("received")
    hub.after_post = [hub.receipt("granted"), taken, hub.receipt("applied")]
    out = yes(cli, text).out
    assert out.index("taken by") < out.index("granted on") < out.index("applied on")


def test_json(cli, hub):
    text = hub.add()
    hub.after_post = [("granted", ""), ("applied", "")]
    r = yes(cli, text, "approve", "--json")
    first, granted, applied = r.lines()
    assert r.code == 0 and first == {"id": ID, "host": "web1", "verdict": "approve", "digest": digest(text), "state": "queued"}
    assert granted["verified"] and applied["receipt"]["event"] == "applied"


def test_old_receipts_do_not_count(cli, hub):
    text = hub.add()
    hub.put_receipt("applied", "")
    r = yes(cli, text, "approve", "--timeout", "1s")
    assert r.code == 7 and "applied" not in r.out


def forged(hub, what):
    other = hub.dir / "mallory"
    if not other.exists():
        fakehub.keygen(other)
    if what == "unknown key":
        return hub.receipt("applied", key=other)
    if what == "altered":
        e = hub.receipt("refused")
        return {**e, "document": e["document"].replace("refused", "applied")}
    if what == "other namespace":
        e = hub.receipt("applied")
        return {**e, "signature": fakehub.sign(hub.host_key, "decision@pam-jit", e["document"])}
    if what == "no signature":
        return {k: v for k, v in hub.receipt("applied").items() if k != "signature"}
    if what == "other host":
        return hub.receipt("applied", host="web2")
    if what == "other request":
        return hub.receipt("applied", request="AAAA-0001")
    if what == "garbage signature":
        return {**hub.receipt("applied"), "signature": "\x1b[2J"}
    return what


@pytest.mark.parametrize("what", ["unknown key", "altered", "other namespace", "no signature", "other host", "other request",
                                  "garbage signature", {}, {"v": 1}, 7, None])
def test_forged_receipts(cli, hub, what):
    """A receipt that does not verify is shown as such or not at all, and settles nothing."""
    text = hub.add()
    hub.after_post = [forged(hub, what)]
    r = yes(cli, text, "approve", "--timeout", "1s")
    assert r.code == 7, r
    assert "\x1b" not in r.out + r.err
    for line in r.out.splitlines():
        assert "applied on" not in line or line.startswith("unverified"), line


def test_first_seen_then_known(cli, hub):
    text = hub.add()
    hub.after_post = [("applied", "")]
    r = yes(cli, text)
    assert r.code == 0 and "first seen" in r.err
    pinned = (cli.home / ".config/jit/hosts").read_text()
    assert pinned == f'web1 namespaces="receipt@pam-jit" {fakehub.public(hub.host_key)}\n'
    r = yes(cli, text)
    assert r.code == 0 and r.err == "" and (cli.home / ".config/jit/hosts").read_text() == pinned


def test_changed_key(cli, hub):
    text = hub.add()
    hub.after_post = [("applied", "")]
    assert yes(cli, text).code == 0
    hub.host_key = fakehub.keygen(hub.dir / "new")
    hub.hosts[0]["key"] = fakehub.public(hub.host_key)
    r = yes(cli, text, "approve", "--timeout", "1s")
    assert r.code == 7 and "THE KEY OF web1 HAS CHANGED" in r.err
    assert re.search(r"unverified \(the key of web1 has changed\): applied on web1", r.out)


def test_broken_hosts_file_is_no_reason_to_trust(cli, hub):
    text = hub.add()
    (cli.home / ".config/jit/hosts").write_text("nonsense\n")
    hub.after_post = [("applied", "")]
    r = yes(cli, text, "approve", "--timeout", "1s")
    assert r.code == 7 and "hosts:1" in r.err and "unverified" in r.out
    assert (cli.home / ".config/jit/hosts").read_text() == "nonsense\n"


def test_host_unknown_to_the_hub(cli, hub):
    text = hub.add()
    hub.hosts.clear()
    hub.after_post = [("applied", "")]
    r = yes(cli, text, "approve", "--timeout", "1s")
    assert r.code == 7 and "no key of web1 is known" in r.out


def test_two_hosts_one_id(cli, hub):
    hub.add()
    text = hub.add(document(host="web2"))
    r = cli("approve", ID, "--yes", "--digest", digest(text))
    assert r.code == 2 and "web1" in r.err and "web2" in r.err and "--host" in r.err
    assert yes(cli, text, "approve", "--host", "web2", "--no-wait").code == 0
    assert hub.posted[0][1]["host"] == "web2"


def test_no_longer_pending(cli, hub):
    text = hub.add(state="settled")
    assert yes(cli, text).code == 1
    hub.requests[0]["state"] = "expired"
    assert yes(cli, text).code == 3
    hub.requests.clear()
    text = hub.add(document(answer_by=stamp(-300)))
    assert yes(cli, text).code == 3
    assert not hub.posted
    assert cli("approve", "AAAA-0001", "--yes", "--digest", "0" * 16).code == 5


def test_not_in_the_team(cli, hub):
    text = hub.add(document(teams={"sre": ["carol"]}))
    r = yes(cli, text, "approve", "--no-wait")
    assert r.code == 0 and "none of the teams" in r.err


def test_large_argument_is_shown_whole(cli, hub):
    text = hub.add(document(argv=["echo", "a" * 30000 + "TAIL"], command=None))
    r = yes(cli, text, "approve", "--no-wait")
    assert r.code == 0
    assert "a" * 30000 + "TAIL" in r.out        # in the bytes that are signed for
    assert re.search(r"a\.\.\.\(\+\d+ bytes\)", r.out)  # cut, and marked, where a person reads


def test_bytes_that_are_not_ascii(cli, hub):
    text = hub.add(document(reason="grüße \u202e\x7f"))
    r = yes(cli, text, "approve", "--no-wait")
    assert r.code == 0 and "gr\\u00fc\\u00dfe \\u202e\\u007f" in r.out and "4 characters" in r.out
    assert "\u202e" not in r.out
    assert json.loads(hub.posted[0][1]["envelope"]["document"])["digest"] == digest(text)


def test_agent(cli, hub, tmp_path):
    """Key= names the .pub; the private key is in an agent only."""
    import subprocess
    text = hub.add()
    sock = str(tmp_path / "agent")
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", sock], stdout=subprocess.PIPE)
    try:
        agent.stdout.readline()
        subprocess.run(["ssh-add", "-q", str(hub.bob)], env={**os.environ, "SSH_AUTH_SOCK": sock}, check=True,
                       stderr=subprocess.DEVNULL)
        hub.bob.rename(hub.dir / "away")
        conf = cli.home / ".config/jit/jitctl.conf"
        conf.write_text(conf.read_text().replace(f"Key={hub.bob}", f"Key={hub.bob}.pub"))
        assert yes(cli, text, "approve", "--no-wait", SSH_AUTH_SOCK=sock).code == 0
        assert yes(cli, text, "approve", "--no-wait").code == 1  # no agent
        assert len(hub.posted) == 1
    finally:
        agent.terminate()
        agent.wait(10)


def test_passphrase_on_the_terminal(cli, hub):
    import subprocess
    text = hub.add()
    cli("inbox")  # signs in while the key is open
    subprocess.run(["ssh-keygen", "-q", "-p", "-P", "", "-N", "secret", "-f", str(hub.bob)], check=True,
                   stdout=subprocess.DEVNULL)
    r = cli.terminal("approve", ID, "--no-wait", say=[("type yes: ", "yes\n"), ("passphrase.*: ", "secret\n")])
    assert r.code == 0 and len(hub.posted) == 1 and json.loads(hub.posted[0][1]["envelope"]["document"])["digest"] == digest(text)
    r = cli.terminal("approve", ID, "--no-wait", say=[("type yes: ", "yes\n"), ("passphrase.*: ", "wrong\n")])
    assert r.code == 1 and len(hub.posted) == 1 and "nothing was sent" in r.out


CONFS = {
    "no url": ("[Approver]\nPrincipal=bob\nKey=/x\n", "URL="),
    "no principal": ("[Hub]\nURL=http://127.0.0.1:1\n", "Principal="),
    "unknown key": ("[Hub]\nURL=http://127.0.0.1:1\nNonsense=1\n", ":3: "),
    "unknown section": ("[Nonsense]\nA=b\n", ":1: "),
    "plain http": ("[Hub]\nURL=http://hub.example\n[Approver]\nPrincipal=bob\nKey=/x\n", "not encrypted"),
    "odd loopback": ("[Hub]\nURL=http://127.0.0.1.evil.example\n[Approver]\nPrincipal=bob\nKey=/x\n", "not encrypted"),
    "user in url": ("[Hub]\nURL=http://127.0.0.1@evil.example\n[Approver]\nPrincipal=bob\nKey=/x\n", ":2: "),
    "file url": ("[Hub]\nURL=file:///etc/passwd\n[Approver]\nPrincipal=bob\nKey=/x\n", ":2: "),
    "bad principal": ("[Approver]\nPrincipal=b*b\n", ":2: "),
}


@pytest.mark.parametrize("text,words", CONFS.values(), ids=CONFS.keys())
def test_bad_conf(cli, tmp_path, text, words):
    conf = tmp_path / "x.conf"
    conf.write_text(text)
    r = cli("inbox", "--conf", str(conf))
    assert r.code == 6 and words in r.err, r


def test_conf_written_by_others(cli, hub):
    (cli.home / ".config/jit/jitctl.conf").chmod(0o666)
    r = cli("inbox")
    assert r.code == 6 and "jitctl.conf" in r.err


def test_no_redirect_takes_the_token(cli, hub):
    """A redirect is not followed, so the token goes nowhere else."""
    seen = []

    class Elsewhere(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            seen.append(self.headers)
            self.send_error(404)

        def log_message(self, *words):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Elsewhere)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        original = fakehub.Handler.reply

        def redirect(self, status, body):
            if self.path.startswith("/v1/requests"):
                self.send_response(302)
                self.send_header("Location", f"http://127.0.0.1:{server.server_address[1]}/")
                self.send_header("Content-Length", "0")
                self.end_headers()
            else:
                original(self, status, body)

        fakehub.Handler.reply = redirect
        assert cli("inbox").code == 4 and not seen
    finally:
        fakehub.Handler.reply = original
        server.shutdown()
        server.server_close()


CODE = "Code on alice's terminal: "


def test_code_is_asked_for(cli, hub):
    """The request is read first, then the code is asked for, and the decision that is shown and signed holds it."""
    text = hub.add(document(match=True))
    hub.after_post = [("granted", "by bob"), ("applied", "")]
    r = cli.terminal("approve", ID, say=[(CODE, " 417 \n"), ("type yes: ", "yes\n")], NO_COLOR="1")
    assert r.code == 0, r
    decision = hub.posted[0][1]["envelope"]["document"]
    assert json.loads(decision)["code"] == "417" and decision in r.out
    shown = r.out
    assert shown.index(text) < shown.index(CODE) < shown.index(decision) < shown.index("type yes: ")
    assert "the three digits that stand on the requester's terminal" in shown[:shown.index(CODE)]
    # it stands nowhere before it was typed: whoever approves cannot read it off the request
    assert not re.search(r"\b417\b", shown[:shown.index(CODE)])


def test_code_mistyped_and_none(cli, hub):
    hub.add(document(match=True))
    hub.after_post = [("granted", "by bob"), ("applied", "")]
    r = cli.terminal("approve", ID, say=[(CODE, "4177\n"), (CODE, "abc\n"), (CODE, "007\n"), ("type yes: ", "yes\n")])
    assert r.code == 0 and r.out.count("a code is three digits") == 2, r
    assert json.loads(hub.posted[0][1]["envelope"]["document"])["code"] == "007"
    for typed in ("\n", "\x04"):
        r = cli.terminal("approve", ID, say=[(CODE, typed)])
        assert r.code == 1 and "nothing was sent" in r.out
    r = cli.terminal("approve", ID, say=[(CODE, "x\n")] * 3)
    assert r.code == 1 and "nothing was sent" in r.out
    assert len(hub.posted) == 1


def test_code_for_programs(cli, hub):
    text = hub.add(document(match=True))
    for words in ([], ["--json"]):
        r = yes(cli, text, "approve", "--no-wait", *words)
        assert r.code == 2 and "K7QF-2M9X wants the code" in r.err and "--code" in r.err, r
    assert cli("approve", ID).code == 2
    for bad in ("", "41", "4177", "abc", "-17"):
        r = yes(cli, text, "approve", "--no-wait", "--code", bad)
        assert r.code == 2 and "three digits" in r.err, r
    assert not hub.posted
    assert yes(cli, text, "approve", "--no-wait", "--code", "417").code == 0
    assert json.loads(hub.posted[0][1]["envelope"]["document"])["code"] == "417"


def test_code_on_the_line_is_not_asked_for_again(cli, hub):
    hub.add(document(match=True))
    hub.after_post = [("granted", "by bob"), ("applied", "")]
    r = cli.terminal("approve", ID, "--code", "417", say=[("type yes: ", "yes\n")])
    assert r.code == 0 and CODE not in r.out
    assert json.loads(hub.posted[0][1]["envelope"]["document"])["code"] == "417"


def test_code_where_none_is_wanted(cli, hub):
    text = hub.add()
    r = yes(cli, text, "approve", "--no-wait", "--code", "417")
    assert r.code == 0 and "wants no code; --code is not used" in r.err
    assert "code" not in json.loads(hub.posted[0][1]["envelope"]["document"])


def test_no_needs_no_code(cli, hub):
    text = hub.add(document(match=True))
    assert yes(cli, text, "deny", "--no-wait").code == 0
    assert "code" not in json.loads(hub.posted[0][1]["envelope"]["document"])
    r = cli.terminal("deny", ID, "--no-wait", say=[("type yes: ", "yes\n")])
    assert r.code == 0 and CODE not in r.out
    assert yes(cli, text, "deny", "--code", "417").code == 2


@pytest.mark.parametrize("match", ["yes", 1, 0, None, [], {}, "true"])
def test_match_that_is_neither_true_nor_false(cli, hub, match):
    """A client that overlooked it would sign what the host cannot take."""
    text = json.dumps({**json.loads(document()), "match": match})
    hub.add(text)
    r = yes(cli, text)
    assert r.code == 8 and '"match" is neither' in r.err and not hub.posted


def test_wrong_code_then_again(cli, hub):
    text = hub.add(document(match=True))
    hub.after_post = [("refused", "the code is wrong (try 1 of 8)", "bob")]
    r = yes(cli, text, "approve", "--code", "000")
    assert r.code == 1 and "refused by web1: the code is wrong (try 1 of 8)" in r.out
    hub.after_post = [("received", "", "bob"), ("granted", "by bob"), ("applied", "")]
    assert yes(cli, text, "approve", "--code", "417").code == 0
