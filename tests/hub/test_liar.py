"""A hub that lies to the courier: it never crashes, never writes a bad file, and goes on when the hub comes to its senses."""
import json
import time

import pytest

import hubtest as t


def good_items(after, *notes):
    e = t.request("AAAA-AAAA")
    items = [{"n": after + 1 + i, "envelope": t.decision(e, "bob", note=note)} for i, note in enumerate(notes)]
    return {"items": items, "next": items[-1]["n"] if items else after}


def text(o):
    return (o if isinstance(o, str) else json.dumps(o)).encode()


def decision_text(**change):
    return {**t.decision(t.request("AAAA-AAAA"), "bob"), **change}


E = t.decision(t.request("AAAA-AAAA"), "bob")
LIES = {
    "empty": b"",
    "garbage": b"\xff\xfe\x00garbage",
    "not json": b"<html>It works!</html>",
    "cut json": text(good_items(0, "x"))[:-20],
    "tail": text(good_items(0, "x")) + b"x",
    "an array": b"[]",
    "null": b"null",
    "deep": b'{"items":' + b"[" * 5000 + b"]" * 5000 + b',"next":1}',
    "doubled keys": b'{"items":[],"items":[],"next":0}',
    "no items": text({"next": 0}),
    "no next": text({"items": []}),
    "items no list": text({"items": {}, "next": 0}),
    "items of numbers": text({"items": [1, 2], "next": 2}),
    "n no number": text({"items": [{"n": "1", "envelope": E}], "next": 1}),
    "n zero": text({"items": [{"n": 0, "envelope": E}], "next": 0}),
    "n negative": text({"items": [{"n": -1, "envelope": E}], "next": -1}),
    "n huge": text({"items": [{"n": 2**63, "envelope": E}], "next": 2**63}),
    "n beyond": text({"items": [{"n": 2**53, "envelope": E}], "next": 2**53}),
    "n fraction": text('{"items":[{"n":1.5,"envelope":%s}],"next":1}' % json.dumps(E)),
    "n overflow": text('{"items":[{"n":99999999999999999999999,"envelope":%s}],"next":1}' % json.dumps(E)),
    "descending": text({"items": [{"n": 2, "envelope": E}, {"n": 1, "envelope": E}], "next": 1}),
    "twice": text({"items": [{"n": 1, "envelope": E}, {"n": 1, "envelope": E}], "next": 1}),
    "next ahead": text({**good_items(0, "x"), "next": 7}),
    "next behind": text({**good_items(0, "x", "y"), "next": 1}),
    "next ahead of nothing": text({"items": [], "next": 5}),
    "run no text": text({"items": [], "next": 0, "run": 1}) + b" x",
    "run no hex": text({"items": [], "next": 0, "run": "x&after=9"}),
    "run too long": text({"items": [], "next": 0, "run": "a" * 65}),
    "next no number": text({"items": [], "next": "0"}),
    "envelope missing": text({"items": [{"n": 1}], "next": 1}),
    "envelope text": text({"items": [{"n": 1, "envelope": json.dumps(E)}], "next": 1}),
    "envelope null": text({"items": [{"n": 1, "envelope": None}], "next": 1}),
    "nul in it": b'{"items":[],"next":0}\0',
    "invalid utf-8": b'{"items":[],"next":0,"x":"\xc3\x28"}',
}


class Liar:
    """Answers inbox polls with LIE until told to be honest; then gives ITEMS once each."""

    def __init__(self, lie):
        self.lie, self.honest, self.lied = lie, None, 0

    def __call__(self, handler, method, path, body):
        if method == "DELETE":
            return 204, {}, b""
        if method == "PUT":
            return 201, {}, b"{}"
        after = int(t.query(path)["after"])
        if self.honest is None:
            self.lied += 1
            got = self.lie(handler, after) if callable(self.lie) else self.lie
            return got if got is None or isinstance(got, tuple) else (200, {}, got)
        left = [i for i in self.honest["items"] if i["n"] > after]
        if not left:
            time.sleep(0.3)  # a long-poll in short
        return 200, {}, text({"items": left, "next": left[-1]["n"] if left else after})


def run_liar(fake, tmp_path, lie, times=1):
    liar = Liar(lie)
    c = t.Courier(tmp_path, fake(liar).url)
    try:
        c.request("AAAA-AAAA")
        t.until(lambda: liar.lied >= times)
        assert c.files() == [] and list(c.inbox.glob(".*")) == []
        assert c.remembered().get("cursor", 0) == 0
        assert c.process.alive()
        liar.honest = good_items(0, "honest")
        t.until(lambda: c.files() == ["decision-1.json"], 40)
        assert json.loads((c.inbox / "decision-1.json").read_text()) == liar.honest["items"][0]["envelope"]
    finally:
        c.close()
    return c


@pytest.mark.parametrize("name", LIES)
def test_bad_answers(fake, tmp_path, name):
    run_liar(fake, tmp_path, LIES[name])


BAD_ENVELOPES = {
    "type": decision_text(type="grant"),
    "request": t.request("AAAA-AAAA"),
    "receipt": t.receipt("AAAA-AAAA", 1),
    "path": decision_text(type="../../etc/cron.d/x"),
    "version": decision_text(v=2),
    "no signature": {k: v for k, v in E.items() if k != "signature"},
    "signature no text": decision_text(signature=1),
    "no document": {k: v for k, v in E.items() if k != "document"},
    "document object": decision_text(document={}),
    "document too large": decision_text(document=json.dumps({"x": "y" * 70000})),
    "empty": {},
}


@pytest.mark.parametrize("name", BAD_ENVELOPES)
def test_bad_envelope_is_passed_over(fake, tmp_path, name):
    """It is not written, and does not keep those behind it."""
    answer = {"items": [{"n": 1, "envelope": E}, {"n": 2, "envelope": BAD_ENVELOPES[name]}, {"n": 3, "envelope": E}], "next": 3}
    liar = Liar(b"")
    liar.honest = answer
    c = t.Courier(tmp_path, fake(liar).url)
    try:
        c.request("AAAA-AAAA")
        t.until(lambda: c.files() == ["decision-1.json", "decision-3.json"])
        assert c.remembered()["cursor"] == 3 and list(c.inbox.glob(".*")) == []
    finally:
        c.close()


def raw(data):
    def answer(handler, after):
        handler.wfile.write(data)
        return None
    return answer


@pytest.mark.parametrize("lie", [
    raw(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"items\":["),     # cut off
    raw(b"\0" * 5000),
    raw(b"SSH-2.0-OpenSSH_9.2\r\n"),
    raw(b"HTTP/1.1 999 What\r\nContent-Length: 0\r\n\r\n"),
    raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZZZ\r\n"),
    raw(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 100_000 + b"\r\n"),
    lambda h, after: (500, {}, b"x"),
    lambda h, after: (404, {}, b"{}"),
    lambda h, after: (204, {}, b""),
    lambda h, after: (302, {"Location": "file:///etc/passwd"}, b""),
    lambda h, after: (429, {"Retry-After": "1"}, b""),
    lambda h, after: (401, {}, b'{"error":{"message":"\\u001b[31mred"}}'),
    lambda h, after: (200, {"Content-Length": str(10**12)}, b"x" * 2_000_000),
    lambda h, after: text({"items": [], "next": 0, "x": "y" * 2_000_000}),
], ids=lambda lie: "")
def test_bad_http(fake, tmp_path, lie):
    c = run_liar(fake, tmp_path, lie)
    assert "\x1b" not in c.process.text()


def test_endless_answer(fake, tmp_path):
    def endless(handler, after):
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        try:
            for _ in range(100_000):
                handler.wfile.write(b"8000\r\n" + b" " * 32768 + b"\r\n")
        except OSError:
            return None
        raise AssertionError("3 GB were read")
    run_liar(fake, tmp_path, endless)


def test_hub_that_answers_at_once_is_not_asked_without_end(fake, tmp_path):
    """An empty answer before its time: once a second at most."""
    hub = fake(lambda h, method, path, body: (200, {}, text({"items": [], "next": 0})))
    c = t.Courier(tmp_path, hub.url)
    try:
        c.request("AAAA-AAAA")
        t.until(lambda: hub.count("GET") >= 3)
        begun, before = time.monotonic(), hub.count("GET")
        t.until(lambda: time.monotonic() - begun > 2.5)
        assert hub.count("GET") - before <= 4
    finally:
        c.close()


def test_hub_with_ever_another_run_gets_requests_again_at_a_bounded_pace(fake, tmp_path):
    run = iter(range(10**6))
    hub = fake(lambda h, method, path, body: (200, {}, text({"items": [], "next": 0, "run": f"{next(run):032x}"})))
    c = t.Courier(tmp_path, hub.url)
    try:
        c.request("AAAA-AAAA")
        t.until(lambda: hub.count("PUT") >= 3)
        begun, before = time.monotonic(), hub.count("PUT")
        t.until(lambda: time.monotonic() - begun > 2.5)
        assert hub.count("PUT") - before <= 5
    finally:
        c.close()


def test_hub_that_gives_without_end(fake, tmp_path):
    """Always one item more: the inbox fills at a bounded pace, nothing breaks."""
    def answer(handler, method, path, body):
        if method != "GET":
            return 201, {}, b"{}"
        return 200, {}, text(good_items(int(t.query(path)["after"]), "more"))
    hub = fake(answer)
    c = t.Courier(tmp_path, hub.url)
    try:
        c.request("AAAA-AAAA")
        t.until(lambda: len(c.files()) >= 5)
        begun, before = time.monotonic(), len(c.files())
        t.until(lambda: time.monotonic() - begun > 1)
        assert len(c.files()) - before < 30
    finally:
        c.close()


def test_hub_that_is_away_is_asked_ever_more_rarely(fake, tmp_path):
    times = []

    def answer(handler, method, path, body):
        times.append((time.monotonic(), method))
        return 503, {}, b"{}"
    c = t.Courier(tmp_path, fake(answer).url)
    try:
        c.request("AAAA-AAAA")
        t.until(lambda: len([1 for _, m in times if m == "PUT"]) >= 4, 40)
        at = [x for x, m in times if m == "PUT"]
        gaps = [b - a for a, b in zip(at, at[1:])]
        assert gaps[0] >= 0.45 and gaps[1] >= 0.95 and gaps[2] >= 1.9
        assert c.status()["state"] == "unreachable"
    finally:
        c.close()


def test_retry_after_is_obeyed(fake, tmp_path):
    times = []

    def answer(handler, method, path, body):
        if method == "PUT":
            times.append(time.monotonic())
            return (429, {"Retry-After": "3"}, b"{}") if len(times) == 1 else (201, {}, b"{}")
        time.sleep(0.5)
        return 200, {}, text({"items": [], "next": 0})
    c = t.Courier(tmp_path, fake(answer).url)
    try:
        c.request("AAAA-AAAA")
        t.until(lambda: len(times) == 2)
        assert times[1] - times[0] >= 2.9
    finally:
        c.close()


def test_refused_requests_are_not_sent_again_and_again(fake, tmp_path):
    puts = []

    def answer(handler, method, path, body):
        if method == "PUT":
            puts.append(path)
            return (409 if "AAAA" in path else 201), {}, b"{}"
        if method == "DELETE":
            return 204, {}, b""
        time.sleep(0.2)
        return 200, {}, text({"items": [], "next": 0})
    c = t.Courier(tmp_path, fake(answer).url)
    try:
        for rid in ("AAAA-AAAA", "BBBB-BBBB", "CCCC-CCCC"):
            c.request(rid)
            t.until(lambda: f"/v1/host/requests/{rid}" in puts)
        c.settle("BBBB-BBBB")
        t.until(lambda: c.remembered()["requests"] == ["AAAA-AAAA", "CCCC-CCCC"])
        assert len([p for p in puts if "AAAA" in p]) == 1
    finally:
        c.close()


def test_the_secret_goes_to_the_hub_only_as_a_header(fake, tmp_path):
    hub = fake(lambda h, method, path, body: (200, {}, text({"items": [], "next": 0})))
    c = t.Courier(tmp_path, hub.url, "topsecret" * 4)
    try:
        c.request("AAAA-AAAA")
        t.until(lambda: hub.count("PUT") and hub.count("GET"))
    finally:
        c.close()
    for method, path, body, authorization in hub.calls:
        assert authorization == "Bearer " + "topsecret" * 4
        assert "topsecret" not in path and b"topsecret" not in body
    assert "topsecret" not in c.process.text()
