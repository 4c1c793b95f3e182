"""The shop as the panel shows it: what runs, what is broken, deploys and post-mortems."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from sandbox.page import github_view
from sandbox.page.model import Document, Row
from sandbox.shop.shop import Shop
from sandbox.shop.work import Breakage, unmended


def running(shop: Shop) -> dict[str, Any] | None:
    """Return the deploy that put into production what runs there now."""
    succeeded = (entry for entry in reversed(shop.deploy_log()) if entry["result"] == "succeeded")
    return next(succeeded, None)


def broken(shop: Shop) -> list[Breakage]:
    """Return the breakages that production suffers from now."""
    deploy = running(shop)
    if deploy is None:
        return []
    return [
        breakage
        for breakage in unmended(shop.work.breakages)
        if breakage.kind == "bad-data" or breakage.release == deploy["to"]
    ]


def broken_kinds(shop: Shop) -> frozenset[str]:
    """Return the levers that are on: what production suffers from now."""
    flag = ["bad-flag"] if shop.flag_is_on() else []
    return frozenset([*flag, *(breakage.kind for breakage in broken(shop))])


def fixes(shop: Shop) -> list[str]:
    """Return the pull requests and branches that mend what is broken."""
    branches = [breakage.fix_branch for breakage in broken(shop)]
    return [github_view.fix_name(shop.github, branch) for branch in branches if branch]


def deploys(shop: Shop) -> list[Row]:
    """Return deploys, newest first, the one under way on top."""
    rows = [_deploy(entry) for entry in reversed(shop.deploy_log())]
    if under_way := shop.deploying():
        title, by = short(under_way["to"]), f"by {under_way['who']}"
        rows.insert(0, Row(title, by, "deploying", "warn", seconds(under_way["started"])))
    return rows


def _deploy(entry: dict[str, Any]) -> Row:
    well = entry["result"] == "succeeded"
    before = f"over {short(entry['from'])}, " if entry["from"] else ""
    return Row(
        short(entry["to"]),
        f"{before}by {entry['who']}",
        "" if well else entry["result"],
        "good" if well else "bad",
        seconds(entry["finished"]),
        body=entry.get("reason", ""),
    )


def documents(shop: Shop) -> list[Document]:
    """Return post-mortems in the shop's repository, the newest first."""
    paths = sorted((shop.repo / "docs" / "adr").glob("*.md"), reverse=True)
    read = [Document(path.name, path.read_text(errors="replace")) for path in paths]
    return [document for document in read if "INC-" in document.source]


def short(release: str) -> str:
    """A release as it is; a commit by its first seven characters."""
    return release[:7] if re.fullmatch(r"[0-9a-f]{40}", release) else release


def seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()
