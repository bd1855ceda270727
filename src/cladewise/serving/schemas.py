"""Schemas of the responses, for the description of the interface in OpenAPI."""

from __future__ import annotations

from pydantic import BaseModel, Field


class Step(BaseModel):
    """A node on the path to an answer."""

    node: int = Field(description="Index of the node in the tree.")
    name: str
    level: str | None = Field(description="Name of its level; null where levels have no names.")
    probability: float = Field(ge=0, description="Probability at or under the node.")


class BestLeaf(BaseModel):
    """One of the most probable leaves."""

    node: int
    name: str
    label_path: str
    probability: float


class Rung(BaseModel):
    """An answer of hedging, from a caution on."""

    node: int
    probability: float
    caution: float = Field(description="Caution in bits from which on this node is the answer.")


class LevelAnswer(BaseModel):
    """The node of one level, by a rule that answers each level."""

    level: str | None
    node: int
    label: str
    label_path: str
    probability: float


class LabelAnswer(BaseModel):
    """One node of a set of labels."""

    node: int
    label: str
    label_path: str
    probability: float
    finest: bool = Field(description="Whether no other label of the set is below it.")


class Result(BaseModel):
    """The answer to one image, or the reason why it has none."""

    name: str = Field(description="Name that the image was sent under.")
    id: str = Field(description="SHA-256 of its bytes.")
    error: str | None = Field(description="Why there is no answer; null if there is one.")
    node: int | None = None
    label: str | None = None
    label_path: str | None = Field(None, description="Path of the node, which finds it in the tree.")
    probability: float | None = None
    new: bool | None = Field(None, description="Whether the class is new under the node, by rules that tell.")
    path: list[Step] | None = Field(None, description="From below the root to the node.")
    levels: list[LevelAnswer] | None = None
    labels: list[LabelAnswer] | None = None
    leaves: list[BestLeaf] | None = None
    ladder: list[Rung] | None = Field(None, description="Answers from the boldest to the root.")


class Prediction(BaseModel):
    """The answers to the images of a request, in their order."""

    model: str
    decision: str
    inference: str
    promise: float | None = Field(description="Share of right answers that the decision promises, if it does.")
    results: list[Result]


class ModelInfo(BaseModel):
    """A model of the server."""

    name: str
    title: str
    method: str
    num_nodes: int
    num_leaves: int
    levels: list[str]
    decision: str
    inference: str
    promise: float | None
    languages: list[str]
    default: bool
    weights: str = Field(description="Hash of the weights, which changes when the model is replaced.")


class LimitInfo(BaseModel):
    """Limits on requests."""

    images: int
    bytes: int
    pixels: int


class ModelList(BaseModel):
    """The models of the server."""

    models: list[ModelInfo]
    can_keep: bool = Field(description="Whether corrections are kept.")
    limits: LimitInfo


class Nodes(BaseModel):
    """The nodes of a tree, in depth-first order; the root has parent -1."""

    name: list[str]
    parent: list[int]
    level: list[str | None]


class Tree(BaseModel):
    """The tree of a model."""

    nodes: Nodes


class Position(BaseModel):
    """A position of the slider."""

    label: str
    share: float | None = Field(description="Share of right answers that is promised; null if none is.")
    caution: float = Field(description="Caution of hedging in bits.")
    specificity: float | None = Field(description="Mean information of the answers, as a share of that of leaves.")
    decision: str = Field(description="The decision to ask for.")


class SliderPositions(BaseModel):
    """Positions from bold to careful."""

    positions: list[Position]
    confidence: float = Field(description="Confidence of each promise.")
    images: int = Field(description="Number of images that the promises were proven on.")


class Kept(BaseModel):
    """A correction that is on disk."""

    id: str
    label_path: str
    changed: bool = Field(description="False if the same correction was kept before.")
    corrections: int = Field(description="Number of images in the table.")


class Reloaded(BaseModel):
    """A model that was loaded again."""

    name: str
    weights: str


class Health(BaseModel):
    """The state of the server."""

    status: str


class Error(BaseModel):
    """A mistake in a request, or a fault of the server."""

    expected: str
    got: str
    advice: str
    message: str = Field(description="All of it in one sentence.")


class ErrorBody(BaseModel):
    """The body of an answer with a status of 4xx or 5xx."""

    error: Error
