"""Phase 1: what a rollback takes back, besides what brought the trouble.

Counted and named from the commits between the target and what runs. By name always: what ended
earlier incidents, what was marked as security, and what going back does not undo.
"""

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from phases.ports.file_kinds import FileKind, kind_of
from phases.ports.source_values import Commit, CommitFile
from phases.record.findings import ChangeSeen, DeploySeen, Release
from phases.record.going_back import TakenBack
from phases.record.incident import VERIFIED, ActionKind, Entry, Incident
from phases.record.service import HOTFIX
from phases.root_cause.patch import Patch
from phases.shared.rounds import shipped_hotfixes
from phases.text.cleaning import foreign
from phases.text.wording import counted, listed, short
from phases.triage.deploys.deploy_history import History

NAMES = 5  # judgement of the decision: "by name up to five"
BY_NAME = 10
"""Of what is always named so many, and how many more there are."""
SUBJECT = 70
AS_MANY = 500
"""A source of code lists no more commits (`bot/clients/git/source.py` COMMITS)."""

_PULL = re.compile(
    r"\(#(\d+)\)\s*$|^Merge pull request #(\d+)\b|^Merged PR (\d+):|\(pull request #(\d+)\)"
    r"|See merge request \S*!(\d+)",
    re.MULTILINE,
)
"""As GitHub squashes and merges, Azure DevOps, Bitbucket and GitLab write it."""
_MERGE = re.compile(r"^Merge (?:pull request #\d+ from|branch|remote-tracking branch|tag|commit)\b")
_SECURITY = re.compile(
    r"\bCVE-\d{4}-\d{4,}\b|\bGHSA(?:-[23456789cfghjmpqrvwx]{4}){3}\b|\bCWE-\d+\b"
    r"|\bsecurity\b(?! (?:group|context|camera))|\bvulnerab\w+|\bsicherheitsl\w+"
    r"|\b(?:xss|csrf|ssrf|rce|xxe)\b|\b(?:sql|command|code) injection\b|\bprivilege escalation\b"
    r"|\bauth(?:entication|orization)? bypass\b|\bpath traversal\b",
    re.IGNORECASE,
)
"""https://www.cve.org/, https://docs.github.com/en/code-security (GHSA), and the usual words."""
_DESTROYS = re.compile(
    r"\bdrop\s+(?:table|column|schema|view|type|constraint|database)\b|\btruncate\s+(?:table\b|\w)"
    r"|\balter\s+table\s+\S+\s+drop\s+(?!index|constraint|foreign|primary|default|check|key)"
    r"|\brename\s+(?:column|to|table)\b|\balter\s+column\s+\S+\s+(?:set\s+data\s+)?type\b"
    r"|\bdelete\s+from\b|\b(?:remove_columns?|drop_table|rename_columns?|rename_table)\b"
    r"|\b(?:drop_column|change_column)\b(?!_(?:default|null|comment))"
    r"|\b(?:RemoveField|DeleteModel|RenameField|RenameModel)\b"
    r"|\b(?:drop|remove)(?:Column|Table|Collection)\b|\brename(?:Column|Table)\b",
    re.IGNORECASE,
)
"""What a release from before still reads is gone: SQL, Rails, Django, Alembic, Knex, Laravel."""
_CALLED_SO = re.compile(
    r"(?:^|[\W_])(?:drop|remove|delete|rename|truncate)s?(?=[\W_])"
    r"(?!_?(?:unused_)?(?:index|indices|idx|constraint|default|trigger))",
    re.IGNORECASE,
)
"""`0042_drop_booking_ref.sql`, `20240301_remove_price_from_carts.rb`."""
_DOWN = re.compile(
    r"^\s*(?:def (?:down|downgrade)\b|--\s*\+goose down|--\s*migrate:down|--\s*down\b"
    r"|exports\.down\b|(?:export )?(?:async )?function down\b"
    r"|public (?:async )?(?:function )?down\b"
    r"|(?:public )?(?:override )?(?:async )?down\s*\()",
    re.IGNORECASE | re.MULTILINE,
)
_DOWN_FILE = re.compile(r"(?:^|[./_-])(?:down|undo|rollback|revert)\.\w+$|(?:^|/)U\d[\w.]*__", re.I)
"""`0007.down.sql`; Flyway's undo migrations begin with a U:
https://documentation.red-gate.com/fd/undo-migrations-184127596.html"""


@dataclass(frozen=True, slots=True)
class EarlierFix:
    """The commit or release that ended an earlier incident."""

    incident: str
    name: str
    """`fix/tax`, `#7`; empty: nothing was shipped by the bot, its commits name the incident."""
    commit: str | None = None
    names: tuple[str, ...] = ()
    """The incident's id, its ticket and its issues, as a commit may name them."""
    well: tuple[Release, ...] = ()
    """Releases that a rollback showed to be without that fault."""

    @property
    def label(self) -> str:
        return f"{self.incident} ({short(self.name, 40)})" if self.name else self.incident


@dataclass(frozen=True, slots=True)
class Past:
    """The memory that the bot has beside deploys."""

    entries: tuple[Entry, ...] = ()
    """The incident's timeline."""
    fixes: tuple[EarlierFix, ...] = ()
    changes: tuple[ChangeSeen, ...] = ()
    """What the change webhook told of: flags, settings, infrastructure."""


NO_PAST = Past()


@dataclass(frozen=True, slots=True)
class RollbackPath:
    """The commits between what runs and the release to go back to."""

    target: Release | None = None
    one_way: tuple[str, ...] | None = ()
    commits: Sequence[Commit] | None = None
    why: str = ""
    """Why the commits are not known."""


NO_ROLLBACK_PATH = RollbackPath()


def what_rollback_takes_back(
    path: RollbackPath, incident: Incident, past: Past, known: History, suspect: DeploySeen | None
) -> TakenBack | None:
    """Return what going back takes back; None where there is no target, or no source of code."""
    if path.target is None or suspect is None:
        return None
    hotfixes = hotfixes_since(path.target, known, shipped_hotfixes(incident))
    if path.commits is None and not hotfixes and not path.why:
        return None
    taken = taken_back(path.target, path.commits or (), past.fixes, hotfixes, path.one_way or ())
    if path.commits is None:
        what = f"What else is taken back since {path.target.version} is not known"
        taken = taken.model_copy(update={"unknown": f"{what}: {path.why}." if path.why else ""})
    return taken


def hotfixes_since(
    target: Release, known: History, ours: Collection[str]
) -> tuple[DeploySeen, ...]:
    """Return the hotfixes that were deployed since the target ran, without this incident's."""
    ran = [d.started_at for d in known.deploys if d.release.same_as(target)]
    return tuple(
        d
        for d in known.deploys
        if HOTFIX.fullmatch(d.release.version)
        and d.release.version not in ours
        and ran
        and d.started_at > max(ran)
    )


def earlier_fixes(incidents: Iterable[Incident], asking: str) -> tuple[EarlierFix, ...]:
    """Return what ended the service's earlier incidents, the newest first."""
    fixes: list[EarlierFix] = []
    for incident in incidents:
        if incident.id == asking or incident.drill or incident.duplicate_of is not None:
            continue
        names = [incident.id]
        names += [incident.ticket.identifier] if incident.ticket is not None else []
        if not incident.private and incident.triage is not None:
            names += [issue.short_id for issue in incident.triage.issues if issue.short_id]
        shipped = _releases_that_helped(incident, ActionKind.HOTFIX)
        newest = shipped[-1] if shipped else None
        fixes.append(
            EarlierFix(
                incident.id,
                branch_of(newest) if newest is not None else "",
                newest.commit if newest is not None else None,
                tuple(names),
                _releases_that_helped(incident, ActionKind.ROLLBACK),
            )
        )
    return tuple(fixes)


def _releases_that_helped(incident: Incident, kind: ActionKind) -> tuple[Release, ...]:
    """Return the releases that such actions deployed, and after which users recovered."""
    return tuple(
        current.action.to_release
        for current in incident.rounds
        if current.action is not None
        and current.action.kind is kind
        and current.action.to_release is not None
        and current.verdict in VERIFIED
    )


def branch_of(release: Release) -> str:
    """Return the branch or pull request of a hotfix: `hotfix fix/tax@aaaaaaa` is `fix/tax`."""
    return release.version.removeprefix("hotfix ").rpartition("@")[0] or release.version


def taken_back(
    target: Release,
    commits: Sequence[Commit],
    fixes: Sequence[EarlierFix],
    hotfixes: Sequence[DeploySeen] = (),
    one_way: Sequence[str] = (),
) -> TakenBack:
    """Return what going back to the target takes back.

    `hotfixes`: those deployed since the target ran; `one_way`: paths of the catalogue that changed.
    """
    own = [commit for commit in commits if not _MERGE.match(commit.subject)]
    pulls = {number for commit in commits for number in _pulls(commit)}
    gone = [path for commit in commits for path in destructive_migrations(commit)]
    needless = [fix for fix in fixes if _ran_well(target, commits, fix)]
    fixes = [fix for fix in fixes if fix not in needless]
    hotfixes = [d for d in hotfixes if branch_of(d.release) not in {f.name for f in needless}]
    return TakenBack(
        since=target.version,
        commits=len(own),
        pull_requests=len(pulls),
        more=len(commits) >= AS_MANY,
        names=_titles(commits, own)[:NAMES],
        fixes=_first_names(_incidents_fixed(commits, fixes, hotfixes)),
        security=_first_names(_title(c) for c in commits if _SECURITY.search(_message(c))),
        one_way=_first_names((*one_way, *gone)),
        oldest_schema=_oldest_migration(commits),
    )


def _first_names(names: Iterable[str]) -> tuple[str, ...]:
    every = tuple(dict.fromkeys(names))
    if len(every) <= BY_NAME:
        return every
    return (*every[: BY_NAME - 1], f"{len(every) - BY_NAME + 1} more")


def _titles(commits: Sequence[Commit], own: Sequence[Commit]) -> tuple[str, ...]:
    """Return the titles of pull requests, and of commits that came without one."""
    titled = [commit for commit in commits if _MERGE.match(commit.subject) and _pulls(commit)]
    if titled:
        return tuple(dict.fromkeys(_title(commit) for commit in titled))
    return tuple(dict.fromkeys(_title(commit) for commit in own))


def _title(commit: Commit) -> str:
    """Return what a commit is called: of a merge the title of its pull request."""
    subject, pulls = commit.subject, _pulls(commit)
    if _MERGE.match(subject) and pulls:
        title = next((line.strip() for line in commit.body.splitlines() if line.strip()), "")
        subject = f"{title} (#{pulls[0]})" if title else subject
    return short(foreign(" ".join(subject.split())), SUBJECT)


def _pulls(commit: Commit) -> list[str]:
    match = _PULL.search(f"{commit.subject}\n{commit.body}")
    return [number for number in match.groups() if number] if match else []


def _message(commit: Commit) -> str:
    return f"{commit.subject}\n{commit.body}"


# --- what ended earlier incidents ----------------------------------------------------------------


def _incidents_fixed(
    commits: Sequence[Commit], fixes: Sequence[EarlierFix], hotfixes: Sequence[DeploySeen]
) -> list[str]:
    """Return the earlier incidents whose fix is among the commits, or runs as a hotfix."""
    shas = {commit.sha.lower() for commit in commits}
    texts = "\n".join(_message(commit) for commit in commits)
    running = {branch_of(d.release) for d in hotfixes}
    ended: list[str] = []
    known: set[str] = set()
    for fix in fixes:
        shipped = bool(fix.commit) and (fix.commit or "").lower() in shas
        by_name = any(_is_named_in(name, texts) for name in fix.names)
        merged = bool(fix.name) and _was_merged(fix.name, texts)
        if shipped or by_name or merged or (fix.name and fix.name in running):
            ended.append(fix.label)
            known.add(fix.name)
    return [*ended, *(f"a hotfix ({short(name, 40)})" for name in sorted(running - known))]


def _ran_well(target: Release, commits: Sequence[Commit], fix: EarlierFix) -> bool:
    """Say whether the target is free of that fault: a rollback to it, or past it, ended the fire.

    Its fix is of a later release then, and nobody needs it before.
    """
    shas = {commit.sha.lower() for commit in commits}
    return any(
        target.same_as(release) or (release.commit or "").lower() in shas for release in fix.well
    )


def _is_named_in(name: str, texts: str) -> bool:
    return bool(re.search(rf"(?<![A-Za-z0-9-]){re.escape(name)}(?![A-Za-z0-9])", texts, re.I))


def _was_merged(name: str, texts: str) -> bool:
    """Say whether the branch or pull request of a hotfix was merged by one of the commits."""
    if name.startswith("#"):
        number = re.escape(name[1:])
        pattern = rf"\(#{number}\)|pull request #{number}\b|Merged PR {number}:|!{number}\b"
    else:
        pattern = rf"^Merge [^\n]*(?:from \S+?/|branch ['\"]?){re.escape(name)}['\"]?(?:\s|$)"
    return re.search(pattern, texts, re.MULTILINE) is not None


# --- what stays ----------------------------------------------------------------------------------


def destructive_migrations(commit: Commit) -> list[str]:
    """Return the migrations of a commit that remove what an earlier release reads."""
    return [
        file.path
        for file in commit.files
        if kind_of(file.path) is FileKind.MIGRATION
        and not _DOWN_FILE.search(file.path)
        and _is_destructive(file)
    ]


def _is_destructive(file: CommitFile) -> bool:
    """Read what a migration does, by its lines or, as these are of many kinds, by its name."""
    if _CALLED_SO.search(file.path.rpartition("/")[2]):
        return True
    up = _DOWN.split(Patch(file.patch, file.path).changed[0], maxsplit=1)[0]
    return _DESTROYS.search(up) is not None


def _oldest_migration(commits: Sequence[Commit]) -> str:
    """Return the oldest migration that the target does not know."""
    files = [
        file.path
        for commit in reversed(commits)
        for file in commit.files
        if kind_of(file.path) is FileKind.MIGRATION and not _DOWN_FILE.search(file.path)
    ]
    paths = list(dict.fromkeys(files))
    if not paths:
        return ""
    more = f" and {counted(len(paths) - 1, 'later migration')}" if len(paths) > 1 else ""
    return f"{short(paths[0], 80)}{more}"


# --- in words ------------------------------------------------------------------------------------


def taken_back_in_short(taken: TakenBack) -> str:
    """Return all of it in few words, what matters most first: a dialog has 300 characters."""
    parts = [f"the fix for {listed(taken.fixes, most=2)}"] if taken.fixes else []
    if taken.security:
        parts.append(f"security: {listed([short(s, 40) for s in taken.security], most=1)}")
    parts += [commits_in_words(taken)] if taken.commits else []
    sentences = [f"It takes back {'; '.join(parts)}."] if parts else []
    if taken.one_way:
        sentences.append(
            f"It does not undo {listed([short(p, 40) for p in taken.one_way], most=1)}."
        )
    elif taken.oldest_schema:
        sentences.append(f"The schema stays newer: {short(taken.oldest_schema, 60)}.")
    return " ".join([*sentences, *([taken.unknown] if taken.unknown else [])])


def commits_in_words(taken: TakenBack) -> str:
    """Return `12 commits in 4 pull requests since v2`."""
    least = "at least " if taken.more else ""
    pulls = f" in {counted(taken.pull_requests, 'pull request')}" if taken.pull_requests else ""
    return f"{least}{counted(taken.commits, 'commit')}{pulls} since {taken.since}"
