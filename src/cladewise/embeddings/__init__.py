"""Label embeddings that preserve the order of the tree: order embeddings, Euclidean and hyperbolic cones."""

from cladewise.embeddings.cones import EuclideanCones, HyperbolicCones
from cladewise.embeddings.embedding_run import embed
from cladewise.embeddings.geometries import available, make
from cladewise.embeddings.graph_reconstruction import reconstruction
from cladewise.embeddings.hypernym_edges import EdgeSplits, HypernymEdges, basic_edges, closure_edges, split_edges
from cladewise.embeddings.hypernyms import HypernymScores, HypernymTask
from cladewise.embeddings.label_geometry import Geometry
from cladewise.embeddings.label_picture import Picture, picture
from cladewise.embeddings.label_space import LabelSpace, Nearest
from cladewise.embeddings.max_margin import max_margin_loss
from cladewise.embeddings.negatives import Negatives, NegativeSampler
from cladewise.embeddings.optimisers import RiemannianSGD
from cladewise.embeddings.orthants import Order
from cladewise.embeddings.poincare_start import poincare_vectors
from cladewise.embeddings.thresholds import BestThreshold, EdgeScores, scores_at

__all__ = [
    "BestThreshold",
    "EdgeScores",
    "EdgeSplits",
    "EuclideanCones",
    "Geometry",
    "HyperbolicCones",
    "HypernymEdges",
    "HypernymScores",
    "HypernymTask",
    "LabelSpace",
    "Nearest",
    "NegativeSampler",
    "Negatives",
    "Order",
    "Picture",
    "RiemannianSGD",
    "available",
    "basic_edges",
    "closure_edges",
    "embed",
    "make",
    "max_margin_loss",
    "picture",
    "poincare_vectors",
    "reconstruction",
    "scores_at",
    "split_edges",
]
