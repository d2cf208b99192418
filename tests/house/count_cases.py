"""Reads the JUnit file that ctest wrote and prints `N passed, M failed`, counting test cases rather than programs."""

import re
import sys
import xml.etree.ElementTree

ALL_PASSED = re.compile(r"All tests passed \(.* in (\d+) test cases?\)")
SOME_FAILED = re.compile(r"test cases: +(\d+).*?\| +(\d+) failed")
UNITTEST_RAN = re.compile(r"^Ran (\d+) tests? in", re.MULTILINE)
UNITTEST_FAILED = re.compile(r"(?:failures|errors)=(\d+)")


def count(program):
    """(passed, failed) of one ctest entry; an entry that counts nothing itself is one test case."""
    succeeded = program.get("status") == "run"
    output = program.findtext("system-out") or ""
    total, failed = 1, 0
    if match := ALL_PASSED.search(output):
        total = int(match[1])
    elif match := SOME_FAILED.search(output):
        total, failed = int(match[1]), int(match[2])
    elif match := UNITTEST_RAN.search(output):
        total = int(match[1])
        failed = sum(int(number) for number in UNITTEST_FAILED.findall(output[match.end():]))
        failed = min(failed, total)  # sub-tests of one test may fail several times
    if not succeeded:
        failed = max(failed, 1)
    return total - failed, failed


def main():
    programs = xml.etree.ElementTree.parse(sys.argv[1]).getroot().findall("testcase")
    counts = [count(program) for program in programs]
    print(f"{sum(passed for passed, _ in counts)} passed, {sum(failed for _, failed in counts)} failed")


if __name__ == "__main__":
    main()
