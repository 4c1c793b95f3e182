"""Parts of a step that every phase shares: a change, its rounds, what is announced, the end."""
