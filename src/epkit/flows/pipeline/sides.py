"""The two places for a pipeline's model: how a candidate is deployed next to the live model, tested, and switched to.

On this machine the candidate is an endpoint of its own, which only the run uses. At Azure it is a deployment of the
same endpoint, and gets no traffic before `switch`. In both cases `candidate.json` in the run's directory is written
before the candidate is deployed. So a later process can remove what a killed run has left.
"""

import contextlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Protocol

from epkit.core.hosting.deployments import Deployment, Endpoint, Order, Replacement
from epkit.core.http.secret import Secret
from epkit.errors import BackendError, EndpointError, EpkitError, UsageError
from epkit.flows.context import Context
from epkit.flows.hosting import deploy
from epkit.flows.hosting.backends import Place, find_place, staged
from epkit.flows.hosting.proof import check_flags, client_to
from epkit.flows.pipeline.records import COLOURS, LOCAL_SUFFIX, CandidateRecord, Save
from epkit.flows.pipeline.world import World
from epkit.flows.target.client import Client
from epkit.flows.target.request_options import TargetOptions

ENTRY: Final = "score.py"
"""File name of the entry script in the model's directory."""

Check = Callable[[int], None]
"""Checks the candidate while it gets this percentage of the traffic; raises an error if something is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateTarget:
    """How requests reach a model.

    Args:
        name: its name in reports.
        authorization: the whole value of the header; None if the server needs none.
        deployment: the deployment to use; None: the endpoint chooses.
    """

    name: str
    uri: str
    authorization: Secret | None = field(repr=False)
    deployment: str | None = None


class Side(Protocol):
    """A host of the endpoint of a pipeline. Every method raises `BackendError` if the host refuses."""

    def live(self) -> Endpoint | None:
        """Return the live endpoint; None if there is none yet."""

    def prepare(self, live: Endpoint | None, model: Path, sha256: str) -> CandidateRecord:
        """Return the record of the candidate that would be deployed.

        Raises:
            UsageError: the name of the candidate is already in use.
            BackendError: the live model cannot be determined.
        """

    def put_up(self, record: CandidateRecord) -> None:
        """Deploy the candidate, and wait until it answers."""

    def take_away(self, record: CandidateRecord) -> None:
        """Remove the candidate; if it is live by now, remove what is left next to it. A second call does no harm."""

    def candidate(self, record: CandidateRecord) -> CandidateTarget:
        """Return how to reach the candidate."""

    def serving(self, record: CandidateRecord) -> CandidateTarget | None:
        """Return how to reach the live model; None if there is no endpoint yet."""

    def client(self, record: CandidateRecord) -> Client:
        """Return a client for the candidate."""

    def switch(self, record: CandidateRecord, parts: tuple[int, ...], check: Check, save: Save) -> None:
        """Make the candidate's model live. The old model serves until then.

        Args:
            parts: percent of the traffic, ascending, the last 100.
            save: writes the record; called before each change that a later process may have to undo.

        Raises:
            EpkitError: it did not succeed, and the old model still serves.
        """

    def watch(self) -> bool:
        """Turn Application Insights on if it is off; return whether it was off."""


def open_side(world: World, reach: TargetOptions, record: CandidateRecord | None = None) -> Side:
    """Find the host of the endpoint of a pipeline.

    Args:
        record: record of an existing candidate; the configuration may have changed since then.

    Raises:
        UsageError: the pipeline does not deploy, an extra is missing, or the backend cannot have a second deployment.
    """
    settings = world.config.deploy
    if settings is None:
        raise UsageError(f'{world.config.place}.deploy is missing: deploy = {{ endpoint = "NAME" }}')
    endpoint, backend = settings.endpoint, settings.backend
    if record is not None:
        endpoint, backend = record.place, record.backend
    place = find_place(endpoint, backend, world.context)
    kind: type[_LocalSide] | type[_AzureSide] = _LocalSide
    if backend != "local":
        staged(place)
        kind = _AzureSide
    more = {name: getattr(settings, name) for name in ("environment", "instance_type", "instances", "env")}
    return kind(place=place, context=world.context, reach=reach, more=more)


@dataclass(frozen=True, slots=True, kw_only=True)
class _PlacedSide:
    """The common part of both places."""

    place: Place
    context: Context
    reach: TargetOptions
    more: Mapping[str, Any]

    def live(self) -> Endpoint | None:
        return self._shown(self.place.service)

    def _shown(self, name: str) -> Endpoint | None:
        known = [each.name for each in self.place.backend.list()]
        return self.place.backend.show(name) if name in known else None

    def _order(self, name: str, record: CandidateRecord, **more: Any) -> Order:
        order = deploy.make_order(
            self.place, self.context, model=record.model, entry=ENTRY, code=record.model, **self.more, **more
        )
        return replace(order, name=name, model_sha256=record.sha256)

    def _replacement(self, record: CandidateRecord, **more: Any) -> Replacement:
        kept = {name: self.more[name] for name in ("environment", "env")}
        made = deploy.make_replacement(
            self.place, self.context, model=record.model, entry=ENTRY, code=record.model, **kept, **more
        )
        return replace(made, model_sha256=record.sha256)

    def _target(self, name: str, endpoint: Endpoint, deployment: str | None) -> CandidateTarget:
        if endpoint.scoring_uri is None:
            raise EndpointError(f"{endpoint.name}: the backend names no address")
        authorized = deploy.authorization(self.place, endpoint, self.context)
        return CandidateTarget(name=name, uri=endpoint.scoring_uri, authorization=authorized, deployment=deployment)

    def _client(self, endpoint: Endpoint, deployment: str | None) -> Client:
        reach = replace(self.reach, request=replace(self.reach.request, deployment=deployment))
        proxy = check_flags(reach, self.context, local=endpoint.backend == "local")
        authorized = deploy.authorization(self.place, endpoint, self.context)
        return client_to(endpoint, authorized, self.context, reach=reach, proxy=proxy)

    def _renew_contract(self) -> None:
        """Store the contract of the model that is live now. A failure is only noted, because the model is live.

        If `epkit.toml` does not have the endpoint, because it was made from another directory, it is added.
        """
        try:
            if self.place.entry is None:
                proxy = check_flags(self.reach, self.context, local=self.place.backend.name == "local")
                endpoint = self.place.backend.show(self.place.service)
                deploy.adopt(self.place, endpoint, self.context, self.reach, proxy=proxy, deployment=None)
                return
            deploy.swagger(self.place, self.context, self.reach, output=None)
        except EpkitError as error:
            self.context.note(f"its contract is not kept: {error}")


@dataclass(frozen=True, slots=True, kw_only=True)
class _LocalSide(_PlacedSide):
    """This machine."""

    @property
    def _name(self) -> str:
        return f"{self.place.service}{LOCAL_SUFFIX}"

    def prepare(self, live: Endpoint | None, model: Path, sha256: str) -> CandidateRecord:
        if self._shown(self._name) is not None:
            raise UsageError(
                f"{self._name}: an endpoint of this name exists, and the candidate needs the name: "
                f"epkit deploy delete {self._name}"
            )
        before = {} if live is None else {each.name: each.traffic for each in live.deployments}
        return CandidateRecord(
            place=self.place.name,
            endpoint=self.place.service,
            backend="local",
            name=self._name,
            model=str(model),
            sha256=sha256,
            before=before,
        )

    def put_up(self, record: CandidateRecord) -> None:
        self.place.backend.create(self._order(record.name, record), self.context.note)

    def take_away(self, record: CandidateRecord) -> None:
        found = self._shown(record.name)
        if found is not None and _same_place(found.deployments[0].model, record.model):
            self.place.backend.delete(record.name, self.context.note)

    def candidate(self, record: CandidateRecord) -> CandidateTarget:
        return self._target(record.name, self.place.backend.show(record.name), None)

    def serving(self, record: CandidateRecord) -> CandidateTarget | None:
        return None if record.first else self._target(self.place.name, self.place.backend.show(record.endpoint), None)

    def client(self, record: CandidateRecord) -> Client:
        return self._client(self.place.backend.show(record.name), None)

    def switch(
        self,
        record: CandidateRecord,
        parts: tuple[int, ...],  # noqa: ARG002 - all at once
        check: Check,  # noqa: ARG002
        save: Save,
    ) -> None:
        """Switch; see `Side`. One rename does it: complete models answer before and after it."""
        if record.first:
            try:
                deploy.create(self.place, self._order(record.endpoint, record), self.context, self.reach)
            except EndpointError as error:
                self.context.note(f"{record.endpoint}: it serves, but {error}")
        else:
            self.place.backend.update(self._replacement(record), self.context.note)
            self._renew_contract()
        save(replace(record, phase="serving", part=100))

    def watch(self) -> bool:
        live = self.place.backend.show(self.place.service)
        if live.app_insights:
            return False
        self.place.backend.set_app_insights(self.place.service, on=True, deployment=None, say=self.context.note)
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class _AzureSide(_PlacedSide):
    """A workspace at Azure, with SDK v2."""

    def prepare(self, live: Endpoint | None, model: Path, sha256: str) -> CandidateRecord:
        deployments = () if live is None else live.deployments
        before = {each.name: each.traffic for each in deployments if each.traffic}
        if deployments and not before:
            raise BackendError(
                f"{self.place.service}: none of its deployments gets its requests: "
                f"epkit deploy update {self.place.name} --traffic NAME=100 first"
            )
        taken = {each.name for each in deployments}
        name = next((colour for colour in COLOURS if colour not in taken), None)
        if name is None:
            raise BackendError(
                f"{self.place.service}: it has the deployments {', '.join(sorted(taken))}, and the candidate needs the "
                "name blue or green: delete the one that gets no traffic"
            )
        return CandidateRecord(
            place=self.place.name,
            endpoint=self.place.service,
            backend="azureml",
            name=name,
            model=str(model),
            sha256=sha256,
            before=before,
        )

    def put_up(self, record: CandidateRecord) -> None:
        if record.first:
            order = replace(self._order(record.endpoint, record, deployment=record.name), traffic=False)
            self.place.backend.create(order, self.context.note)
        else:
            staged(self.place).create_candidate(self._replacement(record, deployment=record.name), self.context.note)

    def take_away(self, record: CandidateRecord) -> None:
        endpoint = self._shown(record.endpoint)
        if endpoint is None:
            return
        backend, say = staged(self.place), self.context.note
        if record.phase == "serving":
            for name in record.before:
                if (old := _named(endpoint, name)) is not None and not old.traffic:
                    backend.delete_deployment(record.endpoint, name, say)
            return
        ours = _named(endpoint, record.name)
        if record.first and {each.name for each in endpoint.deployments} <= {record.name}:
            backend.delete(record.endpoint, say)
        elif ours is not None and ours.model_sha256 in (None, record.sha256):
            if ours.traffic:
                say(f"the traffic goes back to {_words(record.before)}")
                backend.set_traffic(record.endpoint, record.before, say)
            backend.delete_deployment(record.endpoint, record.name, say)

    def candidate(self, record: CandidateRecord) -> CandidateTarget:
        return self._target(f"{record.endpoint}-{record.name}", self.place.backend.show(record.endpoint), record.name)

    def serving(self, record: CandidateRecord) -> CandidateTarget | None:
        return None if record.first else self._target(self.place.name, self.place.backend.show(record.endpoint), None)

    def client(self, record: CandidateRecord) -> Client:
        return self._client(self.place.backend.show(record.endpoint), record.name)

    def switch(self, record: CandidateRecord, parts: tuple[int, ...], check: Check, save: Save) -> None:
        backend, say = staged(self.place), self.context.note
        for part in (100,) if record.first else parts:
            save(replace(record, phase="moving", part=part))
            try:
                backend.set_traffic(record.endpoint, _divided(record, part), say)
                check(part)
            except EpkitError as error:
                if not record.first:
                    say(f"the traffic goes back to {_words(record.before)}")
                    backend.set_traffic(record.endpoint, record.before, say)
                raise type(error)(f"with {part} % of the traffic: {error}") from None
        save(replace(record, phase="serving", part=100))
        if record.first:
            endpoint = backend.show(record.endpoint)
            proxy = check_flags(self.reach, self.context, local=False)
            with contextlib.suppress(EndpointError):  # the candidate is proved and live
                deploy.adopt(self.place, endpoint, self.context, self.reach, proxy=proxy, deployment=record.name)
        else:
            self._renew_contract()

    def watch(self) -> bool:
        live = self.place.backend.show(self.place.service)
        off = [each.name for each in live.deployments if each.traffic and not each.app_insights]
        for name in off:
            self.place.backend.set_app_insights(self.place.service, on=True, deployment=name, say=self.context.note)
        return bool(off)


def _same_place(one: str | None, other: str) -> bool:
    """Tell whether two paths lead to the same place: the backend stores the path with links resolved."""
    return one is not None and os.path.realpath(one) == os.path.realpath(other)


def _named(endpoint: Endpoint, name: str) -> Deployment | None:
    return next((each for each in endpoint.deployments if each.name == name), None)


def _divided(record: CandidateRecord, part: int) -> dict[str, int]:
    """Divide the traffic: one part for the candidate, the rest for the old deployments in their former proportions."""
    left = 100 - part
    found = {name: share * left // 100 for name, share in record.before.items()}
    for name in list(found)[:1]:
        found[name] += left - sum(found.values())
    return {name: share for name, share in {**found, record.name: part}.items() if share}


def _words(traffic: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {share} %" for name, share in traffic.items())
