"""Phase 1, reading: the questions of one triage to the outside, and their answers as values."""
