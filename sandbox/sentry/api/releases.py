"""Releases and deploys.

https://docs.sentry.io/api/releases/
https://github.com/getsentry/sentry/blob/master/src/sentry/releases/endpoints/release_deploys.py
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sandbox.sentry import shapes
from sandbox.sentry.api.call import READ_RELEASES, WRITE_RELEASES, Call, json_body
from sandbox.sentry.api.paging import Missing, asked_environments, asked_projects, paged
from sandbox.sentry.events import read_time
from sandbox.sentry.models import Deploy, Release
from sandbox.sentry.state import Sentry


def _release(sentry: Sentry, request: Request) -> Release:
    release = sentry.releases.get(request.path_params["version"])
    if release is None:
        raise Missing
    return release


async def list_releases(sentry: Sentry, request: Request) -> Response:
    """Newest first, by the day they were made or released."""
    params = request.query_params
    slugs = {
        project.slug
        for project in sentry.projects.values()
        if project.id in asked_projects(sentry, params)
    }
    environments = asked_environments(sentry, params)
    rows = [
        release
        for release in sentry.releases.values()
        if release.projects & slugs
        and (params.get("query") or "").lower() in release.version.lower()
        and (not environments or _was_in(sentry, release, environments))
    ]
    rows.sort(key=lambda release: release.released or release.created, reverse=True)
    return paged(request, rows, lambda release: shapes.release_shape(sentry, release))


def _was_in(sentry: Sentry, release: Release, environments: set[str]) -> bool:
    if any(deploy.environment in environments for deploy in release.deploys):
        return True
    return any(
        event.release == release.version and event.environment in environments
        for event in sentry.events
    )


async def create_release(sentry: Sentry, request: Request) -> Response:
    """201, or 208 for one that exists."""
    body = await json_body(request)
    version, slugs = str(body.get("version") or "").strip(), body.get("projects")
    if not version or not slugs:
        missing = "version" if not version else "projects"
        return JSONResponse({missing: ["This field is required."]}, status_code=400)
    if wrong := [slug for slug in slugs if slug not in sentry.projects]:
        return JSONResponse(
            {"projects": [f"Invalid project slugs: {', '.join(wrong)}"]}, status_code=400
        )
    known = version in sentry.releases
    release = sentry.add_release(version, projects=slugs)
    release.ref, release.url = body.get("ref") or release.ref, body.get("url") or release.url
    if body.get("dateReleased"):
        release.released = read_time(body["dateReleased"], sentry.clock())
    return JSONResponse(shapes.release_shape(sentry, release), status_code=208 if known else 201)


async def list_deploys(sentry: Sentry, request: Request) -> Response:
    """The last deploy of the release to each environment.

    Sentry knows no others: `last_deploy_id` of ReleaseProjectEnvironment.
    """
    last: dict[str, Deploy] = {}
    for deploy in _release(sentry, request).deploys:
        last[deploy.environment] = deploy
    rows = sorted(last.values(), key=lambda deploy: deploy.finished, reverse=True)
    return paged(request, rows, shapes.deploy_shape)


async def create_deploy(sentry: Sentry, request: Request) -> Response:
    release, body = _release(sentry, request), await json_body(request)
    environment = body.get("environment")
    if not environment or "/" in environment or "\n" in environment:
        problem = "This field is required." if not environment else "Invalid value for environment"
        return JSONResponse({"environment": [problem]}, status_code=400)
    started, finished = body.get("dateStarted"), body.get("dateFinished")
    now = sentry.clock()
    try:
        times = (read_time(started, now) if started else None, read_time(finished, now))
    except ValueError:
        return JSONResponse({"dateFinished": ["Datetime has wrong format."]}, status_code=400)
    deploy = sentry.add_deploy(
        release.version,
        environment=environment,
        started=times[0],
        finished=times[1],
        name=body.get("name"),
        url=body.get("url"),
    )
    return JSONResponse(shapes.deploy_shape(deploy), status_code=201)


CALLS = (
    Call("releases", "GET", "releases/", READ_RELEASES, list_releases),
    Call("releases", "POST", "releases/", WRITE_RELEASES, create_release),
    Call("deploys", "GET", "releases/{version:path}/deploys/", READ_RELEASES, list_deploys),
    Call("deploys", "POST", "releases/{version:path}/deploys/", WRITE_RELEASES, create_deploy),
)
