"""The value that all findings, records and answers are made of."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Value(BaseModel):
    """An immutable value. Unknown keys, which a newer bot wrote, are kept."""

    model_config = ConfigDict(frozen=True, extra="allow")
