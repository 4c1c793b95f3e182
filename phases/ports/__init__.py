"""What the phases need from outside: protocols, and the values that they answer with."""
