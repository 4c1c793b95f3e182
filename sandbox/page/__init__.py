"""The sandbox's web page: a small Slack workspace on the left, the world it lives in on the right."""
