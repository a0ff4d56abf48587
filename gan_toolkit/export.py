"""Write a bundle: what is shared of a run, and nothing else of it.

model.safetensors   the averaged generator with its description
config.json         the description, and the SHA-256 of model.safetensors
recipe.toml         how it was trained, without paths, hosts or devices
samples.png         samples of seed 0, a row a class if it knows classes
README.md           what it is and how to use it
"""

from __future__ import annotations

import html
from collections.abc import Iterable
from pathlib import Path

import tomli_w

from gan_toolkit import bundle
from gan_toolkit.data import Progress, silent
from gan_toolkit.errors import BundleError
from gan_toolkit.files import new_folder
from gan_toolkit.generator import Generator, load
from gan_toolkit.pictures import picture, save_png

RECIPE_TOLD = """\
`recipe.toml` is the recipe without what belongs to a machine: where the data lies, what it ran on.
`gantk train --recipe recipe.toml --data DATA` trains it again on your copy of the data.
"""


def export_bundle(
    reference: str | Path,
    out: str | Path,
    *,
    half: bool = False,
    plugins: Iterable[str | Path] = (),
    offline: bool = False,
    progress: Progress = silent,
) -> Path:
    """Write the bundle of a run or of another bundle into the new folder `out` and return it.

    The folder appears complete or not at all. `half` stores weights in 16 bits. Raises
    `BundleError` when `out` exists already.
    """
    path = Path(out)
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise BundleError(f"'{path}' exists already and is never overwritten; name a new folder.")
    generator = load(reference, plugins=plugins, offline=offline, progress=progress)
    with new_folder(path) as folder:
        write_model(folder, generator, half=half)
        (folder / "README.md").write_text(card(generator), encoding="utf-8")
    return path


def write_model(folder: Path, generator: Generator, *, half: bool = False) -> Generator:
    """Write weights, description, recipe and samples; return the generator as it reads back."""
    about = generator.description
    bundle.write_weights(folder / bundle.WEIGHTS, generator.networks, about, half=half)
    (folder / "recipe.toml").write_text(tomli_w.dumps(about.recipe), encoding="utf-8")
    written = generator.reread(folder / bundle.WEIGHTS)
    bundle.write_config(folder / bundle.CONFIG, about, sha256=written.sha256)
    n, rows = written.grid
    sheet = picture(written.sample(n, seed=0), written.spec.sample, rows)
    save_png(sheet, folder / "samples.png", {"seed": 0, "model": written.sha256})
    return written


def card(generator: Generator) -> str:
    """Return the model card: what it is, how to use it, where its data comes from."""
    spec, about = generator.spec, generator.description
    shape = "×".join(map(str, spec.sample.shape))
    kimg = about.nimg / 1000
    trained = f"trained with gan-toolkit on {kimg:.1f} thousand real\nsamples"
    origin = trained if about.recipe else "weights of another tool"
    again = RECIPE_TOLD if about.recipe else ""
    labelled = f", {len(spec.classes)} classes" if spec.classes else ""
    return f"""\
# {about.architecture} on {as_text(spec.name)}

![Samples of seed 0](samples.png)

A generator of {shape} samples, {origin}; {generator.parameter_count:,} parameters.

```python
import gan_toolkit

generator = gan_toolkit.load("PATH_TO_THIS_FOLDER")
samples = generator.sample(16, seed=0)  # float32 {[16, *spec.sample.shape]}
```

or `gantk sample PATH_TO_THIS_FOLDER -n 64 -o grid.png`. The architecture comes from the
distribution `{about.distribution}`; no code is loaded from this folder.

| what | value |
| --- | --- |
| architecture | `{about.architecture}` |
| data | {as_text(spec.name)}{labelled} |
| data source | {as_text(spec.source) or "not stated"} |
| data licence | {as_text(spec.licence) or "not stated"} |
| data fingerprint | `{as_text(spec.fingerprint[:16])}` |

{again}No score was measured for this bundle.
"""


def as_text(words: str) -> str:
    """Return words of a description as a page shows them: a stranger's are not to become HTML."""
    return html.escape(" ".join(words.split()), quote=False)
