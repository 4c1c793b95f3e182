"""Settings and catalogue: read, cleaned, refused with every fault at once."""
