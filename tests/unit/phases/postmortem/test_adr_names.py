"""Names in decision folders.

The highest number, the next name, and the file that is the template.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phases.postmortem.adr_numbering import Numbering, is_of, template_among
from tests.support.values import incidents

TITLE = "checkout-is-failing"


@pytest.mark.parametrize(
    ("there", "highest", "following"),
    [
        ([], 0, f"0001-inc-0042-{TITLE}.md"),
        (["README.md", "index.md"], 0, f"0001-inc-0042-{TITLE}.md"),
        (["0009-x.md", "0010-y.md"], 10, f"0011-inc-0042-{TITLE}.md"),
        (["ADR-0007-x.md", "adr-template.md"], 7, f"ADR-0008-inc-0042-{TITLE}.md"),
        (["ADR0007-x.md"], 7, f"ADR0008-inc-0042-{TITLE}.md"),
        (["adr-007.md"], 7, f"adr-008-inc-0042-{TITLE}.md"),
        (["adr_007.md"], 7, "adr_008_inc-0042_checkout_is_failing.md"),
        (["0007_use_rust.md"], 7, "0008_inc-0042_checkout_is_failing.md"),
        (["7. x.md", "12. y.md"], 12, f"13. inc-0042-{TITLE}.md"),
        (["007 - Use Rust.md"], 7, "008 - inc-0042 checkout is failing.md"),
        (["0007.x.md"], 7, f"0008.inc-0042-{TITLE}.md"),
        (["9-x.md", "10-y.md"], 10, f"11-inc-0042-{TITLE}.md"),
        (["0007-x.markdown"], 7, f"0008-inc-0042-{TITLE}.markdown"),
        (["0007-x.adoc", "template.adoc"], 7, f"0008-inc-0042-{TITLE}.md"),
        (["0007-x.rst"], 7, f"0008-inc-0042-{TITLE}.md"),
        (["0006-x.md", "0007-y.adoc"], 7, f"0008-inc-0042-{TITLE}.md"),
        (["shop_adr_0007_x.md"], 7, "shop_adr_0008_inc-0042_checkout_is_failing.md"),
        (["PMR-0007-x.md", "PMR-0008-y.md"], 8, f"PMR-0009-inc-0042-{TITLE}.md"),
        (["2023/0006-x.md", "2024/0007-y.md"], 7, f"2026/0008-inc-0042-{TITLE}.md"),
        (["2024-006-x.md", "2024-007-y.md"], 7, f"2026-008-inc-0042-{TITLE}.md"),
        (["0007-x/README.md", "0007-x/0001-notes.md"], 7, f"0008-inc-0042-{TITLE}.md"),
        (["accepted/0003-x.md", "proposed/0009-y.md"], 9, f"0010-inc-0042-{TITLE}.md"),
        (["20240927-x.md", "20230101-y.md"], 0, f"20261122-adr-0001-inc-0042-{TITLE}.md"),
        (
            ["20240927-x.md", "20261122-adr-0001-inc-0041-y.md"],
            1,
            f"20261122-adr-0002-inc-0042-{TITLE}.md",
        ),
        (["2024-09-27-x.md"], 0, f"2026-11-22-adr-0001-inc-0042-{TITLE}.md"),
        (["0004-x.md", "20200925-y.md", "2024-roadmap.md"], 4, f"0005-inc-0042-{TITLE}.md"),
        (
            ["0004-x.md", "python-3-migration.md", "utf8-everywhere.md", "v2/0009-x.png"],
            4,
            f"0005-inc-0042-{TITLE}.md",
        ),
        (["0012-email-template-engine.md", "0000-template.md"], 12, f"0013-inc-0042-{TITLE}.md"),
        (
            ["0001-x.md", "9999-adr-template.md", "templates/0500-adr.md"],
            1,
            f"0002-inc-0042-{TITLE}.md",
        ),
        (["ADR-2025-014-x.md", "ADR-2026-002-y.md"], 14, f"ADR-2026-015-inc-0042-{TITLE}.md"),
        (["ADR-2025-001.md", "ADR-2025-002.md"], 2, f"ADR-2026-003-inc-0042-{TITLE}.md"),
        (["20240312-0007-x.md", "20240401-0008-y.md"], 8, f"20261122-0009-inc-0042-{TITLE}.md"),
        (
            ["adr-2024-03-12-x.md", "adr-2024-05-01-y.md"],
            0,
            f"2026-11-22-adr-0001-inc-0042-{TITLE}.md",
        ),
        (["2024.09.27-x.md"], 0, f"2026.11.22-adr-0001-inc-0042-{TITLE}.md"),
        (["2024_09_27_x.md"], 0, f"2026_11_22-adr-0001-inc-0042-{TITLE}.md"),
        (["202409-x.md", "202410-y.md"], 0, f"0001-inc-0042-{TITLE}.md"),
        (["D007-x.md", "D008-y.md"], 8, f"D009-inc-0042-{TITLE}.md"),
        (["LADR-0007-x.md"], 7, f"LADR-0008-inc-0042-{TITLE}.md"),
        (
            ["ODH-ADR-MS-0006-x.md", "ODH-ADR-0000-template.md"],
            6,
            f"ODH-ADR-MS-0007-inc-0042-{TITLE}.md",
        ),
        (["DEC-0007.md"], 7, f"DEC-0008-inc-0042-{TITLE}.md"),
        (["0007—x.md"], 7, f"0008—inc-0042-{TITLE}.md"),
        (["UTF-8-everywhere.md", "HTTP2-now.md", "0004-x.md"], 4, f"0005-inc-0042-{TITLE}.md"),
        (["1989-x.md", "1990-y.md"], 1990, f"1991-inc-0042-{TITLE}.md"),
    ],
)
def test_the_next_one_is_named_like_the_others(
    there: list[str], highest: int, following: str
) -> None:
    ways = Numbering.of(there)
    assert ways.highest == highest
    name = ways.file(incidents.incident(), highest + 1)
    assert name == following
    assert is_of(name, incidents.incident())
    again = Numbering.of([*there, name])
    assert (again.highest, again.number(name)) == (highest + 1, highest + 1)
    assert again.file(incidents.incident(), highest + 1) == name


def test_what_the_folder_writes_otherwise_is_known() -> None:
    assert Numbering.of(["0007-x.adoc"]).foreign == "adoc"
    assert Numbering.of(["0007-x.md"]).foreign == ""


@pytest.mark.parametrize(
    "name",
    [
        "template.md",
        "0000-template.md",
        "000-template.md",
        "adr-template.md",
        "ADR-TEMPLATE.md",
        "adr_template.md",
        "_template.md",
        "template.markdown",
        "postmortem-template.md",
        "template-postmortem.md",
        "0000-adr-template-de.md",
        "adr-template-bare-minimal.md",
        "9999-adr-template.md",
        "ADR-0000-template.md",
        "0000-modelo.md",
        "vorlage.md",
        "adr-template-madr.md",
        "templates/template.md",
        "templates/adr.md",
        "NNNN-template.md",
        "ODH-ADR-0000-template.md",
        "adr-XXXX-template.md",
        "YYYYMMDD-template.md",
        "ADR-模板.md",
        "テンプレート.md",
        "шаблон.md",
    ],
)
def test_a_template_is_one(name: str) -> None:
    assert template_among(["0001-x.md", "templates/README.md", name]) == name


@pytest.mark.parametrize(
    "name",
    [
        "0012-email-template-engine.md",
        "0013-template-rendering.md",
        "email-template.md",
        "0007-postmortem-template.md",
        "0015-template.md",
        "0001-adr-template.md",
        "template-engine.md",
        "adopt-template.md",
        "use-templates.md",
        "pr-template.md",
        "docs/template.md",
        "template.adoc",
        "TEMPLATE.txt",
        "0000-use-templates.md",
        "templates/README.md",
        "templates/email.md",
        "adr-0012-template.md",
    ],
)
def test_what_is_about_templates_is_none(name: str) -> None:
    assert template_among([name]) is None


def test_one_for_post_mortems_goes_first_then_the_plainest() -> None:
    assert template_among(["adr-template.md", "template-postmortem.md"]) == "template-postmortem.md"
    assert (
        template_among(["adr-template-bare-minimal.md", "adr-template-bare.md", "adr-template.md"])
        == "adr-template.md"
    )


def test_an_incident_is_told_from_another_one() -> None:
    incident = incidents.incident()
    assert not is_of("0007-inc-00421-x.md", incident)
    assert not is_of("0007-inc-0042-x.adoc", incident)
    assert is_of("7. INC-0042 x.markdown", incident)


@given(
    st.lists(
        st.text(
            st.characters(exclude_characters="/\0", exclude_categories=["Cs"]),
            min_size=1,
            max_size=30,
        )
    )
)
def test_no_folder_makes_a_number_that_is_taken_or_a_path_that_leads_away(names: list[str]) -> None:
    ways = Numbering.of([*names, *(f"{name}.md" for name in names)])
    name = ways.file(incidents.incident(), ways.highest + 1)
    assert ".." not in name.split("/")
    assert not name.startswith("/")
    assert is_of(name, incidents.incident())
