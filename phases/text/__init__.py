"""Text: made harmless, cut, counted, written as Markdown."""
