"""Git by subprocess: a service's local clone."""
