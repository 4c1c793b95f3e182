"""The rules: what happens in an incident, one package a phase.

No Slack, no Redis, no HTTP, no clock, no dice.
"""
