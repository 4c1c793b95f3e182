"""What a rollback takes back: counted, and by name what must not go unseen."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phases.ports.source_values import Commit, CommitFile
from phases.record.documents import Ticket
from phases.record.findings import DeploySeen, Release
from phases.record.incident import ActionKind, Incident, Round, RoundAction
from phases.triage.deploys.deploy_history import merge_deploys
from phases.triage.deploys.taken_back import (
    EarlierFix,
    Past,
    RollbackPath,
    destructive_migrations,
    earlier_fixes,
    taken_back,
    taken_back_in_short,
    what_rollback_takes_back,
)
from tests.support.values.factories import FIX, NOW, incident
from tests.support.worlds.sentry_world import ago

TARGET = Release(version="v2")


def commit(subject: str, *paths: str, sha: str = "", **fields: Any) -> Commit:
    files = tuple(CommitFile(path=path, added=1) for path in paths)
    sha = sha or subject.encode().hex().ljust(40, "0")[:40]
    return Commit(sha=sha, subject=subject, files=files, **fields)


def test_pull_requests_are_counted_and_named_up_to_five() -> None:
    commits = [commit(f"Change number {n} (#{n})") for n in range(1, 8)]
    taken = taken_back(TARGET, commits, ())
    assert (taken.commits, taken.pull_requests, len(taken.names)) == (7, 7, 5)
    assert taken.names[0] == "Change number 1 (#1)"
    assert taken_back_in_short(taken) == "It takes back 7 commits in 7 pull requests since v2."


@pytest.mark.parametrize(
    ("subject", "body", "named"),
    [
        ("Merge pull request #7 from acme/fix-tax", "Round the tax", "Round the tax (#7)"),
        ("Merged PR 7: Round the tax", "", "Merged PR 7: Round the tax"),
        ("Round the tax (#7)", "", "Round the tax (#7)"),
        ("Merge branch 'fix' into 'main'", "Round\n\nSee merge request acme/shop!7", None),
    ],
)
def test_pull_requests_as_the_hosts_write_them(subject: str, body: str, named: str | None) -> None:
    taken = taken_back(TARGET, [commit("Work"), commit(subject, body=body)], ())
    assert taken.pull_requests == 1
    assert named is None or named in taken.names


def test_a_merge_is_no_commit_of_its_own() -> None:
    merge = commit("Merge pull request #7 from acme/fix-tax", body="Round the tax")
    taken = taken_back(TARGET, [merge, commit("one"), commit("two")], ())
    assert (taken.commits, taken.names) == (2, ("Round the tax (#7)",))


@pytest.mark.parametrize(
    ("subject", "body", "is_security"),
    [
        ("Bump jinja2 to 3.1.5", "Fixes CVE-2024-56326", True),
        ("Bump lodash", "GHSA-35jh-r3h4-6jhm", True),
        ("[security] Check the sender", "", True),
        ("Fix XSS in comments", "", True),
        ("Move to another security group", "", False),
        ("Faster search", "", False),
    ],
)
def test_what_is_marked_as_security_is_named(subject: str, body: str, is_security: bool) -> None:
    taken = taken_back(TARGET, [commit(subject, body=body)], ())
    assert taken.security == ((subject,) if is_security else ())


SHA = "c" * 40
TAX = EarlierFix("INC-0031", "fix/tax", SHA, ("INC-0031", "ENG-12", "SHOP-9"))


@pytest.mark.parametrize(
    "fix",
    [
        commit("Round the tax", sha=SHA),
        commit("Round the tax (INC-0031)"),
        commit("ENG-12 round the tax"),
        commit("Round the tax", body="Fixes SHOP-9."),
        commit("Merge pull request #8 from acme/fix/tax"),
        commit("Merge branch 'fix/tax'"),
    ],
)
def test_what_ended_an_earlier_incident_is_named_however_it_was_merged(fix: Commit) -> None:
    assert taken_back(TARGET, [commit("other"), fix], (TAX,)).fixes == ("INC-0031 (fix/tax)",)


@pytest.mark.parametrize(
    "lookalike",
    [
        commit("Fix taxes"),
        commit("SHOP-91"),
        commit("INC-00311"),
        commit("Merge branch 'fix/tax2'"),
    ],
)
def test_what_only_looks_like_it_is_not_named(lookalike: Commit) -> None:
    assert taken_back(TARGET, [lookalike], (TAX,)).fixes == ()


@pytest.mark.parametrize(
    ("well", "fixes"),
    [
        (TARGET, ()),
        (Release(version="v1.5", commit="d" * 40), ()),
        (Release(version="v0", commit="e" * 40), ("INC-0031 (fix/tax)",)),
    ],
)
def test_a_release_that_ended_that_fire_before_does_without_its_fix(
    well: Release, fixes: tuple[str, ...]
) -> None:
    """A rollback to the target, or to a release after it, ended INC-0031; the fix came later."""
    fix = replace(TAX, well=(well,))
    log = [commit("Round the tax", sha=SHA), commit("Sell books", sha="d" * 40)]
    hotfix = DeploySeen(release=FIX, service="shop", started_at=ago(9), source="bot")
    assert taken_back(TARGET, log, (fix,), (hotfix,)).fixes == fixes


def test_a_hotfix_by_pull_request_is_found_where_it_was_squashed() -> None:
    fix = EarlierFix("INC-0031", "#7", SHA, ("INC-0031",))
    assert taken_back(TARGET, [commit("Round the tax (#7)")], (fix,)).fixes == ("INC-0031 (#7)",)
    assert taken_back(TARGET, [commit("Round the tax (#77)")], (fix,)).fixes == ()


def test_a_hotfix_that_runs_unmerged_is_taken_back_too() -> None:
    hotfix = DeploySeen(release=FIX, service="shop", started_at=ago(300), source="bot")
    old = DeploySeen(release=TARGET, service="shop", started_at=ago(600), source="sentry")
    new = DeploySeen(
        release=Release(version="v3"), service="shop", started_at=ago(8), source="sentry"
    )
    known = merge_deploys([new, hotfix, old])
    past = Past(fixes=(EarlierFix("INC-0031", "fix/tax", FIX.commit, ("INC-0031",)),))
    taken = what_rollback_takes_back(RollbackPath(TARGET), incident(), past, known, new)
    assert taken is not None
    assert taken.fixes == ("INC-0031 (fix/tax)",)
    own = incident(rounds=(shipped(),))
    assert what_rollback_takes_back(RollbackPath(TARGET), own, Past(), known, new) is None


def shipped(**fields: Any) -> Round:
    action = RoundAction(kind=ActionKind.HOTFIX, by="U0ANN", at=NOW, to_release=FIX, result="done")
    given: dict[str, Any] = {"number": 1, "opened_at": NOW, "why": "triage", "action": action}
    return Round(**{**given, **fields})


def test_earlier_incidents_know_what_ended_them() -> None:
    ticket = Ticket(id="t", identifier="ENG-12", url="https://linear.example.com/ENG-12")
    worked = incident(id="INC-0031", ticket=ticket, rounds=(shipped(verdict="recovered"),))
    in_vain = incident(id="INC-0030", rounds=(shipped(verdict="not recovered"),))
    drill = incident(id="INC-0029", drill=True, rounds=(shipped(verdict="recovered"),))
    back = shipped(verdict="recovered")
    assert back.action is not None
    action = back.action.model_copy(update={"kind": ActionKind.ROLLBACK, "to_release": TARGET})
    rolled_back = incident(id="INC-0032", rounds=(back.model_copy(update={"action": action}),))
    assert earlier_fixes([rolled_back], "INC-0040")[0].well == (TARGET,)
    fixes = earlier_fixes([worked, in_vain, drill, incident(id="INC-0040")], "INC-0040")
    assert [(fix.incident, fix.name) for fix in fixes] == [
        ("INC-0031", "fix/tax"),
        ("INC-0030", ""),
    ]
    assert fixes[0].names[:2] == ("INC-0031", "ENG-12")


MIGRATIONS = (
    ("migrations/0042.sql", "ALTER TABLE carts DROP COLUMN total;", True),
    ("migrations/0042.sql", "ALTER TABLE carts DROP total;", True),
    ("migrations/0042.sql", "ALTER TABLE carts DROP INDEX total_idx;", False),
    ("migrations/0042.sql", "ALTER TABLE carts ADD COLUMN total int;", False),
    ("migrations/0042.sql", "CREATE INDEX i ON carts (total);", False),
    ("db/migrate/20240301_carts.rb", "remove_column :carts, :total", True),
    ("db/migrate/20240301_carts.rb", "add_column :carts, :total, :integer", False),
    ("shop/migrations/0007_auto.py", "migrations.RemoveField('cart', 'total')", True),
    ("shop/migrations/0007_auto.py", "migrations.AddField('cart', 'total')", False),
    ("alembic/versions/1a2b.py", "op.drop_column('carts', 'total')", True),
    ("migrations/0042.js", "table.dropColumn('total')", True),
    ("migrations/0042_drop_total.sql", "-- see the runbook", True),
    ("migrations/0042_drop_index.sql", "DROP INDEX i;", False),
    ("migrations/0042_carts.down.sql", "ALTER TABLE carts DROP COLUMN total;", False),
    ("shop/carts.py", "DROP TABLE carts", False),
)


@pytest.mark.parametrize(("path", "line", "gone"), MIGRATIONS)
def test_migrations_that_remove_what_the_target_reads(path: str, line: str, gone: bool) -> None:
    file = CommitFile(path=path, added=1, patch=f"@@ -0,0 +1,1 @@\n+{line}\n")
    assert destructive_migrations(Commit(sha="a" * 40, files=(file,))) == ([path] if gone else [])


def test_the_way_back_of_a_migration_removes_nothing() -> None:
    lines = ("def upgrade():", "    op.add_column('carts', c)", "def downgrade():",
             "    op.drop_column('carts', 'total')")  # fmt: skip
    patch = "@@ -0,0 +1,4 @@\n" + "".join(f"+{line}\n" for line in lines)
    file = CommitFile(path="alembic/versions/1a2b.py", added=4, patch=patch)
    assert destructive_migrations(Commit(sha="a" * 40, files=(file,))) == []


def test_the_oldest_schema_that_the_target_does_not_know() -> None:
    newest_first = [
        commit("b", "migrations/0043_more.sql"),
        commit("a", "migrations/0042_carts.sql", "migrations/0042_carts.down.sql"),
    ]
    taken = taken_back(TARGET, newest_first, ())
    assert taken.oldest_schema == "migrations/0042_carts.sql and 1 later migration"


subjects = st.text(min_size=1, max_size=200)
names = st.from_regex(r"[a-z]{2,10}/[a-z]{2,10}", fullmatch=True)


@given(
    st.lists(subjects, max_size=30),
    st.lists(st.tuples(st.integers(1, 99), names), max_size=6, unique_by=lambda pair: pair[0]),
    st.data(),
)
def test_never_a_fix_without_its_name(
    others: list[str], fixed: list[tuple[int, str]], data: st.DataObject
) -> None:
    fixes = tuple(
        EarlierFix(f"INC-{number:04d}", name, f"{number:040d}", (f"INC-{number:04d}",))
        for number, name in fixed
    )
    log = [commit(subject) for subject in others]
    for fix in fixes:
        how = data.draw(st.sampled_from(["sha", "id", "merge"]))
        brought = {
            "sha": commit("x", sha=fix.commit or ""),
            "id": commit(f"Mend it ({fix.incident})"),
            "merge": commit(f"Merge pull request #1 from acme/{fix.name}"),
        }[how]
        log.insert(data.draw(st.integers(0, len(log))), brought)
    taken = taken_back(TARGET, log, fixes)
    for fix in fixes:
        assert fix.label in taken.fixes
    if fixes:
        assert fixes[0].incident in taken_back_in_short(taken)
    assert isinstance(incident(), Incident)
