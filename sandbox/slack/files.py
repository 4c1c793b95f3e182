"""Files beside a message, as the Web API and events show them; only their names are stored.

Shapes: https://docs.slack.dev/reference/objects/file-object,
https://docs.slack.dev/reference/events/message/file_share
"""

from __future__ import annotations

import mimetypes
from collections.abc import Sequence

from sandbox.slack.channels import TEAM
from sandbox.slack.workspace import Workspace
from sandbox.wire import Json


def shared(workspace: Workspace, user: str, names: Sequence[str]) -> list[Json]:
    """Return the files of a message that `user` posts, with these names."""
    if workspace.user(user)["team_id"] != TEAM:
        return [_file_of_another_workspace(workspace) for _ in names]
    return [_file(workspace, user, name) for name in names]


def _file(workspace: Workspace, user: str, name: str) -> Json:
    id, now = workspace.new_id("F"), int(workspace.now())
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    extension = name.rpartition(".")[2].lower() if "." in name else "binary"
    private = f"{workspace.url}files-pri/{TEAM}-{id}"
    return {
        "id": id,
        "created": now,
        "timestamp": now,
        "name": name,
        "title": name,
        "mimetype": kind,
        "filetype": extension,
        "pretty_type": extension.upper(),
        "user": user,
        "user_team": TEAM,
        "editable": False,
        "size": 196920,
        "mode": "hosted",
        "is_external": False,
        "external_type": "",
        "is_public": False,
        "public_url_shared": False,
        "display_as_bot": False,
        "username": "",
        "url_private": f"{private}/{id.lower()}",
        "url_private_download": f"{private}/download/{id.lower()}",
        "permalink": f"{workspace.url}files/{user}/{id}/{id.lower()}",
        "permalink_public": f"https://slack-files.com/{TEAM}-{id}",
        "has_rich_preview": False,
        "file_access": "visible",
    }


def _file_of_another_workspace(workspace: Workspace) -> Json:
    """https://docs.slack.dev/apis/slack-connect/#files"""
    id = workspace.new_id("F")
    return {
        "id": id,
        "mode": "file_access",
        "file_access": "check_file_info",
        "created": 0,
        "timestamp": 0,
        "user": "",
    }
