"""Phase 4: channel, ticket, people, evidence."""
