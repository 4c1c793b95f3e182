"""Block Kit: reading blocks, and the checks that Slack makes before it takes them."""
