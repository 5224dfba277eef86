#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The page that `gnomon bench` writes with --html has the numbers of its JSON, rounded as its table for people has them.

usage: page.py GNOMON
TAP on stdout. Without /dev/kvm most are n/a, with reasons that have to be the same."""

import html.parser
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

gnomon = sys.argv[1]


class Page(html.parser.HTMLParser):
    """Tables by their captions: rows of (text, title); and what the points of pictures say."""

    def __init__(self, text):
        super().__init__()
        self.tables, self.points, self.into, self.table = {}, [], None, None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        if tag in ("caption", "title"):
            self.into = [tag, ""]
        elif tag == "tr" and self.table is not None:
            self.table.append([])
        elif tag in ("td", "th") and self.table is not None:
            self.into = [tag, "", dict(attrs).get("title")]

    def handle_data(self, data):
        if self.into:
            self.into[1] += data

    def handle_endtag(self, tag):
        if not self.into or tag != self.into[0]:
            return
        if tag == "caption":
            self.table = self.tables.setdefault(self.into[1], [])
        elif tag == "title":
            self.points.append(self.into[1])
        else:
            self.table[-1].append(tuple(self.into[1:]))
        self.into = None

    def rows(self, name):
        return self.tables.get(name, [[]])[1:]


def shown_columns(row):
    """A range (NAME_low, NAME_high) is one column for people, NAME."""
    def is_end(name, end):
        return name.endswith(end) and not name.endswith("_ci" + end)
    names = [name for name in row if name != "na" and not is_end(name, "_high")]
    return [name.removesuffix("_low") if is_end(name, "_low") else name for name in names]


def as_shown(row, column, shown):
    """What a value of the JSON is in a table for people that has as many decimals as `shown`."""
    if column not in row:
        low, high = row[column + "_low"], row[column + "_high"]
        return "n/a" if low is None else f"{low:.0f}" if low == high else f"{low:.0f}-{high:.0f}"
    value = row[column]
    if value is None:
        return "n/a"
    return value if isinstance(value, str) else f"{value:.{len(shown.partition('.')[2])}f}"


def reason(row, column):
    return row.get("na", {}).get(column, row.get("na", {}).get(column + "_low"))


def faults(page, results, text):
    lines = [re.split(r"  +", line.strip()) for line in text.splitlines()]
    for table in results["tables"]:
        rows = page.rows(table["name"])
        if len(rows) != len(table["rows"]):
            yield f"{table['name']}: {len(rows)} rows in place of {len(table['rows'])}"
            continue
        for row, cells in zip(table["rows"], rows):
            columns = shown_columns(row)
            if len(columns) != len(cells):
                yield f"{table['name']}: {len(cells)} columns in place of {columns}"
                break
            for column, (shown, title) in zip(columns, cells):
                if shown != as_shown(row, column, shown) or title != reason(row, column):
                    yield f"{table['name']}, {column}: {shown} ({title}), and the JSON has {row}"
            if [shown for shown, _ in cells] not in lines:
                yield f"{table['name']}: {[shown for shown, _ in cells]} is no line of the text"


def lost_points(page):
    """A point's value and interval have to be side by side in a row of a table."""
    rows = [[shown for shown, _ in row] for table in page.tables.values() for row in table]
    for point in page.points[1:]:
        value, low, high = re.search(r": (\S+) \S* \((\S+) to (\S+)\)$", point).groups()
        if not any(row[i:i + 3] == [value, low, high] for row in rows for i in range(len(row))):
            yield point


with tempfile.TemporaryDirectory() as work:
    at, json_at = Path(work) / "page.html", Path(work) / "results.json"
    run = subprocess.run([gnomon, "bench", "--only", "miss,startup", "--quick", "--runs", "2", "--max-time", "1",
                          "--pages", "4k", "--backing", "4k", "--ws", "64K..1M:x16", "--html", str(at), "--json", str(json_at)],
                         stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if run.returncode not in (0, 1):
        raise SystemExit(f"Bail out! gnomon bench ended with {run.returncode}: {run.stderr}")
    page, results = Page(at.read_text(encoding="utf-8")), json.loads(json_at.read_text(encoding="utf-8"))

checks = {"it has the tables of the JSON": [str(sorted(page.tables))] if
          list(page.tables) != [t["name"] for t in results["tables"]] or not page.tables else [],
          "their cells are its values, and the lines of the text": list(faults(page, results, run.stdout)),
          "so are the points of its pictures": list(lost_points(page))}
for number, (name, wrong) in enumerate(checks.items(), 1):
    print(f"{'not ok' if wrong else 'ok'} {number} - {name}")
    for line in wrong[:5]:
        print(f"# {line[:400]}")
print(f"1..{len(checks)}")
