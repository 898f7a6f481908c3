"""jit-courier with a real hub: what goes out, what comes in, restarts of both."""
import json
import os
import stat
import subprocess
import time

import pytest

import hubtest as t


@pytest.fixture
def bob(hub, keys):
    return hub.approver("bob", keys["bob"])


def shown(bob, state="pending"):
    return [r["id"] for r in bob.get(f"/v1/requests?state={state}").json["requests"]]


def decide(bob, e, verdict="approve", **more):
    rid = json.loads(e["document"])["id"]
    path = "revocations" if verdict == "revoke" else "decisions"
    d = t.decision(e, "bob", verdict, **more)
    assert bob.post(f"/v1/requests/{rid}/{path}", {"host": "web1", "envelope": d}).status == 202
    return d


def test_request_out_decision_in(hub, courier, bob):
    e = courier.request("AAAA-AAAA")
    t.until(lambda: shown(bob) == ["AAAA-AAAA"])
    assert bob.get("/v1/requests/AAAA-AAAA").json["envelope"] == e
    d = decide(bob, e)
    t.until(lambda: courier.files() == ["decision-1.json"])
    assert json.loads((courier.inbox / "decision-1.json").read_text()) == d
    courier.settle("AAAA-AAAA")
    t.until(lambda: shown(bob) == [])
    assert shown(bob, "all") == ["AAAA-AAAA"]
    t.until(lambda: courier.remembered()["requests"] == [])
    assert list(courier.inbox.glob(".*")) == []


def test_new_file_is_sent_while_a_long_poll_runs(hub, courier, bob):
    courier.request("AAAA-AAAA")
    t.until(lambda: shown(bob) == ["AAAA-AAAA"])
    begun = time.monotonic()
    courier.request("BBBB-BBBB")
    t.until(lambda: shown(bob) == ["AAAA-AAAA", "BBBB-BBBB"])
    assert time.monotonic() - begun < 5


def test_files_that_are_not_the_couriers(hub, courier, bob):
    for name in ("request-x.json", "request-AAAA-AAAA", "README", ".tmp-request-AAAA-AAAA.json", "request-AAAA-AAAA.json.bak",
                 "receipt-.json.json.json" + "x" * 60 + ".json"):
        (courier.outbox / name).write_text(json.dumps(t.request("AAAA-AAAA")))
    (courier.outbox / "request-BBBB-BBBB.json").symlink_to("/etc/hostname")
    os.mkfifo(courier.outbox / "request-CCCC-CCCC.json")
    (courier.outbox / "request-DDDD-DDDD.json").write_text("x" * 70000)
    courier.request("EEEE-EEEE")
    t.until(lambda: shown(bob) == ["EEEE-EEEE"])
    assert courier.process.alive()


def test_request_that_the_hub_will_not_take_stops_nothing(hub, courier, bob):
    courier.offer("request-AAAA-AAAA.json", "garbage")
    courier.offer("request-BBBB-BBBB.json", t.request("BBBB-BBBB", host="web2"))
    courier.request("CCCC-CCCC")
    t.until(lambda: shown(bob) == ["CCCC-CCCC"])
    s = t.until(lambda: courier.status() if "does not take" in courier.status().get("error", "") else None)
    assert s["state"] == "reachable"
    for rid in ("AAAA-AAAA", "BBBB-BBBB"):
        courier.settle(rid)
    t.until(lambda: "error" not in courier.status())


def test_receipts_go_once(hub, courier, bob):
    courier.request("AAAA-AAAA")
    r = [t.receipt("AAAA-AAAA", n) for n in range(3)]
    for n in range(3):
        courier.offer(f"receipt-AAAA-AAAA-{n:03}.json", r[n])
    courier.offer("receipt-BBBB-BBBB-000.json", t.receipt("BBBB-BBBB", 1))  # nobody knows that request
    t.until(lambda: len(courier.remembered().get("receipts", [])) == 4)
    assert bob.get("/v1/requests/AAAA-AAAA").json["receipts"] == r
    sent = hub.process.text().count("receipt")
    courier.restart()
    courier.request("CCCC-CCCC")
    t.until(lambda: shown(bob) == ["AAAA-AAAA", "CCCC-CCCC"])
    assert hub.process.text().count("receipt") == sent
    (courier.outbox / "receipt-AAAA-AAAA-000.json").unlink()
    courier.settle("CCCC-CCCC")
    t.until(lambda: len(courier.remembered()["receipts"]) == 3)


def test_revocation_comes_while_nothing_is_pending(hub, courier, bob):
    e = courier.request("AAAA-AAAA")
    t.until(lambda: shown(bob) == ["AAAA-AAAA"])
    courier.settle("AAAA-AAAA")
    t.until(lambda: shown(bob) == [])
    decide(bob, e, "revoke")
    # the long-poll that still runs brings it; later it is one each minute
    t.until(lambda: courier.files() == ["revoke-1.json"])


@pytest.mark.parametrize("kill", [False, True])
def test_courier_restarts(hub, courier, bob, kill):
    e = courier.request("AAAA-AAAA")
    t.until(lambda: shown(bob) == ["AAAA-AAAA"])
    decide(bob, e, note="one")
    t.until(lambda: courier.files() == ["decision-1.json"])
    (courier.inbox / "decision-1.json").unlink()  # as jitd does
    courier.restart(kill)
    decide(bob, e, note="two")
    t.until(lambda: courier.files() == ["decision-2.json"])
    courier.process.kill() if kill else courier.process.stop()
    courier.settle("AAAA-AAAA")
    decide(bob, e, "deny")
    courier.start()
    t.until(lambda: shown(bob) == [])  # what ended while it was away
    t.until(lambda: courier.files() == ["decision-2.json", "decision-3.json"])


@pytest.mark.parametrize("kill", [False, True])
def test_hub_restarts(hub, courier, bob, kill):
    first = courier.request("AAAA-AAAA")
    t.until(lambda: shown(bob) == ["AAAA-AAAA"])
    hub.restart(kill)
    decide(bob, first)
    t.until(lambda: courier.files() == ["decision-1.json"])
    hub.process.kill() if kill else hub.stop()
    courier.settle("AAAA-AAAA")
    courier.request("BBBB-BBBB")
    courier.offer("receipt-AAAA-AAAA-001.json", t.receipt("AAAA-AAAA", 1))
    hub.start()
    t.until(lambda: shown(bob) == ["BBBB-BBBB"])
    t.until(lambda: len(bob.get("/v1/requests/AAAA-AAAA").json["receipts"]) == 1)
    assert courier.files() == ["decision-1.json"]


def test_hub_comes_back_with_an_older_store(hub, courier, bob, tmp_path):
    """What is pending is handed over again, decisions go on behind the courier's cursor."""
    first = courier.request("AAAA-AAAA")
    t.until(lambda: shown(bob) == ["AAAA-AAAA"])
    hub.stop()
    old = {p: p.read_bytes() for p in hub.state.iterdir()}
    hub.start()
    second = courier.request("BBBB-BBBB")
    t.until(lambda: shown(bob) == ["AAAA-AAAA", "BBBB-BBBB"])
    decide(bob, second)
    t.until(lambda: courier.files() == ["decision-1.json"])
    hub.process.kill()
    for p in hub.state.iterdir():
        p.unlink()
    for p, data in old.items():
        p.write_bytes(data)
        p.chmod(0o600)
    hub.start()
    t.until(lambda: shown(bob) == ["AAAA-AAAA", "BBBB-BBBB"])
    decide(bob, first)
    t.until(lambda: courier.files() == ["decision-1.json", "decision-2.json"])


def test_both_killed_again_and_again(hub, courier, bob):
    """Every decision arrives exactly once, whatever dies."""
    e = courier.request("AAAA-AAAA")
    t.until(lambda: shown(bob) == ["AAAA-AAAA"])
    for n in range(8):
        decide(bob, e, note=str(n))
        if n % 2:
            courier.restart(kill=True)
        if n % 3 == 1:
            hub.restart(kill=True)
    want = [f"decision-{n}.json" for n in range(1, 9)]
    t.until(lambda: courier.files() == sorted(want))
    notes = [json.loads(json.loads((courier.inbox / f).read_text())["document"])["note"] for f in want]
    assert notes == [str(n) for n in range(8)]
    assert len(hub.client(hub.hosts["web1"]).get("/v1/host/inbox").json["items"]) == 8


def test_staged_files_of_a_former_run(hub, courier, bob):
    """Killed between the cursor and the renaming: those it answers for are finished, others fetched again."""
    courier.process.stop()
    state = courier.remembered() or {"v": 1, "requests": [], "receipts": []}
    e = t.request("AAAA-AAAA")
    host = hub.client(hub.hosts["web1"])
    host.put("/v1/host/requests/AAAA-AAAA", e)
    for n in range(2):
        decide(bob, e, note=str(n))
    import hashlib
    state.update(cursor=1, enrollment=hashlib.sha256(hub.hosts["web1"].encode()).hexdigest())
    (courier.state / "state.json").write_text(json.dumps(state))
    (courier.inbox / ".tmp-courier-decision-1.json").write_text("the first")
    (courier.inbox / ".tmp-courier-decision-2.json").write_text("torn")
    (courier.inbox / ".tmp-other").write_text("not the courier's")
    courier.request("BBBB-BBBB")
    courier.start()
    t.until(lambda: courier.files() == ["decision-1.json", "decision-2.json"])
    assert (courier.inbox / "decision-1.json").read_text() == "the first"
    assert json.loads((courier.inbox / "decision-2.json").read_text())["type"] == "decision"
    assert sorted(p.name for p in courier.inbox.glob(".*")) == [".tmp-other"]


def test_new_enrollment_starts_anew(hub, courier, bob):
    e = courier.request("AAAA-AAAA")
    t.until(lambda: shown(bob) == ["AAAA-AAAA"])
    decide(bob, e)
    t.until(lambda: courier.remembered().get("cursor") == 1)
    assert hub.command("remove", "web1").returncode == 0
    t.until(lambda: courier.status().get("state") in ("refused", "reachable"))
    hub.enroll("web1")
    courier.secret(hub.hosts["web1"])
    courier.request("BBBB-BBBB")
    t.until(lambda: shown(bob) == ["AAAA-AAAA", "BBBB-BBBB"], 60)
    d = decide(bob, e, note="again")
    t.until(lambda: json.loads((courier.inbox / "decision-1.json").read_text()) == d)


def test_status(hub, courier, bob):
    t.until(lambda: courier.status().get("state") == "reachable")
    s = courier.status()
    assert s["hub"] == f"http://127.0.0.1:{hub.port}" and s["pending"] == 0 and "error" not in s and "last_delivery" not in s
    assert stat.S_IMODE(courier.status_file.stat().st_mode) == 0o644
    e = courier.request("AAAA-AAAA")
    t.until(lambda: courier.status()["pending"] == 0 and "last_delivery" in courier.status())
    t.until(lambda: shown(bob) == ["AAAA-AAAA"])
    decide(bob, e)
    t.until(lambda: "last_collection" in courier.status())
    hub.process.kill()
    for s in hub.sockets:
        s.close()
    courier.request("BBBB-BBBB")
    s = t.until(lambda: courier.status() if courier.status()["state"] == "unreachable" else None)
    assert s["error"] and s["since"]
    t.until(lambda: (courier.status()["pending"], courier.status()["undelivered"]) == (1, ["BBBB-BBBB"]))
    hub.sockets = []


def test_secret_that_the_hub_does_not_know(hub, tmp_path):
    c = t.Courier(tmp_path, f"http://127.0.0.1:{hub.port}", "wrong" * 8)
    try:
        c.request("AAAA-AAAA")
        s = t.until(lambda: c.status() if c.status().get("state") == "refused" else None)
        assert "401" in s["error"]
    finally:
        c.close()
    assert "wrongwrong" not in c.process.text() and "wrongwrong" not in c.status_file.read_text()


@pytest.mark.parametrize("conf, secret, words", [
    ("", None, "not enrolled"),
    ("Colour=red\n", "s" * 32, "Colour= is unknown"),
    ("Hub=http://hub.example\n", "s" * 32, "in the clear"),
    ("Hub=ftp://127.0.0.1\n", "s" * 32, "https"),
    ("Hub=nonsense://\n", "s" * 32, "Hub="),
    ("Hub=https://user:word@hub\n", "s" * 32, "Hub="),
    ("Pin=md5//x\n", "s" * 32, "Pin="),
    ("CA=ca.pem\n", "s" * 32, "absolute path"),
    ("Insecure=maybe\n", "s" * 32, "is yes or no"),
    ("SecretFile=/nonexistent/secret\n", "s" * 32, "not enrolled"),
])
def test_unconfigured_is_said_and_waited_out(tmp_path, conf, secret, words):
    c = t.Courier(tmp_path, "http://127.0.0.1:1", secret, conf)
    try:
        s = t.until(lambda: c.status() if c.status().get("error") else None)
        assert s["state"] == "unconfigured" and words in s["error"]
        assert c.process.alive()
    finally:
        c.close()


def test_insecure_may_give_its_reason(hub, tmp_path):
    c = t.Courier(tmp_path, f"http://127.0.0.1:{hub.port}", "s" * 32, "Insecure=yes # a laboratory\n")
    try:
        t.until(lambda: c.status().get("state") == "refused")  # reached, though the secret is wrong
    finally:
        c.close()


def test_secret_that_others_can_read(tmp_path):
    c = t.Courier(tmp_path, "http://127.0.0.1:1", start=False)
    (c.state / "secret").chmod(0o644)
    c.start()
    try:
        t.until(lambda: "others can read it" in c.status().get("error", ""))
    finally:
        c.close()


def test_reload_takes_a_new_configuration(hub, tmp_path):
    hub.enroll("web1")
    c = t.Courier(tmp_path, "http://127.0.0.1:1", hub.hosts["web1"])
    try:
        t.until(lambda: c.status().get("state") == "unreachable")
        c.conf.write_text(f"[Courier]\nHub=http://127.0.0.1:{hub.port}/\n")
        c.process.p.send_signal(1)
        t.until(lambda: c.status().get("state") == "reachable")
    finally:
        c.close()


def test_missing_outbox_and_inbox_are_waited_for(hub, tmp_path, keys):
    hub.enroll("web1")
    c = t.Courier(tmp_path, f"http://127.0.0.1:{hub.port}", hub.hosts["web1"], start=False)
    c.outbox.rmdir()
    c.start()
    try:
        t.until(lambda: "outbox" in c.process.text())
        c.outbox.mkdir()
        c.process.p.send_signal(1)  # else it looks again every 15 s
        c.request("AAAA-AAAA")
        bob = hub.approver("bob", keys["bob"])
        t.until(lambda: shown(bob) == ["AAAA-AAAA"])
        # the folder replaced while it is watched
        c.outbox.rename(tmp_path / "old")
        c.outbox.mkdir()
        c.request("BBBB-BBBB")
        t.until(lambda: "BBBB-BBBB" in shown(bob), 40)
    finally:
        c.close()


def test_full_inbox_loses_nothing(hub, tmp_path, keys):
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k,nr_inodes=8", "none", inbox], check=False).returncode:
        pytest.skip("no mount here")
    c = None
    try:
        hub.enroll("web1")
        bob = hub.approver("bob", keys["bob"])
        c = t.Courier(tmp_path, f"http://127.0.0.1:{hub.port}", hub.hosts["web1"])
        e = c.request("AAAA-AAAA")
        t.until(lambda: shown(bob) == ["AAAA-AAAA"])
        for n in range(16):
            decide(bob, e, note=f"{n:02}" + "x" * 9000)
        t.until(lambda: "the inbox is full" in c.status().get("error", ""))
        assert list(inbox.glob(".*")) == []
        got = {}

        def take():
            for f in inbox.glob("*.json"):
                got[f.name] = json.loads(json.loads(f.read_text())["document"])["note"][:2]
                f.unlink()
            return len(got) == 16
        t.until(take, 120)
        assert got == {f"decision-{n + 1}.json": f"{n:02}" for n in range(16)}
    finally:
        if c:
            c.close()
        subprocess.run(["umount", inbox], check=True)


def test_full_state_directory_moves_no_cursor(hub, tmp_path, keys):
    state = tmp_path / "courier-state"
    state.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k,nr_inodes=32", "none", state], check=False).returncode:
        pytest.skip("no mount here")
    c = None
    try:
        hub.enroll("web1")
        bob = hub.approver("bob", keys["bob"])
        c = t.Courier(tmp_path, f"http://127.0.0.1:{hub.port}", hub.hosts["web1"])
        e = c.request("AAAA-AAAA")
        t.until(lambda: shown(bob) == ["AAAA-AAAA"])
        ballast = state / "ballast"
        fd = os.open(ballast, os.O_WRONLY | os.O_CREAT)
        with pytest.raises(OSError):
            while True:
                os.write(fd, b"x" * 4096)
        os.close(fd)
        decide(bob, e)
        t.until(lambda: "cannot be written" in c.status().get("error", "") or "full" in c.status().get("error", ""))
        assert c.files() == [] and list(c.inbox.glob(".*")) == []
        ballast.unlink()
        t.until(lambda: c.files() == ["decision-1.json"], 60)
    finally:
        if c:
            c.close()
        subprocess.run(["umount", state], check=True)


def test_many_requests(hub, courier, bob):
    ids = [t.request_id(n) for n in range(60)]
    for rid in ids:
        courier.request(rid)
    t.until(lambda: sorted(shown(bob)) == sorted(ids))
    for rid in ids:
        courier.settle(rid)
    t.until(lambda: shown(bob) == [])


def test_damaged_state_is_no_end(hub, courier, bob):
    e = courier.request("AAAA-AAAA")
    t.until(lambda: shown(bob) == ["AAAA-AAAA"])
    for damage in (b"", b"{", b"\0" * 100, b'{"v":1,"cursor":"x"}', b'{"v":2}', b"x" * 2_000_000):
        courier.process.stop()
        (courier.state / "state.json").write_bytes(damage)
        courier.start()
        t.until(lambda: courier.remembered().get("requests") == ["AAAA-AAAA"])
    decide(bob, e)
    t.until(lambda: courier.files() == ["decision-1.json"])


# ---------------------------------------------------------------------------------------------------------- enrollment

def enroll(directory, *args, stdin=None):
    c = t.Courier(directory, "http://127.0.0.1:1", None, start=False)
    p = subprocess.run(c.argv("enroll", *args), capture_output=True, text=True, check=False, input=stdin, timeout=60)
    assert "Sanitizer" not in p.stderr, p.stderr
    return c, p


def test_enroll(hub, tmp_path, keys):
    key = keys["mallory"].path.with_suffix(".pub")
    url = f"http://127.0.0.1:{hub.port}"
    c, p = enroll(tmp_path, "--hub", url, "--host", "web1", "--key", key, hub.token("web1"))
    assert p.returncode == 0, p.stderr
    secret = c.state / "secret"
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert hub.client(secret.read_text().strip()).get("/v1/host/inbox").status == 200
    assert secret.read_text().strip() not in p.stdout + p.stderr
    machine = open("/etc/machine-id").read().strip()
    hosts = hub.approver("bob", keys["bob"]).get("/v1/hosts").json["hosts"]
    assert [(h["host"], h["machine"], h["key"]) for h in hosts] == [("web1", machine, keys["mallory"].public)]
    before = secret.read_text()
    _, p = enroll(tmp_path, "--hub", url, "--host", "web1", "--key", key, "0" * 64)
    assert p.returncode == 1 and "not valid" in p.stderr and secret.read_text() == before
    _, p = enroll(tmp_path, "--hub", url, "--host", "web1", "--key", key, "-", stdin=hub.token("web1") + "\n")
    assert p.returncode == 0 and secret.read_text() != before


def test_enroll_says_what_is_left_to_do(hub, tmp_path, keys):
    c = t.Courier(tmp_path, "http://127.0.0.1:1", None, start=False)
    url, key = f"http://127.0.0.1:{hub.port}", keys["mallory"].path.with_suffix(".pub")
    run = lambda: subprocess.run(c.argv("enroll", "--hub", url, "--host", "web1", "--key", key, hub.token("web1")),  # noqa: E731
                                 capture_output=True, text=True, check=True, timeout=60).stdout
    assert "Hub=" not in run()
    c.conf.unlink()
    said = run()
    c.conf.write_text(said[said.index("[Courier]"):])
    c.start()
    try:
        t.until(lambda: c.status().get("state") == "reachable")
    finally:
        c.close()


def test_enrollment_is_taken_by_a_running_courier_at_once(hub, tmp_path, keys):
    url, key = f"http://127.0.0.1:{hub.port}", keys["mallory"].path.with_suffix(".pub")
    c = t.Courier(tmp_path, url, None)
    try:
        t.until(lambda: c.status().get("state") == "unconfigured")
        for _ in range(2):
            begun = time.monotonic()
            subprocess.run(c.argv("enroll", "--host", "web1", "--key", key, hub.token("web1")), capture_output=True, check=True)
            t.until(lambda: c.status()["state"] == "reachable")
            assert time.monotonic() - begun < 10
            # the host is removed: its courier is turned away until it is enrolled again
            hub.command("remove", "web1")
            c.request("AAAA-AAAA")
            t.until(lambda: c.status()["state"] == "refused")
            c.settle("AAAA-AAAA")
    finally:
        c.close()


@pytest.mark.parametrize("args, code, words", [
    (["--host", "web1", "T"], 4, "cannot be reached"),
    (["--hub", "http://hub.example", "--host", "web1", "T"], 2, "in the clear"),
    (["--hub", "http://127.0.0.1:1", "T"], 2, "--host"),
    (["--hub", "http://127.0.0.1:1", "--host", "a b", "T"], 2, "--host"),
    (["--hub", "http://127.0.0.1:1", "--host", "web1"], 2, "token"),
    (["--hub", "http://127.0.0.1:1", "--host", "web1", "a", "b"], 2, "token"),
    (["--pin", "x", "--host", "web1", "T"], 2, "Pin="),
    (["--frobnicate"], 2, "frobnicate"),
])
def test_enroll_refuses(tmp_path, keys, args, code, words):
    _, p = enroll(tmp_path, "--key", keys["bob"].path.with_suffix(".pub"), *args)
    assert (p.returncode, words in p.stderr) == (code, True), p.stderr


def test_enroll_takes_no_private_key(tmp_path, keys):
    c, p = enroll(tmp_path, "--hub", "http://127.0.0.1:1", "--host", "web1", "--key", keys["bob"].path, "T")
    assert p.returncode == 1 and "no public key" in p.stderr
    assert not (c.state / "secret").exists()


def test_command_line():
    run = lambda *a: subprocess.run([t.BUILD / "jit-courier", *a], capture_output=True, text=True, check=False)  # noqa: E731
    assert run("--version").stdout.startswith("jit-courier ")
    assert run("--help").returncode == 0
    assert run("--frobnicate").returncode == 2 and run("frobnicate").returncode == 2
