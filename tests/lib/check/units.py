"""The test programs Meson knows, run here so that each cmocka function counts as a test of its own."""
import concurrent.futures
import json
import os
import re
import subprocess
import time

import processes
from results import FAILED, PASSED, SKIPPED

SKIP_STATUS = 77
# Undefined behaviour is a failure, not a remark.
SANITIZERS = {"UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1", "ASAN_OPTIONS": "detect_leaks=1"}
# What a test declares is meant for a machine of its own.
PATIENCE = 2
MARK = re.compile(r"^\[ *(RUN|OK|FAILED|SKIPPED|ERROR) *\] (?!-)(.*?)\s*$")
ANNOUNCED = re.compile(r"^\[=+\] (?:.*: )?Running (\d+) test", re.MULTILINE)


def known_tests(build, suite):
    text = subprocess.run(["meson", "introspect", "--tests", build], capture_output=True, text=True, check=True).stdout
    return [test for test in json.loads(text) if any(name.split(":")[-1] == suite for name in test["suite"])]


def parse(output):
    """(name, outcome, what it said) of every cmocka test that began; outcome None when it did not end."""
    tests, name, said = [], None, []
    for line in output.splitlines():
        mark = MARK.match(line)
        if mark and mark[1] == "RUN":
            if name:
                tests.append((name, None, said))
            name, said = mark[2], []
        elif mark and name and mark[2] == name:
            tests.append((name, {"OK": PASSED, "SKIPPED": SKIPPED}.get(mark[1], FAILED), said))
            name = None
        elif name:
            said.append(line)
    if name:
        tests.append((name, None, said))
    return tests


def add_program(results, test, ended, limit_s):
    """Counts the tests of one program."""
    started = parse(ended.output)
    announced = sum(int(number) for number in ANNOUNCED.findall(ended.output))
    how = processes.ended_how(ended, limit_s)
    for name, outcome, said in started:
        text = "\n".join(said)
        reason = how if outcome is None else last_line(said) if outcome == SKIPPED else failure_of(said)
        results.add(f"{test['name']}: {name}", outcome or FAILED, reason=reason, output=text)
    for _ in range(announced - len(started)):
        results.add(f"{test['name']}: a test that did not begin", FAILED, reason=f"the program {how}")
    if not started and not announced:
        add_plain(results, test, ended, how)
    elif ended.status != 0 and all(outcome in (PASSED, SKIPPED) for _, outcome, _ in started):
        results.add(f"{test['name']}: end", FAILED, reason=f"the program {how}", output=ended.output)
    if ended.left_processes:
        results.add(f"{test['name']}: end", FAILED, reason="left processes running, which were killed")


def add_plain(results, test, ended, how):
    """A program that is one test."""
    if ended.status == SKIP_STATUS:
        results.add(test["name"], SKIPPED, reason=last_line(ended.output.splitlines()))
    elif ended.status == 0:
        results.add(test["name"], PASSED)
    else:
        results.add(test["name"], FAILED, reason=how, output=ended.output)


def last_line(lines):
    said = [line.strip() for line in lines if line.strip()]
    return said[-1] if said else ""


def failure_of(said):
    errors = [line for line in said if "ERROR" in line or "LINE" in line]
    return re.sub(r"^\[ *(ERROR|LINE) *\] --- ", "", errors[0]).strip() if errors else last_line(said)


def run_suite(results, build, suite, label=""):
    tests = known_tests(build, suite)
    for test in tests:
        test["name"] = label + test["name"]
    alone = [test for test in tests if not test["is_parallel"]]
    beside = [test for test in tests if test["is_parallel"]]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for test, ended in pool.map(run_one, beside):
            hand_in(results, test, ended)
    for test in alone:
        hand_in(results, *run_one(test))


def run_one(test):
    limit_s = PATIENCE * test["timeout"]
    env = {**test["env"], **SANITIZERS, "CMOCKA_MESSAGE_OUTPUT": "STDOUT"}
    return test, processes.run(test["cmd"], limit_s, env=env, cwd=test["workdir"])


def hand_in(results, test, ended):
    since = len(results.tests)
    add_program(results, test, ended, PATIENCE * test["timeout"])
    results.line(test["name"], since, ended.seconds)


def run_corpora(results, build, source):
    """Each fuzz target eats its corpus once, with the sanitizers it is built with."""
    for folder, _, names in sorted(os.walk(os.path.join(build, "tests/fuzz"))):
        for name in sorted(names):
            path = os.path.join(folder, name)
            if name.startswith("fuzz_") and "." not in name and os.access(path, os.X_OK):
                run_corpus(results, path, source)


def corpus_of(path, source):
    """tests/fuzz/<folder>/corpus/<what>, or the corpus the unit tests of that folder replay."""
    folder, what = os.path.basename(os.path.dirname(path)), os.path.basename(path).split("_")[-1]
    places = [f"tests/fuzz/{folder}/corpus/{what}", f"tests/fuzz/{folder}/corpus", f"tests/unit/{folder}/corpus"]
    found = [place for place in places if os.path.isdir(os.path.join(source, place))]
    return os.path.join(source, found[0]) if found else None


def run_corpus(results, path, source):
    since, started = len(results.tests), time.monotonic()
    name, corpus, limit_s = f"corpus of {os.path.basename(path)}", corpus_of(path, source), 120
    if not corpus:
        results.add(name, FAILED, reason="it has no corpus")
    else:
        ended = processes.run([path, "-runs=0", corpus], limit_s)
        failed = ended.status != 0
        results.add(name, FAILED if failed else PASSED, reason=processes.ended_how(ended, limit_s) if failed else "",
                    output=ended.output if failed else "")
    results.line(name, since, time.monotonic() - started)
