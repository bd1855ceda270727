"""The text tower: a vector per node, computed from texts that describe it."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from cladewise.backbones.text import TextEncoder, Tokens, embedded_texts
from cladewise.backbones.text.store import CHUNK
from cladewise.errors import InputError
from cladewise.taxonomy.class_texts import ClassTexts
from cladewise.tracing import is_traced


class TextTower(nn.Module):
    r"""One unit vector per node: the normalised mean of the unit vectors of its encoded and projected texts.

    .. math:: t_v = \operatorname{unit}\Big(\sum_{x \in \text{texts of}\ v} \operatorname{unit}(P\,e(x))\Big)

    The projection P starts as the identity if the encoder's features already have the width. A tuned encoder is part of
    the tower; of a frozen one only the text features are kept.

    In evaluation, and for nodes that :meth:`foresee` excludes, vectors are computed once, in chunks of texts, and
    cached until a weight changes.

    Args:
        texts: Texts of every node.
        encoder: The text encoder.
        width: Length of the vectors.
        tuned: Whether the encoder is trained.
        chunk: Number of texts encoded at once.

    Raises:
        InputError: The width is not positive.

    Example:
        >>> from cladewise import Taxonomy
        >>> from cladewise.backbones import text
        >>> from cladewise.taxonomy.class_texts import class_texts
        >>> t = Taxonomy.from_paths([("bird", "wren"), ("bird", "warbler")])
        >>> TextTower(class_texts(t), text.load("characters"), 16)().shape  # one row per node, 0 for the root
        torch.Size([4, 16])

    References: Radford et al., Learning transferable visual models from natural language supervision, ICML 2021,
        arXiv:2103.00020 (the mean over prompts, in the space of embeddings).
    """

    text_features: Tensor | None
    ids: Tensor | None
    present: Tensor | None
    node: Tensor

    def __init__(
        self, texts: ClassTexts, encoder: TextEncoder, width: int, *, tuned: bool = True, chunk: int = CHUNK
    ) -> None:
        super().__init__()
        if width < 1:
            raise InputError("an embedding of at least 1 number", width)
        self.num_nodes, self.width, self.chunk = texts.num_nodes, width, chunk
        self.encoder = encoder if tuned else None
        tokens = encoder.tokens(texts.texts) if tuned else None
        self.register_buffer("ids", None if tokens is None else tokens.ids, persistent=False)
        self.register_buffer("present", None if tokens is None else tokens.present, persistent=False)
        self.register_buffer("text_features", None if tuned else embedded_texts(encoder, texts.texts))
        self.register_buffer("node", torch.from_numpy(texts.node), persistent=False)
        self.projection = nn.Linear(encoder.num_features, width, bias=False)
        if encoder.num_features == width:
            nn.init.eye_(self.projection.weight)
        self._foreseen: Tensor | None = None
        self._kept: tuple[object, Tensor] | None = None

    def foresee(self, nodes: Int[Tensor, " some"] | None) -> None:
        """Set the nodes that the next loss uses; the others then need no gradient. ``None`` for all."""
        self._foreseen = None if nodes is None else nodes.unique()

    def forward(self) -> Float[Tensor, "node width"]:
        """The vector of every node, 0 for the root."""
        if not self.training:
            return self._all_kept()
        if self._foreseen is None or self.encoder is None:
            return self._vectors(torch.arange(len(self.node), device=self.node.device))
        texts = torch.nonzero(torch.isin(self.node, self._foreseen)).squeeze(1)
        foreseen, self._foreseen = self._foreseen, None
        fresh = self._vectors(texts)
        kept = self._all_kept(stale=True)
        table = kept.index_copy(0, foreseen, fresh.index_select(0, foreseen))
        self._kept = (None, table.detach())
        return table

    def __call__(self) -> Float[Tensor, "node width"]:
        return super().__call__()

    def _all_kept(self, *, stale: bool = False) -> Float[Tensor, "node width"]:
        """Cached vectors of all nodes, recomputed if a weight has changed unless ``stale`` is set."""
        if is_traced() and self._kept is not None:
            return self._kept[1]
        state = tuple((p.data_ptr(), p._version) for p in self.parameters())
        if self._kept is None or (not stale and self._kept[0] != state) or self._kept[1].device != self.node.device:
            learning = self.training
            with torch.inference_mode(False), torch.no_grad():
                vectors = self.eval()._vectors(torch.arange(len(self.node), device=self.node.device))
            self.train(learning)
            self._kept = (state, vectors)
        return self._kept[1]

    def _vectors(self, texts: Int[Tensor, " text"]) -> Float[Tensor, "node width"]:
        """Vectors of the nodes described by the given texts, 0 for the others."""
        sums = torch.zeros(self.num_nodes, self.width, device=self.node.device)
        for part in texts.split(self.chunk):
            unit = F.normalize(self.projection(self._features(part)).float(), dim=-1, eps=1e-6)
            sums = sums.index_add(0, self.node[part], unit)
        return F.normalize(sums, dim=-1, eps=1e-6)

    def _features(self, texts: Int[Tensor, " text"]) -> Float[Tensor, "text feature"]:
        if self.encoder is None:
            assert self.text_features is not None
            return self.text_features[texts]
        assert self.ids is not None
        assert self.present is not None
        return self.encoder(Tokens(self.ids, self.present)[texts])
