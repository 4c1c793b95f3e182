"""The check of the local systems' requests, answers and webhooks.

It holds them against the real systems' own descriptions.
"""
