"""A local GitHub: one repository with what a deploy, a revert and a root cause need, and its webhooks."""
