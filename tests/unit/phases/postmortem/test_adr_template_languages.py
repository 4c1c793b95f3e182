"""Templates in other languages and shapes.

They are filled in in one language, or left out; no text without meaning is written.
"""

from __future__ import annotations

import re

import pytest

from phases.postmortem.adr import adr_text
from phases.postmortem.adr_headings import LANGUAGES, language_of
from phases.postmortem.adr_status import with_items_settled
from phases.record.documents import Contradiction
from tests.support.values import incidents
from tests.support.values.adr_templates import MADR, NYGARD, POSTMORTEM, headings, written
from tests.support.values.incidents import NAMES

GERMAN = """\
---
lang: de_DE
status: "{vorgeschlagen | akzeptiert | …}"
datum: {YYYY-MM-DD}
entscheidende: {alle Beteiligten}
---

# {Kurzer Titel}

## Kontext und Problemstellung

{Worum geht es?}

<!-- Dieses Element ist optional. -->
## Entscheidungsfaktoren

* {Faktor 1}

## Betrachtete Optionen

* {Option 1}

## Entscheidung

Gewählte Option: "{Option 1}"

<!-- Dieses Element ist optional. -->
### Konsequenzen

* Gut, weil {…}

<!-- Dieses Element ist optional. -->
## Weitere Informationen

{Links}
"""
"""The headings of https://github.com/adr/madr/blob/develop/template/i18n/de/adr-template.md."""

PORTUGUESE = """\
# ADR-{número}: {Título da decisão}

## Status

{Proposto | Aceito | Rejeitado}

## Contexto

{Descreva o contexto.}

## Decisão

{Descreva a decisão.}

## Alternativas Consideradas

### Alternativa 1: {Nome}

## Consequências

### Positivas

- {…}

## Conformidade

{Como será verificado.}

## Referências
"""

FRENCH = """\
# [titre court]

- Status: [draft | accepted | …] <!-- optionnel -->
- Décideurs: [liste] <!-- optionnel -->
- Date: [YYYY-MM-DD] <!-- optional -->

Ticket : [URL] <!-- optionnel -->

## Contexte et énoncé du problème

## Facteurs de décision <!-- optionnel -->

## Options envisagées

- … <!-- le nombre d'options peut varier -->

## Résultat de la décision

### Impacts positifs <!-- optionnel -->

## Liens <!-- optionnel -->
"""
"""The headings of https://github.com/thomvaill/log4brains/blob/develop/packages/init/assets/fr/template.md."""

SPANISH = "# Título\n\n## Estado\n\nPropuesto\n\n## Contexto\n\n## Decisión\n\n## Consecuencias\n"
ITALIAN = "# Titolo\n\n## Stato\n\n## Contesto\n\n## Decisione\n\n## Conseguenze\n"
DUTCH = "# Titel\n\n## Status\n\n## Context\n\n## Besluit\n\n## Gevolgen\n"
POLISH = (
    "# Tytuł\n\n## Status\n\nProponowany\n\n## Kontekst\n\nOpis.\n\n## Decyzja\n\n## Konsekwencje\n"
)
JAPANESE = "# タイトル\n\n## ステータス\n\n提案\n\n## コンテキスト\n\n## 決定\n\n## 結果\n"
DANISH = "# Titel\n\n## Status\n\n## Kontekst\n\n## Beslutning\n\n## Konsekvenser\n"
SHOUTED = "# STATUS\nproposed\n\n# CONTEXT\n\n# DECISION\nWe will …\n\n# CONSEQUENCES\n"
Y_STATEMENT = (
    "# Title\n\nIn the context of <use case>, facing <concern>, we decided for <option>, to "
    "achieve <quality>.\n"
)
COMPANY = (
    "# ADR-XXX: Title\n\n## Context\n\n## Decision\n\n## Consequences\n\n## Compliance\n\nHow?\n"
    "\n## Cost\n\n## Security\n\n## Notes\n"
)

ALL = {
    "de": GERMAN,
    "pt": PORTUGUESE,
    "fr": FRENCH,
    "es": SPANISH,
    "it": ITALIAN,
    "nl": DUTCH,
    "pl": POLISH,
    "ja": JAPANESE,
    "da": DANISH,
    "shouted": SHOUTED,
    "y": Y_STATEMENT,
    "company": COMPANY,
    "madr": MADR,
    "nygard": NYGARD,
    "post-mortem": POSTMORTEM,
}


@pytest.mark.parametrize("kind", ALL)
def test_nothing_is_said_to_be_without_meaning_and_every_part_is_there(kind: str) -> None:
    text = written(ALL[kind])
    assert "not apply" not in text
    for words in (
        "14:03 the alert",
        "v42 dropped the region key.",
        "The alert waits for five minutes.",
        "Every test sets a region.",
        "- [ ] monitors: alert after one minute",
        "When the action items are complete.",
        "| Deploy proof | complete | v42 → v41 (done) |",
    ):
        assert text.count(words) == 1, words
    for guidance in (
        "Proponowany",
        "Opis.",
        "Propuesto",
        "提案",
        "Worum geht es",
        "Descreva",
        "We will",
        "{",
    ):
        assert guidance not in text


def test_german() -> None:
    text = written(GERMAN)
    assert text.startswith(
        '---\nlang: de_DE\nstatus: "accepted"\ndatum: "2026-11-22"\nentscheidende: "Ann"\n'
        "---\n\n# ADR-0007: INC-0042, "
    )
    assert "- Status:" not in text
    assert headings(text)[1:] == [
        "## Kontext und Problemstellung",
        "### Auswirkung",
        "### Zeitverlauf",
        "### Ursache",
        "## Betrachtete Optionen",
        "## Entscheidung",
        "### Was getan wurde",
        "### Maßnahmen",
        "### Konsequenzen",
        "#### Warum die Überwachung es nicht früher bemerkte",
        "#### Warum Tests und CI es durchließen",
        "#### Wieder ansehen, wenn",
        "## Weitere Informationen",
    ]


def test_portuguese() -> None:
    text = written(PORTUGUESE)
    assert text.startswith("# ADR-0007: INC-0042, checkout is failing\n")
    assert "\n## Status\n\naccepted\n" in text
    assert headings(text)[1:] == [
        "## Status",
        "## Contexto",
        "### Impacto",
        "### Linha do tempo",
        "### Causa raiz",
        "## Decisão",
        "### O que foi feito",
        "### Ações",
        "## Alternativas Consideradas",
        "## Consequências",
        "### Por que o monitoramento não percebeu antes",
        "### Por que passou pelos testes e pelo CI",
        "### Quando rever",
        "## Conformidade",
        "## Referências",
    ]


def test_french() -> None:
    text = written(FRENCH)
    assert "\n- Status: accepted\n- Décideurs: Ann\n- Date: 2026-11-22\n" in text
    assert [heading for heading in headings(text)[1:] if heading.startswith("## ")] == [
        "## Contexte et énoncé du problème",
        "## Options envisagées",
        "## Résultat de la décision",
        "## Liens",
    ]
    assert "### Chronologie" in text


@pytest.mark.parametrize("kind", ["es", "it", "nl"])
def test_headings_and_parts_are_in_one_language(kind: str) -> None:
    (language,) = (candidate for candidate in LANGUAGES if candidate.code == kind)
    own = {
        f"{mark} {title}" for title in language.headings.values() for mark in ("##", "###", "####")
    }
    titles = headings(written(ALL[kind]))[1:]
    asked = [line for line in ALL[kind].split("\n") if line.startswith("## ")]
    assert [title for title in titles if title.startswith("## ")] == asked
    assert set(titles) - set(asked) <= own


def rendered(template: str, **parts: str) -> str:
    """A file in which everything is written that anybody can write."""
    incident = incidents.incident(adr=None)
    assert incident.postmortem is not None
    full = {
        "factors": "Both regions share one pool.",
        "went_well": "The flag was off within a minute.",
        **parts,
    }
    written = incident.postmortem.model_copy(update=full)
    unfit = Contradiction(rule="blame", part="monitoring", says="Bob forgot it.", key="1")
    whole = {"postmortem": written, "contradictions": (unfit,)}
    incident = incident.model_copy(update=whole)
    return adr_text(incident, incidents.entries(), 7, NAMES, template)


@pytest.mark.parametrize("kind", ["de", "pt", "fr", "es", "it", "nl"])
def test_no_part_of_ours_is_in_english_among_others(kind: str) -> None:
    (language,) = (candidate for candidate in LANGUAGES if candidate.code == kind)
    text = rendered(ALL[kind])
    asked = [line.lstrip("# ").partition(" <!--")[0] for line in ALL[kind].split("\n")]
    titles = [line.lstrip("# ") for line in headings(text)[1:]]
    assert set(titles) - set(asked) <= set(language.headings.values())
    for key in ("factors", "went_well", "contradictions"):
        assert language.headings[key] in titles
    assert "Both regions share one pool" in text


def test_parts_go_where_a_template_asks_for_them() -> None:
    text = rendered(
        "# Post-mortem\n\n## Summary\n\n## Root cause\n\n## Contributing factors\n\n"
        "## What went well\n\n## Action items\n"
    )
    assert "## Contributing factors\n\nBoth regions" in text
    assert "## What went well\n\nThe flag was off" in text
    empty = rendered("# Post-mortem\n\n## Root cause\n\n## What went well\n", went_well="")
    assert "## What went well" in empty, "for people to fill"
    nobody = rendered(
        "# Post-mortem\n\n## Summary\n\n## Root cause\n\n## Contributing factors\n", factors=""
    )
    postmortem = incidents.incident().postmortem
    assert postmortem is not None
    assert f"## Contributing factors\n\n{postmortem.tests[:12]}" in nobody, "what let it through"


@pytest.mark.parametrize("kind", ["pl", "ja", "da", "y"])
def test_a_language_that_is_not_known_is_not_mixed_with_ours(kind: str) -> None:
    assert headings(written(ALL[kind]))[1:] == headings(written(""))[1:]


def test_titles_that_are_headings_and_headings_of_a_company() -> None:
    assert [heading for heading in headings(written(SHOUTED))[1:] if heading.startswith("## ")] == [
        "## STATUS",
        "## CONTEXT",
        "## DECISION",
        "## CONSEQUENCES",
    ]
    text = written(COMPANY)
    assert text.startswith("# ADR-007: INC-0042, ")
    assert text.rstrip().endswith("\n## Compliance\n\n## Cost\n\n## Security\n\n## Notes")


def test_every_language_knows_every_part_and_its_own_words() -> None:
    parts = set(LANGUAGES[0].patterns)
    for language in LANGUAGES:
        assert set(language.patterns) == parts, language.code
        for key, title in language.headings.items():
            assert language.key(title) == key, (language.code, title)
        if language.headings:
            titles = list(language.headings.values())
            assert language_of(titles, needed=titles) == language


@pytest.mark.parametrize(
    "kind", ["de", "pt", "fr", "es", "it", "nl", "pl", "ja", "shouted", "nygard", "madr"]
)
def test_the_status_of_what_is_done_changes_wherever_it_stands(kind: str) -> None:
    text = written(ALL[kind])
    incident = incidents.incident()
    assert incident.postmortem is not None
    done = with_items_settled(
        text, items=incident.postmortem.items, at=incident.postmortem.at, names=NAMES
    )
    assert re.search(r"(?m)^.*done, action items settled 2026-11-22", done)
    assert not re.search(r"(?m)^(?:accepted|.*\b(?:status|statut|stato|estado)\b.*accepted)", done)
    assert (
        with_items_settled(
            done, items=incident.postmortem.items, at=incident.postmortem.at, names=NAMES
        )
        == done
    )


def test_accents_that_macos_takes_apart_are_the_same_letters() -> None:
    import unicodedata

    apart = unicodedata.normalize("NFD", PORTUGUESE)
    text = adr_text(incidents.incident(adr=None), incidents.entries(), 7, NAMES, apart)
    assert "### Linha do tempo" in text


HALVES = """\
# 📄 Postmortem template

## 🚨 Incident Summary

## 🧠 Customer / User Impact

## 📈 Timeline (UTC)

## 🔍 Root Cause

## 🛠️ Resolution & Recovery

## ✅ Action Items

## 🙏 Lessons & Follow-ups
"""
"""Headings with pictures in front, and of two parts."""


def test_pictures_and_second_halves_in_headings_change_nothing() -> None:
    text = written(HALVES)
    parts = [
        "## 🚨 Incident Summary",
        "## 🧠 Customer / User Impact",
        "## 📈 Timeline (UTC)",
        "## 🔍 Root Cause",
        "## 🛠️ Resolution & Recovery",
        "## ✅ Action Items",
        "## 🙏 Lessons & Follow-ups",
    ]
    assert headings(text)[1:8] == parts
    assert "## Impact" not in text
    assert "## What was done" not in text
    assert "40 users" in text.split("## 🧠 Customer / User Impact")[1].split("##")[0]
    assert "rollback to v41" in text.split("## 🛠️ Resolution & Recovery")[1].split("##")[0]


def test_the_number_of_the_template_in_its_id_is_ours() -> None:
    """The template is Backstage's.

    https://github.com/backstage/backstage/blob/master/docs/architecture-decisions/adr000-template.md
    """
    text = written(
        "---\nid: adrs-adr000\ntitle: ADR000: [TITLE]\nrevision: 000\n---\n\n## Context\n\n"
        "## Decision\n\n## Consequences\n"
    )
    assert text.startswith(
        '---\nid: adrs-adr007\ntitle: "INC-0042, checkout is failing"\nrevision: 000\n---\n'
    )
