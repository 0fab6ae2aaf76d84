"""ab's -e and -g files are equal byte for byte."""

from datetime import timedelta, timezone

import numpy as np
import pytest

from epkit.core.report import ab
from epkit.reporters.run import ab_files
from support.vectors import CLOCKED, clocked


def times_of(vector):
    return ab.from_samples([vector.samples()], vector.began_us * 1000)


@pytest.mark.parametrize("name", CLOCKED)
def test_the_gnuplot_file_is_abs(name):
    vector = clocked(name)

    assert vector.tsv == ab_files.gnuplot_tsv(times_of(vector))


@pytest.mark.parametrize("name", [name for name in CLOCKED if len(clocked(name).rows_us) > 50])
def test_the_percentile_file_is_abs_where_ab_stays_inside_its_array(name):
    vector = clocked(name)

    assert vector.csv == ab_files.percentiles_csv(times_of(vector))


def test_the_percentile_file_of_a_small_run_ends_with_the_longest_request():
    lines = ab_files.percentiles_csv(times_of(clocked("post-10"))).splitlines()

    assert [lines[96], lines[97], lines[101]] == ["95,111.043", "96,111.043", "100,111.043"]


def test_start_times_are_written_in_the_zone_asked_for():
    moment = np.array([1_793_664_000_000_000], dtype=np.int64)
    zero = np.zeros(1, dtype=np.int64)
    times = ab.AbTimes(start=moment, ctime=zero, time=zero, wait=zero)

    text = ab_files.gnuplot_tsv(times, timezone(timedelta(hours=-5)))

    assert text.splitlines()[1] == "Mon Nov 02 19:00:00 2026\t1793664000\t0\t0\t0\t0"


def test_no_request_leaves_headers():
    times = ab.from_samples([], 0)

    assert ab_files.percentiles_csv(times) == "Percentage served,Time in ms\n"
    assert ab_files.gnuplot_tsv(times) == "starttime\tseconds\tctime\tdtime\tttime\twait\n"
