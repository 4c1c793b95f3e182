"""Links that the emulated systems hand out to people lead to their places on the page."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route


def addresses() -> list[BaseRoute]:
    """A message's permalink, a Sentry issue, a Linear ticket, a page of the shop's GitHub."""
    return [
        Route("/archives/{channel}/{message}", _message),
        _tab("/sentry/organizations/{rest:path}", "sentry"),
        _tab("/linear/issue/{rest:path}", "linear"),
        _tab("/acme/shop/{rest:path}", "github"),
    ]


async def _message(request: Request) -> Response:
    digits = request.path_params["message"].lstrip("p")
    return _see_other(f"/?channel={request.path_params['channel']}#p{digits}")


def _tab(path: str, name: str) -> Route:
    async def tab(_: Request) -> Response:
        return _see_other(f"/?tab={name}")

    return Route(path, tab)


def _see_other(target: str) -> Response:
    return RedirectResponse(target, status_code=303)
