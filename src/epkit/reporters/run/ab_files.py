"""The files of ab's -e (percentiles as CSV) and -g (one line per request, for gnuplot)."""

from datetime import UTC, datetime, tzinfo

from epkit.core.report.ab import AbTimes, by_total, round_ms, served

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def percentiles_csv(times: AbTimes) -> str:
    """Render ab's -e file: the times in milliseconds within which 0 % to 100 % of the requests were served."""
    rows = (f"{percent},{us / 1000:.3f}\n" for percent, us in enumerate(served(times)))
    return "Percentage served,Time in ms\n" + "".join(rows)


def gnuplot_tsv(times: AbTimes, zone: tzinfo = UTC) -> str:
    """Render ab's -g file: one line per request, ordered by total time.

    Args:
        zone: time zone of the first column; ab writes local time.
    """
    lines = ["starttime\tseconds\tctime\tdtime\tttime\twait\n"]
    order = by_total(times)
    columns = (times.start[order], times.ctime[order], times.time[order], times.wait[order])
    last, said = -1, ""
    for start, ctime, time, wait in zip(*(column.tolist() for column in columns), strict=True):
        seconds = start // 1_000_000
        if seconds != last:  # there are few seconds and many requests
            last, said = seconds, _ctime(datetime.fromtimestamp(seconds, zone))
        parts = (seconds, *(round_ms(us) for us in (ctime, time - ctime, time, wait)))
        lines.append("\t".join((said, *map(str, parts))) + "\n")
    return "".join(lines)


def _ctime(moment: datetime) -> str:
    """Format a time like `apr_ctime`: English in every locale, the day with a leading zero."""
    return f"{DAYS[moment.weekday()]} {MONTHS[moment.month - 1]} {moment:%d %H:%M:%S %Y}"
