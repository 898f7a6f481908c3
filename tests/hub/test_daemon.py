"""jit-hub as a daemon: sockets, TLS, configuration, restarts, store."""
import os
import socket
import sqlite3
import ssl
import subprocess

import pytest

import hubtest as t


def test_restart_loses_and_doubles_nothing(hub, keys):
    host, bob = hub.enroll("web1"), hub.approver("bob", keys["bob"])
    e = t.request("AAAA-AAAA")
    for kill in (False, True):
        host.put("/v1/host/requests/AAAA-AAAA", e)
        bob.post("/v1/requests/AAAA-AAAA/decisions", {"host": "web1", "envelope": t.decision(e, "bob", note="n")})
        host.put("/v1/host/receipts/r1", t.receipt("AAAA-AAAA", 1, time="2026-01-01T00:00:00Z"))
        before = bob.get("/v1/requests").json
        inbox = host.get("/v1/host/inbox").json["items"]
        hub.restart(kill)
        assert bob.get("/v1/requests").json == before
        assert host.get("/v1/host/inbox").json["items"] == inbox
    assert len(before["requests"]) == 1 and len(before["requests"][0]["receipts"]) == 1


def test_killed_in_mid_write(hub, keys):
    """What was acknowledged is there afterwards, whenever the hub is killed."""
    host = hub.enroll("web1")
    taken = set()

    def put_all():
        for n in range(500):
            rid = t.request_id(n)
            try:
                if host.put(f"/v1/host/requests/{rid}", t.request(rid), timeout=5).status == 201:
                    taken.add(rid)
            except OSError:
                return
    call = t.later(put_all)
    t.until(lambda: len(taken) > 30)
    hub.process.kill()
    call()
    hub.start()
    bob = hub.approver("bob", keys["bob"])
    there = {r["id"] for r in bob.get("/v1/requests").json["requests"]}
    assert taken <= there and len(there - taken) <= 1


def test_connections_wait_in_the_socket_while_the_hub_is_away(hub):
    hub.stop()
    call = t.later(hub.client().get, "/v1/status")
    hub.start()
    assert call().status == 200


def test_two_sockets(tmp_path):
    h = t.Hub(tmp_path, sockets=2)
    try:
        for s in h.sockets:
            assert t.Client(s.getsockname()[1]).get("/v1/status").status == 200
    finally:
        h.close()


def test_listen_in_the_configuration(tmp_path):
    ports = [t.free_port(), t.free_port()]
    h = t.Hub(tmp_path, conf="".join(f"Listen=127.0.0.1:{p}\n" for p in ports) + "Listen=[::1]:0\n", sockets=0 + 1)
    h.close()
    p = t.Process([t.BUILD / "jit-hub", "--config", h.conf, "--state", h.state], tmp_path / "second.log")
    try:
        for port in ports:
            assert t.Client(port).get("/v1/status").status == 200
        assert "listening on ::1 port" in p.text()
    finally:
        p.stop()


def end_of(hub_dir, conf, state=None, fds=()):
    """The exit code and the log of a hub that must not start."""
    hub_dir.mkdir(exist_ok=True)
    state = state or hub_dir / "state"
    state.mkdir(exist_ok=True, mode=0o700)
    (hub_dir / "hub.conf").write_text(conf)
    p = t.Process([t.BUILD / "jit-hub", "--config", hub_dir / "hub.conf", "--state", state], hub_dir / "log", fds=fds)
    code = p.p.wait(t.DEADLINE)
    return code, p.text()


@pytest.mark.parametrize("conf, words", [
    ("[Hub]\nListen=0.0.0.0:0\n", "plain HTTP on 0.0.0.0"),
    ("[Hub]\nListen=127.0.0.1\n", "hub.conf:2: Listen= needs ADDRESS:PORT"),
    ("[Hub]\nListen=localhost:80\n", "numeric addresses only"),
    ("[Hub]\nCertificate=/x\n", "Certificate= and PrivateKey= need each other"),
    ("[Hub]\nCertificate=/nonexistent\nPrivateKey=/nonexistent\n", "/nonexistent"),
    ("[Hub]\nCertificate=x\n", "needs an absolute path"),
    ("[Hub]\nColour=red\n", "hub.conf:2: unknown key 'Colour'"),
    ("[Haube]\nListen=127.0.0.1:0\n", "unknown section [Haube]"),
    ("[Hub]\nInsecure=perhaps\n", "is yes or no"),
    ("[Hub]\nSessionFor=40d\n", "SessionFor= is 1min to 30d"),
    ("[Hub]\nConnectionsPerAddress=many\n", "is a number of connections"),
])
def test_bad_configuration(tmp_path, conf, words):
    code, text = end_of(tmp_path / "h", conf)
    assert code == 1 and words in text, text


def test_missing_configuration_file_that_was_named(tmp_path):
    (tmp_path / "state").mkdir()
    p = subprocess.run([t.BUILD / "jit-hub", "--config", tmp_path / "none", "--state", tmp_path / "state"], capture_output=True,
                       text=True, check=False)
    assert p.returncode == 1 and "none" in p.stderr


def test_passed_socket_beyond_loopback_needs_tls_or_the_word(tmp_path):
    s = t.listening_socket("0.0.0.0")
    code, text = end_of(tmp_path / "h", "[Hub]\n", fds=[s.fileno()])
    assert code == 1 and "plain HTTP on 0.0.0.0" in text
    h = t.Hub(tmp_path, conf="Insecure=yes\n", address="0.0.0.0")
    try:
        assert h.client().get("/v1/status").status == 200
    finally:
        h.close()
    s.close()


def test_what_systemd_passes_must_be_a_listening_stream(tmp_path):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        code, text = end_of(tmp_path / "h", "[Hub]\n", fds=[s.fileno()])
    assert code == 1 and "no listening stream socket" in text


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the versions that must be refused
def test_tls(tmp_path, keys):
    crt, key, _ = t.certificate(tmp_path)
    h = t.Hub(tmp_path, t.signer_line("bob", keys["bob"]), conf=f"Certificate={crt}\nPrivateKey={key}\n")
    try:
        h.context = ssl.create_default_context(cafile=crt)
        host, bob = h.enroll("web1"), h.approver("bob", keys["bob"])
        call = t.later(bob.get, "/v1/requests?wait=50")
        e = t.request("AAAA-AAAA", reason="x" * 40000)
        assert host.put("/v1/host/requests/AAAA-AAAA", e).status == 201
        assert call().json["requests"][0]["envelope"] == e
        with pytest.raises(ssl.SSLCertVerificationError):
            t.Client(h.port, context=ssl.create_default_context()).get("/v1/status")
        old = ssl.create_default_context(cafile=crt)
        old.set_ciphers("ALL:@SECLEVEL=0")
        old.minimum_version = ssl.TLSVersion.TLSv1
        old.maximum_version = ssl.TLSVersion.TLSv1_1
        with pytest.raises((ssl.SSLError, OSError)):
            t.Client(h.port, context=old).get("/v1/status")
        # plain text on the TLS port does no harm
        with socket.create_connection(("127.0.0.1", h.port), 10) as s:
            s.sendall(b"GET / HTTP/1.1\r\n\r\n")
            assert b"HTTP/1.1 200" not in s.recv(4096)
        t.until(lambda: host.get("/v1/host/inbox").status == 200)
    finally:
        h.close()


def test_private_key_that_others_can_write_is_refused(tmp_path):
    crt, key, _ = t.certificate(tmp_path)
    key.chmod(0o666)
    code, text = end_of(tmp_path / "h", f"[Hub]\nListen=127.0.0.1:0\nCertificate={crt}\nPrivateKey={key}\n")
    assert code == 1 and "chmod" in text


def test_not_a_pair(tmp_path):
    (tmp_path / "a").mkdir(), (tmp_path / "b").mkdir()
    crt, _, _ = t.certificate(tmp_path / "a")
    _, key, _ = t.certificate(tmp_path / "b")
    code, text = end_of(tmp_path / "h", f"[Hub]\nListen=127.0.0.1:0\nCertificate={crt}\nPrivateKey={key}\n")
    assert code == 1 and "a pair" in text


def test_store_of_a_newer_hub_is_left_alone(hub):
    hub.stop()
    with sqlite3.connect(hub.state / "hub.db") as db:
        db.execute("PRAGMA user_version = 99")
    code, text = end_of(hub.dir / "h", "[Hub]\nListen=127.0.0.1:0\n", hub.state)
    assert code == 1 and "newer jit-hub" in text
    with sqlite3.connect(hub.state / "hub.db") as db:
        assert db.execute("PRAGMA user_version").fetchone() == (99,)
        db.execute("PRAGMA user_version = 1")
    hub.start()


def test_store_that_is_none(tmp_path):
    state = tmp_path / "state"
    state.mkdir()
    (state / "hub.db").write_bytes(b"this is no database" * 100)
    code, text = end_of(tmp_path / "h", "[Hub]\nListen=127.0.0.1:0\n", state)
    assert code == 1 and "not a database" in text


def test_store_is_the_hubs_alone(hub):
    hub.enroll("web1")
    for f in hub.state.iterdir():
        assert f.stat().st_mode & 0o077 == 0, f


@pytest.mark.skipif(os.getuid() != 0, reason="needs root")
def test_root_works_as_the_stores_owner():
    d = t.scratch()
    try:
        d.chmod(0o755)
        state = d / "state"
        state.mkdir(mode=0o700)
        os.chown(state, 65534, 65534)
        p = subprocess.run([t.BUILD / "jit-hub", "--state", state, "host", "add", "web1"], capture_output=True, text=True,
                           check=False)
        assert p.returncode == 0, p.stderr
        assert {f.stat().st_uid for f in state.iterdir()} == {65534}
    finally:
        t.wipe(d)


def test_store_that_is_locked_for_long_is_said(hub):
    host = hub.enroll("web1")
    with sqlite3.connect(hub.state / "hub.db", isolation_level=None) as db:
        db.execute("BEGIN IMMEDIATE")
        a = host.put("/v1/host/requests/AAAA-AAAA", t.request("AAAA-AAAA"))
        assert (a.status, a.code) == (503, "store") and a.headers["Retry-After"]
        assert host.get("/v1/host/inbox").status == 200
        db.execute("ROLLBACK")
    assert host.put("/v1/host/requests/AAAA-AAAA", t.request("AAAA-AAAA")).status == 201


def test_old_requests_go(hub, keys):
    host, bob = hub.enroll("web1"), hub.approver("bob", keys["bob"])
    e = t.request("AAAA-AAAA")
    host.put("/v1/host/requests/AAAA-AAAA", e)
    host.put("/v1/host/requests/BBBB-BBBB", t.request("BBBB-BBBB"))
    host.put("/v1/host/receipts/r1", t.receipt("AAAA-AAAA", 1))
    bob.post("/v1/requests/AAAA-AAAA/decisions", {"host": "web1", "envelope": t.decision(e, "bob")})
    token = hub.token("invited")
    hub.stop()
    with sqlite3.connect(hub.state / "hub.db") as db:
        db.execute("UPDATE request SET received = received - ? WHERE id = 'AAAA-AAAA'", (31 * 86400 * 10**6,))
        db.execute("UPDATE host SET token_until = 1 WHERE name = 'invited'")
    hub.start()
    t.until(lambda: [r["id"] for r in bob.get("/v1/requests?state=all").json["requests"]] == ["BBBB-BBBB"])
    with sqlite3.connect(hub.state / "hub.db") as db:
        assert [db.execute(f"SELECT count(*) FROM {n}").fetchone()[0] for n in ("item", "receipt")] == [0, 0]
    assert "invited" not in hub.command("list").stdout
    assert hub.client().post("/v1/enroll", {"token": token, "host": "invited", "machine": t.MACHINE,
                                            "key": t.HOST_KEY}).status == 403


def test_expired_token(hub):
    token = hub.token("web1")
    with sqlite3.connect(hub.state / "hub.db") as db:
        db.execute("UPDATE host SET token_until = 1")
    a = hub.client().post("/v1/enroll", {"token": token, "host": "web1", "machine": t.MACHINE, "key": t.HOST_KEY})
    assert (a.status, a.code) == (403, "token")


def test_expired_session(hub, keys):
    bob = hub.approver("bob", keys["bob"])
    with sqlite3.connect(hub.state / "hub.db") as db:
        db.execute("UPDATE session SET until = 1")
    assert bob.get("/v1/requests").status == 401


def test_hup_is_survived(hub):
    hub.process.p.send_signal(1)
    t.until(lambda: "hub.conf and certificates need a restart" in hub.process.text())
    assert hub.client().get("/v1/status").status == 200


def test_log_bears_no_documents(hub, keys):
    host, bob = hub.enroll("web1"), hub.approver("bob", keys["bob"])
    e = t.request("AAAA-AAAA", reason="xyzzy-reason", argv=["xyzzy-argument"])
    host.put("/v1/host/requests/AAAA-AAAA", e)
    bob.post("/v1/requests/AAAA-AAAA/decisions", {"host": "web1", "envelope": t.decision(e, "bob", note="xyzzy-note")})
    assert "xyzzy" not in hub.process.text() and "AAAA-AAAA" in hub.process.text()


def test_command_line():
    run = lambda *a: subprocess.run([t.BUILD / "jit-hub", *a], capture_output=True, text=True, check=False)  # noqa: E731
    assert run("--version").stdout.startswith("jit-hub ")
    assert run("--help").returncode == 0
    assert run("--frobnicate").returncode == 2 and run("frobnicate").returncode == 2
