"""Names of releases.

Patterns with builds, refs of deployments, and one release under several names.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.clients.sentry.models import ProjectShape, ReleaseShape
from bot.config.catalogue import Catalogue, read
from bot.config.settings import Faults
from phases.messages.actions import DeployedByOthers
from phases.record.findings import DeploySeen, Release
from phases.record.service import ReleaseNames, Service
from phases.triage.deploys.deploy_history import History, merge_deploys, suspect_of
from phases.triage.deploys.targets import Candidates, targets_of
from phases.verification.post_deploy import deploy_told, version_told
from tests.support.bots.story import mitigated
from tests.support.worlds.sentry_world import NOW, ago

X, Y, Z = "ab" * 20, "cd" * 20, "ef" * 20
SHOP = Service(name="shop", repository="acme/mono", release=ReleaseNames(tag="shop-v{version}"))
BILLING = Service(
    name="billing", repository="Acme/Mono", release=ReleaseNames(tag="billing-v{version}")
)
BARE = Service(name="shop")


# --- patterns -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "name", "version"),
    [
        ("shop@{version}+{build}", "shop@1.3.0+812", "1.3.0"),
        ("shop@{version}+{build}", "shop@1.3.0", None),
        ("shop@{version}+*", "shop@1.3.0+812.abc", "1.3.0"),
        ("shop@{version}{build}", "shop@1.3.0", "1.3.0"),
        ("shop@{version}*", "shop@1.3.0-rc.1+812", "1.3.0-rc.1"),
        ("*@{version}+{build}", "com.acme.shop@1.3.0+812", "1.3.0"),
        ("{version}-{build}", "1.3.0-rc.1-812", "1.3.0-rc.1"),
        ("{version}", "2026.11.29-1", "2026.11.29-1"),
        ("release/{version}", "release/1.3", "1.3"),
        ("v{version}", "v", None),
        ("v{version}-prod", "v1-prod", "1"),
        ("a.b@{version}", "aXb@1", None),
    ],
)
def test_a_pattern_reads_a_version_whatever_the_build(
    pattern: str, name: str, version: str | None
) -> None:
    assert ReleaseNames().version_of(pattern, name) == version


def test_a_build_may_stand_in_sentrys_pattern_alone(tmp_path: Path) -> None:
    file = tmp_path / "services.toml"
    file.write_text(
        '[services.shop]\nrelease = { sentry = "shop@{version}+{build}", tag = "v{version}" }\n'
    )
    [shop] = read(file).all()
    assert shop.release.version_of(shop.release.sentry, "shop@1.3.0+812") == "1.3.0"
    file.write_text(
        '[services.shop]\nrelease = { tag = "v{version}+{build}", deploy = "{version}*" }\n'
    )
    with pytest.raises(Faults) as wrong:
        read(file)
    assert [fault.split(":")[1].strip()[:14] for fault in wrong.value.faults] == [
        "release.tag mu",
        "release.deploy",
    ]


# --- a deployment's ref ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "ref",
    [
        "main",
        "refs/heads/main",
        "refs/heads/v2",
        "release/1.3",
        "12-fix-the-cart",
        "refs/pull/12/merge",
        X,
        X[:7],
        X[:12],
        "latest",
    ],
)
@pytest.mark.parametrize("service", [SHOP, BARE])
def test_what_moves_is_named_by_its_commit(ref: str, service: Service) -> None:
    assert service.deployed(ref, X) == Release(version=X, commit=X)
    assert service.deployed(ref, X, "", {"latest": X}) == Release(version=X, commit=X)


def test_or_by_a_tag_that_points_at_the_commit() -> None:
    tags = {"shop-v1.9.0": X, "shop-v1.10.0": X, "billing-v7.1.0": X, "latest": X, "shop-v1.8.0": Y}
    for ref in ("main", "latest", X):
        assert SHOP.deployed(ref, X, "", tags) == Release(version="1.10.0", commit=X)
    assert BARE.deployed("main", X, "", {"latest": X, "1.4.0": X}) == Release(
        version="1.4.0", commit=X
    )


@pytest.mark.parametrize(
    "before",
    ["1.4.0-rc.3", "1.4.0rc3", "1.4.0-beta.12", "1.4.0.dev7", "1.4.0-SNAPSHOT", "2.0.0-rc.1"],
)
def test_what_was_promoted_is_called_by_its_release_and_not_by_its_candidate(before: str) -> None:
    service = Service(name="shop", release=ReleaseNames(tag="v{version}"))
    assert service.deployed("main", X, "", {"v1.4.0": X, f"v{before}": X}) == Release(
        version="1.4.0", commit=X
    )
    assert service.deployed("main", X, "", {f"v{before}": X}) == Release(version=before, commit=X)


@pytest.mark.parametrize(
    "ref", ["hotfix/1.4.1", "feature/v2", "dependabot/npm_and_yarn/lodash-4.17.21", "bugfix/1.4.2"]
)
def test_a_branch_of_a_version_is_named_by_its_commit_though_the_tags_are_not_known(
    ref: str,
) -> None:
    for service in (SHOP, BARE):
        assert service.deployed(ref, X) == Release(version=X, commit=X)
    tagged = Service(name="shop", release=ReleaseNames(tag="hotfix/{version}"))
    assert tagged.deployed("hotfix/1.4.1", X) == Release(version="1.4.1", commit=X)


def test_a_ref_may_leave_out_refs() -> None:
    """https://docs.github.com/en/rest/git/refs : `tags/v1` stands for `refs/tags/v1` there."""
    assert SHOP.deployed("tags/shop-v1.3.0", X) == Release(version="1.3.0", commit=X)
    assert version_told(SHOP, "tags/shop-v1.3.0") == "1.3.0"


def test_a_branch_that_is_called_as_a_version_is_none_where_the_tags_are_known() -> None:
    assert SHOP.deployed("shop-v2", X) == Release(version="2", commit=X)
    assert SHOP.deployed("shop-v2", X, "", {"shop-v1.9.0": Y}) == Release(version=X, commit=X)
    assert BARE.deployed("2.0", X, "", {"1.9.0": Y}) == Release(version=X, commit=X)


@pytest.mark.parametrize(
    "ref", ["billing-v7.1.0", "refs/tags/billing-v7.1.0", "billing@7.1.0", "billing/v7.1.0"]
)
def test_another_services_tag_is_no_deploy_of_it(ref: str) -> None:
    assert SHOP.deployed(ref, X) is None
    assert SHOP.deployed(ref, X, "", {ref.removeprefix("refs/tags/"): X, "shop-v1.4.0": X}) is None


def test_a_service_without_a_pattern_leaves_those_that_say_more_to_others() -> None:
    shop, billing = Catalogue((BARE.model_copy(update={"repository": "acme/mono"}), BILLING)).all()
    assert shop.deployed("billing-v7.1.0", X) is None
    assert shop.deployed("1.4.0", X) == Release(version="1.4.0", commit=X)
    assert billing.deployed("billing-v7.1.0", X) == Release(version="7.1.0", commit=X)
    admin = Service(
        name="admin", repository="acme/mono", release=ReleaseNames(tag="shop-admin-{version}")
    )
    shop = Service(name="shop", repository="acme/mono", release=ReleaseNames(tag="shop-{version}"))
    shop, admin = Catalogue((shop, admin)).all()
    assert (shop.version_in("shop-admin-2.0"), admin.version_in("shop-admin-2.0")) == (None, "2.0")


def test_a_release_of_the_whole_organisation_is_the_services_whose_pattern_says_more() -> None:
    """One release may be of several projects.

    https://docs.sentry.io/api/releases/create-a-new-release-for-an-organization/
    """
    mono = {"repository": "acme/mono"}
    shop = Service(name="shop", sentry=("shop-web",), **mono)
    billing = Service(
        name="billing",
        sentry=("billing-api",),
        release=ReleaseNames(sentry="billing@{version}"),
        **mono,
    )
    shop, billing = Catalogue((shop, billing)).all()
    projects = [ProjectShape(id="1", slug="shop-web"), ProjectShape(id="2", slug="billing-api")]
    made = [ReleaseShape(version=name, projects=projects) for name in ("billing@7.1.0", X)]
    assert [shape.release(shop) for shape in made] == [None, Release(version=X)]
    assert [shape.release(billing) for shape in made] == [Release(version="7.1.0"), None]


def test_ci_names_no_branch_and_no_other_services_tag() -> None:
    shop, _ = Catalogue((SHOP, BILLING)).all()
    assert version_told(shop, "refs/tags/shop-v1.4.0") == "1.4.0"
    assert [
        version_told(shop, ref) for ref in ("main", "refs/heads/main", "refs/pull/1/merge")
    ] == [None] * 3
    assert (version_told(shop, "main", X), version_told(shop, "billing-v7.1.0", X)) == (X, None)
    assert version_told(shop, "abcdefa") == "abcdefa", "an abbreviated commit may have no digit"
    assert deploy_told(shop, X, NOW).release == Release(version=X, commit=X)


# --- one release, several names -------------------------------------------------------------------


def deploy(version: str, minutes: float, source: str, commit: str | None = None) -> DeploySeen:
    release = Release(version=version, commit=commit)
    return DeploySeen(release=release, service="shop", started_at=ago(minutes), source=source)


def healthy(
    suspect: DeploySeen,
    known: History,
    listed: Sequence[Release],
    running: Release | None = None,
    **fields: Any,
) -> tuple[Release, ...]:
    candidates = Candidates(known, listed, running, **fields)
    return targets_of(suspect, candidates, timedelta(minutes=15)).releases


@pytest.mark.parametrize("length", [40, 7, 8, 12])
def test_deployments_of_a_branch_are_joined_with_sentrys_releases_by_commit(length: int) -> None:
    by_github = [
        deploy(sha, minutes, "github", sha) for sha, minutes in ((Z, 5), (Y, 100), (X, 300))
    ]
    firsts = [
        deploy(sha[:length], minutes, "first event") for sha, minutes in ((Z, 4), (Y, 99), (X, 299))
    ]
    for listed in (
        [Release(version=sha[:length]) for sha in (Z, Y, X)],
        [Release(version=sha) for sha in (Z, Y, X)],
    ):
        known = merge_deploys(by_github, firsts, deployable=listed)
        assert [d.release.version for d in known.deploys] == [sha[:length] for sha in (Z, Y, X)]
        suspect = suspect_of(known.deploys, ago(3), timedelta(minutes=15))
        assert suspect is not None
        assert [r.version for r in healthy(suspect, known, listed)] == [
            r.version for r in listed[1:]
        ]


def test_a_deployer_that_takes_tags_gets_the_tag_at_the_commit() -> None:
    by_github = [
        deploy(v, minutes, "github", sha)
        for v, sha, minutes in (("1.3.0", Z, 5), ("1.2.0", Y, 100))
    ]
    by_sentry = [deploy(Z, 5, "sentry"), deploy(Y, 100, "sentry")]
    tags = [Release(version="1.3.0"), Release(version="1.2.0"), Release(version="1.1.0")]
    known = merge_deploys(by_github, by_sentry, deployable=tags)
    assert [d.release for d in known.deploys] == [
        Release(version=sha, commit=sha) for sha in (Z, Y)
    ]
    suspect = known.deploys[0]
    assert healthy(suspect, known, tags, Release(version="1.3.0")) == (
        Release(version="1.2.0", commit=Y),
    )
    assert healthy(suspect, known, tags, Release(version="1.2.0")) == ()
    assert healthy(suspect, known, tags, None, rolled_back=("1.2.0",)) == ()
    assert healthy(suspect, known, tags, None, burning=("1.2.0",)) == ()


def test_a_name_that_was_told_of_several_commits_is_none() -> None:
    """As an older bot has kept deployments of a branch."""
    known = merge_deploys(
        [
            deploy("main", 5, "github", Z),
            deploy("main", 100, "github", Y),
            deploy("1.2.0", 300, "github", X),
        ]
    )
    assert [d.release.version for d in known.deploys] == [Z, Y, "1.2.0"]


def test_a_release_that_sentry_calls_main_is_none_where_deployments_tell_the_commit() -> None:
    by_github = [deploy(sha, minutes, "github", sha) for sha, minutes in ((Z, 5), (Y, 100))]
    by_sentry = [deploy("main", 4.5, "sentry"), deploy("main", 900, "first event")]
    listed = [Release(version=Z), Release(version=Y)]
    known = merge_deploys(by_github, by_sentry, deployable=listed)
    assert [d.release.version for d in known.deploys] == [Z, Y]
    assert [r.version for r in healthy(known.deploys[0], known, listed)] == [Y]
    named_so = [deploy("jellyfish", 4.5, "sentry"), deploy("starfish", 100, "sentry")]
    assert (
        len(
            merge_deploys(
                named_so,
                [deploy("jellyfish", 5, "webhook")],
                deployable=[Release(version="jellyfish")],
            ).deploys
        )
        == 1
    )
    assert len(merge_deploys(named_so).deploys) == 2, "where nobody else tells, it is all there is"


def test_two_builds_of_a_version_are_two_deploys_of_it() -> None:
    firsts = [
        deploy("1.3.0", 5, "first event"),
        deploy("1.3.0", 60, "first event"),
        deploy("1.2.0", 300, "first event"),
    ]
    known = merge_deploys(firsts)
    assert [(d.release.version, d.started_at) for d in known.deploys] == [
        ("1.3.0", ago(5)),
        ("1.3.0", ago(60)),
        ("1.2.0", ago(300)),
    ]
    listed = [Release(version="1.3.0"), Release(version="1.2.0")]
    assert [r.version for r in healthy(known.deploys[0], known, listed)] == ["1.2.0"]


def test_abbreviations_are_joined_and_dates_are_not() -> None:
    assert Release(version="1a2b3c4").same_as(Release(version="1a2b3c4d5e6f"))
    assert not Release(version="20261129").same_as(Release(version="202611291"))
    assert not Release(version="1a2b3c").same_as(Release(version="1a2b3c4d5e6f"))


def test_what_an_incident_rolled_back_is_known_by_its_commit_too() -> None:
    story = mitigated()
    story.incident = story.record.model_copy(update={"rolled_back": ("abababa",)})
    at = story.now
    github_deploy = DeploySeen(
        release=Release(version="1.9.0", commit=X), service="shop", started_at=at, source="github"
    )
    story.say(DeployedByOthers(deploy=github_deploy))
    assert "This incident rolled it back." in story.in_channel[0]
