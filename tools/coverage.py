"""The table of tools/coverage. usage: coverage.py FOLDER [FILE...], FOLDER holding gcov's reports and its summary.
SPDX-License-Identifier: MIT
"""
import os
import re
import sys

LINES, BRANCHES, JUDGES = 90, 80, 90  # percent that is wanted
# Frames, bodies, paths, credentials, policies and sessions: a branch that no test takes there is a hole in a wall.
JUDGE_FILES = ["codec/websocket.c", "codec/http_body.c", "codec/http_head.c", "codec/http_request.c", "codec/url.c", "exposable/policy.c",
               "exposable/policy_text.c", "exposable/view.c", "server/credentials.c", "users/sessions.c", "app/glob.c"]
SUMMARY = re.compile(r"File '(src/[^']+\.c)'\nLines executed:([\d.]+)% of (\d+)\n"
                     r"(?:Branches executed:[\d.]+% of (\d+)\nTaken at least once:([\d.]+)%)?")


def share(rows, of, count):
    """Percent of all rows together."""
    total = sum(row[count] for row in rows)
    return 100 * sum(row[of] * row[count] / 100 for row in rows) / max(total, 1)


def untaken(folder, name):
    """The lines of a file of which a branch was never taken."""
    line = shown = None
    for text in open(os.path.join(folder, os.path.basename(name) + ".gcov"), encoding="utf-8", errors="replace"):
        if re.match(r" *[-#=*0-9]+:", text):
            line = text.rstrip()
        elif re.match(r"branch .*(never executed|taken 0\b)", text) and line != shown:
            shown = line
            yield line


def main():
    folder, files = sys.argv[1], sys.argv[2:]
    rows = []
    for match in SUMMARY.finditer(open(os.path.join(folder, "summary"), encoding="utf-8").read()):
        name, lines, line_count, branch_count, branches = match.groups()
        rows.append((name, float(lines), int(line_count), float(branches or 100), int(branch_count or 0)))
    if not rows:
        sys.exit("coverage: gcov told of no file in " + folder)
    print(f"{'file':<40}{'lines %':>8}{'of':>7}{'branches %':>12}{'of':>7}")
    for row in sorted(rows, key=lambda row: (row[3] - 100) * row[4]):
        print(f"{row[0]:<40}{row[1]:>8.1f}{row[2]:>7}{row[3]:>12.1f}{row[4]:>7}")
    for name in files:
        print(f"\n{name}: of each of these lines a branch was never taken")
        for line in untaken(folder, name):
            print(line)
    judges = [row for row in rows if row[0].removeprefix("src/") in JUDGE_FILES]
    checks = [("lines of all", share(rows, 1, 2), LINES), ("branches of all", share(rows, 3, 4), BRANCHES)]
    checks += [("branches of " + row[0], row[3], JUDGES) for row in judges]
    checks.append(("files that judge, found", len(judges), len(JUDGE_FILES)))
    print()
    for what, got, wanted in checks:
        print(f"{'ok  ' if got >= wanted else 'FAIL'} {what}: {got:.4g}, wanted {wanted}")
    failed = sum(got < wanted for _, got, wanted in checks)
    print(f"{len(checks) - failed} passed, {failed} failed")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
