"""What jitd's checks ask of a URL, with and without a hub."""
import itertools
import json
import ssl
import time

import pytest

import hubtest as t

HEX = itertools.count(1)


@pytest.fixture
def alone(tmp_path):
    """A courier that has never heard of a hub."""
    c = t.Courier(tmp_path, "https://hub.invalid", secret=None, start=False)
    c.conf.write_text("")
    c.start()
    yield c
    c.close()


def question(courier, url, within=5, **more):
    qid = f"{next(HEX):032x}"
    document = {"v": 1, "id": qid, "host": "web1", "url": url, "within": within, **more}
    courier.offer(f"question-{qid}.json", {"v": 1, "type": "question", "document": json.dumps(document)})
    return qid


def answer(courier, qid, seconds=10):
    path = courier.inbox / f"check-{qid}.json"
    t.until(path.exists, seconds)
    envelope = json.loads(path.read_text())
    assert envelope["type"] == "check" and "signature" not in envelope
    document = json.loads(envelope["document"])
    assert document["v"] == 1 and document["question"] == qid
    return document["status"], document["text"]


def serve(handler, method, path, body):
    if path == "/redirect":
        return 302, {"Location": "/open"}, b"over there\n"
    if path == "/slow":
        time.sleep(8)
    if path == "/endless":
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(b"first line\n")
        for _ in range(400):
            handler.wfile.write(b"x" * 65536)
            time.sleep(0.02)
        return None
    if path == "/hangup":
        return None
    bodies = {"/frozen": (503, b"frozen until Monday\nask carol\n"), "/empty": (200, b""), "/binary": (200, b"\0\xff\x1b[31m\nx"),
              "/wide": (200, b"y" * 500000)}
    status, data = bodies.get(path, (200, b"open\n"))
    return status, {}, data


CASES = [
    ("/open", 200, "open"),
    ("/open?host=web1&x=%20", 200, "open"),
    ("/frozen", 503, "frozen until Monday"),
    ("/empty", 200, ""),
    ("/redirect", 302, "over there"),
    ("/binary", 200, ""),
    ("/endless", 200, "first line"),
    ("/wide", 200, "yyyyyyyy"),
    ("/hangup", 0, "Empty reply"),
]


@pytest.mark.parametrize(("path", "status", "text"), CASES)
def test_answers(alone, fake, path, status, text):
    server = fake(serve)
    got = answer(alone, question(alone, server.url + path))
    assert got[0] == status and got[1].startswith(text), got
    assert len(got[1]) < 300 and got[1].isprintable()
    assert [c[:2] for c in server.calls] == [("GET", path)] and server.calls[0][3] is None
    assert list(alone.inbox.glob(".*")) == []


def test_slow_one_holds_up_nothing_and_ends(alone, fake):
    server = fake(serve)
    slow = question(alone, server.url + "/slow", within=2)
    assert answer(alone, question(alone, server.url + "/open")) == (200, "open")
    status, text = answer(alone, slow)
    assert status == 0 and "timed out" in text


def test_nobody_there(alone):
    status, text = answer(alone, question(alone, f"http://127.0.0.1:{t.free_port()}/"))
    assert status == 0 and "onnect" in text


def test_certificate_of_nobody(alone, tmp_path, fake):
    crt, key, _ = t.certificate(tmp_path)
    server = fake(serve)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(crt, key)
    server.server.socket = context.wrap_socket(server.server.socket, server_side=True)
    status, text = answer(alone, question(alone, f"https://127.0.0.1:{server.port}/open"))
    assert status == 0 and "certificate" in text
    assert server.calls == []


@pytest.mark.parametrize("url", ["file:///etc/passwd", "gopher://127.0.0.1/", "ftp://127.0.0.1/x", ""])
def test_no_other_scheme(alone, url):
    status, text = answer(alone, question(alone, url))
    assert status == 0 and "neither http nor https" in text


def test_what_is_no_question(alone, fake):
    server = fake(serve)
    alone.offer("question-" + "0" * 32 + ".json", "garbage")
    alone.offer("question-" + "1" * 32 + ".json", {"v": 1, "type": "request", "document": "{}"})
    alone.offer("question-" + "2" * 32 + ".json", {"v": 1, "type": "question", "document": json.dumps(
        {"v": 1, "id": "3" * 32, "url": server.url, "within": 5})})
    alone.offer("question-xyz.json", {"v": 1, "type": "question", "document": "{}"})
    for digit in "012":
        assert answer(alone, digit * 32)[0] == 0
    assert answer(alone, question(alone, server.url + "/open")) == (200, "open")
    assert len(alone.files()) == 4


def test_withdrawn(alone, fake):
    server = fake(serve)
    qid = question(alone, server.url + "/slow", within=30)
    t.until(lambda: server.calls)
    (alone.outbox / f"question-{qid}.json").unlink()
    assert answer(alone, question(alone, server.url + "/open")) == (200, "open")
    assert alone.files() == [f"check-{next(HEX) - 1:032x}.json"]


def test_restart_finds_what_is_open(alone, fake):
    server = fake(serve)
    alone.process.stop()
    qid = question(alone, server.url + "/open")
    alone.start()
    assert answer(alone, qid) == (200, "open")


def test_beside_a_hub(hub, courier, keys, fake):
    server = fake(serve)
    courier.request("AAAA-AAAA")
    bob = hub.approver("bob", keys["bob"])
    assert answer(courier, question(courier, server.url + "/open")) == (200, "open")
    t.until(lambda: [r["id"] for r in bob.get("/v1/requests?state=pending").json["requests"]] == ["AAAA-AAAA"])
    assert server.calls[0][3] is None, "the host's secret goes to the hub alone"
