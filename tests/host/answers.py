"""Decisions made and laid into the inbox by hand, true ones and forged ones: what a courier could deliver."""

import hashlib
import json
import time

PEOPLE = """\
[Person alice]
User=alice
Principal=alice

[Person bob]
User=bob
Principal=bob robert

[Person carol]
User=carol
Principal=carol

[Person dave]
User=dave
Principal=dave

[Person erin]
Principal=erin

[Team sre]
Member=bob carol alice erin
"""

RULES = """\
[Rule two]
Service=sudo
User=alice
Command=/usr/bin/touch /run/two
Decision=approve
Need=2 of sre
For=30s

[Rule strong]
Service=sudo
User=alice
Command=/usr/bin/touch /run/strong
Decision=approve
Need=1 of sre with key
For=30s

[Rule second-account]
Service=sudo
User=dave
Decision=approve
Need=1 of sre
For=30s

[Rule one]
Service=sudo
User=alice
Decision=approve
Need=1 of sre
For=30s
"""

CONF = """\
[Host]
Default=deny
MaxPerMinute=1000
Origin=https://hub.example
"""


class Desk:
    """A host whose inbox is served by the test."""

    def __init__(self, host):
        self.host = host
        self.n = 0
        self.mark = 0  # refusals are looked for behind this line of the ledger

    # -- setting up --------------------------------------------------------------------------------------------

    def set_up(self, conf=CONF, people=PEOPLE, rules=RULES, approvers=None):
        host = self.host
        host.install("pam-jit")
        host.run("systemctl", "stop", "jit-courier.service")
        host.run("mkdir", "-p", "/root/keys")
        for name in ("bob2", "robert", "mallory", "dave", "erin", "expired", "ca", "certified"):
            host.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", f"/root/keys/{name}")
        for user in ("alice", "bob", "carol"):
            host.run("sh", "-c", f"cp /home/{user}/.ssh/id_ed25519 /root/keys/{user}; "
                     f"cp /home/{user}/.ssh/id_ed25519.pub /root/keys/{user}.pub; chown root: /root/keys/*")
        host.put("/etc/jit/jitd.conf", conf)
        host.put("/etc/jit/people.d/people.conf", people)
        host.put("/etc/jit/approvers", approvers or self.approvers())
        host.put("/etc/jit/rules.d/50-test.conf", rules)
        host.put("/etc/sudoers.d/test", "alice ALL=(ALL:ALL) NOPASSWD: ALL\nbob ALL=(ALL:ALL) NOPASSWD: ALL\n", 0o440)
        host.run("jitctl", "config", "check")
        host.run("systemctl", "reload-or-restart", "jitd.service")
        host.run("jitctl", "pam", "enable", "sudo", "sudo-i")

    def public(self, name):
        return " ".join(self.host.read(f"/root/keys/{name}.pub").split()[:2])

    def approvers(self):
        ns = 'namespaces="decision@pam-jit"'
        lines = [f"{p} {ns} {self.public(k)}" for p, k in
                 (("alice", "alice"), ("bob", "bob"), ("bob", "bob2"), ("robert", "robert"), ("carol", "carol"),
                  ("dave", "dave"))]
        lines.append(f'erin {ns},valid-before="20200101Z" {self.public("expired")}')
        lines.append(f'erin cert-authority,{ns} {self.public("ca")}')
        return "\n".join(lines) + "\n"

    # -- the requester's side ----------------------------------------------------------------------------------

    def ask(self, command="touch /run/one", user="alice"):
        """(terminal, request document text) once the request is in the outbox."""
        import re
        term = self.host.login(user)
        term.sendline(f"sudo {command}; echo status=$?")
        term.expect(r"([0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4})")
        rid = term.match.group(1)
        term.expect("cancel " + re.escape(rid))
        return term, self.document(rid)

    def document(self, rid):
        return json.loads(self.host.read(f"/var/lib/jit/outbox/request-{rid}.json"))["document"]

    # -- the answers -------------------------------------------------------------------------------------------

    @staticmethod
    def decision(document, principal="bob", verdict="approve", **changes):
        d = json.loads(document)
        out = {"v": 1, "request": d["id"], "digest": hashlib.sha256(document.encode()).hexdigest(), "host": d["host"],
               "verdict": verdict, "approver": principal, "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
        out.update(changes)
        return json.dumps(out)

    def sign(self, text, key="bob", namespace="decision@pam-jit"):
        self.host.put("/root/keys/message", text)
        self.host.run("sh", "-c", f"cd /root/keys && rm -f message.sig && ssh-keygen -q -Y sign -n {namespace} -f {key} message")
        return self.host.read("/root/keys/message.sig")

    @staticmethod
    def envelope(text, signature, kind="decision"):
        out = {"v": 1, "type": kind, "document": text}
        if signature is not None:
            out["signature"] = signature
        return json.dumps(out)

    def deliver(self, text):
        """Lays TEXT into the inbox as the courier does, and waits until jitd has taken it away."""
        self.n += 1
        name = f"/run/jit/inbox/decision-{self.n}.json"
        self.host.run("setpriv", "--reuid=jit-courier", "--regid=jit-courier", "--clear-groups", "sh", "-c",
                      f"umask 077; cat >/run/jit/inbox/.tmp-{self.n} && mv /run/jit/inbox/.tmp-{self.n} {name}", input=text)
        self.settled()

    def settled(self, seconds=10):
        end = time.monotonic() + seconds
        while self.host.run("ls", "-A", "/run/jit/inbox").stdout.strip():
            assert time.monotonic() < end, self.host.run("ls", "-lA", "/run/jit/inbox").stdout
            time.sleep(0.02)

    def answer(self, document, principal="bob", key=None, verdict="approve", **changes):
        text = self.decision(document, principal, verdict, **changes)
        self.deliver(self.envelope(text, self.sign(text, key or principal)))

    # -- what the host says ------------------------------------------------------------------------------------

    def ledger(self):
        out = self.host.run("sh", "-c", "cat /var/lib/jit/ledger/*.jsonl").stdout
        return [json.loads(line) for line in out.splitlines()]

    def events(self, rid, event=None):
        return [e for e in self.ledger() if e.get("id") == rid and event in (None, e["event"])]

    def refusals(self):
        return [e["text"] for e in self.ledger()[self.mark:] if e["event"] == "refused"]

    def state(self, rid):
        return next(r["state"] for r in json.loads(self.host.run("jitctl", "list", "--all", "--json").stdout) if r["id"] == rid)

    def clear(self):
        for r in json.loads(self.host.run("jitctl", "list", "--all", "--json").stdout):
            if r["state"] == "pending":
                self.host.run("jitctl", "cancel", r["id"])
            elif r["state"] in ("granted", "running"):
                self.host.run("jitctl", "revoke", r["id"])
