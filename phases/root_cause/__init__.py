"""Phase 2: hypotheses, suspects, bisect, the cause."""
