"""File names as stack traces, commits and error messages write them, brought together; and what kind of file a path is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

_SCHEME = re.compile(r"^(?:[a-z][a-z0-9+.-]*:/{2,3}(?:[\w.-]+(?::\d+)?(?=/))?|~/)", re.IGNORECASE)
_DRIVE = re.compile(r"^[A-Za-z]:")


@lru_cache(maxsize=20_000)
def parts_of(file: str) -> tuple[str, ...]:
    """The folders and the name of a file, lower case, without scheme, drive, query, `.` and `..`; the name last."""
    text = _DRIVE.sub("", _SCHEME.sub("", file.strip().replace("\\", "/")))
    text = text.split("?", 1)[0].split("#", 1)[0].lower()
    return tuple(part for part in text.split("/") if part not in ("", ".", "..", "~", "(rsc)", "_n_e"))


@dataclass(frozen=True, slots=True)
class PathMatch:
    path: str
    quality: float
    """From 0 to 1: 1 where the shorter of the two is the end of the longer one, at least two parts long."""
    shared: int
    """How many parts agree, counted from the end."""


class PathIndex:
    """Paths by their last part, so that a frame's file is looked up instead of compared with every path."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._by_name: dict[str, list[tuple[str, tuple[str, ...]]]] = {}
        for path in dict.fromkeys(paths):
            parts = parts_of(path)
            if parts:
                self._by_name.setdefault(parts[-1], []).append((path, parts))
        self._by_stem: dict[str, list[str]] = {}
        for name in self._by_name:
            self._by_stem.setdefault(name.split(".", 1)[0], []).append(name)

    def find(self, file: str, module: str = "") -> list[PathMatch]:
        """The paths that `file` may stand for, the best ones only (equally good ones together).

        `module` (`com.acme.shop.Pay`, `shop.pay`) helps where a file is a bare name, as Java's frames write it.
        """
        wanted = parts_of(file)
        if len(wanted) <= 1 and module:
            wanted = self._from_module(module, wanted) or wanted
        if not wanted:
            return []
        named = self._by_name.get(wanted[-1])
        if named is None and "." not in wanted[-1]:
            # A module: `./pricing`, `shop/tax`. It is compared without its ending.
            stems = [entry for name in self._by_stem.get(wanted[-1], ()) for entry in self._by_name[name]]
            named = [(path, (*parts[:-1], wanted[-1])) for path, parts in stems]
        found = [self._match(wanted, path, parts) for path, parts in named or ()]
        best = max(((m.quality, m.shared) for m in found), default=(0.0, 0))
        return [m for m in found if (m.quality, m.shared) == best and m.quality > 0]

    def _from_module(self, module: str, wanted: tuple[str, ...]) -> tuple[str, ...]:
        words = [w for w in re.split(r"[./\\]|::", module.lower()) if w]
        if not words:
            return ()
        if wanted:
            stem = wanted[-1].split(".", 1)[0]
            folders = words[: words.index(stem)] if stem in words else words
            return (*folders, wanted[-1])
        names = self._by_stem.get(words[-1].split("$", 1)[0], [])
        return (*words[:-1], names[0]) if len(names) == 1 else ()

    @staticmethod
    def _match(wanted: tuple[str, ...], path: str, parts: tuple[str, ...]) -> PathMatch:
        shared = 0
        for one, other in zip(reversed(wanted), reversed(parts), strict=False):
            if one != other:
                break
            shared += 1
        whole = shared == min(len(wanted), len(parts))
        if whole and (shared >= 2 or len(wanted) == len(parts)):
            quality = 1.0
        elif whole:
            # A bare name on one side: a file at the top of the repository, or a frame without folders.
            quality = 0.35 if wanted[-1] in _EVERYWHERE else 0.7
        elif shared >= 2:
            quality = 0.3 if wanted[-1] in _EVERYWHERE and shared == 2 else 0.5
        else:
            quality = 0.0 if wanted[-1] in _EVERYWHERE else 0.12
        return PathMatch(path, quality, shared)


def best_path(file: str, paths: Sequence[str]) -> str | None:
    """The one repository path that a frame's file stands for; None where nothing fits well, or several fit equally well."""
    found = PathIndex(paths).find(file)
    return found[0].path if len(found) == 1 and found[0].quality >= 0.3 else None


_EVERYWHERE = frozenset(
    [
        "__init__.py",
        "__main__.py",
        "main.py",
        "app.py",
        "utils.py",
        "util.py",
        "helpers.py",
        "base.py",
        "models.py",
        "views.py",
        "index.js",
        "index.ts",
        "index.tsx",
        "index.jsx",
        "index.php",
        "main.go",
        "main.rs",
        "mod.rs",
        "lib.rs",
        "main.c",
        "utils.js",
        "utils.ts",
        "helpers.js",
        "types.ts",
        "init.lua",
    ]
)
"""Names that say little about which file is meant."""

# --- kinds of files --------------------------------------------------------------------------------------------

_TESTS = re.compile(
    r"(?:^|/)(?:tests?|testing|specs?|__tests__|__mocks__|fixtures|testdata|e2e|cypress)/"
    r"|(?:^|/)(?:test_[^/]*|conftest\.py|[^/]*(?:_test|_spec|\.test|\.spec|-test|-spec)\.[a-z]+)$"
    r"|(?:^|/)[^/]*(?-i:Tests?|Spec|IT)\.(?:java|kt|cs|scala|swift|php|groovy)$",
    re.IGNORECASE,
)
_DOCS = re.compile(
    r"\.(?:md|mdx|rst|adoc|txt|png|jpe?g|gif|svg|ico|pdf)$"
    r"|(?:^|/)docs?/|(?:^|/)(?:licen[cs]e|copying|notice|authors|contributors|changelog|changes|news|codeowners|readme)(?:\.[a-z]+)?$"
    r"|(?:^|/)\.(?:gitignore|gitattributes|mailmap|editorconfig|all-contributorsrc)$",
    re.IGNORECASE,
)
_CI = re.compile(
    r"(?:^|/)(?:\.github|\.circleci|\.gitlab|\.buildkite|\.azure-pipelines|\.devcontainer|\.vscode|\.idea)/"
    r"|(?:^|/)(?:\.gitlab-ci\.yml|\.travis\.yml|appveyor\.yml|jenkinsfile|azure-pipelines\.yml|tox\.ini|noxfile\.py|\.coveragerc"
    r"|\.pre-commit-config\.yaml|\.flake8|\.pylintrc|\.rubocop\.yml|\.eslintrc[^/]*|\.prettierrc[^/]*|mypy\.ini|pytest\.ini"
    r"|ruff\.toml|codecov\.yml|renovate\.json|dependabot\.yml)$",
    re.IGNORECASE,
)
_DEPENDENCIES = re.compile(
    r"(?:^|/)(?:requirements[^/]*\.(?:txt|in)|constraints[^/]*\.txt|pyproject\.toml|poetry\.lock|uv\.lock|pdm\.lock|pipfile(?:\.lock)?"
    r"|setup\.(?:py|cfg)|environment\.ya?ml|package\.json|package-lock\.json|npm-shrinkwrap\.json|yarn\.lock|pnpm-lock\.yaml|bun\.lockb?"
    r"|go\.(?:mod|sum)|cargo\.(?:toml|lock)|gemfile(?:\.lock)?|[^/]+\.gemspec|composer\.(?:json|lock)|pom\.xml|build\.gradle(?:\.kts)?"
    r"|gradle\.lockfile|libs\.versions\.toml|[^/]+\.csproj|packages\.config|packages\.lock\.json|directory\.packages\.props|mix\.(?:exs|lock)"
    r"|rebar\.(?:config|lock)|pubspec\.(?:yaml|lock)|package\.(?:swift|resolved)|podfile(?:\.lock)?|deps\.edn|project\.clj|build\.sbt|conanfile\.(?:txt|py)"
    r"|vcpkg\.json|\.tool-versions|\.python-version|\.nvmrc|\.node-version|\.ruby-version|runtime\.txt|flake\.lock)$"
    r"|(?:^|/)requirements/[^/]+\.txt$",
    re.IGNORECASE,
)
_CONFIGURATION = re.compile(
    r"\.(?:ya?ml|toml|ini|cfg|conf|config|properties|env|hcl|tf|tfvars|plist)$|\.env(?:\.[\w-]+)?$"
    r"|(?:^|/)(?:config|configs|conf|settings|deploy|deployment|k8s|kubernetes|helm|charts|terraform|ansible|infra|flags|features?_flags?)/"
    r"|(?:^|/)(?:dockerfile[^/]*|docker-compose[^/]*|compose\.ya?ml|procfile|nginx[^/]*|settings[^/]*\.py|config[^/]*\.(?:py|js|ts|rb|go|json|php|exs?)"
    r"|appsettings[^/]*\.json|application[^/]*\.(?:ya?ml|properties)|feature[-_]?flags?[^/]*|flags\.[a-z]+|web\.config|\.htaccess)$",
    re.IGNORECASE,
)
_MIGRATION = re.compile(
    r"(?:^|/)(?:migrations?|migrate|alembic|flyway|liquibase)/|\.sql$|(?:^|/)schema\.(?:rb|prisma)$", re.IGNORECASE
)

TESTS, DOCS, CI, DEPENDENCY, MIGRATION, CONFIGURATION, CODE = (
    "tests",
    "documentation",
    "build and CI settings",
    "dependency",
    "migration",
    "configuration",
    "code",
)


@lru_cache(maxsize=20_000)
def kind_of(path: str) -> str:
    """Which kind of file this is, by its name alone. `requirements.txt` is no documentation, `tests/config.yml` is a test."""
    for kind, pattern in (
        (DEPENDENCY, _DEPENDENCIES),
        (TESTS, _TESTS),
        (CI, _CI),
        (DOCS, _DOCS),
        (MIGRATION, _MIGRATION),
        (CONFIGURATION, _CONFIGURATION),
    ):
        if pattern.search(path):
            return kind
    return CODE


# --- libraries -------------------------------------------------------------------------------------------------

_LIBRARY = re.compile(
    r"(?:site-packages|dist-packages)/(?P<python>[A-Za-z0-9_.]+)"
    r"|node_modules/(?:\.pnpm/[^/]+/node_modules/)?(?P<node>@[^/]+/[^/]+|[^/@]+)"
    r"|/gems/(?P<ruby>[A-Za-z0-9_-]+?)-\d[^/]*/"
    r"|(?:pkg/mod|/vendor)/(?P<go>(?:github\.com|gitlab\.com|bitbucket\.org|gopkg\.in|golang\.org/x|google\.golang\.org)/[^@]+?)(?:@|/(?=[^/]+\.go$)|$)"
    r"|(?:registry/src/[^/]+)/(?P<rust>[A-Za-z0-9_-]+?)-\d[^/]*/"
    r"|/vendor/(?P<php>(?!github\.com|bundle)[a-z0-9_.-]+/[a-z0-9_.-]+)/"
)
_FOREIGN = re.compile(
    r"^<|^(?:node:|internal/)|/usr/(?:local/)?lib(?:64)?/(?:python|ruby|go)|/lib/python\d|(?:^|/)(?:jdk|java\.base)/|\[native code\]"
)


def library_of(file: str) -> str | None:
    """The package that a frame's file belongs to, as its manifest would call it; None for code of our own."""
    match = _LIBRARY.search(file.replace("\\", "/"))
    return next((name.removesuffix(".py").lower() for name in match.groups() if name), None) if match else None


def foreign(file: str) -> bool:
    """Whether a frame's file plainly belongs to a library or to the language, whatever the trace says of it."""
    return library_of(file) is not None or _FOREIGN.search(file) is not None
