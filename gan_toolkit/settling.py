"""Where and how a run computes, decided before it starts: device, precision, threads, processes."""

from __future__ import annotations

import dataclasses
import os
from contextlib import suppress

import torch

from gan_toolkit import processes
from gan_toolkit.errors import RecipeError, UsageError
from gan_toolkit.observer import Observer
from gan_toolkit.options import validate
from gan_toolkit.places import cache_folder
from gan_toolkit.recipe import Compute, Plan, Precision, Recipe
from gan_toolkit.system import bf16_in_hardware


def settled(recipe: Recipe, observer: Observer, *, resumes: bool = False) -> Recipe:
    """Return the recipe with length, device, precision and threads decided; make torch obey.

    A run that `resumes` goes on without TensorFloat-32 where there is none, which is told. Raises
    `UsageError` for what is not there.
    """
    plan = recipe.plan
    device = plan.compute.device
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise UsageError(f"--device {device}: torch sees no CUDA device here. Use --device cpu.")
    if device.startswith("cuda:") and int(device[5:]) >= torch.cuda.device_count():
        raise UsageError(
            f"--device {device}: torch sees {torch.cuda.device_count()} CUDA devices here, counted "
            "from cuda:0."
        )
    if device == "mps" and not torch.backends.mps.is_available():
        raise UsageError("--device mps: torch sees no Apple GPU here. Use --device cpu.")
    precision = _precision(plan.compute.precision, device, observer, resumes)
    compute = plan.compute
    if processes.count() > 1:
        compute = _shared_out(plan, device, observer)
    threads = compute.threads or processes.threads()
    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # CUDA's condition for determinism
    if plan.compute.engine in {"auto", "compiled"}:
        _keep_machine_code()
    # As use_deterministic_algorithms, which would import a compiler.
    torch.set_deterministic_debug_mode("error" if plan.compute.deterministic else "default")
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # set through a module class; filling what nobody reads costs
    observer.note(f"Device: {device}, {threads} thread{'s' * (threads > 1)}, {precision}.")
    compute = compute.model_copy(
        update={"device": device, "precision": precision, "threads": threads}
    )
    return with_plan(recipe, compute=compute, steps=plan.length, kimg=None, planned_steps=plan.span)


def _keep_machine_code() -> None:
    """Name the folder of compiled programs before torch, with its first optimiser, takes /tmp."""
    folder = cache_folder() / "compiled"
    with suppress(OSError):  # where nothing can be kept, torch's own choice is as good
        folder.mkdir(parents=True, exist_ok=True)
        os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(folder))


def _precision(asked: Precision, device: str, observer: Observer, resumes: bool) -> Precision:
    """Return the precision decided, after telling torch of it."""
    on_gpu = device.startswith("cuda")
    has_tf32 = on_gpu and torch.cuda.get_device_capability(device) >= (8, 0)
    if asked == "tf32" and not has_tf32:
        lacking = f"{device} has no TensorFloat-32; NVIDIA's GPUs from Ampere on have."
        if not resumes:
            raise UsageError(f"--precision tf32: {lacking} Set --precision fp32, or auto.")
        observer.warn(f"The run was computed in TensorFloat-32: {lacking} It goes on in float32.")
    if asked == "bf16" and device == "cpu" and not bf16_in_hardware():
        observer.warn("This processor only emulates bf16: --precision fp32 will be faster.")
    if on_gpu:
        torch.backends.cuda.matmul.allow_tf32 = asked in {"tf32", "auto"}
        torch.backends.cudnn.allow_tf32 = asked in {"tf32", "auto"}
    return asked if asked != "auto" else "tf32" if has_tf32 else "fp32"


def _shared_out(plan: Plan, device: str, observer: Observer) -> Compute:
    """Return how each of several processes computes. Raises `UsageError` when they cannot."""
    compute, count, here = plan.compute, processes.count(), processes.together_here()
    if plan.batch % (count * plan.accumulate):
        each = f" in accumulate = {plan.accumulate} micro-batches" if plan.accumulate > 1 else ""
        raise UsageError(
            f"{count} processes cannot share a batch of {plan.batch}{each} equally. Set a batch "
            f"that is a multiple of {count * plan.accumulate} (`--set batch=…`), or start fewer."
        )
    if device not in {"cpu", "cuda"}:
        raise UsageError(
            f"--device {device}: several processes train on cpu or on cuda, where each takes the "
            "device of its own number. Use one of these, or one process."
        )
    if device == "cuda" and here > torch.cuda.device_count():
        raise UsageError(
            f"{here} processes here need as many CUDA devices, but torch sees "
            f"{torch.cuda.device_count()}. Start fewer, or use --device cpu."
        )
    if compute.engine not in {"auto", "eager"}:
        observer.note("Engine: eager, as no other averages gradients over processes.")
    observer.note(f"Processes: {count}, each with {plan.batch // count} rows of every batch.")
    threads = min(compute.threads, processes.threads())
    return compute.model_copy(update={"engine": "eager", "threads": threads})


def with_plan(recipe: Recipe, **changes: object) -> Recipe:
    """Return the recipe with other values in its plan. Raises `RecipeError`."""
    problems: list[str] = []
    values = recipe.plan.model_copy(update=changes).plain()
    plan = validate(Plan, values, where="", problems=problems)
    if plan is None:
        raise RecipeError(problems)
    return dataclasses.replace(recipe, plan=plan)
