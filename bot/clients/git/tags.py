"""A clone's tags with their commits.

By these a tag and a release that is named by its commit are one.
"""

from bot.clients.git.run import ask


async def tags_with_commits(directory: str) -> dict[str, str]:
    """Return the tags, the newest first. Raises `PortError`."""
    # An annotated tag points at a tag object, and that at the commit (`*`):
    # https://git-scm.com/docs/git-for-each-ref
    form = "--format=%(refname:lstrip=2)%1f%(objectname)%1f%(*objectname)"
    output = await ask(directory, "for-each-ref", "--sort=-creatordate", form, "refs/tags/")
    rows = (line.split("\x1f") for line in output.text.splitlines())
    return {name: peeled or commit for name, commit, peeled in rows}
