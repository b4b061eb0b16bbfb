#!/usr/bin/env python3
"""Measures Moa against its references, alternating, and prints ours, the reference and their ratio.

usage: bench.py [--build DIR] [--rounds N] [--seconds N] api|scale|memory|start|create
  api     getServiceInfo over keep-alive against a bare program on the same HTTP library, same body size
  scale   the same call with 10 and with 100,000 VPSs in the store, keys drawn at random
  memory  resident memory of both processes, idle, with 100 VPSs (sim)
  start   the call start until the guest runs, against lxc-start and virsh start of the same configuration;
          needs a running moad with a VPS of each type: --config FILE --veid N (twice)
  create  vps create from a template, without the start; needs a running moad: --config FILE
"""

import argparse
import configparser
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

VEID_FIRST = 1000001
WRK_SCRIPT = """
local count = tonumber(os.getenv("VPSS"))
math.randomseed(42)
request = function()
  local veid = 1000000 + math.random(count)
  return wrk.format("GET", string.format("/v1/getServiceInfo?veid=%d&api_key=private_%024d", veid, veid))
end
"""


def key_of(veid):
    return f"private_{veid:024d}"


class Moad:
    """One moad on a store of its own; `words` says which process (the supervisor when empty)."""

    def __init__(self, build, folder, words=(), settings=""):
        self.folder = folder
        config = os.path.join(folder, "moad.conf")
        with open(config, "w", encoding="ascii") as file:
            file.write(
                f"[moad]\nstate_dir = {folder}/state\nrun_dir = {folder}/run\nlog_level = warning\n"
                "[api]\nhttp = 127.0.0.1:18988\nhttps =\nthreads = 1\n"
                "points_15min = 1000000000\npoints_24h = 1000000000\n"
                "[node]\nhypervisor = sim\n" + settings
            )
        os.makedirs(f"{folder}/state/store", exist_ok=True)
        if os.geteuid() == 0:
            shutil.chown(f"{folder}/state/store", "moa", "moa")
            os.chmod(folder, 0o755)
        self.process = subprocess.Popen([f"{build}/src/daemon/moad", "-c", config, *words])

    def wait(self, url):
        for _ in range(200):
            try:
                with urllib.request.urlopen(url, timeout=2) as answer:
                    return answer.read()
            except OSError:
                time.sleep(0.05)
        sys.exit("bench: moad does not answer")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)


def wrk(url, seconds, script=None, count=1):
    command = ["wrk", "-t1", "-c64", f"-d{seconds}s", "--latency"]
    if script:
        command += ["-s", script]
    text = subprocess.run(
        [*command, url], check=True, capture_output=True, text=True, env={**os.environ, "VPSS": str(count)}
    ).stdout
    if "Non-2xx" in text or "Socket errors" in text:
        sys.exit(text)
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", text)[1])
    p99 = re.search(r"99%\s+([\d.]+)(us|ms|s)", text)
    return rate, float(p99[1]) * {"us": 0.001, "ms": 1, "s": 1000}[p99[2]]


def seed(build, folder, count):
    os.makedirs(f"{folder}/state/store", exist_ok=True)
    if os.geteuid() == 0:
        shutil.chown(f"{folder}/state/store", "moa", "moa")
    subprocess.run([f"{build}/tests/bench/bench_seed", f"sqlite:{folder}/state/store/moa.db", str(count)], check=True)


def service_url(veid=VEID_FIRST):
    return f"http://127.0.0.1:18988/v1/getServiceInfo?veid={veid}&api_key={key_of(veid)}"


def bench_api(args, folder):
    seed(args.build, folder, 10)
    moad = Moad(args.build, folder, ["api"])
    ours, bare = [], []
    try:
        length = len(moad.wait(service_url()))
        for _ in range(args.rounds):
            ours.append(wrk(service_url(), args.seconds))
            with subprocess.Popen(
                [f"{args.build}/tests/bench/bench_http", "bare", str(length)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            ) as server:
                port = server.stdout.readline().strip()
                bare.append(wrk(f"http://127.0.0.1:{port}/v1/getServiceInfo", args.seconds))
                server.stdin.close()
    finally:
        moad.stop()
    mine, theirs = (statistics.median(rate for rate, _ in runs) for runs in (ours, bare))
    print(f"getServiceInfo, body of {length} bytes, 64 connections, 1 event loop, {args.rounds} rounds")
    print(f"  ours {mine:9.0f} requests/s, p99 {statistics.median(p for _, p in ours):.2f} ms")
    print(f"  bare {theirs:9.0f} requests/s, p99 {statistics.median(p for _, p in bare):.2f} ms")
    print(f"  ratio {mine / theirs:.2f} (target 0.60)")


def bench_scale(args, folder):
    script = os.path.join(folder, "random.lua")
    with open(script, "w", encoding="ascii") as file:
        file.write(WRK_SCRIPT)
    rates = {10: [], 100000: []}
    for count in rates:
        seed(args.build, os.path.join(folder, str(count)), count)
    for _ in range(args.rounds):
        for count, runs in rates.items():
            moad = Moad(args.build, os.path.join(folder, str(count)), ["api"])
            try:
                moad.wait(service_url())
                runs.append(wrk("http://127.0.0.1:18988", args.seconds, script, count))
            finally:
                moad.stop()
    few, many = (statistics.median(rate for rate, _ in rates[count]) for count in rates)
    print(f"getServiceInfo of a VPS drawn at random, {args.rounds} rounds")
    print(f"      10 VPSs {few:9.0f} requests/s")
    print(f"  100000 VPSs {many:9.0f} requests/s, p99 {statistics.median(p for _, p in rates[100000]):.2f} ms")
    print(f"  ratio {many / few:.2f}")


def resident_kib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return int(re.search(r"VmRSS:\s+(\d+)", file.read())[1])


def bench_memory(args, folder):
    seed(args.build, folder, 100)
    moad = Moad(args.build, folder)
    try:
        moad.wait(service_url())
        time.sleep(15)  # idle, and what start-up took is given back
        children = subprocess.run(
            ["ps", "--ppid", str(moad.process.pid), "-o", "pid=,args="], capture_output=True, text=True, check=True
        ).stdout.split("\n")
        total = 0
        for line in filter(None, children):
            pid, name = line.split(None, 1)
            total += resident_kib(pid)
            print(f"  {name.split()[1]:5} {resident_kib(pid) / 1024:6.1f} MiB")
        print(f"  both  {total / 1024:6.1f} MiB (target 30)")
    finally:
        moad.stop()


class Installed:
    """A running moad, as its configuration file describes it."""

    def __init__(self, args):
        self.settings = configparser.ConfigParser()
        self.settings.read(args.config)
        self.state = self.settings.get("moad", "state_dir", fallback="/var/lib/moa")
        run = self.settings.get("moad", "run_dir", fallback="/run/moa")
        self.prefix = self.settings.get("node", "name_prefix", fallback="moa")
        self.uri = self.settings.get("node", "libvirt_uri", fallback="qemu:///system")
        self.command = [f"{args.build}/src/ctl/moactl", "--socket", f"{run}/admin.sock"]

    def moactl(self, *words):
        text = subprocess.run([*self.command, "--json", *words, "--quiet"], check=True, capture_output=True, text=True)
        return json.loads(text.stdout)


def timed(*command, env=None):
    begin = time.monotonic()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=env)
    return (time.monotonic() - begin) * 1000


def reference_ovz(moad, veid):
    image, root = f"{moad.state}/pool/vps/{veid}/disk.raw", f"{moad.state}/node/mnt/{veid}"
    where = ["-P", f"{moad.state}/node/ovz", "-n", f"{moad.prefix}-{veid}"]
    os.makedirs(root, exist_ok=True)
    subprocess.run(["mount", "-o", "loop", image, root], check=True)
    try:
        # Without newuidmap in sight, as the daemon's helper has it.
        return timed("/usr/bin/lxc-start", *where, env={"PATH": "/usr/sbin:/sbin"})
    finally:
        subprocess.run(["lxc-stop", "-k", *where], check=False)
        subprocess.run(["lxc-wait", "-s", "STOPPED", "-t", "10", *where], check=False)
        subprocess.run(["umount", root], check=True)


def reference_kvm(moad, veid):
    try:
        return timed("virsh", "-c", moad.uri, "start", f"{moad.prefix}-{veid}")
    finally:
        subprocess.run(["virsh", "-c", moad.uri, "destroy", f"{moad.prefix}-{veid}"], stdout=subprocess.DEVNULL, check=True)


def bench_start(args, _):
    moad = Installed(args)
    for veid in args.veid:
        kind = moad.moactl("vps", "show", str(veid))["type"]
        reference = {"ovz": reference_ovz, "kvm": reference_kvm}[kind]
        ours, theirs = [], []
        moad.moactl("vps", "start", str(veid))
        for _round in range(args.rounds):
            moad.moactl("vps", "kill", str(veid), "--yes")
            theirs.append(reference(moad, veid))
            ours.append(timed(*moad.command, "vps", "start", str(veid)))
        mine, other = statistics.median(ours), statistics.median(theirs)
        name, target = {"ovz": ("lxc-start", 1.3), "kvm": ("virsh start", 1.1)}[kind]
        print(f"start of an {kind} VPS until it runs, {args.rounds} rounds")
        print(f"  ours {mine:7.1f} ms, {name} {other:7.1f} ms, ratio {mine / other:.2f} (target {target})")


def bench_create(args, _):
    moad = Installed(args)
    account, plan = "bench@example.com", "bench"
    subprocess.run([*moad.command, "account", "add", account], capture_output=True, check=False)
    moad.moactl("plan", "set", plan, "--disk", "5G", "--ram", "512M")
    for kind in ("ovz", "kvm"):
        took = []
        for _round in range(args.rounds):
            begin = time.monotonic()
            made = moad.moactl("vps", "create", "--type", kind, "--plan", plan, "--account", account, "--os",
                               args.template, "--hostname", "bench.example.com", "--stopped")
            took.append((time.monotonic() - begin) * 1000)
            moad.moactl("vps", "delete", str(made["veid"]), "--now", "--yes")
        print(f"create of an {kind} VPS of 5 GiB, not started: {statistics.median(took):.0f} ms (target 500)")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--config", default="/etc/moa/moad.conf")
    parser.add_argument("--veid", type=int, action="append", default=[])
    parser.add_argument("--template", default="debian-12-x86_64")
    parser.add_argument("what", choices=["api", "scale", "memory", "start", "create"])
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="moa-bench-") as folder:
        os.chmod(folder, 0o755)
        BENCHES[args.what](args, folder)


BENCHES = {"api": bench_api, "scale": bench_scale, "memory": bench_memory, "start": bench_start, "create": bench_create}

if __name__ == "__main__":
    main()
