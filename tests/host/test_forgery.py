"""Zero grants from anything that is not a decision of enough of the right people over these very bytes; every refusal is
in the ledger with its reason."""

import json

import pytest

import fido
from answers import Desk


@pytest.fixture(scope="module")
def desk(lab):
    host = lab.host("web1")
    lab.boot()
    d = Desk(host)
    d.set_up()
    return d


@pytest.fixture
def asked(desk):
    """(terminal, document, id) of a pending request for `touch /run/one`."""
    desk.clear()
    desk.host.run("rm", "-f", "/run/one", "/run/two", "/run/strong")
    desk.mark = len(desk.ledger())
    term, document = desk.ask()
    yield term, document, json.loads(document)["id"]
    desk.clear()


def nothing(desk, rid, reason):
    """Not granted, still pending, and REASON among the refusals."""
    assert desk.state(rid) == "pending"
    assert not desk.events(rid, "granted") and not desk.events(rid, "decided")
    texts = desk.refusals()
    assert any(reason in t for t in texts), texts[-3:]
    assert desk.host.run("test", "-e", "/run/one", check=False).returncode != 0


def counted(desk):
    """The refusals since the mark, with their counts, when jitd has written down all that it counts."""
    desk.host.run("systemctl", "restart", "jitd")
    return [(e["text"], e["count"], e.get("id")) for e in desk.ledger()[desk.mark:] if e["event"] == "refused"]


def test_the_true_one_is_taken(desk, asked):
    """What the others are measured against."""
    term, document, rid = asked
    desk.answer(document)
    term.expect("approved by bob")
    term.expect(r"status=0")
    assert [e["event"] for e in desk.events(rid)][:4] == ["requested", "decided", "granted", "opened"]


@pytest.mark.parametrize("principal,key,reason", [
    ("bob", "mallory", "not listed"),                     # a key that nobody listed
    ("mallory", "mallory", "no approver of that name"),   # nor a name
    ("dave", "dave", "none of the teams"),                # listed, but not asked
    ("alice", "alice", "never answers their own request"),
    ("bob", "carol", "not listed for bob"),               # somebody else's key
    ("erin", "expired", "ssh-keygen does not accept"),
])
def test_who(desk, asked, principal, key, reason):
    _, document, rid = asked
    desk.answer(document, principal, key)
    nothing(desk, rid, reason)


def test_the_requester_under_any_name(desk, asked):
    """alice signs as bob, and bob's name over alice's key."""
    _, document, rid = asked
    desk.answer(document, "bob", "alice")
    nothing(desk, rid, "not listed for bob")
    text = desk.decision(document, "alice")
    desk.deliver(desk.envelope(text, desk.sign(text, "bob")))
    nothing(desk, rid, "never answers their own request")


def test_the_requester_through_another_account(desk, asked):
    """alice becomes dave and asks as dave: who logged in counts, not only whose account it is."""
    term = desk.host.login("alice")
    term.sendline("su dave")
    term.expect("assword:")
    term.sendline("dave-pw")
    term.expect("dave@")
    term.sendline("sudo -k touch /run/two")
    term.expect("assword for dave:")
    term.sendline("dave-pw")
    term.expect(r"cancel ([0-9A-Z]{4}-[0-9A-Z]{4})")
    document = desk.document(term.match.group(1))
    assert json.loads(document)["user"] == "dave" and "alice" not in json.loads(document)["teams"]["sre"]
    desk.answer(document, "alice")
    nothing(desk, json.loads(document)["id"], "never answers their own request")
    term.sendintr()


@pytest.mark.parametrize("change,reason", [
    ({"digest": "0" * 64}, "the digest differs"),
    ({"host": "web2"}, "another host"),
    ({"request": "0000-0000"}, "no request 0000-0000"),
    ({"v": 2}, "lacks v"),
    ({"verdict": "approved"}, "verdict does not fit"),
    ({"verdict": "revoke"}, "verdict does not fit"),
    ({"for": 86400}, "more than was asked"),
    ({"for": -5}, "duration"),
    ({"for": "30"}, "duration is no number"),
    ({"scope": "service"}, "more than was asked"),
    ({"scope": "everything"}, "scope is none"),
    ({"approver": "bob\n"}, "lacks v"),
    ({"approver": None}, "lacks v"),
])
def test_what(desk, asked, change, reason):
    """Signed by the right person, over something else."""
    _, document, rid = asked
    text = desk.decision(document, **change)
    desk.deliver(desk.envelope(text, desk.sign(text)))
    nothing(desk, rid, reason)


def test_an_older_request_of_the_same_words(desk, asked):
    """The same command asked again is another request: its nonce differs."""
    term, document, rid = asked
    old = desk.decision(document)
    signature = desk.sign(old)
    desk.host.run("jitctl", "cancel", rid)
    term.expect("status=1")
    _, fresh = desk.ask()
    new = json.loads(fresh)["id"]
    assert json.loads(fresh)["nonce"] != json.loads(document)["nonce"]
    desk.deliver(desk.envelope(old, signature))
    assert desk.state(new) == "pending" and any("settled already" in t for t in desk.refusals())
    forged = old.replace(rid, new)
    desk.deliver(desk.envelope(forged, signature))
    nothing(desk, new, "the digest differs")


def test_replayed(desk, asked):
    term, document, rid = asked
    text = desk.decision(document)
    signature = desk.sign(text)
    desk.deliver(desk.envelope(text, signature))
    term.expect("status=0")
    for _ in range(3):
        desk.deliver(desk.envelope(text, signature))
    assert any("settled already" in t for t in desk.refusals())
    assert len(desk.events(rid, "granted")) == 1 and len(desk.events(rid, "decided")) == 1
    _, again = desk.ask()
    desk.deliver(desk.envelope(text, signature))
    nothing_new = json.loads(again)["id"]
    assert desk.state(nothing_new) == "pending"


def test_altered_by_one_byte(desk, asked):
    _, document, rid = asked
    text = desk.decision(document, note="x")
    signature = desk.sign(text)
    desk.deliver(desk.envelope(text.replace('"note": "x"', '"note": "y"'), signature))
    nothing(desk, rid, "ssh-keygen does not accept")
    # and of the signature: its frame, the version, the key, the kind, the signature itself
    lines = signature.splitlines()
    for line, at, reason in ((0, 7, "the signature: "), (1, 10, "the signature: "), (2, 10, "the key is not listed for bob"),
                             (3, 10, "the signature: signature type"), (4, 10, "ssh-keygen does not accept the signature: Sig")):
        was = lines[line][at]
        altered = lines[line][:at] + ("A" if was != "A" else "B") + lines[line][at + 1:]
        desk.deliver(desk.envelope(text, "\n".join([*lines[:line], altered, *lines[line + 1:]]) + "\n"))
        nothing(desk, rid, reason)
    assert sum(n for _, n, of in counted(desk) if of == rid) == 6


def test_wrong_namespace(desk, asked):
    _, document, rid = asked
    text = desk.decision(document)
    for namespace in ("login@pam-jit", "receipt@pam-jit", "file", "decision@pam-jit2"):
        desk.deliver(desk.envelope(text, desk.sign(text, namespace=namespace)))
    nothing(desk, rid, "namespace")


def test_a_quorum_is_of_people(desk, asked):
    """Two decisions of one person count once: again, by another key, under another principal."""
    asked[0].sendintr()
    term, document = desk.ask("touch /run/two")
    rid = json.loads(document)["id"]
    desk.answer(document)
    assert len(desk.events(rid, "decided")) == 1
    for principal, key in (("bob", "bob"), ("bob", "bob2"), ("robert", "robert"), ("robert", "bob")):
        desk.answer(document, principal, key)
    assert len(desk.events(rid, "decided")) == 1 and desk.state(rid) == "pending"
    assert any("has answered already" in t for t in desk.refusals())
    desk.answer(document, "carol")
    term.expect("approved by .*(bob and carol|carol and bob)")
    assert len(desk.events(rid, "granted")) == 1


def certificate(desk, principals, key="certified", extra=()):
    desk.host.run("sh", "-c", "cd /root/keys && rm -f %s-cert.pub && ssh-keygen -q -s ca -I test -n %s %s %s.pub" % (
        key, principals, " ".join(extra), key))


def sign_with_certificate(desk, text, key="certified"):
    desk.host.put("/root/keys/message", text)
    desk.host.run("sh", "-c", f"cd /root/keys && rm -f message.sig && ssh-keygen -q -Y sign -n decision@pam-jit -f {key}-cert.pub message")
    return desk.host.read("/root/keys/message.sig")


def test_certificates(desk, asked):
    """One principal, the certified one; a certificate of two counts for neither."""
    _, document, rid = asked
    text = desk.decision(document, "erin")
    for principals, extra, reason in (("erin,bob", (), "the certificate names more than one principal"),
                                      ("bob", (), "the certificate is for bob"),
                                      ("erin", ("-V", "20200101:20200102"), "Certificate invalid: expired")):
        certificate(desk, principals, extra=extra)
        desk.deliver(desk.envelope(text, sign_with_certificate(desk, text)))
        nothing(desk, rid, reason)
    # the requester's own key, and that of somebody who has a name of their own, under erin's
    for key, reason in (("alice", "this key is listed for alice"), ("bob", "this key is listed for bob")):
        certificate(desk, "erin", key)
        desk.deliver(desk.envelope(text, sign_with_certificate(desk, text, key)))
        nothing(desk, rid, reason)
        desk.host.run("rm", f"/root/keys/{key}-cert.pub")
    certificate(desk, "erin")
    desk.deliver(desk.envelope(text, sign_with_certificate(desk, text)))
    assert [e["person"] for e in desk.events(rid, "decided")] == ["erin"]


# ---- security keys and passkeys ----

@pytest.fixture(scope="module")
def token(desk, tmp_path_factory):
    """carol has a security key and a passkey."""
    key = fido.Key(tmp_path_factory.mktemp("fido") / "p256.pem")
    before = desk.host.read("/etc/jit/approvers")
    lines = [f'carol namespaces="decision@pam-jit" {key.public(app)}\n' for app in ("ssh:", "hub.example")]
    desk.host.put("/etc/jit/approvers", before + "".join(lines))
    desk.host.run("jitctl", "config", "check")
    desk.host.run("systemctl", "reload", "jitd")
    yield key
    desk.host.put("/etc/jit/approvers", before)
    desk.host.run("systemctl", "reload", "jitd")


def test_security_key_without_touch(desk, asked, token):
    _, document, rid = asked
    text = desk.decision(document, "carol")
    desk.deliver(desk.envelope(text, token.sign(text, flags=0)))
    nothing(desk, rid, "touch")
    desk.deliver(desk.envelope(text, token.sign(text, flags=1)))
    assert [e["strength"] for e in desk.events(rid, "decided")] == ["hw-key"]


@pytest.mark.parametrize("how,reason", [
    ({"flags": 1}, "verif"),
    ({"flags": 4}, "touch"),
    ({"flags": 5, "origin": "https://evil.example"}, "origin"),
    ({"flags": 5, "origin": "http://hub.example"}, "origin"),
    ({"flags": 5, "origin": "https://hub.example:444"}, "origin"),
    ({"flags": 5, "client": {"crossOrigin": True}}, "embedded by another origin"),
    ({"flags": 5, "client": {"topOrigin": "https://evil.example"}}, "embedded by another origin"),
    ({"flags": 5, "client": {"type": "webauthn.create"}}, "webauthn.get"),
    ({"flags": 5, "challenge": b"something else"}, "the passkey signed something else"),
])
def test_passkeys(desk, asked, token, how, reason):
    _, document, rid = asked
    text = desk.decision(document, "carol")
    desk.deliver(desk.envelope(text, token.sign(text, "webauthn", **how)))
    nothing(desk, rid, reason)


def test_a_true_passkey_counts_and_is_not_a_key(desk, asked, token):
    term, document, rid = asked
    text = desk.decision(document, "carol")
    desk.deliver(desk.envelope(text, token.sign(text, "webauthn", flags=5)))
    assert [e["strength"] for e in desk.events(rid, "decided")] == ["browser"]
    term.expect("status=0")
    term, document = desk.ask("touch /run/strong")
    rid = json.loads(document)["id"]
    text = desk.decision(document, "carol")
    desk.deliver(desk.envelope(text, token.sign(text, "webauthn", flags=5)))
    assert desk.state(rid) == "pending" and any("not strong enough" in t for t in desk.refusals())
    desk.answer(document, "bob")
    term.expect("status=0")


# ---- form ----

JUNK = [
    ("", "not a JSON object"),
    ("{", "not proper JSON: a string is missing"),
    ("[]", "not a JSON object"),
    ("null", "not a JSON object"),
    ("\0", "not UTF-8 text"),
    ('{"v":1}', "the envelope has no known type"),
    ('{"v":1,"type":"decision","document":"{}"}', "a decision must be signed"),
    ('{"v":1,"type":"decision","document":"{}","signature":"x","more":1}', "the envelope has an unknown member 'more'"),
    ('{"v":1,"type":"request","document":"{}"}', "an envelope of this type does not belong in the inbox"),
    ('{"v":1,"type":"check","document":"{}"}', "a check: the document lacks"),
    ('{"v":1,"type":"decision","document":"not json","signature":"x"}', "its document is not"),
    ('{"v":1,"type":"decision","document":"{}","signature":"x"}', "the document lacks v"),
    ('{"v":1,"v":1,"type":"decision","document":"{}","signature":"x"}', "not proper JSON: a name stands twice"),
    ("x" * 70000, "larger than an envelope may be"),
    ("[" * 5000, "not a JSON object"),
]


def test_junk(desk, asked):
    """Every piece has its reason in the ledger, the like of one before in its count."""
    _, _, rid = asked
    counted(desk)
    desk.mark = len(desk.ledger())
    pid = desk.host.run("systemctl", "show", "-P", "MainPID", "jitd").stdout
    for text, _ in JUNK:
        desk.deliver(text)
    assert desk.host.run("systemctl", "show", "-P", "MainPID", "jitd").stdout == pid, "it died"
    assert desk.state(rid) == "pending"
    found = counted(desk)
    for reason in {r for _, r in JUNK}:
        assert sum(n for t, n, _ in found if t.startswith(reason)) == sum(r == reason for _, r in JUNK), (reason, found)
    assert sum(n for _, n, _ in found) == len(JUNK), found


def test_many_kinds_of_refusals(desk, asked):
    """They are bounded, none of them is lost from the count, and none crowds out what is said against a request."""
    _, document, rid = asked
    counted(desk)
    desk.mark = len(desk.ledger())
    made = "".join(desk.envelope(desk.decision(document, request=f"{i:04d}-0000"), "x") + "\n" for i in range(300))
    desk.host.run("setpriv", "--reuid=jit-courier", "--regid=jit-courier", "--clear-groups", "sh", "-c",
                  "cd /run/jit/inbox; n=0; while read -r line; do n=$((n + 1)); printf %s \"$line\" >.many && mv .many many-$n; "
                  "[ $((n % 100)) -ne 0 ] || sleep 1; done", input=made)
    desk.settled()
    desk.answer(document, "bob", "mallory")
    nothing(desk, rid, "not listed")
    found = counted(desk)
    assert len(found) < 150 and sum(n for _, n, _ in found) == 301, (len(found), found[-3:])
    assert any("more kinds than are told apart" in t for t, _, _ in found), found[-3:]


def test_forged_revocations(desk, asked):
    """They end nothing; a true one does."""
    asked[0].sendintr()
    term, document = desk.ask("sleep 25")
    rid = json.loads(document)["id"]
    revocation = desk.decision(document, verdict="revoke")
    desk.deliver(desk.envelope(revocation, desk.sign(revocation), "revoke"))
    nothing(desk, rid, "there is nothing to revoke: it is pending")
    approval = desk.decision(document)
    signature = desk.sign(approval)
    desk.deliver(desk.envelope(approval, signature))
    term.expect("approved by bob")
    other = desk.decision(document, verdict="revoke", digest="0" * 64)
    for text, key, reason in ((revocation, "mallory", "the key is not listed for bob"),
                              (desk.decision(document, "dave", "revoke"), "dave", "none of the teams"),
                              (desk.decision(document, "alice", "revoke"), "alice", "never answers their own request"),
                              (other, "bob", "the digest differs"), (approval, "bob", "the verdict does not fit a revoke")):
        desk.deliver(desk.envelope(text, desk.sign(text, key), "revoke"))
        assert any(reason in t for t in desk.refusals()), (reason, desk.refusals()[-2:])
    desk.deliver(desk.envelope(revocation, signature, "revoke"))
    assert any("ssh-keygen does not accept" in t for t in desk.refusals())
    assert desk.state(rid) == "running" and not desk.events(rid, "revoked")
    text = desk.decision(document, "carol", "revoke")
    desk.deliver(desk.envelope(text, desk.sign(text, "carol"), "revoke"))
    term.expect(r"status=(\d+)")
    assert term.match.group(1) != "0"
    assert [e["by"] for e in desk.events(rid, "revoked")] == ["carol"]


def test_a_signature_over_another_document_of_the_same_person(desk, asked):
    _, document, rid = asked
    text = desk.decision(document)
    other = desk.decision(document, verdict="deny")
    desk.deliver(desk.envelope(text, desk.sign(other)))
    nothing(desk, rid, "ssh-keygen does not accept")


def test_tries_are_counted(desk, asked):
    """A flood of bad signatures starts no more than eight ssh-keygens, and the requester's wait goes on."""
    term, document, rid = asked
    text = desk.decision(document)
    bad = desk.sign(desk.decision(document, note="else"))
    for _ in range(12):
        desk.deliver(desk.envelope(text, bad))
    nothing(desk, rid, "tries")
    desk.answer(document, "carol")
    term.expect("status=0")


def test_the_chain_holds_after_all(desk):
    done = desk.host.run("jitctl", "audit", "verify")
    assert "consistent" in done.stdout
