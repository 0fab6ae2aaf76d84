"""`epkit deploy`: a model becomes an endpoint, on this machine or at Azure."""

from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

import typer

from epkit.cli import terminal
from epkit.cli.options import hosting as h
from epkit.cli.options.common import MORE, Group, number
from epkit.cli.options.target import REACHING, with_reach

if TYPE_CHECKING:
    from epkit.flows.target.request_options import TargetOptions

EPILOG = """\b
Examples:
  epkit deploy create bank --model model/ --entry score.py
  epkit deploy create bank --model mlflow-model/
  epkit deploy create bank --job brave_key_1a2b --backend azureml
  epkit deploy create bank --model model/ --entry score.py --backend azureml
      --environment conda.yml --enable-app-insights
  epkit deploy list --format json
  epkit deploy update bank --model model/
  epkit deploy update bank --traffic blue=90,green=10
\b
The Azure workspace comes from config.json, found as the SDKs find it.
Exit codes: 0 done, 2 usage, a missing extra or login, 4 deployed, but a row
is not scored, 6 the backend refused."""

ENTRY = (
    "The script. It is looked for in --code, else in the current directory, else in the model's directory. "
    "An MLflow model needs none."
)
MODEL = (
    "The model: a directory or a file; at Azure also azureml:NAME:VERSION, azureml:NAME@latest, "
    "azureml:jobs/RUN/outputs."
)
Job = Annotated[
    str | None, typer.Option("--job", metavar="NAME", help="In place of --model: take the best model of an Azure job.")
]
Code = Annotated[
    str | None,
    typer.Option(
        "--code",
        metavar="DIR",
        help="Directory with all that the script needs. Default: the modules next to the script.",
    ),
]
Environment = Annotated[
    str | None, typer.Option("--environment", metavar="FILE", help="Azure: a conda file, or azureml:NAME:VERSION.")
]
Env = Annotated[
    list[str] | None,
    typer.Option("--env", metavar="NAME", help="local: an environment variable for the script. Repeatable."),
]

app = typer.Typer(
    cls=Group,
    help="Deploy models: on this machine (local), to Azure ML's managed online endpoints (azureml), or to ACI and AKS "
    "with SDK v1 (azureml-v1).",
    epilog=EPILOG,
    no_args_is_help=True,
    rich_markup_mode=None,
)


def register(parent: typer.Typer) -> None:
    """Add the commands to the application."""
    parent.add_typer(app, name="deploy")


@app.command(
    epilog="""\b
Example:
  epkit deploy create bank --model model/ --entry score.py"""
)
@with_reach(REACHING)
def create(
    reach: "TargetOptions",
    name: h.Name,
    model: Annotated[str | None, typer.Option("--model", metavar="DIR", help=MODEL)] = None,
    job: Job = None,
    entry: Annotated[str | None, typer.Option("--entry", metavar="FILE", help=ENTRY)] = None,
    code: Code = None,
    app_insights: Annotated[
        bool, typer.Option("--enable-app-insights", help="Have requests and logs sent to Application Insights.")
    ] = False,
    backend: h.Backend = None,
    environment: Environment = None,
    compute: Annotated[
        str | None, typer.Option("--compute", metavar="aci|aks[:CLUSTER]", help="azureml-v1. [default: aci]")
    ] = None,
    instance_type: Annotated[
        str | None, typer.Option("--instance-type", metavar="SKU", help="azureml. [default: Standard_DS3_v2]")
    ] = None,
    instances: Annotated[
        int, number(MORE, "--instances", kind=int, least=1, metavar="N", help="azureml; aks: replicas.")
    ] = 1,
    deployment: Annotated[
        str, typer.Option("--deployment", metavar="NAME", help="azureml: the deployment; added if the endpoint exists.")
    ] = "blue",
    env: Env = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be sent; send nothing.")] = False,
    format_: h.Format = "text",
) -> None:
    """Deploy a model and its script; wait, fetch the contract, write epkit.toml, score one row."""
    from epkit.cli.output import hosting as output
    from epkit.flows.hosting import deploy as flow
    from epkit.flows.hosting.sources import taking

    place, context = h.find(name, backend, format_)
    with taking(place, context, model=model, job=job) as taken:
        order = flow.make_order(
            place,
            context,
            model=taken.model,
            source=taken.source,
            entry=entry,
            code=code,
            app_insights=app_insights,
            environment=environment,
            compute=compute,
            instance_type=instance_type,
            instances=instances,
            deployment=deployment,
            env=tuple(env or ()),
        )
        if dry_run:
            terminal.write(output.plan(place.backend.name, place.backend.plan(order), format_))
        else:
            terminal.write(output.created(flow.create(place, order, context, reach), format_))


@app.command("list", epilog="Example: epkit deploy list --backend azureml --format json")
def list_(backend: h.Backend = None, format_: h.Format = "text") -> None:
    """List the endpoints of a backend."""
    from epkit.cli.output import hosting as output

    place, _ = h.find(None, backend, format_)
    terminal.write(output.endpoints(place.backend.name, place.backend.list(), format_))


@app.command(epilog="Example: epkit deploy show bank")
def show(name: h.Name, backend: h.Backend = None, format_: h.Format = "text") -> None:
    """Show an endpoint and its deployments."""
    from epkit.cli.output import hosting as output

    place, _ = h.find(name, backend, format_)
    terminal.write(output.endpoint(place.backend.show(place.service), format_))


@app.command(
    epilog="""\b
Examples:
  epkit deploy update bank --model model/
  epkit deploy update bank --traffic blue=90,green=10"""
)
@with_reach(REACHING)
def update(
    reach: "TargetOptions",
    name: h.Name,
    model: Annotated[
        str | None,
        typer.Option("--model", metavar="DIR", help="Another model, for the same URL and key; named as for create."),
    ] = None,
    job: Job = None,
    entry: Annotated[
        str | None, typer.Option("--entry", metavar="FILE", help="Another script, looked for as create does.")
    ] = None,
    code: Code = None,
    environment: Environment = None,
    deployment: Annotated[
        str | None, typer.Option("--deployment", metavar="NAME", help="azureml: the new one. [default: blue, green]")
    ] = None,
    env: Env = None,
    traffic: Annotated[
        str | None,
        typer.Option("--traffic", metavar="NAME=PERCENT,…", help="azureml: how the requests are divided."),
    ] = None,
    backend: h.Backend = None,
    format_: h.Format = "text",
) -> None:
    """Replace the model of an endpoint, without a request refused, or divide the requests among its deployments."""
    from epkit.cli.output import hosting as output
    from epkit.flows.hosting import deploy as flow
    from epkit.flows.hosting.sources import taking

    more: dict[str, Any] = {"entry": entry, "code": code, "environment": environment, "deployment": deployment}
    more["env"] = tuple(env or ())
    h.check_change(model=model or job, traffic=traffic, **more)
    place, context = h.find(name, backend, format_)
    if traffic is not None:
        divided = place.backend.set_traffic(place.service, h.read_traffic(traffic), context.note)
        terminal.write(output.endpoint(divided, format_))
        return
    with taking(place, context, model=model, job=job) as taken:
        replacement = flow.make_replacement(place, context, model=taken.model, source=taken.source, **more)
        terminal.write(output.created(flow.update(place, replacement, context, reach), format_))


@app.command(epilog="Example: epkit deploy keys bank --regenerate secondary")
def keys(
    name: h.Name,
    regenerate: Annotated[
        str | None, typer.Option("--regenerate", metavar="primary|secondary", help="Replace this key first.")
    ] = None,
    reveal: Annotated[bool, typer.Option("--reveal", help="Print both keys, and write none.")] = False,
    key_file: Annotated[
        str | None, typer.Option("--key-file", metavar="FILE", help="Write the primary key there, mode 0600.")
    ] = None,
    backend: h.Backend = None,
    format_: h.Format = "text",
) -> None:
    """Write the primary key where epkit.toml's key_file points, mode 0600."""
    from epkit.cli.output import hosting as output
    from epkit.flows.hosting import deploy as flow

    if regenerate is not None:
        terminal.check_choice("--regenerate", regenerate, ("primary", "secondary"))
    place, context = h.find(name, backend, format_)
    which = cast("Literal['primary', 'secondary'] | None", regenerate)
    written = flow.keys(place, context, regenerate=which, reveal=reveal, key_file=key_file)
    terminal.write(output.keys(written, format_), reveal=reveal)


@app.command(epilog="Example: epkit deploy swagger bank -o swagger/bank.json")
@with_reach(REACHING)
def swagger(
    reach: "TargetOptions",
    name: h.Name,
    file: Annotated[
        str | None, typer.Option("-o", "--output", metavar="FILE", help="Default: swagger/NAME.json.")
    ] = None,
    backend: h.Backend = None,
    format_: h.Format = "text",
) -> None:
    """Fetch the contract of an endpoint into a file."""
    from epkit.cli.output import hosting as output
    from epkit.flows.hosting import deploy as flow

    place, context = h.find(name, backend, format_)
    written = flow.swagger(place, context, reach, output=file)
    terminal.write(output.done(place, f"the contract is in {written}", format_, swagger=str(written)))


@app.command(epilog="Example: epkit deploy delete bank")
def delete(name: h.Name, backend: h.Backend = None, format_: h.Format = "text") -> None:
    """Delete an endpoint with its deployments, its key file, and its entry in epkit.toml."""
    from epkit.cli.output import hosting as output
    from epkit.flows.hosting import deploy as flow

    place, context = h.find(name, backend, format_)
    flow.delete(place, context)
    terminal.write(output.done(place, f"{place.service} is deleted", format_, deleted=True))
