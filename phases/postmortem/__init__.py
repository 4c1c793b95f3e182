"""Phase 6: post-mortem, ADR, action items."""
