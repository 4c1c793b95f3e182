"""Phase 1, the picture: what burns, since when, who is hit, and what is loud but no new fire."""
