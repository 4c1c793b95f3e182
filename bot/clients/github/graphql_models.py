"""The parts of GraphQL's answers that are read, flat: each field says by which path it comes.

GraphQL has null for what is not there or may not be seen; such a field has its default.
"""

from datetime import datetime

from pydantic import AliasPath, ConfigDict, Field

from bot.clients.http.shape import Shape


class GraphQLShape(Shape):
    model_config = ConfigDict(populate_by_name=True)


# --- blame ------------------------------------------------------------------------------------


class BlamedCommit(GraphQLShape):
    """https://docs.github.com/en/graphql/reference/objects#commit"""

    oid: str
    subject: str = Field(default="", validation_alias="messageHeadline")
    at: datetime = Field(validation_alias="authoredDate")
    url: str | None = None
    author: str | None = Field(default=None, validation_alias=AliasPath("author", "name"))
    pull_request: str | None = Field(
        default=None, validation_alias=AliasPath("associatedPullRequests", "nodes", 0, "url")
    )


class BlameRange(GraphQLShape):
    """https://docs.github.com/en/graphql/reference/objects#blamerange"""

    first: int = Field(validation_alias="startingLine")
    last: int = Field(validation_alias="endingLine")
    commit: BlamedCommit


class BlameAnswer(GraphQLShape):
    ranges: tuple[BlameRange, ...] | None = Field(
        default=None, validation_alias=AliasPath("repository", "object", "blame", "ranges")
    )
    here: str | None = Field(default=None, validation_alias=AliasPath("repository", "here", "text"))
    main: str | None = Field(default=None, validation_alias=AliasPath("repository", "main", "text"))


# --- pull requests ----------------------------------------------------------------------------


class CheckContext(GraphQLShape):
    """A check run or a commit status.

    https://docs.github.com/en/graphql/reference/unions#statuscheckrollupcontext
    """

    kind: str = Field(validation_alias="__typename")
    name: str = ""
    conclusion: str | None = None
    context: str = ""
    state: str | None = None


class Rollup(GraphQLShape):
    """https://docs.github.com/en/graphql/reference/objects#statuscheckrollup"""

    state: str | None = None
    contexts: tuple[CheckContext | None, ...] | None = Field(
        default=None, validation_alias=AliasPath("contexts", "nodes")
    )
    """None among them is one that our token may not see."""


class Pull(GraphQLShape):
    """https://docs.github.com/en/graphql/reference/objects#pullrequest"""

    number: int
    title: str | None = None
    body: str | None = None
    url: str | None = None
    branch: str = Field(default="", validation_alias="headRefName")
    head: str = Field(default="", validation_alias="headRefOid")
    of_a_fork: bool = Field(default=True, validation_alias="isCrossRepository")
    merged: bool = False
    rollup: Rollup | None = Field(
        default=None,
        validation_alias=AliasPath("commits", "nodes", 0, "commit", "statusCheckRollup"),
    )
    """The checks of the newest commit. None: no check ran, or none may be seen."""


class OpenPulls(GraphQLShape):
    pulls: tuple[Pull | None, ...] | None = Field(
        default=None, validation_alias=AliasPath("repository", "pullRequests", "nodes")
    )


class PullsOfCommit(GraphQLShape):
    pulls: tuple[Pull | None, ...] | None = Field(
        default=None,
        validation_alias=AliasPath("repository", "object", "associatedPullRequests", "nodes"),
    )


class RollupAnswer(GraphQLShape):
    rollup: Rollup | None = Field(
        default=None,
        validation_alias=AliasPath(
            "repository", "pullRequest", "commits", "nodes", 0, "commit", "statusCheckRollup"
        ),
    )


# --- reverts ----------------------------------------------------------------------------------


class Revertable(GraphQLShape):
    id: str
    merged: bool


class OpenBranch(GraphQLShape):
    url: str
    name: str = Field(validation_alias="headRefName")


class RevertableAnswer(GraphQLShape):
    pull: Revertable | None = Field(
        default=None, validation_alias=AliasPath("repository", "pullRequest")
    )
    open: tuple[OpenBranch, ...] | None = Field(
        default=None, validation_alias=AliasPath("repository", "pullRequests", "nodes")
    )


class RevertMade(GraphQLShape):
    """https://docs.github.com/en/graphql/reference/mutations#revertpullrequest"""

    url: str | None = Field(
        default=None, validation_alias=AliasPath("revertPullRequest", "revertPullRequest", "url")
    )


# --- files ------------------------------------------------------------------------------------


class GitObject(GraphQLShape):
    kind: str = Field(validation_alias="__typename")


class Places(GraphQLShape):
    repository: dict[str, GitObject | None] | None = None
    """By the name under which each place was asked for."""
