"""Tests that belong to a file.

They do by name, by the usual places, and by imports in a real clone's text.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.clients.git.source import LocalGit
from phases.ports.source_values import Check, Commit, CommitFile, Covered, PullChecks
from phases.postmortem.contributing_factors import LookedUp, coverage_text, how_it_passed
from phases.postmortem.test_coverage import called_after, candidate_tests, naming_patterns
from phases.record.service import ReleaseNames, Service
from tests.support.git.repositories import Repository
from tests.support.values.factories import incident, report

PAY = "def charge(cart):\n    return cart.total()\n"


@pytest.mark.parametrize(
    ("test", "file"),
    [
        ("tests/test_pay.py", "shop/pay.py"),
        ("shop/pay_test.go", "shop/pay.go"),
        ("src/pay.test.ts", "src/pay.ts"),
        ("spec/models/pay_spec.rb", "app/models/pay.rb"),
        ("src/test/java/PayServiceTest.java", "src/main/java/PayService.java"),
        ("tests/pay.py", "shop/pay.py"),
    ],
)
def test_called_after(test: str, file: str):
    assert called_after(test, file)
    assert not called_after(test, file.replace("ay", "ayment"))


def test_what_names_a_file_is_more_than_a_word():
    assert naming_patterns("shop/pay.py") == ["pay[.]py", "shop[./]pay", "shop import .*pay"]
    assert naming_patterns("shop/tax_table.py")[-1] == "tax_table"
    assert naming_patterns("shop/__init__.py") == ["import shop", "from shop"]
    assert naming_patterns("src/.*/$(x).py") == []


def test_the_usual_places():
    places = candidate_tests("src/main/java/acme/Pay.java")
    assert places[0] == "src/test/java/acme/PayTest.java"
    places = candidate_tests("shop/pay.py")
    assert {"tests/test_pay.py", "shop/tests/test_pay.py", "shop/test_pay.py"} <= set(places)
    assert len(places) == len(set(places)) <= 40


async def test_in_a_real_clone(tmp_path: Path):
    repository = Repository(tmp_path / "shop")
    repository.commit(
        "Shop",
        {
            "shop/pay.py": PAY,
            "shop/tax.py": "x = 1\n",
            "shop/refund.py": "x = 1\n",
            "tests/test_pay.py": "def test_it(): ...\n",
            "tests/test_flow.py": (
                "from shop import cart, tax\n\ndef test_pay_page(): get('/refund')\n"
            ),
            "tests/data/pay.json": "{}\n",
        },
        tag="v1",
    )
    sha = repository.commit("Round (#12)", {"shop/pay.py": PAY + "\n# rounded\n"}, tag="v2")
    service = Service(
        name="shop", checkout=str(repository.path), release=ReleaseNames(tag="v{version}")
    )
    source = LocalGit()
    assert await source.tests_of(service, "2", "/srv/app/shop/pay.py") == Covered(
        naming=("tests/test_pay.py",), files=2
    )
    assert await source.tests_of(service, "2", "shop/tax.py") == Covered(
        naming=("tests/test_flow.py",), files=2
    )
    assert await source.tests_of(service, "2", "shop/refund.py") == Covered(files=2), (
        "an address in a test is no file"
    )
    assert await source.tests_of(service, "2", "shop/gone.py") is None
    commit = await source.commit(service, sha[:9])
    assert commit is not None
    assert (commit.subject, [f.path for f in commit.files]) == ("Round (#12)", ["shop/pay.py"])
    assert await source.commit(service, "9" * 40) is None
    root = await source.commit(service, "1")
    assert root is not None
    assert len(root.files) == 6


def test_each_fact_is_a_sentence():
    record = incident(triage=report())
    looked_up = LookedUp(
        tests=Covered(naming=("tests/test_pay.py",), files=9),
        commit=Commit(
            sha="c0ffee1234567",
            files=(CommitFile(path="tests/test_pay.py"), CommitFile(path="shop/pay.py")),
        ),
        checks=PullChecks(pull_request="#7", checks=(Check(name="unit", conclusion="passed"),)),
    )
    assert how_it_passed(record, looked_up) == (
        "ZeroDivisionError in shop/pay.py, total. tests/test_pay.py names that file. "
        "Suspect commit c0ffee123 changed tests/test_pay.py. Checks on #7: unit passed."
    )
    assert coverage_text(Covered(files=0)) == "The repository has no test file."
    assert coverage_text(Covered(files=1)) == "The only test file does not name that file."
    assert coverage_text(Covered(read=False)) == "No test is called after that file."
    bare = how_it_passed(
        incident(),
        LookedUp(
            commit=Commit(sha="c0ffee1234567"), confirmed=True, checks=PullChecks(pull_request="#7")
        ),
    )
    assert bare == "Commit c0ffee123 changed no test. No check ran on #7."
