"""Templates of decision records as other projects publish them."""

from __future__ import annotations

import re

from phases.postmortem.adr import adr_text
from tests.support.values import incidents
from tests.support.values.incidents import NAMES

MADR = """\
---
# These are optional metadata elements. Feel free to remove any of them.
status: "{proposed | rejected | accepted | deprecated | … | superseded by ADR-0123}"
date: {YYYY-MM-DD when the decision was last updated}
decision-makers: {list everyone involved in the decision}
consulted: {list everyone whose opinions are sought}
layout: decision
tags: [adr]
---

# {short title, representative of solved problem and found solution}

## Context and Problem Statement

{Describe the context and problem statement.}

<!-- This is an optional element. Feel free to remove. -->
## Decision Drivers

* {decision driver 1}

## Considered Options

* {title of option 1}

## Decision Outcome

Chosen option: "{title of option 1}", because {justification}.

<!-- This is an optional element. Feel free to remove. -->
### Consequences

* Good, because {positive consequence}

<!-- This is an optional element. Feel free to remove. -->
### Confirmation

{Describe how}

<!-- This is an optional element. Feel free to remove. -->
## Pros and Cons of the Options

### {title of option 1}

* Good, because {argument a}

## More Information

{You might want to provide additional evidence.}
"""
"""https://github.com/adr/madr/blob/4.0.0/template/adr-template.md, shortened."""

NYGARD = """\
# NUMBER. TITLE

Date: DATE

## Status

STATUS

## Context

The issue motivating this decision, and any context that influences or constrains the decision.

## Decision

The change that we're proposing or have agreed to implement.

## Consequences

What becomes easier or more difficult to do and any risks introduced by the change that will need \
to be mitigated.
"""
"""https://github.com/npryce/adr-tools/blob/master/src/template.md"""

POSTMORTEM = """\
PM-XXXX: [Title]
================

* Status: [draft | final]
* Authors: [names]
* Severity: [SEV]

## Summary
What happened, in two sentences.

## Impact

## Root Causes

## Trigger

## Resolution

## Detection

## Action Items

| Action | Owner |
| --- | --- |

## Lessons Learned

### What went well

## Timeline
```text
# not a heading
```

## Sign-off
"""


def headings(text: str) -> list[str]:
    body = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    return re.findall(r"^#+ .+$", body, re.MULTILINE)


def written(template: str) -> str:
    return adr_text(incidents.incident(adr=None), incidents.entries(), 7, NAMES, template)
