from scaling.study.layout import RESULTS
from scaling.jobs.slurm import asked_of_slurm, check_slurm, leave_mark

# How many runs a job trains at a time: here, what Snakemake gives the rule; in a job of a cluster, the CPUs that the job was given.
# (Snakemake cuts `threads` in a job to the cores of the machine that it was sent from.)
cores = workflow.resource_settings.cores or 1  # none are given with --unlock
slots = f" --cores {{threads}} --machine-cores {cores}"
if workflow.remote_exec:
    slots = ""


# Runs in the driver alone, before its first job.
onstart:
    if workflow.executor_plugin.name == "slurm":
        jobs = list(workflow.dag.needrun_jobs())
        try:
            check_slurm(
                asked_of_slurm(jobs, "slurm_partition"),
                asked_of_slurm(jobs, "slurm_account"),
            )
            leave_mark(RESULTS)
        except ValueError as error:
            raise WorkflowError(str(error))
