"""What a request's document says of the host and of the past, as a person reads it."""
import json
import re

import pytest

from test_bus import request
from fakehub import document

CONTEXT = {
    "ticket": "INC-17", "package": {"state": "changed", "name": "nginx", "version": "1.22.1-9"},
    "last": [{"id": "QQQQ-2222", "age": 7200, "command": "systemctl restart nginx", "target": "root",
              "outcome": "approved by bob"}],
    "similar": {"total": 6, "approved": 5, "denied": 1, "last": {"by": "bob", "verdict": "approved", "age": 7200}},
    "users": [{"name": "carol", "tty": "pts/2", "from": "10.0.0.4", "age": 1200},
              {"name": "alice", "sessions": 2, "tty": "pts/3", "requester": True}],
    "users_more": 3, "failed_units": {"count": 9, "names": ["nginx.service", "backup.service"]},
    "load": "0.10 0.12 0.09", "cpus": 2, "memory_available_mib": 512, "up": 7265,
}


def show(cli, jitd, context, columns=0, **doc):
    jitd.answer("Show", request(doc=document(context=context, **doc)))
    r = cli.terminal("show", "K7QF-2M9X", columns=columns) if columns else cli("show", "K7QF-2M9X")
    assert r.code == 0, r
    return r.out


def test_whole(cli, jitd):
    out = show(cli, jitd, CONTEXT)
    for line in ("  ticket     INC-17\n",
                 "  package    nginx 1.22.1-9: THE FILE HAS CHANGED since it was installed\n",
                 "  before     2 h ago: systemctl restart nginx as root: approved by bob\n",
                 "  similar    6 in the last day: 5 approved, 1 denied; last approved by bob, 2 h ago\n",
                 "  logged on  carol on pts/2 from 10.0.0.4, came 20 min ago\n",
                 "             alice (who asks) on pts/3, 2 sessions\n",
                 "             and 3 more\n",
                 "  units      9 FAILED: nginx.service, backup.service, ...\n",
                 "  host       load 0.10 0.12 0.09 on 2 cpus, 512 MiB free, up 2 h 1 min\n"):
        assert line in out, (line, out)
    assert "context" not in out


@pytest.mark.parametrize("context,line", [
    ({"package": {"state": "shipped", "name": "nginx", "version": "1"}}, "package    nginx 1: the file is as it was shipped"),
    ({"package": {"state": "none"}}, "package    none: the file is of no package"),
    ({"package": {"state": "unlisted", "name": "x"}}, "package    x: it keeps no digest of the file, so nothing is known of "
     "changes"),
    ({"package": {"state": "odd", "name": "x"}}, "package    x: odd"),
    ({"last": []}, "before     no request of this user in the last day"),
    ({"similar": {"total": 0}}, "similar    no such request of anybody in the last day"),
    ({"users": []}, "logged on  nobody"),
    ({"failed_units": {"count": 0, "names": []}}, "units      none failed"),
    ({"late": ["package", "users"]}, "not known  package, users: could not be learnt in time"),
    ({"unknown": ["package"]}, "not known  package: cannot be told on this host"),
    ({"new": {"a": 1}}, 'context    new: {"a":1}'),
    ({"up": 3600 * 24 * 40 + 7}, "host       up 40 d"),
], ids=lambda v: json.dumps(v)[:30] if isinstance(v, dict) else "")
def test_each(cli, jitd, context, line):
    assert f"  {line}\n" in show(cli, jitd, context)


EVIL = "a\x1b[2J\u202e\nK7QF-2M9X granted"


def evil(value):
    if isinstance(value, dict):
        return {k: evil(v) for k, v in value.items()}
    if isinstance(value, list):
        return [evil(v) for v in value]
    return value + EVIL if isinstance(value, str) else value


@pytest.mark.parametrize("context", [evil(CONTEXT), {k: EVIL for k in CONTEXT}, {k: [EVIL] for k in CONTEXT},
                                     {k: 7 for k in CONTEXT}, {k: {"count": EVIL, "names": 3} for k in CONTEXT},
                                     {k: None for k in CONTEXT}, {"late": [[1], {}], "last": [1, "x", []]}, {}],
                         ids=["words", "text", "lists", "numbers", "objects", "null", "mixed", "nothing"])
def test_foreign_forms(cli, jitd, context):
    out = show(cli, jitd, context)
    assert "\x1b" not in out and "\u202e" not in out and "\nK7QF-2M9X granted" not in out


def test_checks(cli, jitd):
    checks = [{"check": "load<8", "effect": "refuse", "by": "host", "holds": True, "text": "load is 0.31"},
              {"check": "http:freeze", "effect": "inform", "by": "courier", "holds": False, "text": "no answer" + EVIL},
              {"check": "up>1h", "effect": "escalate", "need": "2 of sre", "by": "host", "holds": False, "text": "up for 3 min"}]
    out = show(cli, jitd, {}, checks=checks)
    assert "  checks     holds load<8: load is 0.31 (must hold)\n" in out
    assert "             FAILS http:freeze: no answer" in out and "(only to be known, looked at by the courier)\n" in out
    assert "             FAILS up>1h: up for 3 min (so 2 of sre as well)\n" in out
    assert "\x1b" not in out and "\u202e" not in out


@pytest.mark.parametrize("columns", [80, 40])
def test_narrow(cli, jitd, columns):
    """It fits a terminal, and a phone's."""
    out = show(cli, jitd, CONTEXT, columns=columns)
    lines = re.sub(r"\x1b\[[0-9;]*m", "", out).splitlines()
    assert max(map(len, lines[1:])) <= columns, out
