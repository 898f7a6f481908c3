"""openapi.yaml says what the code does: the same routes, the same credentials, the statuses that were seen."""
import re

import hubtest as t

ROUTE = re.compile(r'^ROUTE\("([A-Z]+)", "([^"]+)", (\w+), (AUTH_\w+)\)$', re.M)


def table():
    found = ROUTE.findall((t.SOURCE / "hub/routes.def").read_text())
    assert len(found) == (t.SOURCE / "hub/routes.def").read_text().count("\nROUTE(")
    return found


def test_same_routes():
    code = {(method, path) for method, path, _, _ in table()}
    assert code == {(method, path) for method, path, _, _ in t.OPENAPI.routes}


def test_same_credentials():
    described = {(method, path): item["security"] for method, path, _, item in t.OPENAPI.routes}
    meaning = {"AUTH_NONE": [], "AUTH_HOST": [{"host": []}], "AUTH_APPROVER": [{"approver": []}]}
    for method, path, _, auth in table():
        assert described[(method, path)] == meaning[auth], path


def test_every_route_is_there_with_its_credential(hub, keys):
    """Without a credential: 401 exactly where one is demanded."""
    for method, path, _, auth in table():
        a = hub.client().call(method, path.replace("{id}", "AAAA-AAAA").replace("{name}", "r1"), b"" if method != "GET" else None)
        assert (a.status == 401) == (auth != "AUTH_NONE"), (method, path, a)


def test_references_lead_somewhere():
    def walk(node):
        if isinstance(node, dict):
            if "$ref" in node:
                assert t.OPENAPI.deref(node), node
            for v in node.values():
                walk(v)
        elif isinstance(node, list):
            for v in node:
                walk(v)
    walk(t.OPENAPI.doc)


def test_operation_ids_are_distinct_and_params_declared():
    ids = [item["operationId"] for _, _, _, item in t.OPENAPI.routes]
    assert len(set(ids)) == len(ids)
    for template, item in t.OPENAPI.doc["paths"].items():
        declared = {t.OPENAPI.deref(p)["name"] for p in item.get("parameters", ())}
        assert declared == set(re.findall(r"\{(\w+)\}", template))


def test_the_good_status_of_every_route_was_seen_live(hub, keys):
    """One walk through all of it; Client holds every answer against the description."""
    t.SEEN.clear()
    host = hub.enroll("web1")
    bob = hub.approver("bob", keys["bob"])
    e = t.request("AAAA-AAAA")
    hub.client().get("/v1/status")
    host.put("/v1/host/requests/AAAA-AAAA", e)
    host.put("/v1/host/requests/AAAA-AAAA", e)
    for verdict, path in (("approve", "decisions"), ("revoke", "revocations")):
        bob.post(f"/v1/requests/AAAA-AAAA/{path}", {"host": "web1", "envelope": t.decision(e, "bob", verdict)})
    host.get("/v1/host/inbox")
    for _ in range(2):
        host.put("/v1/host/receipts/r1", t.receipt("AAAA-AAAA", 1))
    for path in ("requests", "requests/AAAA-AAAA", "requests/AAAA-AAAA/receipts", "hosts"):
        bob.get(f"/v1/{path}")
    host.delete("/v1/host/requests/AAAA-AAAA")
    good = {(method, template, int(status)) for method, template, _, item in t.OPENAPI.routes for status in item["responses"]
            if status.startswith("2")}
    assert good <= t.SEEN, good - t.SEEN
