# A scaling study, from its file to its report. Run: snakemake --cores all [--config study=studies/NAME.yaml]
from snakemake.exceptions import WorkflowError
from snakemake.settings.types import DeploymentMethod

from scaling.dag import Dag

try:
    dag = Dag(config, DeploymentMethod.CONDA in workflow.deployment_settings.deployment_method)
except ValueError as error:
    raise WorkflowError(str(error))

STUDY = str(dag.path)
PYTHON = dag.python


wildcard_constraints:
    family="[a-z]+",
    pack="[a-z0-9-]+",


include: "workflow/rules/data.smk"
include: "workflow/rules/tune.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/fit.smk"
include: "workflow/rules/report.smk"
