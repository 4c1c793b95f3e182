"""The ranking over frames as JavaScript, Java, Go and others write them.

They go in through `firebreak suspects`.
"""

from __future__ import annotations

import io
import json
from typing import Any

from bot.cli.rank_suspects import suspects_main
from tests.support.values.histories import ask, commit, frame, history


def test_javascript_behind_webpack_paths() -> None:
    ranked = ask(
        [
            frame("webpack:///./src/cart/Total.tsx?a1b2", "Total", 31),
            frame("webpack:///./src/cart/Cart.tsx", "render", 9),
        ],
        {"type": "TypeError", "value": "Cannot read properties of undefined (reading 'amount')"},
        history(
            commit(
                "style",
                "Prettier",
                **{
                    "src/cart/Total.tsx": (
                        "@@ -28,7 +28,7 @@ export function Total\n   const price = props.price;\n"
                        "-  return <b>{price.amount}</b>\n+  return <b>{ price.amount }</b>\n"
                    )
                },
            ),
            commit(
                "culprit",
                "Prices come from the API",
                **{
                    "src/cart/Total.tsx": (
                        "@@ -25,7 +25,7 @@ export function Total\n   const { cart } = props;\n"
                        "   \n-  const price = cart.price ?? ZERO;\n+  const price = "
                        "cart.prices[0];\n \n   const price = props.price;\n"
                    )
                },
            ),
            commit(
                "cart",
                "Cart has a title",
                **{"src/cart/Cart.tsx": "@@ -40,3 +40,4 @@\n+  <h1>Cart</h1>\n"},
            ),
        ),
    )
    assert ranked[0]["sha"] == "culprit"


def test_java_frames_are_bare_file_names_with_a_class() -> None:
    frames = [
        {**frame("PriceService.java", "priceOf", 44), "module": "com.acme.shop.PriceService"},
        {**frame("CartController.java", "show", 20), "module": "com.acme.shop.web.CartController"},
    ]
    ranked = ask(
        frames,
        {
            "type": "java.lang.NullPointerException",
            "value": 'Cannot invoke "com.acme.shop.Price.cents()" because "price" is null',
        },
        history(
            commit(
                "other",
                "Prices of the other shop",
                **{
                    "other/src/main/java/com/acme/other/PriceService.java": (
                        "@@ -40,7 +40,7 @@ class PriceService\n-    a\n+    b\n"
                    )
                },
            ),
            commit(
                "culprit",
                "Look prices up by region",
                **{
                    "src/main/java/com/acme/shop/PriceService.java": (
                        "@@ -40,7 +40,7 @@ long priceOf(Item item) {\n"
                        "     Item item = find(id);\n     var region = regionOf(item);\n"
                        "-    Price price = prices.getOrDefault(item, FREE);\n"
                        "+    Price price = prices.get(region).get(item);\n     audit(item);\n"
                        "     return price.cents();\n   }\n"
                    )
                },
            ),
        ),
    )
    assert ranked[0]["sha"] == "culprit"
    assert ranked[1]["sha"] != "tests"


def test_go_panic_in_a_deeper_frame() -> None:
    ranked = ask(
        [
            frame("/build/internal/store/rows.go", "(*Rows).Next", 18),
            frame("/build/cmd/shop/main.go", "main.list", 60),
        ],
        {"type": "runtime error", "value": "invalid memory address or nil pointer dereference"},
        history(
            commit(
                "log",
                "Log in JSON",
                **{
                    "internal/log/log.go": "@@ -3,3 +3,4 @@ func New() *Logger {\n+	l.json = true\n"
                },
            ),
            commit(
                "culprit",
                "Rows are closed early",
                **{
                    "internal/store/query.go": (
                        "@@ -30,7 +30,7 @@ func (s *Store) List() *Rows {\n"
                        "-	return &Rows{r: r}\n"
                        "+	return nil\n"
                    ),
                    "cmd/shop/main.go": (
                        "@@ -57,6 +57,6 @@ func list() {\n-	rows := store.All()\n"
                        "+	rows := store.List()\n 	for rows.Next() {\n"
                    ),
                },
            ),
        ),
    )
    assert ranked[0]["sha"] == "culprit"


def _first(frames: list[Any], *paths: str, **more: Any) -> tuple[str, str]:
    """The first commit, and why: each changed line 9 of its file, the newest first."""
    patch = "@@ -8,3 +8,3 @@\n x\n-old\n+new\n y"
    commits = [{"sha": path, "files": [{"path": path, "patch": patch}]} for path in paths]
    out = io.StringIO()
    assert (
        suspects_main(io.StringIO(json.dumps({"frames": frames, "commits": commits} | more)), out)
        == 0
    )
    best = next(row for row in json.loads(out.getvalue()) if row["sha"] is not None)
    return best["sha"], best["reasons"][0]


def test_frames_of_packages_and_workspaces_lead_to_their_own_files() -> None:
    def at(file: str, *, in_app: bool | None = True, **more: Any) -> dict[str, Any]:
        return {"file": file, "function": "total", "line": 9, "in_app": in_app} | more

    crate = "/root/.cargo/registry/src/index.crates.io-6f17/tokio-1.35.0/src/lib.rs"
    go = "github.com/acme/shop/services/cart/internal/price"
    for frames, own, innocent in (
        ([at("internal/price/price.go")], "internal/price/price.go", "cmd/shop/price.go"),
        (
            [at("/build/internal/price/price.go", module=go)],
            "services/cart/internal/price/price.go",
            "internal/price/price.go",
        ),
        (
            [at("package:shop/src/cart.dart")],
            "packages/shop/lib/src/cart.dart",
            "packages/admin/lib/src/cart.dart",
        ),
        (
            [at("/app/node_modules/@acme/cart/src/total.ts", in_app=False)],
            "packages/cart/src/total.ts",
            "packages/ui/src/total.ts",
        ),
        (
            [at("/vendor/symfony/mailer/src/Pay.php"), at("/src/Cart.php")],
            "src/Cart.php",
            "src/Pay.php",
        ),
        ([at(crate), at("/build/crates/pay/src/lib.rs")], "crates/pay/src/lib.rs", "src/lib.rs"),
        (
            [at("Pricing/Rate.cs", module="Acme.Shop.Pricing.Rate")],
            "src/Acme.Shop/Pricing/Rate.cs",
            "src/Acme.Tax/Pricing/Rate.cs",
        ),
        (
            [at("lib/money.rb", in_app=None), at("app/models/order.rb")],
            "app/models/order.rb",
            "lib/money.rb",
        ),
    ):
        sha, reason = _first(frames, innocent, own)
        assert (sha, reason.split(":9")[0]) == (own, f"wrote {own}"), frames
    sha, reason = _first([at("/app/dist/pay/price.js")], "src/other.ts", "src/pay/price.ts")
    assert (sha, reason) == ("src/pay/price.ts", "changes src/pay/price.ts, where it crashes")


def test_null_parts_and_a_tree_of_components() -> None:
    frames = [
        None,
        {"file": None, "in_app": None, "context": [[3, None]]},
        {"file": "src/pay.ts", "line": 9},
    ]
    assert _first(frames, "src/x.ts", "src/pay.ts")[0] == "src/pay.ts"
    tree = {
        "type": "React ErrorBoundary TypeError",
        "value": "x",
        "frames": [{"file": "src/App.tsx", "line": 9}],
    }
    asked = {"chained": [None, tree], "exception": {"type": "TypeError", "value": "x"}}
    assert _first(frames, "src/App.tsx", "src/pay.ts", **asked)[0] == "src/pay.ts"
