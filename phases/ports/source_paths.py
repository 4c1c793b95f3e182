"""The file of a repository that a stack trace or an error message means by a name."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import unquote

from phases.ports.library_paths import is_language_file, library_of
from phases.text.wording import word_list

_ASYNC = re.compile(r"^async\s+", re.IGNORECASE)
_SCHEME = re.compile(
    r"^(?:webpack-internal:/{2,3}\([\w-]+\)/|[a-z][a-z0-9+.-]+:(?:///+|//[^/]+(?=/)"
    r"|(?=[a-z]{2,}://))|package:\w+/|~/)",
    re.IGNORECASE,
)
"""`app:///src/x.ts`, `webpack://shop/./src/x.ts`, `https://host/x.js`, `package:shop/x.dart`,
`webpack-internal:///(rsc)/./src/x.ts`. Behind two slashes stands a host, behind three a folder."""
_DRIVE = re.compile(r"^/*[A-Za-z]:(?=/)")
_BEHIND = re.compile(r"(?: \[[\w-]+\])?(?: \(\w+\))?$|:\d+(?::\d+)?$")
"""Turbopack names the layer and the kind of a module (`[project]/src/x.ts [app-rsc] (ecmascript)`);
others a line and a column."""
_PACKAGE = re.compile(r"^package:(\w+)/(.+)$")
"""Dart's files: they lie in `lib` of the package. https://dart.dev/tools/pub/package-layout"""
_BUILT = re.compile(r"(?:(?P<before>.*)/)?(?:dist|build|out)/(?P<inside>.+)\.[cm]?js$")
"""The folders that compilers of TypeScript write to."""
_BUNDLER = frozenset(("", ".", "..", "~", "(rsc)", "_n_e", "[project]"))


@lru_cache(maxsize=20_000)
def parts_of(file: str) -> tuple[str, ...]:
    """Return the folders and the name of a file, in lower case, the name last.

    Scheme, drive, query, `.` and `..` are left out.
    """
    return tuple(part.lower() for part in written_parts(file))


def written_parts(file: str) -> list[str]:
    """The same as they are written."""
    text = _ASYNC.sub("", file.strip()).replace("\\", "/")
    while (bare := _SCHEME.sub("", text)) != text:
        text = bare
    text = _BEHIND.sub("", _DRIVE.sub("", without_query(text)))
    if "%" in text:  # addresses write `[slug]` and blanks so
        text = unquote(text)
    return [part for part in text.split("/") if part.lower() not in _BUNDLER]


def without_query(file: str) -> str:
    """Return a file's name without a query: `Cart.vue?4f2a` changes with every build."""
    return file.split("?", 1)[0].split("#", 1)[0]


@dataclass(frozen=True, slots=True)
class PathMatch:
    path: str
    quality: float
    """From 0 to 1; 1 where the shorter is the end of the longer, at least two parts long."""
    shared: int
    """The number of parts that agree, counted from the end."""


JVM = (".java", ".kt", ".kts", ".scala", ".groovy", ".clj")
_OMIT_THE_ROOT = (".kt", ".scala")
"""Their folders may leave out the package that all files share: https://kotlinlang.org/docs/coding-
conventions.html#directory-structure"""
_JVM_ROOTS = frozenset(("java", "kotlin", "scala", "groovy", "clojure"))
_DOTNET = (".cs", ".vb", ".fs")
FITS_FROM = 0.3
"""A match of less quality names no file …"""
GENERIC_FROM = 0.35
"""… and one of this is only a name that is everywhere: nothing else may contradict it."""
_AT_THE_ROOT = re.compile(
    r"^/(?:app|code|srv|srv/app|usr/src/app|usr/app|workspace|var/task|var/www|var/www/html"
    r"|opt/app|home/site/wwwroot|build|src)/(?=[^/]+$)"
)
"""The folders in which images put a service; its own folder in the repository is lost then."""


class PathIndex:
    """Paths by their last part: a file is looked up instead of compared with every path."""

    def __init__(self, paths: Iterable[str]) -> None:
        self.paths = tuple(dict.fromkeys(paths))
        self._exact = frozenset(self.paths)
        self._by_name: dict[str, list[str]] = {}
        for path in self.paths:
            if name := path.rpartition("/")[2].lower():
                self._by_name.setdefault(name, []).append(path)
        self._by_stem: dict[str, list[str]] = {}
        for name in self._by_name:
            self._by_stem.setdefault(name.split(".", 1)[0], []).append(name)

    def find(self, file: str, module: str = "") -> list[PathMatch]:
        """Return the best of the paths that `file` may stand for, several where they are as good.

        `module` (`com.acme.shop.Pay`, `shop.pay`) helps where a file is a bare name, as in Java.
        """
        matches = self._of_go_module(file, module) or self._by_file_name(file, module)
        return self._same_case_or_module(matches, file, module) if len(matches) > 1 else matches

    def _by_file_name(self, file: str, module: str = "") -> list[PathMatch]:
        if file in self._exact:
            return [PathMatch(file, 1.0, file.count("/") + 1)]
        wanted, strict, whole = parts_of(file), False, library_of(file) is not None
        if whole:
            wanted, strict = _inside_library(wanted), True
        elif (dart := _PACKAGE.match(file)) is not None:
            wanted, whole = (
                self._of_package(dart.group(1).lower(), ("lib", *parts_of(dart.group(2)))),
                True,
            )
        elif module and len(wanted) <= 1:
            from_module = self._from_module(module, wanted)
            wanted, strict = (
                (from_module or wanted),
                bool(from_module) and from_module[-1].endswith(JVM),
            )
        if not wanted:
            return []
        named = [
            (path, tuple(path.lower().split("/"))) for path in self._by_name.get(wanted[-1], ())
        ]
        if not named and "." not in wanted[-1]:
            # A module: `./pricing`, `shop/tax`. It is compared without its ending.
            stems = [
                path for name in self._by_stem.get(wanted[-1], ()) for path in self._by_name[name]
            ]
            named = [(path, (*path.lower().split("/")[:-1], wanted[-1])) for path in stems]
        matches = [_match(wanted, path, parts, strict=strict) for path, parts in named]
        if whole:  # a file of the same name in another place is no file of this library
            matches = [m for m in matches if m.shared == len(wanted)]
        best = max(((m.quality, m.shared) for m in matches), default=(0.0, 0))
        return [m for m in matches if (m.quality, m.shared) == best and m.quality > 0]

    def locate(self, file: str, module: str = "", built_at: str = "") -> list[str]:
        """Return the paths that a frame stands for, several where they fit equally well.

        `built_at` (the frame's absolute path) decides where the file alone does not.
        """
        bare = not re.search(r"[/\\]", file)
        if bare and (_PACKAGE.match(built_at) or library_of(built_at) is not None):
            file = built_at
        if is_language_file(file):
            return []
        matches = [m for m in self.find(file, module) if m.quality >= FITS_FROM]
        if not matches and (name := _AT_THE_ROOT.sub("", file)) not in (file, *_EVERYWHERE):
            matches = [m for m in self.find(name) if m.quality >= FITS_FROM]
        paths, generic = (
            [m.path for m in matches],
            bool(matches) and matches[0].quality <= GENERIC_FROM,
        )
        if not built_at or built_at == file or (len(matches) == 1 and not generic):
            return paths
        there = [m.path for m in self.find(built_at) if m.quality >= FITS_FROM]
        both = [path for path in paths if path in there]
        return both or ([] if generic else paths or there)

    def built_from(self, file: str) -> str | None:
        """Return the source of a file that TypeScript's compiler wrote (`dist/pay.js`).

        Its lines are others; a change there counts all the same.
        """
        built = _BUILT.match("/".join(parts_of(file)))
        if built is None:
            return None
        before, (*folders, stem) = (built["before"] or "").split("/"), built["inside"].split("/")
        sources: dict[tuple[int, bool], list[str]] = {}
        for path in (
            p for name in self._by_stem.get(stem.split(".", 1)[0], ()) for p in self._by_name[name]
        ):
            *above, name = path.lower().split("/")
            top = len(above) - len(folders)
            if (
                re.fullmatch(re.escape(stem) + r"\.[cm]?tsx?", name) is None
                or above[max(top, 0) :] != folders
            ):
                continue
            root = above[: top - 1] if top and above[top - 1] == "src" else above[:top]
            shared = next((n for n in range(len(root), 0, -1) if root[-n:] == before[-n:]), 0)
            sources.setdefault((shared, not root), []).append(path)
        best = max(sources, default=(0, False))
        unsure = best == (0, False) and not folders and stem + ".ts" in _EVERYWHERE
        return sources[best][0] if sources and len(sources[best]) == 1 and not unsure else None

    def _of_go_module(self, file: str, module: str) -> list[PathMatch]:
        """Find a file by its import path.

        That says more than a path in a container to which only a part of the repository was copied.
        The folder in which a module begins is not known: a file that shares more of the path is not
        ruled out by one that lies at the top.
        """
        if (
            not file.endswith(".go")
            or "." not in module.partition("/")[0]
            or library_of(file) is not None
        ):
            return []
        wanted = (*folders_of(module.lower(), file), parts_of(file)[-1])
        named = self._by_name.get(wanted[-1], ())
        fit = [_match(wanted, path, tuple(path.lower().split("/")), strict=False) for path in named]
        fit = [m for m in fit if m.quality >= 0.5 and m.shared >= 2]
        whole = max((m for m in fit if m.quality == 1.0), key=lambda m: m.shared, default=None)
        most = max((m.shared for m in fit), default=0)
        known = whole.shared if whole is not None else 0
        return [m for m in fit if m is whole or m.shared == most > known]

    def _same_case_or_module(
        self, matches: list[PathMatch], file: str, module: str
    ) -> list[PathMatch]:
        """Keep those that agree in upper and lower case, or that the frame's module names."""
        as_written = written_parts(file)
        same = [m for m in matches if m.path.split("/")[-m.shared :] == as_written[-m.shared :]]
        matches = same or matches
        if module and len(matches) > 1 and len(as_written) > 1 and not file.endswith(".go"):
            of_module = {
                m.path for m in self._by_file_name(as_written[-1], module) if m.quality >= FITS_FROM
            }
            matches = [m for m in matches if m.path in of_module] or matches
        return matches

    def _of_package(self, name: str, inside: tuple[str, ...]) -> tuple[str, ...]:
        """With the package's name, where a folder is called so; an app's folder often is not."""
        end = "/".join((name, *inside))
        named = (path.lower() for path in self._by_name.get(inside[-1], ()))
        return (
            (name, *inside)
            if any(path == end or path.endswith("/" + end) for path in named)
            else inside
        )

    def _from_module(self, module: str, wanted: tuple[str, ...]) -> tuple[str, ...]:
        named = bool(wanted) and "." in wanted[-1] and wanted[-1] != module.lower()
        if named:
            return (*folders_of(module.lower(), wanted[-1]), wanted[-1])
        # No file at all (`SourceFile`, `Unknown Source`): the class is looked for by its name.
        words = [
            w
            for w in re.split(r"[./\\]|::", _OF_THE_CLASS.split(module.lower(), maxsplit=1)[0])
            if w
        ]
        if not words:
            return ()
        names = self._by_stem.get(words[-1]) or self._by_stem.get(words[-1].removesuffix("kt"), [])
        return (*words[:-1], names[0]) if len(names) == 1 else ()


_OF_THE_CLASS = re.compile(r"[$+<`]")
"""The beginning of inner classes, closures and what a compiler made: `Pay$Inner`,
`Pay+<Total>d__3`, ``Pay`1``."""


def folders_of(module: str, name: str) -> tuple[str, ...]:
    """The folders that a module's name speaks of, for a file `name` in it."""
    name = name.lower()
    if name.endswith(".go"):
        # The module is the package, a folder.
        return tuple(part for part in module.split("/") if part)
    words = [w for w in re.split(r"[./\\:]+", _OF_THE_CLASS.split(module, maxsplit=1)[0]) if w]
    if name.endswith((*JVM, *_DOTNET)):
        return tuple(words[:-1])  # the last one is the class, which need not be called as its file
    return tuple(words[:-1] if words and words[-1].lower() == name.split(".", 1)[0] else words)


def _inside_library(parts: tuple[str, ...]) -> tuple[str, ...]:
    """Return the part behind the folder of libraries.

    A service that is installed as a package has its own files there.
    """
    after = max((n for n, part in enumerate(parts) if part in _LIBRARY_FOLDERS), default=-1)
    inside = parts[after + 1 :]
    return (
        inside[1:]
        if parts[after : after + 1] == ("gems",) or (inside[:1] and inside[0].startswith("@"))
        else inside
    )


_LIBRARY_FOLDERS = frozenset(("site-packages", "dist-packages", "node_modules", "gems", "vendor"))


def _match(
    wanted: tuple[str, ...], path: str, parts: tuple[str, ...], *, strict: bool
) -> PathMatch:
    """Say how well a path fits.

    `strict`: the folders are known for sure, so a path that contradicts them is another file.
    """
    if wanted[-1].endswith(_DOTNET):
        wanted, parts = _namespace_words(wanted), _namespace_words(parts)
    shared = 0
    for part, other in zip(reversed(wanted), reversed(parts), strict=False):
        if part != other:
            break
        shared += 1
    whole = shared == min(len(wanted), len(parts))
    if whole and (shared >= 2 or len(wanted) == len(parts)):
        quality = 1.0
    elif strict:
        quality = 0.9 if _below_the_root(parts, shared) else 0.05
    elif whole:
        # A bare name on one side: a file at the top of the repository, or a frame without folders.
        quality = 0.35 if wanted[-1] in _EVERYWHERE else 0.7
    elif shared >= 2:
        quality = 0.3 if wanted[-1] in _EVERYWHERE and shared == 2 else 0.5
    else:
        quality = 0.0 if wanted[-1] in _EVERYWHERE else 0.12
    return PathMatch(path, quality, shared)


def _namespace_words(parts: tuple[str, ...]) -> tuple[str, ...]:
    """Folders as namespaces: `src/Acme.Shop/Pay.cs` is of `Acme.Shop`."""
    return (*(word for folder in parts[:-1] for word in folder.split(".") if word), parts[-1])


def _below_the_root(parts: tuple[str, ...], shared: int) -> bool:
    """Say whether all folders below `src/main/kotlin` agree."""
    root = len(parts) - shared - 1
    return (
        parts[-1].endswith(_OMIT_THE_ROOT)
        and root >= 1
        and parts[root] in _JVM_ROOTS
        and "src" in parts[:root]
    )


_EVERYWHERE = frozenset(
    word_list(
        """
        __init__.py __main__.py main.py app.py utils.py util.py helpers.py base.py models.py
        views.py index.js index.ts index.tsx index.jsx index.php main.go main.rs mod.rs lib.rs
        main.c utils.js utils.ts helpers.js types.ts init.lua
        """
    )
)
"""Names that say little about which file is meant."""
