#!/usr/bin/env python3
"""Prints the table of what the suites found on the CPU path and on each driver, and fails if docs/testing.md has another one.

    python tests/suites/table.py FOLDER

FOLDER has what `cases.py` and `tests/gpu/suites.rs` wrote. Run by `./test.sh suites`.
"""

import json
import sys
from pathlib import Path

DRIVERS = ["lavapipe", "llvmpipe-gl", "swiftshader", "lavapipe-backports"]
PAGE = Path(__file__).resolve().parents[2] / "docs/testing.md"


def table(rows, reports):
    """A report has, for each file of cases, how many values were compared, and how many differ."""
    lines = [f"| suite | type | tests | values | other bits on the CPU path | {' | '.join(reports)} |"]
    lines.append("|" + "---|" * (5 + len(reports)))
    for row in rows:
        cells = [row["suite"], row["dtype"], row["tests"], f"{row['values']:,}", row["differing"]]
        for driver, report in reports.items():
            counts = [report[file] for file in row["files"]]
            values, differing = map(sum, zip(*counts))
            assert values == row["values"], f"{driver} compared {values} values of {row['suite']}"
            cells.append(differing)
        lines.append(f"| {' | '.join(map(str, cells))} |")
    total = sum(row["values"] for row in rows)
    return "\n".join(lines) + f"\n\n{total:,} values in all, on the CPU path and on each driver.\n"


def report(path):
    adapter, *lines = path.read_text().splitlines()
    return adapter, {file: tuple(map(int, counts)) for file, *counts in (line.split("\t") for line in lines)}


def is_on(page, table):
    return f"\n\n{table}" in page


def main(folder):
    rows = json.loads((folder / "cases/rows.json").read_text())
    adapters, reports = zip(*(report(folder / f"{driver}.report") for driver in DRIVERS))
    assert len(set(adapters)) == len(DRIVERS), f"a driver ran twice: {adapters}"
    reports = dict(zip(DRIVERS, reports))
    measured = table(rows, reports)
    print(measured)
    page = PAGE.read_text()
    if not is_on(page, measured):
        print("docs/testing.md has another table than this, which was measured", file=sys.stderr)
        return 1
    # A count that changes has to show.
    file = rows[0]["files"][0]
    for report_of in reports.values():
        values, differing = report_of[file]
        report_of[file] = (values, differing + 1)
        assert not is_on(page, table(rows, reports)), "a changed count isn't seen"
        report_of[file] = (values, differing)
    print("docs/testing.md has this table")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
