"""A hub that can lie: the API of jit-hub as far as jitctl uses it, with every answer open to a test."""
import base64
import hashlib
import http.server
import json
import os
import subprocess
import threading
import time
import urllib.parse


def keygen(path, comment="test"):
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(path)], check=True)
    return path


def public(path):
    return " ".join(path.with_suffix(path.suffix + ".pub").read_text().split()[:2]) if path.suffix \
        else " ".join((path.parent / (path.name + ".pub")).read_text().split()[:2])


def sign(key, namespace, data):
    return subprocess.run(["ssh-keygen", "-q", "-Y", "sign", "-n", namespace, "-f", str(key)], check=True,
                          input=data.encode(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout.decode()


def verify(directory, key, principal, namespace, data, signature):
    signers, sig = directory / "check.signers", directory / "check.sig"
    signers.write_text(f'{principal} namespaces="{namespace}" {public(key)}\n')
    sig.write_text(signature)
    return subprocess.run(["ssh-keygen", "-Y", "verify", "-f", str(signers), "-I", principal, "-n", namespace, "-s",
                           str(sig)], input=data.encode(), stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL, check=False).returncode == 0


def stamp(delta=0):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + delta))


def document(**changes):
    """A request as jitd makes them."""
    doc = {
        "v": 1, "id": "K7QF-2M9X", "nonce": "00ff" * 8, "host": "web1", "machine": "ab" * 16, "boot": "cd" * 16,
        "user": "alice", "uid": 1000, "target": "root", "service": "sudo", "tty": "pts/3", "remote": "10.0.0.7",
        "argv": ["systemctl", "restart", "nginx"], "command": "/usr/bin/systemctl restart nginx",
        "binary": "/usr/bin/systemctl", "binary_sha256": "ee" * 32, "cwd": "/home/alice", "reason": "INC-17 nginx hangs",
        "marks": [], "rule": "web", "scope": "command", "for": 1800, "need": "1 of sre",
        "teams": {"sre": ["bob", "carol"]}, "context": {"load": "0.42", "failed-units": 0}, "checks": [],
        "created": stamp(-120), "answer_by": stamp(240),
    }
    doc.update(changes)
    return json.dumps({k: v for k, v in doc.items() if v is not None}, separators=(",", ":"), ensure_ascii=False)


def digest(text):
    return hashlib.sha256(text.encode()).hexdigest()


class Hub:
    def __init__(self, directory):
        directory.mkdir()
        self.dir = directory
        self.bob = keygen(directory / "bob")
        self.host_key = keygen(directory / "web1")
        self.requests = []   # the hub's objects
        self.hosts = [{"host": "web1", "machine": "ab" * 16, "key": public(self.host_key), "seen": stamp()}]
        self.receipts = []   # [{"n", "envelope"}]
        self.posted = []     # (path, body)
        self.seen = []       # (method, path)
        self.logins = 0
        self.token = None
        self.override = {}   # (method, path without query) → (status, bytes) or a function
        self.after_post = [] # receipts that appear with an answer: events
        self.seq = 10
        handler = type("Handler", (Handler,), {"hub": self})
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def add(self, text=None, **outer):
        text = document() if text is None else text
        doc = json.loads(text)
        o = {"id": doc["id"], "host": doc["host"], "state": "pending", "n": len(self.requests) + 1, "received": stamp(-100),
             "envelope": {"v": 1, "type": "request", "document": text}, "decisions": [], "receipts": []}
        o.update(outer)
        self.requests.append(o)
        return text

    def receipt(self, event, text="", approver=None, key=None, host="web1", request="K7QF-2M9X", head="77" * 32, **changes):
        self.seq += 1
        doc = {"v": 1, "host": host, "request": request, "seq": self.seq, "event": event, "text": text, "head": head,
               "time": stamp()}
        if approver:
            doc["approver"] = approver
        doc.update(changes)
        text = json.dumps(doc, separators=(",", ":"))
        return {"v": 1, "type": "receipt", "document": text, "signature": sign(key or self.host_key, "receipt@pam-jit", text)}

    def put_receipt(self, *words, **changes):
        envelope = self.receipt(*words, **changes)
        self.receipts.append({"n": len(self.receipts) + 1, "envelope": envelope})
        return envelope


class Handler(http.server.BaseHTTPRequestHandler):
    hub = None
    protocol_version = "HTTP/1.1"

    def log_message(self, *words):
        pass

    def reply(self, status, body):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        try:
            self.wfile.write(data)
        except OSError:
            pass  # a client that had enough

    def handle_any(self):
        hub, url = self.hub, urllib.parse.urlparse(self.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        hub.seen.append((self.command, self.path))
        if (self.command, url.path) in hub.override:
            answer = hub.override[self.command, url.path]
            return self.reply(*(answer(query, body) if callable(answer) else answer))
        if url.path in ("/v1/login/challenge", "/v1/login"):
            return self.reply(*self.login(url.path, json.loads(body)))
        if self.headers.get("Authorization") != f"Bearer {hub.token}" or not hub.token:
            return self.reply(401, {"error": {"code": "unauthorized", "message": "sign in"}})
        return self.reply(*self.route(url.path.strip("/").split("/")[1:], query, body))

    do_GET = do_POST = handle_any

    def login(self, path, body):
        hub = self.hub
        if path.endswith("challenge"):
            hub.challenge = base64.b64encode(os.urandom(32)).decode()
            return 200, {"challenge": hub.challenge}
        good = body["challenge"] == hub.challenge and verify(hub.dir, hub.bob, body["principal"], "login@pam-jit",
                                                              hub.challenge, body["signature"])
        if not good:
            return 401, {"error": {"code": "refused", "message": "the signature does not verify"}}
        hub.logins += 1
        hub.token = "t" + os.urandom(8).hex()
        return 200, {"token": hub.token, "expires": stamp(3600)}

    def route(self, parts, query, body):
        hub = self.hub
        if parts == ["hosts"]:
            return 200, {"hosts": hub.hosts}
        if parts == ["requests"]:
            wanted = [r for r in hub.requests if r["n"] > int(query["after"]) and
                      (query["state"] == "all" or r["state"] == "pending")]
            return 200, {"requests": wanted, "next": max([r["n"] for r in wanted], default=int(query["after"])), "more": False}
        same = [r for r in hub.requests if r["id"] == parts[1] and query.get("host", r["host"]) == r["host"]]
        if not same:
            return 404, {"error": {"code": "unknown", "message": "there is no such request for you"}}
        if len(parts) == 2:
            if len(same) > 1:
                return 409, {"error": {"code": "ambiguous", "message": "several", "hosts": [r["host"] for r in same]}}
            return 200, same[0]
        if parts[2] == "receipts":
            after = int(query["after"])
            new = [r for r in hub.receipts if r["n"] > after]
            return 200, {"receipts": new, "next": max([r["n"] for r in new], default=after)}
        hub.posted.append((parts[2], json.loads(body)))
        for words in hub.after_post:
            hub.put_receipt(*words) if isinstance(words, tuple) else hub.receipts.append(
                {"n": len(hub.receipts) + 1, "envelope": words})
        return 202, {"state": "queued"}
