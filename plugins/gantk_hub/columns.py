"""Which columns of a data set hold the images and the labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from gan_toolkit.errors import DataError, did_you_mean

AUTO = "auto"
NONE = "none"


class Columns(NamedTuple):
    """The columns to use."""

    image: str
    label: str | None
    classes: tuple[str, ...]
    notes: tuple[str, ...]
    """What whoever opens the data should know."""


def chosen(
    library: Any,  # Any: the module `datasets`
    features: Mapping[str, object],
    image: str,
    label: str,
    path: str,
) -> Columns:
    """Return the columns asked for, or the only ones of their type. Raises `DataError`."""
    name = _image(library, features, image, path)
    labels = [key for key, value in features.items() if isinstance(value, library.ClassLabel)]
    if label == NONE or (label == AUTO and not labels):
        return Columns(name, None, (), ())
    if label == AUTO and len(labels) > 1:
        told = f"{path} has several columns of class labels ({', '.join(labels)}); none is used."
        return Columns(name, None, (), (f"{told} Choose one with `--set data.label=COLUMN`.",))
    column = labels[0] if label == AUTO else label
    _require(features, column, "label", path)
    feature = features[column]
    if not isinstance(feature, library.ClassLabel):
        others = f"class labels are in: {', '.join(labels)}" if labels else "it has no class labels"
        raise DataError(
            f"Column '{column}' of '{path}' holds {feature}, not class labels; {others}. "
            "`--set data.label=none` trains without."
        )
    return Columns(name, column, tuple(feature.names), ())


def _image(
    library: Any,  # Any: as above
    features: Mapping[str, object],
    image: str,
    path: str,
) -> str:
    if image != AUTO:
        _require(features, image, "image", path)
        return image
    images = [key for key, value in features.items() if isinstance(value, library.Image)]
    if len(images) == 1:
        return images[0]
    if images:
        raise DataError(
            f"'{path}' has several columns of images: {', '.join(images)}. Choose one: "
            f"`--set data.image={images[0]}`."
        )
    raise DataError(
        f"'{path}' declares no column of images. Its columns: {_listed(features)}. If one "
        "holds the bytes of image files, name it: `--set data.image=COLUMN`."
    )


def _require(features: Mapping[str, object], column: str, option: str, path: str) -> None:
    if column not in features:
        raise DataError(
            f"'{path}' has no column '{column}'.{did_you_mean(column, features)} Its columns: "
            f"{_listed(features)}. Name one with `--set data.{option}=COLUMN`."
        )


def _listed(features: Mapping[str, object]) -> str:
    return ", ".join(f"{name} ({type(value).__name__})" for name, value in features.items())
