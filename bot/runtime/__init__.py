"""The process: priorities, clock jumps, backoff, logs, redaction."""
