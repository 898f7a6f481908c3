"""Long-polls: woken at once, bounded, answered when the hub stops."""
import http.client
import json
import socket
import time

import hubtest as t


def waiting(hub, client, path):
    """Starts a long-poll; it is there when the hub counts its connection."""
    call = t.later(client.get, path)
    return call


def test_decision_wakes_the_host(hub, keys):
    host, bob = hub.enroll("web1"), hub.approver("bob", keys["bob"])
    e = t.request("AAAA-AAAA")
    host.put("/v1/host/requests/AAAA-AAAA", e)
    call = waiting(hub, host, "/v1/host/inbox?after=0&wait=50")
    begun = time.monotonic()
    bob.post("/v1/requests/AAAA-AAAA/decisions", {"host": "web1", "envelope": t.decision(e, "bob")})
    assert [i["n"] for i in call().json["items"]] == [1]
    assert time.monotonic() - begun < 5


def test_request_wakes_its_approvers_and_nobody_else(hub, keys):
    host = hub.enroll("web1")
    bob, dave = hub.approver("bob", keys["bob"]), hub.approver("dave", keys["dave"])
    mine, other = (waiting(hub, c, "/v1/requests?wait=50&after=0") for c in (bob, dave))
    host.put("/v1/host/requests/AAAA-AAAA", t.request("AAAA-AAAA"))
    assert [r["id"] for r in mine().json["requests"]] == ["AAAA-AAAA"]
    assert other.alive()
    hub.stop()
    assert other().json["requests"] == []
    hub.start()


def test_receipt_wakes_who_waits_for_it(hub, keys):
    host, bob = hub.enroll("web1"), hub.approver("bob", keys["bob"])
    host.put("/v1/host/requests/AAAA-AAAA", t.request("AAAA-AAAA"))
    call = waiting(hub, bob, "/v1/requests/AAAA-AAAA/receipts?wait=50")
    host.put("/v1/host/receipts/r1", t.receipt("AAAA-AAAA", 1, "applied"))
    assert len(call().json["receipts"]) == 1


def test_wait_ends_with_its_time(hub, keys):
    host = hub.enroll("web1")
    begun = time.monotonic()
    a = host.get("/v1/host/inbox?wait=1").json
    assert a["items"] == [] and a["next"] == 0
    assert 0.9 < time.monotonic() - begun < 3


def test_other_hosts_decisions_do_not_end_a_wait(hub, keys):
    web1, web2, bob = hub.enroll("web1"), hub.enroll("web2"), hub.approver("bob", keys["bob"])
    e = t.request("AAAA-AAAA", host="web2")
    web2.put("/v1/host/requests/AAAA-AAAA", e)
    call = waiting(hub, web1, "/v1/host/inbox?wait=2")
    begun = time.monotonic()
    bob.post("/v1/requests/AAAA-AAAA/decisions", {"host": "web2", "envelope": t.decision(e, "bob")})
    assert call().json["items"] == []
    assert time.monotonic() - begun > 1


def raw(hub, client, path):
    s = socket.create_connection(("127.0.0.1", hub.port), 60)
    s.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {client.bearer}\r\n\r\n".encode())
    return s


def status_of(s):
    r = http.client.HTTPResponse(s)
    r.begin()
    return r.status, r.read()


def test_long_polls_of_a_host_are_bounded(hub):
    host, other = hub.enroll("web1"), hub.enroll("web2")
    waits = [raw(hub, host, "/v1/host/inbox?wait=50") for _ in range(4)]
    # the fifth is refused once the four wait; until then each of these is one of them
    def fifth():
        with raw(hub, host, "/v1/host/inbox?wait=1") as s:
            return status_of(s)[0] == 429
    t.until(fifth)
    a = host.get("/v1/host/inbox?wait=50")
    assert (a.status, a.code) == (429, "busy") and int(a.headers["Retry-After"]) > 0
    assert host.get("/v1/host/inbox?wait=0").status == 200  # what does not wait is not counted
    assert other.get("/v1/host/inbox?wait=1").status == 200
    # those that left make room at once, though nobody noticed them go
    for s in waits:
        s.close()
    assert host.get("/v1/host/inbox?wait=1").status == 200


def test_long_polls_of_an_approver_are_bounded(hub, keys):
    bob, carol = hub.approver("bob", keys["bob"]), hub.approver("carol", keys["carol"])
    waits = [raw(hub, bob, "/v1/requests?wait=50") for _ in range(8)]
    t.until(lambda: bob.get("/v1/requests?wait=1").status == 429)
    assert carol.get("/v1/requests?wait=1").status == 200
    for s in waits:
        s.close()


def test_stop_answers_everybody(hub, keys):
    host, bob = hub.enroll("web1"), hub.approver("bob", keys["bob"])
    host.put("/v1/host/requests/AAAA-AAAA", t.request("AAAA-AAAA"))
    waits = [raw(hub, host, "/v1/host/inbox?wait=50"), raw(hub, bob, "/v1/requests?state=all&after=99&wait=50"),
             raw(hub, bob, "/v1/requests/AAAA-AAAA/receipts?wait=50")]
    t.until(lambda: host.get("/v1/host/inbox").status == 200)
    hub.stop()  # and exits 0, without an abort
    bodies = [status_of(s) for s in waits]
    assert [b[0] for b in bodies] == [200, 200, 200]
    assert json.loads(bodies[0][1])["items"] == []
    hub.start()


def test_another_run_is_told_at_once(hub):
    host = hub.enroll("web1")
    run = host.get("/v1/host/inbox").json["run"]
    begun = time.monotonic()
    assert host.get(f"/v1/host/inbox?wait=1&run={run}").json["run"] == run
    assert time.monotonic() - begun > 0.9
    hub.restart()
    begun = time.monotonic()
    assert host.get(f"/v1/host/inbox?wait=50&run={run}").json["run"] != run
    assert time.monotonic() - begun < 5


def test_waiters_that_went_are_no_trouble(hub, keys):
    host, bob = hub.enroll("web1"), hub.approver("bob", keys["bob"])
    for _ in range(4):
        raw(hub, host, "/v1/host/inbox?wait=50").close()
    e = t.request("AAAA-AAAA")
    host.put("/v1/host/requests/AAAA-AAAA", e)
    bob.post("/v1/requests/AAAA-AAAA/decisions", {"host": "web1", "envelope": t.decision(e, "bob")})
    assert len(host.get("/v1/host/inbox").json["items"]) == 1
    assert hub.process.alive()


def test_pipelined_and_kept_connections(hub):
    host = hub.enroll("web1")
    head = f"GET /v1/host/inbox HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {host.bearer}\r\n\r\n".encode()
    with socket.create_connection(("127.0.0.1", hub.port), 20) as s:
        s.sendall(head * 3)
        got = b""
        while got.count(b'{"items":[],"next":0,') < 3:
            more = s.recv(4096)
            assert more
            got += more
