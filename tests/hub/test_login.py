"""Signing in: whose signature opens a session, and how long."""
import base64
import os
import subprocess
import time

import pytest

import hubtest as t


def challenge(hub, principal="bob"):
    return hub.client().post("/v1/login/challenge", {"principal": principal}).json["challenge"]


def attempt(hub, principal, text, signature):
    return hub.client().post("/v1/login", {"principal": principal, "challenge": text, "signature": signature})


def test_good_signature_signs_in(hub, keys):
    a = hub.login("bob", keys["bob"])
    assert a.status == 200
    assert hub.client(a.json["token"]).get("/v1/requests").json["requests"] == []


@pytest.mark.parametrize("kind", ["rsa", "ecdsa"])
def test_other_kinds_of_keys(hub, tmp_path, kind):
    key = t.Key(tmp_path, "other", kind)
    hub.approvers.write_text(hub.approvers.read_text() + t.signer_line("erin", key))
    assert hub.login("erin", key).status == 200


@pytest.mark.parametrize("principal, key, ns, text", [
    ("bob", "mallory", t.NS_LOGIN, None),            # a key that is not listed
    ("bob", "carol", t.NS_LOGIN, None),              # another approver's key
    ("nobody", "bob", t.NS_LOGIN, None),             # an unknown principal
    ("bob", "bob", t.NS_DECISION, None),             # signed for something else
    ("bob", "bob", "login@example", None),
    ("bob", "bob", t.NS_LOGIN, "another text"),      # another challenge
])
def test_bad_signatures(hub, keys, principal, key, ns, text):
    a = hub.login(principal, keys[key], ns, text)
    assert (a.status, a.code) == (401, "signature")


def test_altered_by_one_byte(hub, keys):
    text = challenge(hub)
    good = keys["bob"].sign(t.NS_LOGIN, text)
    lines = good.strip().split("\n")
    blob = bytearray(base64.b64decode("".join(lines[1:-1])))
    seen = set()
    for at in range(0, len(blob), 7):
        bad = bytearray(blob)
        bad[at] ^= 1
        body = base64.b64encode(bad).decode()
        armored = "\n".join([lines[0], *(body[i:i + 70] for i in range(0, len(body), 70)), lines[-1], ""])
        a = attempt(hub, "bob", text, armored)
        assert a.status in (400, 401), at
        seen.add(a.status)
    assert seen == {400, 401}
    assert attempt(hub, "bob", text, good).status == 200  # what failed did not use the challenge up


def test_challenge_is_good_once(hub, keys):
    text = challenge(hub)
    signature = keys["bob"].sign(t.NS_LOGIN, text)
    assert attempt(hub, "bob", text, signature).status == 200
    a = attempt(hub, "bob", text, signature)
    assert (a.status, a.code) == (401, "challenge")


def test_challenge_is_good_once_at_the_same_time(hub, keys):
    text = challenge(hub)
    signature = keys["bob"].sign(t.NS_LOGIN, text)
    calls = [t.later(attempt, hub, "bob", text, signature) for _ in range(8)]
    assert sorted(c().status for c in calls) == [200] + 7 * [401]


def test_challenge_is_of_this_hub_and_for_this_principal(hub, keys):
    text = challenge(hub, "carol")
    a = attempt(hub, "bob", text, keys["bob"].sign(t.NS_LOGIN, text))
    assert (a.status, a.code) == (401, "challenge")
    for forged in (base64.b64encode(os.urandom(72)).decode(), base64.b64encode(b"\xff" * 72).decode()):
        a = attempt(hub, "bob", forged, keys["bob"].sign(t.NS_LOGIN, forged))
        assert (a.status, a.code) == (401, "challenge")
    for malformed in ("", "x", "A" * 5000, text + "A", text[:-4]):
        assert attempt(hub, "bob", malformed, keys["bob"].sign(t.NS_LOGIN, malformed or "x")).status == 400


def test_challenge_ends_with_its_time(hub, keys):
    """Its own time stands in it under the hub's seal: an altered one is none of this hub's."""
    text = challenge(hub)
    raw = bytearray(base64.b64decode(text))
    until = int.from_bytes(raw[:8], "big") / 1e6
    assert 55 < until - time.time() <= 60
    raw[:8] = (int.from_bytes(raw[:8], "big") + 1).to_bytes(8, "big")
    longer = base64.b64encode(raw).decode()
    a = attempt(hub, "bob", longer, keys["bob"].sign(t.NS_LOGIN, longer))
    assert (a.status, a.code) == (401, "challenge")


def test_challenge_of_a_former_run_is_none(hub, keys):
    text = challenge(hub)
    hub.restart()
    assert attempt(hub, "bob", text, keys["bob"].sign(t.NS_LOGIN, text)).status == 401


@pytest.mark.parametrize("signature", ["", "x", "-----BEGIN SSH SIGNATURE-----\n-----END SSH SIGNATURE-----\n", t.FAKE_SIGNATURE,
                                       "A" * 20000])
def test_what_is_no_signature(hub, signature):
    a = attempt(hub, "bob", challenge(hub), signature)
    assert (a.status, a.code) == (400, "malformed")


@pytest.mark.parametrize("principal", ["", "bob\n", "b ob", "*", "bob,carol", "x" * 129, "!bob", 'bob" namespaces="x', "-Ybob/"])
def test_odd_principals(hub, keys, principal):
    assert hub.client().post("/v1/login/challenge", {"principal": principal}).status in (200, 400)
    text = challenge(hub)
    assert attempt(hub, principal, text, keys["bob"].sign(t.NS_LOGIN, text)).status in (400, 401)


def test_session_is_known_after_a_restart(hub, keys):
    bob = hub.approver("bob", keys["bob"])
    hub.restart()
    assert bob.get("/v1/requests").status == 200
    hub.restart(kill=True)
    assert bob.get("/v1/requests").status == 200


def test_session_ends_with_its_key(hub, keys):
    bob, carol = hub.approver("bob", keys["bob"]), hub.approver("carol", keys["carol"])
    hub.approvers.write_text(t.signer_line("carol", keys["carol"]))
    assert bob.get("/v1/requests").status == 401
    assert carol.get("/v1/requests").status == 200
    assert hub.login("bob", keys["bob"]).status == 401
    hub.approvers.write_text(t.signer_line("carol", keys["carol"]) + t.signer_line("bob", keys["dave"]))
    assert bob.get("/v1/requests").status == 401  # the session was opened with another key


def test_key_out_of_its_time(hub, keys):
    for option, status in ((',valid-before="20200101"', 401), (',valid-after="20990101"', 401), (',valid-before="20990101"', 200)):
        hub.approvers.write_text(t.signer_line("bob", keys["bob"], options=option))
        assert hub.login("bob", keys["bob"]).status == status, option


def test_bad_approvers_file_leaves_the_former_in_force(hub, keys):
    bob = hub.approver("bob", keys["bob"])
    for bad in ("nonsense\n", t.signer_line("*", keys["mallory"]), t.signer_line("bob", keys["bob"], ns="file"),
                t.signer_line("mallory", keys["mallory"], ns=t.NS_DECISION)):
        hub.approvers.write_text(hub.approvers.read_text() + bad)
        assert bob.get("/v1/requests").status == 200
        assert hub.login("mallory", keys["mallory"]).status == 401
    assert "the former approvers stay" in hub.process.text()


def test_no_approvers_file_is_said(hub, keys):
    hub.approvers.unlink()
    hub.restart()
    a = hub.login("bob", keys["bob"])
    assert (a.status, a.code) == (503, "misconfigured")
    hub.approvers.write_text(t.signer_line("bob", keys["bob"]))
    assert hub.login("bob", keys["bob"]).status == 200


def test_approvers_file_that_others_can_write_is_refused(hub, keys):
    hub.approvers.write_text(t.signer_line("mallory", keys["mallory"]))
    hub.approvers.chmod(0o666)
    assert hub.login("mallory", keys["mallory"]).status == 401
    assert hub.login("bob", keys["bob"]).status == 200


def test_certificate_of_a_listed_authority(hub, keys, tmp_path):
    ca, key = t.Key(tmp_path, "ca"), t.Key(tmp_path, "erin")

    def certify(principals):
        subprocess.run(["ssh-keygen", "-q", "-s", ca.path, "-I", "x", "-n", principals, "-V", "+1h", key.path.with_suffix(".pub")],
                       check=True, capture_output=True)

    hub.approvers.write_text(f'erin cert-authority,namespaces="{t.NS_LOGIN}" {ca.public}\n' + t.signer_line("bob", keys["bob"]))
    certify("erin")
    cert = t.Key.__new__(t.Key)
    cert.path = key.path.with_name("erin-cert.pub")
    agent = subprocess.run(["ssh-agent", "-s"], check=True, capture_output=True, text=True).stdout
    env = dict(line.split(";")[0].split("=") for line in agent.splitlines() if "=" in line)
    old = {k: os.environ.get(k) for k in env}
    os.environ.update(env)
    try:
        subprocess.run(["ssh-add", "-q", key.path], check=True, capture_output=True)
        assert hub.login("erin", cert).status == 200
        assert hub.login("bob", cert).status == 401     # another principal
        assert hub.login("erin", key).status == 401     # the key without its certificate
        certify("erin,bob")
        subprocess.run(["ssh-add", "-q", "-D"], check=True, capture_output=True)
        subprocess.run(["ssh-add", "-q", key.path], check=True, capture_output=True)
        assert hub.login("erin", cert).status in (400, 401)  # two principals
    finally:
        subprocess.run(["ssh-agent", "-k"], check=False, capture_output=True)
        for k, v in old.items():
            os.environ.pop(k, None) if v is None else os.environ.__setitem__(k, v)


def test_stop_while_signatures_are_verified(hub, keys):
    """Everybody has an answer or a closed connection, and the hub ends well."""
    for _ in range(3):
        texts = [challenge(hub) for _ in range(10)]
        signatures = [keys["bob"].sign(t.NS_LOGIN, x) for x in texts]
        calls = [t.later(attempt, hub, "bob", x, s) for x, s in zip(texts, signatures)]
        hub.stop()
        hub.start()  # those that were not taken yet are the new one's, which knows no such challenge
        for call in calls:
            try:
                assert call().status in (200, 401, 503)
            except OSError:
                pass


def test_many_sign_in_at_once(hub, keys):
    calls = [t.later(hub.login, p, keys[p]) for p in ("bob", "carol", "dave") * 4]
    answers = [c() for c in calls]
    assert all(a.status == 200 for a in answers), answers
    assert len({a.json["token"] for a in answers}) == len(answers)
