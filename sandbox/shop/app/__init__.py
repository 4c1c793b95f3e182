"""A small shop: a catalogue, a cart, and a till."""
