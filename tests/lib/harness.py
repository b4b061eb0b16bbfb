"""A moad of a test's own, and what talks to it: customers' calls over HTTP and HTTPS, raw sockets, moactl.

Everything lives below one temporary folder and on free ports of 127.0.0.1; every process started here is ended here. Used by the
wire, fault and system tests."""
import contextlib
import http.client
import json
import os
import re
import select
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time
import urllib.parse

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("MOA_BUILD", os.path.join(ROOT, "build-check"))
MOAD = os.path.join(BUILD, "src/daemon/moad")
MOACTL = os.path.join(BUILD, "src/ctl/moactl")
# The user the api process becomes: one every Debian has.
API_USER = "nobody"
READY_S, STOP_S, WAIT_S = 30, 40, 20


def wait_until(condition, what, seconds=WAIT_S):
    """The condition's first true value; looks often, and fails with WHAT when the time is up."""
    until = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > until:
            raise AssertionError(f"within {seconds} s: {what}")
        time.sleep(0.02)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Folder:
    """A temporary folder the api's user can pass through, with a short name: sockets live below it."""

    def __init__(self):
        self.path = tempfile.mkdtemp(prefix="moa-", dir="/tmp")
        os.chmod(self.path, 0o755)

    def remove(self):
        shutil.rmtree(self.path)


class Postgres:
    """A private server. TOOL exits with 77 and a reason where there is none."""

    TOOL = os.path.join(ROOT, "tests/lib/private-postgres")

    def __init__(self, path):
        self.path = path
        done = subprocess.run([self.TOOL, "start", path, str(os.getpid())], capture_output=True, text=True, timeout=120,
                              check=False)
        self.missing = done.stderr.strip() if done.returncode == 77 else None
        if done.returncode not in (0, 77):
            raise AssertionError(f"private-postgres: {done.stderr}")
        self.server_url = done.stdout.strip()
        self.count = 0

    def new_url(self):
        """A fresh database."""
        self.count += 1
        name = f"moa{self.count}"
        subprocess.run(["psql", "-qAt", "-c", f"CREATE DATABASE {name}", self.server_url], check=True, timeout=60,
                       capture_output=True)
        return self.server_url.replace("/postgres?", f"/{name}?")

    def stop(self):
        subprocess.run([self.TOOL, "stop", self.path], check=True, timeout=60)


class Answer:
    """What came back, byte for byte, and as JSON with its keys in order."""

    def __init__(self, status, headers, body):
        self.status = status
        self.headers = {name.lower(): value for name, value in headers}
        self.body = body

    @property
    def text(self):
        return self.body.decode("ascii")

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def keys(self):
        return list(self.json)

    def __getitem__(self, key):
        return self.json[key]

    def __repr__(self):
        return f"<{self.status} {self.body[:300]!r}>"


class Vps:
    """One VPS and its key."""

    def __init__(self, server, created):
        self.server = server
        self.veid = created["veid"]
        self.key = created["api_key"]
        self.password = created["root_password"]
        self.ip = created["ip"]
        self.ssh_port = created["ssh_port"]

    @property
    def credentials(self):
        return {"veid": str(self.veid), "api_key": self.key}

    def call(self, name, params=None, **options):
        return self.server.call(name, {**self.credentials, **(params or {})}, **options)

    def ok(self, name, params=None, **options):
        """The same, and it must succeed."""
        answer = self.call(name, params, **options)
        assert answer.status == 200 and answer["error"] == 0, f"{name}: {answer}"
        return answer


class Server:
    """Where one api process listens."""

    def __init__(self, http_port, https_port):
        self.http_port = http_port
        self.https_port = https_port
        self.url = f"http://127.0.0.1:{http_port}"

    def connect(self, tls=False, source=None, timeout=40):
        address = (source, 0) if source else None
        if not tls:
            return http.client.HTTPConnection("127.0.0.1", self.http_port, timeout=timeout, source_address=address)
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return http.client.HTTPSConnection("127.0.0.1", self.https_port, timeout=timeout, source_address=address,
                                           context=context)

    def request(self, method, target, body=None, headers=None, **options):
        with contextlib.closing(self.connect(**options)) as connection:
            connection.request(method, target, body=body, headers=headers or {})
            response = connection.getresponse()
            return Answer(response.status, response.getheaders(), response.read())

    def call(self, name, params=None, method="GET", **options):
        """A call as most clients make it: GET with a query, or POST with a form."""
        text = urllib.parse.urlencode(params or {})
        if method == "GET":
            return self.request("GET", f"/v1/{name}?{text}", **options)
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return self.request(method, f"/v1/{name}", body=text, headers=headers, **options)

    def raw(self, data, timeout=10):
        """Sends bytes as they are and reads until the server closes, which it must."""
        with socket.create_connection(("127.0.0.1", self.http_port), timeout=timeout) as peer:
            # The server may have said no and left before all is sent.
            with contextlib.suppress(ConnectionError, BrokenPipeError):
                peer.sendall(data)
            return read_all(peer)

    def leave(self, data):
        """Sends bytes and hangs up."""
        with socket.create_connection(("127.0.0.1", self.http_port), timeout=10) as peer:
            peer.sendall(data)


def read_all(peer):
    data = b""
    with contextlib.suppress(ConnectionResetError):
        while chunk := peer.recv(65536):
            data += chunk
    return data


class Process:
    """One moad process, started as WORD says: None is the supervisor with its two children."""

    def __init__(self, word, settings, log_path, more_env=None):
        self.word = word
        self.log_path = log_path
        self.failed_before = self.log().count("starting it again") if os.path.exists(log_path) else 0
        read_end, write_end = os.pipe()
        command = [MOAD, "-c", settings] + ([word] if word else [])
        env = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "MOAD_READY_FD": str(write_end),
               **(more_env or {})}
        with open(log_path, "ab") as log:
            self.child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env,
                                          pass_fds=[write_end])
        os.close(write_end)
        try:
            self.await_ready(read_end)
        finally:
            os.close(read_end)

    def await_ready(self, read_end):
        until = time.monotonic() + READY_S
        while time.monotonic() < until and not self.fails_again_and_again():
            if select.select([read_end], [], [], 0.1)[0]:
                if os.read(read_end, 1) == b"R":
                    return
                break
        self.kill()
        raise AssertionError(f"moad {self.word or ''} did not come up:\n{self.log()}")

    def fails_again_and_again(self):
        return self.log().count("starting it again") > 2 + self.failed_before

    @property
    def pid(self):
        return self.child.pid

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def children(self):
        """Process ids of the supervisor's children by word."""
        found = {}
        with open(f"/proc/{self.pid}/task/{self.pid}/children", encoding="ascii") as file:
            pids = [int(pid) for pid in file.read().split()]
        for pid in pids:
            with contextlib.suppress(OSError, IndexError):
                with open(f"/proc/{pid}/cmdline", "rb") as file:
                    found[file.read().split(b"\0")[1].decode()] = pid
        return found

    def signal(self, number):
        self.child.send_signal(number)

    def stop(self):
        """Asks it to end; returns its exit status."""
        if self.child.poll() is None:
            self.child.terminate()
            try:
                self.child.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self.kill()
                raise AssertionError(f"moad {self.word or ''} does not end:\n{self.log()}") from None
        return self.child.returncode

    def kill(self):
        """As kill -9; a supervisor's children end by themselves then."""
        children = list(self.children().values()) if self.child.poll() is None else []
        self.child.kill()
        self.child.wait()
        for pid in children:
            wait_until(lambda pid=pid: not is_alive(pid), f"process {pid} to follow its supervisor")


def is_alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


class Moad(Server):
    """An installation: settings, state, and its processes. SETTINGS are by section: {"api": {"points_15min": 5}}."""

    def __init__(self, store_url="", settings=None, folder=None, node_endpoint=None):
        super().__init__(free_port(), free_port())
        self.own_folder = None if folder else Folder()
        self.folder = folder or self.own_folder.path
        self.state_dir = os.path.join(self.folder, "state")
        self.run_dir = tempfile.mkdtemp(prefix="run-", dir=self.folder)
        os.chmod(self.run_dir, 0o755)
        self.socket_path = os.path.join(self.run_dir, "admin.sock")
        self.node_endpoint = node_endpoint
        self.settings_path = os.path.join(self.run_dir, "moad.conf")
        self.log_path = os.path.join(self.run_dir, "log")
        self.processes = {}
        self.write_settings(store_url, settings or {})

    def write_settings(self, store_url, settings):
        all_settings = {
            "moad": {"state_dir": self.state_dir, "run_dir": self.run_dir, "store": store_url, "user": API_USER,
                     "log_level": "debug"},
            "api": {"http": f"127.0.0.1:{self.http_port}", "https": f"127.0.0.1:{self.https_port}", "threads": 2,
                    "points_15min": 10000000, "points_24h": 10000000, "guesses_15min": 10000000},
            "node": {"hypervisor": "sim"},
        }
        for section, values in settings.items():
            all_settings[section].update(values)
        with open(self.settings_path, "w", encoding="utf-8") as file:
            for section, values in all_settings.items():
                file.write(f"[{section}]\n" + "".join(f"{key} = {value}\n" for key, value in values.items()))

    def start(self, word=None, env=None):
        """The supervisor, or only one of its parts."""
        self.processes[word] = Process(word, self.settings_path, self.log_path, env)
        return self

    def await_death(self, word):
        """Waits for a process to end by itself; returns its status."""
        return self.processes.pop(word).child.wait(STOP_S)

    def stop(self, word=None):
        return self.processes.pop(word).stop()

    def kill(self, word=None):
        self.processes.pop(word).kill()

    @property
    def supervisor(self):
        return self.processes[None]

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def close(self):
        """Ends what still runs and removes the folder, also when something is wrong with the former."""
        try:
            for word in list(self.processes):
                self.stop(word)
        finally:
            for word in list(self.processes):
                self.kill(word)
            if self.own_folder:
                self.own_folder.remove()
                self.own_folder = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # The operator.

    def run_ctl(self, *arguments, stdin=subprocess.DEVNULL, env=None):
        command = [MOACTL, "--socket", self.socket_path, *map(str, arguments)]
        return subprocess.run(command, stdin=stdin, capture_output=True, text=True, timeout=120, check=False,
                              env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "TZ": "UTC", **(env or {})})

    def ctl(self, *arguments):
        """moactl's answer; it must succeed."""
        done = self.run_ctl("--json", *arguments)
        assert done.returncode == 0, f"moactl {' '.join(map(str, arguments))}: {done.returncode} {done.stderr}"
        return json.loads(done.stdout)

    def add_customer(self, email="customer@example.com", plan="kvmv5-40g-2048m"):
        self.ctl("account", "add", email)
        self.ctl("plan", "set", plan, "--disk", "41G", "--ram", "2G", "--swap", "1G", "--monthly-data", "2T")

    def create(self, vps_type, hostname="my.server.com", *more, email="customer@example.com", plan="kvmv5-40g-2048m"):
        created = self.ctl("vps", "create", "--type", vps_type, "--plan", plan, "--account", email, "--os",
                           "debian-12-x86_64", "--hostname", hostname, *more)
        return Vps(self, created)

    def works(self):
        return self.ctl("work", "list")["works"]


def log_line_count(text, pattern):
    return len(re.findall(pattern, text))


def send_signal(pid, number=signal.SIGKILL):
    os.kill(pid, number)
