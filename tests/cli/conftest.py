"""Fixtures: a person at a shell, a bus with a fake jitd, a hub that can lie."""
import pathlib
import subprocess
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import clitest  # noqa: E402
import fakehub  # noqa: E402


@pytest.fixture
def cli(tmp_path):
    return clitest.Cli(tmp_path)


@pytest.fixture
def bus(tmp_path, cli):
    path = tmp_path / "bus"
    config = tmp_path / "bus.conf"
    config.write_text(clitest.BUS_CONFIG.format(path=path))
    daemon = subprocess.Popen(["dbus-daemon", f"--config-file={config}", "--nofork", "--print-address=1"],
                              stdout=subprocess.PIPE, text=True)
    assert daemon.stdout.readline()
    cli.env["DBUS_SYSTEM_BUS_ADDRESS"] = f"unix:path={path}"
    yield cli.env["DBUS_SYSTEM_BUS_ADDRESS"]
    daemon.terminate()
    daemon.wait(10)
    daemon.stdout.close()


@pytest.fixture
def jitd(tmp_path, bus):
    fake = clitest.Jitd(tmp_path, bus)
    yield fake
    if fake.process.poll() is None:
        fake.stop()


@pytest.fixture
def hub(tmp_path, cli):
    fake = fakehub.Hub(tmp_path / "hub")
    conf = cli.home / ".config/jit"
    conf.mkdir(parents=True)
    (conf / "jitctl.conf").write_text(
        f"[Hub]\nURL={fake.url}\n\n[Approver]\nPrincipal=bob\nKey={fake.bob}\n")
    yield fake
    fake.close()
