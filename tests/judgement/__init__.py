"""Incidents that are drawn with their true cause, and the bot's advice held against hindsight.

`python -m tests.judgement --worlds 1000 --seed 1` prints a table by kind of world and the worst
cases as stories. Nothing here looks at the rules: `kinds.py` says where the mix comes from.
"""
