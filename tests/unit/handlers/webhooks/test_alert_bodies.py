"""What is read out of other systems' bodies: as real ones were seen, also the odd ones. Pure."""

from __future__ import annotations

import json
from typing import Any

import pytest

from handlers.webhooks.alert_bodies import read
from handlers.webhooks.heard_alert import HeardAlert
from tests.support.worlds.alert_webhooks import fires, grouped, monitored, paged


def only(body: Any) -> HeardAlert:
    (alert,) = read(json.dumps(body).encode())
    return alert


def silent(body: Any) -> bool:
    return read(json.dumps(body).encode()) == ()


# --- Alertmanager, Grafana ------------------------------------------------------------------------


def test_a_group_as_alertmanager_sent_it() -> None:
    """Of version 0.25, behind Prometheus 2.42: one fires again, the other one is over."""
    where = "http://prometheus:9090/graph?g0.expr=shop_error_ratio+%3E+0.05&g0.tab=1"
    common = {
        "alertname": "HighErrorRate",
        "app": "shop",
        "cluster": "eu-1",
        "env": "prod",
        "instance": "127.0.0.1:9801",
        "job": "kubernetes-pods",
        "severity": "critical",
    }

    def alert(pod: str, **more: str) -> dict[str, Any]:
        return {
            "status": "firing",
            "labels": {**common, "pod": pod},
            "annotations": {
                "description": "11% of requests were 5xx",
                "runbook_url": "https://wiki.example.com/high-error-rate",
                "summary": f"More than 5 % of requests of {pod} fail",
            },
            "startsAt": "2026-11-30T11:38:09.189Z",
            "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": where,
            "fingerprint": "7fb94e90f36eb162",
            **more,
        }

    over = {
        "status": "resolved",
        "startsAt": "2026-11-30T11:36:19.189Z",
        "endsAt": "2026-11-30T11:37:09.189Z",
        "fingerprint": "04689b5ce2cf3dd5",
    }
    first, second = read(
        json.dumps(
            {
                "receiver": "firebreak",
                "status": "firing",
                "alerts": [alert("shop-1"), alert("shop-2", **over)],
                "groupLabels": {"alertname": "HighErrorRate"},
                "commonLabels": common,
                "commonAnnotations": {},
                "externalURL": "http://alertmanager:9093",
                "version": "4",
                "groupKey": '{}:{alertname="HighErrorRate"}',
                "truncatedAlerts": 3,
            }
        ).encode()
    )
    assert (first.firing, second.firing) == (True, False)
    assert first.key == "Alertmanager:7fb94e90f36eb162"
    assert first.environment == "prod"
    assert first.line == "More than 5 % of requests of shop-1 fail: 11% of requests were 5xx"
    assert "3 more alerts not told by Alertmanager" in first.details
    assert "not told" not in second.details
    assert first.details.endswith("Runbook: https://wiki.example.com/high-error-rate")
    assert "pod shop-1" in first.details
    assert second.at is not None
    assert second.at.isoformat() == "2026-11-30T11:37:09.189000+00:00"


@pytest.mark.parametrize(
    "labels",
    [
        {"service": "kube-state-metrics", "job": "kube-state-metrics", "deployment": "shop"},
        {"service": "prometheus-node-exporter", "namespace": "shop"},
        {"job": "kubernetes-pods", "app_kubernetes_io_name": "shop"},
        {"statefulset": "shop", "namespace": "default"},
        {"firebreak_service": "shop", "service": "search"},
    ],
)
def test_labels_of_kubernetes_name_the_service_too(labels: dict[str, str]) -> None:
    alert = fires()
    alert["labels"] = {"alertname": "KubeDeploymentReplicasMismatch", **labels}
    assert "shop" in only(grouped(alert)).names


def test_an_alert_without_a_summary_says_its_description() -> None:
    alert = fires()
    alert["annotations"] = {"message": "Deployment default/shop has 1 of 3 replicas."}
    heard = only(grouped(alert))
    assert heard.title == "HighErrorRate"
    assert heard.line == "HighErrorRate: Deployment default/shop has 1 of 3 replicas."


@pytest.mark.parametrize(
    "body",
    [
        grouped(fires("Watchdog", severity="none")),
        grouped(fires("TestAlert", instance="Grafana"), orgId=1),
        {"ruleName": "Test notification", "state": "alerting", "title": "[Alerting] Test"},
        monitored("[Triggered] [TEST] Host Cluster Alert"),
        paged("pagey.ping", message="Hello from your friend Pagey!", type="ping", title=""),
        paged("incident.resolved", resolve_reason={"type": "merge_resolve_reason"}),
    ],
)
def test_a_heartbeat_a_test_and_a_merge_tell_nothing(body: Any) -> None:
    assert silent(body)


def test_grafana_without_data_names_the_rule() -> None:
    alert = fires("DatasourceNoData", rulename="Orders a minute")
    alert |= {"annotations": {}, "values": None, "valueString": "", "panelURL": ""}
    heard = only(grouped(alert, orgId=1, state="alerting", title="[FIRING:1]"))
    assert (heard.system, heard.title) == ("Grafana", "Orders a minute: no data")


@pytest.mark.parametrize(
    ("state", "firing"), [("alerting", True), ("no_data", True), ("ok", False)]
)
def test_grafanas_legacy_alerting(state: str, firing: bool) -> None:
    heard = only(
        {
            "dashboardId": 1,
            "evalMatches": [{"value": 0.64, "metric": "errors", "tags": None}],
            "message": "Orders fail",
            "orgId": 1,
            "panelId": 2,
            "ruleId": 7533874832689366674,
            "ruleName": "Errors of the shop",
            "ruleUrl": "http://grafana.example.com/d/hZ7BuVbWz/shop?tab=alert&panelId=2",
            "state": state,
            "tags": {"service": "shop"},
            "title": "[Alerting] Errors of the shop",
        }
    )
    assert heard.firing is firing
    assert (heard.title, heard.names) == ("Errors of the shop", ("shop",))
    assert heard.key == "Grafana:rule 7533874832689366674 Errors of the shop"
    assert silent({"ruleName": "Errors of the shop", "state": "paused"})


def odd(value: Any) -> Any:
    """Return another shape in the place of a text."""
    return {"text": value} if isinstance(value, str) else 7


@pytest.mark.parametrize(
    ("body", "field"),
    [(monitored(org="Acme"), ""), (monitored(tags={"service": "shop"}, service="shop"), "")]
    + [(grouped(), name) for name in ("groupKey", "truncatedAlerts", "orgId")]
    + [(monitored(), name) for name in ("body", "date", "last_updated", "event_type", "id")]
    + [(paged(), "event.data." + name) for name in ("priority", "urgency", "html_url")]
    + [(grouped(), "alerts.0." + name) for name in ("generatorURL", "fingerprint", "annotations")]
    + [(grouped(), "alerts.0.labels." + name) for name in ("severity", "alertname")],
)
def test_what_stands_beside_an_alarm_in_an_odd_shape_loses_none(body: Any, field: str) -> None:
    """A webhook's template is written by people, and its values by whatever is broken."""
    where = body
    *path, last = field.split(".") if field else [""]
    for name in path:
        where = where[int(name) if name.isdecimal() else name]
    if last:
        where[last] = odd(where.get(last))
    heard = only(body)
    assert (heard.firing, heard.names) == (True, ("shop",))


@pytest.mark.parametrize("zero", ["0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z", 0])
def test_a_zero_time_is_no_beginning(zero: object) -> None:
    alert = fires()
    alert["startsAt"] = zero
    assert only(grouped(alert)).at is None


def test_a_label_without_a_value_is_none() -> None:
    alert = fires()
    alert["labels"] |= {"severity": None, "pod": None}
    assert only(grouped(alert)).severity == ""


# --- Datadog --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("title", "name", "firing", "severity"),
    [
        ("[Triggered on {host:a}] CPU is high", "CPU is high", True, ""),
        ("[P2] [Triggered] CPU is high", "CPU is high", True, "P2"),
        ("[P2] [Recovered on {@state:NOT_IN_SYNC}] CPU is high", "CPU is high", False, "P2"),
        ("[P5] [Re-Triggered on {host:a,pod:b}] CPU is high", "CPU is high", True, "P5"),
        ("[Re-Warn] CPU is high", "CPU is high", True, ""),
        ("[No data on {host:a}] CPU is high", "CPU is high", True, ""),
        ("[Triggered] [checkout] Errors", "[checkout] Errors", True, ""),
        ("[checkout] Errors", "[checkout] Errors", True, ""),
        ("[Okta] Logins fail", "[Okta] Logins fail", True, ""),
        ("[Triggered]", "[Triggered]", True, ""),
        ('[Warn] "cart" said: 5" is low', '"cart" said: 5" is low', True, ""),
    ],
)
def test_a_title_of_datadogs_tells_state_and_priority(
    title: str, name: str, firing: bool, severity: str
) -> None:
    heard = only(monitored(title))
    assert (heard.title, heard.firing, heard.severity) == (name, firing, severity)
    assert only(monitored(title, alert_transition="")).firing is firing


def test_the_group_that_fires_is_read_from_the_title_of_datadogs_default_payload() -> None:
    """`include_tags` of https://docs.datadoghq.com/api/latest/monitors/ is on by default."""
    title = "[P1] [Triggered on {env:staging,service:shop}] Errors"
    heard = only(monitored(title, tags=None))
    assert (heard.names, heard.environment, heard.title) == (("shop",), "staging", "Errors")
    # The monitor's own tags, too, are among `$TAGS`.
    assert only(monitored(title)).environment == "staging"
    over = only(monitored(title.replace("Triggered", "Recovered"), tags=None))
    other = only(monitored(title.replace("staging", "production"), tags=None))
    assert over.key == heard.key != other.key


def test_a_date_that_is_no_number_is_not_told() -> None:
    assert only(monitored(date="1795316520²", last_updated=None)).at is None


def test_the_state_is_that_of_the_transition_where_the_title_says_another() -> None:
    """Seen: the title of an earlier event, and the transition of this one."""
    body = monitored("[Re-Triggered on {host:a}] CPU is high", alert_transition="Recovered")
    assert not only(body).firing


def test_the_body_of_datadog_becomes_plain_text_and_its_link_is_kept() -> None:
    body = (
        "%%%\nWe get **high** latency\nNotify: @webhook-firebreak @slack-ops @ann@example.com\n\n"
        "[![Metric Graph](https://p.datadoghq.com/snapshot/1.png)](https://app.datadoghq.com/m/1)"
        "\n\n**latency** over ***** was **> 100.0** on [average](https://docs.example.com).\n\n"
        "- - -\n\n[[Monitor Status](https://app.datadoghq.com/monitors/1?event_id=2)] "
        "· [[Edit Monitor](https://app.datadoghq.com/monitors/1/edit)]\n%%%"
    )
    heard = only(monitored(body=body))
    assert heard.text == "We get high latency\nNotify:\nlatency over * was > 100.0 on average."
    assert heard.url == "https://app.datadoghq.com/monitors/1?event_id=2"


def test_a_transition_that_is_null_is_read_from_the_title() -> None:
    """https://docs.datadoghq.com/integrations/webhooks/, on `$ALERT_TRANSITION`"""
    assert not only(monitored("[Recovered] CPU is high", alert_transition="null")).firing


def test_a_status_of_datadogs_own_is_no_status_of_ours() -> None:
    body = monitored(status="system.load.1 over host:a was > 0 at least once during the last 1m")
    assert only(body).system == "Datadog"
    assert only(monitored(status="")).system == "Datadog"


# --- PagerDuty ------------------------------------------------------------------------------------


def test_a_page_that_was_merged_is_not_over() -> None:
    assert not only(paged("incident.resolved", resolve_reason=None)).firing
