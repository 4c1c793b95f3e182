"""A local Slack workspace on the wire, and the people in it."""
