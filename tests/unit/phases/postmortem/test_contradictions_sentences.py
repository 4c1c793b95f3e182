"""Blame and vague items in sentences of another writer than the measured ones."""

from __future__ import annotations

from datetime import timedelta

import pytest

from phases.postmortem.contradictions.case import Case
from phases.postmortem.contradictions.items import undoable
from phases.postmortem.contradictions.named import contradictions
from phases.postmortem.contradictions.people import blames_person
from phases.postmortem.form_parts import Parts
from tests.support.values.incidents import T0, incident

PEOPLE = frozenset({"Alice Reyes", "Alice", "Bob Okafor", "Bob"})
TOLD = [
    "Alice rolled back to 1.2.0 at 03:12 UTC.",
    "Bob noticed that the queue had not been drained.",
    "Alice found that the migration was run without a lock.",
    "The deploy by Bob went out while the cache was cold.",
    "Bob Okafor added the missing index, which ended the incident.",
    "Alice was paged at 03:02 and joined four minutes later.",
    "Nobody was on call for payments, so Alice was woken by a customer.",
    "Bob asked whether the flag had been missed in the rollout.",
    "Alice and Bob compared both releases and saw that 1.3.0 ignored the region code.",
    "The alert that Bob had set up did not fire because its threshold was too high.",
    "Thanks to Alice we found the cause quickly.",
    "Postgres failed to start after the failover.",
    "The Terraform plan deleted the wrong subnet because it read a stale state.",
    "Cloudflare missed the health check.",
    "Alice's hotfix was merged without its tests running, because CI was down.",
    "Sidekiq ignored the retry limit.",
    "Bob said that the runbook was wrong.",
    "Stripe broke their webhook contract.",
    "Jenkins skipped the smoke test stage when the agent was lost.",
    "Alice did not have access to the production console, so Bob acted.",
    "Bob's laptop was not on the VPN.",
    "Alice could not reach the database because the bastion had failed to renew its certificate.",
    "Bob restarted the workers, but the queue ignored the new limit.",
    "Alice confirmed with Stripe that no payment was missed.",
    "Bob wrote the fix and Alice reviewed it within ten minutes.",
    "Alice suspected the wrong release at first, because both were deployed within a minute.",
    "The page for Bob went to an old phone number.",
    "Bob learned of it from Twitter.",
    "Alice stopped the rollout at 20 %.",
    "Redis was set up without a replica.",
]
BLAMED = [
    "Bob forgot to run the migration.",
    "Alice should have tested this on staging.",
    "The outage was caused by Bob pushing straight to main.",
    "This happened because Alice skipped the review.",
    "Dana fat-fingered the DNS record.",
    "Bob's carelessness led to the outage.",
    "<@U0BOB> didn't check the dashboard before deploying.",
    "If Bob had read the runbook this would not have happened.",
    "Alice merged it although she knew the tests were red.",
    "Bob deployed on a Friday without telling anyone.",
    "Alice broke checkout with her refactoring.",
    "Bob ignored the warning.",
    "Alice pushed to production without review.",
    "We would have been fine had Bob waited for CI.",
]
DOABLE = [
    "Add a test for accounts without a region code",
    "Alert when 5xx rate exceeds 2 % for 5 minutes",
    "Reject migrations that drop a column in use",
    "Move the pool size to config and set it to 50",
    "Document the failover in the runbook",
    "Write a runbook for Redis failover",
    "Remove the legacy currency endpoint",
    "Block deploys while an incident is open",
    "Backfill the 1,204 orders",
    "Canary for checkout: 5 % for ten minutes",
    "Reduce the retry limit from 10 to 3",
    "Monitor queue depth and page at 10k",
    "Rotate the leaked key",
    "Run the load test in CI before each release",
    "Enable Dependabot for shop-api",
    "Upgrade Postgres to 16.4",
    "Add a gate for schema changes",
    "Ask finance for a second tax table",
    "reproduce KeyError in shop/session.py",
    "Improve the p99 of /pay to under 300 ms",
    "Review the timeouts of all clients and write them down in docs/timeouts.md",
    "Fix the flaky checkout test",
    "Handle a missing region code in Visitor",
    "Refactor session.py so that a region is required",
    "Split the payments queue from the mail queue",
    "Lower the alert threshold to 1 %",
    "Expire sessions after 30 days",
    "Keep two releases warm for rollback",
    "Reduce the TTL of the DNS record",
    "Increase the connection pool to 40",
    "Simplify the retry code of the mailer",
    "Raise the memory limit of the worker",
    "Prevent a negative rate from being saved",
    "Remind owners of expiring certificates 30 days before",
    "Clean up the orphaned rows",
    "Train the checkout team on docs/runbooks/failover.md",
    "Detect a missing region within 5 minutes, faster than support does",
]
VAGUE = [
    "Be more careful when deploying",
    "Improve monitoring",
    "Better tests",
    "Investigate the root cause",
    "Communicate better",
    "Think about caching",
    "Make the system more robust",
    "Improve resilience of checkout",
    "Look into the database",
    "Raise awareness of migrations",
    "Ensure this does not happen again",
    "Consider adding alerts",
    "Everyone should double check migrations",
    "Increase test coverage",
    "Monitor more closely",
    "Clean up tech debt",
    "Discuss with the team",
    "Handle errors better",
    "Work on our deployment culture",
    "Get better at testing",
    "Revisit alerting",
    "More documentation",
    "Let's all be more careful with migrations",
    "Train people",
    "Try to respond faster",
]


@pytest.mark.parametrize("sentence", TOLD)
def test_what_a_person_did_or_saw_is_no_blame(sentence: str) -> None:
    assert not blames_person(sentence, PEOPLE)


@pytest.mark.parametrize("sentence", BLAMED)
def test_a_person_who_did_wrong_is_blame(sentence: str) -> None:
    assert blames_person(sentence, PEOPLE)


@pytest.mark.parametrize("item", DOABLE)
def test_an_item_that_ends_is_no_vague_one(item: str) -> None:
    assert not undoable(item)


@pytest.mark.parametrize("item", VAGUE)
def test_an_item_without_an_end_is_named(item: str) -> None:
    assert undoable(item)


# --- whole post-mortems, as people write them -----------------------------------------------------


def case(**parts: object) -> Case:
    """40 users in a window; from 14:03 until 14:19; a rollback from v42 to v41 at 14:06."""
    written = {
        "timeline": "13:59 deploy of v42\n14:03 alert\n14:06 rolled back to v41\n14:19 recovered",
        "impact": "40 users could not check out for 16 minutes.",
        "root_cause": "v42 reads `region` from the session, which old sessions do not have.",
        "monitoring": "The alert fired within four minutes.",
        "tests": "The fixtures only have new sessions.",
        "revisit": "When sessions are versioned.",
        **parts,
    }
    record = incident(postmortem=None, adr=None)
    return Case(record, Parts.model_validate(written), T0 + timedelta(days=1))


def named(**parts: object) -> dict[str, str]:
    return {
        contradiction.rule: contradiction.says for contradiction in contradictions(case(**parts))
    }


def test_the_post_mortem_from_which_these_differ_is_sound() -> None:
    assert named() == {}


@pytest.mark.parametrize(
    "sentence",
    [
        "The alert fired at 11:34, but nobody noticed until 11:30.",
        "From 14:10 the page was muted until 14:02.",
    ],
)
def test_what_lasts_until_before_it_began_is_named(sentence: str) -> None:
    assert "is before" in named(monitoring=sentence)["out of order"]


@pytest.mark.parametrize(
    "sentence",
    [
        "The alert fired at 11:34, but nobody noticed until 11:50.",
        "The alert fired at 23:50, but nobody noticed until 00:10.",
        "The rollback began at 14:05; the queue, which had been full until 14:02, drained.",
        "At 14:05 we rolled back, at 14:07 it was quiet, and until 14:01 nobody knew.",
        "The pager was silent at 1:30 pm and stayed so until 1:20 pm the next day.",
    ],
)
def test_what_ends_later_or_another_day_is_left_alone(sentence: str) -> None:
    assert "out of order" not in named(monitoring=sentence)


def test_two_faults_in_one_sentence_are_both_named() -> None:
    says = named(impact="4,000 users could not pay for 3 hours.")["numbers"]
    assert "until recovery" in says
    assert "triage measured 40" in says


@pytest.mark.parametrize(
    ("impact", "wrong"),
    [
        ("40 users could not check out for two hours.", True),
        ("40 users could not check out for a quarter of an hour.", False),
        ("40 users could not check out for half an hour.", False),
        ("40 users could not check out for two and a half hours.", False),
        ("Between 14:03 and 15:40 40 users could not pay.", True),
        ("Between 14:03 and 14:19 UTC 40 users could not pay.", False),
        ("From 16:03 to 16:19 CEST 40 users could not pay.", False),
        ("40 users could not pay. Refunds went out between 15:00 and 18:00.", False),
        ("For 16 min 40 users could not check out; 31 came back within the hour.", False),
        ("40 users (about 3 % of 1,300 in that quarter of an hour) saw a 500 on /pay.", False),
        ("40 users (30 in eu-west, 20 in us-east) could not pay.", True),
    ],
)
def test_how_many_and_how_long_are_read_as_people_write_them(impact: str, wrong: bool) -> None:
    assert ("numbers" in named(impact=impact)) is wrong, named(impact=impact)


@pytest.mark.parametrize(
    ("impact", "wrong"),
    [
        ("About 40% of users (280 out of 1,120) could not pay.", True),
        ("About 25% of users (280 out of 1,120) could not pay.", False),
        ("About 40 % of our users (280 of 1,120 users) could not pay.", True),
        ("About 40% of requests failed (280 of 1,120 users).", False),
        ("About 40% of requests (280 of 1,120 users) failed.", False),
    ],
)
def test_a_share_is_that_of_the_counts_behind_it(impact: str, wrong: bool) -> None:
    assert ("40 %" in named(impact=impact).get("numbers", "")) is wrong


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ("root_cause", "v42 assumed that each session has a region (SHOP-3, commit 9f3c2d1)."),
        ("impact", "40 of 1,300 active users (3%) saw an error page when paying."),
        (
            "timeline",
            "13:59 deploy of v42\n14:05 Marcus wonders about Stripe, its status page is green\n"
            "14:06 rolled back to v41\n14:19 recovered",
        ),
    ],
)
def test_what_people_wrote_by_hand_is_left_alone(part: str, words: str) -> None:
    assert named(**{part: words}) == {}
