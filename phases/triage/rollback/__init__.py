"""Phase 1, going back: would a rollback end it, is it safe, and what is recommended."""
