"""Files of a repository that frames stand for.

Languages and their build tools write them, and a clone and GitHub give the same.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bot.clients.git.source import LocalGit
from bot.store.incident_store import Store
from phases.ports.ports import PortError, SourceCode
from phases.ports.source_paths import PathIndex
from phases.ports.source_values import Place, placed
from phases.record.findings import Choice, Frame, Investigation, Release, TriageReport
from phases.record.service import ReleaseNames, Service
from phases.root_cause.investigate import investigate
from sandbox.faults import Fault
from sandbox.github.state import File
from tests.support.git.repositories import Repository
from tests.support.values.factories import incident, report
from tests.support.worlds.github_world import SHOP, World, github_world

TREE = (
    "README.md",
    "services/shop/src/main/java/com/acme/shop/PriceService.java",
    "services/other/src/main/java/com/acme/other/PriceService.java",
    "services/shop/src/main/kotlin/price/Rates.kt",
    "services/shop/src/main/scala/com/acme/shop/Tax.scala",
    "web/src/cart/Cart.vue",
    "web/src/x.ts",
    "web/src/pages/index.ts",
    "web/src/cart/index.ts",
    "web/app/(shop)/page.tsx",
    "src/Acme.Shop/Pricing/Discount.cs",
    "src/Acme.Web/Startup.cs",
    "pkg/price/price.go",
    "cmd/shop/main.go",
    "go.mod",
    "app/models/order.rb",
    "engine/app/models/invoice.rb",
    "lib/shop/basket.ex",
    "app/Http/Controllers/CartController.php",
    "crates/pay/src/lib.rs",
    "crates/pay/src/charge.rs",
    "src/shop/pricing.py",
    "src/shop/__init__.py",
    "src/core/__init__.py",
    "mobile/lib/src/cart.dart",
    "ios/Shop/Cart.swift",
)
JAVA, KOTLIN = TREE[1], TREE[3]

CASES: list[tuple[Frame, str | None]] = [
    (Frame(file="PriceService.java", module="com.acme.shop.PriceService"), JAVA),
    (Frame(file="PriceService.java", module="com.acme.shop.PriceService$Inner"), JAVA),
    (Frame(file="PriceService.java", module="com.acme.shop.PriceService$$Lambda$14/0x00"), JAVA),
    (
        Frame(
            file="PriceService.java",
            module="com.acme.shop.PriceServiceHelper",
            path="PriceService.java",
        ),
        JAVA,
    ),
    (Frame(file="PriceService.java", module="com.acme.gone.PriceService"), None),
    (Frame(file="PriceService.java"), None),  # two of them
    (Frame(file="Rates.kt", module="com.acme.shop.price.RatesKt"), KOTLIN),
    (Frame(file="Rates.kt", module="com.acme.shop.price.RatesKt$total$1"), KOTLIN),
    (Frame(file="Rates.kt", module="com.acme.shop.other.RatesKt"), None),
    (
        Frame(file="Tax.scala", module="com.acme.shop.Tax$"),
        "services/shop/src/main/scala/com/acme/shop/Tax.scala",
    ),
    (
        Frame(file="SourceFile", module="com.acme.shop.Tax"),
        "services/shop/src/main/scala/com/acme/shop/Tax.scala",
    ),
    (Frame(file="Cart.vue?4f2a"), "web/src/cart/Cart.vue"),
    (Frame(file="webpack:///./src/cart/Cart.vue?vue&type=script&lang=js"), "web/src/cart/Cart.vue"),
    (Frame(file="webpack:///./src/x.ts"), "web/src/x.ts"),
    (Frame(file="webpack:///src/x.ts"), "web/src/x.ts"),
    (Frame(file="webpack://shop/./src/x.ts"), "web/src/x.ts"),
    (Frame(file="webpack-internal:///./src/x.ts"), "web/src/x.ts"),
    (
        Frame(file="webpack-internal:///(app-pages-browser)/./app/(shop)/page.tsx"),
        "web/app/(shop)/page.tsx",
    ),
    (Frame(file="app:///src/pages/index.ts"), "web/src/pages/index.ts"),
    (Frame(file="app:///pages/index.ts"), "web/src/pages/index.ts"),
    (Frame(file="app:///_next/static/chunks/pages/cart-4f2a.js"), None),
    (Frame(file="~/static/js/main.4f2a.js"), None),
    (Frame(file="https://shop.example.com/src/x.ts?v=3"), "web/src/x.ts"),
    (Frame(file="async /srv/web/src/x.ts"), "web/src/x.ts"),
    (Frame(file="index.ts"), None),
    (Frame(file="index.ts", path="/build/web/src/cart/index.ts"), "web/src/cart/index.ts"),
    (Frame(file="C:\\agent\\_work\\1\\s\\src\\Acme.Web\\Startup.cs"), "src/Acme.Web/Startup.cs"),
    (Frame(file="file:///D:/a/shop/src/Acme.Web/Startup.cs"), "src/Acme.Web/Startup.cs"),
    (
        Frame(file="Discount.cs", module="Acme.Shop.Pricing.Discount+<Of>d__3"),
        "src/Acme.Shop/Pricing/Discount.cs",
    ),
    (Frame(file="/_/src/Acme.Shop/Pricing/Discount.cs"), "src/Acme.Shop/Pricing/Discount.cs"),
    (Frame(file="github.com/acme/shop/pkg/price/price.go"), "pkg/price/price.go"),
    (Frame(file="price.go", module="github.com/acme/shop/pkg/price"), "pkg/price/price.go"),
    (
        Frame(file="/app/pkg/price/price.go", module="github.com/acme/shop/pkg/price"),
        "pkg/price/price.go",
    ),
    (Frame(file="/app/cmd/shop/main.go", module="main"), "cmd/shop/main.go"),
    (Frame(file="/app/price.go", module="main"), "pkg/price/price.go"),
    (Frame(file="/elsewhere/price.go", module="main"), None),
    (Frame(file="/app/main.go", module="main"), None),
    (Frame(file="main.go", path="other/cmd/main.go"), None),
    (Frame(file="/go/pkg/mod/github.com/other/lib@v1.2.0/price/price.go"), None),
    (
        Frame(file="app/models/order.rb", path="/srv/shop/releases/7/app/models/order.rb"),
        "app/models/order.rb",
    ),
    (Frame(file="app/models/invoice.rb"), "engine/app/models/invoice.rb"),
    (Frame(file="lib/shop/basket.ex", module="Elixir.Shop.Basket"), "lib/shop/basket.ex"),
    (
        Frame(file="/var/www/html/app/Http/Controllers/CartController.php"),
        "app/Http/Controllers/CartController.php",
    ),
    (Frame(file="src/charge.rs"), "crates/pay/src/charge.rs"),
    (Frame(file="/rustc/9fc6b431/library/core/src/option.rs"), None),
    (Frame(file="/app/shop/pricing.py"), "src/shop/pricing.py"),
    (Frame(file="shop/pricing.py", module="shop.pricing"), "src/shop/pricing.py"),
    (Frame(file="pricing.py", module="shop.pricing"), "src/shop/pricing.py"),
    (Frame(file="__init__.py", module="shop"), "src/shop/__init__.py"),
    (Frame(file="/usr/lib/python3/site-packages/shop/pricing.py"), "src/shop/pricing.py"),
    (Frame(file="/usr/lib/python3/site-packages/other/shop/pricing.py"), None),
    (Frame(file="/usr/lib/python3/site-packages/celery/core/__init__.py"), None),
    (Frame(file="package:shop/src/cart.dart"), "mobile/lib/src/cart.dart"),
    (
        Frame(file="Cart.swift", path="/Users/ci/build/ios/Shop/Cart.swift", module="Shop"),
        "ios/Shop/Cart.swift",
    ),
    (Frame(file="[project]/web/src/x.ts [app-rsc] (ecmascript)"), "web/src/x.ts"),
    (Frame(file="webpack:///./app/%28shop%29/page.tsx"), "web/app/(shop)/page.tsx"),
    (Frame(file="web/src/x.ts:12:5"), "web/src/x.ts"),
    (Frame(file="/srv/node_modules/@acme/web/src/x.ts"), "web/src/x.ts"),
    (Frame(file="/srv/node_modules/@acme/ui/src/x.ts"), None),
    (Frame(file="/vendor/acme/tax/src/shop/pricing.py"), None),
    (Frame(file="/go/pkg/mod/github.com/other/lib@v1.2.0/pkg/price/price.go"), None),
    (Frame(file="registry/src/index.crates.io-6f17/tokio-1.35.0/crates/pay/src/lib.rs"), None),
    (Frame(file="cart.dart", path="package:shop/src/cart.dart"), "mobile/lib/src/cart.dart"),
    (Frame(file="cart.dart", path="package:bloc/src/ui/cart.dart"), None),
    (Frame(file="lib.rs", path="build/crates/pay/src/lib.rs"), "crates/pay/src/lib.rs"),
    (Frame(file="<anonymous>"), None),
    (Frame(file="/usr/local/go/src/pkg/price/price.go"), None),
    (Frame(file="/root/.rustup/toolchains/stable/lib/rustlib/src/rust/src/charge.rs"), None),
    (Frame(file="org-dartlang-sdk:///mobile/lib/src/cart.dart"), None),
    (Frame(file="?"), None),
]


def named(case: Any) -> str | None:
    return f"{case.file} {case.module}".strip() if isinstance(case, Frame) else None


@pytest.fixture
async def world(store: Store) -> AsyncIterator[World]:
    async with github_world(store) as made:
        yield made


def on_github(world: World, files: dict[str, str], tag: str = "v1.4.0") -> None:
    """A release with these files."""
    world.github.commit("c" * 40, "The shop", *(File(path) for path in files), tag=tag)
    for path, text in files.items():
        world.github.files["c" * 40, path] = text


async def test_a_clone_and_github_know_the_same_files(world: World, tmp_path: Path) -> None:
    on_github(world, dict.fromkeys(TREE, "x\n"))
    Repository(tmp_path).commit("The shop", dict.fromkeys(TREE, "x\n"), tag="v1.4.0")
    clone, service = (
        LocalGit(),
        Service(name="shop", checkout=str(tmp_path), release=ReleaseNames(tag="v{version}")),
    )
    for frame, path in CASES:
        there, here = (
            await world.source.place(SHOP, "1.4.0", frame),
            await clone.place(service, "1.4.0", frame),
        )
        assert there == here, frame
        assert (here.path, here.complete) == (path, True), frame
    assert len(world.sent("GET", "/git/trees/" + "c" * 40)) == 1
    several = await clone.place(service, "1.4.0", Frame(file="PriceService.java"))
    assert set(several.several) == set(TREE[1:3])


async def test_a_repository_of_which_github_lists_only_a_part(world: World) -> None:
    on_github(world, dict.fromkeys(TREE, "x\n"))
    world.github.listed = 5
    for file, module, path in (
        ("PriceService.java", "com.acme.shop.PriceService", None),
        ("/srv/src/shop/pricing.py", "", "src/shop/pricing.py"),
        ("C:\\build\\src\\Acme.Web\\Startup.cs", "", "src/Acme.Web/Startup.cs"),
        ("price.go", "github.com/acme/shop/pkg/price", "pkg/price/price.go"),
    ):
        place = await world.source.place(SHOP, "1.4.0", Frame(file=file, module=module))
        assert place == Place(path=path, complete=False), file
    on_github(world, {"src/lib.rs": "x\n"})
    for file, module, path in (("lib.rs", "build/crates/pay/src/lib.rs", "crates/pay/src/lib.rs"),):
        place = await world.source.place(SHOP, "1.4.0", Frame(file=file, path=module))
        assert place == Place(path=path, complete=False), file


async def test_a_list_that_does_not_come_costs_nothing_but_the_list(world: World) -> None:
    on_github(world, dict.fromkeys(TREE, "x\n"))
    world.faults.always("github.tree", Fault(status=502))
    for _ in range(2):
        place = await world.source.place(SHOP, "1.4.0", Frame(file="/srv/src/shop/pricing.py"))
        assert place == Place(path="src/shop/pricing.py", complete=False)
    asked = len(world.sent("GET", "/git/trees/" + "c" * 40))
    world.faults.always("github.graphql", Fault(status=502))  # then REST is asked
    place = await world.source.place(SHOP, "1.4.0", Frame(file="/srv/app/models/order.rb"))
    assert place == Place(path="app/models/order.rb", complete=False)
    assert len(world.sent("GET", "/git/trees/" + "c" * 40)) == asked, (
        "it is not asked for again at once"
    )


MANY = (
    "internal/price/price.go",
    "services/cart/internal/price/price.go",
    "packages/shop/lib/src/cart.dart",
    "packages/admin/lib/src/cart.dart",
    "src/Acme.Shop/Pricing/Discount.cs",
    "src/Acme.Billing/Pricing/Discount.cs",
    "src/Cart.ts",
    "src/cart.ts",
    "packages/pay/src/index.ts",
    "packages/tax/src/index.ts",
    "src/services/price.ts",
)
GO = "github.com/acme/shop"


@pytest.mark.parametrize(
    ("frame", "places"),
    [
        (
            Frame(
                file="/build/internal/price/price.go", module=f"{GO}/services/cart/internal/price"
            ),
            MANY[1:2],
        ),
        (Frame(file="/build/internal/price/price.go", module=f"{GO}/internal/price"), MANY[:1]),
        (
            Frame(file="internal/price/price.go", module=f"{GO}/services/cart/internal/price"),
            MANY[1:2],
        ),
        # A module of its own in `services/cart`, or the one at the top: both may be meant.
        (Frame(file="/build/price.go", module="github.com/acme/cart/internal/price"), MANY[:2]),
        (Frame(file="cart.dart", path="package:admin/src/cart.dart"), MANY[3:4]),
        (Frame(file="package:shop/src/cart.dart"), MANY[2:3]),
        (Frame(file="package:web/src/cart.dart"), MANY[2:4]),
        (Frame(file="Pricing/Discount.cs", module="Acme.Shop.Pricing.Discount"), MANY[4:5]),
        (Frame(file="/app/src/cart.ts"), MANY[7:8]),
        (Frame(file="/app/SRC/CART.TS"), MANY[6:8]),
    ],
)
def test_of_files_of_one_name_what_else_is_known_decides(
    frame: Frame, places: tuple[str, ...]
) -> None:
    place = placed(PathIndex(MANY), frame)
    assert set(place.several or (place.path,)) == set(places)


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("/app/dist/services/price.js", MANY[10]),
        ("app:///dist/src/services/price.js", MANY[10]),
        ("C:\\app\\packages\\pay\\dist\\index.js", MANY[8]),
        ("/app/dist/index.js", None),  # of which package?
        ("/app/dist/other/price.js", None),
        ("/app/services/price.js", None),
    ],
)
def test_what_typescript_s_compiler_wrote_leads_to_its_source_but_to_no_line(
    file: str, source: str | None
) -> None:
    place = placed(PathIndex(MANY), Frame(file=file, line=3))
    assert (place.path, place.built_from) == (None, source)


async def test_a_built_file_accuses_nobody(
    world: World,
) -> None:
    on_github(world, {"src/services/price.ts": "x\n" * 9, "src/other.ts": "y\n"})
    world.github.commits[-1].files[:] = [
        File("src/services/price.ts", "@@ -3,1 +3,1 @@\n-y\n+x", 1, 1)
    ]
    investigation = await walk(
        world.source, PRICE.model_copy(update={"file": "/app/dist/services/price.js", "module": ""})
    )
    assert "It is built from src/services/price.ts: which line" in investigation.walk[0]
    assert "Last touched" not in investigation.walk[0]
    assert investigation.suspects == ()
    assert investigation.nearest is not None, "it changed the file, and that is all that is said"
    assert investigation.nearest.reasons == ("changes src/services/price.ts, where it crashes",)


async def test_a_frame_without_a_file_is_not_said_to_be_missing(world: World) -> None:
    on_github(world, {JAVA: CODE})
    investigation = await walk(world.source, Frame(file="?", function="abort"))
    assert investigation.walk[0] == "Crashes in abort. The stack names no file for it."


# --- what is said of it ---------------------------------------------------------------------------

CODE = (
    "class PriceService {\n  long priceOf(Item item) {\n    return prices.get(item).cents();\n"
    "  }\n}\n"
)


def burning(*frames: Frame) -> TriageReport:
    measured = report(Choice.INVESTIGATE)
    advice = measured.recommendation.model_copy(update={"target": Release(version="1.3.0")})
    return measured.model_copy(
        update={
            "suspect": Release(version="1.4.0"),
            "running": Release(version="1.4.0"),
            "recommendation": advice,
            "exception_type": "NullPointerException",
            "frame": frames[0],
            "frames": frames,
        }
    )


async def walk(source: SourceCode, *frames: Frame) -> Investigation:
    case = incident().model_copy(update={"triage": burning(*frames)})
    return (await investigate(case, SHOP, source, False, datetime.now(UTC))).investigation


PRICE = Frame(
    file="PriceService.java", module="com.acme.shop.PriceService", function="priceOf", line=3
)


async def test_a_java_frame_leads_to_its_line_and_who_wrote_it(world: World) -> None:
    on_github(world, {JAVA: CODE})
    world.github.blame["c" * 40, JAVA] = [(1, 2, "1" * 40), (3, 5, "c" * 40)]
    investigation = await walk(world.source, PRICE)
    assert investigation.walk[0].startswith(
        "Crashes in PriceService.java:3 in priceOf: return prices.get(item).cents();. Last"
    )
    assert "new in 1.4.0" in investigation.walk[0]


@pytest.mark.parametrize(
    ("frame", "sentence"),
    [
        (
            PRICE.model_copy(update={"module": "com.acme.gone.PriceService"}),
            "Its file could not be found in the source of 1.4.0.",
        ),
        (
            PRICE.model_copy(
                update={"file": "app:///_next/static/chunks/cart-4f2a.js", "module": ""}
            ),
            "could not be found",
        ),
        (PRICE.model_copy(update={"module": ""}), "Several files of 1.4.0 fit (services/"),
        (PRICE.model_copy(update={"line": 99}), f"{JAVA} has fewer lines in 1.4.0."),
        (
            PRICE.model_copy(update={"context": ((3, "    return prices.of(item);"),)}),
            "In 1.4.0 another line stands there: return prices.get(item).cents();.",
        ),
    ],
)
async def test_what_is_not_known_accuses_nobody(world: World, frame: Frame, sentence: str) -> None:
    """The newest commit changed a line of a file of that name.

    It is no more to blame than any other.
    """
    on_github(world, {JAVA: CODE, TREE[2]: CODE})
    world.github.commits[-1].files[:] = [File(TREE[2], "@@ -1,3 +1,3 @@\n x\n-y\n+  z\n x", 1, 1)]
    world.github.blame["c" * 40, JAVA] = world.github.blame["c" * 40, TREE[2]] = [(1, 5, "c" * 40)]
    investigation = await walk(world.source, frame)
    assert sentence in investigation.walk[0]
    assert "Last touched" not in investigation.walk[0]
    assert "not in the source" not in investigation.walk[0]
    assert [
        h for h in investigation.hypotheses if h.kind == "commit" and h.verdict == "supported"
    ] == []


async def test_a_source_that_cannot_be_read_is_not_said_to_lack_the_line(world: World) -> None:
    on_github(world, {JAVA: CODE})
    world.faults.always("github.contents", Fault(status=500))
    world.faults.always("github.graphql", Fault(status=500))
    investigation = await walk(world.source, PRICE)
    assert investigation.walk[0] == "Crashes in PriceService.java:3 in priceOf."
    assert any(
        "who last touched the lines is not known" in note.lower() for note in investigation.notes
    )


async def test_a_file_that_is_too_large_to_be_shown_is_not_said_to_be_shorter(world: World) -> None:
    on_github(world, {JAVA: CODE * 20_000})
    with pytest.raises(PortError, match="too large"):
        await world.source.snippet(SHOP, "1.4.0", JAVA, 3)
    investigation = await walk(world.source, PRICE)
    assert "has fewer lines" not in investigation.walk[0]


async def test_a_list_that_is_cut_is_said(world: World) -> None:
    on_github(world, dict.fromkeys(TREE, CODE))
    world.github.listed = 5
    investigation = await walk(world.source, PRICE)
    missing = "Its file could not be found among the files that were looked at."
    assert investigation.walk == (f"Crashes in PriceService.java:3 in priceOf. {missing}",)
    assert any("more files than could be listed" in note for note in investigation.notes)


async def test_a_line_that_stands_elsewhere_by_now_is_still_known_by_its_text(world: World) -> None:
    """The event may be of an earlier build of the release.

    Its line's number says nothing, its text does.
    """
    on_github(world, {JAVA: CODE})
    patch = "@@ -8,2 +8,3 @@ class PriceService {\n x\n+    return prices.of(item.region());\n y"
    world.github.commits[-1].files[:] = [File(JAVA, patch, 1, 0)]
    investigation = await walk(
        world.source,
        PRICE.model_copy(
            update={"context": ((2, "x"), (3, "    return prices.of(item.region());"))}
        ),
    )
    assert "another line stands there" in investigation.walk[0]
    assert investigation.suspects[0].reasons[0] == f"wrote the line in {JAVA}, where it crashes"


async def test_who_wrote_the_line_that_logs_is_not_said_to_have_written_a_crash(
    world: World,
) -> None:
    on_github(world, {JAVA: CODE})
    patch = (
        "@@ -1,3 +1,3 @@\n class PriceService {\n   long priceOf(Item item) {\n-    x\n"
        "+    return prices.get(item).cents();"
    )
    world.github.commits[-1].files[:] = [File(JAVA, patch, 1, 1)]
    message_report = burning(PRICE).model_copy(
        update={"event_kind": "message", "exception_type": None}
    )
    case = incident().model_copy(update={"triage": message_report})
    investigation = (
        await investigate(case, SHOP, world.source, False, datetime.now(UTC))
    ).investigation
    assert investigation.walk[0].startswith("Logged in PriceService.java:3")
    assert (
        investigation.suspects[0].reasons[0]
        == f"wrote {JAVA}:3, in the stack of the logged message"
    )
    assert "where it crashes" not in " ".join(investigation.suspects[0].reasons)
