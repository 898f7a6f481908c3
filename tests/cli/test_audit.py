"""jitctl audit: ledgers written as lib/ledger.h says, whole and broken."""
import hashlib
import json
import os
import re
import time

import pytest

import fakehub
from clitest import JITCTL
from fakehub import digest, document, stamp

ZERO = "0" * 64
ID = "K7QF-2M9X"


class Ledger:
    def __init__(self, directory):
        directory.mkdir()
        self.dir = directory
        self.seq, self.prev, self.name = 0, ZERO, None
        self.heads = []

    def line(self, event, **fields):
        self.seq += 1
        o = {"seq": self.seq, "prev": self.prev, "time": fields.pop("time", stamp(-3600 + self.seq)), "boot": "ab" * 16,
             "clock": 1000 * self.seq, "event": event, **fields}
        text = json.dumps(o, separators=(",", ":"), ensure_ascii=False)
        self.prev = hashlib.sha256(text.encode()).hexdigest()
        self.heads.append(self.prev)
        return text

    def add(self, event, **fields):
        text = self.line(event, **fields)
        self.name = self.name or f"{self.seq:016}.jsonl"
        with open(self.dir / self.name, "a", encoding="utf-8") as f:
            f.write(text + "\n")

    def next_file(self):
        self.name = None


@pytest.fixture
def ledger(tmp_path):
    return Ledger(tmp_path / "ledger")


@pytest.fixture
def keys(tmp_path):
    class Keys:
        dir = tmp_path
        bob = fakehub.keygen(tmp_path / "bobkey")
        carol = fakehub.keygen(tmp_path / "carolkey")
    return Keys


def decided(keys, text, id=ID, person="bob", key=None, verdict="approve", **changes):
    key = key or getattr(keys, person)
    doc = {"v": 1, "request": id, "digest": digest(text), "host": "web1", "verdict": verdict, "approver": person, "time": stamp()}
    doc.update(changes.pop("doc", {}))
    words = json.dumps(doc, separators=(",", ":"))
    record = {"id": id, "person": person, "principal": person, "verdict": verdict, "strength": "key", "document": words,
              "signature": fakehub.sign(key, "decision@pam-jit", words),
              "signer": f'{person} namespaces="decision@pam-jit" {fakehub.public(key)}'}
    record.update(changes)
    return record


def story(ledger, keys):
    text = document()
    ledger.add("config", digest="ab" * 32, text="rules in force")
    ledger.add("allowed", user="dave", uid=1003, service="sudo", target="root", command="ls -l", rule="ls", pid=9)
    ledger.add("requested", id=ID, user="alice", uid=1000, document=text, digest=digest(text), rule="web")
    ledger.add("refused", where="inbox", text="mallory is not listed", count=3, id=ID, name="x.json")
    ledger.next_file()
    ledger.add("decided", **decided(keys, text, note="go on"))
    ledger.add("granted", id=ID, by=["bob"], user="alice", scope="command", **{"for": 1800_000_000})
    ledger.add("opened", id=ID, user="alice", pid=77, start=5, deadline=99, target="root", tty="pts/3",
               command="systemctl restart nginx")
    ledger.add("warned", id=ID, user="alice", left=300_000_000)
    ledger.add("closed", id=ID, user="alice", pid=77, start=5)
    ledger.add("expired", id=ID, user="alice", cause="its time is up")
    ledger.add("denied", user="eve", service="sudo", target="root", command="sh", rule="never", by="rule", text="ask first")
    return text


def audit(cli, ledger, *words, **env):
    return cli("audit", *words, "--dir", str(ledger.dir), **env)


def test_story_in_plain_words(cli, ledger, keys):
    story(ledger, keys)
    r = audit(cli, ledger)
    assert r.code == 0, r
    said = [re.sub(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d  ", "", line).rstrip() for line in r.out.splitlines()]
    assert said == [
        "           configuration read: rules in force, digest abababababab",
        "           dave runs as root, by sudo, without asking: ls -l [rule ls]",
        "K7QF-2M9X  alice asks to run as root, by sudo: systemctl restart nginx; because: INC-17 nginx hangs "
        "[rule web, needs 1 of sre]",
        "K7QF-2M9X  refused at the inbox: mallory is not listed (x.json), 3 times",
        "K7QF-2M9X  bob says yes, signed with key: go on",
        "K7QF-2M9X  granted to alice by bob, 30 min from first use, scope command",
        "K7QF-2M9X  in use, the time runs: process 77 as root on pts/3: systemctl restart nginx",
        "K7QF-2M9X  warned, 5 min left",
        "K7QF-2M9X  process 77 is done",
        "K7QF-2M9X  over: its time is up",
        "           eve is denied by rule never: sh: ask first",
    ]


def test_a_number_of_denials_is_told_as_one(cli, ledger):
    """What one user is denied again and again is not written line by line (jitd: record_denial_whole)."""
    ledger.add("denied", user="eve", uid=1004, rule="never", by="rule", count=295)
    ledger.add("denied", rule="several", by="rule", count=7)
    said = audit(cli, ledger).out
    assert "eve is denied by rule never, 295 times more" in said and "somebody is denied by rule several, 7 times more" in said
    assert audit(cli, ledger, "--user", "eve").out.count("denied") == 1


def test_filters(cli, ledger, keys):
    story(ledger, keys)

    def events(*words):
        return [o["event"] for o in audit(cli, ledger, "--json", *words).lines()]
    assert len(events()) == 11
    assert events("--id", "k7qf2m9x") == ["requested", "refused", "decided", "granted", "opened", "warned", "closed", "expired"]
    assert events("--user", "alice") == events("--id", ID)
    assert events("--user", "eve") == ["denied"]
    assert events("--event", "granted", "--event", "denied") == ["granted", "denied"]
    assert events("--since", "1min") == [] and len(events("--since", "2h")) == 11
    assert len(events("--until", stamp(-3600 + 4))) in (3, 4, 5)
    assert len(events("--since", "2020-01-01", "--until", "2100-01-01 10:00")) == 11
    assert len(events("--since", "yesterday")) == 11
    for words in (["--id", "x"], ["--since", "soon"], ["--event", "nonsense"], ["word"]):
        assert audit(cli, ledger, *words).code == 2
    assert audit(cli, ledger, "--user", "nobody").out == "Nothing to tell.\n"


def test_blocks(cli, ledger, keys):
    story(ledger, keys)
    text = document(id="AAAA-0001", user="eve")
    ledger.add("requested", id="AAAA-0001", user="eve", document=text, digest=digest(text), rule="web")
    ledger.add("withdrawn", id="AAAA-0001", by="eve")
    ledger.add("leftover", id=ID, what="a process")
    out = audit(cli, ledger, "--story").out
    first, second = out.split("\n\n")
    assert first.startswith("K7QF-2M9X  alice → root: systemctl restart nginx\n") and "left over after the end: a process" in first
    assert second.startswith("AAAA-0001  eve → root: ") and "withdrawn by eve" in second
    blocks = audit(cli, ledger, "--story", "--json").lines()
    assert [(b["id"], len(b["records"])) for b in blocks] == [(ID, 9), ("AAAA-0001", 2)]


def test_nothing_is_for_nought_seconds(cli, ledger, keys):
    text = document()
    ledger.add("decided", **decided(keys, text), **{"for": 0})
    assert audit(cli, ledger).out.rstrip().endswith("bob says yes, signed with key")


def test_width_that_was_said(cli, ledger, keys):
    story(ledger, keys)
    lines = audit(cli, ledger, COLUMNS="70").out.splitlines()
    assert max(map(len, lines)) <= 70 and any(line.startswith(" " * 32) and line[32] != " " for line in lines)


def test_on_a_terminal(cli, ledger, keys):
    story(ledger, keys)
    r = cli.terminal("audit", "--dir", str(ledger.dir), columns=60)
    plain = re.sub(r"\x1b\[[0-9;]*m", "", r.out)
    assert max(map(len, plain.splitlines())) <= 60
    assert re.search(r"^(Mon|Tue|Wed|Thu|Fri|Sat|Sun) \d{4}-\d\d-\d\d$", plain, re.M)


@pytest.mark.parametrize("evil", ["a\nb", "\x1b]0;t\x07", "\u202e\u2066", "\x9b2J", "\r", "x" * 30000])
def test_escapes(cli, ledger, keys, evil):
    text = document(reason=evil, user=evil, target=evil, argv=["x", evil])
    ledger.add("requested", id=ID, user=evil, document=text, digest=digest(text), rule=evil)
    ledger.add("allowed", user=evil, service=evil, target=evil, command=evil, rule=evil)
    ledger.add("denied", id=ID, by="person", person=evil, text=evil)
    ledger.add("refused", where=evil, reason=evil, name=evil, count=1)
    ledger.add("granted", id=ID, by=[evil, evil])
    ledger.add("revoked", id=ID, by=evil, text=evil)
    ledger.add("config", errors=[evil], digest=evil)
    ledger.add("nonsense" + evil[:20])
    for words in ([], ["--json"], ["--story"], ["--story", "--json"]):
        r = audit(cli, ledger, *words)
        assert r.code == 0, r
        assert all(c == "\n" or c == "→" or 0x20 <= ord(c) < 0x7f for c in r.out)


def test_missing_fields(cli, ledger):
    for event in ("config requested allowed denied decided granted opened used closed warned revoked expired withdrawn refused "
                  "repaired leftover").split():
        ledger.add(event)
        ledger.add(event, id=7, document="{", by=7, user=[], text={}, errors=[7], **{"for": "x"})
    for words in ([], ["--story"], ["verify", "--signatures"]):
        assert audit(cli, ledger, *words).code in (0, 8)


def test_empty_and_away(cli, ledger, tmp_path):
    assert audit(cli, ledger).code == 0
    assert audit(cli, ledger, "verify").out == "the ledger is empty\n"
    assert cli("audit", "--dir", str(tmp_path / "nowhere")).code == 5


def test_only_root_reads(cli, ledger):
    if os.geteuid() != 0:
        pytest.skip("needs root")
    import subprocess
    ledger.add("config")
    ledger.dir.chmod(0o700)
    p = subprocess.run(["setpriv", "--reuid=65534", "--clear-groups", "--regid=65534", str(JITCTL), "audit", "--dir",
                        "/root"], env=cli.env, stderr=subprocess.PIPE, check=False)
    if b"failed to execute" in p.stderr:
        pytest.skip("the program lies where nobody may run it")
    assert p.returncode == 1 and b"only root may read the ledger" in p.stderr


def test_verify(cli, ledger, keys):
    story(ledger, keys)
    r = audit(cli, ledger, "verify", "--signatures")
    assert r.code == 0, r
    assert re.match(rf"consistent since head {ledger.heads[0][:16]} \(seq 1\): 11 records to seq 11, ", r.out)
    assert f"head {ledger.heads[-1]}\n" in r.out
    assert "no witness: a ledger that was rewritten as a whole would look the same" in r.out
    assert "signatures of decisions: 1 good, 0 not" in r.out
    o = audit(cli, ledger, "verify", "--json").json()
    assert o["consistent"] and o["seq"] == 11 and o["head"] == ledger.heads[-1] and o["witnessed_to"] == 0


def test_witness(cli, ledger, keys):
    story(ledger, keys)
    r = audit(cli, ledger, "verify", "--witness", ledger.heads[4], "--witness", ledger.heads[2][:20].upper())
    assert r.code == 0 and "witnessed by 2 of 2 heads, up to seq 5 (given)" in r.out
    r = audit(cli, ledger, "verify", "--witness", ledger.heads[4], "--witness", "ab" * 32)
    assert r.code == 8 and "is not in this ledger" in r.err and "witnessed by 1 of 2" in r.out
    for bad in ("x" * 64, "ab" * 7, "ab" * 33):
        assert audit(cli, ledger, "verify", "--witness", bad).code == 2


def test_rewritten_whole(cli, ledger, keys, tmp_path):
    """The chain of a rewritten ledger is consistent; only a head kept elsewhere tells."""
    story(ledger, keys)
    again = Ledger(tmp_path / "again")
    again.add("config", digest="00" * 32)
    assert audit(cli, again, "verify").code == 0
    assert audit(cli, again, "verify", "--witness", ledger.heads[5]).code == 8


def test_hub_witnesses(cli, ledger, keys, hub):
    story(ledger, keys)
    hub.add(state="settled", receipts=[hub.receipt("granted", head=ledger.heads[5]), hub.receipt("applied", head=ledger.heads[6]),
                                       hub.receipt("granted", head="ab" * 32, host="web2")])
    r = audit(cli, ledger, "verify", "--hub")
    assert r.code == 0 and "witnessed by 2 of 2 heads, up to seq 7 (receipt applied of K7QF-2M9X)" in r.out, r
    # A receipt that somebody else made witnesses nothing, for or against.
    hub.requests[0]["receipts"].append(hub.receipt("closed", head="cd" * 32, key=keys.bob))
    r = audit(cli, ledger, "verify", "--hub")
    assert r.code == 0 and "unverified and witnesses nothing" in r.err
    # One that the host did make, and whose head is gone, does.
    hub.requests[0]["receipts"].append(hub.receipt("closed", head="cd" * 32))
    r = audit(cli, ledger, "verify", "--hub")
    assert r.code == 8 and "receipt closed of K7QF-2M9X" in r.err


BREAKS = {
    "altered": lambda lines: [lines[0], lines[1].replace("dave", "dora"), *lines[2:]],
    "removed": lambda lines: [lines[0], *lines[2:]],
    "swapped": lambda lines: [lines[0], lines[2], lines[1], *lines[3:]],
    "repeated": lambda lines: [lines[0], lines[0], *lines[1:]],
    "garbage": lambda lines: [lines[0], "nonsense", *lines[1:]],
    "empty line": lambda lines: [lines[0], "", *lines[1:]],
}


@pytest.mark.parametrize("change", BREAKS.values(), ids=BREAKS.keys())
def test_break(cli, ledger, keys, change):
    story(ledger, keys)
    path = ledger.dir / "0000000000000001.jsonl"
    path.write_text("\n".join(change(path.read_text().splitlines())) + "\n")
    r = audit(cli, ledger, "verify")
    assert r.code == 8 and "consistent" not in r.out
    assert re.search(r"BROKEN after \d records: 0000000000000001\.jsonl:\d", r.err)
    assert not audit(cli, ledger, "verify", "--json").json()["consistent"]
    r = audit(cli, ledger)
    assert r.code == 8 and "BROKEN" in r.err


def test_file_gone(cli, ledger, keys):
    story(ledger, keys)
    (ledger.dir / "0000000000000001.jsonl").unlink()
    assert audit(cli, ledger, "verify").code == 8


def test_torn(cli, ledger, keys):
    story(ledger, keys)
    with open(ledger.dir / "0000000000000005.jsonl", "a", encoding="ascii") as f:
        f.write('{"seq":12,')
    r = audit(cli, ledger, "verify")
    assert r.code == 0 and "torn" in r.out
    assert "torn" in audit(cli, ledger).err


FORGERIES = {
    "other key": lambda keys, text: decided(keys, text, key=keys.carol, signer=decided(keys, text)["signer"]),
    "altered": lambda keys, text: {**(d := decided(keys, text)), "document": d["document"].replace("approve", "approvE")},
    "for another request": lambda keys, text: decided(keys, text, doc={"request": "AAAA-0001"}),
    "for other bytes": lambda keys, text: decided(keys, text + " "),
    "record says yes": lambda keys, text: decided(keys, text, verdict="deny", **{"person": "bob"}) | {"verdict": "approve"},
    "by another": lambda keys, text: decided(keys, text, principal="carol"),
    "strength": lambda keys, text: decided(keys, text, strength="hw-key"),
    "no signature": lambda keys, text: {k: v for k, v in decided(keys, text).items() if k != "signature"},
    "expired key": lambda keys, text: {**(d := decided(keys, text)), "signer": d["signer"].replace(
        'namespaces="decision@pam-jit"', 'namespaces="decision@pam-jit",valid-before="20200101"')},
    "two signers": lambda keys, text: {**(d := decided(keys, text)),
                                       "signer": d["signer"] + "\n" + decided(keys, text, person="carol")["signer"]},
    "signer of another key": lambda keys, text: {**(d := decided(keys, text)),
                                                 "signer": d["signer"].replace(fakehub.public(keys.bob), fakehub.public(keys.carol))},
    "login's namespace": lambda keys, text: {**(d := decided(keys, text)),
                                             "signature": fakehub.sign(keys.bob, "login@pam-jit", d["document"])},
}


@pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES.keys())
def test_forged_decisions(cli, ledger, keys, forge):
    """The chain is whole, but a decision in it was never signed so."""
    text = document()
    ledger.add("requested", id=ID, user="alice", document=text, digest=digest(text), rule="web")
    ledger.add("decided", **forge(keys, text))
    assert audit(cli, ledger, "verify").code == 0
    r = audit(cli, ledger, "verify", "--signatures")
    assert r.code == 8 and "seq 2: " in r.err, r
    assert len(audit(cli, ledger, "verify", "--signatures", "--json").json()["problems"]) == 1


def test_digest_of_a_request(cli, ledger, keys):
    text = document()
    ledger.add("requested", id=ID, user="alice", document=text, digest="00" * 32, rule="web")
    assert audit(cli, ledger, "verify").code == 8


def test_key_that_was_valid_then(cli, ledger, keys):
    """A key that has expired since still verifies what it signed in its time."""
    text = document()
    day = time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() - 1000))
    ledger.add("requested", id=ID, user="alice", document=text, digest=digest(text), rule="web")
    d = decided(keys, text)
    d["signer"] = d["signer"].replace('"decision@pam-jit"', f'"decision@pam-jit",valid-before="{day}"')
    ledger.add("decided", time=stamp(-3000), **d)
    r = audit(cli, ledger, "verify", "--signatures")
    assert r.code == 0, r


def test_the_code_of_a_request_is_not_passed_on(cli, ledger):
    """The ledger has it, for a restart; what is printed may be kept, or read by those who are asked."""
    text = document(match=True)
    ledger.add("requested", id=ID, user="alice", document=text, digest=digest(text), rule="web",
               terms={"need": "1 of sre", "code": "417"})
    for words in ([], ["--story"], ["--json"], ["--json", "--story"]):
        r = audit(cli, ledger, *words)
        assert r.code == 0 and "1 of sre" in r.out and '"code"' not in r.out and not re.search(r"\b417\b", r.out), r
    p = cli.start("audit", "follow", "--dir", str(ledger.dir), "--json")
    try:
        assert json.loads(p.stdout.readline())["terms"] == {"need": "1 of sre"}
        ledger.add("requested", id="AAAA-0001", user="alice", document=text, terms={"need": "1 of sre", "code": "417"})
        assert json.loads(p.stdout.readline())["terms"] == {"need": "1 of sre"}
    finally:
        p.kill()
        p.communicate()
    assert audit(cli, ledger, "verify").code == 0


def test_follow(cli, ledger, keys):
    story(ledger, keys)
    p = cli.start("audit", "follow", "--dir", str(ledger.dir), "--json")
    try:
        first = [json.loads(p.stdout.readline())["seq"] for _ in range(10)]
        assert first == list(range(2, 12))
        ledger.add("used", id=ID, pid=78)
        assert json.loads(p.stdout.readline())["seq"] == 12
        ledger.next_file()
        ledger.add("closed", id=ID, pid=78)
        ledger.add("config", digest="11" * 32)
        assert [json.loads(p.stdout.readline())["seq"] for _ in range(2)] == [13, 14]
        # A line that is not whole yet is waited for.
        text = ledger.line("config", digest="22" * 32)
        with open(ledger.dir / ledger.name, "a", encoding="ascii") as f:
            f.write(text[:20])
            f.flush()
            f.write(text[20:] + "\n")
        assert json.loads(p.stdout.readline())["seq"] == 15
        # What does not follow is said.
        ledger.prev = ZERO
        ledger.add("config", digest="33" * 32)
        _, err = p.communicate(timeout=10)
        assert p.returncode == 8 and "BROKEN" in err
    finally:
        p.kill()
        p.communicate()


def test_follow_filters(cli, ledger, keys):
    story(ledger, keys)
    p = cli.start("audit", "follow", "--dir", str(ledger.dir), "--event", "granted")
    try:
        assert "granted to alice by bob" in p.stdout.readline()
        ledger.add("used", id=ID, pid=78)
        ledger.add("granted", id=ID, by=["carol"], user="alice")
        assert "granted to alice by carol" in p.stdout.readline()
    finally:
        p.kill()
        p.communicate()


SECURITY_KEY = ("sk-ssh-ed25519@openssh.com AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29tAAAAIMyTmkShS2vs+xLL4xH3ZPHAba9QskW9WX4zoyNMuUo0"
                "AAAABHNzaDo=")


def rules(tmp_path, text):
    d = tmp_path / "jit"
    (d / "rules.d").mkdir(parents=True)
    (d / "people.d").mkdir()
    (d / "jitd.conf").write_text("[Host]\nDefault=deny\n")
    (d / "approvers").write_text(f'bob namespaces="decision@pam-jit" {SECURITY_KEY}\n')
    (d / "people.d/sre.conf").write_text("[Person bob]\nPrincipal=bob\n[Team sre]\nMember=bob\n[Team ops]\nMember=bob\n")
    (d / "rules.d/10.conf").write_text(text)
    return d


def call(user, binary, *args, **more):
    return {"user": user, "groups": [], "service": "sudo", "target": "root", "binary": binary, "argv": [binary, *args],
            "cwd": "/root", "marked": False, **more}


def judged(ledger):
    ledger.add("allowed", user="dave", service="sudo", rule="ls", call=call("dave", "/usr/bin/ls", "-l"))
    ledger.add("allowed", user="dave", service="sudo", rule="ls", call=call("dave", "/usr/bin/ls", "-l", groups=["ops"]))
    ledger.add("denied", user="eve", service="sudo", rule="never", by="rule", call=call("eve", "/bin/sh"))
    ledger.add("requested", id=ID, user="alice", rule="web", terms={"need": "1 of sre"}, document="{}",
               call=call("alice", "/usr/bin/id", tty="pts/3"))
    ledger.add("denied", id=ID, user="alice", by="bob")
    ledger.add("allowed", user="old", service="sudo", rule="ls", command="ls")
    ledger.add("denied", user="eve", uid=1004, rule="never", by="rule", count=295)


NEW = """[Rule ls]
User=%ops
Command=/usr/bin/ls *
Decision=allow
[Rule terminals]
User=alice
Tty=pts/*
Decision=approve
Need=1 of ops
[Rule eve]
User=eve
Tty=none
Decision=allow
"""


def test_replay(cli, ledger, tmp_path):
    judged(ledger)
    d = rules(tmp_path, NEW)
    r = cli("rules", "replay", "--confdir", str(d), "--dir", str(ledger.dir))
    said = [line[21:] for line in r.out.splitlines()[:-2]]
    assert r.code == 0 and said == [
        "dave as root by sudo: /usr/bin/ls -l: allow ls, now deny Default",
        "eve as root by sudo: /bin/sh: deny never, now allow eve",
        "alice as root by sudo: /usr/bin/id: approve web (1 of sre), now approve terminals (1 of ops)"], r
    assert r.out.splitlines()[-2:] == [
        "4 calls: 3 would come out otherwise (1 with less in the way, 1 with more, 1 asking others), 1 as they did",
        "296 more cannot be judged: their records do not hold the whole call"]
    r = cli("rules", "replay", "--confdir", str(d), "--dir", str(ledger.dir), "--user", "eve", "--json")
    lines = [json.loads(line) for line in r.out.splitlines()]
    assert [line.get("becomes") for line in lines] == ["allow eve", None]
    assert lines[-1]["sum"] == {"judged": 1, "changed": 1, "opened": 1, "closed": 0, "asked_otherwise": 0, "skipped": 295}
    r = cli("rules", "replay", "--confdir", str(d), "--dir", str(ledger.dir), "--since", "2099-01-01")
    assert r.code == 0 and r.out.startswith("0 calls: ")


CHECKED = """[Rule sick]
User=alice dave
Check=load<8
Escalate=1 of sre with hw-key unless failed-units=0 up>1h
Decision=approve
Need=1 of sre
"""


def result(check, holds):
    return {"check": check, "effect": "refuse", "by": "host", "holds": holds, "text": "x"}


def test_replay_with_checks(cli, ledger, tmp_path):
    """What was found then is found again; what was not looked at holds."""
    for load, units in ((True, True), (True, False), (False, True)):
        checks = [result("load<8", load), result("failed-units=0", units)]
        ledger.add("requested", id=ID, user="alice", rule="web", terms={"need": "1 of sre"},
                   document=json.dumps({"checks": checks}), call=call("alice", "/usr/bin/id"))
        ledger.add("denied", user="dave", rule="web", by="check", checks=checks, call=call("dave", "/usr/bin/id"))
    d = rules(tmp_path, CHECKED)
    r = cli("rules", "replay", "--confdir", str(d), "--dir", str(ledger.dir))
    assert [line[21:] for line in r.out.splitlines()[:-1]] == [
        "dave as root by sudo: /usr/bin/id: deny web, now approve sick (1 of sre)",
        "alice as root by sudo: /usr/bin/id: approve web (1 of sre), now approve sick (1 of sre with hw-key)",
        "dave as root by sudo: /usr/bin/id: deny web, now approve sick (1 of sre with hw-key)",
        "alice as root by sudo: /usr/bin/id: approve web (1 of sre), now deny sick"], r.out
    assert r.out.splitlines()[-1].startswith("6 calls: 4 would come out otherwise (2 with less in the way, 1 with more, 1 asking")


def test_tells_refusals_by_checks(cli, ledger):
    ledger.add("denied", user="dave", uid=1003, rule="web", by="check", text="the check load<8: load is 9.10", command="id")
    assert "dave is refused by the check load<8: load is 9.10 (rule web): id\n" in cli("audit", "--dir", str(ledger.dir)).out


def test_replay_of_odd_records(cli, ledger, tmp_path):
    d = rules(tmp_path, NEW)
    good = call("eve\x1b[2J", "/bin/sh", "\u202e")
    ledger.add("allowed", rule="x\x1b", call=good)
    for broken in ({**good, "argv": 3}, {**good, "argv": [3]}, {**good, "groups": [{}], "cwd": 7}, {**good, "binary": {}}, {}, []):
        ledger.add("allowed", rule="x", call=broken)
    ledger.add("requested", id=ID, rule="x", call=good)
    ledger.add("requested", id=ID, rule="x", terms={"need": "nobody"}, call=good)
    r = cli("rules", "replay", "--confdir", str(d), "--dir", str(ledger.dir))
    assert r.code == 0 and "\x1b" not in r.out and "\u202e" not in r.out and "1 calls: 1 would" in r.out and "\n8 more" in r.out, r
    assert cli("rules", "replay", "--confdir", str(d), "--dir", str(tmp_path / "nowhere")).code == 5
    assert cli("rules", "replay", "word", "--confdir", str(d), "--dir", str(ledger.dir)).code == 2


def test_explain_a_request_of_the_past(cli, ledger, tmp_path):
    d = rules(tmp_path, NEW)
    asked = {"decision": "approve", "rule": "web"}
    text = document(argv=["id"], binary="/usr/bin/id", checks=[
        {"check": "load<8", "effect": "refuse", "by": "host", "holds": True, "text": "the load is 0.4"}])
    ledger.add("config", digest="ab" * 32, text="rules in force")
    ledger.add("requested", id=ID, user="alice", uid=1000, document=text, digest=digest(text), rule="web",
               terms={"need": "1 of sre"}, call=call("alice", "/usr/bin/id", tty="pts/3"))
    ledger.add("denied", id=ID, by="person", person="bob", user="alice", text="not at night")
    r = cli("explain", "--dir", str(ledger.dir), "--confdir", str(d), "k7qf-2m9x")
    then, now = r.out.split("\n\n")
    lines = [line.strip() for line in then.splitlines()]
    assert r.code == 0 and lines[0] == "K7QF-2M9X  alice \u2192 root by sudo: id" or "alice -> root by sudo: id" in lines[0], r
    assert any("approve by rule web, needs 1 of sre" in line for line in lines), then
    assert any("sre: bob, carol" in line for line in lines) and any("holds load<8: the load is 0.4" in line for line in lines)
    assert any("denied by bob: not at night" in line for line in lines)
    assert now.splitlines()[:3] == [
        "By the rules of now, which are others than then:", "approve by rule terminals, needs 1 of ops",
        "             ls does not match: user is alice, not %ops"], r
    o = cli("explain", "--dir", str(ledger.dir), "--confdir", str(d), "--json", ID).json()
    assert o["rules"] == "changed" and o["now"]["rule"] == "terminals" and asked["rule"] == o["document"]["rule"]
    assert o["outcome"] == "denied by bob: not at night"
    r = cli("explain", "--dir", str(ledger.dir), "--confdir", str(d), "AAAA-AAAA")
    assert r.code == 5 and "no request AAAA-AAAA in the ledger" in r.err
    # A command is none, even where its letters would do, and --dir is for a request.
    assert cli("explain", "--confdir", str(d), "--user", "alice", "iptables").code == 0
    assert cli("explain", "--dir", str(ledger.dir), "iptables").code == 2
    # The same rules as then; a record that does not hold the whole call.
    ledger.add("config", digest=cli("config", "show", "--confdir", str(d)).out.split()[2], text="rules in force")
    ledger.add("requested", id="AAAA-AAAA", user="alice", document=document(id="AAAA-AAAA"), rule="web", call={})
    r = cli("explain", "--dir", str(ledger.dir), "--confdir", str(d), "AAAA-AAAA")
    assert "which are the same:\nthis cannot be told: the record does not hold the whole call\n" in r.out, r
