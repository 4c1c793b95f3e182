"""The files of libraries and of languages, as stack traces name them."""

import re

_LIBRARY = re.compile(
    r"(?:site-packages|dist-packages)/(?P<python>[A-Za-z0-9_.]+)"
    r"|node_modules/(?:\.pnpm/[^/]+/node_modules/)?(?P<node>@[^/]+/[^/]+|[^/@]+)"
    r"|/gems/(?P<ruby>[A-Za-z0-9_-]+?)-(?:\d[^/]*|[0-9a-f]{12})/"
    r"|pkg/mod/(?P<go>[^@]+?)@|(?:^|/)(?P<go_trimmed>[a-z0-9-]+(?:\.[a-z0-9-]+)+/[^@]+?)@v\d"
    r"|/vendor/(?P<go_vendored>[a-z0-9-]+(?:\.[a-z0-9-]+)+/[^@]+?)/[^/]+\.go$"
    r"|(?:registry/src/[^/]+)/(?P<rust>[A-Za-z0-9_-]+?)-\d[^/]*/"
    r"|\.?cargo/git/checkouts/(?P<rust_git>[A-Za-z0-9_-]+?)-[0-9a-f]{16}/"
    r"|\.pub-cache/(?:hosted/[^/]+|git)/(?P<dart>\w+?)-[^/]+/"
    r"|/vendor/(?P<php>(?!github\.com|bundle)[a-z0-9_.-]+/[a-z0-9_.-]+)/"
    r"|(?:(?:SourcePackages|\.build)/checkouts|Carthage/Checkouts|(?:^|/)Pods)/(?P<apple>[^/]+)/"
    r"|/(?:share/lua/5\.\d|lualib)/(?P<lua>[\w-]+)"
)
"""Go's modules are of any host, and lie at `host/path@version` also with `-trimpath`. SwiftPM,
Carthage and CocoaPods build their sources into the app, LuaRocks and OpenResty into one folder."""
_FOREIGN = re.compile(
    r"^<|^\[(?:internal|C)\]|^(?:node:|dart:|org-dartlang-sdk:|package:flutter/)|^internal/[\w/-]+(?:\.js)?$"
    r"|/usr/(?:local/)?lib(?:64)?/(?:python|ruby|go)|/lib/python\d|/[Pp]ython3\d+/[Ll]ib/"
    r"|/usr/local/go/src/|^/rustc/|/rustlib/src/rust/"
    r"|(?:^|/)(?:jdk|java\.base)/|\[native code\]"
)
_GO_STANDARD = re.compile(
    r"(?:archive|bufio|bytes|compress|container|context|crypto|database/sql|debug|embed|encoding"
    r"|errors|expvar|flag|fmt|go|hash|html|image|internal"
    r"|io|iter|log|maps|math|mime|net|os|path|plugin|reflect|regexp|runtime|slices|sort|strconv"
    r"|strings|sync|syscall|testing|text|time|unicode"
    r"|unique|unsafe|vendor)(?:/|$)"
)
"""Packages of Go's own library, https://pkg.go.dev/std; with `-trimpath` their files have no folder
that tells them."""
_FOREIGN_MODULE = re.compile(
    r"(?:java|javax|jakarta|jdk|sun|com\.sun|kotlin|kotlinx|scala|groovy|clojure|android|androidx"
    r"|dalvik|com\.android|com\.google\.android"
    r"|org\.springframework|org\.apache|org\.hibernate|org\.eclipse|io\.netty|io\.reactivex"
    r"|io\.micrometer|reactor|rx|okhttp3|retrofit2"
    r"|System|Microsoft|UnityEngine|UnityEditor)\."
)
"""Java's and .NET's frames name no path: what is not ours shows in the class."""


def library_of(file: str) -> str | None:
    """Return the package that a frame's file belongs to, as its manifest would call it.

    The result is None for code of our own.
    """
    match = _LIBRARY.search(file.replace("\\", "/"))
    return (
        next((name.removesuffix(".py").lower() for name in match.groups() if name), None)
        if match
        else None
    )


def is_library_file(file: str, module: str = "") -> bool:
    """Say whether a frame plainly belongs to a library or to the language."""
    if library_of(file) is not None or is_language_file(file):
        return True
    if file.endswith(".go"):
        return _GO_STANDARD.match(module) is not None
    return _FOREIGN_MODULE.match(module) is not None


def is_language_file(file: str) -> bool:
    """Say whether a file is of the language or its runtime: no repository of ours holds it."""
    return library_of(file) is None and _FOREIGN.search(file) is not None


def in_library(file: str) -> str | None:
    """Return the part of an absolute path that speaks of a library or of the language.

    Before it stand a machine's folders and its people.
    """
    text = file.replace("\\", "/")
    match = _LIBRARY.search(text) or _FOREIGN.search(text)
    return text[match.start() :] if match else None
