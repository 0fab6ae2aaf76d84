"""epkit: the consume side of machine-learning endpoints.

A public name is imported when it is first used, so that the command line does not pay for it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from epkit.api import bench, compare, load_reports, render, run_bench
    from epkit.contract import Contract
    from epkit.core.pipeline.run import PipelineRun
    from epkit.core.report.compare import Comparison
    from epkit.core.report.report import Report
    from epkit.core.train.report import TrainReport
    from epkit.core.validate.violations import Verdict, Violation
    from epkit.errors import BackendError, ContractError, EndpointError, EpkitError, UsageError
    from epkit.pipeline import Pipeline
    from epkit.scoring import FailedRow, Predictions, run_score, score
    from epkit.training import TrainedModel, Training, load_training, train

__version__ = "0.2.0"

__all__ = [
    "BackendError",
    "Comparison",
    "Contract",
    "ContractError",
    "EndpointError",
    "EpkitError",
    "FailedRow",
    "Pipeline",
    "PipelineRun",
    "Predictions",
    "Report",
    "TrainReport",
    "TrainedModel",
    "Training",
    "UsageError",
    "Verdict",
    "Violation",
    "bench",
    "compare",
    "load_reports",
    "load_training",
    "render",
    "run_bench",
    "run_score",
    "score",
    "train",
]

_HOMES = {
    "bench": "epkit.api",
    "run_bench": "epkit.api",
    "compare": "epkit.api",
    "load_reports": "epkit.api",
    "render": "epkit.api",
    "Comparison": "epkit.core.report.compare",
    "score": "epkit.scoring",
    "run_score": "epkit.scoring",
    "Predictions": "epkit.scoring",
    "FailedRow": "epkit.scoring",
    "Report": "epkit.core.report.report",
    "TrainReport": "epkit.core.train.report",
    "Verdict": "epkit.core.validate.violations",
    "Violation": "epkit.core.validate.violations",
    "Contract": "epkit.contract",
    "Pipeline": "epkit.pipeline",
    "PipelineRun": "epkit.core.pipeline.run",
    "train": "epkit.training",
    "load_training": "epkit.training",
    "Training": "epkit.training",
    "TrainedModel": "epkit.training",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'epkit' has no attribute {name!r}")
    return getattr(import_module(_HOMES.get(name, "epkit.errors")), name)
