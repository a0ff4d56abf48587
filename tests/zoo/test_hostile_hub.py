"""A Hub that fails or lies: the right model or one clear error, never a part of one."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import torch
from fake_hub import FakeHub, Fault
from huggingface_hub import constants

import gan_toolkit
from gan_toolkit import bundle
from gantk_zoo import fetch
from gantk_zoo import hub as hub_module
from gantk_zoo.hub import HubError, Unreachable
from gantk_zoo.listing import of_hub

NAME = "owner/digits"
INFO, CONFIG, WEIGHTS = r"GET /api/models/", r"GET .*/config\.json", r"GET /cdn/"
ALWAYS = 99


@pytest.fixture(autouse=True)
def _published(hub: FakeHub, packed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_owner")
    hub.hold(NAME, packed)


def loads_rightly(packed: Path) -> bool:
    """Return whether what is loaded makes the samples of what was published."""
    found = gan_toolkit.load(NAME).sample(3, seed=1)
    return torch.equal(found, gan_toolkit.load(packed).sample(3, seed=1))


def cached_files() -> list[str]:
    """Return the names that a reader of the cache would trust."""
    return sorted(
        path.name for path in Path(constants.HF_HUB_CACHE).glob("models--*/snapshots/*/*")
    )


@pytest.mark.parametrize(
    "fault",
    [
        Fault(WEIGHTS, cut=5000),
        Fault(WEIGHTS, cut=5000, times=2),
        Fault(WEIGHTS, cut=5000, reset=True),
        Fault(WEIGHTS, cut=0, reset=True),
        Fault(CONFIG, cut=10),
        Fault(INFO, cut=100),
        Fault(INFO, cut=0, reset=True),
        Fault(INFO, status=503, times=2),
        Fault(INFO, status=500),
        Fault(INFO, status=429, headers={"Retry-After": "0"}),
        Fault(CONFIG, status=502),
        Fault(WEIGHTS, status=503, times=2),
        Fault(WEIGHTS, status=429, headers={"Retry-After": "0"}),
    ],
    ids=str,
)
def test_what_passes_is_waited_out(hub: FakeHub, packed: Path, fault: Fault) -> None:
    hub.faults.append(fault)
    assert loads_rightly(packed)
    assert fault.times == 0, "it did happen"


def test_something_else_that_was_sent_once_is_refused_and_the_next_load_is_right(
    hub: FakeHub, packed: Path
) -> None:
    hub.faults.append(Fault(WEIGHTS, swap=b"something else"))
    with pytest.raises(HubError, match="could not be downloaded"):
        gan_toolkit.load(NAME)
    assert bundle.WEIGHTS not in cached_files()
    assert loads_rightly(packed)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Fault(WEIGHTS, ALWAYS, cut=5000), "could not be downloaded"),
        (Fault(WEIGHTS, ALWAYS, cut=5000, reset=True), "could not be downloaded"),
        (Fault(WEIGHTS, ALWAYS, status=503), "HTTP 503"),
        (Fault(WEIGHTS, ALWAYS, status=404), "HTTP 404"),
        (Fault(WEIGHTS, ALWAYS, swap=b"x" * 50), "it sent something else|it broke off"),
        (Fault(CONFIG, ALWAYS, swap=b'{"format": 1}'), "SHA-1"),
        (Fault(WEIGHTS, ALWAYS, claims=10**15), "it offers 1000000000000000 bytes"),
        (Fault(CONFIG, ALWAYS, claims=10**15), "it offers 1000000000000000 bytes"),
        (Fault(INFO, ALWAYS, status=503), "in trouble"),
        (Fault(INFO, ALWAYS, status=429, headers={"Retry-After": "900"}), "Wait 900 s"),
        (
            Fault(INFO, ALWAYS, 418, headers={"X-Error-Message": " "}, swap=b'{"error": "\\n"}'),
            "The Hub refused what was asked",
        ),
        (Fault(INFO, ALWAYS, cut=50), "did not answer"),
        (Fault(INFO, ALWAYS, swap=b"<html>log in</html>"), "does not speak as the Hub does"),
        (Fault(INFO, ALWAYS, swap=b"[1, 2]"), "does not speak as the Hub does"),
        (Fault(INFO, ALWAYS, swap=b"{}"), "does not speak as the Hub does"),
    ],
    ids=str,
)
def test_what_lasts_is_one_error_and_leaves_nothing_that_loads(
    hub: FakeHub, packed: Path, fault: Fault, said: str
) -> None:
    hub.faults.append(fault)
    with pytest.raises(HubError, match=said) as caught:
        gan_toolkit.load(NAME)
    assert str(caught.value).rstrip()[-1] in ".`"
    assert bundle.WEIGHTS not in cached_files()
    hub.faults.clear()
    assert loads_rightly(packed), "the cache is as good as before"


def test_other_content_of_the_same_length_is_told_by_its_hash(hub: FakeHub, packed: Path) -> None:
    false = bytearray((packed / bundle.WEIGHTS).read_bytes())
    false[-1] ^= 1
    hub.faults.append(Fault(WEIGHTS, ALWAYS, swap=bytes(false)))
    with pytest.raises(HubError, match=r"it sent something else \(SHA-256"):
        gan_toolkit.load(NAME)
    assert bundle.WEIGHTS not in cached_files()


@pytest.mark.parametrize("where", [INFO, CONFIG, r"GET .*/model\.safetensors"])
def test_an_endless_redirect_ends(hub: FakeHub, where: str) -> None:
    hub.faults.append(Fault(where, ALWAYS, redirect=f"{hub.url}/api/models/{NAME}"))
    hub.faults.append(
        Fault(r"GET /api/models/owner/digits$", ALWAYS, redirect=f"{hub.url}/api/models/{NAME}")
    )
    with pytest.raises(HubError):
        gan_toolkit.load(NAME)
    assert len(hub.log) < 200


def test_a_download_that_drips_is_given_up(hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "STALL_S", 0.4)
    hub.faults.append(Fault(WEIGHTS, ALWAYS, drip=0.05))
    with pytest.raises(HubError, match="too slow"):
        gan_toolkit.load(NAME)


def test_an_answer_that_drips_is_given_up(hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "DEADLINE_S", 0.5)
    hub.faults.append(Fault(INFO, ALWAYS, drip=0.05))
    with pytest.raises(Unreachable, match=r"no whole answer within 0\.5 s"):
        gan_toolkit.load(NAME)


def test_a_hub_that_accepts_and_says_nothing_is_asked_once_and_given_up(
    hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_module, "TIMEOUT_S", 0.3)
    hub.faults.append(Fault(INFO, ALWAYS, silent_s=1.0))
    with pytest.raises(Unreachable, match="did not answer"):
        gan_toolkit.load(NAME)
    time.sleep(1.0)
    assert hub.asked().count(f"/api/models/{NAME}/revision/main?blobs=true") <= 1


def test_a_silent_question_for_access_is_given_up_within_the_deadline(
    hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_module, "DEADLINE_S", 0.3)
    hub.repos[NAME].gated = "auto"
    hub.faults.append(Fault(r"GET .*/auth-check", ALWAYS, silent_s=2.0))
    begun = time.monotonic()
    with pytest.raises(Unreachable, match=r"no whole answer within 0\.3 s"):
        gan_toolkit.load(NAME)
    assert time.monotonic() - begun < 1.5


@pytest.mark.parametrize("where", [INFO, CONFIG, WEIGHTS])
@pytest.mark.parametrize("wait", ["6", "10", "900", "9" * 500])
def test_no_pause_that_a_hub_asks_for_is_longer_than_our_patience(
    hub: FakeHub, monkeypatch: pytest.MonkeyPatch, where: str, wait: str
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    hub.faults.append(Fault(where, ALWAYS, status=429, headers={"Retry-After": wait}))
    with pytest.raises(HubError):
        gan_toolkit.load(NAME)
    patience = hub_module.PATIENCE_S
    waited = [min(float(wait) * 2**attempt, patience) for attempt in range(2)]
    assert pauses == waited or (pauses == [] and float(wait) > patience)


def test_a_dead_hub_is_told_after_three_knocks_and_not_after_many(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(time, "sleep", pauses.append)
    with pytest.raises(Unreachable, match=r"127\.0\.0\.1:9 did not answer.*--offline"):
        gan_toolkit.load("owner/other")
    assert sum(pauses) < 2


def test_a_silent_hub_does_not_keep_a_cached_model_from_loading(
    hub: FakeHub, packed: Path, caplog: pytest.LogCaptureFixture
) -> None:
    gan_toolkit.load(NAME)
    hub.faults.append(Fault(INFO, ALWAYS, status=503))
    assert loads_rightly(packed)
    assert "from the cache" in caplog.text


def test_a_size_beyond_what_is_taken_is_refused_before_a_byte_is_asked_for(
    hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(fetch.MAX_BYTES, bundle.WEIGHTS, 1000)
    with pytest.raises(HubError, match="at most 1,000 are taken"):
        gan_toolkit.load(NAME)
    assert not [path for path in hub.asked() if "/resolve/" in path]


def test_a_cached_file_that_was_damaged_is_found_out_and_fetched_again(
    hub: FakeHub, packed: Path
) -> None:
    weights = gan_toolkit.load(NAME).path.resolve()
    content = bytearray(weights.read_bytes())
    content[-5] ^= 255
    weights.write_bytes(content)
    hub.log.clear()
    assert loads_rightly(packed)
    assert len([path for path in hub.asked("GET") if path.startswith("/cdn/")]) == 1


def test_a_damaged_cache_is_refused_offline(hub: FakeHub) -> None:
    weights = gan_toolkit.load(NAME).path.resolve()
    weights.write_bytes(weights.read_bytes()[:-1])
    with pytest.raises(HubError, match="not cached here"):
        gan_toolkit.load(NAME, offline=True)


def test_a_token_stays_with_the_hub_when_it_sends_on_to_another_origin(hub: FakeHub) -> None:
    gan_toolkit.load(NAME)
    assert [path for path in hub.asked("GET") if path.startswith("/cdn/")]
    assert hub.leaks == []


def test_a_download_that_was_cut_goes_on_where_it_stopped(hub: FakeHub, packed: Path) -> None:
    size = (packed / bundle.WEIGHTS).stat().st_size
    hub.faults.append(Fault(WEIGHTS, cut=size - 100))
    assert loads_rightly(packed)
    answers = [status for _, path, status in hub.log if path.startswith("/cdn/")]
    assert answers == [200, 206]


def test_headers_that_drip_without_end_are_given_up(
    hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "STALL_S", 0.5)
    hub.faults.append(Fault(r"GET .*/resolve/", drip_headers=0.05))
    begun = time.monotonic()
    with pytest.raises(HubError, match=r"no answer within 0\.5 s"):
        gan_toolkit.load(NAME)
    assert time.monotonic() - begun < 10


def test_a_token_stays_at_home_when_the_next_page_is_elsewhere(
    hub: FakeHub,
) -> None:
    link = f'<{hub.cdn}/api/models?filter=gantk>; rel="next"'
    hub.faults.append(Fault(r"GET /api/models\?", headers={"Link": link}))
    assert {entry.name for entry in of_hub()} == {NAME}
    assert len(hub.asked()) > 1, "it was followed"
