"""Phase 2 over real repositories.

The walk, the tree, the ends of a bisect, and what people and bisects do to it.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.clients.git.source import LocalGit
from phases.ports.ports import PortError, SourceCode
from phases.record.findings import (
    Bisect,
    BlastRadius,
    Cause,
    Choice,
    DeploySeen,
    Frame,
    Hypothesis,
    HypothesisKind,
    Investigation,
    IssueSeen,
    Recommendation,
    Release,
    Share,
    Suspect,
    TriageReport,
    Verdict,
    Word,
)
from phases.record.going_back import Likelihood
from phases.record.incident import Incident, Source
from phases.record.service import ReleaseNames, Service
from phases.root_cause.hypotheses import best_hypotheses
from phases.root_cause.hypothesis_updates import after_bisect, merge_hypotheses
from phases.root_cause.investigate import investigate
from phases.root_cause.leading_cause import leading_cause, proposed_cause
from phases.root_cause.revert import commit_to_revert
from tests.support.git.repositories import Repository

NOW = datetime(2024, 5, 2, 14, 10, tzinfo=UTC)
V41, V42 = Release(version="41"), Release(version="42")
PAY = (
    "def charge(cart):\n    total = cart.total()\n    rate = RATES[cart.region]\n"
    "    return total * rate\n"
)


def shop(path: Path) -> tuple[Repository, Service]:
    repository = Repository(path)
    repository.commit(
        "Shop",
        {"shop/pay.py": PAY, "shop/views.py": "def checkout(cart):\n    return charge(cart)\n"},
        tag="v41",
    )
    repository.commit("Document the shop", {"README.md": "The shop.\n"})
    repository.commit(
        "Rates by currency (#12)",
        {"shop/pay.py": PAY.replace("RATES[cart.region]", "RATES[cart.currency]")},
        author="Grace",
    )
    repository.commit("Quieter logs", {"config/logging.yml": "level: warning\n"}, tag="v42")
    service = Service(
        name="shop",
        checkout=str(path),
        release=ReleaseNames(tag="v{version}"),
        repository="acme/shop",
        bisect=("./reproduce.sh",),
        depends_on=("payments",),
    )
    return repository, service


def report(**changes: Any) -> TriageReport:
    issue = IssueSeen(
        id="1",
        short_id="SHOP-1",
        title="AttributeError: 'Cart' object has no attribute 'currency'",
        first_seen=NOW - timedelta(minutes=7),
        events=400,
        new=True,
    )
    frames = (
        Frame(file="/srv/shop/shop/pay.py", function="charge", line=3),
        Frame(file="/srv/shop/shop/views.py", function="checkout", line=2),
    )
    fields: dict[str, Any] = {
        "at": NOW,
        "window_seconds": 900,
        "events": 400,
        "per_minute": 40.0,
        "baseline_per_minute": 0.0,
        "began_at": NOW - timedelta(minutes=7),
        "blast": BlastRadius(
            users=Word.MANY,
            user_count=40,
            features=Word.ONE,
            regions=(Share(name="eu", events=210), Share(name="us", events=190)),
        ),
        "issues": (issue,),
        "running": V42,
        "suspect": V42,
        "suspect_minutes": 3.0,
        "deploys": (
            DeploySeen(
                release=V42, service="shop", started_at=NOW - timedelta(minutes=10), source="bot"
            ),
            DeploySeen(
                release=V41, service="shop", started_at=NOW - timedelta(days=1), source="bot"
            ),
        ),
        "targets": (V41,),
        "exception_type": "AttributeError",
        "frame": frames[0],
        "frames": frames,
        "recommendation": Recommendation(choice=Choice.INVESTIGATE, suspect=V42, target=V41),
    }
    return TriageReport(**{**fields, **changes})


def incident(triage: TriageReport | None = None, **changes: Any) -> Incident:
    fields: dict[str, Any] = {
        "id": "INC-0001",
        "number": 1,
        "ulid": "01HX",
        "title": "checkout is failing",
        "service": "shop",
        "source": Source(kind="person", text="/incident"),
        "detected_at": NOW,
        "declared_at": NOW,
        "triage": triage,
    }
    return Incident(**{**fields, **changes})


async def look(
    triage: TriageReport | None, service: Service, source: SourceCode | None, **more: Any
) -> Investigation:
    answer = await investigate(incident(triage), service, source, more.get("bisector", True), NOW)
    return answer.investigation


def of(investigation: Investigation, kind: HypothesisKind) -> Hypothesis:
    return next(h for h in investigation.hypotheses if h.kind is kind)


# --- the whole of it ------------------------------------------------------------------------------


async def test_from_the_crash_to_commit_author_and_release(tmp_path: Path) -> None:
    repository, service = shop(tmp_path)
    culprit = repository.git("rev-parse", "v42~1")
    investigation = await look(report(), service, LocalGit())
    assert investigation.walk == (
        "Crashes in /srv/shop/shop/pay.py:3 in charge: rate = RATES[cart.currency]. Last touched "
        f"by {culprit[:9]} "
        "“Rates by currency (#12)” by Grace, 2024-05-01 03:00 UTC: new in 42.",
        f"Called from /srv/shop/shop/views.py:2 in checkout: return charge(cart). Last touched by "
        f"{repository.git('rev-parse', 'v41')[:9]} “Shop” by Ada, 2024-05-01 01:00 UTC: it "
        "was in 41 already.",
    )
    first = investigation.suspects[0]
    assert (first.sha, first.author) == (culprit, "Grace")
    assert first.reasons[0] == "wrote shop/pay.py:3, where it crashes"
    assert first.url == f"https://github.com/acme/shop/commit/{culprit}"
    assert first.pull_request == "https://github.com/acme/shop/pull/12"
    assert len(investigation.suspects) == 3
    assert (investigation.good, investigation.bad) == ("41", "42")


async def test_where_no_commit_explains_the_crash_it_is_said_and_others_come_first(
    tmp_path: Path,
) -> None:
    repository, service = shop(tmp_path)
    for n in range(6):
        repository.commit(f"More {n}", {f"shop/more{n}.py": "x = 1\n"})
    repository.git("tag", "v43")
    v43 = Release(version="43")
    triage = report(
        running=v43,
        suspect=v43,
        targets=(V42,),
        recommendation=Recommendation(choice=Choice.INVESTIGATE, suspect=v43, target=V42),
    )
    investigation = await look(triage, service, LocalGit())
    assert any(
        note.startswith("None of the 6 commits in 42..43 explains") for note in investigation.notes
    )
    assert (investigation.suspects, investigation.nearest) == ((), None), (
        "nothing links any of them"
    )
    kinds = [
        h.kind
        for h in best_hypotheses(investigation.hypotheses, 9)
        if h.verdict is not Verdict.RULED_OUT
    ]
    assert HypothesisKind.COMMIT not in kinds
    assert kinds[-1] is HypothesisKind.RELEASE
    assert of(investigation, HypothesisKind.RELEASE).verdict is Verdict.OPEN


async def test_where_no_commit_stands_out_the_nearest_is_named_and_blamed_for_nothing(
    tmp_path: Path,
) -> None:
    repository, service = shop(tmp_path)
    pay = (repository.path / "shop/pay.py").read_text(encoding="utf-8")
    pay += "\n".join(f"PRICE_{n} = {n}" for n in range(60))
    repository.commit("Prices", {"shop/pay.py": pay})
    repository.git("tag", "--force", "v42")
    near = repository.commit("Say goodbye (#77)", {"shop/pay.py": f"{pay}\nBYE = 1\n"})
    for n in range(12):
        repository.commit(f"More {n}", {f"shop/more{n}.py": "x = 1\n"})
    repository.git("tag", "v43")
    v43 = Release(version="43")
    triage = report(
        running=v43,
        suspect=v43,
        targets=(V42,),
        recommendation=Recommendation(choice=Choice.INVESTIGATE, suspect=v43, target=V42),
    )
    investigation = await look(triage, service, LocalGit())
    assert investigation.suspects == ()
    assert investigation.nearest is not None
    assert (investigation.nearest.sha, investigation.nearest.subject) == (near, "Say goodbye (#77)")
    assert investigation.nearest.pull_request == "https://github.com/acme/shop/pull/77"
    assert not any("explains the crash" in note for note in investigation.notes), "said once"
    assert HypothesisKind.COMMIT not in {h.kind for h in investigation.hypotheses}
    walked = incident(triage, hypotheses=investigation.hypotheses, investigation=investigation)
    assert leading_cause(walked).nearest == investigation.nearest
    assert leading_cause(walked).commit == ""
    assert proposed_cause(walked) is None
    assert commit_to_revert(walked) is None, "no revert is offered for it"
    named = incident(
        triage, investigation=investigation, cause=Cause(text="x", at=NOW, commit="a" * 40)
    )
    assert leading_cause(named).nearest is None


async def test_every_question_is_asked_and_answered(tmp_path: Path) -> None:
    _, service = shop(tmp_path)
    investigation = await look(report(), service, LocalGit())
    assert [h.id for h in investigation.hypotheses] == [
        f"H{n}" for n in range(1, len(investigation.hypotheses) + 1)
    ]
    assert {h.kind for h in investigation.hypotheses} == set(HypothesisKind) - {
        HypothesisKind.OTHER
    }
    assert all(h.says and h.predicts and h.check and h.found for h in investigation.hypotheses)
    release, commit = (
        of(investigation, HypothesisKind.RELEASE),
        of(investigation, HypothesisKind.COMMIT),
    )
    assert (release.verdict, commit.verdict) == (Verdict.SUPPORTED, Verdict.SUPPORTED)
    assert "3 min after its deploy started (2024-05-02 14:03 UTC)" in release.found
    assert commit.says.endswith("by Grace caused it: “Rates by currency (#12)”")
    assert of(investigation, HypothesisKind.DATA).verdict is Verdict.RULED_OUT
    dependency = of(investigation, HypothesisKind.DEPENDENCY)
    assert dependency.verdict is Verdict.OPEN
    assert dependency.found.endswith("; no deploy of payments is known.")
    assert "config/logging.yml" in of(investigation, HypothesisKind.CONFIGURATION).found
    assert {h.kind for h in best_hypotheses(investigation.hypotheses, 2)} == {
        HypothesisKind.RELEASE,
        HypothesisKind.COMMIT,
    }


# --- what is missing is said ----------------------------------------------------------------------


async def test_without_a_source_the_rest_is_still_asked(tmp_path: Path) -> None:
    investigation = await look(report(), Service(name="shop"), None, bisector=False)
    assert investigation.walk[0] == "Crashes in /srv/shop/shop/pay.py:3 in charge."
    assert (
        "No source: `checkout` of shop is not set in the catalogue, so no commits and no blame."
        in investigation.notes
    )
    assert (investigation.good, investigation.bad) == (None, None)
    assert any("no reproduction script is set up" in note for note in investigation.notes)
    assert of(investigation, HypothesisKind.RELEASE).verdict is Verdict.SUPPORTED


async def test_a_clone_that_does_not_know_the_release(tmp_path: Path) -> None:
    _, service = shop(tmp_path)
    strange = report(suspect=Release(version="99"), running=Release(version="99"))
    investigation = await look(strange, service, LocalGit())
    assert investigation.suspects == ()
    assert any("99 is not known in the clone of shop" in note for note in investigation.notes)


async def test_before_triage_and_without_a_stack() -> None:
    investigation = await look(None, Service(name="shop"), None)
    assert investigation.notes == ("There is no triage yet: nothing to start the walk from.",)
    bare = report(
        frames=(),
        frame=None,
        issues=(),
        exception_type=None,
        suspect=None,
        running=None,
        manual_by="U1",
    )
    investigation = await look(bare, Service(name="shop"), None)
    assert investigation.walk == ()
    assert "Sentry was not queried: there is no stack to walk along." in investigation.notes
    assert investigation.hypotheses


class Silent(LocalGit):
    """A source that does not answer."""

    async def commits(self, service: Service, older: str, newer: str) -> Any:
        raise PortError("git", "the disk is gone", retryable=False)

    async def blame(self, service: Service, release: str, file: str, line: int) -> Any:
        await asyncio.Event().wait()


async def test_a_source_that_does_not_answer_ends_in_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("phases.root_cause.investigate.SOURCE_SECONDS", 0.2)
    _, service = shop(tmp_path)
    investigation = await look(report(), service, Silent())
    assert any("did not answer within" in note for note in investigation.notes)
    assert any("the disk is gone" in note for note in investigation.notes)
    assert investigation.walk[0].startswith("Crashes in /srv/shop/shop/pay.py:3")


class Slow(LocalGit):
    """A source whose blame hangs."""

    async def blame(self, service: Service, release: str, file: str, line: int) -> Any:
        await asyncio.Event().wait()


async def test_a_slow_walk_costs_no_commits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("phases.root_cause.investigate.LINES_SECONDS", 1.0)
    _, service = shop(tmp_path)
    investigation = await look(report(), service, Slow())
    assert investigation.suspects, "the commits came"
    assert (
        "Who last touched the lines is not known: the source did not answer within 1 s."
        in investigation.notes
    )


async def test_a_clone_whose_history_is_cut_accuses_nobody_and_says_what_that_costs(
    tmp_path: Path,
) -> None:
    repository, service = shop(tmp_path / "origin")
    whole = str(repository.path)
    repository.git(
        "clone", "--quiet", "--depth=1", "--branch=v42", f"file://{whole}", str(tmp_path / "clone")
    )
    repository.path.rename(tmp_path / "moved away")
    cut = service.model_copy(update={"checkout": str(tmp_path / "clone")})
    investigation = await look(report(), cut, LocalGit())
    assert investigation.suspects == ()
    assert not any(
        "Last touched" in step or "not in the source" in step for step in investigation.walk
    )
    assert any(
        note.startswith("Who last touched the lines is not known: the history of the clone is cut")
        for note in investigation.notes
    )
    assert any(note.startswith("The commits are not known: ") for note in investigation.notes)


class Deaf(LocalGit):
    """The lines are unknown; the commits are known."""

    async def blame(self, service: Service, release: str, file: str, line: int) -> Any:
        raise PortError("git", "the disk is gone", retryable=False)

    async def snippet(self, service: Service, release: str, file: str, line: int) -> Any:
        raise PortError("git", "the disk is gone", retryable=False)


async def test_what_could_not_be_asked_is_not_said_to_be_missing(tmp_path: Path) -> None:
    _, service = shop(tmp_path)
    investigation = await look(report(), service, Deaf())
    assert not any("not in the source" in step for step in investigation.walk)
    assert investigation.suspects, "the commits came, whatever became of the lines"
    assert any("the disk is gone" in note for note in investigation.notes)


# --- what the picture says ------------------------------------------------------------------------


async def test_one_customers_data_is_no_matter_of_a_release(tmp_path: Path) -> None:
    _, service = shop(tmp_path)
    blast = BlastRadius(
        users=Word.ONE,
        user_count=1,
        features=Word.ONE,
        organisations=(Share(name="Acme", events=400),),
    )
    old = report(blast=blast, suspect_minutes=60 * 30.0)
    investigation = await look(old, service, LocalGit())
    assert of(investigation, HypothesisKind.DATA).verdict is Verdict.SUPPORTED
    assert of(investigation, HypothesisKind.RELEASE).verdict is Verdict.OPEN
    assert (investigation.good, investigation.bad) == (None, None)
    assert any("one user is hit" in note for note in investigation.notes)


async def test_a_release_that_does_not_explain_the_events_is_not_believed(tmp_path: Path) -> None:
    _, service = shop(tmp_path)
    point = "Earlier releases fail as well: 60 % of the events are theirs."
    recommendation = Recommendation(
        choice=Choice.INVESTIGATE,
        suspect=V42,
        target=V41,
        likely=Likelihood.UNLIKELY,
        points_away=(point,),
    )
    investigation = await look(report(recommendation=recommendation), service, LocalGit())
    release = of(investigation, HypothesisKind.RELEASE)
    assert (release.verdict, release.confidence) == (Verdict.OPEN, 0.15)
    assert "60 %" in release.found


async def test_a_neighbour_that_was_deployed_and_time_outs(tmp_path: Path) -> None:
    _, service = shop(tmp_path)
    late = IssueSeen(
        id="1",
        short_id="S-1",
        title="ConnectionError: payments timed out",
        first_seen=NOW,
        events=400,
    )
    beside = DeploySeen(
        release=Release(version="7"),
        service="payments",
        started_at=NOW - timedelta(minutes=9),
        source="webhook",
    )
    many = BlastRadius(users=Word.MANY, features=Word.MANY)
    investigation = await look(
        report(
            issues=(late,),
            deploys_beside=(beside,),
            suspect=None,
            suspect_minutes=None,
            targets=(),
            blast=many,
            recommendation=Recommendation(choice=Choice.INVESTIGATE),
        ),
        service,
        LocalGit(),
    )
    assert "payments 7" in of(investigation, HypothesisKind.DEPENDENCY).found
    assert of(investigation, HypothesisKind.INFRASTRUCTURE).confidence > 0.5
    assert "timed out" in of(investigation, HypothesisKind.INFRASTRUCTURE).found


@pytest.mark.parametrize("days", [1, 9])
async def test_another_service_that_was_deployed_long_before_is_ruled_out(
    tmp_path: Path, days: int
) -> None:
    _, service = shop(tmp_path)
    old = DeploySeen(
        release=Release(version="7"),
        service="payments",
        started_at=NOW - timedelta(days=days),
        source="sentry",
    )
    dependency = of(
        await look(report(deploys_beside=(old,)), service, LocalGit()), HypothesisKind.DEPENDENCY
    )
    assert dependency.verdict is Verdict.RULED_OUT
    assert dependency.found == (
        "No dependency changed in 41..42; "
        "no service that it depends on was deployed in the 2 h before."
    )


# --- what people and bisects do to it -------------------------------------------------------------


def hypothesis(id: str, kind: HypothesisKind, says: str, **more: Any) -> Hypothesis:
    return Hypothesis(id=id, kind=kind, says=says, **more)


def test_new_findings_keep_ids_and_peoples_words() -> None:
    judged = hypothesis(
        "H1", HypothesisKind.RELEASE, "Release 42 caused it", verdict=Verdict.RULED_OUT, by="U1"
    )
    own = hypothesis("H2", HypothesisKind.OTHER, "The moon", by="U1")
    commit = hypothesis("H3", HypothesisKind.COMMIT, "Commit aaaaaaaaa by Ada caused it: “x”")
    gone = hypothesis("H4", HypothesisKind.COMMIT, "Commit bbbbbbbbb by Ada caused it: “y”")
    fresh = (
        hypothesis(
            "H1",
            HypothesisKind.COMMIT,
            "Commit aaaaaaaaa by Ada caused it: “x”",
            found="new",
            confidence=0.8,
        ),
        hypothesis("H2", HypothesisKind.RELEASE, "Release 42 caused it", verdict=Verdict.SUPPORTED),
        hypothesis("H3", HypothesisKind.DATA, "Traffic caused it"),
    )
    merged = merge_hypotheses((judged, own, commit, gone), fresh)
    assert [(h.id, h.kind) for h in merged] == [
        ("H1", HypothesisKind.RELEASE),
        ("H2", HypothesisKind.OTHER),
        ("H3", HypothesisKind.COMMIT),
        ("H5", HypothesisKind.DATA),
    ]
    assert merged[0] == judged
    assert merged[2].found == "new"
    assert merge_hypotheses(merged, fresh) == merged
    assert merge_hypotheses((), fresh) == fresh


CULPRIT = Suspect(
    sha="a" * 40, author="Ada", subject="x", reasons=("bisect: `./reproduce.sh` fails with it",)
)


def test_a_bisect_names_one_commit_and_rules_the_others_out() -> None:
    before = (
        hypothesis(
            "H1", HypothesisKind.COMMIT, f"Commit {'b' * 9} by Ada caused it: “y”", confidence=0.6
        ),
        hypothesis(
            "H2",
            HypothesisKind.COMMIT,
            f"Commit {'c' * 9} by Ada caused it: “z”",
            by="U1",
            confidence=1.0,
        ),
        hypothesis("H3", HypothesisKind.RELEASE, "Release 42 caused it"),
    )
    ended = Bisect(id="b", good="41", bad="42", state="found", step=4, steps=4, culprit=CULPRIT)
    after = after_bisect(before, ended)
    assert [(h.id, h.verdict) for h in after] == [
        ("H1", Verdict.RULED_OUT),
        ("H2", Verdict.OPEN),
        ("H3", Verdict.OPEN),
        ("H4", Verdict.SUPPORTED),
    ]
    assert after[1] == before[1]
    assert after[3].says == f"Commit {'a' * 9} by Ada caused it: “x”"
    assert after_bisect(after, ended) == after


@pytest.mark.parametrize("state", ["running", "cancelled"])
def test_a_bisect_that_says_nothing_changes_nothing(state: Any) -> None:
    before = (
        hypothesis("H1", HypothesisKind.RELEASE, "Release 42 caused it", found="Trouble began."),
    )
    assert after_bisect(before, Bisect(id="b", good="41", bad="42", state=state)) == before


def test_a_bisect_that_cannot_tell_is_written_down() -> None:
    before = (
        hypothesis("H1", HypothesisKind.RELEASE, "Release 42 caused it", found="Trouble began."),
    )
    ended = Bisect(id="b", good="41", bad="42", state="cannot tell", reason="good and bad agree")
    assert (
        after_bisect(before, ended)[0].found == "Trouble began. Bisect 41..42: good and bad agree."
    )


async def test_the_cause_is_the_bisects_else_the_best_that_is_supported(tmp_path: Path) -> None:
    _, service = shop(tmp_path)
    investigation = await look(report(), service, LocalGit())
    walked = incident(
        report(), hypotheses=investigation.hypotheses, suspects=investigation.suspects
    )
    cause = proposed_cause(walked)
    assert cause is not None
    assert cause.text.endswith("by Grace, “Rates by currency (#12)”, shipped in 42, caused it.")
    assert (cause.commit, cause.release, cause.by) == (investigation.suspects[0].sha, "42", None)
    assert cause.evidence
    bisected = Bisect(id="b", good="41", bad="42", state="found", culprit=CULPRIT)
    cause = proposed_cause(walked.model_copy(update={"bisect": bisected}))
    assert cause is not None
    assert cause.commit == CULPRIT.sha
    assert cause.evidence[0] == CULPRIT.reasons[0]
    assert proposed_cause(incident(report())) is None
