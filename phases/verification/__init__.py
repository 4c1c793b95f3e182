"""Phase 5: re-check after an action, and the guard after recovery."""
