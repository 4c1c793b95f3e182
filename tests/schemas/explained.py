"""Exchanges that are right although they do not fit a description, each with its reason."""

from __future__ import annotations

SDK = (
    "Slack's description is of 2021; its SDKs have it: github.com/slackapi/node-slack-sdk, "
    "packages/web-api/src/types"
)

EXPLAINED: dict[str, str] = {
    r"slack POST /chat\.\w+: answer 200: message/blocks: list where type is object": (
        "a message's blocks are a list: docs.slack.dev/reference/methods/chat.update"
    ),
    r"slack .*(there is no (include_all_)?metadata|'metadata'|'app_id' was|'user_id' was)": SDK,
    r"slack .*views\.\w+: form: there is no external_id": SDK,
    r"sentry PUT .*/issues/\{issue_id\}/: body: (statusDetails: )?'\w+' is a required": (
        "the serializer is used with `partial=True`: getsentry/sentry "
        "src/sentry/api/helpers/group_index/update.py"
    ),
    r"sentry .*: query interval: str where type is integer": (
        "`1m` is read by `parse_stats_period`: getsentry/sentry src/sentry/api/utils.py, "
        "`get_rollup`"
    ),
    r"sentry .*meta/tips/(query|columns): NoneType": (
        "both may be null: getsentry/sentry src/sentry/utils/snuba.py, tips"
    ),
    r"discord GET /webhooks/.*: answer 200: type: 1 is not": (
        "one of three kinds, and an incoming one is 1: "
        "docs.discord.com/developers/resources/webhook#webhook-object"
    ),
    r"sentry .*lastDeploy/name: NoneType": (
        "a deploy's name may be null: getsentry/sentry src/sentry/models/deploy.py"
    ),
}
"""A pattern over "system operation: fault" → why it is right all the same."""

OUTSIDE: tuple[str, ...] = (
    # response_url: docs.slack.dev/interactivity/handling-user-interaction
    r"^slack POST /response/",
    r"^sentry POST /api/\d+/envelope/",  # what the shop's SDK sends, not the bot
    r"^(sentry|slack|linear|github) GET /(organizations|archives|issue|files)/",  # pages for people
)
"""Patterns over "system METHOD path" of what is no call of the bot's to an API."""
