"""What decision records and post-mortems call their parts, in the languages in which their templates are written most.

MADR is published in English, German and French (https://github.com/adr/madr/tree/develop/template), log4brains' template in English and
French. Headings are compared in small letters and without accents (`plain`). A template in any other language is not followed.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

ENGLISH: Mapping[str, str] = {
    "status": r"status",
    "date": r"date",
    "summary": r"(?:incident |executive )?summary|overview|abstract|tl;?dr",
    "impact": r"(?:customer |user |business |incident )?impact|blast radius|who was (?:hit|affected)",
    "timeline": r"(?:incident )?timeline(?: of .*)?|chronology|what happened|sequence of events",
    "cause": r"(?:root )?causes?(?: analysis)?|trigger|(?:five|5) whys|what caused .*",
    "before": r"seen before|(?:related|prior|previous) incidents?",
    "done": r"what was done|(?:resolution|mitigation|response|remediation|recovery)(?: and recovery)?|how (?:it|we) (?:was )?(?:resolved|fixed) .*",
    "picture": r"events a minute|(?:error |event )?(?:rates?|graphs?|charts?)",
    "monitoring": r"why monitoring .*|detection|monitoring(?: gaps)?|how .*detected.*",
    "tests": r"why it slipped .*|tests? and ci|why .*\b(?:tests|ci)\b.*|contributing factors?|prevention",
    "items": r"action items?|actions|follow[- ]?ups?(?: actions?)?|corrective (?:and preventive )?actions?|next steps",
    "revisit": r"revisit(?: when)?|review(?: date)?|when to (?:revisit|review).*",
    "proofs": r"proofs?|evidence|supporting information|more information|links|references|appendix",
    "options": r"(?:considered |alternative )?options(?: considered)?|alternatives(?: considered)?|considered alternatives",
    "context": r"context(?: .*)?|background|problem(?: statement)?|issue|motivation|introduction",
    "decision": r"decisions?(?: outcome)?|solution|outcome",
    "consequences": r"(?:positive |negative )?consequences.*|implications|results?|lessons learned|learnings",
}


_AND = re.compile(r" (?:and|und|e|y|et|en|i|og) ")


@dataclass(frozen=True, slots=True)
class Language:
    """Headings of one language: our own, by the key of the part, and those of templates that ask for it."""

    code: str
    headings: Mapping[str, str]
    asked: Mapping[str, str]

    def key(self, heading: str) -> str | None:
        """The part, or the kind of part, that a heading asks for."""
        name = plain(heading)
        # The first of "Resolution and recovery" says what is asked for, of "Customer / user impact" any.
        names = dict.fromkeys((name, _AND.split(name)[0], *re.split(r" ?/ ?", name)))
        found = (
            key
            for one in names
            for key, pattern in self.asked.items()
            if re.fullmatch(pattern, one)
        )
        return next(found, None)


GERMAN = {
    "status": ("Status", r"status|stand"),
    "date": ("Datum", r"datum"),
    "summary": ("Zusammenfassung", r"(?:kurz|zusammen)fassung|uberblick"),
    "impact": ("Auswirkung", r"auswirkung(?:en)?(?: .*)?|(?:wer|was) .*betroffen.*"),
    "timeline": (
        "Zeitverlauf",
        r"zeit(?:verlauf|achse|leiste)|(?:zeitlicher )?(?:ab|ver)lauf|chronologie|was (?:ist )?(?:passiert|geschehen|geschah).*",
    ),
    "cause": ("Ursache", r"(?:grund|haupt|kern)?ursachen?(?:analyse)?|ausloser"),
    "before": (
        "Frühere Vorfälle",
        r"(?:fruhere|ahnliche|verwandte) (?:vorfalle|storungen|incidents)",
    ),
    "done": (
        "Was getan wurde",
        r"was (?:wurde )?getan(?: wurde)?|(?:fehler)?behebung|wiederherstellung|reaktion|gegenmassnahmen",
    ),
    "picture": ("Ereignisse je Minute", r"ereignisse (?:je|pro) minute|fehlerrate"),
    "monitoring": (
        "Warum die Überwachung es nicht früher bemerkte",
        r"erkennung|entdeckung|uberwachung|monitoring|warum .*(?:uberwachung|monitoring).*",
    ),
    "tests": (
        "Warum Tests und CI es durchließen",
        r"tests? und ci|warum .*tests?.*|(?:beitragende|begunstigende) faktoren|pravention|vorbeugung",
    ),
    "items": (
        "Maßnahmen",
        r"(?:folge|korrektur)?massnahmen|aufgaben|nachste schritte|aktionspunkte|to-?dos?",
    ),
    "revisit": (
        "Wieder ansehen, wenn",
        r"wieder(?:vorlage| ansehen.*)|uberprufung(?:sdatum)?|review.*|wann .*(?:uber)?pruf.*",
    ),
    "proofs": (
        "Nachweise",
        r"nachweise?|belege|(?:weitere|zusatzliche) informationen|referenzen|verweise|links|quellen|anhang",
    ),
    "options": (
        "Betrachtete Optionen",
        r"(?:(?:betrachtete|berucksichtigte|erwogene|geprufte|mogliche) )?(?:optionen|alternativen|varianten|losungen)(?: und .*)?",
    ),
    "context": (
        "Kontext",
        r"kontext(?: .*)?|hintergrund|problem(?:stellung|beschreibung)?|ausgangs(?:lage|situation)|motivation|einleitung",
    ),
    "decision": (
        "Entscheidung",
        r"entscheidung(?:en|sergebnis)?(?: .*)?|ergebnis der entscheidung|beschluss|losung",
    ),
    "consequences": (
        "Konsequenzen",
        r"(?:positive |negative )?(?:konsequenzen|folgen)(?: .*)?|erkenntnisse|lehren",
    ),
}
PORTUGUESE = {
    "status": ("Status", r"status|estado|situacao"),
    "date": ("Data", r"data"),
    "summary": ("Resumo", r"resumo(?: executivo| do incidente)?|sumario|visao geral"),
    "impact": ("Impacto", r"impactos?(?: .*)?"),
    "timeline": ("Linha do tempo", r"linha do tempo|cronologia|o que aconteceu"),
    "cause": (
        "Causa raiz",
        r"causas?(?:[ -]raiz| fundamenta(?:l|is))?|analise d[ae] causa.*|gatilho",
    ),
    "before": ("Incidentes anteriores", r"incidentes (?:relacionados|anteriores|semelhantes)"),
    "done": (
        "O que foi feito",
        r"o que foi feito|resolucao|mitigacao|resposta|remediacao|recuperacao",
    ),
    "picture": ("Eventos por minuto", r"eventos por minuto|taxa de erros"),
    "monitoring": (
        "Por que o monitoramento não percebeu antes",
        r"deteccao|monitoramento|monitorizacao|por que o monitor.*",
    ),
    "tests": (
        "Por que passou pelos testes e pelo CI",
        r"testes e ci|por que .*testes.*|fatores contribuintes|prevencao",
    ),
    "items": ("Ações", r"acoes(?: corretivas)?|itens de acao|proximos passos|plano de acao"),
    "revisit": (
        "Quando rever",
        r"revisao|revisitar.*|quando (?:rever|revisar|revisitar).*|data de revisao",
    ),
    "proofs": (
        "Evidências",
        r"evidencias?|provas|referencias|links|mais informacoes|informacoes adicionais|anexos?",
    ),
    "options": (
        "Opções consideradas",
        r"(?:opcoes|alternativas)(?: (?:consideradas|avaliadas|analisadas).*)?",
    ),
    "context": (
        "Contexto",
        r"contexto(?: .*)?|(?:declaracao do )?problema|motivacao|introducao|antecedentes",
    ),
    "decision": ("Decisão", r"decis(?:ao|oes)(?: .*)?|resultado da decisao|solucao"),
    "consequences": (
        "Consequências",
        r"consequencias(?: .*)?|implicacoes|resultados?|licoes aprendidas",
    ),
}
SPANISH = {
    "status": ("Estado", r"estado|estatus|status"),
    "date": ("Fecha", r"fecha"),
    "summary": ("Resumen", r"resumen(?: ejecutivo| del incidente)?|vision general"),
    "impact": ("Impacto", r"impactos?(?: .*)?"),
    "timeline": (
        "Cronología",
        r"cronologia|linea (?:de|del) tiempo|¿?que (?:paso|ocurrio|sucedio)\??",
    ),
    "cause": ("Causa raíz", r"causas?(?: raiz)?|analisis de (?:la )?causa.*|desencadenante"),
    "before": ("Incidentes anteriores", r"incidentes (?:relacionados|anteriores|previos)"),
    "done": (
        "Qué se hizo",
        r"que se hizo|resolucion|mitigacion|respuesta|remediacion|recuperacion",
    ),
    "picture": ("Eventos por minuto", r"eventos por minuto|tasa de errores"),
    "monitoring": (
        "Por qué la monitorización no lo vio antes",
        r"deteccion|monitor(?:izacion|eo)|por que (?:la|el) monitor.*",
    ),
    "tests": (
        "Por qué pasó las pruebas y la CI",
        r"pruebas y ci|por que .*pruebas.*|factores contribuyentes|prevencion",
    ),
    "items": (
        "Acciones",
        r"acciones(?: correctivas)?|elementos de accion|proximos pasos|plan de accion",
    ),
    "revisit": ("Cuándo revisarlo", r"revision|cuando (?:revisar|volver).*|fecha de revision"),
    "proofs": (
        "Evidencias",
        r"evidencias?|referencias|enlaces|mas informacion|informacion adicional|anexos?",
    ),
    "options": (
        "Opciones consideradas",
        r"(?:opciones|alternativas)(?: (?:consideradas|evaluadas).*)?",
    ),
    "context": (
        "Contexto",
        r"contexto(?: .*)?|(?:planteamiento del )?problema|antecedentes|motivacion|introduccion",
    ),
    "decision": ("Decisión", r"decision(?:es)?(?: .*)?|resultado de la decision|solucion"),
    "consequences": (
        "Consecuencias",
        r"consecuencias(?: .*)?|implicaciones|resultados?|lecciones aprendidas",
    ),
}
FRENCH = {
    "status": ("Statut", r"statut|etat|status"),
    "date": ("Date", r"date"),
    "summary": ("Résumé", r"resume(?: de l'incident)?|synthese"),
    "impact": ("Impact", r"impacts?(?: sur .*)?"),
    "timeline": ("Chronologie", r"chronologie|deroulement|ce qui s'est passe"),
    "cause": ("Cause", r"causes?(?: racines?| profondes?)?|analyse des causes.*|declencheur"),
    "before": ("Incidents précédents", r"incidents (?:lies|precedents|anterieurs|similaires)"),
    "done": (
        "Ce qui a été fait",
        r"ce qui a ete fait|resolution|attenuation|reponse|remediation|retablissement",
    ),
    "picture": ("Événements par minute", r"evenements par minute|taux d'erreurs?"),
    "monitoring": (
        "Pourquoi la surveillance ne l'a pas vu plus tôt",
        r"detection|surveillance|supervision|pourquoi la s.*",
    ),
    "tests": (
        "Pourquoi les tests et la CI l'ont laissé passer",
        r"tests et ci|pourquoi .*tests.*|facteurs contributifs|prevention",
    ),
    "items": ("Actions", r"actions(?: correctives)?|prochaines etapes|plan d'actions?"),
    "revisit": ("À revoir quand", r"revision|date de revision|(?:a|quand) (?:revoir|reexaminer).*"),
    "proofs": (
        "Preuves",
        r"preuves?|references|liens|plus d'informations?|informations complementaires|annexes?",
    ),
    "options": (
        "Options envisagées",
        r"(?:options|alternatives|solutions)(?: (?:envisagees|considerees|etudiees).*)?",
    ),
    "context": ("Contexte", r"contexte(?: .*)?|(?:enonce du )?probleme|motivation|introduction"),
    "decision": ("Décision", r"decisions?(?: .*)?|resultat de la decision|solution retenue"),
    "consequences": (
        "Conséquences",
        r"(?:consequences|impacts)(?: (?:positi|negati).*)?|implications|resultats?|enseignements|lecons.*",
    ),
}
ITALIAN = {
    "status": ("Stato", r"stato|status"),
    "date": ("Data", r"data"),
    "summary": ("Riepilogo", r"sommario|riepilogo|sintesi"),
    "impact": ("Impatto", r"impatto(?: .*)?"),
    "timeline": ("Cronologia", r"cronologia|linea temporale|(?:che )?cosa e successo"),
    "cause": ("Causa", r"caus[ae](?: (?:radice|principal[ei]))?|analisi delle cause.*"),
    "before": ("Incidenti precedenti", r"incidenti (?:correlati|precedenti|simili)"),
    "done": (
        "Che cosa è stato fatto",
        r"(?:che )?cosa e stato fatto|risoluzione|mitigazione|risposta|ripristino",
    ),
    "picture": ("Eventi al minuto", r"eventi al minuto|tasso di errori"),
    "monitoring": (
        "Perché il monitoraggio non l'ha visto prima",
        r"rilevamento|monitoraggio|perche il monitor.*",
    ),
    "tests": (
        "Perché è passato per i test e la CI",
        r"test e ci|perche .*test.*|fattori contribuenti|prevenzione",
    ),
    "items": ("Azioni", r"azioni(?: correttive)?|prossimi passi|piano d'azione"),
    "revisit": ("Quando rivederlo", r"revisione|quando (?:riveder|riesamin).*|data di revisione"),
    "proofs": (
        "Prove",
        r"prove|evidenze|riferimenti|collegamenti|(?:ulteriori|maggiori) informazioni|allegati",
    ),
    "options": ("Opzioni considerate", r"(?:opzioni|alternative)(?: (?:considerate|valutate).*)?"),
    "context": (
        "Contesto",
        r"contesto(?: .*)?|(?:descrizione del )?problema|motivazione|introduzione",
    ),
    "decision": ("Decisione", r"decision[ei](?: .*)?|esito della decisione|soluzione"),
    "consequences": (
        "Conseguenze",
        r"conseguenze(?: .*)?|implicazioni|risultat[io]|lezioni apprese",
    ),
}
DUTCH = {
    "status": ("Status", r"status"),
    "date": ("Datum", r"datum"),
    "summary": ("Samenvatting", r"samenvatting|overzicht"),
    "impact": ("Impact", r"impact|gevolgen voor .*"),
    "timeline": ("Tijdlijn", r"tijdlijn|chronologie|verloop|wat (?:is er gebeurd|er gebeurde)"),
    "cause": ("Oorzaak", r"(?:hoofd|grond)?oorza(?:ak|ken)(?:analyse)?"),
    "before": ("Eerdere incidenten", r"(?:eerdere|gerelateerde) incidenten"),
    "done": ("Wat er is gedaan", r"wat (?:er )?is gedaan|herstel|mitigatie"),
    "picture": ("Gebeurtenissen per minuut", r"gebeurtenissen per minuut|foutpercentage"),
    "monitoring": (
        "Waarom de monitoring het niet eerder zag",
        r"detectie|monitoring|waarom de monitoring.*",
    ),
    "tests": (
        "Waarom het door tests en CI kwam",
        r"tests en ci|waarom .*tests.*|bijdragende factoren|preventie",
    ),
    "items": (
        "Acties",
        r"acti(?:es|epunten)|vervolg(?:stappen|acties)|volgende stappen|maatregelen",
    ),
    "revisit": ("Wanneer herzien", r"herziening|evaluatiedatum|wanneer (?:herzien|opnieuw).*"),
    "proofs": (
        "Bewijs",
        r"bewijs(?:stukken)?|referenties|verwijzingen|links|meer informatie|bijlagen?",
    ),
    "options": ("Overwogen opties", r"(?:(?:overwogen|beschouwde) )?(?:opties|alternatieven)"),
    "context": (
        "Context",
        r"context(?: .*)?|achtergrond|probleem(?:stelling)?|aanleiding|inleiding",
    ),
    "decision": (
        "Besluit",
        r"besluit(?:vorming)?|beslissing(?:en)?|uitkomst(?: .*)?|oplossing|keuze",
    ),
    "consequences": (
        "Gevolgen",
        r"(?:gevolgen|consequenties)|implicaties|resultaten|(?:geleerde )?lessen",
    ),
}


def _language(code: str, words: Mapping[str, tuple[str, str]]) -> Language:
    return Language(
        code, {k: v for k, (v, _) in words.items()}, {k: v for k, (_, v) in words.items()}
    )


IN_ENGLISH = Language("en", {}, ENGLISH)
LANGUAGES = (
    IN_ENGLISH,
    _language("de", GERMAN),
    _language("pt", PORTUGUESE),
    _language("es", SPANISH),
    _language("fr", FRENCH),
    _language("it", ITALIAN),
    _language("nl", DUTCH),
)
_FACTS: Mapping[str, str] = {
    "status": "|".join(language.asked["status"] for language in LANGUAGES),
    "date": "|".join(language.asked["date"] for language in LANGUAGES),
    "people": r"deciders?|decision[- ]makers?|auth?or(?:es|s|en|in)?|owners?|entscheid(?:er|ende)|beteiligte|verfasser|decideurs?|auteurs?"
    r"|decisor(?:es)?|responsave(?:l|is)|responsables?|decisori|autor[ei]|beslissers?|eigenaar",
}


def plain(text: str) -> str:
    """In small letters, without accents, marks, pictures, numbers in front and what stands in brackets."""
    text = (
        "".join(c for c in text if unicodedata.category(c) not in ("So", "Sk", "Mn", "Cf"))
        .replace("&", "and")
        .strip()
    )
    text = re.sub(r"\s+", " ", re.sub(r"[*_`?!:¿]|\(.*?\)|^\d+(?:\.\d+)*[.)]?\s", "", text)).strip()
    letters = unicodedata.normalize("NFKD", text.replace("’", "'")).casefold()
    return "".join(c for c in letters if not unicodedata.combining(c))


def fact(key: str) -> str | None:
    """`status`, `date` or `people`, for what a template's front matter or first lines call it in any of the languages."""
    name = plain(key)
    return next((known for known, pattern in _FACTS.items() if re.fullmatch(pattern, name)), None)


def heading(text: str) -> bool:
    """Whether this asks for a part in any of the languages."""
    return any(language.key(text) is not None for language in LANGUAGES)


def language_of(headings: Sequence[str], *, needed: Sequence[str]) -> Language | None:
    """The language that knows most of the headings; None where none knows three of them, or half of those that are needed.

    *Status* and *Date* are the same in many languages: they count for none.
    """

    def known(language: Language) -> int:
        return sum(language.key(text) not in (None, "status", "date") for text in headings)

    foreign = any(not text.isascii() for text in headings)
    best = max(LANGUAGES, key=lambda one: (known(one), foreign == (one is not IN_ENGLISH)))
    asked = [text for text in needed if fact(text) is None]
    return best if known(best) >= min(3, max(1, (len(asked) + 1) // 2)) else None
