"""The sandbox's web page: a small Slack workspace on the left, its world on the right."""
