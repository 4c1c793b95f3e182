"""The checks of a pull request: check runs and commit statuses, from one question.

https://docs.github.com/en/graphql/reference/objects#statuscheckrollup; conclusions:
https://docs.github.com/en/graphql/reference/enums#checkconclusionstate and …#statusstate
"""

from bot.clients.github.graphql_models import CheckContext, Pull
from phases.ports.source_values import Check, PullChecks

ASK_CHECKS = """
query FirebreakChecks($owner: String!, $name: String!, $commit: String!) {
  repository(owner: $owner, name: $name) {
    object(expression: $commit) {
      ... on Commit {
        associatedPullRequests(first: 5) {
          nodes {
            number url merged
            commits(last: 1) {
              nodes {
                commit {
                  statusCheckRollup {
                    contexts(first: 50) {
                      nodes {
                        __typename
                        ... on CheckRun { name conclusion }
                        ... on StatusContext { context state }
                      }
                    }
                  }
                }
              }
            }
          }
        }
      }
    }
  }
}
"""
_WORDS = {
    "SUCCESS": "passed",
    "FAILURE": "failed",
    "ERROR": "failed",
    "TIMED_OUT": "timed out",
    "STARTUP_FAILURE": "did not start",
    "ACTION_REQUIRED": "waited for somebody",
    "EXPECTED": "did not run",
    "PENDING": "did not end",
}


def pull_checks(pull: Pull) -> PullChecks:
    """Return the checks of a pull request as `ASK_CHECKS` asks for it."""
    contexts = (pull.rollup.contexts if pull.rollup else None) or ()
    # A token that may not see check runs, as a fine-grained one, gets null in their places:
    # https://github.com/kirodotdev/KiroCrew/pull/4830
    checks = [_check(context) for context in contexts if context is not None]
    if hidden := contexts.count(None):
        name = f"{hidden} check run{'s' if hidden > 1 else ''}"
        checks.append(Check(name=name, conclusion="hidden from our token"))
    return PullChecks(pull_request=f"#{pull.number}", url=pull.url, checks=tuple(checks))


def _check(context: CheckContext) -> Check:
    run = context.kind == "CheckRun"
    state = (context.conclusion if run else context.state) or ""
    words = (state or "did not end").lower().replace("_", " ")
    name = context.name if run else context.context
    return Check(name=name[:60], conclusion=_WORDS.get(state, words))
