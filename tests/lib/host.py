"""A whole VPS host for tests: libvirt, pool, bridge and real guests of both types, and the proof that nothing of it is left.

Everything is named after a prefix and lies below one temporary folder, so that several hosts live beside each other on
one machine and what a killed test left can be found and swept away by the next.
"""
import contextlib
import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path

from moa import BUILD, ROOT, Moad, eventually

PRIVATE_LIBVIRTD = ROOT / "tests/lib/private-libvirtd"
TEMPLATE = "debian-12-x86_64"
LOCATION = "TEST_1"


def run(*command, check=True, **options):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, **options)
    if check and done.returncode:
        raise AssertionError(f"{' '.join(map(str, command))}: exit {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout


def missing():
    """Why real guests cannot be tested here, or ''."""
    if os.geteuid() != 0:
        return "needs root"
    for program in ("libvirtd", "virtlogd", "virsh", "qemu-system-x86_64", "mkfs.xfs", "nft", "ip", "mmdebstrap",
                    "sshpass", "ssh", "ssh-keygen"):
        if not shutil.which(program):
            return f"needs the program {program}"
    if not (BUILD / "src/daemon/moad").exists():
        return f"needs moad built in {BUILD}"
    return ""


def wait_turn(prefix):
    """Two runs of the same tests beside each other would share names: the later one waits here. The turn ends with its process."""
    turn = socket.socket(socket.AF_UNIX)

    def is_ours():
        with contextlib.suppress(OSError):
            turn.bind(f"\0moa-test-{prefix}")
            return True
        return False

    eventually(f"the tests named {prefix} of another run end", is_ours, 1200, 1)
    return turn


class Footprint:
    """What a host with this prefix and folder has on the machine."""

    def __init__(self, base, prefix, bridge):
        self.base, self.prefix, self.bridge = str(base), prefix, bridge

    def mounts(self):
        found = []
        for line in Path("/proc/self/mountinfo").read_text().splitlines():
            path = line.split()[4].encode().decode("unicode_escape")
            if path == self.base or path.startswith(self.base + "/"):
                found.append(path)
        return found

    def loops(self):
        devices = json.loads(run("losetup", "--list", "--json") or '{"loopdevices":[]}')["loopdevices"]
        return [loop["name"] for loop in devices if (loop["back-file"] or "").startswith(self.base + "/")]

    def links(self):
        names = [link["ifname"] for link in json.loads(run("ip", "-j", "link"))]
        return [name for name in names if name == self.bridge or
                (name.startswith(self.prefix) and name[len(self.prefix):].isdigit())]

    def tables(self):
        listed = json.loads(run("nft", "-j", "list", "tables"))["nftables"]
        return [(item["table"]["family"], item["table"]["name"]) for item in listed
                if "table" in item and item["table"]["name"] == self.prefix]

    def processes(self):
        """Those whose command line names the folder, and those in containers of ours."""
        found = {}
        for entry in Path("/proc").iterdir():
            try:
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if self.base + "/" in command and int(entry.name) != os.getpid() and "tail --pid" not in command:
                found[int(entry.name)] = command[:160]
        for group in self.cgroups():
            for tasks in Path(group).rglob("cgroup.procs"):
                with contextlib.suppress(OSError):
                    found.update({int(pid): group for pid in tasks.read_text().split()})
        return found

    def cgroups(self):
        """Groups of containers of ours, in every hierarchy."""
        found = run("find", "/sys/fs/cgroup", "-mindepth", "2", "-maxdepth", "3", "-type", "d", "-path",
                    f"*/moa.*/{self.prefix}-*", check=False)
        return sorted(found.split())

    def everything(self):
        found = {"mounts": self.mounts(), "loops": self.loops(), "links": self.links(), "tables": self.tables(),
                 "processes": self.processes(), "cgroups": self.cgroups()}
        return {what: those for what, those in found.items() if those}

    def sweep(self):
        """Takes away by force whatever is left."""
        run(PRIVATE_LIBVIRTD, "stop", f"{self.base}/libvirt", check=False)
        for pid in self.processes():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        eventually("its processes end", lambda: not self.processes(), 60)
        for path in reversed(self.mounts()):
            run("umount", "-l", path, check=False)
        for device in self.loops():
            run("losetup", "-d", device, check=False)
        for link in self.links():
            run("ip", "link", "delete", link, check=False)
        for family, name in self.tables():
            run("nft", "delete", "table", family, name, check=False)
        for group in self.cgroups():
            run("find", group, "-depth", "-type", "d", "-exec", "rmdir", "{}", "+", check=False)


class Host:
    """A moad with real hypervisors. NUMBER keeps hosts of different tests apart."""

    def __init__(self, name, prefix, number, pool_size="24G", hypervisors=("kvm", "ovz")):
        self.prefix, self.bridge, self.number = prefix, f"{prefix}br0", number
        self.gateway = f"10.{number}.0.1"
        self.turn = wait_turn(prefix)
        self.sweep_orphans(name)
        self.base = Path(tempfile.mkdtemp(prefix=f"moa-{name}-"))
        self.base.chmod(0o711)
        (self.base / "owner").write_text(str(os.getpid()))
        self.footprint = Footprint(self.base, prefix, self.bridge)
        self.has_kvm = "kvm" in hypervisors
        self.uri = "qemu:///system?socket=/nonexistent"
        node = {"hypervisor": "real", "name_prefix": prefix, "bridge": self.bridge, "network": f"10.{number}.0.0/16",
                "pool_size": pool_size, "id_base": number * 10**6, "dns": "192.0.2.53", "libvirt_uri": self.uri}
        self.moad = Moad(self.base, {"node": node})
        # On all addresses, so that guests can reach the API as customers' own machines would.
        self.moad.change_settings("api", http=f"*:{self.moad.http_port}")
        # Where templates are kept between runs: copying one saves the minutes that building it takes.
        self.templates = os.environ.get("MOA_TEST_TEMPLATES")

    def sweep_orphans(self, name):
        """What an earlier run left that could not clean up, because it was killed."""
        for base in Path(tempfile.gettempdir()).glob(f"moa-{name}-*"):
            owner = (base / "owner").read_text() if (base / "owner").exists() else ""
            if owner and Path(f"/proc/{owner}").exists():
                continue
            Footprint(base, self.prefix, self.bridge).sweep()
            shutil.rmtree(base, ignore_errors=True)

    def open(self):
        if self.has_kvm:
            self.uri = self.libvirtd("start", self.moad.state).strip()
            self.moad.change_settings("node", libvirt_uri=self.uri)
        self.moad.start()
        self.place()

    def place(self):
        """A location, this node with ports no other test uses, a customer and plans."""
        ctl = self.moad.ctl
        node = ctl("node", "list")["nodes"][0]
        ctl("location", "set", LOCATION, "--name", "Test", "--datacenter", "Test (DC1)")
        first = 20000 + self.number * 100
        ctl("node", "set", node["alias"], "--location", LOCATION, "--ip", node["ip"], "--port-first", first,
            "--port-last", first + 99)
        self.node_ip = node["ip"]
        self.key = self.base / "customer_key"
        if not self.key.exists():
            run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "customer", "-f", self.key)
        ctl("account", "add", "customer@example.com", "--ssh-keys", f"@{self.key}.pub")
        ctl("plan", "set", "small", "--disk", "3G", "--ram", "512M", "--swap", "128M", "--processes", "256")
        ctl("plan", "set", "tiny", "--disk", "2G", "--ram", "256M", "--processes", "128")

    def libvirtd(self, command, *seen):
        return run(PRIVATE_LIBVIRTD, command, self.base / "libvirt", *seen,
                   env={**os.environ, "MOA_OWNER_PID": str(os.getpid()),
                        "MOA_KVM_PROBE": str(BUILD / "src/hypervisor/kvm/moa-kvm-probe")})

    def need_template(self):
        names = {entry["name"] for entry in self.moad.ctl("template", "list")["templates"]}
        if TEMPLATE in names:
            return
        if not self.templates or not (Path(self.templates) / TEMPLATE / "manifest.json").exists():
            self.moad.run_work("template", "build", TEMPLATE, ceiling_s=1800)
            return
        self.moad.stop()
        run("cp", "--reflink=auto", "--sparse=always", "-r", Path(self.templates) / TEMPLATE,
            self.moad.state / "pool/templates")
        self.moad.start()

    def create(self, vps_type, plan="small"):
        """`vps create`, waited for."""
        return self.moad.run_work(*self.order(vps_type, plan))

    def create_no_wait(self, vps_type, plan="small"):
        return self.moad.ctl(*self.order(vps_type, plan), "--no-wait")

    def order(self, vps_type, plan):
        return ["vps", "create", "--type", vps_type, "--plan", plan, "--account", "customer@example.com", "--os", TEMPLATE,
                "--hostname", f"{vps_type}.example.com"]

    def guest(self, created):
        return Guest(self, created)

    # ---- the end ----

    def delete_all(self):
        """What could not be deleted, and why."""
        for vps in self.moad.ctl("vps", "list")["vps"]:
            self.moad.run_ctl("vps", "delete", vps["veid"], "--now", "--yes")
        return self.moad.ctl("vps", "list")["vps"]

    def guests_left(self):
        """What of guests is on the machine; nothing once all are deleted."""
        left = {"links": [link for link in self.footprint.links() if link != self.bridge],
                "mounts": [path for path in self.footprint.mounts() if "/node/mnt/" in path],
                "loops": [name for name in self.footprint.loops()
                          if not run("losetup", "-n", "-O", "BACK-FILE", name).strip().endswith("pool.xfs")],
                "disks": self.disks(), "trash": self.trash(), "temporary": self.temporary(),
                "containers": self.containers(), "domains": self.domains(), "elements": self.elements(),
                "cgroups": self.footprint.cgroups(),
                "addresses": sum(pool["used"] for pool in self.moad.ctl("pool", "list")["pools"])}
        return {what: those for what, those in left.items() if those}

    def pool(self, folder):
        path = self.moad.state / "pool" / folder
        return sorted(entry.name for entry in path.iterdir()) if path.exists() else []

    def disks(self):
        return self.pool("vps")

    def trash(self):
        return self.pool("trash")

    def temporary(self):
        return self.pool("tmp")

    def containers(self):
        path = self.moad.state / "node/ovz"
        return sorted(entry.name for entry in path.iterdir() if entry.name.startswith(f"{self.prefix}-"))

    def domains(self):
        if not self.has_kvm:
            return []
        return run("virsh", "-q", "-c", self.uri, "list", "--all", "--name").split()

    def elements(self):
        """What the rules know of single guests: interfaces and forwarded ports."""
        found = []
        for family in ("bridge", "inet"):
            listed = run("nft", "-j", "list", "table", family, self.prefix, check=False)
            for item in json.loads(listed or '{"nftables":[]}')["nftables"]:
                for kind in ("set", "map"):
                    named = item.get(kind, {})
                    if named.get("name") != "open_ports" and named.get("elem"):
                        found.append((named["name"], named["elem"]))
        return found

    def close(self):
        """Ends everything, and tells what a deleted guest or an ended moad left behind."""
        left = {}
        try:
            if self.moad.processes:
                undeletable = self.delete_all()
                left = {**self.guests_left(), **({"VPSs": undeletable} if undeletable else {})}
                for word in list(self.moad.processes):
                    self.moad.stop(word)
            if self.has_kvm:
                pool = self.moad.state / "pool"
                if os.path.ismount(pool):
                    run("umount", pool)
                self.libvirtd("stop")
        finally:
            if keep := os.environ.get("MOA_TEST_KEEP_LOG"):
                shutil.copy(self.moad.log_path, keep)
            allowed = {"tables", "links"}  # the rules and the bridge stay when moad ends
            found = self.footprint.everything()
            left.update({f"after moad: {what}": those for what, those in found.items()
                         if what not in allowed | {"mounts", "loops"}})
            self.footprint.sweep()
            eventually(f"all of {self.base} goes", lambda: not self.footprint.everything(), 60)
            shutil.rmtree(self.base, ignore_errors=True)
            self.turn.close()
        assert not left, f"left behind: {left}"


class Guest:
    """One real guest, from the API's and from SSH's side."""

    def __init__(self, host, created):
        self.host, self.created = host, created
        self.veid, self.ip, self.ssh_port = created["veid"], created["ip"], created["ssh_port"]
        self.call = host.moad.client(created)
        self.name = f"{host.prefix}-{self.veid}"
        self.interface = f"{host.prefix}{self.veid}"

    def info(self):
        return self.call.ok("getServiceInfo")

    @property
    def type(self):
        return self.info()["vm_type"]

    def run(self, command, status=0):
        """The command's output inside; its exit status must be STATUS."""
        answer = self.call("basicShell/exec", command=command)
        assert answer["error"] == status, f"{command!r}: {str(answer)[:600]}"
        return answer["message"]

    def is_booted(self):
        answer = self.call("basicShell/exec", command="systemctl is-system-running")
        return answer["message"].strip() in ("running", "degraded")

    def wait_booted(self):
        """Until the system inside is up, cloud-init included."""
        eventually(f"{self.name} has booted", self.is_booted, 900, 1)
        return self

    def boot_mark(self):
        """Differs after each boot, and only then."""
        return self.run("cat /proc/sys/kernel/random/boot_id; cut -d' ' -f22 /proc/1/stat")

    def is_running(self):
        return self.call.ok("getLiveServiceInfo")["ve_status"] != "stopped"

    # ---- SSH through the forwarded port ----

    def ssh(self, command, password=None, timeout_s=120, check=True):
        options = ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR",
                   "-o", "ConnectTimeout=30", "-p", str(self.ssh_port)]
        environment = dict(os.environ)
        if password is None:
            words = ["ssh", "-i", str(self.host.key), "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes"]
        else:
            words = ["sshpass", "-e", "ssh", "-o", "PubkeyAuthentication=no", "-o", "NumberOfPasswordPrompts=1"]
            environment["SSHPASS"] = password
        done = subprocess.run(words + options + [f"root@{self.host.node_ip}", command], capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, timeout=timeout_s, env=environment)
        if check:
            assert done.returncode == 0, f"ssh {command!r}: exit {done.returncode}: {done.stderr}{done.stdout}"
        return done.stdout if check else done

    def refuses(self, password):
        """Whether SSH is there and turns this password down."""
        done = self.ssh("true", password=password, check=False)
        return done.returncode != 0 and "Permission denied" in done.stderr

    def python(self, program, *arguments):
        """Runs a Python program inside."""
        return self.run("python3 - " + " ".join(map(shlex.quote, arguments)) + " <<'END_OF_PROGRAM'\n" + program +
                        "\nEND_OF_PROGRAM")


def is_connectable(address, port, timeout_s=5):
    try:
        with socket.create_connection((address, port), timeout_s):
            return True
    except OSError:
        return False
