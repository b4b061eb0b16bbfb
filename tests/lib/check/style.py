"""Rules of the source that a tool can check; each counts as a test. What a rule means is in HACKING.md."""
import os
import re
import shutil
import subprocess
import time

from results import FAILED, PASSED, SKIPPED

FILE_MAX, FUNCTION_MAX = 500, 80
BELOW = {"base", "json", "model", "schema"}

# The arrow: which folders of src/ a folder may include, besides itself.
MAY_INCLUDE = {
    "base": set(),
    "json": {"base"},
    "model": {"base"},
    "schema": {"base", "json", "model"},
    "db": BELOW,
    "hypervisor": BELOW,
    "hypervisor/kvm": BELOW | {"hypervisor"},
    "hypervisor/ovz": BELOW | {"hypervisor"},
    "hypervisor/sim": BELOW | {"hypervisor"},
    "disk": BELOW,
    "net": BELOW,
    "guest": BELOW,
    "http": {"base"},
    "work": BELOW | {"db", "hypervisor", "disk", "net", "guest"},
    "core": BELOW | {"db", "hypervisor", "disk", "net", "guest", "work"},
    "node": BELOW | {"http", "core"},
    "api": BELOW | {"db", "guest", "http"},
    "ctl": {"base", "json", "schema"},
    "doc": {"base", "json", "schema", "daemon", "ctl"},
}
# Single headers across the arrow. The api asks nodes through the client, never through core; asking over a unix socket is a library
# of its own beside the server.
ALSO = {"api": {"node/client.h", "node/messages.h"}, "ctl": {"http/ask.h"}, "node": {"http/ask.h"}}
NO_CORE = {"node/client.c", "node/client.h", "node/messages.c", "node/messages.h"}
# Who reads which rows of api/.
ROWS = {"calls.def": {"api", "doc", "client", "cli"}, "admin.def": {"api", "ctl", "doc"}, "node.def": {"node", "doc"},
        "errors.def": {"api", "doc", "client"}, "config.def": {"daemon", "doc"}, "metrics.def": {"api", "node", "doc"}}

# A foreign library lives in one folder (sodium and archive are each used for separate things in several).
FOREIGN = {
    r"jansson\.h": {"json"},
    r"sqlite3\.h|libpq-fe\.h": {"db"},
    r"microhttpd\.h|gnutls/": {"http"},
    r"libvirt/": {"hypervisor/kvm"},
    r"png\.h": {"hypervisor/kvm"},
    r"lxc/": {"hypervisor/ovz"},
    r"nftables/|libmnl/|linux/(if_link|if_addr|netfilter)": {"net"},
    r"linux/rtnetlink\.h": {"net", "hypervisor/ovz"},
    r"archive(_entry)?\.h": {"disk", "guest"},
    r"linux/loop\.h": {"disk"},
    r"crypt\.h": {"guest"},
    r"sodium\.h": {"api", "core", "disk", "guest"},
    r"ini\.h|systemd/": {"daemon"},
    r"seccomp\.h": {"daemon", "hypervisor/ovz"},
    r"linux/landlock\.h": {"daemon"},
}
# What libc and the kernel bring is everybody's, unless the table above says otherwise.
SYSTEM = re.compile(r"[a-z0-9_]+\.h$|(sys|netinet|arpa|net|linux|bits|asm)/")


def sources(root, suffixes=(".c", ".h", ".inc")):
    for folder, _, names in sorted(os.walk(os.path.join(root, "src"))):
        for name in sorted(names):
            if name.endswith(suffixes):
                yield os.path.relpath(os.path.join(folder, name), os.path.join(root, "src"))


def read(root, path):
    with open(os.path.join(root, "src", path), encoding="utf-8") as file:
        return file.read()


def folder_of(path):
    folder = os.path.dirname(path)
    return folder if folder in MAY_INCLUDE or folder == "daemon" else folder.split("/")[0]


def includes(text):
    """(line number, path, is foreign) of each include, and of each row file named for structs.inc and tables.inc."""
    pattern = re.compile(r'^\s*#\s*(?:include|define\s+ROWS_FILE)\s+([<"])([^>"]+)[>"]')
    for number, line in enumerate(text.splitlines(), 1):
        found = pattern.match(line)
        if found:
            yield number, found[2], found[1] == "<"


def include_direction(root):
    for path in sources(root):
        for number, included, foreign in includes(read(root, path)):
            why = None if foreign else why_not(root, path, included)
            if why:
                yield f"src/{path}:{number}: {included}: {why}"


def why_not(root, path, included):
    folder, target = folder_of(path), folder_of(included)
    if included.startswith("api/") and included.endswith(".def"):
        readers = ROWS.get(os.path.basename(included), set())
        return None if folder in readers else f"only {', '.join(sorted(readers))} read these rows"
    if not os.path.exists(os.path.join(root, "src", included)):
        return "includes are written from src/"
    if folder == "daemon" or target == folder or included in ALSO.get(folder, ()):
        return "this file may not know core" if path in NO_CORE and target == "core" else None
    if folder not in MAY_INCLUDE:
        return f"the arrow does not know src/{folder}"
    if path in NO_CORE and target in ("core", "http"):
        return "the client side knows neither core nor http"
    return None if target in MAY_INCLUDE[folder] else f"src/{folder} may not include src/{target}"


def foreign_headers(root):
    for path in sources(root):
        folder = folder_of(path)
        for number, included, foreign in includes(read(root, path)):
            if not foreign:
                continue
            homes = [folders for pattern, folders in FOREIGN.items() if re.match(pattern, included)]
            if homes and folder not in homes[0]:
                yield f"src/{path}:{number}: <{included}> belongs to src/{', src/'.join(sorted(homes[0]))}"
            elif not homes and not SYSTEM.match(included):
                yield f"src/{path}:{number}: <{included}> is in no folder's table (tests/lib/check/style.py)"


def file_lengths(root):
    for path in sources(root):
        lines = read(root, path).count("\n")
        if lines > FILE_MAX:
            yield f"src/{path}: {lines} lines, at most {FILE_MAX}"


def function_lengths(root):
    """Kernel layout puts a function's braces in the first column."""
    for path in sources(root, (".c",)):
        begin, name = None, ""
        for number, line in enumerate(read(root, path).splitlines(), 1):
            if line == "{":
                begin = number
            elif line == "}" and begin:
                if number - begin - 1 > FUNCTION_MAX:
                    yield f"src/{path}:{begin}: {name.strip()[:60]} has {number - begin - 1} lines, at most {FUNCTION_MAX}"
                begin = None
            elif not begin and line and not line[0].isspace() and "(" in line:
                name = line


def def_rows(root):
    """Calls, settings, sections and errors say what they are; parameters and keys too, but a spread record, which has no
    key of its own."""
    folder = os.path.join(root, "api")
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name), encoding="utf-8") as file:
            text = re.sub(r"/\*.*?\*/", lambda found: "\n" * found[0].count("\n"), file.read(), flags=re.DOTALL)
        for place, kind, arguments in entries(text):
            number = text.count("\n", 0, place) + 1
            if kind in ("SETTING", "SECTION", "ERROR") and not re.search(r'"[^"]{3,}"\s*$', arguments):
                yield f"api/{name}:{number}: {kind} without a sentence"
            if kind == "CALL" and not re.search(r'\.doc\s*=\s*"[^"]{3,}', own_part(arguments)):
                yield f"api/{name}:{number}: CALL without .doc"
            if kind in ("P", "R", "F", "P_LIST", "R_LIST", "R_OBJECT", "F_LIST") and not re.search(
                    r'\.doc\s*=\s*"(?:[^"\\]|\\.){2,}', arguments):
                yield f"api/{name}:{number}: {kind}({arguments[:40]}…) without .doc"


def own_part(arguments):
    """A call's row up to its first entry."""
    return re.split(r"\b[PRF](?:_[A-Z]+)?\(", arguments)[0]


def entries(text):
    """(place, kind, text between the brackets) of each macro, nested ones too; brackets in strings do not count."""
    for found in re.finditer(r"\b(CALL|RECORD|SETTING|SECTION|ERROR|[PRF](?:_[A-Z]+)?)\(", text):
        depth, quoted, at = 1, False, found.end()
        while depth and at < len(text):
            if text[at] == '"' and text[at - 1] != "\\":
                quoted = not quoted
            elif not quoted:
                depth += {"(": 1, ")": -1}.get(text[at], 0)
            at += 1
        yield found.start(), found[1], text[found.end():at - 1]


def leftover_words(root):
    for path in sources(root):
        for number, line in enumerate(read(root, path).splitlines(), 1):
            if re.search(r"\b(TODO|FIXME|XXX|HACK)\b", line):
                yield f"src/{path}:{number}: {line.strip()[:80]}"


def tool_output(command, root, files):
    done = subprocess.run(command + files, cwd=root, capture_output=True, text=True, timeout=300, check=False)
    return [] if done.returncode == 0 else (done.stdout + done.stderr).splitlines() or ["it failed without a word"]


def clang_format(root):
    files = [f"src/{path}" for path in sources(root, (".c", ".h"))]
    return [line for line in tool_output(["clang-format-14", "--dry-run", "-Werror"], root, files) if "error:" in line]


def shell_scripts(root):
    listed = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=root,
                            capture_output=True, text=True, check=False).stdout.split("\n")
    for path in listed if any(listed) else walk_files(root):
        full = os.path.join(root, path)
        if os.path.isfile(full) and not path.endswith((".c", ".h", ".py", ".md")):
            with open(full, "rb") as file:
                if re.match(rb"#!\s*/(usr/)?bin/(env )?(ba)?sh\b", file.readline(100)):
                    yield path


def walk_files(root):
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith((".git", "build"))]
        yield from (os.path.relpath(os.path.join(folder, name), root) for name in names)


def shellcheck(root):
    return tool_output(["shellcheck", "--external-sources", "--source-path=SCRIPTDIR", "--exclude=SC2012,SC2015,SC2016"], root, sorted(shell_scripts(root)))


RULES = [
    ("include direction", include_direction, None),
    ("foreign headers stay in their folder", foreign_headers, None),
    (f"no file over {FILE_MAX} lines", file_lengths, None),
    (f"no function over {FUNCTION_MAX} lines", function_lengths, None),
    ("rows of api/ are documented", def_rows, None),
    ("nothing is left to do", leftover_words, None),
    ("layout is clang-format's", clang_format, "clang-format-14"),
    ("scripts pass shellcheck", shellcheck, "shellcheck"),
]


def run(results, root):
    for name, rule, tool in RULES:
        since, started = len(results.tests), time.monotonic()
        if tool and not shutil.which(tool):
            results.add(f"style: {name}", SKIPPED, reason=f"{tool} is not installed")
        else:
            broken = list(rule(root))
            results.add(f"style: {name}", FAILED if broken else PASSED, output="\n".join(broken),
                        reason=f"{len(broken)} places" if broken else "")
        results.line(name, since, time.monotonic() - started)
