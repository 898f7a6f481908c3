"""The courier speaks only to the hub that it was told of."""
import pytest

import hubtest as t


@pytest.fixture
def tls(tmp_path, keys):
    import ssl
    crt, key, pin = t.certificate(tmp_path)
    h = t.Hub(tmp_path, t.signer_line("bob", keys["bob"]), conf=f"Certificate={crt}\nPrivateKey={key}\n")
    h.context = ssl.create_default_context(cafile=crt)
    h.certificate, h.pin = crt, pin
    h.enroll("web1")
    yield h
    h.close()


@pytest.mark.parametrize("conf, state, words", [
    ("CA={crt}\n", "reachable", ""),
    ("CA={crt}\nPin={pin}\n", "reachable", ""),
    ("", "unreachable", "certificate"),                                   # not a CA of this system
    ("CA={other}\n", "unreachable", "certificate"),
    ("CA={crt}\nPin=sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n", "unreachable", "key"),
    ("CA=/nonexistent.pem\n", "unreachable", ""),
])
def test_tls(tls, tmp_path, conf, state, words):
    other_dir = tmp_path / "other"
    other_dir.mkdir()
    other, _, _ = t.certificate(other_dir)
    conf = conf.format(crt=tls.certificate, pin=tls.pin, other=other)
    c = t.Courier(tmp_path, f"https://127.0.0.1:{tls.port}", tls.hosts["web1"], conf)
    try:
        c.request("AAAA-AAAA")
        s = t.until(lambda: c.status() if c.status().get("state") in ("reachable", "unreachable") else None)
        assert s["state"] == state and words in s.get("error", "").lower()
        host = tls.client(tls.hosts["web1"])
        if state == "reachable":
            bob = tls.login("bob", t.Key(other_dir, "x")).status
            assert bob == 401
            t.until(lambda: c.status().get("last_delivery"))
        assert host.get("/v1/host/inbox").status == 200
    finally:
        c.close()


def test_certificate_for_another_name(tls, tmp_path):
    c = t.Courier(tmp_path, f"https://localhost:{tls.port}", tls.hosts["web1"], f"CA={tls.certificate}\n")
    try:
        t.until(lambda: c.status().get("state") == "unreachable")
    finally:
        c.close()


def test_no_redirect_is_followed(fake, tmp_path):
    second = fake(lambda *a: (200, {}, b"{}"))
    first = fake(lambda *a: (307, {"Location": second.url + "/v1/host/inbox"}, b""))
    c = t.Courier(tmp_path, first.url)
    try:
        c.request("AAAA-AAAA")
        t.until(lambda: "307" in c.status().get("error", ""))
        assert second.calls == []
    finally:
        c.close()
