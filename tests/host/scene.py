"""The scene that the story is played on: web1, whose sudo is gated, and hub, where bob works.

Everything is set up as the README tells an administrator to: packages, people, approvers, one rule, certificate,
enrollment, `jitctl pam enable`.
"""

from jithost import Lab

HUB_URL = "https://hub:8443"

PEOPLE = """\
[Person alice]
User=alice

[Person bob]
User=bob
Principal=bob

[Person carol]
User=carol
Principal=carol

[Person dave]
User=dave

[Team sre]
Member=bob carol
"""

RULE = """\
[Rule nginx-restart]
Service=sudo
User=alice
Target=root
Command=/usr/bin/systemctl restart nginx | /usr/bin/sleep *
Decision=approve
Need=1 of sre
Reason=optional
Scope=service
For={work}
AnswerBy=5min
ClaimBy=5min
AtEnd=warn {warn}, terminate 2s
"""

SITE = """\
[Default]
Need=1 of sre
Scope=service
For={work}
AtEnd=warn {warn}, terminate 2s
"""

COURIER = """\
[Courier]
Hub={url}
CA=/etc/jit/hub-ca.pem
"""

APPROVER = """\
[Hub]
URL={url}
CA=/etc/ssl/hub-ca.pem

[Approver]
Principal={user}
Key=~/.ssh/id_ed25519
"""

HUB = """\
[Hub]
Listen=0.0.0.0:8443
Certificate=/etc/jit-hub/hub.pem
PrivateKey=/etc/jit-hub/hub.key
"""


def public_key(host, user):
    return " ".join(host.read(f"/home/{user}/.ssh/id_ed25519.pub").split()[:2])


def signers(host, namespace, users=("bob", "carol")):
    return "".join(f'{u} namespaces="{namespace}" {public_key(host, u)}\n' for u in users)


def set_up_hub(hub, approvers=("bob", "carol")):
    """The hub's package, its certificate, who may sign in, and the approvers' own settings."""
    hub.install("pam-jit", "pam-jit-hub")
    hub.run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
            "-subj", "/CN=hub", "-addext", "subjectAltName=DNS:hub", "-keyout", "/etc/jit-hub/hub.key",
            "-out", "/etc/jit-hub/hub.pem")
    hub.run("chgrp", "jit-hub", "/etc/jit-hub/hub.key")
    hub.run("chmod", "640", "/etc/jit-hub/hub.key")
    hub.run("cp", "/etc/jit-hub/hub.pem", "/etc/ssl/hub-ca.pem")
    hub.run("chmod", "644", "/etc/ssl/hub-ca.pem")
    hub.put("/etc/jit-hub/approvers", signers(hub, "login@pam-jit", approvers))
    hub.put("/etc/jit-hub/hub.conf", HUB)
    for user in approvers:
        hub.run("install", "-d", "-o", user, "-g", user, f"/home/{user}/.config", f"/home/{user}/.config/jit")
        hub.put(f"/home/{user}/.config/jit/jitctl.conf", APPROVER.format(url=HUB_URL, user=user), 0o600, f"{user}:{user}")
    hub.run("systemctl", "restart", "jit-hub.service")


def set_up_web(web, hub, work="20s", warn="8s", rule=RULE, people=PEOPLE, services=("sudo",)):
    """A host whose approvers have their keys on HUB."""
    web.install("pam-jit")
    web.put("/etc/jit/people.d/people.conf", people)
    web.put("/etc/jit/approvers", signers(hub, "decision@pam-jit"))
    web.put("/etc/jit/jitd.conf.d/10-site.conf", SITE.format(work=work, warn=warn))
    web.put("/etc/jit/rules.d/50-nginx.conf", rule.format(work=work, warn=warn))
    web.run("jitctl", "config", "check")
    web.run("systemctl", "reload", "jitd.service")
    enroll(web, hub)
    web.run("jitctl", "pam", "enable", *services)


def enroll(web, hub):
    web.put("/etc/jit/hub-ca.pem", hub.read("/etc/jit-hub/hub.pem"))
    token = hub.run("jit-hub", "host", "add", web.name).stdout.split()[-1]
    web.run("jit-courier", "enroll", "--hub", HUB_URL, "--ca", "/etc/jit/hub-ca.pem", "--host", web.name, token)
    web.put("/etc/jit/courier.conf", COURIER.format(url=HUB_URL))
    web.run("systemctl", "restart", "jit-courier.service")


def make(lab=None, **how):
    """A lab with the whole scene up: (lab, web1, hub)."""
    lab = lab or Lab()
    web, hub = lab.host("web1"), lab.host("hub")
    lab.boot()
    set_up_hub(hub)
    set_up_web(web, hub, **how)
    return lab, web, hub
