"""The base of all values of the record."""

from pydantic import BaseModel, ConfigDict


class Value(BaseModel):
    """An immutable value. Unknown keys, which a newer bot wrote, are kept."""

    model_config = ConfigDict(frozen=True, extra="allow")
