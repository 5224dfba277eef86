#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Keeps the structure of the sources: no circles, no folder that uses one above it, no long files or functions.

Usage: tests/structure/structure.py BUILD             (TAP; BUILD has been built)
       tests/structure/structure.py BUILD --report    (circles, longest files and functions, median; always succeeds)

A file uses another when its object needs a symbol that the other's object defines, as nm lists them. A call through a
pointer is no use. Includes are those that the compiler followed, as ninja noted them.
"""
import argparse
import collections
import json
import os
import re
import statistics
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MAX_FILE = 400
MAX_FUNCTION = 60
MAX_MEDIAN = 100
SIZED = ("vmm", "guest", "tests", "tools")  # folders whose files and functions are measured
MEDIAN_OF = ("vmm", "guest")

# The folders of vmm. Each may use itself and those below it.
ORDER = """main cmd bench machine view client control platform monitor paging vm kvm stub snapshot virtio dev boot shadow walk share stage2
    enclave model mem host cpu pgtable base""".split()

# One program is one name space.
PROGRAMS = {"vmm": ("gnomon.p", "libgnomon-pure.a.p", "libgnomon-vmm.a.p"),
            "guest": ("kernel.elf.p", "libguest-user.a.p"),
            "cost": ("cost.elf.p",)}


def circles(graph):
    """The strongly connected components of more than one node, each sorted (Tarjan's algorithm)."""
    number, low, stack, on_stack, found = {}, {}, [], set(), []

    def visit(node):
        number[node] = low[node] = len(number)
        stack.append(node)
        on_stack.add(node)
        for to in sorted(graph.get(node, ())):
            if to not in number:
                visit(to)
                low[node] = min(low[node], low[to])
            elif to in on_stack:
                low[node] = min(low[node], number[to])
        if low[node] == number[node]:
            members = []
            while not members or members[-1] != node:
                members.append(stack.pop())
                on_stack.discard(members[-1])
            if len(members) > 1:
                found.append(sorted(members))

    for node in sorted(graph):
        if node not in number:
            visit(node)
    return sorted(found)


def shortest_circle(graph, members):
    """A shortest way from one of `members` back to it, inside them."""
    best = None
    for start in members:
        before, queue = {start: None}, collections.deque([start])
        while queue:
            node = queue.popleft()
            for to in sorted(graph[node] & set(members)):
                if to == start:
                    way = [start]
                    while node is not None:
                        way.append(node)
                        node = before[node]
                    if best is None or len(way) < len(best):
                        best = way[::-1]
                    queue.clear()
                    break
                if to not in before:
                    before[to] = node
                    queue.append(to)
    return best


def folder(path):
    """The folder of vmm that a file belongs to; None outside vmm."""
    parts = path.split("/")
    if parts[0] != "vmm":
        return None
    return "main" if len(parts) == 2 else parts[1]


def uses_above(edges, order):
    """From (from, to, what): {(file, folder above it): [what it uses there]}."""
    above = collections.defaultdict(list)
    for source, target, what in edges:
        mine, theirs = folder(source), folder(target)
        if mine in order and theirs in order and order.index(theirs) < order.index(mine):
            above[source, theirs].append(what)
    return above


def functions(lines):
    """(name, lines) of each function: from a brace alone in column 0 to the next one that closes there.

    A test's name is SUITE::NAME.
    """
    head, start = "", None
    for i, line in enumerate(lines):
        if line == "{":
            start = i
        elif line == "}" and start is not None:
            name = re.match(r"Test\((\w+), (\w+)", head) or re.search(r"(\w+)\(", head)
            yield "::".join(name.groups()) if name else "?", i - start + 1
            start = None
        elif start is None and re.match(r"\w", line):
            head = line


def lines_of(path):
    with open(os.path.join(TOP, path), encoding="utf-8") as f:
        return f.read().splitlines()


def sized_files():
    for root in SIZED:
        for where, folders, names in os.walk(os.path.join(TOP, root)):
            folders.sort()
            for name in sorted(names):
                if name.endswith((".c", ".h")):
                    yield os.path.relpath(os.path.join(where, name), TOP)


class Sources:
    """What the build says of the sources: `uses` of symbols and `includes`, as (from, to, what)."""

    def __init__(self, build):
        self.build = build
        with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as f:
            commands = json.load(f)
        self.source = {c["output"]: self.relative(c["file"]) for c in commands}
        self.freestanding = {c["output"]: c["command"].split() for c in commands if "-ffreestanding" in c["command"].split()}
        self.program = {}  # object: program
        for obj in self.source:
            for name, places in PROGRAMS.items():
                if os.path.basename(os.path.dirname(obj)) in places:
                    self.program[obj] = name
        self.uses = {name: self.symbols(name) for name in PROGRAMS}
        self.includes = sorted(self.included())

    def relative(self, path):
        return os.path.relpath(os.path.join(self.build, path), TOP)

    def run(self, *command):
        return subprocess.run(command, cwd=self.build, check=True, stdout=subprocess.PIPE, text=True).stdout

    def symbols(self, program):
        defined, wanted = collections.defaultdict(set), set()
        objects = sorted(obj for obj in self.program if self.program[obj] == program)
        for line in self.run("nm", "-A", "-P", "-g", *objects).splitlines():
            obj, symbol = line.split(": ", 1)
            name, kind = symbol.split()[:2]
            if kind in "Uw":
                wanted.add((self.source[obj], name))
            else:
                defined[name].add(self.source[obj])
        return sorted((source, target, name) for source, name in wanted for target in defined[name] if target != source)

    def included(self):
        """Each direct include of a file that the compiler read, by the line that asks for it."""
        read = set()
        obj = None
        for line in self.run("ninja", "-n", "-t", "deps").splitlines():
            if not line.startswith(" "):
                obj = line.split(":")[0]
            elif line.strip() and obj in self.program:
                path = self.relative(line.strip())
                if not path.startswith(("..", os.path.relpath(self.build, TOP))):
                    read.add(path)
        for path in read | {self.source[obj] for obj in self.program}:
            for line in lines_of(path):
                include = re.match(r'\s*#\s*include\s+["<]([^">]+)[">]', line)
                if not include:
                    continue
                for place in (os.path.dirname(path), "vmm", "guest", "include"):
                    target = os.path.normpath(os.path.join(place, include.group(1)))
                    if target in read:
                        yield path, target, include.group(1)
                        break

    def graph(self, program):
        graph = collections.defaultdict(set)
        for source, target, _ in self.uses[program]:
            graph[source].add(target)
        return graph

    def include_graph(self):
        graph = collections.defaultdict(set)
        for source, target, _ in self.includes:
            graph[source].add(target)
        return graph

    def all_uses(self):
        return [use for program in PROGRAMS for use in self.uses[program]] + self.includes


# The checks: each yields a sentence for whatever is wrong.

def check_circles(graph, program):
    for members in circles(graph):
        yield (f"{program}: {len(members)} files use each other in a circle: {', '.join(members)}; "
               f"for one, {' -> '.join(shortest_circle(graph, members))}")


def check_include_circles(graph):
    for members in circles(graph):
        yield f"these files include each other: {' -> '.join(shortest_circle(graph, members))}"


def check_folders(edges):
    for source in sorted({e[0] for e in edges} | {e[1] for e in edges}):
        if folder(source) not in ORDER + [None]:
            yield f"{source}: its folder has no place in ORDER"
    for (source, target), what in sorted(uses_above(edges, ORDER).items()):
        yield f"{source} uses {', '.join(sorted(set(what)))} of {target}, which stands above {folder(source)}"


def check_files():
    for path in sized_files():
        n = len(lines_of(path))
        if n > MAX_FILE:
            yield f"{path} has {n} lines, {MAX_FILE} are allowed"


def check_functions():
    for path in sized_files():
        for name, n in functions(lines_of(path)):
            if n > MAX_FUNCTION:
                yield f"{path}: {name} has {n} lines, {MAX_FUNCTION} are allowed"


def check_threads():
    for path in sized_files():
        if path.startswith("vmm/") and path != "vmm/base/thread.c":
            for i, line in enumerate(lines_of(path), 1):
                if "pthread_create(" in line.replace("pthread_create(3)", ""):
                    yield f"{path}:{i}: its stack is as large as the user's limit; thread_start() has a size of its own"


def last(words, beginning):
    return next((word for word in reversed(words) if word.startswith(beginning)), None)


def check_guests(commands):
    """Guests are the same code whatever CFLAGS says: KVM's emulator knows no instruction of newer CPUs."""
    for output, words in sorted(commands.items()):
        if (last(words, "-march="), last(words, "-O")) != ("-march=x86-64", "-O2"):
            yield f"{output} is not built for plain x86-64 with -O2 behind what CFLAGS says"


def median():
    """Lines of a file; headers count as well."""
    return statistics.median(len(lines_of(path)) for path in sized_files() if path.split("/")[0] in MEDIAN_OF)


def check_median():
    if median() > MAX_MEDIAN:
        yield f"the median of {' and '.join(MEDIAN_OF)} is {median():g} lines a file, {MAX_MEDIAN} are allowed"


def check_self():
    """The checks must see what is wrong in a program of a few made-up files."""
    uses = [("vmm/vm/a.c", "vmm/vm/b.c", "b"), ("vmm/vm/b.c", "vmm/base/c.c", "c"), ("vmm/base/c.c", "vmm/vm/a.c", "a"),
            ("vmm/main.c", "vmm/vm/a.c", "a")]
    graph = collections.defaultdict(set)
    for source, target, _ in uses:
        graph[source].add(target)
    if circles(graph) != [["vmm/base/c.c", "vmm/vm/a.c", "vmm/vm/b.c"]]:
        yield f"a circle of three files is not found: {circles(graph)}"
    if len(list(check_circles(graph, "made up"))) != 1:
        yield "a circle of three files is not reported"
    graph["vmm/base/c.c"].clear()
    if circles(graph):
        yield f"a circle is found where there is none: {circles(graph)}"
    if list(uses_above(uses, ORDER)) != [("vmm/base/c.c", "vm")]:
        yield "base uses vm, which is not found"
    if list(functions(["int f(void)", "{"] + ["\tg();"] * 61 + ["}"])) != [("f", 63)]:
        yield "a function of 63 lines is not measured"
    if len(list(check_guests({"a.o": ["cc", "-march=x86-64", "-O2", "-march=native"], "b.o": ["-march=x86-64", "-O2"]}))) != 1:
        yield "a guest that is built for this CPU alone is not found"


def report(sources):
    for program in PROGRAMS:
        graph = sources.graph(program)
        print(f"{program}: {len(graph)} files, {len(circles(graph))} circles")
        for members in circles(graph):
            print(f"  {' '.join(members)}")
            print(f"    for one, {' -> '.join(shortest_circle(graph, members))}")
    for (source, target), what in sorted(uses_above(sources.all_uses(), ORDER).items()):
        print(f"{source} uses {target}: {', '.join(sorted(set(what)))}")
    print("longest files:")
    for n, path in sorted(((len(lines_of(p)), p) for p in sized_files()), reverse=True)[:10]:
        print(f"  {n} {path}")
    print("longest functions:")
    longest = sorted(((n, f, p) for p in sized_files() for f, n in functions(lines_of(p))), reverse=True)
    for n, name, path in longest[:10]:
        print(f"  {n} {name} in {path}")
    print(f"median of {' and '.join(MEDIAN_OF)}: {median():g}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", help="directory that meson and ninja have built in")
    parser.add_argument("--report", action="store_true", help="print instead of judging")
    options = parser.parse_args()
    sources = Sources(os.path.abspath(options.build))
    if options.report:
        report(sources)
        return 0
    checks = [("self-test", check_self())]
    checks += [(f"no-circles-in-{name}", check_circles(sources.graph(name), name)) for name in PROGRAMS]
    checks += [("no-circles-of-includes", check_include_circles(sources.include_graph())),
               ("folders-use-what-is-below", check_folders(sources.all_uses())), ("files-are-short", check_files()),
               ("functions-are-short", check_functions()), ("threads-have-a-stack", check_threads()), ("median-is-low", check_median()),
               ("guests-are-plain", check_guests(sources.freestanding))]
    print(f"1..{len(checks)}")
    failed = 0
    for i, (name, sentences) in enumerate(checks, 1):
        wrong = list(sentences)
        failed += bool(wrong)
        print(f"{'not ok' if wrong else 'ok'} {i} - {name}")
        for sentence in wrong:
            print(f"# {sentence}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
