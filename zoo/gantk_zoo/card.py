"""The model card: front matter that the Hub reads, and all that a person asks."""

from __future__ import annotations

import json
import shlex
import textwrap
from dataclasses import dataclass

from gan_toolkit.catalogue import SINGLE_FILE, Catalogue
from gan_toolkit.errors import GantkError
from gan_toolkit.export import as_text
from gan_toolkit.generator import Generator
from gan_toolkit.plugin import DISTRIBUTION
from gan_toolkit.scoring import Score
from gantk_zoo.hub import LIBRARY
from gantk_zoo.record import Record

TASK = "unconditional-image-generation"
"""The Hub's task for generators, conditional ones too."""
BETTER = {"lower": "lower", "higher": "higher", "none": ""}
SECTIONS = (
    "Use it",
    "Scores",
    "How it was trained",
    "Data",
    "Memorisation",
    "Limits",
    "Citation",
)


@dataclass(frozen=True)
class Card:
    """What a card is made of."""

    name: str
    """What `gan_toolkit.load` takes: `owner/repo`, or the name of a shipped model."""
    generator: Generator
    record: Record
    neighbours: bool
    """Whether the bundle holds the strip of nearest neighbours."""
    catalogue: Catalogue

    def render(self) -> str:
        """Return the whole README."""
        told = {
            "Use it": self._use(),
            "Scores": self._scores(),
            "How it was trained": self._training(),
            "Data": self._data(),
            "Memorisation": self._memorisation(),
            "Limits": self._limits(),
            "Citation": self._citation(),
        }
        body = "\n".join(f"## {title}\n\n{told[title]}" for title in SECTIONS)
        return f"---\n{self._front()}\n---\n\n{self._head()}\n{body}"

    @property
    def title(self) -> str:
        """The model's own name, without its owner."""
        return self.name.rpartition("/")[2].partition("@")[0]

    @property
    def _imported(self) -> bool:
        """Whether another tool trained it: nothing is known of how."""
        return not self.generator.description.recipe

    @property
    def _data_option(self) -> str:
        """What commands add for data that a model does not keep the place of."""
        opens = self.generator.spec.name in self.catalogue.path_openers()
        return " --data DATA" if opens else ""

    @property
    def _split_option(self) -> str:
        """What a command adds that scores against another part of the data than was trained on."""
        split = self.record.scores[0].receipt.split
        data = (self.generator.description.recipe or {}).get("data")
        trained_on = data.get("split", "") if isinstance(data, dict) else ""
        return f" --set data.split={shlex.quote(split)}" if split != trained_on else ""

    def _front(self) -> str:
        from huggingface_hub import EvalResult, ModelCardData

        about = self.generator.description
        images = len(self.generator.spec.sample.shape) == 3
        results = [
            EvalResult(
                task_type=TASK if images else "other",
                dataset_type=about.data.name,
                dataset_name=about.data.name,
                dataset_split=score.receipt.split or None,
                metric_type=score.name,
                metric_name=f"{score.name} (n = {score.receipt.n}, seed {score.receipt.seed})",
                metric_value=score.value,
            )
            for score in self.record.scores
        ]
        front = ModelCardData(
            license=self.record.licence,
            library_name=LIBRARY,
            pipeline_tag=TASK if images else None,
            tags=["gan", about.architecture, about.data.name, "pytorch", "safetensors"],
            model_name=self.title if results else None,
            eval_results=results or None,
            thumbnail="samples.png",
        )
        return front.to_yaml().strip()

    def _head(self) -> str:
        about, spec = self.generator.description, self.generator.spec
        labelled = f" of {len(spec.classes)} classes" if spec.classes else ""
        asked = " The class can be chosen." if self.generator.conditions else ""
        by = "weights of another tool" if self._imported else "trained with gan-toolkit"
        return (
            f"# {self.title}\n\n![Samples of seed 0](samples.png)\n\n"
            + _wrapped(
                f"A generator of {self._shape()} samples{labelled}, architecture "
                f"`{about.architecture}`, on `{as_text(spec.name)}`, {by}.{asked} "
                f"{self.generator.parameter_count:,} parameters. {as_text(self.record.note)}"
            )
            + "\n"
        )

    def _use(self) -> str:
        classes = self.generator.spec.classes
        label = classes[-1] if self.generator.conditions and classes else ""
        if not label.isprintable():  # a line break would end the block of code: its number does too
            label = str(len(classes) - 1)
        chosen = f", labels={json.dumps(label, ensure_ascii=False)}" if label else ""
        option = f" --label {shlex.quote(label)}" if label else ""
        size = [16, *self.generator.spec.sample.shape]
        owner = self.generator.description.distribution
        alone = owner == SINGLE_FILE
        more = "" if alone or owner == DISTRIBUTION else f" {shlex.quote(owner)}"
        plugin, plugins = (" --plugin FILE", ', plugins=["FILE"]') if alone else ("", "")
        needed = "\nFILE is the single-file plugin that brings the architecture.\n" if alone else ""
        return f"""\
```sh
pip install gan-toolkit{more}
gantk sample {self.name}{option}{plugin} -n 64 -o grid.png
```

```python
import gan_toolkit

generator = gan_toolkit.load("{self.name}"{plugins})
samples = generator.sample(16, seed=0{chosen})  # float32 {size}
```
{needed}
Sample i of a seed is always the same. The weights are safetensors; no code is loaded with them.
"""

    def _scores(self) -> str:
        if not self.record.scores:
            return "No score was measured.\n"
        rows = [
            f"| {score.name} | {_shown(score)} | {_floor(score)} | {BETTER[score.better]} |"
            for score in self.record.scores
        ]
        about = self.record.scores[0].receipt
        extractors = {
            score.receipt.extractor: score.receipt.extractor_sha256
            for score in self.record.scores
            if score.receipt.extractor
        }
        told = [
            (
                f"{about.n:,} samples of seed {about.seed} against {about.real:,} real samples of "
                f"`{about.data}`{f' ({about.split})' if about.split else ''}, fingerprint "
                f"`{about.fingerprint[:16]}`."
            ),
            *(f"Extractor `{name}`, SHA-256 `{sha[:16]}`." for name, sha in extractors.items()),
            *sorted({f"{note}." for s in self.record.scores for note in s.receipt.notes}),
            (
                "`metrics.json` holds every receipt; "
                f"`gantk zoo verify {self.name}{self._data_option}{self._split_option}` takes the "
                "numbers again."
            ),
        ]
        table = "| score | value | real samples | better |\n| --- | --- | --- | --- |"
        return f"{table}\n" + "\n".join(rows) + f"\n\n{_wrapped(' '.join(told))}\n"

    def _training(self) -> str:
        about, training = self.generator.description, self.record.training
        if self._imported:
            return "Not known: the weights were imported from a file of another tool.\n"
        seen = f"{about.nimg / 1000:,.0f} thousand real samples"
        told = f"It saw {seen}, {100 * about.fraction:.0f} % of the run that its recipe plans."
        if training is not None:
            machine = f" on {as_text(training.machine)}" if training.machine else ""
            versions = as_text(
                ", ".join(f"{name} {one}" for name, one in training.versions.items())
            )
            minutes = training.seconds / 60
            took = f"{minutes:.0f} minutes" if minutes >= 2 else f"{training.seconds:.0f} seconds"
            told = f"{training.steps:,} steps in {took} of wall time{machine}, {versions}. {told}"
        return f"""\
{_wrapped(told)}

```sh
gantk train --recipe recipe.toml{self._data_option}
```

`recipe.toml` beside this card is the whole recipe:

<details><summary>recipe.toml</summary>

```toml
{(self.generator.path.parent / "recipe.toml").read_text(encoding="utf-8").strip()}
```

</details>
"""

    def _data(self) -> str:
        spec = self.generator.spec
        endless = "of a number nobody stated" if self._imported else "drawn without end"
        length = f"{spec.length:,} samples" if spec.length else endless
        return f"""\
| what | value |
| --- | --- |
| data set | `{as_text(spec.name)}`, {length} |
| source | {as_text(spec.source) or "not stated"} |
| licence of the data | {as_text(spec.licence) or "not stated"} |
| licence of these weights | {as_text(self.record.licence)} |
| fingerprint | `{as_text(spec.fingerprint[:16]) or "none: it is drawn afresh"}` |
"""

    def _memorisation(self) -> str:
        if self.neighbours:
            return """\
Upper row: samples of seed 0. Lower row: the real sample nearest to each, by squared distance of
pixels.

![Samples over their nearest real neighbours](neighbours.png)
"""
        if self.generator.spec.length is None and not self._imported:
            return "The data are drawn without end, so there is nothing to memorise.\n"
        return "Nearest neighbours were not looked for.\n"

    def _limits(self) -> str:
        spec = self.generator.spec
        limits = [
            (
                f"- It makes what `{as_text(spec.name)}` shows, {self._shape()}, and nothing "
                "else; biases of those data are biases of its samples."
            ),
            "- A GAN covers its data unevenly: rare kinds of samples may be missing.",
        ]
        beside = [
            f"{score.name} {_shown(score)} (real samples: {_floor(score)})"
            for score in self.record.scores
            if score.floor is not None
        ]
        if beside:
            limits.append(f"- It is not as good as real data: {'; '.join(beside[:4])}.")
        if not spec.classes or not self.generator.conditions:
            limits.append("- What a sample shows cannot be chosen, only its seed.")
        return "\n".join(textwrap.fill(each, 100, subsequent_indent="  ") for each in limits) + "\n"

    def _citation(self) -> str:
        paper = self._paper()
        built = f"The architecture is that of {paper}.\n\n" if paper else ""
        return f"""\
{built}```bibtex
@software{{gan_toolkit,
  title = {{gan-toolkit: train, resume, sample and share GANs}},
  author = {{The gan-toolkit authors}},
  note = {{model {self.title}, SHA-256 {self.generator.sha256[:16]}}}
}}
```
"""

    def _paper(self) -> str:
        try:
            return self.catalogue.find("architecture", self.generator.architecture)[0].paper
        except (
            GantkError
        ):  # a single-file plugin that two claim: the weights were built all the same
            return ""

    def _shape(self) -> str:
        shape = self.generator.spec.sample.shape
        return f"{shape[0]}-dimensional" if len(shape) == 1 else "×".join(map(str, shape))


def _wrapped(text: str) -> str:
    return textwrap.fill(text.strip(), 100, break_on_hyphens=False)


def _shown(score: Score) -> str:
    error = f" ± {_number(score.error)}" if score.error else ""
    return _number(score.value) + error


def _floor(score: Score) -> str:
    return "" if score.floor is None else _number(score.floor)


def _number(value: float) -> str:
    return f"{value:.2f}" if abs(value) >= 10 else f"{value:.4f}"
