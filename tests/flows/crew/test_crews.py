"""Workers on other machines are not used for targets that only this machine reaches."""

from types import SimpleNamespace

import pytest

from epkit.core.http.destination import Destination, Proxy
from epkit.errors import UsageError
from epkit.flows.crew.crews import check_reach

ELSEWHERE = SimpleNamespace(is_elsewhere=True, shares_loopback=False)
NEAR, FAR = Proxy(scheme="http", host="127.0.0.1", port=3128), Proxy(scheme="http", host="proxy.corp", port=3128)


@pytest.mark.parametrize(
    ("host", "proxy", "said"),
    [
        (
            "localhost",
            None,
            "localhost is reachable on this machine only, but the workers are on others: name a TARGET that",
        ),
        (
            "far.example",
            NEAR,
            "127.0.0.1 is reachable on this machine only, but the workers are on others: name with -X a proxy that",
        ),
    ],
)
def test_a_hop_that_is_this_machine_alone_is_refused(host, proxy, said):
    with pytest.raises(UsageError) as refused:
        check_reach(Destination(scheme="http", host=host, port=80, proxy=proxy), ELSEWHERE)

    assert str(refused.value).startswith(said)


@pytest.mark.parametrize(("host", "proxy"), [("far.example", None), ("far.example", FAR), ("localhost", FAR)])
def test_a_first_hop_that_all_reach_will_do(host, proxy):
    check_reach(Destination(scheme="http", host=host, port=80, proxy=proxy), ELSEWHERE)
