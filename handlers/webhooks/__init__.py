"""HTTP routes that other programs call, and Slack's own."""
