"""People: a person blamed by name. What a person did stands in the record; a post-mortem asks what
made it possible (https://sre.google/sre-book/postmortem-culture/).
"""

import re
from collections.abc import Iterator

from phases.postmortem.contradictions.case import Case, contradiction, quoted
from phases.record.documents import Contradiction

_UNDONE = (
    r"(?:test|check|review|read|follow|notice|think|verify|run|look|bother|validate|ask|tell|wait"
    r"|update|communicate|escalate|double|catch|pay|understand|realise|realize|consider|use"
    r"|set|add|write|announce|monitor|watch|inform|warn|back|stop|take)"
)
_ONLY_PEOPLE = (
    r"forgot(?:ten)?|forgets|neglect(?:ed|s)|overlooked|carelessly|careless|sloppy|sloppiness"
    r"|negligent|negligence|carelessness|mistakenly|fat[- ]finger(?:ed)?|mistyp(?:ed|es)|rushed"
    r"|screwed up|messed up|botched|bungled|slipped up|blundered|misread|misunderstood|cut corners"
    r"|did(?:n't| not| n’t|n’t) bother|(?:should|ought to) have (?:known|been)|(?:was|were)(?:n't"
    r"|n’t| not) paying|lazy|incompetent|inexperienc|lack of care|assumed|disregarded"
    r"|.{0,60}\b(?:although|though) (?:he|she|they) (?:\w+ )?knew|.{0,60}despite knowing"
)
_ANYBODY = (
    r"failed to|ignored|missed|skipp(?:ed|ing)|bypass(?:ed|ing)|broke|brought down|took down"
    r"|took (?:\w+ ){1,3}down|brought (?:\w+ ){1,3}down|knocked|accidentally|wrongly|erroneously"
    r"|by (?:mistake|accident)|in error|improperly|incorrectly|prematurely|recklessly|hastily"
    r"|(?:should|could|ought to)(?: have|'ve|n't have|n’t have| not have)\b|had not\b|hadn[’']t\b"
    rf"|did(?: not|n[’']t) (?:properly |even |actually |also )?{_UNDONE}|without (?:\w+ ){{0,2}}"
    r"(?:test|check|review|ask|read|tell|run|approv|verif|look|wait|warn|consult|notify|thinking"
    r"|validat|permission|dry|a second|anyone|backup|back)\w*"
    r"|caused (?:the|this|an|our)|is to blame|was to blame|responsible for (?:the|this|caus|break)"
    r"|let \w+ (?:\w+ )?(?:through|slip|lapse|expire)|(?:deleted|ran|chose|picked|pushed|deployed"
    r"|used|pasted|restored|edited|dropped|merged|selected|sent|typed|entered|changed) the wrong"
)
_PEOPLE_FAULT = re.compile(rf"\b(?:{_ONLY_PEOPLE})", re.IGNORECASE)
_FAULT = re.compile(rf"\b(?:{_ONLY_PEOPLE}|{_ANYBODY})", re.IGNORECASE)
_WORSE = (
    r"(?:own )?(?:mistake|fault|error|oversight|carelessness|negligence|blunder|typo|bad (?:change"
    r"|commit|merge|push|deploy|call)|sloppiness|failure to|inattention|inexperience|decision to"
    r"|refusal to|bug|poor \w+|lack of|misjudge?ment|haste|faulty \w+|broken \w+)"
)
_TO_BLAME = (
    r"(?:blame(?:s|d)?(?: lies with| goes to| is on| falls on| on)?|fault of|mistake by"
    r"|caused by|error (?:by|of|made by)|mistake of|negligence (?:by|of)"
    r"|oversight (?:by|of|on the part of)"
    r"|because of|due to|thanks to|had only|if only|had|responsib\w+ (?:lies with|of|falls on))"
)
_HUMAN = re.compile(r"\b(?:human|operator|user|pilot|engineer|developer)s?[- ]?error\b", re.I)
_NAME = r"[A-Z][a-zà-ÿ]{2,15}(?:[ -][A-Z][a-zà-ÿ]+)?"
_NO_NAME = re.compile(
    r"The|This|That|These|Those|There|Nobody|Everybody|Someone|Somebody|Everyone|Anyone|We"
    r"|They|It|He|She|You|Our|Their|His|Her|Its|And|But|Because|When|While|After|Before|Since"
    r"|Then|Also|However|Although|Both|Each|One|Two|Three|No|None|Not|All|Any|Some|Most|Many"
    r"|Few|Neither|Either|What|Which|Who|Why|How|Where|If|As|At|In|On|For|From|With|Without|By"
    r"|Of|To|Until|During|People|Engineers|Developers|Operators|Reviewers|Reviewer|Support"
    r"|Monitoring|Alerting|Tests|Customers|Users|Sentry|Redis|Postgres|Kubernetes|Slack|Github"
    r"|Grafana|Datadog|Linear|Kafka|Checkout|Cart|Payment|Payments|Search|Deploy|Deploys"
    r"|Production|Staging|Root|Cause|Code|Review|Had|Having|Once"
)
"""Words that begin a sentence, and names of systems."""
_MENTION = r"<@[UW][A-Z0-9]+(?:\|[^>]*)?>|@[A-Za-z][\w.-]+"


def blamed_people(case: Case) -> Iterator[Contradiction]:
    """A sentence in which somebody with a name did wrong; *human error* names nobody and ends all
    questions, which is as bad."""
    known = _known_names(case)
    for part, sentence in case.sentences():
        if part == "revisit":
            continue
        if _HUMAN.search(sentence) and not re.search(r"\bnot (?:a )?human\b", sentence, re.I):
            says = f"{quoted(sentence)}: human error is where the questions begin. What allowed it?"
            yield contradiction("blame", part, says, sentence)
        elif blames_person(sentence, known):
            says = f"{quoted(sentence)} blames a person. What made it possible?"
            yield contradiction("blame", part, says, sentence)


def _known_names(case: Case) -> frozenset[str]:
    """Return the names of people that the record knows, whole and first ones."""
    walked = case.incident.investigation
    near = (walked.nearest,) if walked and walked.nearest else ()
    authors = [suspect.author for suspect in (*case.incident.suspects, *near)]
    whole = [name.strip() for name in (*case.names.values(), *authors) if name.strip()]
    owners = (item.owner for item in case.parts.items if not item.owner.startswith("<@"))
    whole += [owner.strip() for owner in owners if re.fullmatch(_NAME, owner.strip())]
    first = (name.split()[0] for name in whole)
    return frozenset(name for name in (*whole, *first) if len(name) > 2)


def blames_person(sentence: str, known: frozenset[str]) -> bool:
    names = "|".join(sorted((re.escape(name) for name in known), key=len, reverse=True))
    known_ones = rf"|(?<!\w)(?:{names})(?!\w)" if names else ""
    people = f"(?:{_MENTION}{known_ones})"
    if _does_wrong(sentence, re.compile(people), _FAULT):
        return True
    for match in re.finditer(rf"\b{_NAME}\b", sentence):
        if _NO_NAME.fullmatch(match[0].split()[0]) or match[0].lower() in ("human error",):
            continue
        # Of a word that may be a system's name only what no system does counts.
        if _does_wrong(sentence, re.compile(re.escape(match[0])), _PEOPLE_FAULT, near=True):
            return True
    return False


def _does_wrong(
    sentence: str, people: re.Pattern[str], fault: re.Pattern[str], *, near: bool = False
) -> bool:
    """Return whether somebody is said to have done wrong: behind the name, or as its own."""
    for match in people.finditer(sentence):
        behind = sentence[match.end() :]
        if re.match(rf"(?:'s|’s|')\s+(?:\w+ ){{0,2}}?{_WORSE}", behind, re.IGNORECASE):
            return True
        front = sentence[: match.start()]
        if re.search(r"\bif $", front, re.IGNORECASE) and re.match(r" had(?! been)\b", behind):
            return True
        if not near and re.search(rf"\b{_TO_BLAME}\s+(?:\w+ )?$", front, re.IGNORECASE):
            return not re.search(r"thanks to\s+(?:\w+ )?$", front, re.IGNORECASE)
        clause = re.split(r"[;:]|\bbut (?:the|our|no|it)\b", behind)[0]
        clause = clause[:60] if near else clause[:120]
        if re.match(r"(?:'s|’s|')\s", clause):  # a person's thing; what was done to it is no fault
            clause = re.split(r"\b(?:was|were|had been|went)\b", clause)[0]
        wrong = fault.match(clause.lstrip(" ,")) if near else fault.search(clause)
        if wrong is not None and not _of_another(clause[: wrong.start()]):
            return True
    return False


def _of_another(between: str) -> bool:
    """Return whether another subject stands between the name and the fault."""
    return bool(
        re.search(
            r"\b(?:that|whether|why|what) (?!he\b|she\b|they\b)"
            r"|\b(?:because|as|when|since|after|while|which|and|where|how|before) "
            r"(?:the|a|an|our|its|no|this|that|these|their|every|each|it|\w+ing)\b"
            r"|\b(?:the|a|an|our) \w+(?: \w+)? (?:that|which) ",
            between,
            re.IGNORECASE,
        )
    )
