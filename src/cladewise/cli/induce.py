"""``cladewise taxonomy induce``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cladewise.cli.printing import print_table, say, tell
from cladewise.cli.reading_options import with_reading
from cladewise.errors import InputError
from cladewise.taxonomy.formats.options import ReadOptions

if TYPE_CHECKING:
    from cladewise.engine import Run
    from cladewise.induction import MistakesInTree, Proposal, TrainedOn
    from cladewise.statistics import TreeAgreement
    from cladewise.taxonomy import Taxonomy

WORTH = "What it is worth"


@with_reading(beside="from")
def induce(
    classes: Annotated[
        Path,
        typer.Argument(help="A run (its classes), a taxonomy (its leaves), or a .txt file with one class per line."),
    ],
    reading: ReadOptions,
    source: Annotated[
        str,
        typer.Option(
            "--from",
            help="wordnet: meanings of the names; texts: their embeddings; features: those of the run's images; "
            "confusions: what the run confuses; or the file of a larger tree that has the classes.",
        ),
    ],
    out: Annotated[Path | None, typer.Option(help="File to write the tree to; its name decides the format.")] = None,
    page: Annotated[Path | None, typer.Option(help="HTML page to write, on which the tree is edited.")] = None,
    levels: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Number of levels, that of the classes included. Default: about five children per node if classes "
            "are clustered, otherwise all groups.",
        ),
    ] = None,
    groups: Annotated[
        str | None, typer.Option(help="Numbers of groups instead, coarse to fine, as in 4,20.", metavar="N,N")
    ] = None,
    linkage: Annotated[str, typer.Option(help="Linkage of the clustering: average or complete.")] = "average",
    split: Annotated[
        str | None,
        typer.Option(help="Split whose images are used.", show_default="train for features, val for confusions"),
    ] = None,
    wordnet: Annotated[
        Path | None,
        typer.Option(
            help="WordNet's folder. With clusters it names groups that share no words.",
            show_default="/usr/share/wordnet for --from wordnet",
        ),
    ] = None,
    agree: Annotated[
        bool, typer.Option(help="With WordNet: choose senses on which the classes agree, not the most frequent.")
    ] = True,
    encoder: Annotated[str, typer.Option(help="Text encoder of --from texts.")] = "minilm",
    template: Annotated[str, typer.Option(help="Template of the texts.")] = "{name}",
    against: Annotated[
        Path | None, typer.Option(help="A tree to compare the proposal with.", rich_help_panel=WORTH)
    ] = None,
    evaluate_split: Annotated[
        str | None,
        typer.Option(
            help="With a run: split whose mistakes are looked at. It has to be another one than that of --split.",
            show_default="test",
            rich_help_panel=WORTH,
        ),
    ] = None,
    train: Annotated[
        Path | None,
        typer.Option(
            help="With a run: folder in which flat-softmax and hace are trained on the tree, with frozen features.",
            rich_help_panel=WORTH,
        ),
    ] = None,
    epochs: Annotated[int, typer.Option(min=1, help="Epochs of --train.", rich_help_panel=WORTH)] = 30,
    seed: Annotated[int, typer.Option(min=0, help="Seed of resamples and of --train.")] = 0,
) -> None:
    """Propose a tree for classes that have none, and say what it is worth. A person should edit it on the page.

    cladewise taxonomy induce runs/flat --from features --out classes.csv --page proposal.html
    """
    from cladewise import induction
    from cladewise.induction.class_lists import is_run

    has_run = is_run(classes)
    if train is not None and not has_run:
        raise InputError("a run, whose images and encoder --train takes", str(classes))
    if evaluate_split is not None and not has_run:
        raise InputError("a run, whose mistakes --evaluate-split looks at", str(classes))
    used = _split_used(source, split)
    scored_on = evaluate_split or "test"
    if has_run and used and set(used.split("+")) & set(scored_on.split("+")):
        raise InputError(
            "another split to evaluate on than the one that the tree is made from",
            repr(scored_on),
            advice="Mistakes look less severe in a tree that was made from them.",
        )
    linked: Any = linkage
    proposal = induction.induce(
        classes,
        source,
        levels=levels,
        groups=None if groups is None else _numbers(groups),
        linkage=linked,
        split=split,
        wordnet=wordnet,
        agree=agree,
        encoder=encoder,
        template=template,
        reading=reading,
        seed=seed,
    )
    run = None
    if has_run:
        from cladewise.engine import Run

        run = Run.open(classes)
    _tell_of(proposal)
    if out is not None:
        proposal.taxonomy.write(out)
        tell(out)
    trees: dict[str, tuple[Taxonomy, Any]] = {"proposed": (proposal.taxonomy, proposal.nodes)}
    compared = None
    if against is not None:
        from cladewise.taxonomy import read

        given = read(against)
        nodes = induction.nodes_in(given, proposal, str(against))
        trees[against.name] = given, nodes
        compared = (
            against.name,
            induction.agreement_with(proposal, given, nodes),
            induction.random_agreement(proposal, given, nodes, seed=seed),
        )
        _tell_agreement(*compared)
    mistakes = None
    if run is not None and (evaluate_split is not None or _has_split(run, scored_on)):
        answers, labels = induction.answers_of(run, scored_on)
        found = [induction.mistakes_in(tree, answers, labels, at, name) for name, (tree, at) in trees.items()]
        mistakes = f"{run.path.name} on {labels.size:,} images of {scored_on}", found
        _tell_mistakes(f"mistakes of {mistakes[0]}", found)
    elif run is not None:
        say(f"mistakes are not looked at, since there is no split {scored_on}; --evaluate-split names another")
    trained: list[TrainedOn] = []
    if train is not None and run is not None:
        others = {name: tree for name, tree in trees.items() if name != "proposed"}
        trained = induction.train_on(proposal, run, train, split=scored_on, trees=others, epochs=epochs, seed=seed)
        for one in trained:
            _tell_mistakes(
                f"{one.method} trained on the proposed tree, {one.num_images:,} images of {scored_on}", one.mistakes
            )
    if page is not None:
        title = f"A tree for {classes.name}"
        tell(
            induction.write_proposal_page(
                proposal, page, title=title, agreement=compared, mistakes=mistakes, trained=trained
            )
        )


def _has_split(run: Run, split: str) -> bool:
    dataset = run.dataset_if_there
    return dataset is not None and split in dataset.splits


def _split_used(source: str, split: str | None) -> str:
    """Split that the proposal is made from; empty for a source without images."""
    return {"features": split or "train", "confusions": split or "val"}.get(source, "")


def _numbers(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise InputError("numbers of groups like 4,20", repr(text)) from None


def _tell_of(proposal: Proposal) -> None:
    from cladewise.cli.printing import console
    from cladewise.taxonomy.outline import draw_tree, size_line

    console(markup=True).print(draw_tree(proposal.taxonomy, depth=3, max_children=8))
    tell(size_line(proposal.taxonomy))
    for text in proposal.about:
        tell(text)
    for question in proposal.questions:
        choices = f" Could be: {'; '.join(question.choices)}." if question.choices else ""
        say(f"to look at: {question.label}: {question.found}.{choices}")


def _tell_agreement(name: str, found: TreeAgreement, chance: TreeAgreement) -> None:
    tell(
        f"agreement with {name}: {found.triplets:.1%} of {found.num_triplets:,} triples "
        f"({chance.triplets:.1%} with permuted classes); {found.resolved:.1%} are decided"
    )
    for row in found.levels:
        own = f"{row.other}, {row.num_other} groups"
        tell(
            f"  {row.level}, {row.num_groups} groups: adjusted Rand {row.agreement.adjusted_rand:.3f}, "
            f"NMI {row.agreement.mutual_information:.3f} ({own})"
        )


def _tell_mistakes(title: str, found: Sequence[MistakesInTree]) -> None:
    from rich.table import Table

    tell(title)
    table = Table(box=None)
    for name in ("tree", "severity", "random tree", "ratio", "accuracy by level"):
        table.add_column(name, justify="left" if name in ("tree", "accuracy by level") else "right")
    for row in found:
        levels = ", ".join(f"{level} {share:.1%}" for level, share in row.accuracy.items())
        table.add_row(row.tree, f"{row.severity:.2f}", f"{row.random_severity:.2f}", f"{row.ratio:.2f}", levels)
    print_table(table)
