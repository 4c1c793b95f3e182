"""The sentences of drawn post-mortems (`postmortems.py`), in the manner of published ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Words:
    lines: Mapping[str, tuple[str, ...]]
    """Lines of a timeline, by moment."""
    sound: Mapping[str, tuple[str, ...]]
    planted: Mapping[str, tuple[str, ...]]


SOUND: Mapping[str, tuple[str, ...]] = {
    "impact": ("{users} users, {took}, from {start} to {end} UTC",),
    "cause": ("v42 dropped the region key; `total()` cannot price a cart without one.",),
    "monitoring_alert": (
        "The alert waits for five minutes of errors, and half of them had passed.",
    ),
    "monitoring_person": ("No alert fired. The threshold counts only 5xx, and these were 200s.",),
    "tests": ("Every fixture sets a region, so none of them takes the new branch.",),
    "revisit": ("When the action items are complete.",),
    "factors": ("The flag was on for staff only, and staff all live in one region.",),
    "went_well": ("The rollback took 40 seconds from click to finish.",),
    "item": (
        "reproduce KeyError in shop/pricing.py",
        "alert on cart before users report it",
        "stop a release like v42 before it reaches everybody",
    ),
}

TUNED = Words(
    lines={
        "alert": (
            "Sentry alerts on KeyError in checkout",
            "First reports from support: carts cannot be opened",
            "Error rate on checkout rises from 0.1% to 14%",
            "On-call engineer acknowledges the page",
        ),
        "looked": (
            "Ann confirms the errors come from v42 only",
            "Incident declared, SEV1",
            "We begin an investigation and open a bridge",
            "Dashboards show the pricing service failing in eu-west",
        ),
        "acted": (
            "Rolled back to v41",
            "We reverted the change across all regions",
            "Bob disabled the new-pricing flag",
            "Rollback to the previous release is started",
            "The fix was deployed to production",
        ),
        "end": (
            "Error rates return to normal levels",
            "All services recovered, incident resolved",
            "Checkout is fully restored for all customers",
            "Errors stopped; carts work again",
            "Success rate back to baseline",
        ),
    },
    sound={
        "impact": (
            "For {took}, {users} customers could not open their cart.",
            "{quarter} of {users} users ({share} %) saw an error page when paying.",
            "{users} users: {quarter} in us-east and {rest} in eu-west.",
            "Between {start} and {end} UTC ({took}) checkout returned errors to {users} users.",
        ),
        "cause": (
            "Commit 9f3c2d1 made the region optional, and the cache key still contained it.",
            "The migration in v42 locked the prices table; see "
            "https://github.com/acme/shop/pull/812.",
            "A new index was missing in eu-west: the query plan shows a sequential scan for "
            "every cart.",
            "The connection pool was sized for one region. After #812 both regions shared it.",
        ),
        "monitoring_alert": (
            "The alert fired 4 minutes in: it averages over five minutes.",
            "The canary carried too little traffic for the error-rate alert to trigger earlier.",
        ),
        "monitoring_person": (
            "No alert covers carts that load without prices.",
            "The existing alert looks at HTTP 5xx; the page came back as 200 with an empty body.",
        ),
        "tests": (
            "CI runs against a database with one region, so the join never returned two rows.",
            "The integration suite mocks the pricing service, which hid the changed contract.",
            "The change was covered by a unit test; nothing tested it together with the flag.",
        ),
        "revisit": (
            "When the canary gate has run for a month.",
            "2027-01-15, with the capacity review.",
        ),
        "factors": (
            "The deploy went to all regions at once because the staged rollout was off for "
            "hotfixes.",
            "The runbook pointed to a dashboard that had moved.",
            "Two teams released within ten minutes, which made the graphs hard to read.",
        ),
        "went_well": (
            "Ann noticed the pattern in the traces within two minutes.",
            "Priya rolled back before the second region was hit.",
            "The status page was updated four times within the first half hour.",
        ),
        "item": (
            "Add a test that prices a cart without a region",
            "Page on-call when the share of empty carts passes 2 % for 3 minutes",
            "Require a staged rollout for every change of the pricing schema",
            "Move the pool size into config/pool.yaml and set it to 40 per region",
            "Block merges while the contract test of pricing is red",
            "Delete the unused cache layer in shop/cache.py",
            "Write a runbook for a full connection pool",
        ),
    },
    planted={
        "numbers": (
            "{users} users: {quarter} in us-east and {off} in eu-west.",
            "For {wrong}, from {start} to {end} UTC, {users} users saw errors.",
            "{more} of {users} users could not pay.",
            "{quarter} of {users} users ({wrong_share} %) saw an error page.",
            "{users} customers, {wrong}, {start}–{end} UTC",
            "No customers were affected.",
            "{huge} users lost their cart.",
            "The outage lasted {very_wrong} and hit {users} users.",
            "130 % of requests failed, {users} users were hit.",
        ),
        "no evidence": (
            "We believe that the database was overloaded.",
            "The cache was full.",
            "It was probably the network between the regions.",
            "The exact cause is still unknown.",
            "Something in the pricing service leaked memory.",
            "A bad deploy.",
            "Most likely a deadlock between two workers.",
        ),
        "ruled out": (
            "The card processor times out under load, and carts wait for it.",
            "Checkout failed because the card processor times out.",
        ),
        "another release": (
            "The bug was introduced in v37 and nobody used that path until now.",
            "It shipped with v52, so we rolled back.",
            "We rolled back to v39, which did not have the change.",
        ),
        "silent": (
            "No alert fired; we heard of it from customers.",
            "Nothing paged us for the whole outage.",
            "The alert never fired.",
        ),
        "rang": (
            "The alert fired within a minute.",
            "Monitoring caught it right away.",
            "The alert paged on-call immediately.",
        ),
        "blame": (
            "{who} forgot to run the migration first.",
            "This would not have happened if {who} had not merged the change without review.",
            "{who} should have checked the dashboard before the deploy.",
            "It was {who}'s mistake.",
            "{who} pushed the change without testing it.",
            "The outage is due to {who}, who skipped the checklist.",
            "{who} ignored the warning in the pull request.",
            "The root cause was human error.",
        ),
        "never done": (
            "Improve monitoring",
            "Be more careful when deploying",
            "Better tests",
            "Investigate why the cache was slow",
            "Make sure this never happens again",
            "Look into alerting",
            "Communicate better during incidents",
            "Raise awareness of the checklist",
            "Consider using feature flags",
            "Increase test coverage",
            "Monitor the situation closely",
            "We should review our deploy process",
        ),
        "unfinished": (
            "TODO: ask the platform team.",
            "Because of ???",
            "The reason is TBD.",
            "[insert details here]",
        ),
        "no date": ("Later.", "When we have time", "At some point", "If needed", "Soon"),
    },
)

HELD_OUT = Words(
    lines={
        "alert": (
            "A synthetic check of the cart page starts failing",
            "Customer support escalates several complaints about empty carts",
            "Latency on the pricing API climbs above 8 seconds",
            "The first 500s show up in the access log",
        ),
        "looked": (
            "The incident commander opens the call and assigns roles",
            "Marcus narrows it down to one availability zone",
            "We correlate the spike with the release that went out earlier",
            "Second responder joins; status page set to investigating",
        ),
        "acted": (
            "Traffic is failed over to us-east and eu-west is drained",
            "Engineers roll back the release in every zone",
            "The new code path is switched off",
            "We deployed a patch that restores the old query",
            "Pricing pods restarted with the previous configuration",
            "The change has been reverted",
        ),
        "end": (
            "Traffic is back to usual levels and the incident is closed",
            "We observe full recovery",
            "Error rate drops to zero",
            "Everything green, all clear given",
            "Customers confirm that carts are working again",
            "Service restored",
        ),
    },
    sound={
        "impact": (
            "During the {took} from {start} until {end} UTC, {users} shoppers were shown an "
            "empty cart.",
            "Roughly {share}% of users ({quarter} out of {users}) were unable to complete a "
            "payment.",
            "{users} accounts were affected ({quarter} in Frankfurt, {rest} in Dublin).",
            "Checkout was degraded for {took}; {users} users saw at least one error.",
        ),
        "cause": (
            "A lock on `prices` held by the backfill job blocked every read; the slow log lists "
            "4,112 waits.",
            "v42 raised the default timeout to 90 s, which let requests pile up until the "
            "workers ran out.",
            "The certificate of the internal proxy expired, as the handshake traces show.",
            "Pull request #907 changed the rounding of discounts, and the ledger rejects a "
            "negative total.",
        ),
        "monitoring_alert": (
            "Our alert needs ten failing probes in a row, so it went off late.",
            "The paging rule covers the API, and the first failures were in the background job.",
        ),
        "monitoring_person": (
            "We had no probe that puts something into a cart and pays for it.",
            "The dashboards average over all regions, which hid one region at 100% errors.",
        ),
        "tests": (
            "Staging has a thousandth of the rows, so the plan of the query is another one there.",
            "Load tests run weekly, and this change was four days old.",
            "The linter flags unbounded queries, but only in files below api/.",
        ),
        "revisit": (
            "After the next peak season, 2027-12-01.",
            "Once the staged rollout covers all regions.",
        ),
        "factors": (
            "A holiday in two of the three offices left one reviewer for the whole week.",
            "Retries of the mobile app tripled the load within minutes.",
            "The feature flag had no owner, and its default differs between the regions.",
        ),
        "went_well": (
            "Marcus posted an update every ten minutes, and support could answer with it.",
            "The failover ran as rehearsed in the last drill.",
            "Bob found the offending query with the new tracing within three minutes.",
        ),
        "item": (
            "Run the nightly backfill in batches of 1,000 rows",
            "Expire certificates alert: page the platform team 14 days ahead",
            "Fail the build when a migration takes an exclusive lock",
            "Add a probe that buys a test article every minute",
            "Cap retries of the mobile app at 3 with jitter",
            "Document how to drain a region in docs/runbooks/drain.md",
            "Set statement_timeout to 5 s for the web role",
        ),
    },
    planted={
        "numbers": (
            "{users} accounts were affected ({quarter} in Frankfurt, {off} in Dublin).",
            "The disruption lasted {wrong} ({start} to {end} UTC) and reached {users} shoppers.",
            "In total {more} out of {users} shoppers were unable to check out.",
            "About {wrong_share}% of users ({quarter} out of {users}) were unable to complete a "
            "payment.",
            "There was no customer impact.",
            "{huge} shoppers were shown an empty cart.",
            "Customers experienced {very_wrong} of downtime; {users} accounts were affected.",
            "{quarter} shoppers in Spain and {off} in Italy, {users} in all.",
            "At the worst moment 115% of payments were declined, for {users} users.",
            "Checkout was down between {start} and {end}, a {wrong} outage for {users} users.",
        ),
        "no evidence": (
            "Our working theory is that a noisy neighbour used up the disk.",
            "Too many people came at once.",
            "For some reason the workers stopped taking jobs.",
            "The load balancer seems to have sent everything to one zone.",
            "The queue got stuck.",
            "We have not yet determined what triggered the restart.",
            "An upstream provider had issues.",
        ),
        "ruled out": (
            "Payments hang while the card processor times out, which uses up all workers.",
            "What brought checkout down: the card processor times out and nothing retries.",
        ),
        "another release": (
            "The regression arrived in v38 with the new rounding.",
            "The faulty query was released with v61.",
            "Going by the graphs we rolled everything back to v35.",
        ),
        "silent": (
            "Monitoring stayed silent throughout.",
            "We only learned about the problem from users on social media.",
            "Not a single alert was sent.",
        ),
        "rang": (
            "Monitoring detected the spike and the team was on it.",
            "Alerts fired as designed.",
            "The pager went off two minutes into the outage.",
        ),
        "blame": (
            "Unfortunately {who} did not read the release notes.",
            "{who} deployed on a Friday without telling anyone.",
            "Had {who} followed the runbook, the outage would have been avoided.",
            "The responsibility lies with {who}.",
            "{who} accidentally deleted the production table.",
            "Because {who} failed to set the timeout, requests piled up.",
            "The incident was caused by {who}'s careless merge.",
            "{who} broke the build and went home.",
            "In the end this came down to operator error.",
        ),
        "never done": (
            "Strengthen our observability",
            "Pay more attention to warnings",
            "More documentation",
            "Explore alternatives to the current queue",
            "Ensure deployments are safe",
            "Everyone should double-check configuration changes",
            "Try to respond faster",
            "Think about a better rollout strategy",
            "Enhance logging",
            "Reduce technical debt",
            "Keep an eye on memory usage",
            "Evaluate other vendors",
            "Have better communication between teams",
            "Train people",
        ),
        "unfinished": (
            "Details to be added.",
            "Blocked on FIXME",
            "<describe what happened>",
            "More details to come.",
        ),
        "no date": (
            "Eventually",
            "As needed.",
            "When things calm down",
            "Some day",
            "In the future",
        ),
    },
)
