"""What one client can cost: bodies, rates, pending requests, connections."""
import http.client
import json
import socket
import sqlite3
import time

import hubtest as t


def test_body_too_large(hub):
    host = hub.enroll("web1")
    for size in (73728 + 1, 200_000, 5_000_000):
        c = http.client.HTTPConnection("127.0.0.1", hub.port, timeout=20)
        c.putrequest("PUT", "/v1/host/requests/AAAA-AAAA")
        c.putheader("Authorization", f"Bearer {host.bearer}")
        c.putheader("Content-Length", str(size))
        c.endheaders()
        r = c.getresponse()
        assert r.status == 413 and json.loads(r.read())["error"]["code"] == "size"
        c.close()


def test_chunked_body_too_large(hub):
    host = hub.enroll("web1")
    head = f"PUT /v1/host/requests/AAAA-AAAA HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {host.bearer}\r\n" \
           "Transfer-Encoding: chunked\r\n\r\n"
    with socket.create_connection(("127.0.0.1", hub.port), 20) as s:
        s.sendall(head.encode() + b"10000\r\n" + b"x" * 65536 + b"\r\n8000\r\n" + b"x" * 32768 + b"\r\n0\r\n\r\n")
        r = http.client.HTTPResponse(s)
        r.begin()
        assert r.status == 413
    # one that never ends is cut off
    with socket.create_connection(("127.0.0.1", hub.port), 20) as s:
        s.sendall(head.encode())
        try:
            for _ in range(10000):
                s.sendall(b"10000\r\n" + b"x" * 65536 + b"\r\n")
        except OSError:
            pass
        else:
            raise AssertionError("600 MB were taken")
    assert hub.process.alive()


def test_largest_envelope_fits(hub, keys):
    host, bob = hub.enroll("web1"), hub.approver("bob", keys["bob"])
    room = 65536 - len(json.dumps(t.request("AAAA-AAAA", reason="")))
    e = t.request("AAAA-AAAA", reason="x" * room)
    assert len(json.dumps(e)) == 65536
    assert host.put("/v1/host/requests/AAAA-AAAA", e).status == 201
    assert host.put("/v1/host/requests/BBBB-BBBB", t.request("BBBB-BBBB", reason="x" * (room + 1))).status == 400
    d = t.decision(e, "bob", note="x" * 60000)
    assert bob.post("/v1/requests/AAAA-AAAA/decisions", {"host": "web1", "envelope": d}).status == 202
    assert host.get("/v1/host/inbox").json["items"][0]["envelope"] == d


def test_headers_too_large(hub):
    a = hub.client().call("GET", "/v1/status", headers={})
    assert a.status == 200
    with socket.create_connection(("127.0.0.1", hub.port), 20) as s:
        s.sendall(b"GET /v1/status HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 100_000 + b"\r\n\r\n")
        got = s.recv(4096)
        assert got == b"" or b" 4" in got.split(b"\r\n")[0]
    assert hub.client().get("/v1/status").status == 200


def test_rate_of_a_host(hub):
    host, other = hub.enroll("web1"), hub.enroll("web2")
    statuses = [host.get("/v1/host/inbox").status for _ in range(640)]
    assert statuses[:600] == [200] * 600 and statuses.count(429) > 20
    a = host.get("/v1/host/inbox")
    assert (a.status, a.code) == (429, "busy") and 1 <= int(a.headers["Retry-After"]) <= 60
    assert other.get("/v1/host/inbox").status == 200
    # what it does not use it gets back
    t.until(lambda: host.get("/v1/host/inbox").status == 200)


def test_rate_without_credentials(hub, keys):
    bob = hub.approver("bob", keys["bob"])
    guesses = [t.Client(hub.port, "0" * 64, source="127.0.0.7").get("/v1/requests").status for _ in range(140)]
    assert guesses[:100] == [401] * 100 and 429 in guesses
    assert t.Client(hub.port, source="127.0.0.7").post("/v1/login/challenge", {"principal": "bob"}).status == 429
    # who is signed in is not held up by a neighbour's guesses, nor are other addresses
    assert t.Client(hub.port, bob.bearer, source="127.0.0.7").get("/v1/requests").status == 200
    assert hub.client().get("/v1/status").status == 200


def test_answers_of_one_approver_are_bounded(hub, keys):
    host, bob, carol = hub.enroll("web1"), hub.approver("bob", keys["bob"]), hub.approver("carol", keys["carol"])
    e = t.request("AAAA-AAAA")
    host.put("/v1/host/requests/AAAA-AAAA", e)
    post = lambda c, d: c.post("/v1/requests/AAAA-AAAA/decisions", {"host": "web1", "envelope": d}).status  # noqa: E731
    assert [post(bob, t.decision(e, "bob", note=str(n))) for n in range(17)] == [202] * 16 + [429]
    assert post(bob, t.decision(e, "bob", note="0")) in (202, 429)
    assert post(carol, t.decision(e, "carol")) == 202
    assert len(host.get("/v1/host/inbox").json["items"]) == 17


def test_receipts_of_one_request_are_bounded(hub, keys):
    host, bob = hub.enroll("web1"), hub.approver("bob", keys["bob"])
    host.put("/v1/host/requests/AAAA-AAAA", t.request("AAAA-AAAA"))
    assert host.put("/v1/host/receipts/big", t.receipt("AAAA-AAAA", 1, text="x" * 9000)).status == 413
    statuses = [host.put(f"/v1/host/receipts/r-{n}", t.receipt("AAAA-AAAA", n, text="x" * 7000)).status for n in range(257)]
    assert statuses == [201] * 256 + [429]
    a = bob.get("/v1/requests")
    assert len(a.body) < 1024 * 1024 and a.json["requests"][0]["receipts_cut"] is True
    assert len(bob.get("/v1/requests/AAAA-AAAA/receipts").json["receipts"]) == 256


def fill(hub, host, count, settled):
    """Requests of HOST straight into the store, as if they had come."""
    with sqlite3.connect(hub.state / "hub.db") as db:
        for n in range(count):
            rid = t.request_id(n + 5000)
            text = json.dumps(t.request(rid, host=host), separators=(",", ":"))
            now = int(time.time() * 1e6)
            db.execute("INSERT INTO request(host, id, envelope, digest, received, until, settled, n) VALUES(?,?,?,?,?,?,?,?)",
                       (host, rid, text, "0" * 64, now, now + 3600 * 10**6, settled and now, n))
    db.close()


def test_pending_requests_of_a_host_are_bounded(hub):
    host, other = hub.enroll("web1"), hub.enroll("web2")
    fill(hub, "web1", 1999, False)
    assert host.put("/v1/host/requests/AAAA-AAAA", t.request("AAAA-AAAA")).status == 201
    a = host.put("/v1/host/requests/BBBB-BBBB", t.request("BBBB-BBBB"))
    assert (a.status, a.code) == (429, "busy") and a.headers["Retry-After"]
    assert host.put("/v1/host/requests/AAAA-AAAA", t.request("AAAA-AAAA")).status in (200, 409)
    assert other.put("/v1/host/requests/AAAA-AAAA", t.request("AAAA-AAAA", host="web2")).status == 201
    assert host.delete("/v1/host/requests/AAAA-AAAA").status == 204
    assert host.put("/v1/host/requests/BBBB-BBBB", t.request("BBBB-BBBB")).status == 201


def test_kept_requests_of_a_host_are_bounded(hub):
    host = hub.enroll("web1")
    fill(hub, "web1", 20000, True)
    assert host.put("/v1/host/requests/AAAA-AAAA", t.request("AAAA-AAAA")).status == 429


def test_kept_bytes_of_a_host_are_bounded(hub):
    host, other = hub.enroll("web1"), hub.enroll("web2")
    host.put("/v1/host/requests/AAAA-AAAA", t.request("AAAA-AAAA"))
    bytes_ = lambda: dict(db.execute("SELECT name, bytes FROM host").fetchall())  # noqa: E731
    with sqlite3.connect(hub.state / "hub.db", isolation_level=None) as db:
        first = bytes_()["web1"]
        assert first > 500 and bytes_()["web2"] == 0
        host.put("/v1/host/receipts/r1", t.receipt("AAAA-AAAA", 1))
        host.put("/v1/host/receipts/r1", t.receipt("AAAA-AAAA", 1))
        both = bytes_()["web1"]
        assert first + 100 < both < first + 1000
        db.execute("UPDATE host SET bytes = ? WHERE name = 'web1'", (256 << 20,))
        assert host.put("/v1/host/requests/BBBB-BBBB", t.request("BBBB-BBBB")).status == 429
        assert host.put("/v1/host/receipts/r2", t.receipt("AAAA-AAAA", 2)).status == 429
        assert host.put("/v1/host/requests/AAAA-AAAA", t.request("AAAA-AAAA")).status in (200, 409)
        assert other.put("/v1/host/requests/BBBB-BBBB", t.request("BBBB-BBBB", host="web2")).status == 201
        # what went for its age makes room
        db.execute("INSERT INTO request(host, id, envelope, digest, received, until, n) VALUES('web1', 'X', '', '', 1, 1, 1)")
        hub.restart()
        t.until(lambda: bytes_()["web1"] == both)
    assert host.put("/v1/host/requests/BBBB-BBBB", t.request("BBBB-BBBB")).status == 201


def test_half_open_connections_are_bounded(hub):
    """1000 that say half a line: their address is held to its share, everybody else is served."""
    held = []
    for n in range(1000):
        s = socket.socket()
        s.settimeout(20)
        s.bind(("127.0.0.2", 0))
        s.connect(("127.0.0.1", hub.port))
        s.sendall(b"GET /v1/sta")
        held.append(s)
    assert hub.client().get("/v1/status", timeout=10).status == 200

    def open_ones():
        n = 0
        for s in held:
            s.setblocking(False)
            try:
                n += s.recv(1, socket.MSG_PEEK) != b""
            except BlockingIOError:
                n += 1
            except OSError:
                pass
        return n
    t.until(lambda: open_ones() <= 256)
    host = hub.enroll("web1")
    assert host.put("/v1/host/requests/AAAA-AAAA", t.request("AAAA-AAAA")).status == 201
    for s in held:
        s.close()


def test_dawdlers_are_cut_off(hub):
    """A byte now and then is no life sign: a request has to be whole in half a minute."""
    s = socket.create_connection(("127.0.0.1", hub.port), 60)
    begun = time.monotonic()
    s.settimeout(0.5)
    s.sendall(b"GET /v1/status HTTP/1.1\r\nX: ")
    while time.monotonic() - begun < 50:
        try:
            s.sendall(b"y")
            if s.recv(1) == b"":
                break
        except TimeoutError:
            continue
        except OSError:
            break
    else:
        raise AssertionError("still there after 50 s")
    assert 25 < time.monotonic() - begun < 45
