# A scaling study, from its file to its report: snakemake --cores all [--config study=studies/NAME.yaml]
from snakemake.exceptions import WorkflowError
from snakemake.logging import logger
from snakemake.settings.types import DeploymentMethod

from scaling.jobs.dag import Dag

deployed = DeploymentMethod.CONDA in workflow.deployment_settings.deployment_method
try:
    dag = Dag(
        config, workflow.basedir if deployed else None, in_job=workflow.remote_exec
    )
    if workflow.is_main_process:
        dag.check_results(logger.warning)
except ValueError as error:
    raise WorkflowError(str(error))


include: "workflow/rules/slurm.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/tune.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/fit.smk"
include: "workflow/rules/benchmarks.smk"
include: "workflow/rules/report.smk"


# Checks every call: if runs have no result, it names them, removes the tables of their jobs and fails; the next call goes on.
rule complete:
    default_target: True
    input:
        page=rules.report.output.page,
        runs=rules.collect.output.runs,
        # Named too, or a page that exists would hide a file that is missing.
        packs=rules.collect.input.packs,
        probes=rules.collect.output.probes,
        benchmarks=rules.fit.input.benchmarks,
        fits=rules.fit.output.fits,
        claims=rules.fit.output.claims,
    log:
        str(dag.layout.study / "logs" / "complete.log"),
    retries: 0  # it fails in order to say that work is left
    localrule: True
    conda:
        "envs/scaling.yaml"
    message:
        "Looking for runs without a result"
    shell:
        dag.command("complete") + " 2>&1 | tee -i {log:q}"
