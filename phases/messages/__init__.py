"""All that can be reported to an incident (actions) and all that it wants done outside (effects)."""
