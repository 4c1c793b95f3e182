"""Commands of `firebreak` besides the bot itself."""
