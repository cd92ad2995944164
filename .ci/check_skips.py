"""Fail when a test was skipped for a reason that does not have to hold on a machine without a GPU."""

from __future__ import annotations

import sys
from xml.etree import ElementTree

EXPECTED = ("needs a CUDA device", "not applicable:")


def main(path: str) -> int:
    """Print the unexpected skips of a JUnit report and return how many there are."""
    unexpected = [
        f"{case.get('classname')}.{case.get('name')}: {skip.get('message')}"
        for case in ElementTree.parse(path).iter("testcase")  # noqa: S314 - our own test runner's report
        for skip in case.iter("skipped")
        if not any(reason in (skip.get("message") or "") for reason in EXPECTED)
    ]
    for line in unexpected:
        print("unexpected skip:", line)
    return len(unexpected)


if __name__ == "__main__":
    sys.exit(min(1, main(sys.argv[1])))
