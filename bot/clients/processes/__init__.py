"""Local processes that outlive the bot."""
