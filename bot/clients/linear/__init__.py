"""Linear's GraphQL API."""
