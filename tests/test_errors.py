"""Every error has the exit code of the command line."""

import pickle

import pytest

from epkit.errors import BackendError, ContractError, EndpointError, EpkitError, UsageError

CODES = {UsageError: 2, ContractError: 3, EndpointError: 4, BackendError: 6}


@pytest.mark.parametrize("kind", CODES)
def test_an_error_has_the_exit_code_of_the_contract(kind: type[EpkitError]) -> None:
    assert CODES[kind] == kind("what").exit_code == kind.exit_code


@pytest.mark.parametrize("kind", CODES)
def test_an_error_says_what_it_was_told(kind: type[EpkitError]) -> None:
    error = kind("payloads/x.json:3:14: not JSON")

    assert "payloads/x.json:3:14: not JSON" == str(error) == str(pickle.loads(pickle.dumps(error)))


def test_a_bug_ends_with_one() -> None:
    assert 1 == EpkitError.exit_code
    assert not issubclass(EpkitError, SystemExit | OSError | ValueError)
