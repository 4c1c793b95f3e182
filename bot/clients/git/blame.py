"""The commit that last touched a line, by `git blame`, without those that only tidied.

Those are named by `.git-blame-ignore-revs`, in the release or on the main branch: the list gets its
line only after the commit that it names. What `blame.ignoreRevsFile` of the clone names is left out
by git itself:
https://git-scm.com/docs/git-config#Documentation/git-config.txt-blameignoreRevsFile
"""

import tempfile
from functools import partial

from bot.clients.git.clone import Clones
from bot.clients.git.moments import moment
from bot.clients.git.run import attempt, checked, read
from phases.ports.source_values import IGNORED_REVISIONS, ignored_revisions
from phases.record.findings import COMMIT, Suspect
from phases.text.cleaning import foreign


async def blame_line(
    clones: Clones, directory: str, commit: str, path: str, line: int
) -> Suspect | None:
    """Return the commit that last touched a line.

    None: the file has fewer lines, or all that touched this one only tidied. Raises `PortError`.
    """
    above = (await attempt(directory, "rev-parse", "--show-cdup")).text.strip()
    ignored = await _ignored(directory, commit)
    with tempfile.NamedTemporaryFile("w", encoding="ascii", suffix=".revisions") as names:
        names.write("".join(f"{sha}\n" for sha in sorted(ignored)))
        names.flush()
        asked = (
            *("-C", above or "."),
            *("blame", "--porcelain", f"-L{line},{line}", f"--ignore-revs-file={names.name}"),
            *(commit, "--", path),
        )
        bring = partial(clones.bring, directory, commit, "--", path)
        output = await read(directory, *asked, before=bring)
    if output.code and b" has only " in output.err:
        return None
    suspect = _blamed(checked(output, "blame").text)
    # A line that nothing before can be matched with stays with the commit that is to be ignored.
    return None if suspect is None or suspect.sha in ignored else suspect


async def _ignored(directory: str, commit: str) -> frozenset[str]:
    """Read the lists of the release and of the branches that the clone knows, without a fetch."""
    lists = [
        await attempt(directory, "cat-file", "blob", f"{at}:{IGNORED_REVISIONS}")
        for at in (commit, "HEAD", "refs/remotes/origin/HEAD")
    ]
    return ignored_revisions(*(output.text for output in lists if not output.code))


def _blamed(porcelain: str) -> Suspect | None:
    """https://git-scm.com/docs/git-blame#_the_porcelain_format"""
    head, *rest = porcelain.split("\n")
    sha = head.split(" ", 1)[0]
    fields = dict(row.split(" ", 1) for row in rest if " " in row and not row.startswith("\t"))
    if not COMMIT.fullmatch(sha):
        return None
    at = moment(fields.get("author-time", ""))
    author, subject = foreign(fields.get("author", "")), foreign(fields.get("summary", ""))
    return Suspect(sha=sha, author=author, at=at, subject=subject[:200])
