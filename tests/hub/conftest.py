import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import hubtest as t  # noqa: E402


@pytest.fixture(scope="session")
def keys(tmp_path_factory):
    d = tmp_path_factory.mktemp("keys")
    return {name: t.Key(d, name) for name in ("bob", "carol", "dave", "mallory")}


@pytest.fixture
def hub(tmp_path, keys):
    lines = "".join(t.signer_line(p, keys[p]) for p in ("bob", "carol", "dave"))
    h = t.Hub(tmp_path, lines)
    yield h
    h.close()


@pytest.fixture
def courier(hub, tmp_path):
    """A courier of the enrolled host web1."""
    hub.enroll("web1")
    c = t.Courier(tmp_path, f"http://127.0.0.1:{hub.port}", hub.hosts["web1"])
    yield c
    c.close()


@pytest.fixture
def fake():
    """Makes hubs that lie; each gets what it answers."""
    made = []

    def make(answer):
        made.append(t.FakeHub(answer))
        return made[-1]

    yield make
    for f in made:
        f.close()
