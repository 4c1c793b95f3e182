"""Work that comes with time: due timers, the watch after deploys, monthly trends."""
