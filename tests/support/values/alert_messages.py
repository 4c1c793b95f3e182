"""Slack messages of alerting tools, each as its tool sends it."""

from __future__ import annotations

# https://github.com/prometheus/alertmanager/blob/main/notify/slack/slack.go and
# template/default.tmpl
ALERTMANAGER = {
    "subtype": "bot_message",
    "bot_id": "B1",
    "text": "",
    "attachments": [
        {
            "id": 1,
            "color": "a30200",
            "fallback": (
                "[FIRING:1] HighErrorRate (shop production) | "
                "<http://am.example/#/alerts?receiver=x>"
            ),
            "title": "[FIRING:1] HighErrorRate (shop production)",
            "title_link": "http://am.example/#/alerts?receiver=x",
            "pretext": "<!channel>",
            "text": "",
            "fields": [
                {"title": "Severity", "value": "critical", "short": True},
                {"value": "12 %", "title": ""},
            ],
            "actions": [
                {"type": "button", "text": "Runbook", "url": "https://wiki.example/errors"}
            ],
            "mrkdwn_in": ["fallback", "pretext", "text"],
        }
    ],
}

# https://github.com/grafana/alerting/blob/main/receivers/slack: mentions are a block of their own
GRAFANA = {
    "bot_id": "B2",
    "text": "",
    "blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": "<!here> <@U0BOB>"}}],
    "attachments": [
        {
            "id": 1,
            "fallback": "[FIRING:1] Checkout p95 (shop)",
            "title": "[FIRING:1] Checkout p95 (shop)",
            "title_link": "https://grafana.example/alerting/list",
            "text": (
                "**Firing**\n\nValue: A=4.2\nLabels:\n - alertname = Checkout p95\n"
                "Source: <https://grafana.example/a/1?orgId=1&amp;x=2>\n"
            ),
            "footer": "Grafana v11.2.0",
        }
    ],
}

# getsentry/sentry, src/sentry/integrations/slack/message_builder/issues.py
SENTRY = {
    "bot_id": "B3",
    "text": "[shop] ZeroDivisionError: division by zero",
    "blocks": [
        {
            "type": "section",
            "block_id": '{"issue":4711}',
            "text": {
                "type": "mrkdwn",
                "text": (
                    ":red_circle: <https://acme.sentry.io/organizations/acme/issues/4711/"
                    "?referrer=slack&amp;alert_rule_id=1|*ZeroDivisionError: division by zero*>"
                ),
            },
        },
        {"type": "context", "elements": [{"type": "mrkdwn", "text": "shop.pay in charge"}]},
        {"type": "section", "text": {"type": "mrkdwn", "text": "```division by zero```"}},
        {"type": "section", "text": {"type": "mrkdwn", "text": "environment: `production`  "}},
        {
            "type": "actions",
            "elements": [
                {
                    "type": "button",
                    "text": {"type": "plain_text", "text": "Resolve"},
                    "value": "resolve",
                }
            ],
        },
        {
            "type": "context",
            "elements": [
                {
                    "type": "mrkdwn",
                    "text": (
                        "Project: <https://acme.sentry.io/organizations/acme/projects/shop/|"
                        "shop>    Short ID: SHOP-3"
                    ),
                }
            ],
        },
        {"type": "divider"},
    ],
}

DATADOG = {
    "bot_id": "B4",
    "text": (
        "<https://app.datadoghq.eu/monitors/1?x=1|Triggered: 5xx on *shop*>\n@here 12 % of requests"
    ),
}

PAGERDUTY = {
    "bot_id": "B5",
    "text": "",
    "attachments": [
        {
            "id": 1,
            "color": "ff0000",
            "fallback": "[no preview available]",
            "blocks": [
                {
                    "type": "header",
                    "text": {
                        "type": "plain_text",
                        "text": "Triggered #4: shop is down",
                        "emoji": True,
                    },
                },
                {
                    "type": "section",
                    "fields": [
                        {
                            "type": "mrkdwn",
                            "text": "*Service*\n<https://acme.pagerduty.com/services/P1|shop>",
                        },
                        {"type": "mrkdwn", "text": "*Urgency*\nhigh"},
                    ],
                    "accessory": {
                        "type": "button",
                        "text": {"type": "plain_text", "text": "View"},
                        "url": "https://acme.pagerduty.com/incidents/Q1",
                    },
                },
            ],
        }
    ],
}
