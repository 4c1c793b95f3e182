"""Run the stories and check their exchanges against the real systems' descriptions.

    python -m tests.schemas FOLDER [PYTEST ARGUMENT ...]

FOLDER holds the descriptions under these names. A system without its file is left out, and the
report says so:

    sentry.json           github.com/getsentry/sentry-api-schema, openapi-derefed.json
    github.json           npm @octokit/openapi, generated/api.github.com.json
    github-webhooks.json  npm @octokit/openapi-webhooks, generated/api.github.com.json
    discord.json          github.com/discord/discord-api-spec, specs/openapi.json
    pagerduty.json        github.com/PagerDuty/api-schema, reference/events-v2/openapiv3.json
    slack.json            github.com/slackapi/slack-api-specs, web-api/slack_web_openapi_v2.json
    linear.graphql        github.com/linear/linear, packages/sdk/src/schema.graphql

Exit status 1 if something does not fit and `EXPLAINED` does not say why.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.schemas.explained import EXPLAINED, OUTSIDE
from tests.schemas.graphql import Schema, operation_name
from tests.schemas.openapi import Description
from tests.schemas.recording import FOLDER

STORIES = (
    "tests/workspace",
    "--deselect",
    "tests/workspace/operations/test_chaos.py",
    "-n",
    "3",
    "--dist",
    "worksteal",
)
BASES = {"sentry": "", "github": "", "discord": "/api", "pagerduty": "/v2", "slack": "/api"}
Json = dict[str, Any]


class Report:
    def __init__(self) -> None:
        self.requests: Counter[str] = Counter()
        self.answers: Counter[str] = Counter()
        self.webhooks: Counter[str] = Counter()
        self.operations: defaultdict[str, set[str]] = defaultdict(set)
        self.undescribed: Counter[tuple[str, str]] = Counter()
        self.faults: Counter[tuple[str, str, str]] = Counter()
        self.left_out: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
        """Required properties that a local system does not tell: nothing here reads them."""
        self.explained: Counter[str] = Counter()
        self.first: dict[tuple[str, str, str], str] = {}

    def fault(self, system: str, operation: str, fault: str, test: str) -> None:
        line = f"{system} {operation}: {fault}"
        for pattern, why in EXPLAINED.items():
            if re.search(pattern, line):
                self.explained[why] += 1
                return
        if fault.startswith(("answer", "webhook")) and fault.endswith("is a required property"):
            self.left_out[system, operation].add(fault)
            return
        key = (system, operation, fault)
        self.faults[key] += 1
        self.first.setdefault(key, test)

    def show(self) -> None:
        print(
            f"\n{'system':<10} {'operations':>10} {'requests':>9} {'answers':>9} "
            f"{'webhooks':>9} {'do not fit':>11}"
        )
        for system in sorted({*self.requests, *self.webhooks}):
            bad = sum(count for (name, _, _), count in self.faults.items() if name == system)
            print(
                f"{system:<10} {len(self.operations[system]):>10} {self.requests[system]:>9}"
                f" {self.answers[system]:>9} {self.webhooks[system]:>9} {bad:>11}"
            )
        for (system, operation), count in sorted(self.undescribed.items()):
            print(f"  not described: {system} {operation} ({count})")
        for (system, operation), left_out in sorted(self.left_out.items()):
            print(
                f"  left out: {system} {operation}: {len(left_out)} required properties that "
                "nothing here reads"
            )
        for why, count in self.explained.most_common():
            print(f"  explained: {count} × {why}")
        for key, count in self.faults.most_common():
            print(f"  {count:>5} × {' '.join(key[:2])}: {key[2]}   first in {self.first[key]}")


def exchanges(folder: Path) -> Iterator[Json]:
    for file in sorted(folder.glob("*.jsonl")):
        with file.open() as lines:
            yield from (json.loads(line) for line in lines)


def judged(folder: Path, descriptions: Path) -> Report:
    report = Report()
    known = {
        n: Description(f, BASES[n]) for n in BASES if (f := descriptions / f"{n}.json").exists()
    }
    hooks = Description(file) if (file := descriptions / "github-webhooks.json").exists() else None
    linear = Schema(file) if (file := descriptions / "linear.graphql").exists() else None
    for name in [*BASES, "linear", "github-webhooks"]:
        if not list(descriptions.glob(f"{name}.*")):
            print(f"{name}: no description in {descriptions}; left out")
    for exchange in exchanges(folder):
        system = exchange["system"]
        if "webhook" in exchange:
            if (
                hooks is not None
                and (faults := hooks.webhook_faults(exchange["webhook"], exchange["body"]))
                is not None
            ):
                report.webhooks[system] += 1
                for fault in faults:
                    report.fault(system, f"webhook {exchange['webhook']}", fault, exchange["test"])
        elif system == "linear" and linear is not None and exchange["path"].endswith("/graphql"):
            _linear(report, linear, exchange)
        elif system in known:
            _rest(report, known[system], exchange)
    return report


def _linear(report: Report, schema: Schema, exchange: Json) -> None:
    name = operation_name(exchange)
    report.requests["linear"] += 1
    report.operations["linear"].add(name)
    for fault in schema.request_faults(exchange):
        report.fault("linear", name, fault, exchange["test"])
    if exchange["status"] == 200:
        report.answers["linear"] += 1
        for fault in schema.answer_faults(exchange):
            report.fault("linear", name, fault, exchange["test"])


def _rest(report: Report, description: Description, exchange: Json) -> None:
    system = exchange["system"]
    line = f"{system} {exchange['method']} {exchange['path']}"
    if any(re.search(pattern, line) for pattern in OUTSIDE):
        return
    known_operation = description.operation(exchange["method"], exchange["path"])
    if known_operation is None:
        report.undescribed[
            system, f"{exchange['method']} {re.sub(r'[0-9a-f]{8,}|[0-9]+', 'N', exchange['path'])}"
        ] += 1
        return
    name, operation = known_operation
    report.requests[system] += 1
    report.operations[system].add(name)
    refused = exchange["status"] >= 400
    # What the system refuses is its own word on a request that may be wrong on purpose.
    if not refused:
        for fault in description.request_faults(operation, exchange):
            report.fault(system, name, fault, exchange["test"])
    if exchange["status"]:
        report.answers[system] += 1
        for fault in description.answer_faults(operation, exchange):
            report.fault(system, name, fault, exchange["test"])


def main(arguments: list[str]) -> int:
    if not arguments or not Path(arguments[0]).is_dir():
        print(__doc__)
        return 2
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(os.environ.get(FOLDER) or scratch)
        if not list(folder.glob("*.jsonl")):
            stories = [
                sys.executable,
                "-m",
                "pytest",
                *(arguments[1:] or STORIES),
                "-p",
                "tests.schemas.recording",
            ]
            subprocess.run(stories, env={**os.environ, FOLDER: str(folder)}, check=False)
        report = judged(folder, Path(arguments[0]))
    report.show()
    if not report.requests:
        print("Nothing was recorded.")
        return 1
    return 1 if report.faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
