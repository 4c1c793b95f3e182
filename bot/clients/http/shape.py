"""The base of the models that answers of outside systems are read into."""

from pydantic import BaseModel, ConfigDict


class Shape(BaseModel):
    """The parts of an answer that are used; what else it holds is ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True)
