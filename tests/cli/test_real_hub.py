"""jitctl with the real jit-hub: the whole way from a host's request to the receipt on the approver's screen."""
import json
import pathlib
import re
import sys

import pytest

import fakehub
from clitest import BUILD
from fakehub import digest, document, stamp

pytest.importorskip("yaml")
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "hub"))
import hubtest  # noqa: E402

ID = "K7QF-2M9X"

pytestmark = pytest.mark.skipif(not (BUILD / "jit-hub").exists(), reason="jit-hub is not built")


class Site:
    """A hub, its host web1, and bob's home."""

    def __init__(self, tmp, cli):
        self.bob, self.web1 = fakehub.keygen(tmp / "bob"), fakehub.keygen(tmp / "web1")
        self.hub = hubtest.Hub(tmp, f'bob namespaces="login@pam-jit" {fakehub.public(self.bob)}\n')
        self.host = self.hub.enroll("web1", fakehub.public(self.web1))
        self.n = 0
        conf = cli.home / ".config/jit"
        conf.mkdir(parents=True)
        (conf / "jitctl.conf").write_text(
            f"[Hub]\nURL=http://127.0.0.1:{self.hub.port}\n[Approver]\nPrincipal=bob\nKey={self.bob}\n")

    def request(self, **changes):
        text = document(**changes)
        a = self.host.put(f"/v1/host/requests/{json.loads(text)['id']}", hubtest.envelope("request", text))
        assert a.status == 201, a
        return text

    def receipt(self, event, text="", request=ID, key=None):
        self.n += 1
        doc = json.dumps({"v": 1, "host": "web1", "request": request, "seq": self.n, "event": event, "text": text,
                          "head": "77" * 32, "time": stamp()})
        envelope = hubtest.envelope("receipt", doc, fakehub.sign(key or self.web1, "receipt@pam-jit", doc))
        assert self.host.put(f"/v1/host/receipts/receipt-{request}-{self.n:03}.json", envelope).status == 201

    def collect(self):
        """The next thing that came for the host."""
        items = hubtest.until(lambda: self.host.get("/v1/host/inbox?after=0&wait=5").json["items"])
        return items[-1]["envelope"]


@pytest.fixture
def site(tmp_path, cli):
    s = Site(tmp_path, cli)
    yield s
    s.hub.close()


def test_story(cli, site):
    assert cli("inbox").out == "Nothing waits for bob.\n"
    text = site.request()
    assert re.search(r"K7QF-2M9X +web1 +alice → root +systemctl restart nginx +INC-17 nginx hangs +2 min ago +in 4 min",
                     cli("inbox").out)
    p = cli.start("approve", ID, "--yes", "--digest", digest(text))
    decision = site.collect()
    assert decision["type"] == "decision"
    assert json.loads(decision["document"])["digest"] == digest(text)
    assert fakehub.verify(site.hub.dir, site.bob, "bob", "decision@pam-jit", decision["document"], decision["signature"])
    site.receipt("received", "1 of 1")
    site.receipt("granted", "by bob, 30 min")
    site.receipt("applied")
    site.host.delete(f"/v1/host/requests/{ID}")
    out, err = p.communicate(timeout=20)
    assert p.returncode == 0, (out, err)
    assert "first seen: the key of web1" in err
    assert out.endswith("taken by web1: 1 of 1\ngranted on web1: by bob, 30 min\napplied on web1: command running\n")
    assert cli("inbox").out == "Nothing waits for bob.\n"
    assert re.search("K7QF-2M9X .*applied .*bob: approve", cli("inbox", "--all").out)


def test_wait_in_the_inbox(cli, site):
    p = cli.start("inbox", "--wait", "--json")
    site.request()
    out, _ = p.communicate(timeout=20)
    assert p.returncode == 0 and json.loads(out)[0]["id"] == ID


def test_deny_and_revoke(cli, site):
    text = site.request()
    p = cli.start("deny", ID, "--yes", "--digest", digest(text), "--note", "not now")
    assert json.loads(site.collect()["document"])["verdict"] == "deny"
    site.receipt("denied", "by bob: not now")
    out, _ = p.communicate(timeout=20)
    assert p.returncode == 0 and "denied on web1: by bob: not now" in out
    site.host.delete(f"/v1/host/requests/{ID}")
    p = cli.start("revoke", "--at-hub", ID, "--yes", "--digest", digest(text))
    hubtest.until(lambda: site.collect()["type"] == "revoke")
    site.receipt("revoked", "by bob")
    out, err = p.communicate(timeout=20)
    assert p.returncode == 0 and "revoked on web1" in out, (out, err)


def test_wrong_code_then_the_right_one(cli, site):
    """The hub takes a second answer of the same approver: whether the first one counted is the host's to say."""
    text = site.request(match=True)
    words = ["approve", ID, "--yes", "--digest", digest(text), "--code"]
    p = cli.start(*words, "000")
    assert json.loads(site.collect()["document"])["code"] == "000"
    site.receipt("refused", "the code is wrong (try 1 of 8)")
    out, err = p.communicate(timeout=20)
    assert p.returncode == 1 and out.endswith("refused by web1: the code is wrong (try 1 of 8)\n"), (out, err)
    p = cli.start(*words, "417")
    hubtest.until(lambda: json.loads(site.collect()["document"])["code"] == "417")
    site.receipt("granted", "by bob, 30 min")
    site.receipt("applied")
    out, err = p.communicate(timeout=20)
    assert p.returncode == 0 and "applied on web1" in out, (out, err)
    assert cli(*words, "41").code == 2
    assert cli(*words[:-1]).code == 2


def test_not_for_bob(cli, site):
    text = site.request(teams={"sre": ["carol"]})
    assert cli("inbox").out == "Nothing waits for bob.\n"
    assert cli("approve", ID, "--yes", "--digest", digest(text)).code == 5


def test_hub_forgets_tokens(cli, site):
    site.request()
    assert cli("inbox").code == 0
    site.hub.restart(kill=True)
    assert cli("inbox").code == 0


def test_large(cli, site):
    """30 KB in one argument, bytes that are not UTF-8, many pages of requests."""
    text = site.request(argv=["sh", "-c", "x" * 30000], command=None)
    assert cli("approve", ID, "--yes", "--digest", digest(text), "--no-wait").code == 0
    assert json.loads(site.collect()["document"])["digest"] == digest(text)
    for i in range(1, 120):
        site.request(id=hubtest.request_id(i), argv=[{"base64": "/w=="}])
    assert len(cli("inbox", "--json").json()) == 120


def test_stranger(cli, site, tmp_path):
    conf = cli.home / ".config/jit/jitctl.conf"
    conf.write_text(conf.read_text().replace(str(site.bob), str(fakehub.keygen(tmp_path / "mallory"))))
    r = cli("inbox")
    assert r.code == 1 and "the hub says" in r.err
