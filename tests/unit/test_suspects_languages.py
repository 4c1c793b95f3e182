"""The ranking over other languages: how JavaScript, Java and Go write the frames of a stack. In through `firebreak suspects`."""

from __future__ import annotations

from tests.unit.histories import ask, commit, frame, history


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
                    "src/cart/Total.tsx": "@@ -28,7 +28,7 @@ export function Total\n   const price = props.price;\n-  return <b>{price.amount}</b>\n+  return <b>{ price.amount }</b>\n"
                },
            ),
            commit(
                "culprit",
                "Prices come from the API",
                **{
                    "src/cart/Total.tsx": "@@ -25,7 +25,7 @@ export function Total\n   const { cart } = props;\n   \n-  const price = cart.price ?? ZERO;\n+  const price = cart.prices[0];\n \n   const price = props.price;\n"
                },
            ),
            commit("cart", "Cart has a title", **{"src/cart/Cart.tsx": "@@ -40,3 +40,4 @@\n+  <h1>Cart</h1>\n"}),
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
                    "other/src/main/java/com/acme/other/PriceService.java": "@@ -40,7 +40,7 @@ class PriceService\n-    a\n+    b\n"
                },
            ),
            commit(
                "culprit",
                "Look prices up by region",
                **{
                    "src/main/java/com/acme/shop/PriceService.java": "@@ -40,7 +40,7 @@ long priceOf(Item item) {\n     Item item = find(id);\n     var region = regionOf(item);\n-    Price price = prices.getOrDefault(item, FREE);\n+    Price price = prices.get(region).get(item);\n     audit(item);\n     return price.cents();\n   }\n"
                },
            ),
        ),
    )
    assert ranked[0]["sha"] == "culprit"
    assert ranked[1]["sha"] != "tests"


def test_go_panic_in_a_deeper_frame() -> None:
    ranked = ask(
        [frame("/build/internal/store/rows.go", "(*Rows).Next", 18), frame("/build/cmd/shop/main.go", "main.list", 60)],
        {"type": "runtime error", "value": "invalid memory address or nil pointer dereference"},
        history(
            commit(
                "log",
                "Log in JSON",
                **{"internal/log/log.go": "@@ -3,3 +3,4 @@ func New() *Logger {\n+	l.json = true\n"},
            ),
            commit(
                "culprit",
                "Rows are closed early",
                **{
                    "internal/store/query.go": "@@ -30,7 +30,7 @@ func (s *Store) List() *Rows {\n-	return &Rows{r: r}\n+	return nil\n",
                    "cmd/shop/main.go": "@@ -57,6 +57,6 @@ func list() {\n-	rows := store.All()\n+	rows := store.List()\n 	for rows.Next() {\n",
                },
            ),
        ),
    )
    assert ranked[0]["sha"] == "culprit"
