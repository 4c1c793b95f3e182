"""The ranking over realistic histories: one culprit each, among commits that look guilty too.

They go in through `firebreak suspects`. Every history names its difficulty. Patches are cut to what
matters, in git's form or as GitHub's API gives them (without a head).
"""

from __future__ import annotations

import pytest

from tests.support.values.histories import Json, ask, commit, frame, history


def test_the_line_itself_among_other_changes_of_the_file() -> None:
    """Another commit moved the line down by three.

    The deployed path begins otherwise than the repository's.
    """
    ranked = ask(
        [
            frame("/srv/releases/42/shop/pay.py", "charge", 23),
            frame("/srv/releases/42/shop/views.py", "checkout", 80),
        ],
        {"type": "ZeroDivisionError", "value": "division by zero"},
        history(
            commit(
                "moved",
                "Log payments",
                **{
                    "shop/pay.py": (
                        "@@ -1,4 +1,7 @@\n import os\n+import logging\n+\n"
                        "+log = logging.getLogger(__name__)\n \n"
                    )
                },
            ),
            commit(
                "culprit",
                "Split the total evenly",
                **{
                    "shop/pay.py": (
                        "@@ -17,7 +17,7 @@ def charge(cart):\n     items = cart.items\n"
                        "     total = cart.total\n     log(total)\n-    return total\n"
                        "+    return total / len(items)\n \n \n"
                    )
                },
            ),
            commit(
                "views",
                "Checkout shows the region",
                **{
                    "shop/views.py": (
                        "@@ -70,6 +70,7 @@ def checkout(request):\n     cart = request.cart\n"
                        "+    region = request.region\n     return page\n"
                    )
                },
            ),
        ),
    )
    assert ranked[0]["sha"] == "culprit"
    assert ranked[0]["reasons"][0] == "wrote shop/pay.py:23, where it crashes"
    assert {r["sha"] for r in ranked[-3:]} == {"docs", "tests", "ci"}


def test_a_signature_changed_in_another_file() -> None:
    """The crash is in the caller, which nobody touched but for its imports."""
    ranked = ask(
        [frame("shop/views.py", "checkout", 51), frame("shop/app.py", "dispatch", 12)],
        {
            "type": "TypeError",
            "value": "charge() missing 1 required positional argument: 'currency'",
        },
        history(
            commit(
                "imports",
                "Sort imports",
                **{"shop/views.py": "@@ -1,3 +1,3 @@\n-import b\n import a\n+import b\n"},
            ),
            commit(
                "culprit",
                "Charge in the customer's currency (#81)",
                **{
                    "shop/pay.py": (
                        "@@ -8,7 +8,7 @@ RATES = {}\n-def charge(cart):\n-    return cart.total\n"
                        "+def charge(cart, currency):\n+    return cart.total * RATES[currency]\n"
                    )
                },
            ),
            commit(
                "app",
                "Dispatch is typed",
                **{"shop/app.py": "@@ -90,6 +90,7 @@ def close():\n+    pass\n"},
            ),
        ),
    )
    assert ranked[0]["sha"] == "culprit"


def test_an_attribute_was_renamed_elsewhere() -> None:
    ranked = ask(
        [frame("shop/report.py", "monthly", 14)],
        {"type": "AttributeError", "value": "'Order' object has no attribute 'discount_code'"},
        history(
            commit(
                "adds",
                "Show the discount code",
                **{
                    "shop/page.py": (
                        "@@ -1,2 +1,3 @@\n+    show(order.discount_code)\n"
                        "-    show(order.discount_code or '')\n"
                    )
                },
            ),
            commit(
                "culprit",
                "Discounts become vouchers",
                **{
                    "shop/models.py": (
                        "@@ -30,6 +30,6 @@ class Order:\n-    discount_code: str\n"
                        "+    voucher: str\n"
                    )
                },
            ),
            commit(
                "touch",
                "Monthly report in euros",
                **{
                    "shop/report.py": "@@ -60,5 +60,6 @@ def yearly():\n+    total = euros(total)\n"
                },
            ),
        ),
    )
    named = {row["sha"]: row["reasons"][0] for row in ranked[:2]}
    assert named == dict.fromkeys(
        ("culprit", "adds"), "changes lines with `discount_code`, named in the error"
    )


def test_a_module_was_moved() -> None:
    ranked = ask(
        [frame("/app/shop/__init__.py", "<module>", 3)],
        {"type": "ModuleNotFoundError", "value": "No module named 'shop.tax.rates'"},
        history(
            commit(
                "init",
                "Export charge",
                **{"shop/__init__.py": "@@ -9,2 +9,3 @@\n+from shop.pay import charge\n"},
            ),
            {
                **commit("culprit", "Taxes live in their own package"),
                "files": [
                    {
                        "path": "shop/tax/rates.py",
                        "added": 0,
                        "deleted": 40,
                        "patch": "@@ -1,40 +0,0 @@\n-RATES = {}\n",
                    },
                    {
                        "path": "taxes/rates.py",
                        "added": 40,
                        "deleted": 0,
                        "patch": "@@ -0,0 +1,40 @@\n+RATES = {}\n",
                    },
                ],
            },
        ),
    )
    assert ranked[0]["sha"] == "culprit"
    assert any("deletes shop/tax/rates.py" in reason for reason in ranked[0]["reasons"])


def test_a_library_was_bumped() -> None:
    """The crash is inside the library; our own frame was only touched."""
    ranked = ask(
        [
            frame(
                "/usr/lib/python3.11/site-packages/redis/connection.py",
                "read_response",
                512,
                in_app=False,
            ),
            frame("/usr/lib/python3.11/site-packages/redis/client.py", "get", 88, in_app=False),
            frame("/app/shop/cache.py", "fetch", 20),
        ],
        {"type": "redis.exceptions.ResponseError", "value": "unknown command 'CLIENT'"},
        history(
            commit(
                "touch",
                "Cache keys carry the region",
                **{
                    "shop/cache.py": (
                        "@@ -70,6 +70,7 @@ def key(name):\n+    name = f'{name}:{REGION}'\n"
                    )
                },
            ),
            commit(
                "other",
                "Bump httpx from 0.26 to 0.27",
                **{
                    "requirements.txt": (
                        "@@ -1,4 +1,4 @@\n-httpx==0.26\n+httpx==0.27\n redis==5.0.1\n"
                    )
                },
            ),
            commit(
                "culprit",
                "Dependencies of May",
                **{
                    "requirements.txt": (
                        "@@ -1,4 +1,4 @@\n httpx==0.27\n-redis==4.6.0\n+redis==5.0.1\n"
                    )
                },
            ),
        ),
    )
    assert ranked[0]["sha"] == "culprit"
    assert ranked[0]["reasons"][0] == "changes the dependency `redis`, in the stack trace"


def test_a_column_was_dropped() -> None:
    ranked = ask(
        [
            frame("app/models/order.rb", "recent", 12),
            frame("app/controllers/orders_controller.rb", "index", 7),
        ],
        {
            "type": "ActiveRecord::StatementInvalid",
            "value": "PG::UndefinedColumn: ERROR: column orders.shipped_on does not exist",
        },
        history(
            commit(
                "touch",
                "Recent means a week",
                **{
                    "app/controllers/orders_controller.rb": (
                        "@@ -30,3 +30,4 @@ def show\n+    @days = 7\n"
                    )
                },
            ),
            commit(
                "culprit",
                "Shipments have their own table",
                **{
                    "db/migrate/20240501_shipments.rb": (
                        "@@ -0,0 +1,5 @@\n+class Shipments < ActiveRecord::Migration[7.1]\n"
                        "+  remove_column :orders, :shipped_on\n+end\n"
                    )
                },
            ),
        ),
    )
    assert ranked[0]["sha"] == "culprit"


def test_what_was_reverted_in_the_range_is_not_the_culprit() -> None:
    bad = (
        "@@ -20,7 +20,7 @@ def charge(cart):\n     a\n     b\n-    return total\n"
        "+    return total.amount\n"
    )
    back = (
        "@@ -20,7 +20,7 @@ def charge(cart):\n     a\n     b\n-    return total.amount\n"
        "+    return total\n"
    )
    ranked = ask(
        [frame("shop/pay.py", "charge", 22)],
        {"type": "AttributeError", "value": "'NoneType' object has no attribute 'rate'"},
        history(
            commit(
                "revert",
                'Revert "Amounts are objects"\n\nThis reverts commit amounts.',
                **{"shop/pay.py": back},
            ),
            commit(
                "culprit",
                "Rates by region",
                **{
                    "shop/rates.py": (
                        "@@ -5,6 +5,6 @@ def rate_of(region):\n-    return Rate(region).rate\n"
                        "+    return None\n"
                    )
                },
            ),
            commit("amounts", "Amounts are objects", **{"shop/pay.py": bad}),
        ),
    )
    assert ranked[0]["sha"] == "culprit"
    assert any(
        "was reverted by" in reason
        for r in ranked
        for reason in r["reasons"]
        if r["sha"] == "amounts"
    )


def test_a_revert_of_something_older_brings_the_old_fault_back() -> None:
    ranked = ask(
        [frame("shop/pay.py", "charge", 22)],
        {"type": "KeyError", "value": "'EUR'"},
        history(
            commit("other", "Page titles", **{"shop/page.py": "@@ -1,2 +1,2 @@\n-a\n+b\n"}),
            commit(
                "culprit",
                'Revert "Unknown currencies count as dollars"',
                **{
                    "shop/pay.py": (
                        "@@ -19,7 +19,7 @@ def charge(cart):\n     a\n     b\n     c\n"
                        "-    return RATES.get(currency, 1)\n+    return RATES[currency]\n"
                    )
                },
            ),
        ),
    )
    assert ranked[0]["sha"] == "culprit"


def test_a_merge_stands_behind_the_commit_that_it_brings() -> None:
    patch = {
        "shop/pay.py": (
            "@@ -19,7 +19,7 @@ def charge(cart):\n     a\n     b\n     c\n-    return 1\n"
            "+    return RATES[currency]\n"
        )
    }
    ranked = ask(
        [frame("shop/pay.py", "charge", 22)],
        {"type": "KeyError", "value": "'EUR'"},
        history(
            commit("merge", "Merge pull request #9 from ada/rates", **patch),
            commit("culprit", "Use the rates", **patch),
        ),
    )
    assert ranked[0]["sha"] == "culprit"


def test_what_was_squashed_under_a_merges_title_is_a_change_like_any_other() -> None:
    patch = {"shop/pay.py": "@@ -19,3 +19,3 @@\n a\n b\n c\n-    return 1\n+    return RATES[c]\n"}
    merged, own = (
        ask(
            [frame("shop/pay.py", "charge", 22)],
            {"type": "KeyError", "value": "'EUR'"},
            history(commit("one", subject, **patch)),
        )
        for subject in ("Merge pull request from GHSA-jh85", "Use the rates")
    )
    assert merged == own


def test_a_reformatting_of_everything_does_not_hide_who_wrote_the_line() -> None:
    """The formatter's commit is newer, huge, and touches the crashing line; only blanks changed."""
    big = {f"shop/file{n}.js": "@@ -1,3 +1,3 @@\n-a=1;\n+a = 1;\n" for n in range(60)}
    ranked = ask(
        [frame("shop/pay.js", "charge", 22)],
        {"type": "TypeError", "value": "rates is not a function"},
        history(
            commit(
                "format",
                "Run prettier over everything",
                **big,
                **{
                    "shop/pay.js": (
                        "@@ -19,7 +19,7 @@ function charge(cart)\n a\n b\n c\n"
                        "-return rates(currency,1);\n+return rates(currency, 1);\n"
                    )
                },
            ),
            commit(
                "culprit",
                "Rates are asked for",
                **{
                    "shop/pay.js": (
                        "@@ -19,7 +19,7 @@ function charge(cart)\n a\n b\n c\n-return 1;\n"
                        "+return rates(currency,1);\n"
                    )
                },
            ),
        ),
    )
    assert ranked[0]["sha"] == "culprit"


def test_a_renamed_file_is_followed() -> None:
    renamed = (
        "diff --git a/shop/pay.py b/shop/payment.py\nsimilarity index 97%\n"
        "rename from shop/pay.py\nrename to shop/payment.py\n--- a/shop/pay.py\n"
        "+++ b/shop/payment.py\n@@ -1,3 +1,4 @@\n a\n+import os\n b\n"
    )
    ranked = ask(
        [frame("shop/payment.py", "charge", 23)],
        {"type": "KeyError", "value": "'EUR'"},
        history(
            commit("rename", "Payment is a better name", **{"shop/payment.py": renamed}),
            commit(
                "culprit",
                "Use the rates",
                **{
                    "shop/pay.py": (
                        "@@ -19,7 +19,7 @@ def charge(cart):\n     a\n     b\n     c\n"
                        "-    return 1\n+    return RATES[currency]\n"
                    )
                },
            ),
        ),
    )
    assert ranked[0]["sha"] == "culprit"
    assert "wrote" in ranked[0]["reasons"][0]


def test_without_patches_files_and_order_must_do() -> None:
    """As GitHub's API answers for large commits. Oldest first, which the dates tell."""
    commits = [
        {
            "sha": "old",
            "date": "2024-05-01T00:00:00Z",
            "message": "Pay",
            "files": [{"path": "shop/pay.py", "added": 3}],
        },
        {
            "sha": "docs",
            "date": "2024-05-02T00:00:00Z",
            "message": "Docs",
            "files": [{"path": "README.md", "added": 3}],
        },
        {
            "sha": "new",
            "date": "2024-05-03T00:00:00Z",
            "message": "Pay more",
            "files": [{"path": "shop/pay.py", "added": 3}],
        },
        {
            "sha": "other",
            "date": "2024-05-04T00:00:00Z",
            "message": "Search",
            "files": [{"path": "find/search.py", "added": 3}],
        },
    ]
    ranked = ask([frame("/srv/shop/pay.py", "charge", 4)], None, commits)
    assert [r["sha"] for r in ranked] == ["new", "old", "other", "docs"]


@pytest.mark.parametrize(
    "frames",
    [
        [],
        [frame("", "", None)],
        [frame("<anonymous>", "?", 1)],
        [frame("C:\\shop\\pay.py", "charge", -3)],
    ],
)
def test_next_to_nothing_is_known(frames: list[Json]) -> None:
    ranked = ask(frames, {"type": "", "value": ""}, history(commit("a", "")))
    assert len(ranked) == 5
    assert all(r["reasons"] for r in ranked)
    assert ask(frames, None, []) == []


def test_a_field_that_is_missing_leads_to_who_sets_it() -> None:
    """The stack's lines are older than the range, and others use the name, too: the setting tells.

    The one that sets it is older than those that only go on using it.
    """
    uses = "@@ -5,3 +5,3 @@ def page(cart):\n-    show(cart.rebate)\n+    show(cart.rebate, 2)\n"
    sets = "@@ -5,3 +5,4 @@ def offer(cart):\n     log(cart)\n+    cart.rebate = 1\n     a = 1\n"
    ranked = ask(
        [frame("shop/cart.py", "total", 40)],
        {"type": "AttributeError", "value": "'NoneType' object has no attribute 'rebate'"},
        history(
            commit("uses", "Two digits", **{"shop/page.py": uses}),
            commit("sets", "A rebate", **{"shop/views.py": sets}),
        ),
    )
    assert ranked[0]["sha"] == "sets", ranked[:2]
    assert ranked[0]["confidence"] > 5 * ranked[1]["confidence"]
