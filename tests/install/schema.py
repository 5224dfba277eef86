#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What `gnomon bench` and `gnomon model` write with --json is what docs/results.schema.json says, by a validator that is
not ours.

usage: schema.py GNOMON SCHEMA
TAP on stdout. Without /dev/kvm all is n/a, which has to be valid, too."""

import copy
import json
import operator
import os
import re
import subprocess
import sys

import jsonschema

gnomon, schema_path = sys.argv[1:]
with open(schema_path, encoding="utf-8") as f:
    schema = json.load(f)
jsonschema.Draft202012Validator.check_schema(schema)
validator = jsonschema.Draft202012Validator(schema)
count = 0


def check(name, wrong):
    """`wrong`: the sentences that say so."""
    global count
    count += 1
    print(f"{'not ok' if wrong else 'ok'} {count} - {name}")
    for line in wrong:
        print(f"# {line}")


def bench(*args, command="bench", **environment):
    """Status 1: nothing could be measured, and the results say so."""
    run = subprocess.run([gnomon, command, "--json", "-", *args], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                         env=os.environ | environment)
    if run.returncode not in (0, 1):
        raise SystemExit(f"Bail out! gnomon {command} ended with {run.returncode}: {run.stderr}")
    return json.loads(run.stdout)


def faults(results):
    return [f"{'/'.join(map(str, e.path))}: {e.message[:200]}" for e in validator.iter_errors(results)]


def rows_and_columns(results):
    """What a schema cannot say: a row has the columns' keys, and a reason for each null."""
    for table in results["tables"]:
        columns = [c["name"] for c in table["columns"]]
        if len(set(columns)) != len(columns):
            yield f"{table['name']}: two columns have one name"
        for row in table["rows"]:
            if [k for k in row if k != "na"] != columns:
                yield f"{table['name']}: a row's keys are not the columns' names"
            if {k for k, v in row.items() if v is None} != set(row.get("na", {})):
                yield f"{table['name']}: {row}: not each null has its reason, or the other way round"


def altered(results, alter, *path):
    """A copy in which `alter` has got hold of what holds the end of the path."""
    broken = copy.deepcopy(results)
    at = broken
    for key in path[:-1]:
        at = at[key]
    alter(at, path[-1])
    return broken


def without(results, *path):
    return altered(results, operator.delitem, *path)


def changed(results, value, *path):
    return altered(results, lambda at, key: operator.setitem(at, key, value), *path)


startup = bench("--only", "startup", "--runs", "1")
# Of every workload there is, as n/a: each table's form, at no cost.
listed = subprocess.run([gnomon, "bench", "--list"], capture_output=True, text=True, check=True).stdout
workloads = re.findall(r"^(\S+) +workload: ", listed, re.MULTILINE)
nothing = bench("--only", ",".join(workloads), "--quick", "--runs", "1", GNOMON_KVM_DEVICE="/dev/null")
check("every workload has a table", [] if len(nothing["tables"]) >= len(workloads) >= 9 else [str(workloads)])
all_results = {"without KVM": nothing, "startup": startup, "miss": bench("--only", "miss", "--quick", "--runs", "2", "--max-time", "1"),
               "model": bench(command="model"),
               "model of patterns": bench("--pattern", "uniform,btree", "--ws", "64K..1M:x16", "--accesses", "1000", command="model")}
for name, results in all_results.items():
    check(f"{name} is valid", faults(results))
    check(f"{name}: keys and reasons", list(rows_and_columns(results)))

first = ("tables", 0, "rows", 0)
broken = {
    "no version": without(startup, "version"),
    "another version": changed(startup, 2, "version"),
    "no environment": without(startup, "environment"),
    "no second stage": without(startup, "environment", "second_stage"),
    "a date that is none": changed(startup, "today", "environment", "date"),
    "a column without a unit": without(startup, "tables", 0, "columns", 0, "unit"),
    "a table without rows": without(startup, "tables", 0, "rows"),
    "a row that is a list": changed(startup, [1], *first),
    "a value that is an object": changed(startup, {}, *first, "first"),
    "a reason that is none": changed(startup, {"first": ""}, *first, "na"),
    "something that nobody knows": changed(startup, 1, "more"),
}
for name, results in broken.items():
    check(f"refused: {name}", [] if faults(results) else ["it is valid"])
print(f"1..{count}")
