"""What the README tells an administrator to type works as it stands there."""

import re

import jitbuild
import scene

README = (jitbuild.TREE / "README").read_text(encoding="utf-8")


def blocks():
    """The indented blocks of the README, without their indentation."""
    found = re.findall(r"(?:^ {4}\S.*\n(?:^ {4}.*\n|\n(?= {4}\S))*)+", README, re.M)
    return [re.sub(r"^ {4}", "", b, flags=re.M) for b in found]


def block(*words):
    return next(b for b in blocks() if all(w in b for w in words))


def test_the_files_of_the_readme_are_a_configuration(bare):
    bare.install("pam-jit")
    bare.put("/etc/jit/people.d/people.conf", block("[Person alice]", "[Team sre]"))
    line = block('namespaces="decision@pam-jit"').replace("ssh-ed25519 AAAA...", scene.public_key(bare, "bob"))
    bare.put("/etc/jit/approvers", line)
    bare.put("/etc/jit/rules.d/50-nginx.conf", block("[Rule nginx-restart]"))
    bare.put("/etc/jit/jitd.conf.d/10-site.conf", block("[Default]"))
    check, explain = block("jitctl config check").splitlines()[:2]
    bare.run("sh", "-c", check)
    assert "nginx-restart" in bare.run("sh", "-c", explain).stdout
    bare.put("/root/.config/jit/jitctl.conf", block("[Approver]"))
    assert bare.run("jitctl", "inbox", check=False).returncode == 4, "a hub that is not there, not a bad configuration"


def test_the_lines_of_the_readme_are_those_of_jitctl(bare):
    for line in block("jitctl pam enable sudo").splitlines():
        bare.run("sh", "-c", line)
    stack = bare.read("/etc/pam.d/sudo")
    for line in block("account    requisite").splitlines():
        assert line.strip() in stack
    bare.run("sh", "-c", block("jitctl pam disable").splitlines()[0])
    assert "pam_jit" not in bare.read("/etc/pam.d/sudo")


def test_the_hub_of_the_readme_is_the_one_of_these_tests():
    """They play with its hub.conf as it stands there."""
    assert block("[Hub]", "Certificate=") == scene.HUB
