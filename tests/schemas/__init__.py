"""Hold what the local systems are asked, answer and send against the real systems' own descriptions."""
