"""Actions: everything that can be reported to an incident. Effects: everything it wants done."""
