"""GitHub's REST and GraphQL APIs."""
