"""What happens in an incident: the rules, one file a phase. No Slack, no Redis, no HTTP, no clock, no dice."""
