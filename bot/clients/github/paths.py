"""The places of a frame's file in a repository whose files cannot be listed.

They are asked for path by path.
"""

from phases.ports.source_paths import JVM, folders_of, written_parts

ROOTS = ("", "src/", "app/", "lib/")
"""Below what the files of a repository may lie that a frame names by their package …"""
JVM_ROOTS = (
    "src/main/java/",
    "src/main/kotlin/",
    "src/main/scala/",
    "app/src/main/java/",
    "app/src/main/kotlin/",
)
"""… or by their class."""
SUFFIXES = 8


def candidates(file: str, module: str = "") -> list[str]:
    """Return the paths that a frame's file may have, the likeliest first.

    None leads out of the repository.
    """
    parts = written_parts(file)
    if len(parts) == 1 and module:
        parts = [*folders_of(module, parts[0]), *parts]
    jvm = bool(parts) and parts[-1].endswith(JVM)
    many = 1 if jvm and module else SUFFIXES  # the folders of a class are known as a whole
    ends = ["/".join(parts[n:]) for n in range(len(parts))][:many]
    fit = [end for end in ends if len(end) <= 300 and end.isprintable() and ":" not in end]
    return [root + end for end in fit for root in ((*JVM_ROOTS, *ROOTS) if jvm else ROOTS)]
