"""Contradictions of a post-mortem, named before and after it is written, never a reason to refuse.

Rules read the words of people: each names only what a careful reviewer would ask about, and a
person mends it or keeps it.
"""
