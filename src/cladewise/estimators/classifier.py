"""A hierarchical classifier with the interface of scikit-learn."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self, cast

import numpy as np
import safetensors.torch
import torch
from jaxtyping import Float
from numpy.typing import NDArray

from cladewise import methods
from cladewise.catalogue import check_name
from cladewise.datasets import Dataset
from cladewise.datasets.splitting import hold_out
from cladewise.decisions import Decision, Leaf, Nodes
from cladewise.engine.classifier import Classifier, FeatureScaling
from cladewise.engine.devices import preferred_device
from cladewise.engine.rules import decision_of, inference_of
from cladewise.engine.training.in_memory import fit_features
from cladewise.errors import InputError, MissingExtraError
from cladewise.estimators.hierarchies import taxonomy_of
from cladewise.estimators.labels import UNKNOWN, LabelForm, in_order, read_labels
from cladewise.inference import Inference
from cladewise.inference.columns import needs_columns
from cladewise.methods import Method
from cladewise.metrics import level_correct
from cladewise.ops import at_levels
from cladewise.predictions import Fittable, Prediction
from cladewise.records import BackboneConfig, TrainingConfig, settings
from cladewise.taxonomy import Taxonomy
from cladewise.taxonomy.level_choice import one_level

try:
    from sklearn.base import BaseEstimator, ClassifierMixin
    from sklearn.utils import check_random_state
    from sklearn.utils.validation import (
        _check_sample_weight,  # pyright: ignore[reportPrivateUsage] -- what estimators of other packages use
        check_is_fitted,
        validate_data,
    )
except ImportError as error:
    raise MissingExtraError("scikit-learn", "sklearn") from error

CELLS_AT_ONCE = 1 << 23
"""Number of (image, node) cells that are worked on at a time, 32 MB in single precision."""
DEVICES = ("auto", "cpu", "cuda", "mps")
"""Devices to train on."""
_ARGUMENTS = {"optimizer": "solver", "lr": "learning_rate", "weight_decay": "alpha", "epochs": "max_iter"}
IntArray = NDArray[np.int64]


class HierarchicalClassifier(ClassifierMixin, BaseEstimator):
    r"""A method on arrays of features, as a scikit-learn classifier.

    The head, the loss, the inference and the decision are those of a run on a frozen encoder
    (:func:`cladewise.train` with ``freeze=True``), and so are the steps of training. Arithmetic is in the precision of
    ``X``: single if it is float32, double otherwise. Any estimator of features can come before it in a pipeline.

    Args:
        method: A method, or its name: see ``cladewise list methods``.
        options: Hyper-parameters of the method, if ``method`` is a name.
        hierarchy: The label tree, in any form that :func:`~cladewise.estimators.taxonomy_of` takes: a ``Taxonomy``, a
            file, edges, a ``networkx.DiGraph`` or a dict. By default it is made from the labels: paths and padded
            arrays are its branches, and single values are flat classes.
        separator: Text between the names of a path, for labels that are paths in one text, as in ``"/"``.
        inference: A rule or its spec; the method's own by default, ``"none"`` for none.
        decision: A rule or its spec, with one node per image; by default the method's own if it is such a rule and has
            nothing to learn, otherwise ``"leaf"``.
        scaling: Scaling of the features: ``"standardise"``, ``"l2"`` (as in runs) or ``"none"``.
        max_iter: Passes over the images (epochs).
        batch_size: Images per step.
        solver: ``"sgd"``, ``"adam"`` or ``"adamw"``; by default the method's own, which is ``"sgd"`` for most.
        learning_rate: Learning rate at the start; the method's own by default.
        schedule: ``"cosine"``: the learning rate falls to 0; ``"constant"``.
        alpha: Weight decay; the method's own by default.
        momentum: Momentum of SGD; the method's own by default.
        validation_fraction: Share of the images that is held out of training to fit rules that learn, such as
            ``decision="hedging:guarantee=0.9"``; stratified, with at least one image of each label left to train on.
            Not used if no rule learns.
        random_state: Seed of the weights and of the order of images: a number, a ``RandomState``, or ``None`` for other
            weights in each fit.
        device: ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"mps"`` to train on; predictions are computed on the CPU.

    Attributes:
        classes_: Labels of the leaves, sorted, in the order of the columns of :meth:`predict_proba`.
        taxonomy_: The label tree.
        level_classes_: For each level, the labels of the columns of :meth:`predict_level_proba`.
        inference_: The inference, fitted if it learns; ``None`` for none.
        decision_: The decision, fitted if it learns.
        label_form_: The form of the labels, in which predictions are returned.
        n_features_in_: Number of features.
        feature_names_in_: Names of the features, if ``X`` had names.
        n_iter_: Number of passes over the images.

    Example:
        >>> import numpy as np
        >>> X = np.repeat(np.eye(3), 20, axis=0)
        >>> y = np.repeat([("fruit", "apple"), ("fruit", "pear"), ("tool", "")], 20, axis=0)
        >>> model = HierarchicalClassifier(random_state=0).fit(X, y)
        >>> model.predict(np.eye(3)).tolist()
        [['fruit', 'apple'], ['fruit', 'pear'], ['tool', '']]
        >>> model.classes_.tolist(), model.predict_proba(np.eye(3)).shape
        ([('fruit', 'apple'), ('fruit', 'pear'), ('tool',)], (3, 3))
        >>> {level: probability.shape for level, probability in model.predict_level_proba(np.eye(3)).items()}
        {'level_1': (3, 2), 'level_2': (3, 3)}
    """

    # set by fit
    taxonomy_: Taxonomy
    method_: Method
    label_form_: LabelForm
    network_: Classifier
    inference_: Inference | None
    decision_: Decision
    classes_: NDArray[Any]
    n_features_in_: int
    n_iter_: int

    def __init__(
        self,
        method: str | Method = "hxe",
        *,
        options: Mapping[str, Any] | None = None,
        hierarchy: Any = None,
        separator: str | None = None,
        inference: str | Inference | None = None,
        decision: str | Decision | None = None,
        scaling: str = "standardise",
        max_iter: int = 100,
        batch_size: int = 128,
        solver: str | None = None,
        learning_rate: float | None = None,
        schedule: str = "cosine",
        alpha: float | None = None,
        momentum: float | None = None,
        validation_fraction: float = 0.2,
        random_state: int | np.random.RandomState | None = None,
        device: str = "auto",
    ) -> None:
        self.method = method
        self.options = options
        self.hierarchy = hierarchy
        self.separator = separator
        self.inference = inference
        self.decision = decision
        self.scaling = scaling
        self.max_iter = max_iter
        self.batch_size = batch_size
        self.solver = solver
        self.learning_rate = learning_rate
        self.schedule = schedule
        self.alpha = alpha
        self.momentum = momentum
        self.validation_fraction = validation_fraction
        self.random_state = random_state
        self.device = device

    # ---------------------------------------------------------------- fitting

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train on features and labels.

        Args:
            X: Features, ``[image, feature]``; an array or a data frame.
            y: Labels: names, ids or paths of ``hierarchy``, or flat classes; a list of tuples of names; or a padded
                array with a column per level, as hiclass takes them, where ``""``, ``None`` and NaN stand for levels
                that a label does not have. Labels at internal nodes are labels of which nothing finer is known.
            sample_weight: Weight of each image, not negative. If ``batch_size`` covers all images, a weight of 2 equals
                the image given twice; with smaller batches this holds on average. Rules that learn are fitted without
                weights, to the held-out images with a weight above 0.

        Raises:
            InputError: An option is wrong, a label is not in the hierarchy or names several of its nodes, or a rule
                needs more than features.
        """
        features = self._validated(X, y)
        weights = None
        if sample_weight is not None:
            weights = _check_sample_weight(sample_weight, features, dtype=features.dtype, ensure_non_negative=True)
        check_name(DEVICES, "device", self.device)
        method = self._method()
        training, scaling = self._training(method), settings(BackboneConfig, {"scaling": self.scaling}).scaling
        decision = decision_of(self.decision, method.watched())
        inference = inference_of(self.inference, method.inference())
        for rule in (inference, decision):
            if needs_columns(rule):
                raise InputError("rules that need features alone", f"{getattr(rule, 'handle', rule)!r}")
        tree = None if self.hierarchy is None else taxonomy_of(self.hierarchy)
        form, nodes = read_labels(y, tree, separator=self.separator)
        if len(nodes) != len(features):
            raise InputError(f"a label for each of {len(features)} images", f"{len(nodes)} labels", at="y")
        seed = self._seed()
        learning = [rule for rule in (inference, decision) if isinstance(rule, Fittable) and not rule.is_fitted]
        rows = np.arange(len(nodes)) if weights is None else np.flatnonzero(weights > 0)
        trained, *held = self._divided(rows, nodes, form.taxonomy, len(learning), seed)
        device = preferred_device(self.device)
        precision = np.float32 if device.type == "mps" else features.dtype
        self.network_ = fit_features(
            method,
            form.taxonomy,
            torch.from_numpy(np.array(features[trained], dtype=precision)),
            nodes[trained],
            training,
            weights=None if weights is None else torch.from_numpy(weights[trained]),
            scaling=scaling,
            seed=seed,
            device=device,
        )
        self.method_, self.taxonomy_, self.label_form_ = method, form.taxonomy, form
        self.n_iter_ = max(1, training.epochs)
        self.inference_, self.decision_ = None, decision
        if inference is not None:
            self.inference_ = self._fitted(inference, features, nodes, held)
        self.decision_ = self._fitted(decision, features, nodes, held)
        if self.decision is None and not isinstance(self.decision_(self._prediction(features[:1])), Nodes):
            self.decision_ = Leaf()
        names = form.classes(form.taxonomy.leaf_nodes)
        places = {name: place for place, name in enumerate(names.tolist())}
        self._leaf_order = np.array([places[name] for name in in_order(places)], dtype=np.int64)
        self.classes_ = names[self._leaf_order]
        self._nodes(self._prediction(features[:1]))  # a decision of another kind is told here
        return self

    def _method(self) -> Method:
        if isinstance(self.method, str):
            return methods.make(self.method, **(self.options or {}))
        if self.options:
            raise InputError("the name of a method with options", f"{self.method!r} and {sorted(self.options)}")
        return self.method

    def _training(self, method: Method) -> TrainingConfig:
        given: dict[str, Any] = {
            "optimizer": self.solver,
            "lr": self.learning_rate,
            "weight_decay": self.alpha,
            "momentum": self.momentum,
        }
        chosen = {name: value for name, value in given.items() if value is not None}
        own = {**method.training(), **chosen}
        own |= {"epochs": self.max_iter, "batch_size": self.batch_size, "schedule": self.schedule}
        plain = {name: value.item() if isinstance(value, np.generic) else value for name, value in own.items()}
        try:
            return settings(TrainingConfig, plain)
        except InputError as error:
            setting, _, rest = error.expected.partition(" ")
            raise InputError(f"{_ARGUMENTS.get(setting, setting)} {rest}", error.got, advice=error.advice) from None

    def _seed(self) -> int:
        if isinstance(self.random_state, int | np.integer):
            check_random_state(self.random_state)
            return int(self.random_state)
        return int(check_random_state(self.random_state).randint(2**31 - 1))

    def _divided(self, rows: IntArray, nodes: IntArray, taxonomy: Taxonomy, rules: int, seed: int) -> list[IntArray]:
        """Images to train on, and as many held-out sets as there are rules that learn."""
        if not rules:
            return [rows]
        if not 0 < self.validation_fraction < 1:
            advice = "A rule learns from images that the network was not trained on."
            raise InputError("a validation_fraction in (0, 1)", self.validation_fraction, advice=advice)
        paths = [str(row) for row in rows.tolist()]
        whole = np.arange(len(rows))
        data = Dataset("features", taxonomy, Path(), paths, nodes[rows], {"train": whole})
        data = hold_out(data, "train", self.validation_fraction, seed, into="val")
        held = data.splits["val"]
        if held.size < rules:
            advice = "Give more images, or a larger validation_fraction."
            raise InputError("held-out images to fit a rule on", f"{held.size} of {len(rows)}", advice=advice)
        held = np.random.default_rng(seed).permutation(held)
        return [rows[data.splits["train"]], *(rows[np.sort(part)] for part in np.array_split(held, rules))]

    def _fitted(self, rule: Any, features: NDArray[Any], nodes: IntArray, held: list[IntArray]) -> Any:
        """A rule, fitted on the next of the held-out sets if it learns."""
        if not isinstance(rule, Fittable) or rule.is_fitted:
            return rule
        rows = held.pop(0)
        return rule.fit(self._prediction(features[rows]), torch.from_numpy(nodes[rows]))

    # ---------------------------------------------------------------- answers

    def predict(self, X: Any) -> NDArray[Any]:
        """The label of each image by the decision, in the form of the labels that were given to :meth:`fit`.

        Names of a hierarchy that repeat are answered with their paths. A careful decision may answer at internal nodes,
        or at the root: ``"root"`` (or the root's name), ``()``, or a row of blanks.

        Args:
            X: Features, ``[image, feature]``.
        """
        nodes = self.predict_nodes(X)
        return self.label_form_.labels(nodes)

    def predict_nodes(self, X: Any) -> IntArray:
        """The node of each image in ``taxonomy_`` by the decision, as :mod:`cladewise.metrics` take it.

        Args:
            X: Features, ``[image, feature]``.
        """
        return np.concatenate([self._nodes(part) for part in self._predictions(X)])

    def distribution(self, X: Any) -> Prediction:
        """The prediction over all nodes of ``taxonomy_``, to which every decision and metric applies.

        Args:
            X: Features, ``[image, feature]``. The result takes memory for every image and node.

        Example:
            >>> from cladewise.metrics import measure
            >>> X = np.repeat(np.eye(3), 20, axis=0)
            >>> y = np.repeat([("fruit", "apple"), ("fruit", "pear"), ("tool", "")], 20, axis=0)
            >>> model = HierarchicalClassifier(random_state=0).fit(X, y)
            >>> measure(model.distribution(X), model.label_form_.find(y), decision="majority")["top1"]
            1.0
        """
        check_is_fitted(self)
        return self._prediction(self._validated(X))

    def predict_proba(self, X: Any) -> NDArray[Any]:
        r"""Probability of each leaf, ``[image, leaf]``, in the order of ``classes_``.

        The probabilities at leaves are normalised to sum to 1 per image,
        :math:`p_l / \sum_{l'} p_{l'}`: this changes nothing for methods whose leaves sum to 1, and for others it is the
        probability given that the image belongs at a leaf.

        Args:
            X: Features, ``[image, feature]``.
        """
        return np.exp(self.predict_log_proba(X))

    def predict_log_proba(self, X: Any) -> NDArray[Any]:
        """Logarithm of :meth:`predict_proba`, in nats, without underflow.

        Args:
            X: Features, ``[image, feature]``.
        """
        parts: list[NDArray[Any]] = []
        for part in self._predictions(X):
            leaves = torch.from_numpy(self.taxonomy_.leaf_nodes[self._leaf_order])
            parts.append(part.log_prob.index_select(-1, leaves).log_softmax(-1).numpy())
        return np.concatenate(parts)

    def predict_level_proba(self, X: Any) -> dict[str, NDArray[Any]]:
        """Probability at or under each node of every level, ``[image, node]``, coarse to fine.

        The keys are the names of the levels, and the columns are those of ``level_classes_``. Leaves above a level
        stand for themselves there. ``list(...values())`` is the list of arrays that hiclass returns.

        Args:
            X: Features, ``[image, feature]``.
        """
        found: dict[str, list[NDArray[Any]]] = {level: [] for level in self.taxonomy_.level_names}
        for part in self._predictions(X):
            for number, level in enumerate(self.taxonomy_.level_names, start=1):
                found[level].append(part.level_log_prob(number).log_prob.exp().numpy())
        return {level: np.concatenate(parts) for level, parts in found.items()}

    @property
    def level_classes_(self) -> dict[str, NDArray[Any]]:
        """For each level, the labels of the columns of :meth:`predict_level_proba`."""
        check_is_fitted(self)
        levels = self.taxonomy_.level_names
        nodes = (self.taxonomy_.level_nodes(number) for number in range(1, len(levels) + 1))
        return {level: self.label_form_.classes(found) for level, found in zip(levels, nodes, strict=True)}

    def score(self, X: Any, y: Any, sample_weight: Any = None, *, level: int | str | None = None) -> float:
        """Share of images whose answer is the label, or with ``level`` whose answer agrees with it at a level.

        At a level, images whose label says nothing about it are left out, and an answer above the level is wrong
        unless it is a leaf.

        Args:
            X: Features, ``[image, feature]``.
            y: Labels in the form that was given to :meth:`fit`. With flat classes and paths, one that was not there is
                never the answer.
            sample_weight: Weight of each image.
            level: A level by number or name; by default the whole label.

        Raises:
            InputError: There is no such level, or none of the labels says anything about it.
        """
        answered, target = self.predict_nodes(X), self.label_form_.find(y)
        right = (answered == target).astype(np.float64)
        if level is not None:
            number = one_level(str(level), self.taxonomy_)
            if (target == UNKNOWN).any():
                raise InputError("labels that were there in fit, with level=", "others", at="y")
            given, labels = torch.from_numpy(answered), torch.from_numpy(target)
            levels = level_correct(at_levels(given, self.taxonomy_), labels, self.taxonomy_, node=given)
            right = levels[:, number - 1].double().numpy()
        counted = ~np.isnan(right)
        if not counted.any():
            raise InputError(f"a label that reaches level {level}", "none", at="y")
        weights = None if sample_weight is None else _check_sample_weight(sample_weight, right[:, None])[counted]
        return float(np.average(right[counted], weights=weights))

    # ---------------------------------------------------------------- predictions

    def _predictions(self, X: Any) -> Iterator[Prediction]:
        """Predictions after the inference, in parts of images."""
        check_is_fitted(self)
        features = self._validated(X)
        size = max(1, CELLS_AT_ONCE // self.taxonomy_.num_nodes)
        for start in range(0, len(features), size):
            yield self._prediction(features[start : start + size])

    def _validated(self, X: Any, *labels: Any) -> NDArray[Any]:
        """Features as scikit-learn checks them; in :meth:`fit`, with the labels, where ``None`` is refused."""
        given: dict[str, Any] = {"reset": False} if not labels else {"y": None} if labels[0] is None else {}
        return cast("NDArray[Any]", validate_data(self, X, dtype=[np.float64, np.float32], **given))

    @torch.inference_mode()
    def _prediction(self, features: Float[NDArray[Any], "image feature"]) -> Prediction:
        wanted = cast("FeatureScaling", self.network_.encoder).mean.dtype
        scores = self.network_(torch.from_numpy(np.array(features)).to(wanted)).settled()
        return scores if self.inference_ is None else self.inference_(scores)

    def _nodes(self, prediction: Prediction) -> IntArray:
        answer = self.decision_(prediction)
        if not isinstance(answer, Nodes):
            advice = 'Pass another, such as decision="leaf".'
            raise InputError("a decision with one node per image", self.decision_.handle, advice=advice)
        return answer.node.numpy()

    # ---------------------------------------------------------------- scikit-learn

    def __getstate__(self) -> dict[str, Any]:
        """The state for pickle: the weights of the network instead of the network."""
        state = {**cast("dict[str, Any]", super().__getstate__())}
        if "network_" in state:
            network = self.network_
            weights = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
            state["network_"] = (safetensors.torch.save(weights), cast("FeatureScaling", network.encoder).kind)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore from pickle: the head of the method, with the weights."""
        super().__setstate__(state)
        if "network_" in state:
            content, scaling = state["network_"]
            weights = safetensors.torch.load(content)
            head = self.method_.head(self.taxonomy_, self.n_features_in_)
            network = Classifier(head, scaling=FeatureScaling(scaling, self.n_features_in_))
            network.to(weights["encoder.mean"].dtype).load_state_dict(weights)
            self.network_ = network.eval()
