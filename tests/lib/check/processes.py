"""Running programs with a time limit, each in a process group of its own, and finding what tests leave behind."""
import contextlib
import ctypes
import os
import re
import signal
import subprocess
import tempfile
import threading
import time

PR_SET_CHILD_SUBREAPER = 36
OUTPUT_MAX = 4 << 20
LEFTOVER_WAIT_S = 15
TICK_S = 0.05

# What run() started, as opposed to what became ours because its parent ended.
started = set()
started_lock = threading.Lock()


class Ended:
    def __init__(self, status, output, seconds, timed_out, left_processes):
        self.status = status
        self.output = output
        self.seconds = seconds
        self.timed_out = timed_out
        self.left_processes = left_processes


def adopt_orphans():
    """What a test leaves running becomes our child, so that it is found however it hid."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def group_lives(group):
    try:
        os.killpg(group, 0)
        return True
    except ProcessLookupError:
        return False


def end_group(group):
    """Kills what is left of the group; True when there was something."""
    until = time.monotonic() + 2
    while group_lives(group) and time.monotonic() < until:
        reap_adopted(group)
        time.sleep(0.01)
    if not group_lives(group):
        return False
    os.killpg(group, signal.SIGKILL)
    return True


def reap_adopted(group):
    """Members of the group that became ours are zombies until somebody waits for them."""
    try:
        while os.waitpid(-group, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def run(command, limit_s, env=None, cwd=None, watch=None):
    """Output goes to a file, so that a process which outlives the program cannot keep us reading."""
    begin = time.monotonic()
    with tempfile.TemporaryFile() as output:
        with started_lock:
            child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                                     env={**os.environ, **(env or {})}, cwd=cwd, start_new_session=True)
            started.add(child.pid)
        timed_out = False
        try:
            wait(child, limit_s, watch)
        except subprocess.TimeoutExpired:
            timed_out = True
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
        except BaseException:
            # Whoever ends check ends what it runs.
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
            raise
        finally:
            with started_lock:
                started.discard(child.pid)
        left = end_group(child.pid)
        size = output.seek(0, os.SEEK_END)
        output.seek(max(0, size - OUTPUT_MAX))
        text = output.read().decode("utf-8", "replace")
    return Ended(child.returncode, text, time.monotonic() - begin, timed_out, left and not timed_out)


def wait(child, limit_s, watch):
    until = time.monotonic() + limit_s
    while True:
        left = until - time.monotonic()
        if left <= 0:
            raise subprocess.TimeoutExpired(child.args, limit_s)
        try:
            child.wait(min(left, TICK_S))
            return
        except subprocess.TimeoutExpired:
            reap_orphans()
            if watch:
                watch()


def reap_orphans():
    """As process 1 would do it: a script that waits for a daemon's end must not wait for a zombie."""
    with started_lock:
        for pid in children():
            if pid not in started:
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(pid, os.WNOHANG)


def ended_how(ended, limit_s):
    if ended.timed_out:
        return f"did not end within {limit_s:.0f} s and was killed"
    if ended.status < 0:
        return f"was ended by signal {-ended.status} ({signal.Signals(-ended.status).name})"
    return f"ended with status {ended.status}"


def children():
    found = []
    for task in os.listdir("/proc/self/task"):
        # A thread of ours may just have ended.
        with contextlib.suppress(FileNotFoundError):
            with open(f"/proc/self/task/{task}/children", encoding="ascii") as file:
                found += [int(pid) for pid in file.read().split()]
    return found


def describe(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return f"{pid} {file.read().replace(bytes(1), b' ').decode('utf-8', 'replace').strip()[:150]}"
    except OSError:
        return str(pid)


def leftover_processes():
    """Waits a moment for adopted processes to end, kills those that don't, and names them."""
    until = time.monotonic() + LEFTOVER_WAIT_S
    while time.monotonic() < until:
        try:
            os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return []
        if not children():
            return []
        time.sleep(0.05)
    left = [describe(pid) for pid in children()]
    for pid in children():
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    return left


class Machine:
    """The things of a machine that tests make and must take away again."""

    COMMANDS = {
        "loop device": ["losetup", "--list", "--noheadings", "--output", "NAME,BACK-FILE"],
        "nftables table": ["nft", "list", "tables"],
        "network namespace": ["ip", "netns", "list"],
    }

    def __init__(self):
        self.before = self.look()

    def look(self):
        found = {("network link", name) for name in os.listdir("/sys/class/net")}
        with open("/proc/self/mountinfo", encoding="utf-8") as file:
            found |= {("mount", line.split()[4]) for line in file}
        for kind, command in self.COMMANDS.items():
            try:
                done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
            except FileNotFoundError:
                continue
            found |= {(kind, re.sub(r"\s+", " ", line.strip())) for line in done.stdout.splitlines()}
        return found

    # An installed Moa goes on working meanwhile; tests use other names.
    INSTALLED = re.compile(r"(\S+ )?(/var/lib/moa/\S*|(/\S+ )?/var/lib/moa/\S*|moa\d+|moabr\d|table (inet|bridge) moa)$")

    def leftovers(self):
        until = time.monotonic() + LEFTOVER_WAIT_S
        while True:
            new = {(kind, name) for kind, name in self.look() - self.before if not self.INSTALLED.match(name)}
            if not new or time.monotonic() > until:
                return sorted(f"{kind} {name}" for kind, name in new)
            time.sleep(0.2)
