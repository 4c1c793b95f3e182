"""Phase 1: who is hit, since when, and what to do."""
