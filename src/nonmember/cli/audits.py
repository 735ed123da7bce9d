"""Audits, and the pages that they leave."""

from pathlib import Path
from typing import Annotated

import typer

from nonmember.cli.emitted import emit, say
from nonmember.cli.flags import (
    Address,
    Attacks,
    Canaries,
    ClaimedDelta,
    ClaimedEpsilon,
    Device,
    DryRun,
    Engine,
    EngineName,
    Field,
    Fpr,
    GuessBy,
    Json,
    MaxTokens,
    Output,
    Packed,
    Precision,
    Seed,
    StoreAt,
    Workers,
    app,
    audits,
)
from nonmember.cli.running import audit, one_by_one


@app.command()
def demo(
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="The folder of all studies; demo or demo-quick by default."
        ),
    ] = None,
    quick: Annotated[
        bool,
        typer.Option("--quick", help="Fewer records, fewer references: wider intervals, sooner."),
    ] = False,
    store: StoreAt = None,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Attack real models, defend them, and attack again: each study of the demo, and an index."""
    from nonmember.verbs import specs

    place = output or Path("demo-quick" if quick else "demo")
    one_by_one(specs.demo_specs(quick=quick), place, store, dry_run=dry_run, json=json)


@audits.command()
def llm(
    model: Annotated[
        str,
        typer.Option(
            "--model",
            help="The fine-tuned model: a folder, an adapter, a .gguf file, smollm2, or the "
            "address of an OpenAI-compatible endpoint (with --served and --tokenizer).",
        ),
    ],
    output: Output,
    members: Annotated[
        str | None,
        typer.Option(
            "--members",
            help="Records it was trained on: .jsonl, .csv, .parquet, or a saved data set.",
        ),
    ] = None,
    non_members: Annotated[
        str | None,
        typer.Option("--non-members", help="Records like them that it was not trained on."),
    ] = None,
    canaries: Canaries = None,
    guess_by: GuessBy = None,
    claimed_epsilon: ClaimedEpsilon = None,
    claimed_delta: ClaimedDelta = None,
    base: Annotated[
        str | None,
        typer.Option(
            "--base", help="The model it was fine-tuned from; makes the attacks far stronger."
        ),
    ] = None,
    field: Field = None,
    group: Annotated[
        str | None,
        typer.Option("--group", help="Field of the document or person a record belongs to."),
    ] = None,
    max_tokens: MaxTokens = 512,
    attacks: Attacks = None,
    access: Annotated[
        str,
        typer.Option(
            "--access",
            help="What the attacker sees: text, label, topk, logprobs, dist or weights.",
        ),
    ] = "weights",
    queries: Annotated[
        int,
        typer.Option(
            "--queries",
            help="Most texts that an attack may put to the model per record, where --attack "
            "names none.",
        ),
    ] = 4,
    known: Annotated[
        int,
        typer.Option(
            "--known", help="Records of each side that the attacker knows; they are not evaluated."
        ),
    ] = 0,
    references: Annotated[
        int,
        typer.Option(
            "--references",
            help="Reference models to tune over the base, an even number: adapters, for LiRA and "
            "RMIA.",
        ),
    ] = 0,
    packed: Packed = False,
    long: Annotated[
        str,
        typer.Option(
            "--long", help="Texts over --max-tokens: cut, or slide (overlapping windows)."
        ),
    ] = "cut",
    corpus: Annotated[
        str | None,
        typer.Option(
            "--corpus", help="Texts to count tokens in; the records themselves by default."
        ),
    ] = None,
    ledger: Annotated[
        str | None,
        typer.Option(
            "--ledger", help="The private folder that protect left, if the model was so trained."
        ),
    ] = None,
    served: Annotated[
        str | None, typer.Option("--served", help="The model's name at its endpoint.")
    ] = None,
    tokenizer: Annotated[
        str | None, typer.Option("--tokenizer", help="An endpoint's tokenizer: a model's folder.")
    ] = None,
    per_second: Annotated[
        float | None,
        typer.Option("--per-second", help="Most requests to an endpoint in a second."),
    ] = None,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Send texts to another machine over plain http.")
    ] = False,
    fpr: Fpr = None,
    seed: Seed = 0,
    device: Device = "auto",
    precision: Precision = "auto",
    show_text: Annotated[
        bool, typer.Option("--show-text", help="Put the most exposed records' texts on the page.")
    ] = False,
    workers: Workers = None,
    engine: Engine = EngineName.LOCAL,
    address: Address = None,
    store: StoreAt = None,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Audit a fine-tuned language model on records it was and was not trained on."""
    from nonmember.audit.engine import chosen
    from nonmember.verbs.specs import claimed_values, endpoint_values, llm_spec

    whose = {"canaries": canaries, "guess_by": guess_by, "field": field, "group": group}
    read = {"max_tokens": max_tokens, "packed": packed, "long": long}
    spec = llm_spec(
        model,
        members,
        non_members,
        target={
            "base": base,
            "ledger": ledger,
            "claimed": claimed_values(claimed_epsilon, claimed_delta),
            "endpoint": endpoint_values(served, tokenizer, per_second, insecure=insecure),
        },
        data={**whose, **read, "known": known, "corpus": corpus},
        attacks={"run": attacks or None, "access": access, "queries": queries},
        references={"count": references},
        fpr=fpr or (),
        seed=seed,
        compute={"device": device, "precision": precision},
        show_text=show_text,
    )
    where = chosen(engine.value, workers, address)
    audit(spec, output, store, dry_run=dry_run, json=json, engine=where)


@audits.command("spec")
def audit_spec(
    file: Annotated[Path, typer.Argument(help="The audit's TOML file.")],
    output: Output,
    workers: Workers = None,
    engine: Engine = EngineName.LOCAL,
    address: Address = None,
    store: StoreAt = None,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Run the audit that a TOML file describes."""
    from nonmember.audit.engine import chosen
    from nonmember.audit.kinds import read

    where = chosen(engine.value, workers, address)
    audit(read(file), output, store, dry_run=dry_run, json=json, engine=where)


@app.command()
def report(
    run: Annotated[Path, typer.Argument(help="The folder of a finished audit.")],
    show_text: Annotated[
        bool | None,
        typer.Option(
            "--show-text/--no-show-text",
            help="Whether the most exposed records' texts are on the page; as asked, by default.",
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Write the page of a finished audit anew."""
    import nonmember as nm

    page = nm.write_report(run, show_text=show_text)
    if json:
        emit({"page": page})
    else:
        say(str(page))
