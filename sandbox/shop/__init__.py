"""A small shop in production: a real process, a real repository, real deploys to break."""
