"""The knowledge loop: what is remembered, trends, compaction."""
