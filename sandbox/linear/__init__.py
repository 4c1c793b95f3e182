"""A local Linear: teams, people and issues, on the wire as GraphQL, and its webhooks."""
