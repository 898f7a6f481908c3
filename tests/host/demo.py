"""The story, played: alice on web1 asks, bob on his machine approves, systemd takes the grant away.

	demo            plays it and takes everything down again
	demo shell      leaves both hosts up and says what to type where
	demo enter HOST USER   a terminal on one of them
	demo stop       takes them down
"""

import json
import os
import re
import signal
import sys
import time

import jithost
import scene

ID = r"[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}"
KEPT = "demo"
COLOR = sys.stdout.isatty() and "NO_COLOR" not in os.environ
PAINT = {"alice@web1": "36", "bob@hub": "33", "root@web1": "35"}


def paint(code, words):
    return f"\033[{code}m{words}\033[0m" if COLOR else words


class Terminal:
    """One person's terminal: what they type and what they see goes to the screen, line by line, with their name before."""

    def __init__(self, host, user):
        self.name = f"{user}@{host.name}"
        self.rest = ""
        self.child = host.login(user, columns=118)
        self.child.logfile_read = self

    def write(self, text):
        *lines, self.rest = (self.rest + text).split("\n")
        for line in lines:
            line = line.replace("\r", "")
            if not COLOR:
                line = re.sub(r"\033\[[0-9;]*m", "", line)
            if line:
                print(paint(PAINT[self.name], f"{self.name:>10} |"), line, flush=True)

    def flush(self):
        pass

    def type(self, words):
        if not self.rest:
            self.rest = self.child.after if isinstance(self.child.after, str) else ""
        self.child.sendline(words)

    def sees(self, pattern, timeout=30):
        self.child.expect(pattern, timeout=timeout)
        return self.child.match

    def prompt(self, timeout=30):
        self.sees(self.child.prompt, timeout)

    def run(self, words, timeout=30):
        self.type(words)
        self.prompt(timeout)

    def exit_status(self):
        self.child.logfile_read = None
        self.child.sendline("echo status=$?")
        status = int(self.sees(r"status=(\d+)\r").group(1))
        self.prompt()
        self.child.logfile_read = self
        self.rest = self.child.after
        return status


def narrate(words):
    print(paint("1", f"\n# {words}"), flush=True)


def must(condition, words):
    if not condition:
        raise SystemExit(f"the story went wrong: {words}")


def story(web, hub):
    work = 30
    root = Root(web)
    alice, bob = Terminal(web, "alice"), Terminal(hub, "bob")

    def nginx():
        return web.run("systemctl", "show", "-P", "MainPID", "nginx").stdout.strip()

    before = nginx()
    narrate("alice may run this by sudoers; the rule nginx-restart says that one of team sre must agree.")
    alice.type("sudo systemctl restart nginx")
    request = alice.sees(rf"jitctl cancel ({ID})\r\n").group(1)

    narrate("bob, on another machine, sees it and reads what he signs.")
    bob.run("jitctl inbox --wait")
    bob.type(f"jitctl approve {request}")
    bob.sees("type yes: ")
    bob.child.sendline("yes")
    bob.prompt()
    alice.prompt()
    granted = time.monotonic()
    must(alice.exit_status() == 0, "sudo did not run the command")
    must(nginx() != before, "nginx was not restarted")

    narrate(f"Within the {work} s of the grant the same sudo asks nobody.")
    alice.run("sudo systemctl restart nginx")
    must(alice.exit_status() == 0, "the second sudo did not pass")
    root.run("systemctl list-timers --no-pager 'jit-*'")

    narrate("What still runs under the grant at its deadline is ended, by systemd's timer and by jitd, whichever comes first.")
    alice.type("sudo sleep 600")
    alice.prompt(timeout=work + 15)
    print(f"             (ended {time.monotonic() - granted:.0f} s after the approval)")
    must(alice.exit_status() != 0, "sleep outlived the grant")
    root.run("journalctl --no-pager -q -o short-precise --no-hostname -t systemd -t jit-expire -u 'jit-expire@*'")

    narrate("The next sudo asks again. alice leaves with Ctrl-C, and withdraws what she asked for.")
    alice.type("sudo systemctl restart nginx")
    second = alice.sees(rf"jitctl cancel ({ID})\r\n").group(1)
    must(second != request, "the grant was used after its end")
    alice.child.sendintr()
    alice.prompt()
    alice.run(f"jitctl cancel {second}")

    narrate("The ledger of web1 tells the whole story, and its chain verifies.")
    root.run("jitctl audit")
    root.run("jitctl audit verify")


class Root:
    """Commands of web1's administrator, on the console so to say."""

    def __init__(self, host):
        self.host, self.name = host, f"root@{host.name}"

    def run(self, words):
        bar = paint(PAINT[self.name], f"{self.name:>10} |")
        print(bar, f"{self.name}:~# {words}")
        done = self.host.run("sh", "-c", f"COLUMNS=118 {words}", check=False)
        for line in (done.stdout + done.stderr).splitlines():
            if line:
                print(bar, line)
        must(done.returncode == 0, f"'{words}' ended with {done.returncode}")


def set_up(lab, **how):
    print("-- setting up web1 and hub: packages, rules, keys, enrollment", file=sys.stderr, flush=True)
    start = time.monotonic()
    _, web, hub = scene.make(lab, **how)
    print(f"-- set up in {time.monotonic() - start:.0f} s", file=sys.stderr, flush=True)
    return web, hub


def play():
    with jithost.Lab() as lab:
        web, hub = set_up(lab, work="30s", warn="10s")
        start = time.monotonic()
        story(web, hub)
        narrate(f"That took {time.monotonic() - start:.0f} s. \"./demo shell\" leaves the hosts up for you.")


def kept():
    folder = jithost.RUN / KEPT
    try:
        return json.loads((folder / "hosts").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise SystemExit("no hosts are up; start them with ./demo shell") from None


def shell():
    stop()
    lab = jithost.Lab(keep=KEPT)
    set_up(lab, work="5min", warn="1min")
    lab.keep()
    me = "./demo"
    print(f"""
Two hosts are up. Open a terminal for each person, in this folder, as root:

  1  {me} enter web1 alice        then type    sudo systemctl restart nginx
  2  {me} enter hub bob           then type    jitctl inbox
                                               jitctl approve ID
  3  {me} enter web1 root         then type    jitctl status; jitctl list --all; jitctl audit; jitctl audit verify

The rules are in /etc/jit of web1. A grant lasts five minutes from its first use.

  {me} stop                       takes the hosts down
""")


def enter(name, user):
    hosts = kept()
    if name not in hosts:
        raise SystemExit(f"the hosts are {', '.join(hosts)}")
    host = jithost.Host(None, name, "", "", folder=jithost.RUN / KEPT / name)
    host.leader = hosts[name]["leader"]
    if jithost.start_time(host.leader) is None:
        raise SystemExit("the hosts are gone; start them again with ./demo shell")
    argv = host.enter("/bin/bash", "--login") if user == "root" else host.ssh_argv(user, tty=True)
    os.execvp(argv[0], argv)


def stop():
    folder = jithost.RUN / KEPT
    if folder.is_dir():
        jithost.Record(folder).undo()


def main(argv):
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    signal.signal(signal.SIGHUP, lambda *_: sys.exit(129))
    match argv:
        case []:
            play()
        case ["shell"]:
            shell()
        case ["enter", host, user]:
            enter(host, user)
        case ["stop"]:
            stop()
        case _:
            print(re.sub(r"^\t", "  ", __doc__, flags=re.M).replace("demo ", "./demo ").replace("  demo", "  ./demo"), file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
