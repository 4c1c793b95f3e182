"""A local GitHub: one repository with its pull requests, deployments, runs and webhooks."""
