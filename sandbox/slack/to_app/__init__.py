"""Everything that Slack sends to an app: commands, interactions, events and the answers to them."""
