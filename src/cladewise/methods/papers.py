"""Citations shared by several methods."""

from __future__ import annotations

from cladewise.methods.method import Citation

ANCOR = Citation(
    "Bukchin, Schwartz, Saenko, Shahar, Feris, Giryes, Karlinsky",
    "Fine-grained angular contrastive learning with coarse labels",
    "CVPR",
    2021,
    "https://arxiv.org/abs/2012.03515",
)

BETTER_MISTAKES = Citation(
    "Bertinetto, Mueller, Tertikas, Samangooei, Lord",
    "Making better mistakes: leveraging class hierarchies with deep networks",
    "CVPR",
    2020,
    "https://arxiv.org/abs/1912.09393",
)

ENTAILMENT_CONES = Citation(
    "Dhall, Makarova, Ganea, Pavllo, Greeff, Krause",
    "Hierarchical image classification using entailment cone embeddings",
    "CVPR Workshops",
    2020,
    "https://arxiv.org/abs/2004.03459",
)

HIERARCHY_TRANSITION = Citation(
    "Wang, Cai, Xiao, Jia, Han, Meng",
    "Label hierarchy transition: delving into class hierarchies to enhance deep classifiers",
    "arXiv",
    2021,
    "https://arxiv.org/abs/2112.02353",
)

OPERATING_POINTS = Citation(
    "Valmadre",
    "Hierarchical classification at multiple operating points",
    "NeurIPS",
    2022,
    "https://arxiv.org/abs/2210.10929",
)
