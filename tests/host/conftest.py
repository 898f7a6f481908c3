"""Fixtures of the host tests: hosts in containers, bare, with the packages, or with the whole scene set up.

A fixture lives as long as its module.  What a failed test leaves in the journals is shown with its report.
"""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import jithost  # noqa: E402
import scene  # noqa: E402


@pytest.fixture(scope="module")
def lab():
    with jithost.Lab() as made:
        yield made


@pytest.fixture(scope="module")
def bare(lab):
    """A host without our packages."""
    host = lab.host("web1")
    lab.boot()
    return host


@pytest.fixture(scope="module")
def stage(lab):
    """(web1, hub) with rule, approvers, enrollment; grants live 20 s."""
    _, web, hub = scene.make(lab)
    return web, hub


@pytest.fixture(autouse=True)
def terminals(request):
    """No terminal outlives its test."""
    yield
    lab = request.node.funcargs.get("lab")
    for host in lab.hosts.values() if lab else ():
        while host.terminals:
            host.terminals.pop().close(force=True)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    lab = getattr(item, "funcargs", {}).get("lab")
    if not report.failed or not lab:
        return
    for host in lab.hosts.values():
        if host.leader:
            done = host.run("journalctl", "--no-pager", "-o", "short-monotonic", "-n", "60", "-g", "jit|sudo", check=False)
            report.sections.append((f"journal of {host.name}", done.stdout))
