"""GPUs by any spelling, what an hour costs, and how clean electricity is: each fact with source and date."""

from __future__ import annotations

import re

import pytest

from twintrack.catalog import carbon
from twintrack.catalog.gpus import find_gpu, gpus, nearest_gpus, purchase, rentals
from twintrack.catalog.places import country_of, members, regions

_DAY = re.compile(r"2026-\d\d-\d\d")


@pytest.mark.parametrize(
    ("spelling", "name"),
    [
        ("H100", "h100-sxm"),
        ("h100_sxm", "h100-sxm"),
        ("NVIDIA H100 SXM 80 GB", "h100-sxm"),
        ("H100-SXM-80GB", "h100-sxm"),
        ("A100 80GB", "a100-sxm"),
        ("A100-40GB", "a100-sxm-40"),
        ("rtx 4090", "rtx-4090"),
        ("B200", "b200-sxm"),
    ],
)
def test_a_gpu_is_found_by_any_spelling(spelling, name):
    assert find_gpu(spelling).name == name


def test_an_unknown_gpu_is_none_and_its_nearest_names_are_said():
    assert find_gpu("H101") is None
    assert find_gpu("") is None
    assert "h100-sxm" in nearest_gpus("h100sxm")


def test_every_gpu_that_is_rented_is_described():
    assert {row.gpu for row in rentals(history=True)} <= set(gpus())


def test_the_cheapest_hour_of_a_gpu_comes_first_and_old_prices_only_when_asked_for():
    now = rentals("h100-sxm", mode="on_demand")
    assert [row.usd_per_gpu_hour for row in now] == sorted(row.usd_per_gpu_hour for row in now)
    assert (now[0].provider, now[0].usd_per_gpu_hour) == ("hyperstack", 2.4)
    assert not any(row.history for row in now)
    assert any(row.history for row in rentals("a100-sxm", history=True))


def test_spot_is_a_price_of_its_own():
    assert {row.provider for row in rentals("h100-sxm", mode="spot")} == {"nebius"}
    assert all(row.mode == "spot" for row in rentals(mode="spot"))


@pytest.mark.parametrize("figures", [purchase(), carbon.embodied(), carbon.overhead()], ids=["own", "made", "beside"])
def test_a_figure_is_a_range_with_a_source(figures):
    for row in figures.values():
        assert row.low <= row.mid <= row.high
        assert row.source
        assert _DAY.fullmatch(row.as_of)


@pytest.mark.parametrize(
    ("place", "found"),
    [
        ("DEU", "DEU"),
        ("deu", "DEU"),
        ("Germany", "DEU"),
        ("gcp/europe-west4", "gcp/europe-west4"),
        ("aws/eu-central-1", "DEU"),  # Amazon publishes none: the country's
        ("azure/swedencentral", "SWE"),
    ],
)
def test_a_grid_is_found_by_country_or_region(place, found):
    assert carbon.grid(place).place == found


def test_an_unknown_place_has_no_grid():
    assert carbon.grid("Atlantis") is None
    assert carbon.grid("aws/atlantis-1") is None


def test_each_region_is_in_a_country_that_has_a_grid():
    assert all(carbon.grid(name) is not None for name in regions())


def test_what_others_say_a_prompt_takes_names_its_scope():
    rows = carbon.published_energy()
    assert {row.scope for row in rows} >= {"full_stack", "unknown"}
    assert all(row.wh_per_prompt > 0 and row.source and _DAY.fullmatch(row.as_of) for row in rows)


def test_a_region_is_found_with_and_without_its_cloud():
    assert country_of("aws/eu-central-1") == country_of("eu-central-1") == country_of("deu") == "DEU"
    assert country_of("atlantis-1") is None


def test_a_union_has_its_countries():
    assert len(members("EU")) == 2 * 27
    assert len(members("EEA")) == 2 * 30
    assert members("Hansa") == frozenset()
