"""Where a pipeline's model goes: how a candidate is deployed next to the live model, asked, and how it takes over.

On this machine the candidate is an endpoint of its own, which nothing but the run knows. At Azure it is a deployment of
the same endpoint, which gets no traffic before `switch` gives it some. Either way the run's directory says first, in
`candidate.json`, what is about to be put up, so that a later process can take away what a killed one left.
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
"""The entry script, one of the model's files."""

Check = Callable[[int], None]
"""Checks the candidate while it gets that percentage of the traffic; raises if something is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateTarget:
    """How requests reach a model.

    Args:
        name: what reports call it.
        authorization: the header's whole value, None where nothing is asked for.
        deployment: that is asked, None for whichever serves.
    """

    name: str
    uri: str
    authorization: Secret | None = field(repr=False)
    deployment: str | None = None


class Side(Protocol):
    """One who hosts the endpoint of a pipeline. Every method raises `BackendError` where it says no."""

    def live(self) -> Endpoint | None:
        """Return the endpoint that serves, None where there is none yet."""

    def prepare(self, live: Endpoint | None, model: Path, sha256: str) -> CandidateRecord:
        """Say what would be put up.

        Raises:
            UsageError: something else has the name of the candidate.
            BackendError: it cannot be known what serves.
        """

    def put_up(self, record: CandidateRecord) -> None:
        """Put the candidate up, and wait until it answers."""

    def take_away(self, record: CandidateRecord) -> None:
        """Remove the candidate, or what is left next to it if it serves; may be called twice."""

    def candidate(self, record: CandidateRecord) -> CandidateTarget:
        """Say how the candidate is reached."""

    def serving(self, record: CandidateRecord) -> CandidateTarget | None:
        """Say how what serves is reached; None before there is an endpoint."""

    def client(self, record: CandidateRecord) -> Client:
        """Return what asks the candidate."""

    def switch(self, record: CandidateRecord, parts: tuple[int, ...], check: Check, save: Save) -> None:
        """Have the candidate's model serve; what served goes on until then.

        Args:
            parts: percent of the traffic, ascending, the last 100.
            save: writes the record down; called before each change that a later process may have to take back.

        Raises:
            EpkitError: it did not come to that, and what served serves on.
        """

    def watch(self) -> bool:
        """Turn Application Insights on where it is off; tell whether it was off."""


def open_side(world: World, reach: TargetOptions, record: CandidateRecord | None = None) -> Side:
    """Find who hosts the endpoint of a pipeline.

    Args:
        record: of a candidate that is there, where the configuration may be another by now.

    Raises:
        UsageError: the pipeline does not deploy, the backend's extra is missing, or it has no second deployment.
    """
    settings = world.config.deploy
    if settings is None:
        raise UsageError(f'{world.config.place}.deploy: is missing: deploy = {{ endpoint = "NAME" }}')
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
    """What both sides have in common."""

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
        """Keep the contract of the model that serves now; what hinders is said, as the model serves.

        An endpoint that `epkit.toml` does not have, as it was made from another directory, is written there.
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
        """See `Side`. Until another server answers, and from then on, whole models serve: it is one rename."""
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
    """A workspace of Azure's, by SDK v2."""

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
            with contextlib.suppress(EndpointError):  # it was proved, and serves
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
    """Tell whether two paths lead to one place: the backend keeps the one without links."""
    return one is not None and os.path.realpath(one) == os.path.realpath(other)


def _named(endpoint: Endpoint, name: str) -> Deployment | None:
    return next((each for each in endpoint.deployments if each.name == name), None)


def _divided(record: CandidateRecord, part: int) -> dict[str, int]:
    """Divide the traffic: a part for the candidate, the rest for who served, in the shares that they had."""
    left = 100 - part
    found = {name: share * left // 100 for name, share in record.before.items()}
    for name in list(found)[:1]:
        found[name] += left - sum(found.values())
    return {name: share for name, share in {**found, record.name: part}.items() if share}


def _words(traffic: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {share} %" for name, share in traffic.items())
