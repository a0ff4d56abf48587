"""The commands for several machines, as far as one machine allows: short runs, other addresses."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from gan_toolkit.run import Run

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "how-to" / "several-machines.md").read_text(encoding="utf-8")
SCRIPT = (DOCS / "snippets" / "slurm.sh").read_text(encoding="utf-8")
WHAT, SHORT = "--recipe dcgan", "--recipe quadratic --steps 20"
CABLE = "gantk0"


def shown(start: str, *, out: Path, address: str) -> list[str]:
    """Return the words of the command on the page that starts so, for a short run here."""
    text = re.sub(r"\\\n\s*", "", PAGE)
    (line,) = [line for line in text.splitlines() if line.startswith(start)]
    line = line.replace(WHAT, SHORT).replace("10.0.0.1", address)
    return shlex.split(line.replace("/shared/runs/digits", str(out)))


def run(commands: Sequence[list[str]], **variables: str) -> None:
    """Run commands at the same time; each must succeed."""
    here = Path(sys.executable).parent
    env = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "PATH": f"{here}{os.pathsep}{os.environ['PATH']}",
        **variables,
    }
    started = [
        subprocess.Popen(words, env=env, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for words in commands
    ]
    try:
        for process in started:
            _, said = process.communicate(timeout=120)
            assert process.returncode == 0, said
    finally:
        for process in started:
            process.kill()


def trained_by_two(out: Path) -> bool:
    checkpoint = max(out.glob("checkpoints/step-*"))
    said = (checkpoint / "state.json").read_text(encoding="utf-8")
    return Run(out).rows()[-1]["step"] == 20 and '"processes": 2' in said


@pytest.fixture
def two_hosts() -> Iterator[tuple[str, str]]:
    """Two network namespaces with a cable between them, 10.77.0.1 and 10.77.0.2."""
    names = (f"gantk-a-{os.getpid()}", f"gantk-b-{os.getpid()}")
    if shutil.which("ip") is None:
        pytest.skip("there is no `ip` here to make network namespaces with")

    def ip(*words: str) -> None:
        done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"network namespaces cannot be made here: {done.stderr.strip()}")

    try:
        for name in names:
            ip("netns", "add", name)
        ip(
            "link",
            "add",
            CABLE,
            "netns",
            names[0],
            "type",
            "veth",
            "peer",
            CABLE,
            "netns",
            names[1],
        )
        for number, name in enumerate(names, 1):
            ip("-n", name, "addr", "add", f"10.77.0.{number}/24", "dev", CABLE)
            ip("-n", name, "link", "set", CABLE, "up")
            ip("-n", name, "link", "set", "lo", "up")
        yield names
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)


def test_two_hosts_train_one_run(two_hosts: tuple[str, str], tmp_path: Path) -> None:
    commands = []
    for number, host in enumerate(two_hosts):
        words = shown(
            f"torchrun --nnodes 2 --node-rank {number}", out=tmp_path / "run", address="10.77.0.1"
        )
        commands.append(["ip", "netns", "exec", host, *words])
    run(commands, GLOO_SOCKET_IFNAME=CABLE)
    assert trained_by_two(tmp_path / "run")


def test_the_slurm_script_starts_a_run_and_resumes_it_when_it_is_submitted_again(
    tmp_path: Path, free_port: Callable[[], int]
) -> None:
    """`srun` stands for two machines that are this one."""
    stubs = tmp_path / "stubs"
    stubs.mkdir()
    (stubs / "srun").write_text('#!/bin/bash\n"$@" & a=$!\n"$@" & b=$!\nwait $a && wait $b\n')
    (stubs / "scontrol").write_text(
        '#!/bin/bash\n[ "$*" = "show hostnames a,b" ] && echo localhost\n'
    )
    script = tmp_path / "slurm.sh"
    assert WHAT in SCRIPT
    script.write_text(SCRIPT.replace(WHAT, SHORT).replace("29500", str(free_port())))
    for each in (*stubs.iterdir(), script):
        each.chmod(0o755)
    job = {
        "SLURM_SUBMIT_DIR": str(tmp_path),
        "SLURM_JOB_ID": "7",
        "SLURM_JOB_NODELIST": "a,b",
        "SLURM_NNODES": "2",
        "SLURM_GPUS_ON_NODE": "1",
        "PATH": os.pathsep.join([str(stubs), str(Path(sys.executable).parent), os.environ["PATH"]]),
    }
    run([[str(script)]], **job)
    out = tmp_path / "runs" / "digits-7"
    assert trained_by_two(out)
    (stubs / "srun").write_text('#!/bin/bash\n[ "${*: -2}" = "--resume $PWD/runs/digits-7" ]\n')
    run([["env", "-C", str(tmp_path), str(script)]], **job)
