"""check, once the packages are there: builds, and runs every part."""
import glob
import os
import signal
import subprocess
import sys
import time

import processes
import style
import units
from results import FAILED, PASSED, Results, read_records, say

BUILD_LIMIT_S = 1200
# For all files of a folder together; each test has its own limit besides.
FOLDER_LIMIT_S = {"wire": 1200, "fault": 1500, "system": 2400}
PARTS = ["style", "build", "unit", "clang", "fuzz", "sanitize", "wire", "fault", "root", "system"]
USAGE = f"""usage: ./check [PART...]

Builds Moa in build-check/ and runs every test; with PARTs only those: {' '.join(PARTS)}.
The last line says "N passed, N failed, N skipped"; exit status 0 when none failed."""


class Check:
    def __init__(self, root):
        self.root = root
        self.build = os.path.join(root, "build-check")
        self.results = Results()

    def step(self, name, command, env=None):
        """A step of a build, which counts as a test."""
        since = len(self.results.tests)
        ended = processes.run(command, BUILD_LIMIT_S, env=env, cwd=self.root)
        failed = ended.status != 0
        self.results.add(name, FAILED if failed else PASSED, seconds=ended.seconds,
                         reason=processes.ended_how(ended, BUILD_LIMIT_S) if failed else "",
                         output=ended.output if failed else "")
        self.results.line(name, since, ended.seconds)
        return not failed

    def compile(self, folder, compiler, *options):
        setup = ["meson", "setup", "-Dwerror=true", *options, folder]
        if os.path.exists(os.path.join(folder, "build.ninja")):
            setup.insert(2, "--reconfigure")
        return (self.step(f"configure with {compiler}", setup, env={"CC": compiler})
                and self.step(f"build with {compiler}, warnings are errors", ["ninja", "--quiet", "-k", "0", "-C", folder]))

    def part_style(self):
        style.run(self.results, self.root)

    def part_build(self):
        built = self.compile(self.build, "gcc")
        if built:
            self.step("docs/ is what the rows say", ["tests/lib/check-generated", os.path.join(self.build, "src/doc/moa-doc")])
        return built

    def part_clang(self):
        self.compile(os.path.join(self.build, "clang"), "clang", "-Dsanitize_tests=true", "-Db_sanitize=address,undefined",
                     "-Db_lundef=false")

    def part_unit(self):
        units.run_suite(self.results, self.build, "unit")

    def part_sanitize(self):
        """The unit tests again, with every access to memory looked at."""
        units.run_suite(self.results, os.path.join(self.build, "clang"), "unit", label="sanitized ")

    def part_root(self):
        units.run_suite(self.results, self.build, "root")

    def part_fuzz(self):
        units.run_corpora(self.results, os.path.join(self.build, "clang"), self.root)

    def part_wire(self):
        self.run_pytest("wire")

    def part_fault(self):
        self.run_pytest("fault")

    def part_system(self):
        self.run_pytest("system")

    def run_pytest(self, folder):
        if not glob.glob(os.path.join(self.root, "tests", folder, "test_*.py")):
            say("no files")
            return
        records = os.path.join(self.build, f"{folder}.records")
        if os.path.exists(records):
            os.unlink(records)
        library = os.path.join(self.root, "tests/lib/check")
        env = {"PYTHONPATH": library, "MOA_CHECK_RECORDS": records, "MOA_BUILD": self.build, "PYTHONDONTWRITEBYTECODE": "1"}
        command = ["/usr/bin/python3", "-m", "pytest", "-q", "-p", "pytest_records", "-p", "no:cacheprovider",
                   f"tests/{folder}"]
        told = Told(self.results, records)
        limit_s = FOLDER_LIMIT_S[folder]
        ended = processes.run(command, limit_s, env=env, cwd=self.root, watch=told.look)
        told.look(end=True)
        self.judge_pytest(folder, ended, limit_s, told.count)

    def judge_pytest(self, folder, ended, limit_s, count):
        """pytest's own end: 1 is tests that failed, which were told one by one."""
        name, since = f"{folder}: end", len(self.results.tests)
        if ended.timed_out or ended.status not in (0, 1) or not count:
            self.results.add(name, FAILED, reason=f"pytest {processes.ended_how(ended, limit_s)}", output=ended.output)
        if ended.left_processes:
            self.results.add(name, FAILED, reason="left processes running, which were killed")
        if len(self.results.tests) > since:
            self.results.line(name, since, ended.seconds)

    def look_around(self, machine, part):
        """Nothing a part started or made may stay."""
        since, started = len(self.results.tests), time.monotonic()
        left = processes.leftover_processes() + machine.leftovers()
        if left:
            self.results.add(f"{part}: leaves nothing behind", FAILED, reason=left[0], output="\n".join(left))
        else:
            self.results.add(f"{part}: leaves nothing behind", PASSED)
        if left:
            self.results.line("what is left behind", since, time.monotonic() - started)

    def run(self, parts):
        for part in parts:
            self.results.heading(part)
            machine = processes.Machine()
            if getattr(self, f"part_{part}")() is False:
                say("Nothing can be tested without a build.")
                break
            if part not in ("style", "build", "clang"):
                self.look_around(machine, part)
        return self.results.report()


class Told:
    """Shows a line a test file as soon as its tests have ended."""

    def __init__(self, results, records):
        self.results = results
        self.records = records
        self.offset = self.count = 0
        self.file = None
        self.since = 0

    def look(self, end=False):
        records, self.offset = read_records(self.records, self.offset)
        for record in records:
            file = record["name"].split("::")[0]
            if file != self.file:
                self.close()
                self.file, self.since = file, len(self.results.tests)
            self.results.add(**record)
            self.count += 1
        if end:
            self.close()

    def close(self):
        if self.file:
            seconds = sum(test["seconds"] for test in self.results.tests[self.since:])
            self.results.line(self.file, self.since, seconds)
        self.file = None


def main():
    root = sys.argv[1]
    parts = sys.argv[2:] or PARTS
    if any(part not in PARTS for part in parts):
        say(USAGE)
        return 0 if set(parts) & {"-h", "--help"} else 2
    # What a part runs is built first, however old the build is.
    wanted = set(parts) | ({"clang"} if {"fuzz", "sanitize"} & set(parts) else set())
    if set(parts) - {"style", "clang", "fuzz", "sanitize"}:
        wanted.add("build")
    parts = [part for part in PARTS if part in wanted]
    processes.adopt_orphans()
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(143))
    os.makedirs(os.path.join(root, "build-check"), exist_ok=True)
    try:
        return Check(root).run(parts)
    except KeyboardInterrupt:
        return 130
    except subprocess.CalledProcessError as error:
        say(f"check: {error}: {error.stderr}")
        return 1


sys.exit(main())
