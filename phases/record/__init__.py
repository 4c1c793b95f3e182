"""The record of an incident and the values in it."""
