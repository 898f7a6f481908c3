"""The hub's API: enrollment, requests, inbox, receipts, and who may see what."""
import json

import pytest

import hubtest as t


def test_status_needs_no_credential(hub):
    a = hub.client().get("/v1/status")
    assert a.status == 200 and a.json["version"]
    assert a.headers["Content-Type"] == "application/json" and a.headers["Cache-Control"] == "no-store"


def test_enrollment_token_is_good_once_and_for_its_host(hub):
    token = hub.token("web1")
    body = {"token": token, "host": "web1", "machine": t.MACHINE, "key": t.HOST_KEY + " comment"}
    c = hub.client()
    assert c.post("/v1/enroll", {**body, "host": "web2"}).status == 403
    assert c.post("/v1/enroll", {**body, "token": "x" * 64}).status == 403
    first = c.post("/v1/enroll", body)
    assert first.status == 201
    again = c.post("/v1/enroll", body)
    assert (again.status, again.code) == (403, "token")
    assert hub.client(first.json["secret"]).get("/v1/host/inbox").status == 200


def test_new_token_replaces_the_former_and_the_secret(hub):
    old = hub.token("web1")
    hub.token("web1")
    assert hub.client().post("/v1/enroll", {"token": old, "host": "web1", "machine": t.MACHINE,
                                            "key": t.HOST_KEY}).status == 403
    before = hub.enroll("web1")
    token = hub.token("web1")
    assert before.get("/v1/host/inbox").status == 200  # until it is used
    assert hub.client().post("/v1/enroll", {"token": token, "host": "web1", "machine": t.MACHINE,
                                            "key": t.HOST_KEY}).status == 201
    assert before.get("/v1/host/inbox").status == 401


@pytest.mark.parametrize("change", [
    {"machine": "short"}, {"machine": "G" * 32}, {"host": "../web1"}, {"host": ""}, {"host": "a" * 65}, {"key": "nonsense"},
    {"key": "ssh-dss AAAA"}, {"token": 5}, {"token": None}, {"key": None}, {"host": ["web1"]},
])
def test_enrollment_refuses_what_is_malformed(hub, change):
    body = {"token": hub.token("web1"), "host": "web1", "machine": t.MACHINE, "key": t.HOST_KEY, **change}
    a = hub.client().post("/v1/enroll", body)
    assert (a.status, a.code) == (400, "malformed")


def test_no_secret_stands_in_the_store(hub, keys):
    token = hub.token("web2")
    host = hub.enroll("web1")
    bob = hub.approver("bob", keys["bob"])
    hub.stop()
    stored = b"".join(p.read_bytes() for p in hub.state.iterdir())
    assert b"web1" in stored
    for secret in (token, host.bearer, bob.bearer):
        assert secret.encode() not in stored and bytes.fromhex(secret) not in stored
    log = hub.process.text()
    assert host.bearer not in log and bob.bearer not in log
    hub.start()


@pytest.mark.parametrize("bearer", [None, "", "x", "x" * 64, "0" * 64, "x" * 5000, "'; DROP TABLE host; --"])
def test_host_routes_need_a_hosts_secret(hub, keys, bearer):
    hub.enroll("web1")
    c = hub.client(bearer)
    e = t.request("K7QF-2M9X")
    for a in (c.put("/v1/host/requests/K7QF-2M9X", e), c.delete("/v1/host/requests/K7QF-2M9X"), c.get("/v1/host/inbox"),
              c.put("/v1/host/receipts/r-1", t.receipt("K7QF-2M9X", 1))):
        assert (a.status, a.code) == (401, "credentials")
        assert a.headers["WWW-Authenticate"] == "Bearer"


def test_credentials_are_not_exchangeable(hub, keys):
    host = hub.enroll("web1")
    bob = hub.approver("bob", keys["bob"])
    assert bob.get("/v1/host/inbox").status == 401
    assert host.get("/v1/requests").status == 401
    assert host.get("/v1/hosts").status == 401


def test_put_request_is_idempotent_and_bytes_are_kept(hub, keys):
    host = hub.enroll("web1")
    bob = hub.approver("bob", keys["bob"])
    odd = {"v": 1, "id": "K7QF-2M9X", "host": "web1", "teams": {"sre": ["bob"]}, "answer_by": t.rfc3339(60)}
    document = " " + json.dumps(odd, ensure_ascii=False)[:-1] + ', "reason" : "\u00e9\\u00e9\u2028 \\/ x" }\n'
    e = t.envelope("request", document)
    assert host.put("/v1/host/requests/K7QF-2M9X", e).status == 201
    assert host.put("/v1/host/requests/K7QF-2M9X", e).status == 200
    # other blanks and escapes around the same document are the same envelope
    assert host.put("/v1/host/requests/K7QF-2M9X", json.dumps(e, indent=1, ensure_ascii=False)).status == 200
    other = host.put("/v1/host/requests/K7QF-2M9X", t.envelope("request", document + " "))
    assert (other.status, other.code) == (409, "exists")
    got = bob.get("/v1/requests/K7QF-2M9X").json
    assert got["envelope"]["document"] == document
    assert got["state"] == "pending" and got["host"] == "web1" and got["decisions"] == [] and got["receipts"] == []


def test_request_is_seen_by_its_teams_only(hub, keys):
    web1, web2 = hub.enroll("web1"), hub.enroll("web2")
    bob, carol, dave = (hub.approver(p, keys[p]) for p in ("bob", "carol", "dave"))
    assert web1.put("/v1/host/requests/AAAA-AAAA", t.request("AAAA-AAAA", teams={"sre": ["bob"]})).status == 201
    assert web2.put("/v1/host/requests/BBBB-BBBB", t.request("BBBB-BBBB", host="web2", teams={
        "sre": ["bob", "carol"], "sec": ["carol"]})).status == 201
    ids = lambda c: [r["id"] for r in c.get("/v1/requests").json["requests"]]  # noqa: E731
    assert ids(bob) == ["AAAA-AAAA", "BBBB-BBBB"] and ids(carol) == ["BBBB-BBBB"] and ids(dave) == []
    for path in ("/v1/requests/AAAA-AAAA", "/v1/requests/AAAA-AAAA/receipts", "/v1/requests/AAAA-AAAA?host=web1"):
        assert carol.get(path).status == 404
        assert bob.get(path).status == 200
    e = t.request("AAAA-AAAA", teams={"sre": ["bob"]})
    assert carol.post("/v1/requests/AAAA-AAAA/decisions", {"host": "web1", "envelope": t.decision(e, "carol")}).status == 404


def test_one_id_on_two_hosts(hub, keys):
    bob = hub.approver("bob", keys["bob"])
    for h in ("web1", "web2"):
        assert hub.enroll(h).put("/v1/host/requests/AAAA-AAAA", t.request("AAAA-AAAA", host=h)).status == 201
    a = bob.get("/v1/requests/AAAA-AAAA")
    assert (a.status, a.code, a.json["error"]["hosts"]) == (409, "ambiguous", ["web1", "web2"])
    assert bob.get("/v1/requests/AAAA-AAAA?host=web2").json["host"] == "web2"
    assert bob.get("/v1/requests/AAAA-AAAA/receipts").status == 409
    assert bob.get("/v1/requests/AAAA-AAAA/receipts?host=web1").status == 200
    assert bob.get("/v1/requests/AAAA-AAAA?host=web3").status == 404


def test_settled_leaves_the_inbox_and_stays_in_all(hub, keys):
    host, bob = hub.enroll("web1"), hub.approver("bob", keys["bob"])
    e = t.request("AAAA-AAAA")
    host.put("/v1/host/requests/AAAA-AAAA", e)
    assert host.delete("/v1/host/requests/AAAA-AAAA").status == 204
    assert host.delete("/v1/host/requests/AAAA-AAAA").status == 204
    assert host.delete("/v1/host/requests/ZZZZ-ZZZZ").status == 204
    assert bob.get("/v1/requests").json["requests"] == []
    everything = bob.get("/v1/requests?state=all").json["requests"]
    assert [(r["id"], r["state"]) for r in everything] == [("AAAA-AAAA", "settled")]
    a = bob.post("/v1/requests/AAAA-AAAA/decisions", {"host": "web1", "envelope": t.decision(e, "bob")})
    assert (a.status, a.code) == (409, "settled")
    r = bob.post("/v1/requests/AAAA-AAAA/revocations", {"host": "web1", "envelope": t.decision(e, "bob", "revoke")})
    assert r.status == 202
    # the host's last word counts
    assert host.put("/v1/host/requests/AAAA-AAAA", e).status == 200
    assert [r["state"] for r in bob.get("/v1/requests").json["requests"]] == ["pending"]


def test_pending_no_more_an_hour_after_answer_by(hub, keys):
    host, bob = hub.enroll("web1"), hub.approver("bob", keys["bob"])
    e = t.request("AAAA-AAAA", answer_in=-3700)
    assert host.put("/v1/host/requests/AAAA-AAAA", e).status == 201
    assert host.put("/v1/host/requests/BBBB-BBBB", t.request("BBBB-BBBB", answer_in=-3000)).status == 201
    assert [r["id"] for r in bob.get("/v1/requests").json["requests"]] == ["BBBB-BBBB"]
    assert [r["state"] for r in bob.get("/v1/requests?state=all").json["requests"]] == ["expired", "pending"]
    assert bob.post("/v1/requests/AAAA-AAAA/decisions", {"host": "web1", "envelope": t.decision(e, "bob")}).status == 409


def test_decision_reaches_the_host_once_per_cursor(hub, keys):
    host, bob, carol = hub.enroll("web1"), hub.approver("bob", keys["bob"]), hub.approver("carol", keys["carol"])
    e = t.request("AAAA-AAAA")
    host.put("/v1/host/requests/AAAA-AAAA", e)
    yes = t.decision(e, "bob", note="na\u00efve \u202e\\u0041")
    no = t.decision(e, "carol", "deny")
    post = lambda c, d: c.post("/v1/requests/AAAA-AAAA/decisions", {"host": "web1", "envelope": d})  # noqa: E731
    a = post(bob, yes)
    assert a.status == 202 and a.json == {"state": "queued"}
    assert post(bob, yes).status == 202  # the same bytes: no second one
    assert post(carol, no).status == 202
    got = host.get("/v1/host/inbox?after=0").json
    assert [i["n"] for i in got["items"]] == [1, 2] and got["next"] == 2
    assert got["items"][0]["envelope"] == yes and got["items"][1]["envelope"] == no
    assert host.get("/v1/host/inbox?after=1").json["items"] == got["items"][1:]
    assert host.get("/v1/host/inbox?after=2").json == {"items": [], "next": 2, "run": got["run"]}
    shown = bob.get("/v1/requests/AAAA-AAAA").json["decisions"]
    assert [(d["approver"], d["verdict"]) for d in shown] == [("bob", "approve"), ("carol", "deny")]


def test_items_are_numbered_per_host(hub, keys):
    bob = hub.approver("bob", keys["bob"])
    for h in ("web1", "web2"):
        host, e = hub.enroll(h), t.request("AAAA-AAAA", host=h)
        host.put("/v1/host/requests/AAAA-AAAA", e)
        bob.post("/v1/requests/AAAA-AAAA/decisions", {"host": h, "envelope": t.decision(e, "bob")})
        assert [i["n"] for i in host.get("/v1/host/inbox").json["items"]] == [1]


def test_host_that_is_ahead_of_the_store_loses_nothing(hub, keys):
    """The store came from an old copy: what is new gets numbers behind the host's cursor."""
    host, bob = hub.enroll("web1"), hub.approver("bob", keys["bob"])
    assert host.get("/v1/host/inbox?after=41").json["next"] == 41
    e = t.request("AAAA-AAAA")
    host.put("/v1/host/requests/AAAA-AAAA", e)
    bob.post("/v1/requests/AAAA-AAAA/decisions", {"host": "web1", "envelope": t.decision(e, "bob")})
    assert [i["n"] for i in host.get("/v1/host/inbox?after=41").json["items"]] == [42]
    # decided before the host asked: not hidden before its cursor
    assert [i["n"] for i in host.get("/v1/host/inbox?after=50").json["items"]] == [92]
    assert [i["n"] for i in host.get("/v1/host/inbox?after=91").json["items"]] == [92]


@pytest.mark.parametrize("change, status, code", [
    ({"digest": "0" * 64}, 409, "disagrees"),
    ({"host": "web2"}, 409, "disagrees"),
    ({"request": "BBBB-BBBB"}, 400, "malformed"),
    ({"approver": "carol"}, 403, "approver"),
    ({"verdict": "revoke"}, 400, "malformed"),
    ({"verdict": "maybe"}, 400, "malformed"),
    ({"time": "now"}, 400, "malformed"),
    ({"v": 2}, 400, "malformed"),
    ({"digest": None}, 400, "malformed"),
    ({"approver": 7}, 400, "malformed"),
])
def test_decision_must_be_about_what_the_hub_holds(hub, keys, change, status, code):
    host, bob = hub.enroll("web1"), hub.approver("bob", keys["bob"])
    e = t.request("AAAA-AAAA")
    host.put("/v1/host/requests/AAAA-AAAA", e)
    d = t.decision(e, "bob")
    d["document"] = json.dumps({**json.loads(d["document"]), **change})
    a = bob.post("/v1/requests/AAAA-AAAA/decisions", {"host": "web1", "envelope": d})
    assert (a.status, a.code) == (status, code)
    assert host.get("/v1/host/inbox").json["items"] == []


def test_answers_are_of_their_own_type(hub, keys):
    host, bob = hub.enroll("web1"), hub.approver("bob", keys["bob"])
    e = t.request("AAAA-AAAA")
    host.put("/v1/host/requests/AAAA-AAAA", e)
    yes, revoke = t.decision(e, "bob"), t.decision(e, "bob", "revoke")
    unsigned = {k: v for k, v in yes.items() if k != "signature"}
    for path, bad in (("decisions", revoke), ("revocations", yes), ("decisions", e), ("decisions", unsigned),
                      ("decisions", t.receipt("AAAA-AAAA", 1)), ("decisions", {**yes, "v": 2}), ("decisions", "text"),
                      ("decisions", {**yes, "document": "{"}), ("decisions", None)):
        a = bob.post(f"/v1/requests/AAAA-AAAA/{path}", {"host": "web1", "envelope": bad})
        assert (a.status, a.code) == (400, "malformed"), bad
    assert bob.post("/v1/requests/AAAA-AAAA/decisions", {"envelope": yes}).status == 400
    assert bob.post("/v1/requests/AAAA-AAAA/decisions", {"host": "we b1", "envelope": yes}).status == 400
    assert bob.post("/v1/requests/AAAA-AAAA/decisions", {"host": "web2", "envelope": yes}).status == 404
    assert bob.post("/v1/requests/BBBB-BBBB/decisions", {"host": "web1", "envelope": yes}).status == 400


def test_receipts_are_shown_with_the_request(hub, keys):
    host, bob, dave = hub.enroll("web1"), hub.approver("bob", keys["bob"]), hub.approver("dave", keys["dave"])
    host.put("/v1/host/requests/AAAA-AAAA", t.request("AAAA-AAAA"))
    r1, r2 = t.receipt("AAAA-AAAA", 1), t.receipt("AAAA-AAAA", 2, "granted")
    assert host.put("/v1/host/receipts/receipt-AAAA-AAAA-001", r1).status == 201
    assert host.put("/v1/host/receipts/receipt-AAAA-AAAA-001", r1).status == 200
    assert host.put("/v1/host/receipts/receipt-AAAA-AAAA-001", r2).status == 409
    assert host.put("/v1/host/receipts/receipt-AAAA-AAAA-002", r2).status == 201
    assert host.put("/v1/host/receipts/r", t.receipt("BBBB-BBBB", 1)).status == 404
    assert host.put("/v1/host/receipts/r", t.receipt("AAAA-AAAA", 1, host="web2")).status == 400
    assert host.put("/v1/host/receipts/r", t.request("AAAA-AAAA")).status == 400
    assert bob.get("/v1/requests/AAAA-AAAA").json["receipts"] == [r1, r2]
    got = bob.get("/v1/requests/AAAA-AAAA/receipts?after=0&wait=0").json
    assert [r["envelope"] for r in got["receipts"]] == [r1, r2]
    n = got["receipts"][0]["n"]
    assert [r["envelope"] for r in bob.get(f"/v1/requests/AAAA-AAAA/receipts?after={n}").json["receipts"]] == [r2]
    assert dave.get("/v1/requests/AAAA-AAAA/receipts").status == 404


def test_changes_are_numbered(hub, keys):
    host, bob = hub.enroll("web1"), hub.approver("bob", keys["bob"])
    for rid in ("AAAA-AAAA", "BBBB-BBBB"):
        host.put(f"/v1/host/requests/{rid}", t.request(rid))
    next_ = bob.get("/v1/requests").json["next"]
    assert bob.get(f"/v1/requests?after={next_}").json == {"requests": [], "next": next_, "more": False}
    host.put("/v1/host/receipts/r1", t.receipt("AAAA-AAAA", 1))
    got = bob.get(f"/v1/requests?after={next_}").json
    assert [r["id"] for r in got["requests"]] == ["AAAA-AAAA"] and got["next"] > next_
    host.delete("/v1/host/requests/BBBB-BBBB")
    assert [r["id"] for r in bob.get(f"/v1/requests?state=all&after={got['next']}").json["requests"]] == ["BBBB-BBBB"]


def test_long_lists_come_in_pages(hub, keys):
    host, bob = hub.enroll("web1"), hub.approver("bob", keys["bob"])
    for n in range(205):
        assert host.put(f"/v1/host/requests/{t.request_id(n)}", t.request(t.request_id(n))).status == 201
    first = bob.get("/v1/requests").json
    assert len(first["requests"]) == 200 and first["more"] is True
    second = bob.get(f"/v1/requests?after={first['next']}").json
    assert len(second["requests"]) == 5 and second["more"] is False
    assert {r["id"] for r in first["requests"] + second["requests"]} == {t.request_id(n) for n in range(205)}


def test_large_requests_are_paged_by_bytes(hub, keys):
    host, bob = hub.enroll("web1"), hub.approver("bob", keys["bob"])
    for n in range(12):
        e = t.request(t.request_id(n), reason="x" * 60000)
        assert host.put(f"/v1/host/requests/{t.request_id(n)}", e).status == 201
    got, after = [], 0
    while True:
        a = bob.get(f"/v1/requests?after={after}")
        assert len(a.body) < 1024 * 1024
        got += [r["id"] for r in a.json["requests"]]
        after = a.json["next"]
        if not a.json["more"]:
            break
    assert got == [t.request_id(n) for n in range(12)]


def test_hosts_are_listed(hub, keys):
    hub.token("invited")
    hub.enroll("web2").get("/v1/host/inbox")
    hub.enroll("web1")
    hosts = hub.approver("bob", keys["bob"]).get("/v1/hosts").json["hosts"]
    assert [(h["host"], h["machine"], h["key"]) for h in hosts] == [("web1", t.MACHINE, t.HOST_KEY),
                                                                    ("web2", t.MACHINE, t.HOST_KEY)]
    assert all(h["seen"] for h in hosts)


def test_host_commands(hub, keys):
    host = hub.enroll("web1")
    host.put("/v1/host/requests/AAAA-AAAA", t.request("AAAA-AAAA"))
    bob = hub.approver("bob", keys["bob"])
    p = hub.command("list")
    assert p.returncode == 0 and "web1" in p.stdout and "enrolled" in p.stdout and host.bearer not in p.stdout
    assert hub.command("remove", "web2").returncode == 5
    assert hub.command("remove", "web1").returncode == 0
    assert host.get("/v1/host/inbox").status == 401
    assert bob.get("/v1/requests?state=all").json["requests"] == []
    for bad in (["add"], ["add", "../x"], ["add", "a b"], ["list", "x"], [], ["frobnicate"]):
        assert hub.command(*bad).returncode == 2


def test_escapes_in_paths_are_read(hub, keys):
    host, bob = hub.enroll("web1"), hub.approver("bob", keys["bob"])
    assert host.put("/v1/host/requests/K7QF%2d2M9X", t.request("K7QF-2M9X")).status == 201
    assert bob.get("/v1/requests/K7QF%2D2M9X?host=%77eb1").status == 200


BAD_IDS = ["k7qf-2m9x", "K7QF2M9X", "K7QF-2M9", "K7QF-2M9XX", "ILOU-ILOU", "' OR 1=1 --", "%27%20OR%201=1", "1;DROP TABLE host",
           "..%2f..%2fetc%2fpasswd", "..", "%00", "K7QF-2M9X%00", "K7QF-2M9X%0a", "\u00e9"]


@pytest.mark.parametrize("rid", BAD_IDS)
def test_odd_ids_are_refused(hub, keys, rid):
    host, bob = hub.enroll("web1"), hub.approver("bob", keys["bob"])
    quoted = "".join(c if c.isascii() and c != " " else "".join(f"%{b:02x}" for b in c.encode()) for c in rid)
    e = t.request("K7QF-2M9X")
    host.put("/v1/host/requests/K7QF-2M9X", e)
    calls = [
        host.put(f"/v1/host/requests/{quoted}", e), host.delete(f"/v1/host/requests/{quoted}"),
        bob.get(f"/v1/requests/{quoted}"), bob.get(f"/v1/requests/{quoted}/receipts"),
        bob.post(f"/v1/requests/{quoted}/decisions", {"host": "web1", "envelope": t.decision(e, "bob")}),
    ]
    assert all(a.status == 400 for a in calls), calls
    assert [r["id"] for r in bob.get("/v1/requests?state=all").json["requests"]] == ["K7QF-2M9X"]


@pytest.mark.parametrize("name", ["..", "a%20b", "%2e%2e%2fx", "x" * 65, "-x", ".x", "a'b", "%ff"])
def test_odd_receipt_names_are_refused(hub, keys, name):
    host = hub.enroll("web1")
    host.put("/v1/host/requests/AAAA-AAAA", t.request("AAAA-AAAA"))
    assert host.put(f"/v1/host/receipts/{name}", t.receipt("AAAA-AAAA", 1)).status in (400, 404)


@pytest.mark.parametrize("change", [
    {"id": "BBBB-BBBB"}, {"host": "web2"}, {"v": 2}, {"v": "1"}, {"teams": None}, {"teams": []}, {"teams": {"sre": "bob"}},
    {"teams": {"sre": [1]}}, {"teams": {"sre": ["b ob"]}}, {"teams": {"s re": ["bob"]}}, {"teams": {"sre": [""]}},
    {"answer_by": "soon"}, {"answer_by": None}, {"teams": {"sre": [f"p{i}" for i in range(1025)]}},
])
def test_request_documents_must_fit(hub, change):
    host = hub.enroll("web1")
    e = t.request("AAAA-AAAA")
    e["document"] = json.dumps({**json.loads(e["document"]), **change})
    a = host.put("/v1/host/requests/AAAA-AAAA", e)
    assert (a.status, a.code) == (400, "malformed")


@pytest.mark.parametrize("body", [
    b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"v":1}', b'{"v":1,"type":"request","document":"{}"} x', b"{" * 1000,
    b'{"v":1,"type":"nonsense","document":"{}"}', b'{"v":1,"type":"request","document":"{}","document":"{}"}',
    b'{"v":1,"type":"request","document":"\\u0000"}', b'{"v":1,"type":"request","document":{}}', b"\0" * 64,
])
def test_garbage_bodies_are_refused(hub, body):
    host = hub.enroll("web1")
    assert host.put("/v1/host/requests/AAAA-AAAA", body).status == 400
    assert host.put("/v1/host/receipts/r1", body).status == 400
    assert hub.client().post("/v1/enroll", body).status == 400
    assert hub.client().post("/v1/login/challenge", body).status == 400
    assert hub.client().post("/v1/login", body).status == 400


@pytest.mark.parametrize("path", [
    "/v1/host/inbox?after=x", "/v1/host/inbox?after=-1", "/v1/host/inbox?wait=1e3", "/v1/host/inbox?after=",
    "/v1/host/inbox?after=99999999999999999999", "/v1/host/inbox?wait=99999", "/v1/host/inbox?after=%200",
])
def test_odd_numbers_are_refused(hub, path):
    assert hub.enroll("web1").get(path).status == 400


def test_unknown_paths_and_methods(hub):
    c = hub.client()
    for path in ("/", "/v1", "/v1/", "/v2/status", "/v1/status/", "/v1/requests//receipts", "/v1/statusx", "/V1/status"):
        assert c.get(path).status == 404
    a = c.delete("/v1/status")
    assert (a.status, a.code, a.headers["Allow"]) == (405, "method", "GET")
    assert set(c.post("/v1/host/requests/AAAA-AAAA", {}).headers["Allow"].split(", ")) == {"PUT", "DELETE"}
