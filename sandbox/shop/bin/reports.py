"""Reports of a deploy to Sentry, GitHub and whoever watches deploys.

A system that is away does not stop a deploy; the deploy's output says so. Only the standard library
is used, so that the deploy script starts at once.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import urllib.parse
import urllib.request
from typing import Any

Json = dict[str, Any]

TIMEOUT_SECONDS = 5


def say(line: str) -> None:
    print(line, flush=True)


def opener() -> urllib.request.OpenerDirector:
    """Everything here is local: no proxy."""
    return urllib.request.build_opener(urllib.request.ProxyHandler({}))


def version_of(name: str) -> str:
    """`v1.2.0` → `1.2.0`; the commit of a hotfix stays."""
    return name[1:] if re.fullmatch(r"v\d.*", name) else name


def sentry_name(config: Json, name: str) -> str:
    return f"{config['project']}@{version_of(name)}"


def report_to_sentry(config: Json, name: str, who: str, started: str, finished: str) -> None:
    """Register release and deploy.

    https://docs.sentry.io/api/releases/create-a-new-release-for-an-organization/
    https://docs.sentry.io/api/releases/create-a-deploy/
    """
    releases = f"{config['sentry_url']}/api/0/organizations/{config['sentry_org']}/releases/"
    version = sentry_name(config, name)
    headers = {"Authorization": f"Bearer {config['sentry_token']}"}
    deploy = {
        "environment": config["environment"],
        "name": f"{name} by {who}",
        "dateStarted": started,
        "dateFinished": finished,
    }
    try:
        release = {"version": version, "projects": [config["project"]], "ref": name}
        _post(releases, release, headers)
        _post(f"{releases}{urllib.parse.quote(version, safe='')}/deploys/", deploy, headers)
    except (OSError, ValueError) as error:
        say(f"  Sentry was not told: {error}")
        return
    say(f"  told Sentry: {version} in {config['environment']}")


def begin_deployment(config: Json, name: str, who: str) -> int | None:
    """https://docs.github.com/en/rest/deployments/deployments#create-a-deployment"""
    deployment = {
        "ref": name,
        "environment": config["environment"],
        "auto_merge": False,
        "required_contexts": [],
        "payload": {"release": name, "by": who},
    }
    id = _to_github(config, "/deployments", deployment).get("id")
    if id is not None:
        _to_github(config, f"/deployments/{id}/statuses", {"state": "in_progress"})
    return id


def end_deployment(config: Json, id: int | None, *, well: bool) -> None:
    """https://docs.github.com/en/rest/deployments/statuses#create-a-deployment-status"""
    if id is not None:
        status = {"state": "success" if well else "failure"}
        _to_github(config, f"/deployments/{id}/statuses", status)


def report_to_webhook(config: Json, name: str, finished: str, *, times: int) -> None:
    """Send CI's report, signed; the answer is shown when it asks to hold."""
    url = config.get("deploy_webhook")
    if not url:
        return
    report = {
        "service": config["project"],
        "version": version_of(name),
        "environment": config["environment"],
        "event": "finished",
        "sentry_issues": [],
        "at": finished,
    }
    secret = config["deploy_webhook_secret"].encode()
    signature = hmac.new(secret, json.dumps(report).encode(), hashlib.sha256).hexdigest()
    headers = {"X-Firebreak-Signature": f"sha256={signature}"}
    answer: Json = {}
    try:
        for _ in range(times):
            answer = _post(url, report, headers)
    except (OSError, ValueError) as error:
        say(f"  nobody took the deploy webhook: {error}")
        return
    if answer.get("hold"):
        say(f"  this service is on hold because of {answer.get('incident', 'an incident')}")


def _to_github(config: Json, path: str, body: Json) -> Json:
    """Return GitHub's answer; an empty one where it is not set up, or away."""
    github = config.get("github")
    if not github:
        return {}
    headers = {"Authorization": f"Bearer {github['token']}", "User-Agent": "deploy.py"}
    try:
        return _post(f"{github['url']}{path}", body, headers)
    except (OSError, ValueError) as error:
        say(f"  GitHub was not told: {error}")
        return {}


def _post(url: str, body: Json, headers: dict[str, str]) -> Json:
    request = urllib.request.Request(
        url,
        json.dumps(body).encode(),
        {"Content-Type": "application/json", **headers},
        method="POST",
    )
    with opener().open(request, timeout=TIMEOUT_SECONDS) as answer:
        return json.loads(answer.read() or b"{}")
