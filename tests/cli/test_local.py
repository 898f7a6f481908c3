"""Verbs that need nobody: config, explain --confdir, help, version, completion."""
import json
import pathlib
import re
import shutil
import subprocess

import pytest

import fakehub
from clitest import JITCTL

TREE = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture
def confdir(tmp_path):
    d = tmp_path / "jit"
    (d / "rules.d").mkdir(parents=True)
    (d / "people.d").mkdir()
    key = fakehub.public(fakehub.keygen(tmp_path / "key"))
    (d / "jitd.conf").write_text("[Host]\nDefault=deny\n")
    (d / "approvers").write_text(f'bob namespaces="decision@pam-jit" {key}\n')
    (d / "people.d/sre.conf").write_text("[Person bob]\nPrincipal=bob\nUser=bob\n[Team sre]\nMember=bob\n")
    (d / "rules.d/10.conf").write_text(
        "[Rule db]\nService=sudo\nUser=dba\nDecision=deny\n[Rule web]\nService=sudo\nUser=alice\nCommand=/usr/bin/systemctl *\n"
        "Decision=approve\nNeed=1 of sre\n[Rule ls]\nService=sudo\nUser=alice\nTarget=root\nCommand=/usr/bin/ls *\nDecision=allow\n")
    return d


def test_check(cli, confdir):
    r = cli("config", "check", "--confdir", str(confdir))
    assert r.code == 0 and "good: 3 rules, 1 people, 1 keys" in r.out, r
    o = cli("config", "check", "--confdir", str(confdir), "--json").json()
    assert o["good"] and o["rules"] == 3 and o["errors"] == [] and len(o["digest"]) == 64


def test_check_tells_every_mistake(cli, confdir):
    (confdir / "rules.d/10.conf").write_text("[Rule a]\nNonsense=1\nNeed=0 of sre\n[Rule b]\nDecision=perhaps\n")
    r = cli("config", "check", "--confdir", str(confdir))
    assert r.code == 6 and r.out == ""
    assert re.search(r"10\.conf:2: .*Nonsense", r.err) and re.search(r"10\.conf:3: ", r.err) and re.search(r"10\.conf:5: ", r.err)
    r = cli("config", "check", "--confdir", str(confdir), "--json")
    assert r.code == 6 and len(r.json()["errors"]) >= 3 and not r.json()["good"]
    assert cli("config", "show", "--confdir", str(confdir)).code == 6
    assert cli("config", "check", "--confdir", str(confdir / "nowhere")).code == 5


def test_mistakes_are_escaped(cli, confdir):
    (confdir / "rules.d/10.conf").write_text("[Rule a]\nNon\x1b[2Jsense=\u202e\n")
    for words in (["config", "check"], ["config", "check", "--json"]):
        r = cli(*words, "--confdir", str(confdir))
        assert r.code == 6 and "\x1b" not in r.out + r.err and "\u202e" not in r.out + r.err


def test_show(cli, confdir):
    r = cli("config", "show", "--confdir", str(confdir))
    assert r.code == 0 and "[Rule web]" in r.out and "Need=1 of sre" in r.out
    assert cli("config", "show", "--confdir", str(confdir), "--json").json()["text"] == r.out


def test_explain(cli, confdir):
    def explain(*words):
        return cli("explain", "--confdir", str(confdir), *words)
    r = explain("--user", "alice", "--", "/usr/bin/systemctl", "restart", "nginx")
    assert r.code == 0 and r.out.startswith("approve by rule web, needs 1 of sre\n") and "db does not match" in r.out
    assert explain("--user", "alice", "/usr/bin/ls", "-l").out.startswith("allow by rule ls\n")
    assert explain("--user", "dba", "ls").out.startswith("deny by rule db\n")
    r = explain("--user", "dba", "--json", "ls")
    assert r.json()["decision"] == "deny" and r.json()["passed_over"] == []
    (confdir / "rules.d/05.conf").write_text("[Rule ops]\nUser=%ops\nDecision=deny\n")
    assert explain("--user", "alice", "--groups", "users,ops", "/usr/bin/ls").out.startswith("deny by rule ops\n")
    assert "ops does not match" in explain("--user", "alice", "--groups", "users", "/usr/bin/ls").out


def test_help(cli):
    page = cli("help")
    assert page.code == 0 and max(map(len, page.out.splitlines())) <= 100
    verbs = cli("help", "--json").lines()
    names = {(v["verb"], v.get("second")) for v in verbs}
    for verb in "request wait list show cancel revoke inbox approve deny status explain help version".split():
        assert (verb, None) in names
        assert f"\n  {verb} " in page.out
        assert cli(verb, "--help").code == 0 and cli("help", verb).out == cli(verb, "--help").out
    assert {("audit", "verify"), ("audit", "follow"), ("audit", "show"), ("config", "check"), ("config", "show"), ("pam", "enable"),
            ("pam", "disable")} <= names
    for v in verbs:
        words = [v["verb"]] + ([v["second"]] if v.get("second") else [])
        text = cli(*words, "--help").out
        assert all(f"--{o['name']}" in text for o in v["options"])


def test_version(cli):
    assert re.fullmatch(r"jitctl \(pam-jit\) [0-9.]+\n", cli("version").out)
    assert cli("--version").out == cli("version").out
    assert set(cli("version", "--json").json()) == {"version"}


def test_manual_is_true(cli):
    """Every verb, option and exit code of the program stands in jitctl(1), every key in jitctl.conf(5)."""
    page = (TREE / "man/jitctl.1").read_text()
    for v in cli("help", "--json").lines():
        words = v["verb"] + (" " + v["second"] if v.get("second") else "")
        assert re.search(rf"^\.It Cm {words}( |$)", page, re.M) or words == "audit show", words
        for o in v["options"]:
            assert re.search(rf"\bFl -{o['name']}\b", page), o
    for code in re.findall(r"^  (\d)  ", cli("help").out, re.M):
        assert re.search(rf"^\.It {code}$", page, re.M), code
    conf = (TREE / "man/jitctl.conf.5").read_text()
    for key in re.findall(r'l->key, "(\w+)"', (TREE / "cli/settings.c").read_text()):
        assert re.search(rf"^\.It Cm {key}=", conf, re.M), key
        assert key + "=" in (TREE / "conf/jitctl.conf").read_text(), key


def test_bash_completion(cli, tmp_path):
    script = TREE / "cli/completion.bash"
    code = f"""
        source {script}
        try() {{ COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=(); _jitctl; echo "${{COMPREPLY[*]}}"; }}
        try jitctl app
        try jitctl audit v
        try jitctl pam enable sudo
        try jitctl approve --dig
        try jitctl request --service su
        try jitctl config check --confdir {tmp_path}/conf
    """
    bindir = tmp_path / "bin"
    bindir.mkdir()
    (tmp_path / "confs").mkdir()
    (bindir / "jitctl").symlink_to(JITCTL)
    out = subprocess.run(["bash", "-c", code], env={**cli.env, "PATH": f"{bindir}:/usr/bin:/bin"}, check=True,
                         stdout=subprocess.PIPE, text=True).stdout.splitlines()
    assert out == ["approve", "verify", "sudo sudo-i", "--digest", "sudo sudo-i su su-l", f"{tmp_path}/confs"]
    if shutil.which("shellcheck"):
        subprocess.run(["shellcheck", "-s", "bash", str(script)], check=True)


def test_closed_output(cli):
    """A reader that had enough is no crash."""
    p = subprocess.Popen([str(JITCTL), "help"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=cli.env)
    p.stdout.close()
    _, err = p.communicate(timeout=10)
    assert p.returncode in (0, 1) and b"Sanitizer" not in err


def test_full_disk(cli):
    with open("/dev/full", "w", encoding="ascii") as full:
        p = subprocess.run([str(JITCTL), "help"], stdout=full, stderr=subprocess.PIPE, env=cli.env, check=False)
    assert p.returncode == 1 and b"cannot write" in p.stderr


def test_json_errors(cli):
    r = cli("show", "x", "--json")
    assert r.code == 2 and json.loads(r.err)["error"]["code"] == "misused" and r.out == ""


CASES = """# what this site expects
sudo alice root /usr/bin/systemctl restart nginx   => approve web
sudo alice root /usr/bin/ls -l => allow ls

sudo dba root /usr/bin/id => deny db
sudo alice - /usr/bin/ls => unknown
sudo eve root /usr/bin/ls => deny Default
"""


def test_rules_test(cli, confdir, tmp_path):
    table = tmp_path / "cases"
    table.write_text(CASES)
    r = cli("rules", "test", "--confdir", str(confdir), str(table))
    assert r.code == 1 and f"{table}:6: expected unknown, got deny Default: no rule matches" in r.out and "1 of 5 lines" in r.out, r
    table.write_text(CASES.replace("=> unknown", "=> deny"))
    r = cli("rules", "test", "--confdir", str(confdir), str(table))
    assert r.code == 0 and r.out == "good: 5 cases\n" and r.err == "", r
    o = cli("rules", "test", "--json", "--confdir", str(confdir), str(table)).json()
    assert o["cases"] == 5 and o["failed"] == 0 and o["failures"] == []


def test_rules_test_says_what_is_wrong(cli, confdir, tmp_path):
    table = tmp_path / "cases"
    table.write_text("sudo alice root /usr/bin/ls => deny nowhere\nsudo alice root /usr/bin/ls => allow web\n"
                     "sudo dba root /usr/bin/ls => allow ls\nnonsense\nsudo alice root => allow\n")
    r = cli("rules", "test", "--confdir", str(confdir), str(table))
    lines = r.out.splitlines()
    assert r.code == 1 and lines[0] == f"{table}:1: expected deny nowhere, got allow ls: there is no rule nowhere"
    assert lines[1] == (f"{table}:2: expected allow web, got allow ls: web does not match: command /usr/bin/ls with 0 arguments is not "
                        "/usr/bin/systemctl *")
    assert lines[2] == f"{table}:3: expected allow ls, got deny db: ls does not match: user is dba, not alice"
    assert lines[3].startswith(f"{table}:4: a case is: SERVICE USER TARGET")
    assert lines[4] == f"{table}:5: expected allow, got deny Default: no rule matches, so Default= decides"
    assert lines[5] == "5 of 5 lines failed"
    o = cli("rules", "test", "--json", "--confdir", str(confdir), str(table))
    assert o.code == 1 and [f["line"] for f in o.json()["failures"]] == [1, 2, 3, 4, 5]


def test_rules_test_misused(cli, confdir, tmp_path):
    table = tmp_path / "cases"
    table.write_text("# nothing\n")
    assert cli("rules", "test", "--confdir", str(confdir)).code == 2
    assert cli("rules", "test", "--confdir", str(confdir), str(table)).code == 2
    assert cli("rules", "test", "--confdir", str(confdir), str(tmp_path / "nowhere")).code == 5
    assert cli("rules", "test", "--confdir", str(tmp_path / "nowhere"), str(table)).code == 5
    (confdir / "rules.d/10.conf").write_text("[Rule a]\nNonsense=1\n")
    r = cli("rules", "test", "--confdir", str(confdir), str(table))
    assert r.code == 6 and "10.conf:2: unknown key" in r.err


def test_explain_where_and_when(cli, confdir):
    (confdir / "rules.d/10.conf").write_text(
        "[Rule day]\nHours=Mon..Fri 08:00-20:00 Europe/Berlin\nDecision=deny\n[Rule there]\nCwd=/srv\nTty=pts/9\n"
        "Remote=10.0.0.0/8\nDecision=deny\n[Rule none]\nTty=none\nDecision=allow\n")

    def rule(*words):
        return cli("explain", "--confdir", str(confdir), "--user", "alice", "--groups", "x", *words, "--json", "--", "/usr/bin/id").json()["rule"]

    assert rule("--at", "2026-06-01 08:00 Europe/Berlin") == "day"
    assert rule("--at", "2026-06-01 05:59") == "none"
    assert rule("--at", "Sat 12:00", "--cwd", "/srv", "--tty", "pts/9", "--remote", "10.1.1.1") == "there"
    assert rule("--at", "Sat 12:00", "--cwd", "/srv", "--tty", "pts/9", "--remote", "11.1.1.1") == "Default"
    assert rule("--at", "Sat 12:00", "--cwd", "/tmp", "--tty", "pts/9") == "Default"
    r = cli("explain", "--confdir", str(confdir), "--at", "noon", "/usr/bin/id")
    assert r.code == 2 and "'noon' is no time" in r.err
