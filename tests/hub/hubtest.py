"""What the tests of hub and courier share: a hub on loopback, its clients, keys and documents, a courier, a hub that lies."""
import base64
import contextlib
import fcntl
import hashlib
import http.client
import http.server
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
import time

import yaml

SOURCE = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("JIT_BUILD", SOURCE / "build"))
NS_LOGIN = "login@pam-jit"
NS_DECISION = "decision@pam-jit"
NS_RECEIPT = "receipt@pam-jit"
MACHINE = "0123456789abcdef0123456789abcdef"
DEADLINE = 20


def until(what, seconds=DEADLINE):
    """Looks until WHAT() gives something true, and returns it."""
    end = time.monotonic() + seconds
    pause = 0.01
    while True:
        got = what()
        if got:
            return got
        if time.monotonic() > end:
            raise AssertionError(f"nothing after {seconds} s: {what}")
        time.sleep(pause)
        pause = min(pause * 1.3, 0.3)  # the hub counts how often it is asked


def rfc3339(seconds=0):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))


class Process:
    """A program under test, when it said READY=1; its log goes to a file.  End it by stop() or kill()."""

    def __init__(self, argv, log, fds=()):
        self.log = pathlib.Path(log)
        notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        address = f"@jit-test-{os.getpid()}-{id(self)}-{time.monotonic_ns()}"
        notify.bind("\0" + address[1:])
        notify.settimeout(0.1)
        environment = {**os.environ, "NO_PROXY": "*", "NOTIFY_SOCKET": address}
        if fds:
            environment["LISTEN_FDS"] = str(len(fds))
            # systemd says who is meant, which only the process itself knows
            argv = ["/bin/sh", "-c", 'LISTEN_PID=$$ exec "$@"', "sh", *argv]

        def place():
            # first out of the way of the numbers that they are to have
            for i, fd in enumerate([fcntl.fcntl(fd, fcntl.F_DUPFD, 50) for fd in fds]):
                os.dup2(fd, 3 + i, inheritable=True)

        with open(self.log, "ab") as out:
            self.p = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=environment,
                                      preexec_fn=place, close_fds=not fds)
        with notify:
            self.await_ready(notify)

    def await_ready(self, notify):
        end = time.monotonic() + DEADLINE
        while self.alive() and time.monotonic() < end:
            with contextlib.suppress(TimeoutError):
                if b"READY=1" in notify.recv(4096).split(b"\n"):
                    return

    def text(self):
        return self.log.read_text(errors="replace")

    def alive(self):
        return self.p.poll() is None

    def stop(self, sig=signal.SIGTERM):
        if self.alive():
            self.p.send_signal(sig)
        code = self.p.wait(DEADLINE)
        text = self.text()
        assert "AddressSanitizer" not in text and "runtime error" not in text, text
        assert code == 0, f"ended with {code}:\n{text}"

    def kill(self):
        self.p.kill()
        self.p.wait(DEADLINE)


# ---------------------------------------------------------------------------------------------- the API's description

class OpenApi:
    """openapi.yaml, and whether an answer fits it."""

    def __init__(self):
        self.doc = yaml.safe_load((SOURCE / "hub/openapi.yaml").read_text())
        self.routes = []
        for template, item in self.doc["paths"].items():
            pattern = re.compile("^" + re.sub(r"\{[a-z]+\}", "[^/]+", template) + "$")
            for method in ("get", "put", "post", "delete"):
                if method in item:
                    self.routes.append((method.upper(), template, pattern, item[method]))

    def deref(self, node):
        while "$ref" in node:
            target = self.doc
            for part in node["$ref"].lstrip("#/").split("/"):
                target = target[part]
            node = target
        return node

    def check(self, method, path, status, body):
        path = path.split("?")[0]
        found = [r for r in self.routes if r[0] == method and r[2].match(path)]
        if not found:
            assert status in (404, 405), f"{method} {path} is not described, yet answered {status}"
            return
        responses = found[0][3]["responses"]
        assert str(status) in responses, f"{method} {path} answered {status}, which is not described: {body!r}"
        content = self.deref(responses[str(status)]).get("content")
        if content is None:
            assert body in (b"", None), f"{method} {path} {status} has a body"
            return
        self.fits(json.loads(body), content["application/json"]["schema"], f"{method} {path} {status}")

    def fits(self, value, schema, where):
        schema = self.deref(schema)
        if "anyOf" in schema:
            errors = []
            for one in schema["anyOf"]:
                try:
                    return self.fits(value, one, where)
                except AssertionError as e:
                    errors.append(str(e))
            raise AssertionError(f"{where}: {errors}")
        kinds = {"object": dict, "array": list, "string": str, "integer": int, "boolean": bool, "null": type(None)}
        assert isinstance(value, kinds[schema["type"]]), f"{where}: {value!r} is no {schema['type']}"
        if schema["type"] == "object":
            for key in schema.get("required", ()):
                assert key in value, f"{where}: {key} is missing in {value!r}"
            for key, member in value.items():
                if "properties" in schema:
                    assert key in schema["properties"], f"{where}: {key} is not described"
                    self.fits(member, schema["properties"][key], f"{where}.{key}")
        elif schema["type"] == "array":
            for i, member in enumerate(value):
                self.fits(member, schema["items"], f"{where}[{i}]")
        if "enum" in schema:
            assert value in schema["enum"], f"{where}: {value!r}"
        if "pattern" in schema:
            assert re.search(schema["pattern"], value), f"{where}: {value!r}"
        if "maximum" in schema:
            assert schema["minimum"] <= value <= schema["maximum"], f"{where}: {value}"


OPENAPI = OpenApi()
SEEN = set()  # (method, template, status) that a live hub gave


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def code(self):
        return self.json["error"]["code"]

    def __repr__(self):
        return f"<{self.status} {self.body[:300]!r}>"


class Client:
    """Calls the API with one credential, and holds every answer against openapi.yaml."""

    def __init__(self, port, bearer=None, context=None, source="127.0.0.1"):
        self.port, self.bearer, self.context, self.source = port, bearer, context, source

    def call(self, method, path, body=None, timeout=60, headers=()):
        if self.context:
            c = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=timeout, context=self.context)
        else:
            c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout, source_address=(self.source, 0))
        h = dict(headers)
        if self.bearer:
            h.setdefault("Authorization", f"Bearer {self.bearer}")
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
        if isinstance(body, str):
            body = body.encode()
        try:
            c.request(method, path, body, h)
            r = c.getresponse()
            a = Answer(r.status, r.headers, r.read())
        finally:
            c.close()
        OPENAPI.check(method, path, a.status, a.body)
        for m, template, pattern, _ in OPENAPI.routes:
            if m == method and pattern.match(path.split("?")[0]):
                SEEN.add((m, template, a.status))
        return a

    def get(self, path, **kw):
        return self.call("GET", path, **kw)

    def post(self, path, body, **kw):
        return self.call("POST", path, body, **kw)

    def put(self, path, body, **kw):
        return self.call("PUT", path, body, **kw)

    def delete(self, path, **kw):
        return self.call("DELETE", path, **kw)


def later(function, *args, **kw):
    """Runs FUNCTION in a thread; the result by calling what is returned."""
    box = {}

    def run():
        try:
            box["value"] = function(*args, **kw)
        except BaseException as e:  # noqa: BLE001 - given on to the caller
            box["error"] = e

    t = threading.Thread(target=run, daemon=True)
    t.start()

    def result(timeout=60):
        t.join(timeout)
        assert not t.is_alive(), "still waiting"
        if "error" in box:
            raise box["error"]
        return box["value"]

    result.alive = t.is_alive
    return result


# ------------------------------------------------------------------------------------------------- keys and documents

class Key:
    def __init__(self, directory, name, kind="ed25519"):
        self.path = pathlib.Path(directory) / name
        subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-C", name, "-f", self.path], check=True)

    @property
    def public(self):
        return " ".join(self.path.with_suffix(".pub").read_text().split()[:2])

    def sign(self, ns, text):
        p = subprocess.run(["ssh-keygen", "-q", "-Y", "sign", "-n", ns, "-f", self.path], input=text.encode(), check=True,
                           stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        return p.stdout.decode()


FAKE_SIGNATURE = "-----BEGIN SSH SIGNATURE-----\nU1NIU0lH\n-----END SSH SIGNATURE-----\n"


def envelope(kind, document, signature=None):
    if not isinstance(document, str):
        document = json.dumps(document)
    e = {"v": 1, "type": kind, "document": document}
    if signature:
        e["signature"] = signature
    return e


ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def request_id(n):
    s = "".join(ALPHABET[(n >> (5 * i)) & 31] for i in range(8))
    return f"{s[:4]}-{s[4:]}"


def request(rid, host="web1", teams=None, answer_in=600, **more):
    doc = {"v": 1, "id": rid, "nonce": "00" * 16, "host": host, "machine": MACHINE, "boot": "ff" * 16, "user": "alice",
           "uid": 1000, "target": "root", "service": "sudo", "argv": ["systemctl", "restart", "nginx"], "rule": "nginx",
           "scope": "service", "for": 1800, "need": "1 of sre", "teams": teams or {"sre": ["bob", "carol"]},
           "context": {}, "checks": [], "marks": [], "created": rfc3339(), "answer_by": rfc3339(answer_in), **more}
    return envelope("request", doc)


def digest(e):
    return hashlib.sha256(e["document"].encode()).hexdigest()


def decision(req, approver, verdict="approve", host=None, signature=FAKE_SIGNATURE, **more):
    doc = json.loads(req["document"])
    d = {"v": 1, "request": doc["id"], "digest": digest(req), "host": host or doc["host"], "verdict": verdict,
         "approver": approver, "time": rfc3339(), **more}
    return envelope("revoke" if verdict == "revoke" else "decision", d, signature)


def receipt(rid, seq, event="received", host="web1", **more):
    d = {"v": 1, "host": host, "request": rid, "seq": seq, "event": event, "text": "words", "head": "00" * 32,
         "time": rfc3339(), **more}
    return envelope("receipt", d, FAKE_SIGNATURE)


# ------------------------------------------------------------------------------------------------------- the real hub

def listening_socket(address="127.0.0.1"):
    s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((address, 0))
    s.listen(512)
    return s


class Hub:
    """jit-hub with sockets passed as systemd does: they stay open while it restarts."""

    def __init__(self, directory, approvers="", conf="", sockets=1, address="127.0.0.1"):
        self.dir = pathlib.Path(directory)
        self.state = self.dir / "hub-state"
        self.state.mkdir(mode=0o700)
        self.approvers = self.dir / "approvers"
        self.approvers.write_text(approvers)
        self.conf = self.dir / "hub.conf"
        self.conf.write_text(f"[Hub]\nApprovers={self.approvers}\n{conf}")
        self.sockets = [listening_socket(address) for _ in range(sockets)]
        self.port = self.sockets[0].getsockname()[1]
        self.hosts = {}
        self.process = None
        self.context = None
        self.start()

    def start(self):
        self.process = Process([BUILD / "jit-hub", "--config", self.conf, "--state", self.state], self.dir / "hub.log",
                               fds=[s.fileno() for s in self.sockets])

    def stop(self):
        self.process.stop()

    def restart(self, kill=False):
        if kill:
            self.process.kill()
        else:
            self.stop()
        self.start()

    def close(self):
        try:
            if self.process.alive():
                self.stop()
        finally:
            if self.process.alive():
                self.process.kill()
            for s in self.sockets:
                s.close()

    def command(self, *args):
        return subprocess.run([BUILD / "jit-hub", "--state", self.state, "host", *args], text=True, capture_output=True,
                              check=False)

    def token(self, host):
        p = self.command("add", host)
        assert p.returncode == 0, p.stderr
        return p.stdout.strip()

    def client(self, bearer=None, **kw):
        return Client(self.port, bearer, context=self.context, **kw)

    def enroll(self, host="web1", key=None):
        a = self.client().post("/v1/enroll", {"token": self.token(host), "host": host, "machine": MACHINE,
                                              "key": key or HOST_KEY})
        assert a.status == 201, a
        self.hosts[host] = a.json["secret"]
        return self.client(a.json["secret"])

    def login(self, principal, key, ns=NS_LOGIN, text=None):
        c = self.client()
        challenge = c.post("/v1/login/challenge", {"principal": principal}).json["challenge"]
        return c.post("/v1/login", {"principal": principal, "challenge": challenge,
                                    "signature": key.sign(ns, text or challenge)})

    def approver(self, principal, key):
        a = self.login(principal, key)
        assert a.status == 200, a
        return self.client(a.json["token"])


HOST_KEY = ("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEXhWeTlS1v9uhyCqt0CS8v6sS35FeF12NJc4JVyCOPM")


def signer_line(principal, key, ns=NS_LOGIN, options=""):
    return f'{principal} namespaces="{ns}"{options} {key.public}\n'


# --------------------------------------------------------------------------------------------------------- the courier

class Courier:
    def __init__(self, directory, url, secret="s" * 32, conf="", start=True):
        self.dir = pathlib.Path(directory)
        self.outbox, self.inbox, self.state = (self.dir / n for n in ("outbox", "inbox", "courier-state"))
        for d in (self.outbox, self.inbox, self.state):
            d.mkdir(exist_ok=True)
        self.status_file = self.dir / "status.json"
        self.conf = self.dir / "courier.conf"
        self.conf.write_text(f"[Courier]\nHub={url}\n{conf}")
        if secret:
            self.secret(secret)
        self.process = None
        if start:
            self.start()

    def secret(self, secret):
        f = self.state / "secret"
        f.write_text(secret + "\n")
        f.chmod(0o600)

    def argv(self, *more):
        return [BUILD / "jit-courier", "--config", self.conf, "--outbox", self.outbox, "--inbox", self.inbox, "--state",
                self.state, "--status", self.status_file, *more]

    def start(self):
        self.process = Process(self.argv(), self.dir / "courier.log")

    def restart(self, kill=False):
        if kill:
            self.process.kill()
        else:
            self.process.stop()
        self.start()

    def close(self):
        if self.process and self.process.alive():
            self.process.stop()

    def offer(self, name, e):
        """A file in the outbox, as jitd writes it: aside, then renamed."""
        text = e if isinstance(e, (str, bytes)) else json.dumps(e)
        aside = self.outbox / f".tmp-{name}"
        aside.write_bytes(text if isinstance(text, bytes) else text.encode())
        aside.rename(self.outbox / name)

    def request(self, rid, **kw):
        e = request(rid, **kw)
        self.offer(f"request-{rid}.json", e)
        return e

    def settle(self, rid):
        (self.outbox / f"request-{rid}.json").unlink()

    def files(self):
        return sorted(p.name for p in self.inbox.iterdir() if not p.name.startswith("."))

    def remembered(self):
        try:
            return json.loads((self.state / "state.json").read_text())
        except (FileNotFoundError, ValueError):
            return {}

    def status(self):
        try:
            return json.loads(self.status_file.read_text())
        except FileNotFoundError:
            return {}


class FakeHub:
    """A hub that says what the test wants: ANSWER(handler, method, path, body) -> (status, headers, bytes) or None when it
    wrote to the connection itself."""

    def __init__(self, answer):
        fake = self
        self.calls = []

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def serve(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                fake.calls.append((self.command, self.path, body, self.headers.get("Authorization")))
                got = answer(self, self.command, self.path, body)
                if got is None:
                    self.close_connection = True
                    return
                status, headers, data = got
                self.send_response(status)
                for k, v in headers.items():
                    self.send_header(k, v)
                if "Content-Length" not in headers and "Transfer-Encoding" not in headers:
                    self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                with contextlib.suppress(OSError):
                    self.wfile.write(data)

            do_GET = do_PUT = do_POST = do_DELETE = serve

            def log_message(self, *args):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request, client_address):
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def count(self, method, part=""):
        return sum(1 for c in self.calls if c[0] == method and part in c[1])

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def query(path):
    return dict(p.split("=") for p in path.split("?")[1].split("&")) if "?" in path else {}


def free_port():
    with contextlib.closing(listening_socket()) as s:
        return s.getsockname()[1]


def certificate(directory, name="127.0.0.1"):
    """A self-signed certificate for loopback: (certificate, key, pin)."""
    d = pathlib.Path(directory)
    crt, key = d / f"{name}.crt", d / f"{name}.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                    "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", crt],
                   check=True, capture_output=True)
    key.chmod(0o600)
    public = subprocess.run(["openssl", "x509", "-in", crt, "-pubkey", "-noout"], check=True, capture_output=True).stdout
    der = ssl.PEM_cert_to_DER_cert(public.decode().replace("PUBLIC KEY", "CERTIFICATE"))
    return crt, key, "sha256//" + base64.b64encode(hashlib.sha256(der).digest()).decode()


def scratch():
    """A folder of our own with a short name."""
    return pathlib.Path(tempfile.mkdtemp(prefix="jit-hub-"))


def wipe(path):
    shutil.rmtree(path, ignore_errors=True)
